import fs from 'node:fs';
import type { ReplacedFile } from '../workspace/atomic-write.ts';
import { decodeText } from '../workspace/content.ts';
import { CUT_SETTLE_MS, lostItsEnd, SETTLE_MS } from './disk-text.ts';
import { fileTextOf } from './file-text.ts';

/** A program that has the file open still may write this long after its last write, or after the save. */
const FOLLOWED_MS = 5000;
/** Of all documents together, as each holds a descriptor. */
export const MOST_REPLACED = 128;
/** And the room of its file on the disk. */
export const MOST_REPLACED_BYTES = 64 * 1024 * 1024;

/** The document whose file was replaced. */
export interface Replacing {
  /** Bytes of what is still taken for its text. */
  mostBytes(): number;
  /** A program had the text `before` and made `after` of it. */
  overtaken(before: string, after: string): void;
  /** Nothing was made of what a program wrote. */
  refused(why: string): void;
}

interface Followed {
  descriptor: number;
  by: Replacing;
  /** What it held last, as far as the document knows. */
  text: string;
  size: number;
  mtimeMs: number;
  /** By the monotonic clock: when that was first seen. */
  sinceMs: number;
  /** A program wrote what was not taken yet. */
  isWritten: boolean;
  timer: NodeJS.Timeout | undefined;
}

/**
 * Files that saves replaced, kept open for a while. A program that opened one before the save writes into it after it: a line that it appends, or all of the
 * file, as editors do that save in place. No watch tells of that, as the file has no name any more, and what was written would be lost.
 */
export class ReplacedFiles {
  readonly #files = new Set<Followed>();

  /** Takes the file over. `text`: what it held when it was replaced. */
  follow({ descriptor, stat }: ReplacedFile, text: string, by: Replacing): void {
    const { size, mtimeMs } = stat;
    this.#makeRoom(size);
    const file: Followed = { descriptor, by, text, size, mtimeMs, sinceMs: performance.now(), isWritten: false, timer: undefined };
    this.#files.add(file);
    this.#lookIn(SETTLE_MS, file);
  }

  /** Looks at once, also at what does not stand still yet. */
  look(): void {
    for (const file of [...this.#files]) this.#look(file, true);
  }

  /** Lets go of those of one document, or of all. */
  leave(by?: Replacing): void {
    for (const file of [...this.#files]) if (by === undefined || file.by === by) this.#letGo(file);
  }

  #lookIn(ms: number, file: Followed): void {
    clearTimeout(file.timer);
    file.timer = setTimeout(() => this.#look(file, false), ms).unref();
  }

  #look(file: Followed, isLast: boolean): void {
    try {
      this.#lookAt(file, isLast);
    } catch (error) {
      // The disk, or the server of a network's volume, has no more of it.
      file.by.refused(String(error));
      this.#letGo(file);
    }
  }

  #lookAt(file: Followed, isLast: boolean): void {
    const { size, mtimeMs } = fs.fstatSync(file.descriptor);
    const now = performance.now();
    if (size !== file.size || mtimeMs !== file.mtimeMs) {
      Object.assign(file, { size, mtimeMs, sinceMs: now, isWritten: true });
      if (!isLast) return this.#lookIn(SETTLE_MS, file);
    }
    const restsMs = now - file.sinceMs;
    if (file.isWritten) {
      const text = this.#textOf(file);
      if (text === undefined) return this.#letGo(file);
      // What only lost its end may be on its way.
      if (!isLast && restsMs < CUT_SETTLE_MS && lostItsEnd(text, file.text)) return this.#lookIn(SETTLE_MS, file);
      file.isWritten = false;
      const before = file.text;
      file.text = text;
      if (text !== before) file.by.overtaken(before, text);
    }
    if (restsMs >= FOLLOWED_MS) return this.#letGo(file);
    // Each look is as long after the one before as the last write is ago.
    this.#lookIn(Math.min(Math.max(SETTLE_MS, restsMs), FOLLOWED_MS - restsMs), file);
  }

  /** Undefined where nothing can be made of it. */
  #textOf({ descriptor, size, by }: Followed): string | undefined {
    if (size > by.mostBytes()) {
      by.refused('It is too large.');
      return undefined;
    }
    const buffer = Buffer.allocUnsafe(size);
    let length = 0;
    for (let count = 1; count > 0 && length < size; length += count) count = fs.readSync(descriptor, buffer, length, size - length, length);
    const raw = decodeText(buffer.subarray(0, length));
    if (raw === undefined) by.refused('It is not text.');
    return raw === undefined ? undefined : fileTextOf(raw).text;
  }

  /** Those go first whose last write is longest ago. */
  #makeRoom(bytes: number): void {
    let held = bytes;
    for (const { size } of this.#files) held += size;
    if (this.#files.size < MOST_REPLACED && held <= MOST_REPLACED_BYTES) return;
    for (const file of [...this.#files].sort((one, other) => one.sinceMs - other.sinceMs)) {
      if (this.#files.size < MOST_REPLACED && held <= MOST_REPLACED_BYTES) return;
      held -= file.size;
      this.#letGo(file);
    }
  }

  #letGo(file: Followed): void {
    if (!this.#files.delete(file)) return;
    clearTimeout(file.timer);
    fs.closeSync(file.descriptor);
  }
}
