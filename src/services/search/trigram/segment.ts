// A segment on disk, opened for reading. Which trigrams there are and where their postings are is in memory, about two bytes for each, and the facts of
// files; postings are read when asked for.

import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import zlib from 'node:zlib';
import type { Plan } from './plan-tree.ts';
import {
  bytesPerFile,
  flagCut,
  gramsPerBlock,
  headerBytes,
  type SegmentHeader,
  sectionCount,
  segmentMagic,
  segmentVersion,
} from './segment-format.ts';

/** Postings longer than that many bytes for each file that is still in question are not read: to look into the files costs less. */
const worthBytesPerFile = 512;
/** Of one `and` the shortest lists are read; the longer ones hardly narrow further. */
const maxLists = 10;
const namesPerTurn = 256;
const verifyBytes = 1024 * 1024;

/** What was read is not a segment of this version, or was damaged. */
export class DamagedSegment extends Error {}

/** Reads the whole file against its checksums. Throws DamagedSegment, or the system's error. */
export function verifySegment(path: string): void {
  const file = openSync(path, 'r');
  try {
    const header = readHeader(file);
    const buffer = Buffer.allocUnsafe(verifyBytes);
    let at = headerBytes;
    header.lengths.forEach((length, section) => {
      let checksum = 0;
      for (const end = at + length; at < end; ) {
        const piece = buffer.subarray(0, Math.min(verifyBytes, end - at));
        readExactly(file, piece, at);
        checksum = zlib.crc32(piece, checksum);
        at += piece.length;
      }
      if (checksum !== header.checksums[section]) throw new DamagedSegment(`section ${section} does not have its checksum`);
    });
  } finally {
    closeSync(file);
  }
}

export class Segment {
  readonly path: string;
  readonly header: SegmentHeader;
  /** Bytes on disk. */
  readonly bytes: number;
  readonly sizes: Float64Array;
  readonly mtimes: Float64Array;
  /** Where the part begins that an entry stands for, bytes; 0 for whole files. */
  readonly offsets: Uint32Array;
  /** Number of its first line. */
  readonly lines: Uint32Array;
  readonly flags: Uint8Array;
  /** Some parts begin within a line. */
  readonly hasCuts: boolean;
  /** 1 where the file is no longer answered for by this segment. */
  readonly dead: Uint8Array;
  /** Paths of the files, one for each entry, filled by `readNames` or by who has them already. */
  names: string[] = [];
  readonly #file: number;
  readonly #blocks: Uint32Array;
  readonly #table: Uint8Array;
  readonly #namesAt: number;
  readonly #postingsAt: number;
  readonly #postingsBytes: number;
  #scratch: Buffer = Buffer.allocUnsafe(4096);
  #listed = new Uint32Array(1024);
  #isOpen = true;

  /** Reads the header and what stays in memory. Throws DamagedSegment, or the system's error. Checksums of sections are not compared: see verifySegment. */
  constructor(path: string) {
    this.path = path;
    this.#file = openSync(path, 'r');
    try {
      const header = readHeader(this.#file);
      const [blocks = 0, table = 0, files = 0, names = 0, postings = 0] = header.lengths;
      const count = header.files;
      if (blocks !== 12 * Math.ceil(header.grams / gramsPerBlock) || files !== bytesPerFile * count)
        throw new DamagedSegment('sections have wrong lengths');
      this.header = header;
      const filesAt = headerBytes + blocks + table;
      this.#namesAt = filesAt + files;
      this.#postingsAt = this.#namesAt + names;
      this.#postingsBytes = postings;
      this.bytes = this.#postingsAt + postings;
      this.#blocks = new Uint32Array(blocks / 4);
      this.#table = new Uint8Array(table);
      this.sizes = new Float64Array(count);
      this.mtimes = new Float64Array(count);
      this.offsets = new Uint32Array(count);
      this.lines = new Uint32Array(count);
      this.flags = new Uint8Array(count);
      this.dead = new Uint8Array(count);
      readExactly(this.#file, bytesOf(this.#blocks), headerBytes);
      readExactly(this.#file, this.#table, headerBytes + blocks);
      readExactly(this.#file, bytesOf(this.sizes), filesAt);
      readExactly(this.#file, bytesOf(this.mtimes), filesAt + 8 * count);
      readExactly(this.#file, bytesOf(this.offsets), filesAt + 16 * count);
      readExactly(this.#file, bytesOf(this.lines), filesAt + 20 * count);
      readExactly(this.#file, this.flags, filesAt + 24 * count);
      this.hasCuts = this.flags.some((flags) => (flags & flagCut) !== 0);
    } catch (error) {
      closeSync(this.#file);
      throw error;
    }
  }

  /** About how much of it is in memory, without the paths. */
  get residentBytes(): number {
    return (
      this.#blocks.byteLength + this.#table.length + this.#scratch.length + this.#listed.byteLength + (bytesPerFile + 1) * this.header.files
    );
  }

  beginsCut(number: number): boolean {
    return ((this.flags[number] ?? 0) & flagCut) !== 0;
  }

  /** It begins or ends within a line. */
  isCut(number: number): boolean {
    return this.beginsCut(number) || this.beginsCut(number + 1);
  }

  /** Fills `names`; yields now and then how many it read, so that the caller can let others have their turn. Throws DamagedSegment. */
  *readNames(): Generator<number> {
    const bytes = Buffer.allocUnsafe(this.#postingsAt - this.#namesAt);
    readExactly(this.#file, bytes, this.#namesAt);
    const cursor = { bytes, at: 0 };
    let before = Buffer.alloc(0);
    const names: string[] = [];
    for (let index = 0; index < this.header.files; index++) {
      const shared = readVarint(cursor);
      const length = readVarint(cursor);
      if (shared > before.length || cursor.at + length > bytes.length) throw new DamagedSegment('a name goes beyond its section');
      if (length === 0 && shared === before.length && index > 0) names.push(names[index - 1] as string);
      else {
        before = Buffer.concat([before.subarray(0, shared), bytes.subarray(cursor.at, cursor.at + length)]);
        cursor.at += length;
        names.push(before.toString());
      }
      if (index % namesPerTurn === namesPerTurn - 1) yield namesPerTurn;
    }
    this.names = names;
  }

  /** Numbers of the entries that may match, ascending; null for all of them. Files that are dead are among them, binary ones may be. */
  find(plan: Plan): Uint32Array | null {
    switch (plan.kind) {
      case 'all':
        return null;
      case 'none':
        return new Uint32Array(0);
      case 'trigram': {
        const list = this.#locate(plan.gram);
        return list === null ? new Uint32Array(0) : this.#decode(list);
      }
      case 'and':
        return this.#findAll(plan.of);
      case 'or':
        return this.#findAny(plan.of);
    }
  }

  close(): void {
    if (this.#isOpen) closeSync(this.#file);
    this.#isOpen = false;
  }

  /** The shortest list first, and each further one only narrows it. */
  #findAll(parts: readonly Plan[]): Uint32Array | null {
    const lists: Postings[] = [];
    const others: Plan[] = [];
    for (const part of parts) {
      if (part.kind !== 'trigram') {
        others.push(part);
        continue;
      }
      const list = this.#locate(part.gram);
      if (list === null) return new Uint32Array(0);
      lists.push(list);
    }
    lists.sort((a, b) => a.bytes - b.bytes);
    let found: Uint32Array | null = null;
    for (const list of lists.slice(0, maxLists)) {
      if (found === null) found = this.#decode(list);
      else if (list.bytes <= worthBytesPerFile * found.length) found = this.#narrow(found, list);
      if (found.length === 0) return found;
    }
    for (const part of others) {
      const also = this.find(part);
      if (also !== null) found = found === null ? also : intersect(found, also);
      if (found?.length === 0) return found;
    }
    return found;
  }

  #findAny(parts: readonly Plan[]): Uint32Array | null {
    const marks = new Uint8Array(this.header.files);
    let count = 0;
    for (const part of parts) {
      const found = this.find(part);
      if (found === null) return null;
      for (const file of found) {
        count += 1 - (marks[file] as number);
        marks[file] = 1;
      }
    }
    const files = new Uint32Array(count);
    for (let file = 0, at = 0; at < count; file++) if (marks[file] === 1) files[at++] = file;
    return files;
  }

  /** Where the postings of a trigram are; null when no file has it. */
  #locate(gram: number): Postings | null {
    const blocks = this.#blocks;
    let low = 0;
    let high = blocks.length / 3;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((blocks[3 * middle] as number) <= gram) low = middle + 1;
      else high = middle;
    }
    if (low === 0) return null;
    const block = 3 * (low - 1);
    const end = blocks[block + 4] ?? this.#table.length;
    const cursor = { bytes: this.#table, at: blocks[block + 1] as number };
    let at = blocks[block + 2] as number;
    let current = blocks[block] as number;
    while (cursor.at < end) {
      current += readVarint(cursor);
      const bytes = readVarint(cursor);
      if (at + bytes > this.#postingsBytes) throw new DamagedSegment('postings go beyond their section');
      if (current === gram) return { at, bytes };
      if (current > gram) return null;
      at += bytes;
    }
    return null;
  }

  #decode(list: Postings): Uint32Array {
    const bytes = this.#read(this.#postingsAt + list.at, list.bytes);
    const files = new Uint32Array(list.bytes);
    const count = decodePostings(bytes, files, this.header.files);
    return files.subarray(0, count);
  }

  /** Those of `found` that are in the list. */
  #narrow(found: Uint32Array, list: Postings): Uint32Array {
    const bytes = this.#read(this.#postingsAt + list.at, list.bytes);
    if (this.#listed.length < list.bytes) this.#listed = new Uint32Array(2 * list.bytes);
    const listed = this.#listed;
    const count = decodePostings(bytes, listed, this.header.files);
    let kept = 0;
    for (let index = 0, at = 0; index < found.length; index++) {
      const wanted = found[index] as number;
      while (at < count && (listed[at] as number) < wanted) at++;
      if (at === count) break;
      if (listed[at] === wanted) found[kept++] = wanted;
    }
    return found.subarray(0, kept);
  }

  /** Valid until the next read. */
  #read(at: number, bytes: number): Buffer {
    if (this.#scratch.length < bytes) this.#scratch = Buffer.allocUnsafe(2 * bytes);
    const piece = this.#scratch.subarray(0, bytes);
    readExactly(this.#file, piece, at);
    return piece;
  }
}

interface Postings {
  at: number;
  bytes: number;
}

interface Cursor {
  bytes: Uint8Array;
  at: number;
}

function readHeader(file: number): SegmentHeader {
  const bytes = Buffer.alloc(headerBytes);
  readExactly(file, bytes, 0);
  if (bytes.readUInt32LE(0) !== segmentMagic) throw new DamagedSegment('it is no segment');
  if (bytes.readUInt32LE(4) !== segmentVersion) throw new DamagedSegment(`its version is ${bytes.readUInt32LE(4)}, not ${segmentVersion}`);
  if (bytes.readUInt32LE(headerBytes - 4) !== zlib.crc32(bytes.subarray(0, headerBytes - 4)))
    throw new DamagedSegment('its header is damaged');
  const numbers = (from: number): number[] => Array.from({ length: sectionCount }, (_, index) => bytes.readUInt32LE(from + 4 * index));
  const header: SegmentHeader = {
    files: bytes.readUInt32LE(8),
    grams: bytes.readUInt32LE(12),
    textBytes: bytes.readDoubleLE(16),
    sequence: bytes.readDoubleLE(24),
    lengths: numbers(32),
    checksums: numbers(32 + 4 * sectionCount),
  };
  const expected = header.lengths.reduce((sum, length) => sum + length, headerBytes);
  if (fstatSync(file).size !== expected) throw new DamagedSegment('it does not have the length that it says');
  return header;
}

function readExactly(file: number, into: Uint8Array, at: number): void {
  for (let done = 0; done < into.length; ) {
    const read = readSync(file, into, done, into.length - done, at + done);
    if (read === 0) throw new DamagedSegment('it ends too early');
    done += read;
  }
}

function readVarint(cursor: Cursor): number {
  let value = 0;
  for (let shift = 0; shift < 35; shift += 7) {
    const byte = cursor.bytes[cursor.at++];
    if (byte === undefined) throw new DamagedSegment('a number is cut off');
    value |= (byte & 127) << shift;
    if (byte < 128) return value >>> 0;
  }
  throw new DamagedSegment('a number is too long');
}

/** Numbers of files, ascending; there is room for one a byte. A loop of its own: most of a query's time is spent here. */
function decodePostings(bytes: Uint8Array, into: Uint32Array, files: number): number {
  const length = bytes.length;
  let count = 0;
  let file = -1;
  for (let at = 0; at < length; ) {
    let distance = bytes[at++] as number;
    if (distance >= 128) {
      const second = at < length ? (bytes[at++] as number) : 128;
      distance = (distance & 127) | ((second & 127) << 7);
      if (second >= 128) {
        const third = at < length ? (bytes[at++] as number) : 128;
        if (third >= 128) throw new DamagedSegment('a posting is cut off or too long');
        distance |= third << 14;
      }
    }
    if (distance === 0) throw new DamagedSegment('a posting repeats a file');
    file += distance;
    into[count++] = file;
  }
  if (file >= files) throw new DamagedSegment('a posting names a file that is not there');
  return count;
}

function intersect(left: Uint32Array, right: Uint32Array): Uint32Array {
  const both = new Uint32Array(Math.min(left.length, right.length));
  let count = 0;
  for (let a = 0, b = 0; a < left.length && b < right.length; ) {
    const difference = (left[a] as number) - (right[b] as number);
    if (difference === 0) both[count++] = left[a] as number;
    if (difference <= 0) a++;
    if (difference >= 0) b++;
  }
  return both.subarray(0, count);
}

function bytesOf(numbers: Uint32Array | Float64Array): Uint8Array {
  return new Uint8Array(numbers.buffer, numbers.byteOffset, numbers.byteLength);
}
