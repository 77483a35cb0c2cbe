// The folder as a table of stat keys, kept true by one non-recursive fs.watch a directory. Events are only hints: every fact comes from lstat and readdir.
// The rules that make it exact, each needed:
//  1. Watch a directory first, then read it; take its identity before arming.
//  2. Arm again where a hint may tell that the watch died, and read the directory whole then; never a watch that lives, for that loses hints
//     (docs/decisions/a-watch-that-lives-is-left.md).
//  3. A hinted name that is neither on disk nor in the table may be the directory's own death.
//  4. A directory that can't be read now is never dropped for that: its parent is read again, upward until something stands.
//  5. A directory is in the table only while its parent lists it.
//  6. Overflow of the kernel's queue is silent: a huge batch or a stalled loop means that everything is read again.
//  7. Reading is sliced: else it stalls the loop and triggers itself for ever.
//  8. A few hinted names are looked up one by one, many by reading the directory.
//  9. Old kernels' timestamps are coarse, so that keys can tie: a hint on a very recent file with the same key is passed on as suspect.

import { readdirSync, readFileSync, type Stats, watch } from 'node:fs';
import { basename } from 'node:path';
import { movedPath } from '../../core/moved-path.ts';
import { isPassingName } from '../../core/passing-name.ts';
import { TimeSlice } from '../../core/time-slice.ts';
import { Directory } from './directory.ts';
import { DirTable } from './dir-table.ts';
import { Drains, type Step } from './drains.ts';
import type { Fact } from './fact.ts';
import { lacksDescriptors } from '../state/errno.ts';
import { FolderLooks } from './folder-looks.ts';
import type { Ignore } from './ignore.ts';
import type { SnapshotDirectory } from './snapshot.ts';
import { directoryId, type EntryKind, isKindOnly, packKind, packStats, type StatKey, unpackStats } from './stat-key.ts';

export interface DirWatchOptions {
  root: string;
  ignore: Ignore;
  onFact: (fact: Fact) => void;
  /** Wherever the other halves of the facts until now may be is looked at now, until onRead(). */
  onReading?: () => void;
  /** All of that was looked at, and no folder of it has to be found elsewhere. */
  onRead?: () => void;
  /** After the last fact of a drain: what follows belongs to a later turn. */
  onDrained?: () => void;
  /** A hint or a listing showed an ignored entry of the root itself, such as .git. */
  onIgnored?: (name: string) => void;
  /** True: gone. False: it is back, and is being read. */
  onRootGone?: (gone: boolean) => void;
  /** No more watches (ENOSPC, EMFILE): all of them are closed by then, and only sweep() sees changes from here on. */
  onExhausted?: (code: string) => void;
  /** False: a renamed directory is told as removed and added, entry by entry. */
  mayMove?: () => boolean;
  /** False: no watches at all, sweep() is the only source. */
  arm?: boolean;
}

export interface DirWatchStats {
  directories: number;
  files: number;
  hints: number;
  rescans: number;
  overflows: number;
  stalls: number;
  /** Names that are not valid UTF-8; Node can't open them by name, so they are counted and passed over. */
  invalidNames: number;
  errors: number;
}

const maxNamesByLookup = 64;
const namesPerCheck = 16;
/** Of one drain, for the other halves of renames: where files come and go without end, it has to end. */
const maxReadsMore = 3;
/** The same where something went on while it was looked for: each hop is a hint of its own. */
const maxReadsAfter = 50;
const heartbeatMs = 50;
const stallMs = 200;
const rootRetryMs = 200;
/** Timestamps of kernels before 6.13 advance with the timer interrupt: 1 to 10 ms. */
export const coarseClockMs = 20;

const hintedRename = 1;
const hintedChange = 2;
const unhinted = 4;

const replacementChar = '\ufffd';

export class DirWatch {
  readonly #options: DirWatchOptions;
  readonly #table = new DirTable();
  readonly #root = this.#table.root;
  readonly #drains: Drains;
  readonly #looks: FolderLooks;
  readonly #dirty = new Set<Directory>();
  /** Directories to be read whole, deepest last. */
  readonly #stack: Directory[] = [];
  readonly #detached = new Set<Directory>();
  readonly #maxBatch = maxQueuedEvents() / 2;
  #armed: boolean;
  #silent = true;
  /** The first reading: files get their kind only. */
  #listing = false;
  #listedFromMs = 0;
  /** Why the first reading did not reach all. */
  #unread: Error | null = null;
  #closed = false;
  #rootGone = false;
  /** Where a file came or went in what was read last: the other half, if it was renamed, may not be hinted yet. */
  readonly #halves = new Set<Directory>();
  /** What was dirty could not be read, as it is elsewhere. */
  #mustFind = false;
  /** Those that may be elsewhere were looked for there. */
  #detachedBefore = new Set<Directory>();
  /** A name was hinted at which nothing was known nor is there: what came there went on, and where to may not be hinted yet. */
  #passedSeen = false;
  #batch = 0;
  #batchMark: NodeJS.Immediate | null = null;
  #heartbeat: NodeJS.Timeout | null = null;
  #rootTimer: NodeJS.Timeout | null = null;
  #counts = { hints: 0, rescans: 0, overflows: 0, stalls: 0, invalidNames: 0, errors: 0 };

  constructor(options: DirWatchOptions) {
    this.#options = options;
    this.#armed = options.arm ?? true;
    this.#looks = new FolderLooks(options.root, () => this.#counts.errors++);
    this.#drains = new Drains({
      drain: () => this.#drain(),
      isDirty: () => this.#dirty.size > 0 || this.isOpen,
      onDrained: () => options.onDrained?.(),
    });
  }

  get stats(): DirWatchStats {
    return { directories: this.#table.directoryCount, files: this.#table.fileCount, ...this.#counts };
  }

  get rootGone(): boolean {
    return this.#rootGone;
  }

  /** Where the last drain had to end while renames went on: the other halves of what it found since the last reading that was ended may be found by the next. */
  get isOpen(): boolean {
    return this.#halves.size > 0;
  }

  /**
   * Arms and lists everything; what is found is the baseline, not news. Where there are watches, files are not looked at yet:
   * call complete() next. Rejects when the root is no directory, and with EMFILE or ENFILE when a part of it could not be read for want of descriptors:
   * what was not read is not gone.
   */
  async start(): Promise<void> {
    const id = this.#looks.idAt('');
    if (id === null) throw new Error(`${this.#options.root} is not a directory`);
    this.#looks.start();
    this.#table.setId(this.#root, id);
    this.#table.directoryCount = 1;
    if (this.#armed) this.#startHeartbeat();
    this.#root.rearm = true;
    this.#root.whole = true;
    this.#markDirty(this.#root);
    this.#listing = this.#armed;
    this.#listedFromMs = Date.now();
    await this.flush();
    this.#listing = false;
    this.#silent = false;
    if (this.#unread !== null) throw this.#unread;
  }

  /** Looks at the files that were only listed. What changed since it was listed is told, hinted or not. */
  async complete(): Promise<void> {
    const slice = new TimeSlice();
    for (const { path, entries } of this.directories()) {
      for (const [name, packed] of entries) {
        if (packed === null || !isKindOnly(packed)) continue;
        const below = path === '' ? name : `${path}/${name}`;
        const directory = this.#table.directoryAt(path);
        if (directory?.entries.get(name) !== packed) continue;
        const stats = this.#looks.lstat(below);
        if (!stats || stats.isDirectory()) this.hintPath(below);
        else this.#checkFile(directory, name, below, stats, packed, unhinted);
        if (!slice.isOver) continue;
        await slice.giveWay();
        if (this.#closed) return;
      }
    }
    await this.flush();
  }

  close(): void {
    this.#closed = true;
    if (this.#heartbeat) clearInterval(this.#heartbeat);
    if (this.#rootTimer) clearInterval(this.#rootTimer);
    if (this.#batchMark) clearImmediate(this.#batchMark);
    this.#drains.close();
    this.#closeWatches();
  }

  /** Stops watching for good; what is known stays, and sweep() goes on working. */
  disarm(): void {
    this.#armed = false;
    if (this.#heartbeat) clearInterval(this.#heartbeat);
    this.#heartbeat = null;
    this.#closeWatches();
  }

  /** Resolves when all hints that were read so far have become facts. Never waits for later ones. */
  flush(): Promise<void> {
    return this.#drains.flush();
  }

  /** Compares the whole folder with the table; what differs becomes facts. */
  async sweep(): Promise<void> {
    this.#markAll(1);
    await this.flush();
  }

  /**
   * Looks at one name as if it had been hinted, at once if the file there is the one that the table knows: another may have been renamed to it, and is told
   * with the place that it left. True: looked at.
   */
  look(path: string): boolean {
    const found = this.#table.find(path);
    if (!found) {
      this.#hintNearest(path);
      return false;
    }
    const { directory, name } = found;
    const old = directory.entries.get(name);
    const stats = this.#looks.lstat(directory.pathOf(name));
    if (typeof old === 'string' && stats && !stats.isDirectory() && (isKindOnly(old) || unpackStats(old).key.ino === stats.ino)) {
      this.#checkFile(directory, name, path, stats, old, hintedChange);
      return true;
    }
    this.#mark(directory, name, hintedRename | hintedChange);
    this.#schedule(true);
    return false;
  }

  /** What the table holds; null: nothing, or a path that is ignored. */
  lookup(path: string): { kind: EntryKind; key: StatKey } | null {
    return this.#table.lookup(path);
  }

  /** An event from an engine that watches whole trees. */
  hintPath(path: string): void {
    this.#counts.hints++;
    const found = this.#table.find(path);
    if (!found) {
      this.#hintNearest(path);
    } else {
      this.#mark(found.directory, found.name, unhinted);
      const entry = found.directory.entries.get(found.name);
      if (entry instanceof Directory) {
        entry.whole = true;
        this.#markDirty(entry);
      }
    }
    this.#schedule(false);
  }

  /** The engine lost events: everything is read again. */
  lostHints(): void {
    this.#counts.overflows++;
    this.#markAll(1);
    this.#schedule(true);
  }

  /** Every directory with its entries: name → packed key, or null for a directory. Parents come before what is in them. */
  directories(): Generator<SnapshotDirectory> {
    return this.#table.directories();
  }

  /** The entries of one directory as directories() gives them; null when it is not in the table. */
  entriesOf(path: string): ReadonlyMap<string, unknown> | null {
    return this.#table.directoryAt(path)?.entries ?? null;
  }

  packedAt(path: string): string | null | undefined {
    return this.#table.packedAt(path);
  }

  // Hints

  #hint(directory: Directory, event: string, name: string | null): void {
    this.#counts.hints++;
    this.#batch++;
    this.#batchMark ??= setImmediate(() => {
      this.#batchMark = null;
      if (this.#batch >= this.#maxBatch) {
        this.#counts.overflows++;
        this.#markAll(2);
        this.#schedule(true);
      }
      this.#batch = 0;
    });
    if (directory.dropped || this.#closed) return;
    // Each write of our own makes one and renames it away: its own name says nothing that the target's does not.
    if (name !== null && name !== directory.name && isPassingName(name)) return;
    if (event === 'rename' && (name === null || name === this.#nameOf(directory))) directory.rearm = true;
    this.#mark(directory, name, event === 'rename' ? hintedRename : hintedChange);
    this.#schedule(false);
  }

  #mark(directory: Directory, name: string | null, hint: number): void {
    if (name === null || (directory.hinted?.size ?? 0) >= maxNamesByLookup) directory.whole = true;
    else {
      directory.hinted ??= new Map();
      directory.hinted.set(name, (directory.hinted.get(name) ?? 0) | hint);
    }
    this.#markDirty(directory);
  }

  #markDirty(directory: Directory): void {
    this.#dirty.add(directory);
  }

  #markAll(deep: 1 | 2): void {
    this.#root.whole = true;
    if (this.#root.deep < deep) this.#root.deep = deep;
    if (deep === 2) this.#root.rearm = true;
    this.#markDirty(this.#root);
  }

  /** The deepest directory of the path that the table knows is asked for the next name of the path. */
  #hintNearest(path: string): void {
    const nearest = this.#table.nearest(path);
    if (nearest) this.#mark(nearest.directory, nearest.name, unhinted);
    this.#schedule(false);
  }

  #startHeartbeat(): void {
    let last = performance.now();
    this.#heartbeat = setInterval(() => {
      const now = performance.now();
      const late = now - last - heartbeatMs;
      last = now;
      // Nobody tells as long as the volume is mounted elsewhere too.
      if (!this.#rootGone && this.#looks.isUnmounted) this.#hint(this.#root, 'rename', null);
      if (late <= stallMs) return;
      this.#counts.stalls++;
      this.#markAll(2);
      this.#schedule(true);
    }, heartbeatMs);
  }

  // Draining

  #schedule(now: boolean): void {
    this.#drains.schedule(now);
  }

  *#drain(): Generator<Step> {
    // Where the drain before had to end with something open.
    if (this.isOpen) yield* this.#awaitRenames();
    yield* this.#readDirty();
    const wasOpen = this.isOpen;
    for (let more = 0, after = 0; wasOpen && (this.isOpen || this.#passedSeen || this.#dirty.size > 0); ) {
      if (this.#passedSeen ? ++after > maxReadsAfter : ++more > maxReadsMore) break;
      // The hint of the other half is told with it, or nobody could say that the two are one file; it may be in a folder that has to be found first.
      yield* this.#awaitRenames();
      yield* this.#readDirty();
    }
    for (const directory of this.#detached) {
      if (this.isOpen && !this.#detachedBefore.has(directory)) continue;
      const path = directory.detachedFrom as string;
      this.#detached.delete(directory);
      yield* this.#remove(directory, path);
    }
  }

  *#awaitRenames(): Generator<Step> {
    for (const directory of this.#halves) {
      this.#looks.awaitRename(directory.path);
      yield undefined;
    }
    yield 'turn';
  }

  *#readDirty(): Generator<Step> {
    if (!this.#mustFind) {
      this.#detachedBefore = new Set(this.#detached);
      this.#options.onReading?.();
    }
    this.#mustFind = false;
    const queue = [...this.#dirty].map((directory) => ({ directory, depth: directory.depth })).sort((a, b) => a.depth - b.depth);
    this.#dirty.clear();
    this.#halves.clear();
    this.#passedSeen = false;
    for (const { directory } of queue) {
      this.#stack.push(directory);
      for (let next = this.#stack.pop(); next; next = this.#stack.pop()) {
        const path = next.path;
        if (this.#visit(next, path)) yield* this.#read(next, path);
        yield undefined;
      }
    }
    const mustLookFor = [...this.#detached].some((directory) => !this.#detachedBefore.has(directory));
    if (!this.#mustFind && !mustLookFor) this.#options.onRead?.();
  }

  /** Makes sure that the directory still stands where the table has it, and that it is watched. False: there is nothing to read now. */
  #visit(directory: Directory, path: string): boolean {
    if (directory.dropped || directory.isDetached) return false;
    if (directory === this.#root && this.#rootGone) return false;
    const id = this.#looks.idAt(path);
    if (directory.id === '' && id !== null && this.#table.withId(id) === undefined) this.#table.setId(directory, id);
    if (id !== directory.id) {
      if (directory !== this.#root) {
        // One that was listed and is gone, or is known elsewhere: it moved meanwhile, and its name is looked at anew.
        if (directory.id === '') this.#forget(directory);
        this.#askParent(directory);
        return false;
      }
      if (id === null) {
        this.#loseRoot();
        return false;
      }
      this.#table.setId(directory, id);
      directory.rearm = true;
      directory.whole = true;
      directory.deep = 2;
    }
    directory.broken = false;
    this.#renewIfAsked(directory, path);
    return directory.whole || directory.hinted !== null;
  }

  /** Rule 2. */
  #renewIfAsked(directory: Directory, path: string): void {
    if (!directory.rearm) return;
    directory.rearm = false;
    directory.whole = true;
    if (this.#armed) this.#arm(directory, path);
  }

  /** The name under which libuv tells of the directory itself. */
  #nameOf(directory: Directory): string {
    return directory === this.#root ? basename(this.#options.root) : directory.name;
  }

  /** Rule 4. */
  #askParent(directory: Directory): void {
    directory.broken = true;
    this.#mustFind = true;
    // What left it can't be seen before it is found again.
    if (this.#armed) this.#halves.add(directory.parent ?? directory);
    if (directory.parent) {
      this.#mark(directory.parent, directory.name, unhinted);
      this.#schedule(false);
    } else if (directory === this.#root) {
      this.#markDirty(directory);
      this.#schedule(false);
    }
  }

  *#read(directory: Directory, base: string): Generator<Step> {
    if (!directory.whole) {
      yield* this.#lookUp(directory);
      if (directory.dropped || directory.detachedFrom !== null) return;
      this.#renewIfAsked(directory, base);
      if (!directory.whole) return;
    }
    this.#counts.rescans++;
    const { deep } = directory;
    // Hints that come while it is being read count again.
    directory.whole = false;
    directory.deep = 0;
    const hinted = directory.hinted;
    directory.hinted = null;
    const first = this.#listing && directory.unread;
    let names: string[];
    try {
      names = first ? this.#list(directory, base) : readdirSync(this.#looks.absolute(base));
    } catch (error) {
      const code = codeOf(error);
      if (code === 'ENOENT' || code === 'ENOTDIR') {
        directory.whole = true;
        directory.deep = deep;
        this.#askParent(directory);
      } else {
        // EACCES and the like: what was known stays known; the sweep tries again.
        this.#counts.errors++;
        if (this.#silent && lacksDescriptors(error)) this.#unread = error;
      }
      return;
    }
    if (!first && this.#looks.idAt(base) !== directory.id) {
      // It went before it was listed: these are the names of another.
      directory.whole = true;
      directory.deep = deep;
      directory.hinted = hinted;
      this.#askParent(directory);
      return;
    }
    const listed = first ? undefined : new Set(names);
    let invalid = 0;
    let count = 0;
    for (const name of names) {
      if (directory.dropped || directory.detachedFrom !== null) return;
      const found = this.#check(directory, name, base === '' ? name : `${base}/${name}`, hinted?.get(name) ?? unhinted, deep);
      if (!found && name.includes(replacementChar)) invalid++;
      if (++count % namesPerCheck === 0) yield undefined;
    }
    if (listed) for (const name of [...directory.entries.keys()]) if (!listed.has(name)) this.#gone(directory, name);
    this.#counts.invalidNames += invalid - directory.invalidNames;
    directory.invalidNames = invalid;
    if (!directory.watcher && !directory.unwatchable && this.#armed) this.#askParent(directory);
  }

  /** Enters the files of a directory by their kind, and its directories to be visited; gives the names of all else, to be looked at. */
  #list(directory: Directory, base: string): string[] {
    const names: string[] = [];
    const others: string[] = [];
    const directories: Directory[] = [];
    let kinds = '';
    for (const entry of readdirSync(this.#looks.absolute(base), { withFileTypes: true })) {
      const { name } = entry;
      const kind = packKind(entry);
      const isDirectory = kind === undefined && entry.isDirectory();
      if ((kind === undefined && !isDirectory) || name.includes(replacementChar) || this.#options.ignore.in(base, name)) others.push(name);
      else if (kind === undefined) directories.push(this.#enter(directory, name));
      else {
        names.push(name);
        kinds += kind;
      }
    }
    this.#table.fileCount += names.length;
    directory.list({ names: names.join('/'), kinds, directories });
    return others;
  }

  /** A directory that was listed; which one it is turns out when it is visited. */
  #enter(parent: Directory, name: string): Directory {
    const added = new Directory(name, parent, '');
    this.#table.directoryCount++;
    added.rearm = true;
    added.whole = true;
    this.#stack.push(added);
    return added;
  }

  #forget({ parent, name }: Directory): void {
    if (parent?.entries.delete(name) === true) this.#table.directoryCount--;
  }

  *#lookUp(directory: Directory): Generator<Step> {
    const hinted = directory.hinted ?? new Map<string, number>();
    directory.hinted = null;
    let count = 0;
    for (const [name, hint] of hinted) {
      if (directory.dropped || directory.detachedFrom !== null) return;
      const known = directory.entries.has(name);
      const path = directory.pathOf(name);
      const found = this.#check(directory, name, path, hint, 0);
      // Rule 3. An ignored name says nothing, unless it is the directory's own.
      if (!found && !known && !name.includes(replacementChar) && (name === directory.name || !this.#options.ignore(path, false))) {
        directory.rearm = true;
        if (name !== directory.name) {
          this.#passedSeen = true;
          if (this.#armed) this.#halves.add(directory);
        }
      }
      if (++count % namesPerCheck === 0) yield undefined;
    }
  }

  /** The truth about one name becomes the table's. False: it does not exist, or can't be looked at. */
  #check(directory: Directory, name: string, path: string, hint: number, deep: 0 | 1 | 2): boolean {
    const stats = this.#looks.lstat(path);
    if (!stats) {
      if (directory.entries.has(name) && this.#looks.idAt(directory.path) !== directory.id) {
        // Its directory went, and it is in that as before.
        this.#mark(directory, name, hint);
        this.#askParent(directory);
        return true;
      }
      this.#gone(directory, name);
      if (directory === this.#root && this.#options.ignore(path, false)) this.#options.onIgnored?.(name);
      return false;
    }
    if (this.#options.ignore(path, stats.isDirectory())) {
      if (directory === this.#root) this.#options.onIgnored?.(name);
      return true;
    }
    const old = directory.entries.get(name);
    if (stats.isDirectory()) this.#checkDirectory(directory, name, path, stats, old, deep);
    else this.#checkFile(directory, name, path, stats, old, hint);
    return true;
  }

  #checkFile(directory: Directory, name: string, path: string, stats: Stats, old: Directory | string | undefined, hint: number): void {
    const packed = packStats(stats);
    if (old === packed) {
      // Rule 9.
      if (stats.isFile() && Math.abs(Date.now() - stats.mtimeMs) < coarseClockMs) this.#emitEntry('suspect', path, packed, false);
      return;
    }
    if (old instanceof Directory) {
      this.#detach(old);
      this.#settleDetached(old);
    }
    // A folder that went from here a moment ago is told to be gone before what is none came in its place.
    if (old === undefined) for (const gone of this.#detached) if (gone.detachedFrom === path) this.#settleDetached(gone);
    directory.entries.set(name, packed);
    if (typeof old === 'string' && isKindOnly(old)) {
      // What was touched since it was listed has its ctime from after that.
      const touched = hint !== unhinted || packed[0] !== old || stats.ctimeMs >= this.#listedFromMs - coarseClockMs;
      if (touched) this.#emitEntry('changed', path, packed, false);
      return;
    }
    if (typeof old !== 'string') this.#table.fileCount++;
    const replaces = typeof old === 'string' && !packed.startsWith(old.slice(0, old.indexOf(':') + 1));
    const isNew = replaces || typeof old !== 'string';
    const settled = !stats.isFile() || (isNew && isAtRest(stats, hint, replaces));
    // Found by reading a directory, before anything was hinted, by the hint that the one before it left, or by one that came since this reading began, as that
    // of its old place did; one that was only made has its ctime of its last write.
    const isFoundFirst = hint === unhinted || replaces || this.#dirty.size > 0;
    if (isNew && isFoundFirst && this.#armed && stats.ctimeMs > stats.mtimeMs) this.#halves.add(directory);
    this.#emitEntry(typeof old === 'string' ? 'changed' : 'added', path, packed, settled);
  }

  #checkDirectory(
    directory: Directory,
    name: string,
    path: string,
    stats: Stats,
    old: Directory | string | undefined,
    deep: 0 | 1 | 2,
  ): void {
    const id = directoryId(stats);
    if (old instanceof Directory) {
      const same = old.id === id;
      const other = same ? undefined : this.#table.withId(id);
      if (other && !other.isInside(old) && this.#canMove(other, directory)) {
        // Another directory was put here: what stood here is gone before it arrives.
        this.#detach(old);
        this.#settleDetached(old);
        this.#move(other, directory, name);
        return;
      }
      if (!same) this.#table.setId(old, id);
      if (!same || old.broken || deep > 0 || (this.#armed && !old.watcher && !old.unwatchable)) {
        if (!same || old.broken || deep === 2 || !old.watcher) old.rearm = true;
        old.broken = false;
        old.whole = true;
        old.deep = same ? deep : 2;
        this.#stack.push(old);
      }
      return;
    }
    if (typeof old === 'string') {
      directory.entries.delete(name);
      this.#table.fileCount--;
      this.#emitEntry('removed', path, old, true);
    }
    const other = this.#table.withId(id);
    if (other && this.#canMove(other, directory)) {
      this.#move(other, directory, name);
      return;
    }
    const added = new Directory(name, directory, '');
    this.#table.setId(added, id);
    directory.entries.set(name, added);
    this.#table.directoryCount++;
    added.rearm = true;
    added.whole = true;
    this.#emit({ path, kind: 'directory', what: 'added', key: added.key, settled: true });
    this.#stack.push(added);
  }

  #gone(directory: Directory, name: string): void {
    const old = directory.entries.get(name);
    if (old === undefined) return;
    if (this.#armed) this.#halves.add(directory);
    if (old instanceof Directory) {
      this.#detach(old);
      return;
    }
    directory.entries.delete(name);
    this.#table.fileCount--;
    this.#emitEntry('removed', directory.pathOf(name), old, true);
  }

  // Directories that move or vanish

  /** Its parent does not list it any more; until the drain ends it may turn up elsewhere. */
  #detach(directory: Directory): void {
    const path = directory.path;
    // What was known at this place before went with a folder above it, and would go along with this one, for those who follow.
    for (const gone of this.#detached)
      if (path.startsWith(`${gone.detachedFrom}/`) && !directory.isInside(gone)) this.#settleDetached(gone);
    directory.parent?.entries.delete(directory.name);
    directory.parent = null;
    directory.detachedFrom = path;
    this.#detached.add(directory);
  }

  /** Whether `directory` has left its place, is nowhere else, and its old place is empty: only then is it a rename for those who follow. */
  #canMove(directory: Directory, into: Directory): boolean {
    if (into.isInside(directory) || this.#options.mayMove?.() === false) return false;
    const path = directory.path;
    if (directory.isDetached) return this.#table.entryAt(path) === undefined;
    if (directory === this.#root || this.#looks.idAt(directory.path) !== null) return false;
    this.#detach(directory);
    return true;
  }

  #move(directory: Directory, into: Directory, name: string): void {
    const from = directory.path;
    const to = into.pathOf(name);
    directory.parent?.entries.delete(directory.name);
    this.#detached.delete(directory);
    // What was known where it comes went with another folder: nobody could tell of it any more once this one's stands there.
    for (const gone of this.#detached)
      if (movedPath(to, gone.detachedFrom as string, '') !== undefined || movedPath(gone.detachedFrom as string, to, '') !== undefined)
        this.#settleDetached(gone);
    directory.detachedFrom = null;
    directory.parent = into;
    directory.name = name;
    directory.broken = false;
    into.entries.set(name, directory);
    // What is not told to be gone yet goes along, for those who follow: its removal is told at the new place.
    for (const waiting of this.#detached) {
      const path = waiting.detachedFrom as string;
      if (path === from || path.startsWith(`${from}/`)) waiting.detachedFrom = to + path.slice(from.length);
    }
    this.#emit({ path: to, kind: 'directory', what: 'added', key: directory.key, settled: true, from });
    // Between the rename and now anything may have happened inside.
    directory.rearm = true;
    directory.whole = true;
    directory.deep = 2;
    this.#stack.push(directory);
  }

  #settleDetached(directory: Directory): void {
    this.#detached.delete(directory);
    for (const _ of this.#remove(directory, directory.detachedFrom as string));
  }

  /** Tells what went with it, deepest first, but not what already stands in its place again. */
  *#remove(directory: Directory, path: string): Generator<Step> {
    directory.dropped = true;
    directory.watcher?.close();
    directory.watcher = null;
    this.#table.directoryCount--;
    this.#counts.invalidNames -= directory.invalidNames;
    this.#table.forgetId(directory);
    this.#dirty.delete(directory);
    let count = 0;
    for (const [name, entry] of directory.entries) {
      const below = path === '' ? name : `${path}/${name}`;
      if (entry instanceof Directory) {
        yield* this.#remove(entry, below);
      } else {
        this.#table.fileCount--;
        this.#emitEntry(this.packedAt(below) === undefined ? 'removed' : 'known', below, entry, true);
      }
      if (++count % namesPerCheck === 0) yield undefined;
    }
    directory.entries.clear();
    const what = this.packedAt(path) === undefined ? 'removed' : 'known';
    this.#emit({ path, kind: 'directory', what, key: directory.key, settled: true });
  }

  #loseRoot(): void {
    this.#rootGone = true;
    this.#options.onRootGone?.(true);
    // Nobody tells when it comes back: what is above the root is not ours to watch.
    this.#rootTimer = setInterval(() => {
      if (this.#looks.idAt('') === null) return;
      if (this.#rootTimer) clearInterval(this.#rootTimer);
      this.#rootTimer = null;
      this.#rootGone = false;
      this.#options.onRootGone?.(false);
      this.#markAll(2);
      this.#schedule(true);
    }, rootRetryMs);
  }

  // Watches and paths

  #arm(directory: Directory, path: string): void {
    directory.watcher?.close();
    directory.watcher = null;
    directory.unwatchable = false;
    try {
      const watcher = watch(this.#looks.absolute(path), (event, name) => this.#hint(directory, event, name));
      watcher.on('error', () => {
        this.#counts.errors++;
        this.#hint(directory, 'rename', null);
      });
      directory.watcher = watcher;
    } catch (error) {
      const code = codeOf(error);
      if (code === 'ENOSPC' || code === 'EMFILE' || code === 'ENFILE') {
        this.disarm();
        this.#options.onExhausted?.(code);
      } else if (code !== 'ENOENT' && code !== 'ENOTDIR') {
        // EACCES and the like: it can't be read either, and the sweep sees when that changes.
        this.#counts.errors++;
        directory.unwatchable = true;
      } else if (directory === this.#root) {
        // Gone since it was looked at, and the old watch, which says so, is closed: nobody above it hears of that.
        this.#askParent(directory);
      }
    }
  }

  #closeWatches(): void {
    const stack: Directory[] = [this.#root, ...this.#detached];
    for (let directory = stack.pop(); directory; directory = stack.pop()) {
      directory.watcher?.close();
      directory.watcher = null;
      for (const entry of directory.entries.values()) if (entry instanceof Directory) stack.push(entry);
    }
  }

  #emitEntry(what: Fact['what'], path: string, packed: string, settled: boolean): void {
    if (this.#silent) return;
    this.#emit({ path, what, ...unpackStats(packed), settled });
  }

  #emit(fact: Fact): void {
    if (!this.#silent) this.#options.onFact(fact);
  }
}

/**
 * Whether a file that is new at its path came there whole. A write sets mtime and ctime alike; rename, chmod and utimes, which writers do last, move ctime
 * only. Where coarse clocks make them equal: a replaced file with content, of which no write was hinted, was written under another name.
 */
function isAtRest(stats: Stats, hint: number, replaces: boolean): boolean {
  if (hint === hintedChange) return false;
  return stats.ctimeMs > stats.mtimeMs || (replaces && (hint & hintedChange) === 0 && stats.size > 0);
}

function codeOf(error: unknown): string | undefined {
  return (error as NodeJS.ErrnoException | null)?.code;
}

function maxQueuedEvents(): number {
  try {
    return Number(readFileSync('/proc/sys/fs/inotify/max_queued_events', 'utf8')) || 16_384;
  } catch {
    // Not Linux: no such queue.
    return 16_384;
  }
}
