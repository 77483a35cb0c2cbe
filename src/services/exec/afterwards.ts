/**
 * Does what nobody waits for when the answer of this turn of the event loop is on its way: connections hold what they are to write until the end of the turn,
 * and what was put off before they were given anything would be done before that.
 */
export function afterwards(work: () => void): void {
  setImmediate(() => setImmediate(work));
}

/** What nobody waits for, in its order: done afterwards all at once, or before that by whoever wants it done. */
export class Later {
  readonly #works: (() => void)[] = [];

  do(work: () => void): void {
    if (this.#works.push(work) === 1) afterwards(() => this.settle());
  }

  /** Does what was put off until now. */
  settle(): void {
    for (const work of this.#works.splice(0)) work();
  }
}
