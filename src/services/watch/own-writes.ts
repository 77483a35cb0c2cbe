// What we put in place ourselves a moment ago. Who follows knows of it before the watch does: should a program rename or remove it before the watch has looked
// at it, the table knows nothing of it, or only what it took the place of, and could not say that it is gone nor which file it was.

import { movedPath } from '../../core/moved-path.ts';
import type { OwnWrite } from './watch-protocol.ts';

/** Far longer than the watch needs to look at what it was told of. */
const keptMs = 10_000;
export const maxKept = 256;

export class OwnWrites {
  /** `isSeen`: the table knew it at the last comparison. */
  readonly #recent = new Map<string, { write: OwnWrite; at: number; isSeen: boolean }>();
  /** By inode number. `hasPassed`: it was seen elsewhere, and told to have come from here. `put`: where it is said to be put; its folder may have moved since. */
  readonly #coming = new Map<number, { write: OwnWrite; put: string; at: number; hasPassed: boolean }>();

  /** What is about to be put in place may be elsewhere before `add` says that it was put. */
  expect(write: OwnWrite, now: number, placeOf: (path: string) => string = itself): void {
    this.#coming.delete(write.key.ino);
    this.#coming.set(write.key.ino, { write: { ...write, path: placeOf(write.path) }, put: write.path, at: now, hasPassed: false });
    dropOld(this.#coming, now);
  }

  /** Of those that were only expected, the ones that have left their place again; each is given once, and `add` passes over it. */
  takePassed(hasMovedOn: (write: OwnWrite) => boolean): OwnWrite[] {
    const passed = [...this.#coming.values()].filter(({ write, hasPassed }) => !hasPassed && hasMovedOn(write));
    for (const one of passed) one.hasPassed = true;
    return passed.map(({ write }) => write);
  }

  /** `placeOf`: where it went with a folder of whose move who put it there had not heard. */
  add(writes: readonly OwnWrite[], now: number, placeOf: (path: string) => string = itself): void {
    for (const write of writes) {
      const coming = this.#coming.get(write.key.ino);
      this.#coming.delete(write.key.ino);
      const expected = coming?.put === write.path ? coming : undefined;
      if (expected?.hasPassed) continue;
      const path = expected?.write.path ?? placeOf(write.path);
      this.#recent.delete(path);
      this.#recent.set(path, { write: { ...write, path }, at: now, isSeen: false });
    }
    dropOld(this.#recent, now);
  }

  /** What the table knew at the last comparison it tells by itself from now on. */
  compare(isKnown: (write: OwnWrite) => boolean): void {
    for (const [path, one] of this.#recent) {
      if (one.isSeen) this.#recent.delete(path);
      else one.isSeen = isKnown(one.write);
    }
  }

  /** A folder was renamed, with what was in it. `isThere`: whether anything stands at the path. */
  moved(from: string, to: string, isThere: (path: string) => boolean): void {
    for (const [path, one] of [...this.#recent]) {
      const now = placeAfter(path, { from, to, isThere });
      if (now === undefined) continue;
      this.#recent.delete(path);
      this.#recent.set(now, { ...one, write: { ...one.write, path: now } });
    }
    for (const one of this.#coming.values()) {
      const now = placeAfter(one.write.path, { from, to, isThere });
      if (now !== undefined) one.write = { ...one.write, path: now };
    }
  }

  has(path: string): boolean {
    return this.#recent.has(path);
  }

  /**
   * Those that left their place before the table knew what stood there, the latest first: what is in a folder comes before the folder. `isThere`: whether anything
   * stands at the path.
   */
  left(isThere: (path: string) => boolean): OwnWrite[] {
    return [...this.#recent.values()]
      .filter(({ write, isSeen }) => !isSeen && !isThere(write.path))
      .map(({ write }) => write)
      .reverse();
  }

  forget(writes: readonly OwnWrite[]): void {
    for (const { path } of writes) this.#recent.delete(path);
  }
}

function itself(path: string): string {
  return path;
}

/** Where it went with its folder. Undefined: it did not, for it was put at the old place after that; what went on since is told to have gone on from the new one. */
function placeAfter(
  path: string,
  { from, to, isThere }: { from: string; to: string; isThere: (path: string) => boolean },
): string | undefined {
  const now = movedPath(path, from, to);
  if (now === undefined || isThere(path) || (!isThere(now) && isThere(from))) return undefined;
  return now;
}

/** In order of time. */
function dropOld<K>(map: Map<K, { at: number }>, now: number): void {
  for (const [key, { at }] of map) {
    if (map.size <= maxKept && now - at <= keptMs) break;
    map.delete(key);
  }
}
