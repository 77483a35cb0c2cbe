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
  #at: number;
  /** Until when those who were turned away have been told to come. */
  #promisedUntil: number;

  constructor(options: AdmissionOptions, now: number) {
    this.#options = options;
    this.#room = options.burst;
    this.#at = now;
    this.#promisedUntil = now;
  }

  /** 0: come in. Else the milliseconds after which to ask again. */
  ask(now: number): number {
    const { perS, burst } = this.#options;
    this.#room = Math.min(burst, this.#room + ((now - this.#at) * perS) / 1000);
    this.#at = now;
    if (this.#room >= 1) {
      this.#room -= 1;
      return 0;
    }
    this.#promisedUntil = Math.max(this.#promisedUntil, now) + 1000 / perS;
    return Math.ceil(this.#promisedUntil - now);
  }
}
