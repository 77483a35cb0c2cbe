import { OutriggerError } from '../../contract/errors.ts';

/** `looking`: a program goes through the folder by paths. `putting`: what such a path leads to may become another thing. */
export type Side = 'looking' | 'putting';

interface Waiting {
  side: Side;
  go: () => void;
}

/**
 * Keeps apart what must not meet: programs, such as git, that take a path for what it was a moment ago, and callers who may not run programs, who could
 * put a link on that path meanwhile and have it lead elsewhere. Any number of one side at once; in the order in which they came.
 */
export class TwoSides {
  readonly #waiting: Waiting[] = [];
  #side: Side | undefined;
  #inside = 0;

  /** Resolves with the way to leave, which may be taken more than once. Rejects with BUSY_FILE after `withinMs`, or the reason of `signal`. */
  async enter(
    side: Side,
    { signal, withinMs }: { signal?: AbortSignal | undefined; withinMs?: number | undefined } = {},
  ): Promise<() => void> {
    signal?.throwIfAborted();
    if (this.#waiting.length > 0 || (this.#side !== undefined && this.#side !== side)) await this.#turn(side, signal, withinMs);
    else this.#admit(side);
    let isIn = true;
    return () => {
      if (!isIn) return;
      isIn = false;
      if (--this.#inside > 0) return;
      this.#side = undefined;
      this.#next();
    };
  }

  #admit(side: Side): void {
    this.#side = side;
    this.#inside++;
  }

  /** All of one side that stand at the head. */
  #next(): void {
    for (let first = this.#waiting[0]; first !== undefined && (this.#side ?? first.side) === first.side; first = this.#waiting[0]) {
      this.#waiting.shift();
      this.#admit(first.side);
      first.go();
    }
  }

  #turn(side: Side, signal: AbortSignal | undefined, withinMs: number | undefined): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const one: Waiting = { side, go: resolve };
    const leave = (error: unknown): void => {
      const at = this.#waiting.indexOf(one);
      if (at < 0) return;
      this.#waiting.splice(at, 1);
      reject(error as Error);
      // Those behind may be of the side that is inside.
      this.#next();
    };
    const aborted = (): void => leave(signal?.reason);
    const late = (): void => leave(new OutriggerError('BUSY_FILE', 'git is at work in the folder; try again when it is done.'));
    const timer = withinMs === undefined ? undefined : setTimeout(late, withinMs);
    signal?.addEventListener('abort', aborted, { once: true });
    this.#waiting.push(one);
    return promise.finally(() => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', aborted);
    });
  }
}
