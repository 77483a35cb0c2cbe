export interface AdmissionOptions {
  /** New connections a second, at most. */
  perS: number;
  /** At once, after a pause. */
  burst: number;
}

/**
 * How many connections a hub takes at a time: a token bucket, asked before anything else is done for one. Who is turned away is told when to come
 * back, each at a time of its own, so that a whole fleet comes back in one even stream.
 */
export class Admission {
  readonly #options: AdmissionOptions;
  #room: number;
  /** When it was asked last, by the clock of those who ask. */
  #at: number;
  /** Milliseconds that went by since the start: a clock that is set back makes none of them, and undoes none. */
  #passed = 0;
  /** Until when those who were turned away have been told to come. */
  #promisedUntil = 0;

  /** `now`, here as for `ask`: milliseconds, of a clock that nobody sets where there is one. */
  constructor(options: AdmissionOptions, now: number) {
    this.#options = options;
    this.#room = options.burst;
    this.#at = now;
  }

  /** 0: come in. Else the milliseconds after which to ask again. */
  ask(now: number): number {
    const { perS, burst } = this.#options;
    const passed = Math.max(0, now - this.#at);
    this.#at = now;
    this.#passed += passed;
    this.#room = Math.min(burst, this.#room + (passed * perS) / 1000);
    if (this.#room >= 1) {
      this.#room -= 1;
      return 0;
    }
    this.#promisedUntil = Math.max(this.#promisedUntil, this.#passed) + 1000 / perS;
    return Math.ceil(this.#promisedUntil - this.#passed);
  }
}
