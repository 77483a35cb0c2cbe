// Where our hand and another's met in one folder. Who follows is told of changes in an order, and of two that made, moved and removed the same folders within
// milliseconds it can't always be found out afterwards. So what was told of such a place is compared with what is there.

import type fs from 'node:fs';
import type { Change } from '../../contract/events.ts';
import { joinPath } from '../../contract/paths.ts';
import { FOLDER, type Journal, REMOVED } from './journal.ts';

/** How long the watch may take to tell what another did where we were. */
const MET_MS = 10_000;
const MOST_PLACES = 256;
/** Entries of one place: those of a larger one are told by the watch alone. */
export const MOST_COMPARED = 500;

export interface Disk {
  lstat(path: string): fs.Stats | undefined;
  /** Of a folder; none where it is gone. */
  names(path: string): readonly string[];
  ignored(path: string): boolean;
}

export class Meetings {
  readonly #journal: Pick<Journal, 'known' | 'knownBelow'>;
  readonly #disk: Disk;
  /** Where we made, moved or removed a folder, both places of a move, and when by the monotonic clock; the oldest first. */
  #ours: { at: number; places: readonly string[] }[] = [];
  readonly #met = new Set<string>();
  readonly #arrived = new Set<string>();

  constructor(dependencies: { journal: Pick<Journal, 'known' | 'knownBelow'>; disk: Disk }) {
    this.#journal = dependencies.journal;
    this.#disk = dependencies.disk;
  }

  /** What was changed by a call. Where that shows that something else was gone, others have been there, and what came in its place is not what was told. */
  ours(changes: readonly Change[]): void {
    const now = performance.now();
    const ours = changes.filter(({ cause }) => cause.kind !== 'outside');
    const isMeeting = ours.length < changes.length;
    for (const { kind, what, path, from } of ours) {
      if (kind !== 'directory') continue;
      this.#ours.push({ at: now, places: from === undefined ? [path] : [from, path] });
      if (isMeeting && what === 'moved') this.arrived(path);
    }
    if (this.#ours.length > MOST_PLACES) this.#ours = this.#ours.slice(-MOST_PLACES);
  }

  /** Something other than the echo of a call was seen at the path, or went from the one to the other. */
  theirs(...paths: readonly string[]): void {
    const since = performance.now() - MET_MS;
    for (const { at, places } of this.#ours) {
      if (at < since || !places.some((place) => paths.some((path) => overlap(place, path)))) continue;
      for (const met of [...places, ...paths]) this.#met.add(met);
    }
  }

  /** A folder came from where it was told to be gone: nothing in it is told. */
  arrived(folder: string): void {
    this.#arrived.add(folder);
    this.#met.add(folder);
  }

  /** Where what was told is not what is there, in the places where both met since the last call; what is in a folder comes before it. */
  differences(): string[] {
    const found = new Set<string>();
    for (const place of this.#met) for (const path of this.#differencesAt(place)) found.add(path);
    this.#met.clear();
    this.#arrived.clear();
    return [...found].sort().reverse();
  }

  #differencesAt(place: string): string[] {
    const told = [...this.#journal.knownBelow(place, MOST_COMPARED), { path: place, content: this.#journal.known(place) }];
    if (told.length > MOST_COMPARED) return [];
    const found = told.filter(({ path, content }) => this.#differs(path, content)).map(({ path }) => path);
    let count = 0;
    const stack = [place];
    for (let folder = stack.pop(); folder !== undefined; folder = stack.pop()) {
      for (const name of this.#disk.names(folder)) {
        const path = joinPath(folder, name);
        if (++count > MOST_COMPARED) return [];
        if (this.#disk.ignored(path)) continue;
        const stat = this.#disk.lstat(path);
        if (stat?.isDirectory()) stack.push(path);
        if (stat === undefined || this.#journal.known(path) !== undefined) continue;
        // What nothing was told of stood there before all, or came a moment ago.
        if (this.#arrived.has(place) || isRecent(stat.birthtimeMs)) found.push(path);
      }
    }
    return found;
  }

  #differs(path: string, content: string | undefined): boolean {
    const stat = this.#disk.lstat(path);
    if (content === undefined || content === REMOVED) return stat !== undefined;
    if (stat === undefined || stat.isDirectory() !== (content === FOLDER)) return true;
    // Written a moment ago: whether that was told its content says.
    return stat.isFile() && isRecent(stat.ctimeMs);
  }
}

function isRecent(ms: number): boolean {
  return Date.now() - ms < MET_MS;
}

function overlap(one: string, other: string): boolean {
  return one === other || one.startsWith(`${other}/`) || other.startsWith(`${one}/`);
}
