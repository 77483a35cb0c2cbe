import fs from 'node:fs';
import { OutriggerError } from '../../contract/errors.ts';
import type { Cause } from '../../contract/events.ts';
import { parentPath } from '../../contract/paths.ts';
import type { Containment, Place } from './containment.ts';
import { errnoOf } from '../state/errno.ts';
import { fileError } from './file-errors.ts';
import type { Journal } from './journal.ts';
import type { Confirm } from './write-request.ts';

interface MkdirOptions {
  mode?: number | undefined;
  confirm?: Confirm | undefined;
  /** Only where a link leads elsewhere it is asked. */
  confirmElsewhere?: Confirm | undefined;
}

interface PlaceRequest {
  parents?: boolean | undefined;
  cause: Cause;
  follow?: boolean;
  confirm?: Confirm | undefined;
}

/** Makes folders, and says so. */
export class Folders {
  readonly #containment: Containment;
  readonly #journal: Journal;

  constructor({ containment, journal }: { containment: Containment; journal: Journal }) {
    this.#containment = containment;
    this.#journal = journal;
  }

  /** Where something is to be written; the folders above it are made unless `parents` is false. `follow`: a link at the end of the path, true by default. */
  placeForWrite(wirePath: string, request: PlaceRequest): Place {
    const follow = request.follow ?? true;
    try {
      return this.#containment.place(wirePath, follow);
    } catch (error) {
      const known = fileError(error, wirePath);
      const parent = parentPath(wirePath);
      if (known.reason !== 'FILE_NOT_FOUND' || request.parents === false || parent === '' || !this.#containment.exists()) throw known;
      // Above where its caller may write, folders are made for what is below, but not where a link leads by now.
      this.make(parent, true, request.cause, { confirmElsewhere: request.confirm });
      return this.#containment.place(wirePath, follow);
    }
  }

  /** Makes a folder, of which its owner may do all, and those above it when asked; gives the paths made. */
  make(wirePath: string, parents: boolean, cause: Cause, { mode = 0o777, ...asked }: MkdirOptions = {}): string[] {
    const made: string[] = [];
    /** Where those lie that are below a link. */
    const elsewhere: string[] = [];
    let end = parents ? endOfName(wirePath, 0) : wirePath.length;
    let place: Place | undefined;
    try {
      for (place = this.#containment.place(wirePath.slice(0, end), false); ; ) {
        const isLast = end === wirePath.length;
        const path = wirePath.slice(0, end);
        if (this.#makeFolder(place, path, isLast, { mode: isLast ? mode | 0o700 : 0o777, ...asked })) {
          made.push(path);
          if (place.path !== path) elsewhere.push(place.path);
        }
        if (isLast) return made;
        using above = place;
        const start = end + 1;
        end = endOfName(wirePath, start);
        place = this.#containment.below(above, wirePath.slice(start, end), wirePath.slice(0, end));
      }
    } catch (error) {
      throw fileError(error, wirePath);
    } finally {
      place?.close();
      const told = [...elsewhere, ...made];
      this.#journal.record(told.map((path) => ({ path, kind: 'directory', what: 'created', before: null, after: null, cause })));
    }
  }

  /** False where one is there. On the way to the last, that is only passed through, and need not be confirmed. */
  #makeFolder(place: Place, wirePath: string, isLast: boolean, { mode, confirm, confirmElsewhere }: MkdirOptions): boolean {
    if (isLast || fs.lstatSync(place.at, { throwIfNoEntry: false }) === undefined) {
      confirm?.(place.path);
      if (place.path !== wirePath) confirmElsewhere?.(place.path);
      try {
        fs.mkdirSync(place.at, mode);
        return true;
      } catch (error) {
        if (errnoOf(error) !== 'EEXIST') throw fileError(error, wirePath);
      }
    }
    if (this.#isFolder(place, wirePath)) return false;
    throw new OutriggerError(isLast ? 'FILE_EXISTS' : 'NOT_A_DIRECTORY', `${wirePath} exists and is no folder.`);
  }

  /** A link to a folder inside counts; one that leads outside is an error. */
  #isFolder(place: Place, wirePath: string): boolean {
    try {
      this.#containment.below(place, '.', wirePath).close();
      return true;
    } catch (error) {
      const known = fileError(error, wirePath);
      if (known.reason === 'NOT_A_DIRECTORY' || known.reason === 'FILE_NOT_FOUND') return false;
      throw known;
    }
  }
}

/** Where the name ends that starts there. */
function endOfName(wirePath: string, start: number): number {
  const end = wirePath.indexOf('/', start);
  return end < 0 ? wirePath.length : end;
}
