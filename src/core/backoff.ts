export interface BackoffOptions {
  /** The first delay is drawn below this. */
  baseMs: number;
  /** No delay is longer. */
  maxMs: number;
  /** Uniform in [0, 1). */
  random: () => number;
}

/** Delays before attempts to reach something again: full jitter below a bound that doubles (so that many callers spread). */
export class Backoff {
  readonly #options: BackoffOptions;
  #attempt = 0;

  constructor(options: BackoffOptions) {
    this.#options = options;
  }

  get attempt(): number {
    return this.#attempt;
  }

  /** Milliseconds until the next attempt, below `atMostMs`. */
  next(atMostMs = Number.POSITIVE_INFINITY): number {
    const { baseMs, maxMs, random } = this.#options;
    const bound = Math.min(maxMs, atMostMs, baseMs * 2 ** Math.min(this.#attempt, 30));
    this.#attempt++;
    return Math.ceil(random() * bound);
  }

  /** What was reached was of use for so long. Where that is as long as the longest delay, delays begin anew: what is taken and cut at once is no success. */
  lasted(ms: number): void {
    if (ms >= this.#options.maxMs) this.reset();
  }

  reset(): void {
    this.#attempt = 0;
  }
}
