import fs from 'node:fs';
import type { ReplacedFile } from '../workspace/atomic-write.ts';
import { decodeText } from '../workspace/content.ts';
import { CUT_SETTLE_MS, lostItsEnd } from './disk-text.ts';
import { fileTextOf } from './file-text.ts';

/** A program that has the file open still may write this long after its last write, or after the save. */
const FOLLOWED_MS = 5000;
/** The same where the file is in the way of programs for as long: git would add it, and its folder can't be removed. */
const FOLLOWED_NAMED_MS = 1000;
/** All that are due are looked at together: each look by itself would wake the process. */
const LOOK_EVERY_MS = 200;
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
  forMs: number;
  /** What it held last, as far as the document knows. */
  text: string;
  size: number;
  mtimeMs: number;
  /** By the monotonic clock: when that was first seen. */
  sinceMs: number;
  /** A program wrote what was not taken yet. */
  isWritten: boolean;
  /** When that was first seen. */
  writtenMs: number;
  /** When it is looked at next. */
  dueMs: number;
}

/**
 * Files that saves replaced, kept open for a while. A program that opened one before the save writes into it after it: a line that it appends, or all of the
 * file, as editors do that save in place. No watch tells of that, as the file has no name any more, and what was written would be lost.
 */
export class ReplacedFiles {
  readonly #files = new Set<Followed>();
  #timer: NodeJS.Timeout | undefined;

  /** Takes the file over. `text`: what it held when it was replaced. */
  follow({ descriptor, stat, isNamed }: ReplacedFile, text: string, by: Replacing): void {
    const { size, mtimeMs } = stat;
    this.#makeRoom(size);
    const now = performance.now();
    const forMs = isNamed ? FOLLOWED_NAMED_MS : FOLLOWED_MS;
    this.#files.add({ descriptor, by, forMs, text, size, mtimeMs, sinceMs: now, isWritten: false, writtenMs: now, dueMs: now });
    this.#timer ??= setTimeout(this.#lookAtDue, LOOK_EVERY_MS).unref();
  }

  /** Looks at once, also at what does not stand still yet: at those of one document, or at all. */
  look(by?: Replacing): void {
    for (const file of [...this.#files]) if (by === undefined || file.by === by) this.#look(file, true);
  }

  /** Lets go of those of one document, or of all. */
  leave(by?: Replacing): void {
    for (const file of [...this.#files]) if (by === undefined || file.by === by) this.#letGo(file);
  }

  readonly #lookAtDue = (): void => {
    this.#timer = undefined;
    const now = performance.now();
    for (const file of [...this.#files]) if (file.dueMs <= now) this.#look(file, false);
    if (this.#files.size > 0) this.#timer ??= setTimeout(this.#lookAtDue, LOOK_EVERY_MS).unref();
  };

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
      if (!file.isWritten) file.writtenMs = now;
      Object.assign(file, { size, mtimeMs, sinceMs: now, isWritten: true, dueMs: now });
      // One that never stands still, such as a log, is read all the same.
      if (!isLast && now - file.writtenMs < CUT_SETTLE_MS) return;
    }
    const restsMs = now - file.sinceMs;
    if (file.isWritten) {
      const found = this.#textOf(file);
      const isWhole = 'text' in found && !lostItsEnd(found.text, file.text);
      // The rest may be on its way.
      if (!isWhole && !isLast && restsMs < CUT_SETTLE_MS) return;
      if ('why' in found) {
        file.by.refused(found.why);
        return this.#letGo(file);
      }
      file.isWritten = false;
      const before = file.text;
      file.text = found.text;
      if (found.text !== before) file.by.overtaken(before, found.text);
    }
    if (restsMs >= file.forMs) return this.#letGo(file);
    // Each look is as long after the one before as the last write is ago.
    file.dueMs = now + Math.min(restsMs, file.forMs - restsMs);
  }

  /** `why` nothing can be made of it. */
  #textOf({ descriptor, size, by }: Followed): { text: string } | { why: string } {
    if (size > by.mostBytes()) return { why: 'It is too large.' };
    const buffer = Buffer.allocUnsafe(size);
    let length = 0;
    for (let count = 1; count > 0 && length < size; length += count) count = fs.readSync(descriptor, buffer, length, size - length, length);
    const raw = decodeText(buffer.subarray(0, length));
    return raw === undefined ? { why: 'It is not text.' } : { text: fileTextOf(raw).text };
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
    fs.closeSync(file.descriptor);
    if (this.#files.size > 0) return;
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }
}
