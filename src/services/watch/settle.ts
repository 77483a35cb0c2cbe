// When a change may be told. A decision only: the clock comes in as an argument, looking at files and hashing is for the caller. A file that came by rename
// is told at once, a file written in place when it stood still, a removal at once; while git holds its index lock, nothing, for a bounded time.

import { movedPath } from '../../core/moved-path.ts';
import { afterOlder } from './after-older.ts';
import type { EntryKind, StatKey } from './stat-key.ts';
import { sameKey } from './stat-key.ts';

export interface Pending {
  path: string;
  kind: EntryKind;
  what: 'present' | 'removed';
  key: StatKey;
  offline: boolean;
  /** This path was never told: if it vanishes before that, there is nothing to tell. */
  untold: boolean;
  /** Nothing was known to stand here when it was first noticed. */
  isCreated: boolean;
  from?: string;
  /** As a report has it. */
  replaced?: EntryKind;
  /** Came by rename or is at rest for another reason: needs no second look before it is told. */
  settled: boolean;
  /** Tell it now, even when it changes while it is read. */
  forced: boolean;
}

interface Entry extends Pending {
  dueAt: number;
  waitMs: number;
  growingSince: number;
  taken: boolean;
}

export interface SettleOptions {
  settleMs: number;
  maxSettleMs?: number;
  maxHoldMs?: number;
}

export class Settle {
  readonly #settleMs: number;
  readonly #maxSettleMs: number;
  readonly #maxHoldMs: number;
  readonly #entries = new Map<string, Entry>();
  // One queue for each length of wait, so that each is in order of time; stale places are passed over.
  readonly #lanes = new Map<number, { entry: Entry; dueAt: number }[]>();
  #lockedSince: number | null = null;
  #released = false;

  constructor(options: SettleOptions) {
    this.#settleMs = options.settleMs;
    this.#maxSettleMs = Math.max(options.maxSettleMs ?? 500, options.settleMs);
    this.#maxHoldMs = options.maxHoldMs ?? 2000;
  }

  get size(): number {
    return this.#entries.size;
  }

  /** True while changes wait for git. */
  get held(): boolean {
    return this.#lockedSince !== null && !this.#released;
  }

  /** True once git's lock outlived the longest hold, until the lock is gone: changes are told in spite of it. */
  get overheld(): boolean {
    return this.#released;
  }

  paths(): IterableIterator<string> {
    return this.#entries.keys();
  }

  has(path: string): boolean {
    return this.#entries.has(path);
  }

  /** Whether git's lock exists now. */
  locked(locked: boolean, now: number): void {
    if (!locked) {
      this.#lockedSince = null;
      this.#released = false;
    } else {
      this.#lockedSince ??= now;
      if (now - this.#lockedSince >= this.#maxHoldMs) this.#released = true;
    }
  }

  /** True when the path waits to be told for the first time. */
  isUntold(path: string): boolean {
    return this.#entries.get(path)?.untold ?? false;
  }

  /** The place that it came from, if that is to be told with it; of the file with this inode number alone, where one is given. */
  fromOf(path: string, ino?: number): string | undefined {
    const entry = this.#entries.get(path);
    return ino === undefined || entry?.key.ino === ino ? entry?.from : undefined;
  }

  /** Whether what waits for the path needs no second look before it is told. */
  isAtRest(path: string): boolean {
    return this.#entries.get(path)?.settled ?? false;
  }

  /** Those who follow know this path after all: its removal must be told. */
  known(path: string): void {
    const entry = this.#entries.get(path);
    if (entry) entry.untold = false;
  }

  /** Nothing is to be told about this path any more. */
  drop(path: string): void {
    this.#entries.delete(path);
  }

  /** A change was seen. What was pending for the path is replaced; a file that keeps growing waits longer each time. */
  noticed(change: Omit<Pending, 'forced' | 'isCreated'>, now: number): void {
    const old = this.#entries.get(change.path);
    // What is pending knows better: a removal that still waits is of a path that was told.
    const untold = old ? old.untold : change.untold;
    if (change.what === 'removed' && untold) {
      this.#entries.delete(change.path);
      return;
    }
    const atRest = change.what === 'removed' || change.kind !== 'file' || change.settled;
    let waitMs = atRest ? 0 : this.#settleMs;
    let growingSince = now;
    if (!atRest && old && !old.settled && old.what === 'present') {
      ({ waitMs, growingSince } = old);
      if (!sameKey(old.key, change.key) && now - growingSince >= waitMs) {
        waitMs = Math.min(waitMs * 2, this.#maxSettleMs);
        growingSince = now;
      }
    }
    const entry: Entry = {
      ...(old === undefined ? change : afterOlder(change, { ...old, isNew: old.untold })),
      untold,
      isCreated: old ? old.isCreated : untold,
      offline: change.offline && (old?.offline ?? true),
      forced: old?.forced ?? false,
      dueAt: now + waitMs,
      waitMs,
      growingSince,
      taken: false,
    };
    if (entry.forced) entry.dueAt = now;
    this.#entries.set(change.path, entry);
    this.#queue(entry);
  }

  /** Those whose time has come, in the order in which they were queued; the caller tells each and calls told(), or again(). None while held. */
  take(now: number): Pending[] {
    if (this.held) return [];
    const due: Entry[] = [];
    for (const lane of this.#lanes.values()) {
      let passed = 0;
      for (const place of lane) {
        const { entry, dueAt } = place;
        const stale = entry.dueAt !== dueAt || entry.taken || this.#entries.get(entry.path) !== entry;
        if (!stale && dueAt > now) break;
        passed++;
        if (stale) continue;
        entry.taken = true;
        due.push(entry);
      }
      lane.splice(0, passed);
    }
    return due;
  }

  /** Whether what was taken is still the newest about its path. */
  isCurrent(pending: Pending): boolean {
    return this.#entries.get(pending.path) === pending;
  }

  told(pending: Pending): void {
    if (this.isCurrent(pending)) this.#entries.delete(pending.path);
  }

  /** It was not at rest after all: another wait, longer than the last. */
  again(pending: Pending, now: number): void {
    const entry = this.#entries.get(pending.path);
    if (entry !== pending) return;
    entry.taken = false;
    entry.settled = false;
    entry.waitMs = entry.waitMs === 0 ? this.#settleMs : Math.min(Math.max(entry.waitMs, this.#settleMs) * 2, this.#maxSettleMs);
    entry.growingSince = now;
    entry.dueAt = now + entry.waitMs;
    this.#queue(entry);
  }

  /** Tell these now, whatever state they are in. */
  force(paths: Iterable<string>, now: number): void {
    for (const path of paths) {
      const entry = this.#entries.get(path);
      if (!entry) continue;
      entry.forced = true;
      if (entry.taken) continue;
      entry.dueAt = now;
      entry.waitMs = 0;
      this.#queue(entry);
    }
  }

  /** Its old place must be told apart from now on. Returns that place, null when there was none. */
  dropFrom(path: string): string | null {
    const entry = this.#entries.get(path);
    const from = entry?.from ?? null;
    if (entry) delete entry.from;
    return from;
  }

  /**
   * A directory was renamed: what waits inside it goes along, and so does the place in it that a file left. Returns the removals that must be told before the
   * rename, and forgets them.
   */
  moved(from: string, to: string, now: number): { removedBefore: Pending[]; renamed: [string, string][] } {
    const removedBefore: Pending[] = [];
    const renamed: [string, string][] = [];
    for (const entry of [...this.#entries.values()]) {
      if (entry.what === 'removed') {
        this.#entries.delete(entry.path);
        removedBefore.push(entry);
      }
    }
    for (const entry of [...this.#entries.values()]) {
      if (entry.from !== undefined) entry.from = movedPath(entry.from, from, to) ?? entry.from;
      const path = movedPath(entry.path, from, to);
      if (path === undefined) continue;
      this.#entries.delete(entry.path);
      // A new object: what was taken under the old name is no longer current.
      const renamedEntry: Entry = {
        ...entry,
        path,
        taken: false,
        dueAt: now + Math.max(entry.waitMs, this.#settleMs),
        waitMs: Math.max(entry.waitMs, this.#settleMs),
      };
      this.#entries.set(path, renamedEntry);
      this.#queue(renamedEntry);
      renamed.push([entry.path, path]);
    }
    return { removedBefore, renamed };
  }

  /** When take() should be called next; null: nothing waits. */
  nextDueAt(): number | null {
    let next: number | null = null;
    for (const lane of this.#lanes.values()) {
      let passed = 0;
      for (const { entry, dueAt } of lane) {
        if (entry.dueAt === dueAt && !entry.taken && this.#entries.get(entry.path) === entry) {
          if (next === null || dueAt < next) next = dueAt;
          break;
        }
        passed++;
      }
      if (passed > 0) lane.splice(0, passed);
    }
    if (next === null || !this.held) return next;
    return Math.max(next, (this.#lockedSince as number) + this.#maxHoldMs);
  }

  #queue(entry: Entry): void {
    let lane = this.#lanes.get(entry.waitMs);
    if (!lane) {
      lane = [];
      this.#lanes.set(entry.waitMs, lane);
    }
    lane.push({ entry, dueAt: entry.dueAt });
  }
}
