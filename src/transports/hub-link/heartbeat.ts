import type { PeerTimers } from '../../core/peer.ts';

/** A hub's wishes are kept between these. */
const MIN_MS = 50;
const MAX_MS = 5 * 60_000;
/** Pings without a pong whose times are kept. */
const MAX_OPEN_PINGS = 16;

export interface HeartbeatDependencies {
  timers: PeerTimers;
  /** Milliseconds of a clock that only goes forward. */
  monotonic(): number;
  /** Sends one; false where none may be sent now. */
  ping(): boolean;
  /** The other side shows no life any more. */
  dead(reason: string): void;
}

/** Asks a hub for signs of life, and remembers when it asked. */
export class Heartbeat {
  readonly #deps: HeartbeatDependencies;
  #pingMs: number;
  #pongMs: number;
  #pingTimer: unknown;
  #pongTimer: unknown;
  /** When the pings left that have no pong yet. */
  #open: number[] = [];

  constructor(dependencies: HeartbeatDependencies, { pingMs, pongMs }: { pingMs: number; pongMs: number }) {
    this.#deps = dependencies;
    this.#pingMs = pingMs;
    this.#pongMs = pongMs;
  }

  /** `wish`: what the hub wants; `atOnce`: the first ping leaves now. */
  start(wish: { pingMs: number | undefined; pongMs: number | undefined }, atOnce: boolean): void {
    if (wish.pingMs !== undefined) this.#pingMs = Math.min(Math.max(wish.pingMs, MIN_MS), MAX_MS);
    if (wish.pongMs !== undefined) this.#pongMs = Math.min(Math.max(wish.pongMs, MIN_MS), MAX_MS);
    if (atOnce) this.#ping();
    else this.#next();
  }

  /** The next ping leaves now. */
  now(): void {
    this.#ping();
  }

  /** Anything came. */
  alive(): void {
    this.#deps.timers.clear(this.#pongTimer);
    this.#pongTimer = undefined;
  }

  /** A pong came; when the ping left that it answers. */
  ponged(): number | undefined {
    return this.#open.shift();
  }

  stop(): void {
    this.alive();
    this.#deps.timers.clear(this.#pingTimer);
  }

  #next(): void {
    this.#deps.timers.clear(this.#pingTimer);
    this.#pingTimer = this.#deps.timers.set(() => this.#ping(), this.#pingMs);
  }

  #ping(): void {
    const { timers, monotonic, ping, dead } = this.#deps;
    this.#next();
    const at = monotonic();
    if (!ping()) return;
    // Without room a later pong is taken for the answer to an older ping, which errs on the safe side.
    if (this.#open.length < MAX_OPEN_PINGS) this.#open.push(at);
    this.#pongTimer ??= timers.set(() => {
      const fired = this.#pongTimer;
      // Where this process was busy all the time, the pong may lie in the socket: it is read before this runs.
      timers.soon(() => {
        if (fired !== undefined && this.#pongTimer === fired) dead(`Nothing came from the hub within ${this.#pongMs} ms after a ping.`);
      });
    }, this.#pongMs);
  }
}
