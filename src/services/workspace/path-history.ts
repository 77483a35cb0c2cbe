import { movedPath } from '../../core/moved-path.ts';
import type { State } from '../state/state.ts';
import { type ChangeRow, type PastChange, pastChange } from './change-row.ts';

/** Renames that one look back follows. */
const MAX_MOVES = 100;

interface Arrival {
  revision: number;
  path: string;
  origin: string;
}

/** What is called `name` was so from the revision `from` on, and until before `to`. */
interface Time {
  name: string;
  from: number;
  to: number;
}

/** A path, and the lengths of it and of the folders above it, in characters. */
const NAMES = 'json_each(?2) AS length';
/** The last move that brought a file to a path, itself or with a folder above it. By the index of arrivals: of a hundred thousand moves each name looks at its own. */
const LAST_ARRIVAL = `SELECT revision, path, origin FROM changes WHERE revision = (SELECT max((
  SELECT revision FROM changes WHERE path = substr(?1, 1, length.value) AND origin IS NOT NULL AND revision < ?3
  AND (kind = 'directory') = (length.key > 0) ORDER BY revision DESC LIMIT 1)) FROM ${NAMES})`;
/** And the last that took one from it since. */
const LAST_DEPARTURE = `SELECT max((
  SELECT revision FROM changes WHERE origin = substr(?1, 1, length.value) AND revision > ?4 AND revision < ?3
  AND (kind = 'directory') = (length.key > 0) ORDER BY revision DESC LIMIT 1)) AS revision FROM ${NAMES}`;
const CHANGES =
  "SELECT * FROM changes WHERE path = ? AND revision >= ? AND revision < ? AND kind <> 'directory' ORDER BY revision DESC LIMIT ?";

/** What the journal knows of one file, also under the names that it had before. It reaches back as far as the journal does. */
export class PathHistory {
  readonly #state: State;

  constructor({ state }: { state: State }) {
    this.#state = state;
  }

  /**
   * Changes of what is called `path` now, newest first, those older than `before`. Ends where it had a name that is not `visible`. What was removed and made
   * again under one name is one history, whether or not a folder had it in between or has it now; what stood there before another file was moved there is not.
   */
  changesOf(path: string, before: number, limit: number, visible: (path: string) => boolean): { changes: PastChange[]; more: boolean } {
    const found: PastChange[] = [];
    for (const { name, from, to } of this.#timesOf(path, visible)) {
      if (from >= before) continue;
      const room = limit + 1 - found.length;
      const rows = this.#state.statement(CHANGES).all(name, from, Math.min(to, before), room) as unknown as ChangeRow[];
      found.push(...rows.map(pastChange));
      if (found.length > limit) break;
    }
    return { changes: found.slice(0, limit), more: found.length > limit };
  }

  /** The change with this number, where it is one of what is called `path` now. */
  at(path: string, revision: number, visible: (path: string) => boolean): PastChange | undefined {
    const [change] = this.changesOf(path, revision + 1, 1, visible).changes;
    return change?.revision === revision ? change : undefined;
  }

  /** Its names, the newest first. */
  *#timesOf(path: string, visible: (path: string) => boolean): Generator<Time, void, undefined> {
    let name = path;
    let to = Number.MAX_SAFE_INTEGER;
    for (let moves = 0; moves < MAX_MOVES && visible(name); moves++) {
      const lengths = JSON.stringify(lengthsOf(name));
      const arrival = this.#state.statement(LAST_ARRIVAL).get(name, lengths, to) as Arrival | undefined;
      const departure = this.#state.statement(LAST_DEPARTURE).get(name, lengths, to, arrival?.revision ?? 0) as { revision: number | null };
      const left = departure.revision;
      // What was there before was moved on.
      if (arrival === undefined || left !== null) {
        yield { name, from: (left ?? 0) + 1, to };
        return;
      }
      yield { name, from: arrival.revision, to };
      name = movedPath(name, arrival.path, arrival.origin) ?? name;
      to = arrival.revision;
    }
  }
}

/** Of a path and the folders above it, the longest first, in characters as SQLite counts them. */
function lengthsOf(path: string): number[] {
  const lengths: number[] = [];
  let length = 0;
  for (const character of path) {
    if (character === '/') lengths.push(length);
    length++;
  }
  return [...lengths, length].reverse();
}
