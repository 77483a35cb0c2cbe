/** What was asked for and is not answered: a key or a button that is pressed again meanwhile asks for nothing more. */
export class AskedOnce {
  readonly #asked = new Set<string>();

  has(what: string): boolean {
    return this.#asked.has(what);
  }

  /** Answers as `work` does; undefined, and nothing is done, where one of these is being asked for. */
  async run<T>(what: readonly string[], work: () => Promise<T>): Promise<T | undefined> {
    if (what.some((one) => this.#asked.has(one))) return undefined;
    for (const one of what) this.#asked.add(one);
    try {
      return await work();
    } finally {
      for (const one of what) this.#asked.delete(one);
    }
  }
}
