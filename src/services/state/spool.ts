import fs from 'node:fs';
import path from 'node:path';
import { makeFolder } from '../../core/make-folder.ts';

/** Bytes before the content: six numbers of 8 bytes, in the order of `#writeHeader`. */
const HEADER_BYTES = 48;

export interface SpoolLimits {
  /** Of the start of the stream. */
  headBytes: number;
  /** Of its end. */
  tailBytes: number;
}

/** What stands at an offset of the stream, or after it where that is not kept any more. */
export interface SpoolRead {
  /** Of the first byte of `bytes`; more than what was asked for where bytes are lost. */
  offset: number;
  bytes: Buffer;
}

/**
 * The start and the end of a stream of bytes, in a file beside the database, which is made with the first byte. A byte keeps its offset for
 * ever, whatever is left out before it: what is between, and what the disk did not take. What was appended outlives this process (but for
 * the turn in which it is killed, unless it was read by then), and not a power cut.
 */
export class Spool {
  readonly limits: SpoolLimits;
  readonly #file: string;
  readonly #header = Buffer.alloc(HEADER_BYTES);
  /** Open while the stream grows. */
  #descriptor: number | undefined;
  #end = 0;
  /** Where the start ends: at its limit, or at the first byte that the disk did not take. */
  #headLimit: number;
  /** No byte of the end before this one is there. */
  #tailFrom = 0;
  /** What follows could not be stored. */
  #storedEnd = 0;
  #headerDue: NodeJS.Immediate | undefined;
  /** What the file says: no byte of the end before this one is there. */
  #givenUp = 0;
  #removed = false;

  /** Goes on with the file where it is there, under the limits that it has. */
  constructor(file: string, limits: SpoolLimits) {
    this.#file = file;
    const [end, headBytes, tailBytes, headLimit, tailFrom, storedEnd] = storedHeader(file) ?? [
      0,
      limits.headBytes,
      limits.tailBytes,
      limits.headBytes,
      0,
      0,
    ];
    this.limits = { headBytes, tailBytes };
    [this.#end, this.#headLimit, this.#tailFrom, this.#storedEnd] = [end, headLimit, tailFrom, storedEnd];
  }

  /** Bytes that the stream has had. */
  get end(): number {
    return this.#end;
  }

  /** Bytes that can't be read any more. */
  get lost(): number {
    const head = Math.min(this.#headLimit, this.#storedEnd);
    return this.#end - head - Math.max(0, this.#storedEnd - this.#oldest);
  }

  /** False when the disk did not take what came last. */
  get isStored(): boolean {
    return this.#storedEnd === this.#end;
  }

  /** False when the disk does not take them: they are lost, and what follows is tried again. */
  append(bytes: Uint8Array): boolean {
    const from = this.#end;
    this.#end += bytes.length;
    if (this.#removed) return false;
    // Once for all that comes in one turn.
    this.#headerDue ??= setImmediate(() => this.#writeHeader());
    try {
      const descriptor = this.#openForGrowth(from);
      const follows = from === this.#storedEnd;
      const headLimit = follows ? this.#headLimit : Math.min(this.#headLimit, this.#storedEnd);
      this.#giveUpBefore(from + bytes.length - this.limits.tailBytes, from);
      this.#store(descriptor, from, bytes, headLimit);
      this.#headLimit = headLimit;
      if (!follows) this.#tailFrom = from;
      this.#storedEnd = this.#end;
      return true;
    } catch {
      // It may have been written over before the disk was full.
      this.#tailFrom = Math.max(this.#tailFrom, Math.min(this.#storedEnd, this.#end - this.limits.tailBytes));
      return false;
    }
  }

  /** At most `maxBytes`, which are fewer where what is kept ends. */
  read(from: number, maxBytes: number): SpoolRead {
    const { headBytes, tailBytes } = this.limits;
    // Whoever has read a byte may come back with its offset after a kill.
    if (this.#headerDue !== undefined) this.#writeHeader();
    const nothing = { offset: this.#end, bytes: Buffer.alloc(0) };
    let offset = Math.min(from, this.#end);
    if (offset >= this.#headLimit) offset = Math.max(offset, this.#oldest);
    // What could not be stored.
    if (this.#removed || offset >= this.#storedEnd) return nothing;
    const isHead = offset < this.#headLimit;
    const until = isHead ? Math.min(this.#headLimit, this.#storedEnd) : this.#storedEnd;
    const position = isHead ? offset : this.#slotOf(offset);
    const untilWrap = isHead ? Number.POSITIVE_INFINITY : headBytes + tailBytes - position;
    const bytes = Buffer.allocUnsafe(Math.min(maxBytes, until - offset, untilWrap));
    if (bytes.length === 0) return { offset, bytes };
    const got = this.#readAt(position, bytes);
    // The file was taken away.
    return got === 0 ? nothing : { offset, bytes: bytes.subarray(0, got) };
  }

  /** Lets go of the file until something is appended. May be called twice. */
  close(): void {
    if (this.#headerDue !== undefined) this.#writeHeader();
    if (this.#descriptor !== undefined) fs.closeSync(this.#descriptor);
    this.#descriptor = undefined;
  }

  /** Nothing can be read any more, and what comes is lost. */
  remove(): void {
    this.close();
    this.#removed = true;
    fs.rmSync(this.#file, { force: true });
  }

  /** The first byte of the end that is there. */
  get #oldest(): number {
    return Math.max(this.#headLimit, this.#tailFrom, this.#storedEnd - this.limits.tailBytes);
  }

  /** Where a byte of the end lies in the content. */
  #slotOf(offset: number): number {
    const { headBytes, tailBytes } = this.limits;
    // Before the limit of the start where that could not be stored whole.
    return headBytes + ((((offset - headBytes) % tailBytes) + tailBytes) % tailBytes);
  }

  #openForGrowth(from: number): number {
    if (this.#descriptor !== undefined) return this.#descriptor;
    const descriptor = opened(this.#file);
    this.#descriptor = descriptor;
    // Somebody took the file away: nothing of before is there.
    if (this.#storedEnd > 0 && fs.fstatSync(descriptor).size === 0) [this.#headLimit, this.#tailFrom, this.#storedEnd] = [0, from, from];
    return descriptor;
  }

  /** Before bytes of the end are written over: killed in between, their places would hold others. `end`: of the stream, so far. */
  #giveUpBefore(offset: number, end: number): void {
    if (offset <= this.#givenUp || offset <= this.#oldest) return;
    this.#putHeader(end, Math.min(offset, end));
  }

  #store(descriptor: number, from: number, bytes: Uint8Array, headLimit: number): void {
    const { headBytes, tailBytes } = this.limits;
    let at = 0;
    if (from < headLimit) {
      at = Math.min(bytes.length, headLimit - from);
      write(descriptor, bytes.subarray(0, at), from);
    }
    // Only what will still be kept is written.
    at = Math.max(at, bytes.length - tailBytes);
    while (at < bytes.length) {
      const slot = this.#slotOf(from + at);
      const length = Math.min(bytes.length - at, headBytes + tailBytes - slot);
      write(descriptor, bytes.subarray(at, at + length), slot);
      at += length;
    }
  }

  #readAt(position: number, bytes: Buffer): number {
    try {
      if (this.#descriptor !== undefined) return fs.readSync(this.#descriptor, bytes, 0, bytes.length, HEADER_BYTES + position);
      const descriptor = fs.openSync(this.#file, fs.constants.O_RDONLY);
      try {
        return fs.readSync(descriptor, bytes, 0, bytes.length, HEADER_BYTES + position);
      } finally {
        fs.closeSync(descriptor);
      }
    } catch {
      return 0;
    }
  }

  #writeHeader(): void {
    clearImmediate(this.#headerDue);
    this.#headerDue = undefined;
    this.#putHeader(this.#end, this.#tailFrom);
  }

  #putHeader(end: number, tailFrom: number): void {
    if (this.#descriptor === undefined) return;
    const { headBytes, tailBytes } = this.limits;
    const numbers = [end, headBytes, tailBytes, this.#headLimit, tailFrom, this.#storedEnd];
    for (const [index, number] of numbers.entries()) this.#header.writeDoubleLE(number, 8 * index);
    this.#givenUp = Math.max(tailFrom, this.#storedEnd - tailBytes);
    try {
      fs.writeSync(this.#descriptor, this.#header, 0, HEADER_BYTES, 0);
    } catch {
      // Where even the first block of the file could not be had, nothing is stored that it could speak of.
    }
  }
}

type Header = [end: number, headBytes: number, tailBytes: number, headLimit: number, tailFrom: number, storedEnd: number];

/** Undefined where there is none that makes sense. */
function storedHeader(file: string): Header | undefined {
  const header = Buffer.alloc(HEADER_BYTES);
  try {
    const descriptor = fs.openSync(file, fs.constants.O_RDONLY | fs.constants.O_NONBLOCK);
    try {
      if (fs.readSync(descriptor, header, 0, HEADER_BYTES, 0) < HEADER_BYTES) return undefined;
    } finally {
      fs.closeSync(descriptor);
    }
  } catch {
    return undefined;
  }
  const numbers = Array.from({ length: 6 }, (_, index) => header.readDoubleLE(8 * index)) as Header;
  const [end, headBytes, tailBytes, headLimit, tailFrom, storedEnd] = numbers;
  const fits = tailBytes > 0 && headLimit <= headBytes && tailFrom <= end && storedEnd <= end;
  return fits && numbers.every((number) => Number.isSafeInteger(number) && number >= 0) ? numbers : undefined;
}

/** Makes the file, and its folder, where they are not there. Throws what the system says. */
function opened(file: string): number {
  const flags = fs.constants.O_RDWR | fs.constants.O_CREAT;
  try {
    return fs.openSync(file, flags, 0o600);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    makeFolder(path.dirname(file), 0o700, { fs, path });
    return fs.openSync(file, flags, 0o600);
  }
}

function write(descriptor: number, bytes: Uint8Array, position: number): void {
  for (let done = 0; done < bytes.length; )
    done += fs.writeSync(descriptor, bytes, done, bytes.length - done, HEADER_BYTES + position + done);
}
