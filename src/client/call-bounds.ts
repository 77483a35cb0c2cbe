import { maxTimerMs } from '../core/peer.ts';

export interface CallOptions {
  /** Aborted: the call fails with CANCELED. */
  signal?: AbortSignal;
  /**
   * Milliseconds for the whole call, connecting included, then it fails with DEADLINE. Infinity: as long as it takes; other times
   * are 2^31-1 at most. What is not more than 0 is over at once.
   */
  timeoutMs?: number;
}

/** A signal of several holds none of them: the time that nobody holds would not end anything. */
const boundsOf = new WeakMap<AbortSignal, CallBounds>();

/** What ends a call early. Its time runs from here on, once, however many ways are tried. */
export class CallBounds {
  readonly signal: AbortSignal | undefined;
  readonly #endsAt: number;
  #timeout: AbortSignal | undefined;

  constructor({ signal, timeoutMs = Number.POSITIVE_INFINITY }: CallOptions) {
    this.signal = signal;
    this.#endsAt = performance.now() + timeoutMs;
  }

  /** Aborted with a TimeoutError when the time is over; undefined: it has no end. Made when it is asked for, as most calls need none. */
  get timeout(): AbortSignal | undefined {
    if (this.#endsAt !== Number.POSITIVE_INFINITY) this.#timeout ??= timeoutOf(this.#endsAt - performance.now());
    return this.#timeout;
  }

  /** Aborted with the first that ends the call. */
  joined(...others: AbortSignal[]): AbortSignal {
    const joined = AbortSignal.any([...others, this.signal, this.timeout].filter((signal) => signal !== undefined));
    boundsOf.set(joined, this);
    return joined;
  }

  /** With what is left of the time. */
  get rest(): CallOptions {
    return {
      ...(this.signal === undefined ? {} : { signal: this.signal }),
      ...(this.#endsAt === Number.POSITIVE_INFINITY ? {} : { timeoutMs: Math.ceil(this.#endsAt - performance.now()) }),
    };
  }
}

function timeoutOf(ms: number): AbortSignal {
  // NaN too is not more than 0.
  if (!(ms > 0)) return AbortSignal.abort(new DOMException('There is no time.', 'TimeoutError'));
  return AbortSignal.timeout(Math.ceil(Math.min(ms, maxTimerMs)));
}
