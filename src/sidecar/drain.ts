/** Counts calls under way, so that stopping can wait for those that end by themselves. */
export class Drain {
  #underWay = 0;
  #wake: (() => void) | undefined;

  began(): void {
    this.#underWay++;
  }

  ended(): void {
    this.#underWay--;
    if (this.#underWay === 0) this.#wake?.();
  }

  /** Resolves true when nothing is under way any more, false after `graceMs`. */
  async empty(graceMs: number): Promise<boolean> {
    if (this.#underWay === 0) return true;
    let timer: NodeJS.Timeout | undefined;
    await new Promise<void>((resolve) => {
      this.#wake = resolve;
      timer = setTimeout(resolve, graceMs);
    });
    clearTimeout(timer);
    return this.#underWay === 0;
  }
}
