import { movedPath } from '../../core/moved-path.ts';
import { REMOVED } from './journal.ts';

/** What is known of paths, while what a batch of reports tells is not in the journal yet: after each of them as the journal will have it. */
export class KnownInBatch {
  #before: (path: string) => string | undefined;
  /** Since the last folder that went, by path. */
  #since = new Map<string, string>();

  /** `known`: by the journal. */
  constructor(known: (path: string) => string | undefined) {
    this.#before = known;
  }

  readonly known = (path: string): string | undefined => this.#since.get(path) ?? this.#before(path);

  /** `content`: as the journal has it. */
  told(path: string, content: string): void {
    this.#since.set(path, content);
  }

  /** A folder went from its place with all that is known in it: to `to`, where nothing is known of what stood there before. */
  folderWent(from: string, to?: string): void {
    const [earlier, since] = [this.#before, this.#since];
    const before = (path: string): string | undefined => since.get(path) ?? earlier(path);
    this.#since = new Map([[from, REMOVED]]);
    this.#before = (path) => {
      const origin = to === undefined ? undefined : movedPath(path, to, from);
      if (origin !== undefined) return before(origin);
      const known = before(path);
      return known === undefined || movedPath(path, from, '') === undefined ? known : REMOVED;
    };
  }
}
