/** Messages that follow one another go out at least so far apart, ms. */
const LEAST_REST_MS = 4;
/** A beat takes one part in so many of the time, at most: the more it costs to pass things on, the more is gathered before. */
const SHARE = 100;
/** But never longer than a screen shows one frame, ms; two, where that brings as many messages of one room together. */
const FRAME_MS = 16;
const MOST_FRAMES = 2;

/** What has something to pass on. */
export interface Pulsed {
  /** Applies what came; it is added to the log, which is not written yet. Returns how many messages that were. */
  take(): number;
  /** Passes on what was taken; it is in the log. */
  passOn(): void;
}

/**
 * The rhythm in which all rooms pass on what came: what arrives after a pause goes out at the end of the turn, and what follows
 * within the next few milliseconds is gathered, in all rooms at once. To wake up, to write the log and to write to a socket
 * cost the same for one message as for some.
 */
export class Pulse {
  readonly #commit: () => void;
  readonly #failed: (error: unknown) => void;
  readonly #waiting = new Set<Pulsed>();
  #timer: NodeJS.Timeout | NodeJS.Immediate | undefined;
  #nextMs = Number.NEGATIVE_INFINITY;

  /** `commit` writes the log. */
  constructor(commit: () => void, failed: (error: unknown) => void) {
    this.#commit = commit;
    this.#failed = failed;
  }

  /** Something came in `room`. */
  schedule(room: Pulsed): void {
    this.#waiting.add(room);
    if (this.#timer !== undefined) return;
    const restMs = this.#nextMs - performance.now();
    this.#timer = restMs <= 0 ? setImmediate(this.#beat) : setTimeout(this.#beat, restMs);
  }

  /** Passes on what is in this room, now. */
  flush(room: Pulsed): void {
    this.#waiting.delete(room);
    this.#try(() => room.take());
    this.#commit();
    this.#try(() => room.passOn());
  }

  forget(room: Pulsed): void {
    this.#waiting.delete(room);
  }

  readonly #beat = (): void => {
    this.#timer = undefined;
    if (this.#waiting.size === 0) return;
    const begunMs = performance.now();
    const rooms = [...this.#waiting];
    this.#waiting.clear();
    let messages = 0;
    for (const room of rooms) this.#try(() => (messages += room.take()));
    this.#commit();
    for (const room of rooms) this.#try(() => room.passOn());
    const tookMs = performance.now() - begunMs;
    const mostMs = FRAME_MS * Math.min(MOST_FRAMES, Math.max(1, messages / rooms.length));
    this.#nextMs = begunMs + Math.min(mostMs, Math.max(LEAST_REST_MS, tookMs * SHARE));
  };

  /** What goes wrong in one room is no matter of the others. */
  #try(work: () => unknown): void {
    try {
      work();
    } catch (error) {
      this.#failed(error);
    }
  }
}
