import { createHash, hash as hashOnce } from 'node:crypto';
import fs from 'node:fs';
import { OutriggerError } from '../../contract/errors.ts';

/** Files above this are known by inode, size and time instead of by content. */
export const HASH_MAX_BYTES = 64 * 1024 * 1024;
/** Files up to this are read in one turn; larger ones in pieces, so that nobody waits for them. */
export const SMALL_BYTES = 256 * 1024;
const CHUNK_BYTES = 256 * 1024;
/** Two writes within this time may carry the same time stamp on older kernels. */
export const TIMESTAMP_STEP_MS = 10;

export interface FileFacts {
  dev: number;
  ino: number;
  size: number;
  mtimeMs: number;
  ctimeMs: number;
}

export function hashBytes(bytes: Uint8Array | string): string {
  return hashOnce('sha256', bytes);
}

/** What stands for the content of a file too large to hash; never equal to a hash. */
export function statIdentity(facts: Pick<FileFacts, 'ino' | 'size' | 'mtimeMs'>): string {
  return `s-${facts.ino}-${facts.size}-${Math.round(facts.mtimeMs * 1000)}`;
}

export function etagOf(content: string): string {
  return `"${content}"`;
}

/**
 * Whether an If-Match or If-None-Match list names the content (RFC 9110 section 13.1). The strong comparison of If-Match knows
 * no `W/` tags; the weak one of If-None-Match takes them for what they mark, as proxies that compress put them there.
 */
function etagListHas(list: string, content: string | undefined, comparison: 'strong' | 'weak' = 'strong'): boolean {
  if (list.trim() === '*') return content !== undefined;
  if (content === undefined) return false;
  return list.split(',').some((given) => {
    const tag = comparison === 'weak' ? given.trim().replace(/^W\//, '') : given.trim();
    return tag === etagOf(content) || tag === content;
  });
}

/** Reading again, as the usual hint says, would give the same mark for ever. */
const markedHint =
  'What stands between compresses, and marked the ETag: send the one that `details` has, or read with `Accept-Encoding: identity`.';

/** Whether the list names the content as proxies do that compressed it: `W/"…"` and, of Apache, `"…-gzip"`. */
function isMarked(list: string, content: string): boolean {
  return list.split(',').some((given) => {
    const tag = given.trim().replace(/^W\//, '');
    return tag === etagOf(content) || tag.startsWith(`"${content}-`);
  });
}

/** Throws ETAG_MISMATCH, with the current ETag in its details, when the conditions do not hold. `current`: undefined when there is no file. */
export function checkConditions(
  path: string,
  current: string | undefined,
  conditions: { ifMatch?: string | undefined; ifNoneMatch?: string | undefined },
): void {
  const etag = current === undefined ? null : etagOf(current);
  if (conditions.ifMatch !== undefined && !etagListHas(conditions.ifMatch, current)) {
    const details = { etag };
    if (current !== undefined && isMarked(conditions.ifMatch, current))
      throw new OutriggerError('ETAG_MISMATCH', `The ETag of ${path} was changed on its way.`, { details, hint: markedHint });
    throw new OutriggerError('ETAG_MISMATCH', current === undefined ? `${path} is not there.` : `${path} is not as you last read it.`, {
      details,
    });
  }
  if (conditions.ifNoneMatch !== undefined && etagListHas(conditions.ifNoneMatch, current, 'weak')) {
    throw new OutriggerError('ETAG_MISMATCH', `${path} exists already.`, { details: { etag } });
  }
}

export function sameFacts(a: FileFacts, b: FileFacts): boolean {
  return a.ino === b.ino && a.size === b.size && a.mtimeMs === b.mtimeMs && a.ctimeMs === b.ctimeMs && a.dev === b.dev;
}

/** Whether a content seen now may be remembered under these facts: a later write would surely change them. */
export function factsAreOld(facts: FileFacts, nowMs: number): boolean {
  return nowMs - Math.max(facts.mtimeMs, facts.ctimeMs) > TIMESTAMP_STEP_MS;
}

/** Reads a small file in this turn. */
export function readWhole(descriptor: number, size: number): Uint8Array {
  // One byte more than it should be: a file that grew is noticed.
  let buffer = Buffer.allocUnsafe(size + 1);
  let length = 0;
  for (;;) {
    const count = fs.readSync(descriptor, buffer, length, buffer.length - length, null);
    if (count === 0) return buffer.subarray(0, length);
    length += count;
    if (length === buffer.length) buffer = Buffer.concat([buffer], length * 2);
  }
}

/** Hash of the first `size` bytes of an open file, in pieces; the descriptor stays open. Rejects when `signal` is aborted. */
export async function hashDescriptor(descriptor: number, size: number, signal?: AbortSignal): Promise<string> {
  const hash = createHash('sha256');
  const buffer = Buffer.allocUnsafe(CHUNK_BYTES);
  for (let position = 0; ; ) {
    signal?.throwIfAborted();
    const count = await read(descriptor, buffer, position, Math.min(buffer.length, size - position));
    if (count === 0) return hash.digest('hex');
    hash.update(buffer.subarray(0, count));
    position += count;
  }
}

export function read(descriptor: number, buffer: Buffer, position: number, length: number): Promise<number> {
  return new Promise((resolve, reject) => {
    fs.read(descriptor, buffer, 0, length, position, (error, count) => (error === null ? resolve(count) : reject(error)));
  });
}

/**
 * Bytes `start` to `end` (excluded) of an open file, at the reader's pace; closes the descriptor at the end, also when never read. `isSame`: asked before the
 * last of them is given, whether they are of one content.
 */
export class FileBytes implements AsyncIterableIterator<Uint8Array> {
  readonly #descriptor: number;
  readonly #end: number;
  readonly #release: () => void;
  readonly #isSame: () => boolean | Promise<boolean>;
  #position: number;
  #closed = false;
  #reading: Promise<unknown> | undefined;

  constructor(descriptor: number, start: number, end: number, release: () => void, isSame: () => boolean | Promise<boolean> = () => true) {
    this.#descriptor = descriptor;
    this.#position = start;
    this.#end = end;
    this.#release = release;
    this.#isSame = isSame;
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  async next(): Promise<IteratorResult<Uint8Array, undefined>> {
    if (this.#closed) return { done: true, value: undefined };
    const length = Math.min(CHUNK_BYTES, this.#end - this.#position);
    if (length <= 0) return this.return();
    const buffer = Buffer.allocUnsafe(length);
    const count =
      this.#position === 0 && length === this.#end
        ? fs.readSync(this.#descriptor, buffer, 0, length, 0)
        : await this.#during(read(this.#descriptor, buffer, this.#position, length));
    // The promised length can't be kept: an error is better than an answer that looks whole.
    if (count === 0) throw new OutriggerError('BUSY_FILE', 'The file became shorter while it was read.');
    this.#position += count;
    if (this.#position === this.#end && !(await this.#during(this.#isSame())))
      throw new OutriggerError('BUSY_FILE', 'The file was written over while it was read.');
    return { done: false, value: buffer.subarray(0, count) };
  }

  async return(): Promise<IteratorResult<Uint8Array, undefined>> {
    if (!this.#closed) {
      this.#closed = true;
      // The number of a closed descriptor is given to the next file that is opened: a read under way must not meet that one.
      await this.#reading?.catch(() => {});
      fs.closeSync(this.#descriptor);
      this.#release();
    }
    return { done: true, value: undefined };
  }

  #during<T>(reading: T | Promise<T>): T | Promise<T> {
    if (!(reading instanceof Promise)) return reading;
    this.#reading = reading;
    return reading.finally(() => (this.#reading = undefined));
  }
}

/** UTF-8 text of bytes, byte order mark kept; undefined when they hold a NUL or are not UTF-8. */
export function decodeText(bytes: Uint8Array): string | undefined {
  if (bytes.includes(0)) return undefined;
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return undefined;
  }
}

/** A sha256, or null for what only stands for content. */
export function hashOrNull(content: string | undefined): string | null {
  return content !== undefined && /^[0-9a-f]{64}$/.test(content) ? content : null;
}
