import type { SavePace } from './save-pace.ts';

const RETRY_FIRST_MS = 1000;
const RETRY_LAST_MS = 30_000;

export interface SaveTimerDependencies {
  pace: SavePace;
  /** Milliseconds of a clock that is never set. */
  now: () => number;
  save: () => void;
}

/** When a document is saved: when nobody has typed for a while, and while somebody goes on typing, now and then; after a failure, again and again. */
export class SaveTimer {
  readonly #dependencies: SaveTimerDependencies;
  readonly #options: { saveIdleMs: number; saveMaxMs: number };
  /** Until the save is due; then it waits for its turn. */
  #timer: NodeJS.Timeout | undefined;
  #isAsked = false;
  #retryTimer: NodeJS.Timeout | undefined;
  #retryMs = RETRY_FIRST_MS;
  #firstUnsavedMs = 0;
  #lastEditMs = 0;

  constructor(dependencies: SaveTimerDependencies, options: { saveIdleMs: number; saveMaxMs: number }) {
    this.#dependencies = dependencies;
    this.#options = options;
  }

  edited(): void {
    const now = this.#dependencies.now();
    this.#lastEditMs = now;
    if (this.#timer !== undefined || this.#isAsked) return;
    this.#firstUnsavedMs = now;
    this.#wait(now);
  }

  /** It could not be saved: the next try comes later than this one did. */
  failed(): void {
    const { pace, save } = this.#dependencies;
    clearTimeout(this.#retryTimer);
    this.#retryTimer = setTimeout(() => pace.ask(save), this.#retryMs);
    this.#retryTimer.unref();
    this.#retryMs = Math.min(this.#retryMs * 2, RETRY_LAST_MS);
  }

  succeeded(): void {
    this.#retryMs = RETRY_FIRST_MS;
  }

  /** A save has begun, or there is nothing to save. */
  clear(): void {
    clearTimeout(this.#timer);
    clearTimeout(this.#retryTimer);
    this.#timer = undefined;
  }

  /** One timer for all that is typed in a row: it looks again when it ends. */
  #wait(now: number): void {
    const { saveIdleMs, saveMaxMs } = this.#options;
    const waitMs = Math.min(this.#lastEditMs + saveIdleMs, this.#firstUnsavedMs + saveMaxMs) - now;
    if (waitMs > 0) {
      this.#timer = setTimeout(() => this.#wait(this.#dependencies.now()), waitMs);
      return;
    }
    this.#timer = undefined;
    this.#isAsked = true;
    this.#dependencies.pace.ask(() => {
      this.#isAsked = false;
      this.#dependencies.save();
    });
  }
}
