// When the snapshot is written, and what it must say is untold: what waits while it is being written, too.

import { type SnapshotDirectory, writeSnapshot } from './snapshot.ts';

export interface SnapshotKeeperOptions {
  /** Absolute; null: none is kept. */
  path: string | null;
  everyMs: number;
  /** Brings the table up to date, and gives the mark up to which it is. */
  catchUp: () => Promise<number>;
  directories: () => Iterable<SnapshotDirectory>;
  /** Every path that the main thread may not know of yet. */
  untold: () => Iterable<string>;
  /** Not now: what is there can't be seen, or of what moved with a folder its new place would not be told any more. */
  mustWait: () => boolean;
}

export class SnapshotKeeper {
  readonly #options: SnapshotKeeperOptions;
  #timer: NodeJS.Timeout | null = null;
  #writing: Promise<void> | null = null;
  #isComplete = false;
  #hasChanged = false;
  #moves = 0;
  readonly #untoldMeanwhile = new Set<string>();

  constructor(options: SnapshotKeeperOptions) {
    this.#options = options;
  }

  /** The folder was read and compared with the last snapshot: before that, a new one would hide what changed meanwhile. */
  begin(): void {
    this.#isComplete = true;
    this.#hasChanged = true;
    if (this.#options.path === null) return;
    this.#timer = setInterval(() => void this.write(), this.#options.everyMs);
    void this.write();
  }

  changed(): void {
    this.#hasChanged = true;
  }

  /** What is being written has two halves that do not fit. */
  directoryMoved(): void {
    this.#moves++;
  }

  /** About to be told. */
  untold(path: string): void {
    if (this.#writing) this.#untoldMeanwhile.add(path);
  }

  /** Once more, if anything changed, when what is being written is there. */
  async end(): Promise<void> {
    if (this.#timer) clearInterval(this.#timer);
    await this.#writing;
    await this.write();
  }

  async write(): Promise<void> {
    const { path, catchUp, directories, mustWait } = this.#options;
    if (path === null || !this.#isComplete || this.#writing || !this.#hasChanged || mustWait()) return;
    this.#hasChanged = false;
    this.#untoldMeanwhile.clear();
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#writing = promise;
    const untold = (): Set<string> => {
      for (const one of this.#options.untold()) this.#untoldMeanwhile.add(one);
      return this.#untoldMeanwhile;
    };
    try {
      const mark = await catchUp();
      if (mustWait()) {
        this.#hasChanged = true;
        return;
      }
      untold();
      const moves = this.#moves;
      const written = await writeSnapshot(path, mark, directories(), untold, () => this.#moves !== moves);
      if (!written) this.#hasChanged = true;
    } catch {
      // A full or missing state folder must not end the watch; the next time tries again.
      this.#hasChanged = true;
    } finally {
      this.#writing = null;
      resolve();
    }
  }
}
