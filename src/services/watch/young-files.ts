import { join } from 'node:path';
import { coarseClockMs } from './dir-watch.ts';
import type { Fact } from './fact.ts';
import { type HashResult, hashFile } from './file-hash.ts';
import { type EntryKind, type StatKey, sameKey } from './stat-key.ts';

export interface YoungFilesDependencies {
  root: string;
  /** A longer file is not read, bytes. */
  maxBytes: number;
  lookup: (path: string) => { kind: EntryKind; key: StatKey } | null;
  /** Something of it waits to be told, as it is by then. */
  isWaiting: (path: string) => boolean;
  /** It was written again, with nothing that stat shows; `isRead`: false where it can't be said. */
  onOther: (fact: Fact, isRead: boolean) => void;
}

interface Young {
  key: StatKey;
  hash: string | null;
  /** By the monotonic clock, ms: nothing bears the same timestamp any more. */
  dueAt: number;
}

/** Files that one who waits reads at once, and the size up to which. */
const READ_AT_ONCE = 100;
const READ_BYTES = 64 * 1024;

/** Files that were told while their timestamp was so young that a later write may bear the same: each is read once more. In order of time. */
export class YoungFiles {
  readonly #dependencies: YoungFilesDependencies;
  readonly #files = new Map<string, Young>();

  constructor(dependencies: YoungFilesDependencies) {
    this.#dependencies = dependencies;
  }

  get size(): number {
    return this.#files.size;
  }

  /** By the monotonic clock, ms. */
  get nextDueAt(): number {
    const [first] = this.#files.values();
    return first?.dueAt ?? Number.POSITIVE_INFINITY;
  }

  has(path: string): boolean {
    return this.#files.has(path);
  }

  paths(): IterableIterator<string> {
    return this.#files.keys();
  }

  /** It was told with this content, read from `startedAt` on, ms since 1970. */
  told(path: string, { key, hash }: { key: StatKey; hash: string | null }, startedAt: number): void {
    if (startedAt - key.mtimeMs >= coarseClockMs) return;
    this.#files.delete(path);
    this.#files.set(path, { key, hash, dueAt: performance.now() + coarseClockMs });
  }

  forget(path: string): void {
    this.#files.delete(path);
  }

  folderMoved(from: string, to: string): void {
    for (const [path, young] of [...this.#files]) {
      if (!path.startsWith(`${from}/`)) continue;
      this.#files.delete(path);
      this.#files.set(to + path.slice(from.length), young);
    }
  }

  readDue(now: number): void {
    for (const [path, young] of this.#files) if (young.dueAt <= now) this.#read(path, young);
  }

  /**
   * Those that have to be waited for. A few small ones are read at once: that shows all that was written before, and they are still read again when
   * nothing can bear the same timestamp any more.
   */
  afterReading(): string[] {
    if (this.#files.size > READ_AT_ONCE) return [...this.#files.keys()];
    const waiting: string[] = [];
    for (const [path, young] of [...this.#files]) {
      if (young.key.size > READ_BYTES) waiting.push(path);
      else this.#read(path, young);
      // Put back at the end, all of them, so that they stay in order of time. The later look finds out whether there is anything left of it.
      this.#files.delete(path);
      if (!this.#dependencies.isWaiting(path)) this.#files.set(path, young);
    }
    return waiting;
  }

  #read(path: string, { key, hash }: Young): void {
    const { root, maxBytes, lookup, isWaiting } = this.#dependencies;
    this.#files.delete(path);
    if (isWaiting(path)) return;
    const known = lookup(path);
    // Another key is another fact, told for itself.
    if (!known || !sameKey(known.key, key)) return;
    const result = hashFile({ path: join(root, path), key, maxBytes });
    const changed = { path, kind: 'file', what: 'changed', key, settled: false } as const;
    if (result instanceof Promise) void result.then((late) => this.#compare(late, hash, changed));
    else this.#compare(result, hash, changed);
  }

  #compare(result: HashResult, hash: string | null, fact: Fact): void {
    const isRead = result.outcome === 'hashed';
    if (this.#dependencies.isWaiting(fact.path) || (isRead && result.hash === hash)) return;
    this.#dependencies.onOther(fact, isRead);
  }
}
