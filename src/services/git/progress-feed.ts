import { type Progress, ProgressReader } from './parse-progress.ts';

/** Phases that wait; the other side can send any, and git has a dozen. */
const MAX_PHASES = 20;

/**
 * Hands progress on at the pace of who listens: while one item is on its way, only the newest of each phase waits behind it, so
 * that a slow listener neither holds git up nor makes us keep more than a few lines.
 */
export class ProgressFeed {
  readonly #reader = new ProgressReader();
  readonly #emit: (item: Progress) => Promise<void> | void;
  readonly #waiting = new Map<string, Progress>();
  #pumping: Promise<void> | undefined;

  constructor(emit: (item: Progress) => Promise<void> | void) {
    this.#emit = emit;
  }

  /** A piece of what git wrote. */
  add(chunk: Buffer): void {
    for (const item of this.#reader.add(chunk.toString('latin1')))
      if (this.#waiting.size < MAX_PHASES || this.#waiting.has(item.phase)) this.#waiting.set(item.phase, item);
    if (this.#waiting.size > 0) this.#pumping ??= this.#pump();
  }

  /** Resolves when all was handed on. */
  async end(): Promise<void> {
    await this.#pumping;
  }

  async #pump(): Promise<void> {
    try {
      for (let item = this.#next(); item !== undefined; item = this.#next()) await this.#emit(item);
    } catch {
      // Who listened is gone; the call is aborted, and ends by that.
      this.#waiting.clear();
    } finally {
      this.#pumping = undefined;
    }
  }

  #next(): Progress | undefined {
    const [first] = this.#waiting.values();
    if (first !== undefined) this.#waiting.delete(first.phase);
    return first;
  }
}
