import { OutriggerError } from '../../contract/errors.ts';

export interface QueueOptions {
  /** Runs at a time. */
  atOnce: number;
  /** Runs that wait. */
  most: number;
}

/** Who waits hears at once how many are before it, and of changes so often, ms: while fifty wait, each run that ends would be told to fifty. */
const TELL_EVERY_MS = 200;

/** Of a run whose turn it is. Each may be called more than once. */
export interface Turn {
  /** Its program is over: others may run, though not in its session. */
  freeSlot: () => void;
  /** All of it is over. */
  end: () => void;
}

interface Waiter {
  session: string | undefined;
  start: () => void;
  onAhead: (ahead: number) => void;
  told: number;
}

/**
 * Who may run next. Callers take turns, however many runs each of them asks for; the runs of one caller keep their order, but for those
 * whose session another run is in.
 */
export class RunQueue {
  readonly #options: QueueOptions;
  /** Of each caller that waits, in the order in which they get their turn. */
  readonly #waiting = new Map<string, Waiter[]>();
  readonly #sessions = new Set<string>();
  #running = 0;
  #telling: NodeJS.Timeout | undefined;

  constructor(options: QueueOptions) {
    this.#options = options;
  }

  get running(): number {
    return this.#running;
  }

  get waiting(): number {
    let count = 0;
    for (const waiters of this.#waiting.values()) count += waiters.length;
    return count;
  }

  /**
   * Resolves when it may run. `onAhead` hears how many are before it, as long as it waits. Rejects with TOO_MANY_RUNS, and with the signal's
   * reason.
   */
  async enter(caller: string, session: string | undefined, signal: AbortSignal, onAhead: (ahead: number) => void): Promise<Turn> {
    signal.throwIfAborted();
    // Those that wait can't run now.
    if (this.#mayRun(session)) return this.#begin(session);
    if (this.waiting >= this.#options.most)
      throw new OutriggerError('TOO_MANY_RUNS', `${this.#running} runs are under way, and ${this.waiting} wait.`);
    return new Promise((resolve, reject) => {
      const aborted = (): void => {
        this.#remove(caller, waiter);
        reject(signal.reason);
        this.#next();
      };
      const waiter: Waiter = {
        session,
        start: () => {
          signal.removeEventListener('abort', aborted);
          resolve(this.#begin(session));
        },
        onAhead,
        told: -1,
      };
      signal.addEventListener('abort', aborted, { once: true });
      const others = this.#waiting.get(caller);
      if (others === undefined) this.#waiting.set(caller, [waiter]);
      else others.push(waiter);
      this.#next();
    });
  }

  /** A run that may run has come to a session that nobody else had until now. Returns the way to let go of that. */
  occupy(session: string): () => void {
    this.#sessions.add(session);
    return () => {
      this.#sessions.delete(session);
      this.#next();
    };
  }

  #mayRun(session: string | undefined): boolean {
    return this.#running < this.#options.atOnce && (session === undefined || !this.#sessions.has(session));
  }

  #begin(session: string | undefined): Turn {
    this.#running++;
    if (session !== undefined) this.#sessions.add(session);
    let hasSlot = true;
    let isOver = false;
    const freeSlot = (): void => {
      if (!hasSlot) return;
      hasSlot = false;
      this.#running--;
      this.#next();
    };
    const end = (): void => {
      if (isOver) return;
      isOver = true;
      if (session !== undefined) this.#sessions.delete(session);
      if (hasSlot) freeSlot();
      else this.#next();
    };
    return { freeSlot, end };
  }

  #remove(caller: string, waiter: Waiter): void {
    const left = (this.#waiting.get(caller) ?? []).filter((one) => one !== waiter);
    if (left.length === 0) this.#waiting.delete(caller);
    else this.#waiting.set(caller, left);
  }

  #next(): void {
    for (let found = this.#find(); found !== undefined; found = this.#find()) {
      const { caller, waiter } = found;
      const left = (this.#waiting.get(caller) ?? []).filter((one) => one !== waiter);
      // Behind all others now.
      this.#waiting.delete(caller);
      if (left.length > 0) this.#waiting.set(caller, left);
      waiter.start();
    }
    this.#tell((waiter) => waiter.told === -1);
    if (this.#waiting.size > 0) this.#telling ??= setTimeout(() => this.#tellAll(), TELL_EVERY_MS).unref();
  }

  #find(): { caller: string; waiter: Waiter } | undefined {
    for (const [caller, waiters] of this.#waiting) {
      const waiter = waiters.find(({ session }) => this.#mayRun(session));
      if (waiter !== undefined) return { caller, waiter };
    }
    return undefined;
  }

  #tellAll(): void {
    this.#telling = undefined;
    this.#tell(() => true);
  }

  /** In the order in which they would run if each took the same time. */
  #tell(isTold: (waiter: Waiter) => boolean): void {
    const lists = [...this.#waiting.values()];
    const longest = Math.max(0, ...lists.map((list) => list.length));
    let ahead = 0;
    for (let turn = 0; turn < longest; turn++)
      for (const list of lists) {
        const waiter = list[turn];
        if (waiter === undefined) continue;
        if (waiter.told !== ahead && isTold(waiter)) {
          waiter.onAhead(ahead);
          waiter.told = ahead;
        }
        ahead++;
      }
  }
}
