/** As git names somebody. */
export interface Person {
  name: string;
  email: string;
}

/** Somebody who edited files here. */
export interface Editor extends Person {
  kind: 'person' | 'agent';
}

/** The port through which commits learn whose edits they hold; the journal of changes provides it. */
export interface EditHistory {
  /** People and agents who edited each of these paths after the time that stands with it (ms since 1970), by path, as far as is known. */
  authorsSince(times: ReadonlyMap<string, number>): ReadonlyMap<string, readonly Editor[]>;
}

/** Own commits whose time is known better than to the second. */
const MAX_KNOWN = 200;

/** When the work tree was read for our commits, ms since 1970: git itself keeps seconds, in which much is typed. */
export class ReadTimes {
  readonly #times = new Map<string, number>();

  of(hash: string): number | undefined {
    return this.#times.get(hash);
  }

  add(hash: string, at: number): void {
    this.#times.set(hash, at);
    const [oldest] = this.#times.keys();
    if (this.#times.size > MAX_KNOWN && oldest !== undefined) this.#times.delete(oldest);
  }
}
