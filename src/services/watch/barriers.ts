// Who waits until all that was there when they asked is told, and is told then. What does not come to rest in time is told as it is.

const patienceMs = 2000;

interface Barrier {
  id: number;
  /** What it waits for. */
  paths: Set<string>;
  forceAt: number;
}

export class Barriers {
  #raised: Barrier[] = [];

  /** `now`: in ms, as at every other place. */
  raise(id: number, paths: Set<string>, now: number): void {
    this.#raised.push({ id, paths, forceAt: now + patienceMs });
  }

  told(path: string): void {
    for (const barrier of this.#raised) barrier.paths.delete(path);
  }

  /** Who waits for the old name waits for the new one. */
  renamed(from: string, to: string): void {
    for (const barrier of this.#raised) if (barrier.paths.has(from)) barrier.paths.add(to);
  }

  /** Who waits for what was in it waits for it at its new place. */
  folderRenamed(from: string, to: string): void {
    for (const { paths } of this.#raised)
      for (const path of [...paths]) if (path.startsWith(`${from}/`)) paths.add(to + path.slice(from.length));
  }

  /** The paths of those that have waited long enough, which wait as long again. */
  *impatient(now: number): Generator<Iterable<string>> {
    for (const barrier of this.#raised) {
      if (barrier.forceAt > now) continue;
      yield barrier.paths;
      barrier.forceAt = now + patienceMs;
    }
  }

  /** Takes out those that wait for nothing any more. `waits`: whether a path is still to be told. */
  passed(waits: (path: string) => boolean): number[] {
    const passed: number[] = [];
    this.#raised = this.#raised.filter(({ id, paths }) => {
      for (const path of paths) {
        if (waits(path)) return true;
        paths.delete(path);
      }
      passed.push(id);
      return false;
    });
    return passed;
  }

  /** When impatient() should be asked next; Infinity where nobody waits. */
  get nextAt(): number {
    return this.#raised.reduce((next, { forceAt }) => Math.min(next, forceAt), Number.POSITIVE_INFINITY);
  }
}
