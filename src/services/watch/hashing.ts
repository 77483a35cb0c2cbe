// Files whose time has come are read, in slices; large ones in pieces, a few at once.

import { join } from 'node:path';
import { TimeSlice } from '../../core/time-slice.ts';
import { type HashResult, hashFile } from './file-hash.ts';
import type { Pending } from './settle.ts';

const largeFilesAtOnce = 2;

export interface HashingOptions {
  /** Absolute. */
  root: string;
  maxBytes: number;
  /** Asked just before it is read. False: it is not to be told any more, or waits again. */
  isDue: (pending: Pending) => boolean;
  /** `startedAt`: by the clock of files, in ms. */
  onHashed: (pending: Pending, result: HashResult, startedAt: number) => void;
  /** More is to be done, in a later turn than this one, or a large one is done: run() is wanted. */
  onMore: () => void;
}

export class Hashing {
  readonly #options: HashingOptions;
  readonly #waiting: Pending[] = [];
  readonly #largeFiles: (() => Promise<void>)[] = [];
  #largeRunning = 0;
  #isPaused = false;
  #stopped = false;

  constructor(options: HashingOptions) {
    this.#options = options;
  }

  add(pending: Pending): void {
    this.#waiting.push(pending);
  }

  run(): void {
    if (this.#isPaused || this.#stopped) return;
    const slice = new TimeSlice();
    let done = 0;
    for (const pending of this.#waiting) {
      done++;
      if (this.#options.isDue(pending)) this.#hash(pending);
      if (slice.isOver) break;
    }
    this.#waiting.splice(0, done);
    if (this.#waiting.length === 0) return;
    this.#isPaused = true;
    setImmediate(() => {
      this.#isPaused = false;
      this.#options.onMore();
    });
  }

  stop(): void {
    this.#stopped = true;
  }

  #hash(pending: Pending): void {
    const { root, maxBytes, onHashed } = this.#options;
    const startedAt = Date.now();
    const result = hashFile({ path: join(root, pending.path), key: pending.forced ? null : pending.key, maxBytes });
    if (result instanceof Promise) {
      this.#largeFiles.push(async () => onHashed(pending, await result, startedAt));
      this.#runLarge();
    } else {
      onHashed(pending, result, startedAt);
    }
  }

  #runLarge(): void {
    while (this.#largeRunning < largeFilesAtOnce) {
      const job = this.#largeFiles.shift();
      if (!job) return;
      this.#largeRunning++;
      void job().finally(() => {
        this.#largeRunning--;
        this.#runLarge();
        this.#options.onMore();
      });
    }
  }
}
