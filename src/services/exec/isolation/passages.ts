import fs from 'node:fs';
import path from 'node:path';

const WHO_MAY_PASS = 0o001;
/** What was found a moment ago is not looked at again: each run asks for much the same folders. */
const FOUND_FOR_MS = 250;
const MOST_KNOWN = 1000;

/** Folders that everybody may pass through, who is told where to. */
export class Passages {
  readonly #now: () => number;
  /** Until when each is known to be open, with all above it. */
  readonly #open = new Map<string, number>();

  /** `now`: milliseconds. */
  constructor(now: () => number) {
    this.#now = now;
  }

  /** Whether everybody may pass through all folders above these files. */
  areOpen(files: readonly string[]): boolean {
    const now = this.#now();
    try {
      return files.every((file) => this.#isOpen(path.dirname(file), now));
    } catch {
      // One of them is not there.
      return false;
    }
  }

  #isOpen(folder: string, now: number): boolean {
    if ((this.#open.get(folder) ?? Number.NEGATIVE_INFINITY) > now) return true;
    this.#open.delete(folder);
    const above = path.dirname(folder);
    if ((fs.statSync(folder).mode & WHO_MAY_PASS) === 0 || (above !== folder && !this.#isOpen(above, now))) return false;
    if (this.#open.size >= MOST_KNOWN) this.#open.clear();
    this.#open.set(folder, now + FOUND_FOR_MS);
    return true;
  }
}
