import type { CodeItem } from '../../contract/code.ts';

/** Items on their way to a caller: each goes when the one before it was taken, and whoever gives one need not wait for that. */
export class ItemsInOrder {
  readonly #emit: (item: CodeItem) => Promise<void> | void;
  #taken: Promise<void> = Promise.resolve();

  constructor(emit: (item: CodeItem) => Promise<void> | void) {
    this.#emit = emit;
  }

  /** Resolves when it and all before it were taken. Rejects with what `emit` did, as each does that comes after. */
  add(item: CodeItem): Promise<void> {
    this.#taken = this.#taken.then(() => this.#emit(item));
    // Heard by who waits for the last of them.
    this.#taken.catch(() => {});
    return this.#taken;
  }

  /** Resolves when all were taken. Rejects with what `emit` did. */
  get taken(): Promise<void> {
    return this.#taken;
  }
}
