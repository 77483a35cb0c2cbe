/** As git names somebody. */
export interface Person {
  name: string;
  email: string;
}

/** Somebody who edited files here. */
export interface Editor extends Person {
  kind: 'person' | 'agent';
}

/** From where on edits count: after a step of the history, or, where that is not known, after a time (ms since 1970). */
export type Since = { step: number } | { time: number };

/** The port through which commits learn whose edits they hold; the journal of changes provides it. */
export interface EditHistory {
  /** The last step so far; what is edited from now on has later ones, whatever becomes of the clock. */
  step(): number;
  /** People and agents who edited each of these paths since then, by path, as far as is known; also under names that it had before and that are visible. */
  authorsSince(since: ReadonlyMap<string, Since>, visible: (path: string) => boolean): ReadonlyMap<string, readonly Editor[]>;
}

/** Own commits of which it is known what they hold. */
const MAX_KNOWN = 200;

/** At which step of the history the work tree was read for our commits: git itself keeps seconds, in which much is typed, by a clock that is set. */
export class ReadSteps {
  readonly #steps = new Map<string, number>();

  of(hash: string): number | undefined {
    return this.#steps.get(hash);
  }

  add(hash: string, step: number): void {
    this.#steps.set(hash, step);
    const [oldest] = this.#steps.keys();
    if (this.#steps.size > MAX_KNOWN && oldest !== undefined) this.#steps.delete(oldest);
  }
}
