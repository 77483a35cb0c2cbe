/**
 * Less is no step, ms: a clock that is slewed, or a pause between two readings. Agents stop work a tenth of their lease before its end, which is 300 ms
 * at least.
 */
const MIN_STEP_MS = 250;
/** Two readings with a longer pause between them say nothing, ms. */
const MAX_PAUSE_MS = 25;

/** Tells when the wall clock was set, by a clock that nobody sets. */
export class ClockSteps {
  readonly #now: () => number;
  readonly #monotonic: () => number;
  /** How far the wall clock is ahead of the other one: as it was taken last, and as it was seen since. */
  #taken: number;
  #seen: number;

  /**
   * `now` is milliseconds since 1970; `notBefore`, of the same, a moment that is known to be over. `ahead` is what another process had by the same two
   * clocks: then it is known how far they went apart since.
   */
  constructor(now: () => number, monotonic: () => number, notBefore: number, ahead?: number) {
    this.#now = now;
    this.#monotonic = monotonic;
    this.#seen = this.#look();
    this.#taken = ahead ?? this.#seen + Math.max(0, notBefore - now());
  }

  /** How far the wall clock is ahead of the other one, as `step` saw it last. */
  get ahead(): number {
    return this.#seen;
  }

  /** By how many milliseconds the clock was set since the last step that was taken; 0: it was not. */
  step(): number {
    this.#seen = this.#look();
    const byMs = Math.round(this.#seen - this.#taken);
    return Math.abs(byMs) < MIN_STEP_MS ? 0 : byMs;
  }

  /** What `step` said last has been seen to. */
  take(): void {
    this.#taken = this.#seen;
  }

  #look(): number {
    for (;;) {
      const before = this.#monotonic();
      const ahead = this.#now() - before;
      if (this.#monotonic() - before <= MAX_PAUSE_MS) return ahead;
    }
  }
}
