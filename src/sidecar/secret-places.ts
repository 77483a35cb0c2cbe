import fs from 'node:fs';
import path from 'node:path';
import type { Change } from '../contract/events.ts';

/** What leads to a secret is looked up again after so long: a mounted secret is renewed by a link that becomes another. */
const LOOK_EVERY_MS = 100;

/**
 * Where in the workspace the sidecar's own secrets lie: by the names that they were given, where these lead, and where a move has put them. Paths relative
 * to the root.
 */
export class SecretPlaces {
  readonly #root: string;
  readonly #files: readonly string[];
  readonly #now: () => number;
  readonly #places = new Set<string>();
  #lookedAt = Number.NEGATIVE_INFINITY;

  /** `files`: as they were named, or folders of which all is secret; those outside of the workspace count for nothing. `now`: ms, of a clock that is not set back. */
  constructor(root: string, files: readonly (string | undefined)[], now: () => number) {
    this.#root = root;
    this.#files = [...new Set(files.flatMap((file) => (file === undefined ? [] : path.resolve(file))))];
    this.#now = now;
    if (this.#files.length > 0) this.#look();
  }

  /** The same set each time, as it is now. */
  get places(): ReadonlySet<string> {
    if (this.#files.length > 0 && this.#now() - this.#lookedAt >= LOOK_EVERY_MS) this.#look();
    return this.#places;
  }

  /** Called in the turn of the changes. */
  noticed(changes: readonly Change[]): void {
    for (const { what, path: to, from } of changes) {
      if (what !== 'moved' || from === undefined) continue;
      for (const place of [...this.#places])
        if (place === from || place.startsWith(`${from}/`)) this.#places.add(to + place.slice(from.length));
    }
  }

  #look(): void {
    this.#lookedAt = this.#now();
    for (const place of this.#places) if (!fs.existsSync(path.join(this.#root, place))) this.#places.delete(place);
    for (const file of this.#files) {
      // Where nothing is, the next start takes what somebody puts there.
      this.#add(file);
      this.#add(withRealFolder(file));
      try {
        this.#add(fs.realpathSync(file));
      } catch {
        // It is not there.
      }
    }
  }

  #add(file: string): void {
    const place = path.relative(this.#root, file).split(path.sep).join('/');
    if (place !== '' && !path.isAbsolute(place) && place !== '..' && !place.startsWith('../')) this.#places.add(place);
  }
}

/** The name itself is not followed. */
function withRealFolder(file: string): string {
  try {
    return path.join(fs.realpathSync(path.dirname(file)), path.basename(file));
  } catch {
    return file;
  }
}
