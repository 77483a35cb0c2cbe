/** Counts calls under way, so that stopping can wait for those that end by themselves. */
export class Drain {
  #underWay = 0;
  #empty = Promise.withResolvers<void>();

  began(): void {
    this.#underWay++;
  }

  ended(): void {
    this.#underWay--;
    if (this.#underWay > 0) return;
    this.#empty.resolve();
    this.#empty = Promise.withResolvers();
  }

  /** Resolves true when nothing is under way any more, false after `graceMs`. */
  async empty(graceMs: number): Promise<boolean> {
    if (this.#underWay === 0) return true;
    const late = Promise.withResolvers<void>();
    const timer = setTimeout(late.resolve, graceMs);
    await Promise.race([this.#empty.promise, late.promise]);
    clearTimeout(timer);
    return this.#underWay === 0;
  }
}
