/** Saves that begin by themselves: so many a second, and so many at once after a quiet time. */
export const SAVES_PER_SECOND = 25;
const EVERY_MS = 1000 / SAVES_PER_SECOND;

/**
 * Gives saves their turn: at once while they are few, one after the other when hundreds of documents are typed in at the same
 * time. What waits is in the update log; who asks for a save gets it without a turn.
 */
export class SavePace {
  readonly #now: () => number;
  readonly #waiting: (() => void)[] = [];
  #free = SAVES_PER_SECOND;
  #countedMs: number;
  #timer: NodeJS.Timeout | undefined;
  #holds = 0;

  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
    this.#countedMs = now();
  }

  /** `save` is called at once or when its turn has come. */
  ask(save: () => void): void {
    this.#count();
    if (this.#holds === 0 && this.#waiting.length === 0 && this.#free >= 1) {
      this.#free--;
      save();
      return;
    }
    this.#waiting.push(save);
    if (this.#holds === 0) this.#timer ??= setTimeout(this.#next, EVERY_MS).unref();
  }

  get isHeld(): boolean {
    return this.#holds > 0;
  }

  /** None begins until what is given back was called, once. */
  hold(): () => void {
    this.#holds++;
    clearTimeout(this.#timer);
    this.#timer = undefined;
    return () => {
      if (--this.#holds === 0) this.#next();
    };
  }

  /** What waits is not called any more. */
  stop(): void {
    clearTimeout(this.#timer);
    this.#waiting.length = 0;
  }

  #count(): void {
    const now = this.#now();
    this.#free = Math.min(SAVES_PER_SECOND, this.#free + Math.max(0, now - this.#countedMs) / EVERY_MS);
    this.#countedMs = now;
  }

  readonly #next = (): void => {
    this.#timer = undefined;
    this.#count();
    while (this.#free >= 1) {
      const save = this.#waiting.shift();
      if (save === undefined) return;
      this.#free--;
      save();
    }
    if (this.#waiting.length > 0) this.#timer = setTimeout(this.#next, EVERY_MS).unref();
  };
}
