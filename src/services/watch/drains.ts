// When what was hinted is looked at: soon, many hints together, and in slices, so that the loop never stands still. One drain runs at a time.

import { setImmediate as nextTurn } from 'node:timers/promises';
import { TimeSlice } from '../../core/time-slice.ts';

const quietMs = 3;

/** 'turn': what comes next needs what the loop has to tell until then. */
export type Step = 'turn' | undefined;

export interface DrainsOptions {
  /** Looks at what is dirty. */
  drain: () => Generator<Step>;
  isDirty: () => boolean;
  /** After each drain. */
  onDrained: () => void;
}

export class Drains {
  readonly #options: DrainsOptions;
  #running = false;
  #done = 0;
  #waiters: { after: number; resolve: () => void }[] = [];
  #timer: NodeJS.Timeout | NodeJS.Immediate | null = null;
  #lastEnd = 0;
  #closed = false;

  constructor(options: DrainsOptions) {
    this.#options = options;
  }

  /** A drain is to come; `now`: in the next turn. */
  schedule(now: boolean): void {
    if (this.#running || this.#closed) return;
    if (this.#timer && !now) return;
    this.#cancelTimer();
    const start = (): void => {
      this.#timer = null;
      this.#running = true;
      this.#slice(this.#options.drain());
    };
    // The first hint after a rest is answered in the same turn of the loop; more of them are taken together.
    const rested = performance.now() - this.#lastEnd > 10 * quietMs;
    this.#timer = now || rested ? setImmediate(start) : setTimeout(start, quietMs);
  }

  /** Resolves when all that is dirty now was looked at. Never waits for what comes later. */
  flush(): Promise<void> {
    if (this.#closed || (!this.#running && !this.#options.isDirty())) return Promise.resolve();
    // A drain that runs now may have passed what is dirty now: the next one has not.
    const after = this.#done + (this.#running ? 2 : 1);
    return new Promise((resolve) => {
      this.#waiters.push({ after, resolve });
      this.schedule(true);
    });
  }

  close(): void {
    this.#closed = true;
    this.#cancelTimer();
    for (const waiter of this.#waiters.splice(0)) waiter.resolve();
  }

  #cancelTimer(): void {
    clearTimeout(this.#timer as NodeJS.Timeout);
    clearImmediate(this.#timer as NodeJS.Immediate);
    this.#timer = null;
  }

  #slice(steps: Generator<Step>): void {
    if (this.#closed) return;
    const slice = new TimeSlice();
    let step: Step;
    do {
      const { done, value } = steps.next();
      if (done === true) {
        this.#drained();
        return;
      }
      step = value;
    } while (step !== 'turn' && !slice.isOver);
    void nextTurn().then(() => this.#slice(steps));
  }

  #drained(): void {
    this.#running = false;
    this.#done++;
    this.#lastEnd = performance.now();
    this.#options.onDrained();
    const waiting = this.#waiters;
    this.#waiters = [];
    for (const waiter of waiting) {
      if (waiter.after <= this.#done || (!this.#options.isDirty() && !this.#running)) waiter.resolve();
      else this.#waiters.push(waiter);
    }
    if (this.#options.isDirty()) this.schedule(this.#waiters.length > 0);
  }
}
