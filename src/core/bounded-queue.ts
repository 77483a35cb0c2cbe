/**
 * A queue between one producer that can be told to stop and one consumer that waits. It never holds more than `capacity`:
 * `push` says false instead, and the producer's protocol decides what that means.
 */
export class BoundedQueue<T> {
  readonly capacity: number;
  #items: T[] = [];
  #waiting: { resolve: (step: IteratorResult<T, undefined>) => void; reject: (error: unknown) => void } | undefined;
  #end: { failed: false } | { failed: true; error: unknown } | undefined;

  constructor(capacity: number) {
    this.capacity = capacity;
  }

  get length(): number {
    return this.#items.length;
  }

  /** False when full; after an end, things are taken and forgotten. */
  push(item: T): boolean {
    if (this.#end !== undefined) return true;
    if (this.#waiting !== undefined) {
      const { resolve } = this.#waiting;
      this.#waiting = undefined;
      resolve({ done: false, value: item });
      return true;
    }
    if (this.#items.length >= this.capacity) return false;
    this.#items.push(item);
    return true;
  }

  /** What is queued can still be taken, then `take` answers done. */
  end(): void {
    if (this.#end !== undefined) return;
    this.#end = { failed: false };
    this.#waiting?.resolve(finished);
    this.#waiting = undefined;
  }

  /** What is queued can still be taken, then `take` rejects with `error`. */
  fail(error: unknown): void {
    if (this.#end !== undefined) return;
    this.#end = { failed: true, error };
    this.#waiting?.reject(error);
    this.#waiting = undefined;
  }

  /** Forgets what is queued. */
  clear(): void {
    this.#items = [];
  }

  /** The next item, waiting for it; one `take` at a time. */
  take(): Promise<IteratorResult<T, undefined>> {
    if (this.#items.length > 0) return Promise.resolve({ done: false, value: this.#items.shift() as T });
    if (this.#end?.failed === true) return Promise.reject(this.#end.error as Error);
    if (this.#end !== undefined) return Promise.resolve(finished);
    return new Promise((resolve, reject) => {
      this.#waiting = { resolve, reject };
    });
  }
}

const finished = { done: true, value: undefined } as const;
