// Collects files and their trigrams in memory and writes them as one segment. Its memory is bounded: it says when it is full.

import { closeSync, fsync, openSync, renameSync, rmSync, writeSync } from 'node:fs';
import { promisify } from 'node:util';
import zlib from 'node:zlib';
import { gramLimit } from './fold.ts';
import {
  bytesPerFile,
  flagBinary,
  flagContinues,
  gramsPerBlock,
  headerBytes,
  sectionCount,
  segmentMagic,
  segmentVersion,
  varintBytes,
  writeVarint,
} from './segment-format.ts';

const maxFiles = 16_384;
/** Four bytes each while they are collected. */
const maxPostings = 8_000_000;
/** Of the distance between two trigrams. */
const maxDistanceBytes = 3;
const writeBytes = 4 * 1024 * 1024;
const syncFile = promisify(fsync);

export interface IndexedFile {
  path: string;
  size: number;
  mtimeMs: number;
  flags: number;
  /** Which part of the file this is; left out where it is the whole. */
  part?: FilePart;
}

/** Whole lines of a file, up to the next part or the end. */
export interface FilePart {
  /** Bytes before it. */
  offset: number;
  /** Number of its first line, from 1. */
  line: number;
}

const whole: FilePart = { offset: 0, line: 1 };

/** To be used again after `clear`: its memory is taken once. */
export class SegmentBuilder {
  readonly #files: IndexedFile[] = [];
  /** Room for as many as there may be and one file more; what is not written to takes no memory yet. */
  readonly #grams = new Uint32Array(maxPostings + gramLimit);
  /** Where each file's trigrams begin in `#grams`. */
  readonly #starts: number[] = [0];
  /** While encoding: for each trigram the file that had it last, and beside it a number of bytes, later a place. Side by side, since they are used together. */
  readonly #progress = new Int32Array(2 * gramLimit);
  #postings = new Uint8Array(0);
  #count = 0;
  #textBytes = 0;

  /** Entries so far; a file of several parts has as many. */
  get length(): number {
    return this.#files.length;
  }

  get isEmpty(): boolean {
    return this.#files.length === 0;
  }

  /** It should be written before more is added. */
  get isFull(): boolean {
    return this.#files.length >= maxFiles || this.#count >= maxPostings;
  }

  /**
   * The trigrams are copied; each may stand there once only. There is room for one file, in one part, unless it is full; false, and nothing is added, where
   * there is none for a further part.
   */
  add(file: IndexedFile, grams: Uint32Array): boolean {
    if (this.#count + grams.length > this.#grams.length) return false;
    this.#files.push(file);
    if ((file.flags & flagContinues) === 0) this.#textBytes += file.size;
    if ((file.flags & flagBinary) === 0) {
      this.#grams.set(grams, this.#count);
      this.#count += grams.length;
    }
    this.#starts.push(this.#count);
    return true;
  }

  /** Takes back what was added since there were `length` entries. */
  takeBack(length: number): void {
    for (const file of this.#files.splice(length)) if ((file.flags & flagContinues) === 0) this.#textBytes -= file.size;
    this.#starts.length = length + 1;
    this.#count = this.#starts[length] as number;
  }

  clear(): void {
    this.#files.length = 0;
    this.#starts.length = 1;
    this.#count = 0;
    this.#textBytes = 0;
  }

  /** The whole segment's bytes: the header, then the sections. Valid until the next call. */
  encode(sequence: number): Uint8Array[] {
    const { blocks, table, postings, grams } = this.#encodePostings();
    const sections = [blocks, table, this.#encodeFiles(), this.#encodeNames(), postings];
    return [this.#encodeHeader(sections, grams, sequence), ...sections];
  }

  #encodePostings(): { blocks: Uint8Array; table: Uint8Array; postings: Uint8Array; grams: number } {
    this.#measure();
    const progress = this.#progress;
    let grams = 0;
    let total = 0;
    let tableBytes = 0;
    for (let at = 1; at < progress.length; at += 2) {
      const bytes = progress[at] as number;
      if (bytes === 0) continue;
      grams++;
      total += bytes;
      tableBytes += maxDistanceBytes + varintBytes(bytes);
    }
    const blocks = new Uint32Array(3 * Math.ceil(grams / gramsPerBlock));
    const table = new Uint8Array(tableBytes);
    let tableAt = 0;
    let before = 0;
    let number = 0;
    let place = 0;
    for (let gram = 0; gram < gramLimit; gram++) {
      const bytes = progress[2 * gram + 1] as number;
      if (bytes === 0) continue;
      if (number % gramsPerBlock === 0) {
        blocks.set([gram, tableAt, place], (number / gramsPerBlock) * 3);
        before = gram;
      }
      tableAt = writeVarint(table, tableAt, gram - before);
      tableAt = writeVarint(table, tableAt, bytes);
      before = gram;
      number++;
      progress[2 * gram] = -1;
      progress[2 * gram + 1] = place;
      place += bytes;
    }
    if (this.#postings.length < total) this.#postings = new Uint8Array(total);
    this.#writePostings(this.#postings);
    return { blocks: bytesOf(blocks), table: table.subarray(0, tableAt), postings: this.#postings.subarray(0, total), grams };
  }

  /** How many bytes the postings of each trigram will take. */
  #measure(): void {
    const progress = this.#progress;
    for (let at = 0; at < progress.length; at += 2) {
      progress[at] = -1;
      progress[at + 1] = 0;
    }
    const grams = this.#grams;
    for (let file = 0; file < this.#files.length; file++) {
      for (let index = this.#starts[file] as number, end = this.#starts[file + 1] as number; index < end; index++) {
        const at = 2 * (grams[index] as number);
        const distance = file - (progress[at] as number);
        progress[at] = file;
        progress[at + 1] = (progress[at + 1] as number) + (distance < 128 ? 1 : distance < 16_384 ? 2 : 3);
      }
    }
  }

  #writePostings(postings: Uint8Array): void {
    const progress = this.#progress;
    const grams = this.#grams;
    for (let file = 0; file < this.#files.length; file++) {
      for (let index = this.#starts[file] as number, end = this.#starts[file + 1] as number; index < end; index++) {
        const at = 2 * (grams[index] as number);
        const distance = file - (progress[at] as number);
        progress[at] = file;
        const place = progress[at + 1] as number;
        if (distance < 128) {
          postings[place] = distance;
          progress[at + 1] = place + 1;
        } else progress[at + 1] = writeVarint(postings, place, distance);
      }
    }
  }

  #encodeFiles(): Uint8Array {
    const count = this.#files.length;
    const numbers = new Float64Array(2 * count);
    const places = new Uint32Array(2 * count);
    const bytes = new Uint8Array(bytesPerFile * count);
    this.#files.forEach(({ size, mtimeMs, flags, part = whole }, index) => {
      numbers[index] = size;
      numbers[count + index] = mtimeMs;
      places[index] = part.offset;
      places[count + index] = part.line;
      bytes[24 * count + index] = flags;
    });
    bytes.set(bytesOf(numbers));
    bytes.set(bytesOf(places), 16 * count);
    return bytes;
  }

  #encodeNames(): Uint8Array {
    const pieces: Uint8Array[] = [];
    let before = Buffer.alloc(0);
    for (const { path } of this.#files) {
      const name = Buffer.from(path);
      let shared = 0;
      while (shared < name.length && shared < before.length && name[shared] === before[shared]) shared++;
      const lengths = new Uint8Array(10);
      const end = writeVarint(lengths, writeVarint(lengths, 0, shared), name.length - shared);
      pieces.push(lengths.subarray(0, end), name.subarray(shared));
      before = name;
    }
    return Buffer.concat(pieces);
  }

  #encodeHeader(sections: readonly Uint8Array[], grams: number, sequence: number): Uint8Array {
    const header = new DataView(new ArrayBuffer(headerBytes));
    [segmentMagic, segmentVersion, this.#files.length, grams].forEach((value, index) => header.setUint32(4 * index, value, true));
    header.setFloat64(16, this.#textBytes, true);
    header.setFloat64(24, sequence, true);
    sections.forEach((section, index) => {
      header.setUint32(32 + 4 * index, section.length, true);
      header.setUint32(32 + 4 * (sectionCount + index), zlib.crc32(section), true);
    });
    const bytes = new Uint8Array(header.buffer);
    header.setUint32(headerBytes - 4, zlib.crc32(bytes.subarray(0, headerBytes - 4)), true);
    return bytes;
  }
}

/**
 * Writes a segment under a temporary name, syncs it and renames it into its place. Rejects with the system's error, and then nothing is left of it. When this
 * returns, the parts were handed to the system and may be changed; only the sync and what follows run beside what the caller does next.
 */
export async function writeSegment(path: string, temporaryPath: string, parts: readonly Uint8Array[]): Promise<void> {
  let file: number | undefined;
  try {
    file = openSync(temporaryPath, 'w', 0o600);
    for (const part of parts) {
      for (let at = 0; at < part.length; ) at += writeSync(file, part, at, Math.min(writeBytes, part.length - at));
    }
    await syncFile(file);
    closeSync(file);
    file = undefined;
    renameSync(temporaryPath, path);
  } catch (error) {
    if (file !== undefined) closeSync(file);
    rmSync(temporaryPath, { force: true });
    throw error;
  }
}

function bytesOf(numbers: Uint32Array | Float64Array): Uint8Array {
  return new Uint8Array(numbers.buffer, numbers.byteOffset, numbers.byteLength);
}
