import fs from 'node:fs';
import path from 'node:path';
import zlib from 'node:zlib';
import { makeFolder } from '../../core/make-folder.ts';

/** What a record says about a document, which it names by its number. */
export type LogRecord =
  | { type: 'update'; update: Uint8Array }
  /** The text as of here is being saved under this number, as a file with this hash; '' in logs of versions that did not note it. */
  | { type: 'snapshot'; save: number; hash: string }
  /** The text of that snapshot is what the file holds, with this hash. */
  | { type: 'saved'; save: number; hash: string }
  /** The file holds this text, which the document never had as such: an outside edit was merged into unsaved ones. */
  | { type: 'disk'; hash: string; text: string }
  /** As 'snapshot', with the text itself: the records that led to it are in a log of before. */
  | { type: 'saving'; save: number; hash: string; text: string };

export interface LoggedRecord {
  document: number;
  sequence: number;
  record: LogRecord;
}

const HEADER_BYTES = 8;
const FIXED_BYTES = 13;
const SEGMENT_NAME = /^log-(\d{10})$/;
const types = ['update', 'snapshot', 'saved', 'disk', 'saving'] as const;

export interface UpdateLogOptions {
  folder: string;
  /** A new segment is begun above this size, bytes. */
  segmentBytes: number;
  /** Time between syncs to the disk, ms: one group commit for all that came in between. */
  syncEveryMs: number;
}

/**
 * Append-only log of all documents. `append` puts records into the page cache before it returns, so what others saw
 * outlives kill -9; a sync follows at most `syncEveryMs` later, one in flight at a time. Segments are dropped when the
 * documents in them were written elsewhere.
 */
export class UpdateLog {
  readonly #options: UpdateLogOptions;
  #segment = 0;
  #descriptor: number | undefined;
  #bytes = 0;
  /** In segments that earlier starts left, until the log is begun anew. */
  #leftBytes = 0;
  #sequence: number;
  #unsynced = false;
  #syncing: Promise<void> | undefined;
  #timer: NodeJS.Timeout | undefined;
  #queue: Buffer[] = [];

  /** `after`: no record in the segments has a higher number than this or those read by `readAll`. */
  constructor(options: UpdateLogOptions, after: number) {
    this.#options = options;
    this.#sequence = after;
    makeFolder(options.folder, 0o700, { fs, path });
    for (const segment of this.#segments()) this.#leftBytes += fs.statSync(this.#file(segment)).size;
  }

  get sequence(): number {
    return this.#sequence;
  }

  /** True when the log has grown so far that documents should be written elsewhere and `drop` be called. */
  get full(): boolean {
    return this.#leftBytes + this.#bytes > this.#options.segmentBytes;
  }

  /** All records of all segments, in order. A tail that was cut short by a crash ends its segment. Call before `append`. */
  *readAll(): Generator<LoggedRecord, void, undefined> {
    for (const segment of this.#segments()) {
      this.#segment = Math.max(this.#segment, segment);
      for (const record of readSegment(fs.readFileSync(this.#file(segment)))) {
        this.#sequence = Math.max(this.#sequence, record.sequence);
        yield record;
      }
    }
  }

  /** No record gets the next number. */
  skip(): void {
    this.#sequence++;
  }

  /** Queues a record for `write`. */
  add(document: number, record: LogRecord): void {
    this.#queue.push(encodeRecord(document, ++this.#sequence, record));
  }

  /** Records that `write` has not put into the log yet. */
  queued(): Generator<LoggedRecord, void, undefined> {
    return readSegment(Buffer.concat(this.#queue));
  }

  /** Puts what was added into the log. Throws when the disk is full; what was added stays queued then. */
  write(): void {
    if (this.#queue.length === 0) return;
    const bytes = this.#queue.length === 1 ? (this.#queue[0] as Buffer) : Buffer.concat(this.#queue);
    this.#descriptor ??= fs.openSync(this.#file(++this.#segment), 'ax', 0o600);
    const start = this.#bytes;
    try {
      for (let done = 0; done < bytes.length; ) {
        const count = fs.writeSync(this.#descriptor, bytes, done);
        done += count;
        this.#bytes += count;
      }
    } catch (error) {
      // Half a record would hide those after it.
      fs.ftruncateSync(this.#descriptor, start);
      this.#bytes = start;
      this.#queue = [bytes];
      throw error;
    }
    this.#queue = [];
    this.#unsynced = true;
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      void this.sync();
    }, this.#options.syncEveryMs).unref();
  }

  /** Resolves when all that was written is on the disk. */
  async sync(): Promise<void> {
    for (;;) {
      const descriptor = this.#descriptor;
      if (this.#unsynced && this.#syncing === undefined && descriptor !== undefined) this.#syncing = this.#syncOnce(descriptor);
      if (this.#syncing === undefined) return;
      await this.#syncing;
    }
  }

  /** Begins a new segment and gives the way to delete the older ones, once what they hold is stored elsewhere. */
  rotate(): () => void {
    this.write();
    const old = this.#segments();
    const descriptor = this.#descriptor;
    this.#descriptor = undefined;
    this.#unsynced = false;
    this.#bytes = 0;
    this.#leftBytes = 0;
    if (descriptor !== undefined) void this.#finish(descriptor);
    return () => {
      for (const segment of old) fs.rmSync(this.#file(segment), { force: true });
    };
  }

  async close(): Promise<void> {
    clearTimeout(this.#timer);
    await this.sync();
    if (this.#descriptor !== undefined) fs.closeSync(this.#descriptor);
    this.#descriptor = undefined;
  }

  /** With its folder; after close(). */
  remove(): void {
    fs.rmSync(this.#options.folder, { recursive: true, force: true });
  }

  async #finish(descriptor: number): Promise<void> {
    await this.#syncing;
    await new Promise<void>((resolve) => fs.fdatasync(descriptor, () => resolve()));
    fs.closeSync(descriptor);
  }

  #syncOnce(descriptor: number): Promise<void> {
    this.#unsynced = false;
    return new Promise((resolve) => {
      // A failed sync can't be mended here; the page cache still holds the records, and the next write will fail and say so.
      fs.fdatasync(descriptor, () => {
        this.#syncing = undefined;
        resolve();
      });
    });
  }

  #segments(): number[] {
    return fs
      .readdirSync(this.#options.folder)
      .flatMap((name) => SEGMENT_NAME.exec(name)?.[1] ?? [])
      .map(Number)
      .sort((a, b) => a - b);
  }

  #file(segment: number): string {
    return path.join(this.#options.folder, `log-${String(segment).padStart(10, '0')}`);
  }
}

/** length u32, crc32 u32, then sequence u64, document u32, type u8, content; all big-endian. */
export function encodeRecord(document: number, sequence: number, record: LogRecord): Buffer {
  const content = contentOf(record);
  const bytes = Buffer.allocUnsafe(HEADER_BYTES + FIXED_BYTES + content.length);
  bytes.writeUInt32BE(FIXED_BYTES + content.length, 0);
  bytes.writeBigUInt64BE(BigInt(sequence), HEADER_BYTES);
  bytes.writeUInt32BE(document, HEADER_BYTES + 8);
  bytes.writeUInt8(types.indexOf(record.type), HEADER_BYTES + 12);
  bytes.set(content, HEADER_BYTES + FIXED_BYTES);
  bytes.writeUInt32BE(zlib.crc32(bytes.subarray(HEADER_BYTES)), 4);
  return bytes;
}

export function* readSegment(bytes: Buffer): Generator<LoggedRecord, void, undefined> {
  for (let at = 0; at + HEADER_BYTES + FIXED_BYTES <= bytes.length; ) {
    const length = bytes.readUInt32BE(at);
    const end = at + HEADER_BYTES + length;
    if (length < FIXED_BYTES || end > bytes.length) return;
    const body = bytes.subarray(at + HEADER_BYTES, end);
    if (zlib.crc32(body) !== bytes.readUInt32BE(at + 4)) return;
    const record = recordOf(body.readUInt8(12), body.subarray(FIXED_BYTES));
    if (record !== undefined) yield { sequence: Number(body.readBigUInt64BE(0)), document: body.readUInt32BE(8), record };
    at = end;
  }
}

function contentOf(record: LogRecord): Uint8Array {
  switch (record.type) {
    case 'update':
      return record.update;
    case 'disk':
      return Buffer.from(JSON.stringify([record.hash, record.text]));
    case 'saving':
      return Buffer.from(JSON.stringify([record.save, record.hash, record.text]));
    default:
      return Buffer.from(JSON.stringify([record.save, record.hash]));
  }
}

function recordOf(number: number, content: Buffer): LogRecord | undefined {
  const type = types[number];
  if (type === undefined) return undefined;
  if (type === 'update') return { type, update: content };
  const parts = JSON.parse(content.toString()) as unknown[];
  if (type === 'disk') {
    const [hash, text] = parts as [string, string];
    return { type, hash, text };
  }
  const [save, hash = '', text = ''] = parts as [number, string?, string?];
  return type === 'saving' ? { type, save, hash, text } : { type, save, hash };
}
