import fs from 'node:fs';

/** Bytes before the content: how long the stream is, and how much of its start and of its end is kept, 8 bytes each. */
const HEADER_BYTES = 24;
const OPEN_FLAGS = fs.constants.O_RDWR | fs.constants.O_CREAT;

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
 * The start and the end of a stream of bytes, in a file beside the database. A byte keeps its offset for ever, whatever is left out before
 * it. What was appended outlives this process (but for the turn in
 * which it is killed), and not a power cut.
 */
export class Spool {
  readonly #file: string;
  readonly limits: SpoolLimits;
  readonly #header = Buffer.alloc(HEADER_BYTES);
  /** Open while the stream grows. */
  #descriptor: number | undefined;
  #end = 0;
  /** What follows could not be stored. */
  #storedEnd = 0;
  #headerDue: NodeJS.Immediate | undefined;

  /** Goes on with the file where it is there. Throws what the system says. */
  constructor(file: string, limits: SpoolLimits) {
    this.#file = file;
    this.limits = this.#opened((descriptor) => {
      const isThere = fs.readSync(descriptor, this.#header, 0, HEADER_BYTES, 0) === HEADER_BYTES && this.#header.readDoubleLE(16) > 0;
      if (!isThere) return limits;
      this.#end = this.#header.readDoubleLE(0);
      this.#storedEnd = this.#end;
      return { headBytes: this.#header.readDoubleLE(8), tailBytes: this.#header.readDoubleLE(16) };
    });
    this.#header.writeDoubleLE(this.limits.headBytes, 8);
    this.#header.writeDoubleLE(this.limits.tailBytes, 16);
  }

  /** Bytes that the stream has had. */
  get end(): number {
    return this.#end;
  }

  /** Bytes that can't be read any more. */
  get lost(): number {
    const { headBytes, tailBytes } = this.limits;
    return Math.max(0, this.#storedEnd - headBytes - tailBytes) + this.#end - this.#storedEnd;
  }

  /** False when the disk does not take them: from then on nothing is kept, and everything counted. */
  append(bytes: Uint8Array): boolean {
    const from = this.#end;
    this.#end += bytes.length;
    if (this.#storedEnd < from) return false;
    try {
      this.#descriptor ??= fs.openSync(this.#file, OPEN_FLAGS, 0o600);
      this.#store(this.#descriptor, from, bytes);
      this.#storedEnd = this.#end;
      // Once for all that comes in one turn.
      this.#headerDue ??= setImmediate(() => this.#writeHeader());
      return true;
    } catch {
      return false;
    }
  }

  /** At most `maxBytes`, which are fewer where what is kept ends. */
  read(from: number, maxBytes: number): SpoolRead {
    const { headBytes, tailBytes } = this.limits;
    const oldest = Math.max(headBytes, this.#storedEnd - tailBytes);
    let offset = Math.min(from, this.#end);
    if (offset >= headBytes && offset < oldest) offset = oldest;
    // What could not be stored.
    if (offset >= this.#storedEnd) return { offset: this.#end, bytes: Buffer.alloc(0) };
    const isHead = offset < headBytes;
    const until = isHead ? Math.min(headBytes, this.#storedEnd) : this.#storedEnd;
    const position = isHead ? offset : headBytes + ((offset - headBytes) % tailBytes);
    const untilWrap = isHead ? Number.POSITIVE_INFINITY : headBytes + tailBytes - position;
    const bytes = Buffer.allocUnsafe(Math.min(maxBytes, until - offset, untilWrap));
    const got =
      bytes.length === 0 ? 0 : this.#opened((descriptor) => fs.readSync(descriptor, bytes, 0, bytes.length, HEADER_BYTES + position));
    return { offset, bytes: bytes.subarray(0, got) };
  }

  /** Lets go of the file until something is appended. May be called twice. */
  close(): void {
    if (this.#headerDue !== undefined) this.#writeHeader();
    if (this.#descriptor !== undefined) fs.closeSync(this.#descriptor);
    this.#descriptor = undefined;
  }

  remove(): void {
    this.close();
    fs.rmSync(this.#file, { force: true });
  }

  #writeHeader(): void {
    clearImmediate(this.#headerDue);
    this.#headerDue = undefined;
    if (this.#descriptor === undefined) return;
    this.#header.writeDoubleLE(this.#storedEnd, 0);
    try {
      fs.writeSync(this.#descriptor, this.#header, 0, HEADER_BYTES, 0);
    } catch {
      // It lies within the first block of the file, which is there.
    }
  }

  #opened<T>(use: (descriptor: number) => T): T {
    if (this.#descriptor !== undefined) return use(this.#descriptor);
    const descriptor = fs.openSync(this.#file, OPEN_FLAGS, 0o600);
    try {
      return use(descriptor);
    } finally {
      fs.closeSync(descriptor);
    }
  }

  #store(descriptor: number, from: number, bytes: Uint8Array): void {
    const { headBytes, tailBytes } = this.limits;
    let at = 0;
    if (from < headBytes) {
      at = Math.min(bytes.length, headBytes - from);
      write(descriptor, bytes.subarray(0, at), from);
    }
    // Only what will still be kept is written.
    at = Math.max(at, bytes.length - tailBytes);
    while (at < bytes.length) {
      const slot = (from + at - headBytes) % tailBytes;
      const length = Math.min(bytes.length - at, tailBytes - slot);
      write(descriptor, bytes.subarray(at, at + length), headBytes + slot);
      at += length;
    }
  }
}

function write(descriptor: number, bytes: Uint8Array, position: number): void {
  for (let done = 0; done < bytes.length; )
    done += fs.writeSync(descriptor, bytes, done, bytes.length - done, HEADER_BYTES + position + done);
}
