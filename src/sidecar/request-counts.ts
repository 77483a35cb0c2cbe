/** Addresses of which it is known how often they asked. */
const MAX_ADDRESSES = 5000;

interface Window {
  requests: number;
  /** By the monotonic clock. */
  beganAt: number;
}

/** How often each address asked in its present window, by a clock that nobody sets: a store of @fastify/rate-limit. Those that came longest ago are counted anew. */
export class RequestCounts {
  readonly #monotonic: () => number;
  readonly #windows = new Map<string, Window>();

  /** The plugin makes it with its options, of which none is needed. */
  constructor(_options?: unknown, monotonic: () => number = () => performance.now()) {
    this.#monotonic = monotonic;
  }

  /** Counts one more; `ttl` is how long the window lasts yet, ms. */
  incr(address: string, tell: (error: Error | null, counted: { current: number; ttl: number }) => void, windowMs: number): void {
    const now = this.#monotonic();
    let window = this.#windows.get(address);
    if (window === undefined || now - window.beganAt >= windowMs) window = { requests: 0, beganAt: now };
    window.requests++;
    this.#windows.delete(address);
    this.#windows.set(address, window);
    const [oldest] = this.#windows.keys();
    if (this.#windows.size > MAX_ADDRESSES && oldest !== undefined) this.#windows.delete(oldest);
    tell(null, { current: window.requests, ttl: window.beganAt + windowMs - now });
  }

  /** For a route with a limit of its own. */
  child(): RequestCounts {
    return new RequestCounts(undefined, this.#monotonic);
  }
}
