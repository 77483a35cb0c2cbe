import fs from 'node:fs';
import path from 'node:path';
import { OutriggerError } from '../../contract/errors.ts';
import { parentPath } from '../../contract/paths.ts';
import type { EntryKind } from '../../contract/events.ts';
import { movedPath } from '../../core/moved-path.ts';
import type { Containment } from './containment.ts';
import { hashOrNull, statIdentity } from './content.ts';
import { type ChangeDraft, FOLDER, type Journal, REMOVED } from './journal.ts';
import { Meetings } from './meetings.ts';
import { type UntoldMove, UntoldMoves } from './untold-moves.ts';

/** How long the watch may take to tell of a move in its own way. */
const MOVED_TREE_MS = 10_000;
/** What was touched so long before its folder was moved was told by then. */
const TOLD_MS = 2_000;
const MAX_STANDING = 1000;

/** What the watch saw at a path. */
export interface Noticed {
  path: string;
  kind: EntryKind;
  what: 'created' | 'changed' | 'removed';
  size: number;
  mtimeMs: number;
  ino: number;
  /** null for what is no file, or a file too large to hash. */
  hash: string | null;
  from?: string | undefined;
  /** It took the place of this, a directory or none, whose removal is not reported. */
  replaced?: EntryKind | undefined;
}

/** A report under names that were told. */
interface Named extends Noticed {
  /** What the watch calls it. */
  seenAt: string;
}

/** That we moved: the watch may call what is in it by its name of before. */
interface MovedTree {
  from: string;
  to: string;
  /** By the monotonic clock. */
  at: number;
  /** The same by the clock of the file system: what came along was last touched before, what came there since was touched after. */
  ctimeMs: number;
  isNew: boolean;
}

/**
 * Tells what the watch saw that is news from what is the echo of our own writes: by content, with no timers and no lists of
 * paths to pass over. What is known by its content already was told when it was made.
 */
export class Echoes {
  readonly #containment: Containment;
  readonly #journal: Journal;
  readonly #forgetWrites: boolean;
  #movedTrees: MovedTree[] = [];
  /** Folders that came from outside a moment ago, and when by the monotonic clock: what is in them may not have been told yet. */
  readonly #newFolders = new Map<string, number>();
  readonly #doubtful = new Set<string>();
  /** Reported to be gone while something stood there again, which was not reported yet. */
  readonly #standing = new Map<string, { kind: EntryKind; at: number }>();
  readonly #meetings: Meetings;
  readonly #untold = new UntoldMoves();
  /** What the drafts say that are not recorded yet: a path may stand among them twice, and the second is compared with the first. */
  readonly #fresh = new Map<string, string>();

  constructor(
    dependencies: { containment: Containment; journal: Journal },
    options: { forgetWrites?: boolean; ignored: (path: string) => boolean },
  ) {
    this.#containment = dependencies.containment;
    this.#journal = dependencies.journal;
    this.#forgetWrites = options.forgetWrites === true;
    const { ignored } = options;
    this.#meetings = new Meetings({
      journal: this.#journal,
      disk: { lstat: (at) => this.#lstat(at), names: (folder) => this.#names(folder), ignored },
    });
    this.#journal.onChanges((changes) => {
      this.#meetings.ours(changes);
      for (const { path, from, cause } of changes) if (from !== undefined && cause.kind !== 'outside') this.#untold.moved(from, path);
    });
  }

  /** What the reports tell that was not told yet, in order: changes that came from outside. Each part has to be recorded before the next is asked for. */
  *newsOf(reports: readonly Noticed[]): Generator<ChangeDraft[]> {
    let drafts: ChangeDraft[] = [];
    this.#fresh.clear();
    const steps = this.#stepsOf(reports);
    for (let step = steps.next(); step.done !== true; step = steps.next()) {
      drafts.push(...step.value);
      if (!step.value.some(isFolderMove)) continue;
      // What is known of all in it changes its place.
      yield drafts;
      drafts = [];
      this.#fresh.clear();
    }
    yield drafts;
  }

  /** What is told to be at a path. */
  #known(path: string): string | undefined {
    return this.#fresh.get(path) ?? this.#journal.known(path);
  }

  /** Whether a call, and no program, did what was told of it last. */
  #isByCall(path: string): boolean {
    return !this.#fresh.has(path) && this.#journal.isByCall(path);
  }

  *#stepsOf(reports: readonly Noticed[]): Generator<ChangeDraft[]> {
    for (const noticed of reports) {
      if (isUntold(noticed, (path) => this.#known(path))) this.#meetings.theirs(noticed);
      for (const report of this.#inToldNames(noticed)) {
        for (const [seenAt, move] of this.#leftBefore(report)) yield this.#stepOf(seenAt, move);
        // Of what was told before, the journal says itself that it is gone.
        if (report.replaced !== undefined && this.#known(report.path) === undefined) {
          const { path, replaced: kind } = report;
          yield [{ path, kind, what: 'removed', before: null, after: null, cause: { kind: 'outside' } }];
          this.#fresh.set(path, REMOVED);
        }
        yield this.#draftsOf(report);
      }
    }
    // A folder that moved on took it along, which has no report of its own.
    const isThere = (path: string, { told, ino }: UntoldMove): boolean => this.#lstat(path)?.ino === ino && this.#lstat(told) === undefined;
    for (const [seenAt, move] of this.#untold.takeWhere(isThere)) yield this.#stepOf(seenAt, move);
  }

  #draftsOf(report: Named): ChangeDraft[] {
    const draft = this.#draftOf(report);
    // A move that is kept back is no word of what stands there.
    if (report.what !== 'removed' && (draft !== undefined || report.from === undefined)) this.#standing.delete(report.path);
    if (draft === undefined) return [];
    if (draft.from !== undefined) {
      this.#fresh.set(draft.from, REMOVED);
      this.#untold.moved(draft.from, draft.path);
    }
    this.#fresh.set(draft.path, draft.what === 'removed' ? REMOVED : contentOfReport(report));
    if (draft.kind === 'directory' && draft.what === 'created') this.#rememberNew(draft.path);
    return isFolderMove(draft) ? [draft, ...this.#takenOut(draft.path), ...this.#goneBefore(draft)] : [draft];
  }

  /**
   * Under the names that were told: the watch goes on from where it reported to have seen something, which may not have been told. Before it, where the report
   * is of something else that came to such a place, the removal of what was there.
   */
  #inToldNames(noticed: Noticed): Named[] {
    const { path, kind, what, from, ino } = noticed;
    const told = from === undefined ? undefined : this.#untold.toldOf(from);
    if (from !== undefined) {
      this.#untold.take(from);
      if (kind === 'directory') this.#untold.wentOn(from, path);
    }
    const there = this.#untold.take(path);
    const place = this.#untold.toldOf(path);
    const { from: _, ...here } = { ...noticed, path: place, seenAt: path };
    if (there === undefined) return [told === undefined || told === place ? here : { ...here, from: told }];
    if (what === 'removed') return [{ ...here, path: there.told }];
    // It is the same, or was written over where it is.
    if (told === undefined && there.kind === kind && (there.ino === ino || this.#known(place) !== contentOfReport(noticed)))
      return [there.told === place ? here : { ...here, from: there.told }];
    return [removalOf(there), told === undefined || told === place ? here : { ...here, from: told }];
  }

  /** Before anything else is told of where it is told to be, what went on from there is told to have left. */
  #leftBefore(report: Named): [string, UntoldMove][] {
    const { path, from, kind, what, ino } = report;
    const isEcho = what !== 'removed' && this.#known(path) === contentOfReport(report);
    const isWhole = kind === 'directory' && (what === 'removed' || from !== undefined);
    return this.#untold.takeWhere((_, move) => {
      // One folder is as another.
      if (isEcho) return kind === 'directory' && what === 'created' && move.told === path && move.ino !== ino && !this.#isByCall(path);
      return move.told === path || move.told === from || (isWhole && movedPath(move.told, path, '') !== undefined);
    });
  }

  #stepOf(seenAt: string, move: UntoldMove): ChangeDraft[] {
    const { told, kind, content } = move;
    const to = this.#untold.toldOf(seenAt);
    const before = this.#known(told);
    if (to === told || before === REMOVED) return [];
    const there = this.#known(to);
    // A call put another there.
    if (there !== undefined && there !== REMOVED && this.#isByCall(to) && this.#lstat(to) !== undefined)
      return this.#draftsOf(removalOf(move));
    this.#fresh.set(told, REMOVED);
    this.#fresh.set(to, content);
    this.#standing.delete(to);
    this.#untold.moved(told, to);
    const after = hashOrNull(content);
    return [{ path: to, kind, what: 'moved', from: told, before: hashOrNull(before) ?? after, after, cause: { kind: 'outside' }, content }];
  }

  /** What was reported to be gone while something stood there again: whether that is still so, a further look has to say. Each is given once. */
  takeDoubtful(): string[] {
    const paths = [...this.#doubtful];
    this.#doubtful.clear();
    return paths;
  }

  /** What is not as it was told, of some hundred entries at most where calls and others made, moved or removed the same folders. Each is given once. */
  takeDifferences(): string[] {
    return this.#meetings.differences();
  }

  /** We took it out of a folder of which nobody knew yet that it was moved there: the move brings it back for who follows. */
  #takenOut(folder: string): ChangeDraft[] {
    const gone = this.#journal.leftSince(folder).filter(({ path }) => this.#isByCall(path) && this.#lstat(path) === undefined);
    for (const { path } of gone) this.#fresh.set(path, REMOVED);
    return gone.map(({ path, kind }) => ({ path, kind, what: 'removed', before: null, after: null, cause: { kind: 'outside' } }));
  }

  /** What was gone from the folder before that moved does not come along, whatever stood there again. */
  #goneBefore({ path: to, from }: ChangeDraft): ChangeDraft[] {
    const drafts: ChangeDraft[] = [];
    for (const [path, { kind, at }] of [...this.#standing].reverse()) {
      // What stands there now came along.
      if (movedPath(path, to, '') !== undefined) this.#standing.delete(path);
      const now = from === undefined || performance.now() - at > MOVED_TREE_MS ? undefined : movedPath(path, from, to);
      if (now === undefined || now === to) continue;
      this.#standing.delete(path);
      if (this.#lstat(now) !== undefined) continue;
      drafts.unshift({ path: now, kind, what: 'removed', before: null, after: null, cause: { kind: 'outside' } });
      this.#fresh.set(now, REMOVED);
    }
    return drafts;
  }

  #draftOf(noticed: Named): ChangeDraft | undefined {
    if (noticed.what === 'removed') return this.#removalOf(noticed.path, noticed.kind);
    const report = this.#whereNow(this.#withTrueOrigin(noticed));
    const before = this.#known(report.path);
    const content = contentOfReport(report);
    const isEcho = this.#isEcho(report, before, content);
    if ((isEcho && !this.#isMove(report)) || !this.#holds(report)) {
      return report.from === undefined ? undefined : this.#keepBack(report, report.from);
    }
    const draft: ChangeDraft = {
      path: report.path,
      kind: report.kind,
      what: report.what,
      before: hashOrNull(before),
      after: hashOrNull(content),
      cause: { kind: 'outside' },
      content,
    };
    if (report.kind === 'file') draft.size = report.size;
    const from = this.#originOf(report);
    if (from !== undefined) {
      draft.what = 'moved';
      draft.from = from;
      draft.before = hashOrNull(this.#known(from)) ?? draft.after;
      if (report.kind === 'directory') {
        // Who was told that it is gone has none of what it brings along.
        if (this.#known(from) === REMOVED) this.#meetings.arrived(report.path);
        if (this.#isNew(from)) this.#rememberNew(report.path);
      }
    } else if (before === undefined && this.#movedHere(report)) {
      return undefined;
    } else if (before !== undefined) draft.what = before === REMOVED ? 'created' : 'changed';
    return draft;
  }

  /** Where we have put a file in the place of a folder since, or a folder in that of a file, it is not what is told to stand there that moved on. */
  #withTrueOrigin(noticed: Named): Named {
    const told = noticed.from === undefined ? undefined : this.#known(this.#placeNow(noticed.from));
    if (told === undefined || told === REMOVED || (told === FOLDER) === (noticed.kind === 'directory')) return noticed;
    if (noticed.kind === 'directory') this.#meetings.arrived(noticed.path);
    return { ...noticed, from: undefined };
  }

  /** What is as it was told has another's place: the move says which it is. False where we moved it, and that was told. */
  #isMove({ path, kind, from, ino }: Noticed): boolean {
    const place = from === undefined ? path : this.#placeNow(from);
    if (from === undefined || place === path || this.#known(place) === REMOVED) return false;
    if (kind !== 'directory') return this.#lstat(from) === undefined;
    if (this.#movedTrees.some((tree) => tree.from === from && tree.to === path)) return false;
    // Another one may stand there by now.
    return this.#lstat(from)?.ino !== ino;
  }

  /** The place that it left, as it is told; undefined where it is told as new. */
  #originOf({ kind, from: reported }: Noticed): string | undefined {
    if (reported === undefined) return undefined;
    const from = this.#placeNow(reported);
    if (this.#known(from) !== REMOVED && (from === reported || this.#lstat(from) === undefined)) return from;
    // The watch did not see it where we put it.
    const put =
      kind === 'file' && this.#known(reported) === REMOVED && this.#isByCall(reported) ? this.#journal.movedTo(reported) : undefined;
    if (put !== undefined && this.#lstat(put) === undefined) return put;
    // A folder is not told with its files where it only moved, even where another that stood there since is gone by now.
    return kind === 'directory' && this.#lstat(reported) === undefined ? reported : undefined;
  }

  /** Undefined where that is known already, or something like it stands there again: that has a newer report, or was put there by us. */
  #removalOf(reported: string, kind: EntryKind): ChangeDraft | undefined {
    const path = this.#placeNow(reported);
    const gone = this.#known(path);
    if (gone === REMOVED) return undefined;
    const there = this.#lstat(path) ?? this.#lstat(reported);
    // What nobody told of before is gone for certain where something of another kind stands.
    const isReplaced = gone === undefined && there !== undefined && there.isDirectory() !== (kind === 'directory');
    if (there !== undefined && !isReplaced) {
      this.#doubtful.add(reported);
      this.#standing.delete(path);
      this.#standing.set(path, { kind, at: performance.now() });
      for (const [old, { at }] of this.#standing) {
        if (this.#standing.size <= MAX_STANDING && performance.now() - at < MOVED_TREE_MS) break;
        this.#standing.delete(old);
      }
      return undefined;
    }
    const kindThere = gone === FOLDER ? 'directory' : kind;
    return { path, kind: kindThere, what: 'removed', before: hashOrNull(gone), after: null, cause: { kind: 'outside' } };
  }

  /** The move does not hold any more. What comes next of what moved goes out from where it is told to be. */
  #keepBack(report: Named, from: string): ChangeDraft | undefined {
    const { path, kind, what, ino, seenAt } = report;
    const isGone = this.#known(from) === REMOVED;
    const put = isGone && this.#isByCall(from) ? this.#journal.movedTo(from) : undefined;
    const told = isGone ? (put ?? (kind === 'directory' ? from : undefined)) : from;
    const content = contentOfReport(report);
    if (told !== undefined && (this.#known(path) !== content || this.#standing.has(path)))
      this.#untold.add(seenAt, { told, kind, ino, content });
    // What it was put over is gone with it.
    return what === 'changed' && !isGone ? this.#removalOf(path, kind) : undefined;
  }

  #isEcho(report: Noticed, before: string | undefined, content: string): boolean {
    if (this.#forgetWrites) return false;
    if (before === content) return true;
    // It was not hashed when it came here, but it is the same file of the same time.
    if (report.hash === null || before !== statIdentity(report)) return false;
    this.#journal.learn(report.path, report.hash);
    return true;
  }

  /** As of where it is now, if its folder or itself, being one, was moved since, and that was told. */
  #whereNow(report: Named): Named {
    if (this.#lstat(report.path) !== undefined) return report;
    let path = report.path;
    for (const { from, to, at } of this.#movedTrees) if (performance.now() - at < MOVED_TREE_MS) path = movedPath(path, from, to) ?? path;
    const stat = path === report.path ? undefined : this.#lstat(path);
    return stat !== undefined && stat.ino === report.ino && isAsReported(report, stat) ? { ...report, path } : report;
  }

  /** False when the path is not as the report says any more: a newer report follows. */
  #holds(report: Noticed): boolean {
    const stat = this.#lstat(report.path);
    if (stat === undefined) return this.#heldUntilNow(report);
    if (isAsReported(report, stat)) return true;
    // What another took the place of may have moved on with its folder.
    return report.from === undefined && stat.ino !== report.ino && !this.#isByCall(report.path);
  }

  /**
   * Nothing stands there now: what was there moved on, itself or with a folder above it, which takes along what is known to be in it, or was removed. That is
   * told next. What a call took away was gone when that was told.
   */
  #heldUntilNow({ path, kind, from }: Noticed): boolean {
    // Of a workspace that is gone nothing is told: it may come back as it was.
    if (this.#lstat('') === undefined) return false;
    if (from !== undefined) return this.#known(from) !== REMOVED && (kind === 'directory' || this.#lstat(from) === undefined);
    for (let at = path; at !== ''; at = parentPath(at)) if (this.#known(at) === REMOVED && this.#isByCall(at)) return false;
    return true;
  }

  #lstat(wirePath: string): fs.Stats | undefined {
    try {
      using place = this.#containment.place(wirePath, false);
      return fs.lstatSync(place.at, { throwIfNoEntry: false });
    } catch (error) {
      if (error instanceof OutriggerError && error.reason === 'TOO_MANY_FILES') return this.#lstatByPath(wirePath);
      // A folder on the way is gone, or leads elsewhere now: its own report follows.
      return undefined;
    }
  }

  #names(wirePath: string): readonly string[] {
    try {
      using folder = this.#containment.directory(wirePath);
      return fs.readdirSync(folder.at);
    } catch {
      return [];
    }
  }

  /** Needs no descriptor, and may look outside where a folder was just swapped for a link: it is only compared with what the watch saw. */
  #lstatByPath(wirePath: string): fs.Stats | undefined {
    try {
      return fs.lstatSync(path.join(this.#containment.root, wirePath), { throwIfNoEntry: false });
    } catch {
      return undefined;
    }
  }

  /** We moved a folder, and that was told as one change. */
  rememberMove(from: string, to: string): void {
    const now = performance.now();
    this.#movedTrees = this.#movedTrees.filter((tree) => now - tree.at < MOVED_TREE_MS);
    const isNew = this.#isNew(from);
    this.#movedTrees.push({ from, to, at: now, ctimeMs: this.#ctimeOfMove(from, to), isNew });
    if (isNew) this.#rememberNew(to);
  }

  /** What changes in one of the three folders after the move makes only its own time later. */
  #ctimeOfMove(from: string, to: string): number {
    return Math.min(...[to, parentPath(to), parentPath(from)].map((folder) => this.#lstat(folder)?.ctimeMs ?? Number.POSITIVE_INFINITY));
  }

  #rememberNew(folder: string): void {
    const now = performance.now();
    for (const [path, at] of this.#newFolders) {
      if (now - at < MOVED_TREE_MS) break;
      this.#newFolders.delete(path);
    }
    this.#newFolders.delete(folder);
    this.#newFolders.set(folder, now);
  }

  /** Whether the folder, or one above it and below `top`, came a moment ago. */
  #isNew(folder: string, top = ''): boolean {
    for (let path = folder; path !== top; path = parentPath(path))
      if (performance.now() - (this.#newFolders.get(path) ?? Number.NEGATIVE_INFINITY) < MOVED_TREE_MS) return true;
    return false;
  }

  /**
   * Where something would be by now that stood at a path: its folder may have been moved since, which was told as one move. The watch may tell that move as
   * the removal of all in the folder, or tell late of what had left it before.
   */
  #placeNow(path: string): string {
    const told = this.#known(path);
    // It came there after the folder was moved.
    if (told !== undefined && told !== REMOVED) return path;
    let place = path;
    for (const { from, to, at } of this.#movedTrees)
      if (place.startsWith(`${from}/`) && performance.now() - at < MOVED_TREE_MS) place = to + place.slice(from.length);
    return place;
  }

  /** It came along with its folder, which we moved and told as one move; of a new folder nothing was told that is not known. */
  #movedHere(report: Noticed): boolean {
    const now = performance.now();
    const trees = this.#movedTrees.filter(
      ({ to, at, isNew }) =>
        !isNew && report.path.startsWith(`${to}/`) && now - at < MOVED_TREE_MS && !this.#isNew(parentPath(report.path), to),
    );
    if (trees.length === 0) return false;
    // Not the mtime: what is moved, unpacked or copied into the folder brings an old one with it.
    const ctimeMs = this.#lstat(report.path)?.ctimeMs;
    const moved = ctimeMs !== undefined && trees.some((tree) => ctimeMs < tree.ctimeMs - TOLD_MS);
    if (moved) this.#journal.learn(report.path, contentOfReport(report));
    return moved;
  }
}

function isFolderMove({ kind, what }: ChangeDraft): boolean {
  return kind === 'directory' && what === 'moved';
}

function removalOf({ told, kind, ino }: UntoldMove): Named {
  return { path: told, seenAt: told, kind, what: 'removed', size: 0, mtimeMs: 0, ino, hash: null };
}

/** What is told to be at a path, as of the last draft. */
type Known = (path: string) => string | undefined;

function isAsReported(report: Noticed, stat: fs.Stats): boolean {
  return report.kind === 'directory'
    ? stat.isDirectory()
    : stat.ino === report.ino && stat.size === report.size && stat.mtimeMs === report.mtimeMs;
}

/** Whether what a report says is told to be otherwise. */
function isUntold(report: Noticed, known: Known): boolean {
  const { path, from } = report;
  if (known(path) !== (report.what === 'removed' ? REMOVED : contentOfReport(report))) return true;
  return from !== undefined && known(from) !== REMOVED;
}

function contentOfReport(report: Noticed): string {
  if (report.kind === 'directory') return FOLDER;
  return report.hash ?? statIdentity(report);
}
