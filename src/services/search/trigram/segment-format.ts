// A segment on disk: a header, then five sections. All numbers are little-endian.
//
//   blocks    for every 64 trigrams that occur: the first of them, where its entry in `table` and where its postings begin (three u32)
//   table     for each trigram in ascending order: its distance from the one before (varint; the first of a block has its own number in `blocks`, and 0
//             here), and how many bytes its postings take (varint)
//   files     of each file its size and mtimeMs (f64), where the part begins and the number of its first line (u32), its flags (one byte): first all
//             sizes, then all times, and so on
//   names     for each file: how many bytes its path shares with the one before (varint), how many are new (varint), and these
//   postings  for each trigram the files that have it, as distances (varint) from the one before, the first from -1
//
// A large file stands there several times in a row, each time for a part of its lines with the trigrams of that part. A line that is longer than a part is
// cut; the part that goes on with it has the trigrams of the last `overlapBytes` before it as well, so that a shorter text stands in one of them as a whole.
//
// The header has a checksum of each section and one of itself. What does not check out is not opened.

/** To be raised with every change of this format, of the folding or of what is indexed: older segments are then built anew. */
export const segmentVersion = 3;
export const segmentMagic = 0x4752544f;
export const gramsPerBlock = 64;
export const sectionCount = 5;
export const bytesPerFile = 25;
/** magic, version, files, grams: u32; textBytes, sequence: f64; length and checksum of each section: u32; checksum of all this: u32. */
export const headerBytes = 16 + 16 + sectionCount * 8 + 4;

/** Bits of a file's flags. */
export const flagAscii = 1;
export const flagBom = 2;
export const flagBinary = 4;
/** Was written to within the clock's grain of being read: size and time can't prove that it is still the same. */
export const flagYoung = 8;
/** A further part of the file before it. */
export const flagContinues = 16;
/** A part that begins within a line. */
export const flagCut = 32;

export const overlapBytes = 256;

export const segmentSuffix = '.trigrams';
export const temporarySuffix = '.trigrams-tmp';

export interface SegmentHeader {
  files: number;
  grams: number;
  textBytes: number;
  /** Of two segments that know a file, the one with the higher number is right. */
  sequence: number;
  lengths: readonly number[];
  checksums: readonly number[];
}

/** Appends `value` in groups of seven bits, lowest first, and returns where the next byte goes. */
export function writeVarint(bytes: Uint8Array, at: number, value: number): number {
  let rest = value;
  let next = at;
  while (rest >= 128) {
    bytes[next++] = (rest & 127) | 128;
    rest >>>= 7;
  }
  bytes[next++] = rest;
  return next;
}

/** How many bytes `writeVarint` takes for it. */
export function varintBytes(value: number): number {
  return value < 128 ? 1 : value < 16_384 ? 2 : value < 2_097_152 ? 3 : value < 268_435_456 ? 4 : 5;
}
