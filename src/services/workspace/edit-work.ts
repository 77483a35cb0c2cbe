import { TimeSlice } from '../../core/time-slice.ts';
/** The text after edits, worked out step by step; who has it at once may give it so. */
export type EditSteps = string | Generator<undefined, string>;

/** Longest that edits take of one turn, ms; besides what one step takes. */
export const TURN_MS = 50;

/** What edits make of a text. Where that takes longer than a turn may, it is worked out between turns, and holds if the text is still the same then. */
export class EditWork {
  readonly #begin: (raw: string) => EditSteps;
  #now: { raw: string; steps: Generator<undefined, string> } | undefined;
  #done: { raw: string; result: () => string } | undefined;

  constructor(begin: (raw: string) => EditSteps) {
    this.#begin = begin;
  }

  /** The text after the edits; undefined when that takes more than `ms`: `finish` goes on with it. Throws what does not fit. */
  result(raw: string, ms: number): string | undefined {
    if (this.#done?.raw === raw) return this.#done.result();
    if (this.#now?.raw !== raw) {
      const steps = this.#begin(raw);
      if (typeof steps === 'string') {
        this.#end(raw, () => steps);
        return steps;
      }
      this.#now = { raw, steps };
    }
    const end = performance.now() + ms;
    while (this.#now !== undefined) {
      if (performance.now() >= end) return undefined;
      this.#step(this.#now);
    }
    return this.result(raw, ms);
  }

  /** The text after the edits, worked out between turns. Throws what does not fit, and what `giveWay` rejects with. */
  async after(raw: string, giveWay: () => Promise<void> | undefined): Promise<string> {
    for (;;) {
      const result = this.result(raw, 0);
      if (result !== undefined) return result;
      await this.finish(giveWay);
    }
  }

  /** Goes on until the result is known, or why there is none; rejects only when `giveWay` does. */
  async finish(giveWay: () => Promise<void> | undefined): Promise<void> {
    while (this.#now !== undefined) {
      this.#step(this.#now);
      await giveWay();
    }
  }

  #step({ raw, steps }: { raw: string; steps: Generator<undefined, string> }): void {
    try {
      const { done, value } = steps.next();
      if (done === true) this.#end(raw, () => value);
    } catch (error) {
      this.#end(raw, () => {
        throw error;
      });
    }
  }

  #end(raw: string, result: () => string): void {
    this.#now = undefined;
    this.#done = { raw, result };
  }
}

/** Waits, after a slice of time in one turn, for the next one. Rejects with the signal's reason. */
export function slices(signal: AbortSignal): () => Promise<void> | undefined {
  const slice = new TimeSlice();
  return () => (slice.isOver ? slice.giveWay(signal) : undefined);
}
