// Where our hand and another's met in one folder. Who follows is told of changes in an order, and of two that made, moved and removed the same folders within
// milliseconds it can't always be found out afterwards. So what was told of such a place is compared with what is there.

import type fs from 'node:fs';
import type { Change, EntryKind } from '../../contract/events.ts';
import { joinPath, parentPath } from '../../contract/paths.ts';
import { FOLDER, type Journal, REMOVED } from './journal.ts';

/** How long the watch may take to tell what another did where we were. */
const MET_MS = 10_000;
const MOST_PLACES = 256;
/** Entries at once, some 20 µs each: those of a larger place are told by the watch alone. */
export const MOST_COMPARED = 500;

interface Disk {
  lstat(path: string): fs.Stats | undefined;
  /** Of a folder; none where it is gone. */
  names(path: string): readonly string[];
  ignored(path: string): boolean;
}

/** What the watch saw, as far as it counts here. */
interface Seen {
  path: string;
  kind: EntryKind;
  what: 'created' | 'changed' | 'removed';
  from?: string | undefined;
}

export class Meetings {
  readonly #journal: Pick<Journal, 'known' | 'knownBelow'>;
  readonly #disk: Disk;
  /** Where we made, moved or removed a folder, both places of a move, and when by the monotonic clock; the oldest first. */
  #ours: { at: number; places: readonly string[] }[] = [];
  #places = new Set<string>();
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
    const folders = ours.filter(({ kind }) => kind === 'directory');
    if (folders.length === 0) return;
    const isMeeting = ours.length < changes.length;
    for (const { what, path, from } of folders) {
      this.#ours.push({ at: now, places: from === undefined ? [path] : [from, path] });
      if (isMeeting && what === 'moved') this.arrived(path);
      // What was there may be put back over it, which for the watch is no change.
      else if (isMeeting) this.#met.add(path);
    }
    this.#ours = this.#ours.filter(({ at }) => now - at < MET_MS).slice(-MOST_PLACES);
    this.#places = new Set(this.#ours.flatMap(({ places }) => places));
  }

  /** The report is no echo of a call. */
  theirs({ path, kind, what, from }: Seen): void {
    if (this.#places.size === 0) return;
    // Of thousands of files in one folder the first says all.
    if (kind === 'file' && what !== 'removed' && from === undefined && !this.#isBelowNew(path)) return;
    const paths = from === undefined ? [path] : [path, from];
    const since = performance.now() - MET_MS;
    for (const { at, places } of this.#ours) {
      if (at < since || !places.some((place) => paths.some((one) => overlap(place, one)))) continue;
      for (const met of from === undefined ? places : [...places, ...paths]) this.#met.add(met);
    }
  }

  /** Whether it lies where we were, and that is not among those that both were at. */
  #isBelowNew(path: string): boolean {
    for (let at = path; at !== ''; at = parentPath(at)) if (this.#places.has(at) && !this.#met.has(at)) return true;
    return false;
  }

  /** A folder came from where it was told to be gone: nothing in it is told. */
  arrived(folder: string): void {
    this.#arrived.add(folder);
    this.#met.add(folder);
  }

  /** Where what was told is not what is there, in the places where both met since the last call; what is in a folder comes before it. */
  differences(): string[] {
    const found = new Set<string>();
    const compared: string[] = [];
    let left = MOST_COMPARED;
    // Where a place is too large, one in it may not be.
    for (const place of [...this.#met].sort()) {
      if (compared.some((one) => place.startsWith(`${one}/`))) continue;
      const at = this.#compare(place, left);
      if (at === undefined) continue;
      compared.push(place);
      left -= at.count;
      for (const path of at.differ) found.add(path);
    }
    this.#met.clear();
    this.#arrived.clear();
    return [...found].sort().reverse();
  }

  /** Undefined: there is more than `most`. */
  #compare(place: string, most: number): { differ: string[]; count: number } | undefined {
    const told = [...this.#journal.knownBelow(place, most), { path: place, content: this.#journal.known(place) }];
    if (told.length > most) return undefined;
    const differ = told.filter(({ path, content }) => this.#differs(path, content)).map(({ path }) => path);
    let count = told.length;
    const stack = [{ folder: place, isNew: this.#arrived.has(place) }];
    for (let next = stack.pop(); next !== undefined; next = stack.pop()) {
      for (const name of this.#disk.names(next.folder)) {
        const path = joinPath(next.folder, name);
        if (++count > most) return undefined;
        if (this.#disk.ignored(path)) continue;
        const stat = this.#disk.lstat(path);
        const isNew = next.isNew || this.#arrived.has(path);
        if (stat?.isDirectory()) stack.push({ folder: path, isNew });
        if (stat === undefined || this.#journal.known(path) !== undefined) continue;
        // What nothing was told of stood there before all, or came a moment ago.
        if (isNew || isRecent(stat.birthtimeMs)) differ.push(path);
      }
    }
    return { differ, count };
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
