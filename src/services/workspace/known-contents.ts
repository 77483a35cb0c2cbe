import fs from 'node:fs';
import {
  type FileFacts,
  factsAreOld,
  HASH_MAX_BYTES,
  hashBytes,
  hashDescriptor,
  hashOrNull,
  SMALL_BYTES,
  sameFacts,
  statIdentity,
} from './content.ts';
import type { Journal } from './journal.ts';

const MOST_KEPT = 20_000;

/** Contents of files by their real path, known as long as the file's facts are those it had when it was read. */
export class KnownContents {
  readonly #journal: Pick<Journal, 'known'>;
  readonly #now: () => number;
  readonly #kept = new Map<string, { facts: FileFacts; content: string }>();

  /** `now`: milliseconds since 1970, as the file system has them. */
  constructor({ journal, now }: { journal: Pick<Journal, 'known'>; now: () => number }) {
    this.#journal = journal;
    this.#now = now;
  }

  /** Of an open file: as it is known, else by reading it. Above HASH_MAX_BYTES its facts stand for it. */
  async of(realPath: string, descriptor: number, stat: fs.Stats, signal?: AbortSignal): Promise<string> {
    if (stat.size > HASH_MAX_BYTES) return statIdentity(stat);
    const known = this.get(realPath, stat);
    if (known !== undefined) return known;
    // What is written from here on may be read, or not.
    const asOf = this.#now();
    const hash = stat.size <= SMALL_BYTES ? hashAt(descriptor, stat.size) : await hashDescriptor(descriptor, stat.size, signal);
    return this.remember(realPath, stat, hash, asOf);
  }

  get(realPath: string, stat: fs.Stats): string | undefined {
    const kept = this.#kept.get(realPath);
    return kept !== undefined && sameFacts(kept.facts, stat) ? kept.content : undefined;
  }

  /** Whatever it was last, also where the file has other facts by now. */
  last(realPath: string): string | undefined {
    return this.#kept.get(realPath)?.content;
  }

  /** Before a change, where it is known without reading; null else. Of a link that was written through, what it leads to was told by its name. */
  before(realPath: string, stat: fs.Stats): string | null {
    if (!stat.isFile()) return null;
    return this.get(realPath, stat) ?? hashOrNull(this.#journal.known(realPath));
  }

  /**
   * Gives the content back. It is not kept where the file was changed a moment before `asOf`, when the reading began: another change could leave its facts as
   * they are.
   */
  remember(realPath: string, stat: fs.Stats, content: string, asOf = this.#now()): string {
    if (!factsAreOld(stat, asOf)) {
      this.#kept.delete(realPath);
      return content;
    }
    if (this.#kept.size > MOST_KEPT) this.#kept.clear();
    this.#kept.set(realPath, {
      facts: { dev: stat.dev, ino: stat.ino, size: stat.size, mtimeMs: stat.mtimeMs, ctimeMs: stat.ctimeMs },
      content,
    });
    return content;
  }

  forget(realPath: string): void {
    this.#kept.delete(realPath);
  }
}

function hashAt(descriptor: number, size: number): string {
  const buffer = Buffer.allocUnsafe(size + 1);
  let length = 0;
  for (;;) {
    const count = fs.readSync(descriptor, buffer, length, buffer.length - length, length);
    if (count === 0 || length + count === buffer.length) return hashBytes(buffer.subarray(0, length + count));
    length += count;
  }
}
