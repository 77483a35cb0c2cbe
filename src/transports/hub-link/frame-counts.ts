/** Names that are told apart; a hub that invents more has them counted as one. */
const MAX_NAMES = 100;
const MAX_NAME_LENGTH = 64;
const OTHERS = '(others)';

/** What came and had no effect, over all sessions of a link: counted each time, worth a line in the log once. */
export class FrameCounts {
  readonly #counts = new Map<string, number>();

  /** True for the first of its name. */
  add(name: string): boolean {
    let key = name.slice(0, MAX_NAME_LENGTH);
    if (!this.#counts.has(key) && this.#counts.size >= MAX_NAMES) key = OTHERS;
    const count = (this.#counts.get(key) ?? 0) + 1;
    this.#counts.set(key, count);
    return count === 1;
  }

  toJSON(): Record<string, number> {
    return Object.fromEntries(this.#counts);
  }
}
