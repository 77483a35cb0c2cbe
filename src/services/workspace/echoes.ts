import fs from 'node:fs';
import path from 'node:path';
import { OutriggerError } from '../../contract/errors.ts';
import { parentPath } from '../../contract/paths.ts';
import type { Cause, EntryKind } from '../../contract/events.ts';
import { movedPath } from '../../core/moved-path.ts';
import type { Containment } from './containment.ts';
import { hashOrNull, statIdentity } from './content.ts';
import { type ChangeDraft, FOLDER, type Journal, REMOVED } from './journal.ts';
import type { KnownContents } from './known-contents.ts';
import { KnownInBatch } from './known-in-batch.ts';
import { Meetings } from './meetings.ts';

/** How long the watch may take to tell of a move in its own way. */
const MOVED_TREE_MS = 10_000;
/** What was touched so long before its folder was moved was told by then. */
const TOLD_MS = 2_000;
/** Beyond that all are told as what the watch saw. */
const MOST_GONE = 1000;

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
  /** The inode number of the folder in which it stood then. */
  folderIno?: number | undefined;
  /** It took the place of this, a directory or none, whose removal is not reported. */
  replaced?: EntryKind | undefined;
}

interface MovedTree {
  from: string;
  to: string;
  /** Undefined where it was gone from there by the time that this was told. */
  ino: number | undefined;
  /** By the monotonic clock. */
  at: number;
  /** The same by the clock of the file system: what came along was last touched before, what came there since was touched after. */
  ctimeMs: number;
  isNew: boolean;
  cause: Cause;
  /** The watch told it, which then tells of nothing in it that it told before. */
  byWatch: boolean;
}

/**
 * Tells what the watch saw that is news from what is the echo of our own writes: by content, with no timers and no lists of
 * paths to pass over. What is known by its content already was told when it was made.
 */
export class Echoes {
  readonly #containment: Containment;
  readonly #journal: Journal;
  readonly #contents: Pick<KnownContents, 'last'>;
  readonly #forgetWrites: boolean;
  #movedTrees: MovedTree[] = [];
  /** Folders that came from outside a moment ago, and when by the monotonic clock: what is in them may not have been told yet. */
  readonly #newFolders = new Map<string, number>();
  readonly #doubtful = new Set<string>();
  /** Files of which nothing was told, and that were gone for a moment: what comes there next is a change to who has seen them. */
  readonly #goneForAMoment = new Set<string>();
  readonly #meetings: Meetings;

  constructor(
    dependencies: { containment: Containment; journal: Journal; contents: Pick<KnownContents, 'last'> },
    options: { forgetWrites?: boolean; ignored: (path: string) => boolean },
  ) {
    this.#containment = dependencies.containment;
    this.#journal = dependencies.journal;
    this.#contents = dependencies.contents;
    this.#forgetWrites = options.forgetWrites === true;
    const { ignored } = options;
    this.#meetings = new Meetings({
      journal: this.#journal,
      disk: { lstat: (at) => this.#lstat(at), names: (folder) => this.#names(folder), ignored },
    });
    this.#journal.onChanges((changes) => this.#meetings.ours(changes));
  }

  /** What the reports tell that was not told yet, in order: changes that came from outside. */
  newsOf(reports: readonly Noticed[]): ChangeDraft[] {
    const drafts: ChangeDraft[] = [];
    // A path may stand in one batch twice; the second is compared with the first.
    const batch = new KnownInBatch((path) => this.#journal.known(path));
    const { known } = batch;
    for (const report of reports) {
      if (isUntold(report, known)) this.#meetings.theirs(report);
      // Of what was told before, the journal says itself that it is gone.
      if (report.replaced !== undefined && known(report.path) === undefined) {
        drafts.push({ path: report.path, kind: report.replaced, what: 'removed', before: null, after: null, cause: { kind: 'outside' } });
        batch.told(report.path, REMOVED);
      }
      const draft = this.#draftOf(report, known);
      if (draft === undefined) continue;
      const { path: at, kind, what, from } = draft;
      if (what !== 'removed') drafts.push(...this.#foldersAbove(at, batch));
      if (kind === 'directory' && (from !== undefined || what === 'removed'))
        batch.folderWent(from ?? at, from === undefined ? undefined : at);
      else if (from !== undefined) batch.told(from, REMOVED);
      batch.told(at, what === 'removed' ? REMOVED : contentOfReport(report));
      if (kind === 'directory' && what === 'created') this.#rememberNew(at);
      drafts.push(draft);
      if (kind === 'directory' && what === 'moved') drafts.push(...this.#takenOut(at, batch));
    }
    return drafts;
  }

  /** Those that were not told, as they had gone on by then: what is told to be in one needs it, and goes along where it went. */
  #foldersAbove(path: string, batch: KnownInBatch): ChangeDraft[] {
    const drafts: ChangeDraft[] = [];
    const hasGoneOn = (folder: string): boolean => folder !== '' && batch.known(folder) === REMOVED && this.#lstat(folder) === undefined;
    for (let folder = parentPath(path); hasGoneOn(folder); folder = parentPath(folder)) {
      batch.told(folder, FOLDER);
      this.#rememberNew(folder);
      const made = { path: folder, kind: 'directory', what: 'created', before: null, after: null, content: FOLDER } as const;
      drafts.unshift({ ...made, cause: { kind: 'outside' } });
    }
    return drafts;
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
  #takenOut(folder: string, batch: KnownInBatch): ChangeDraft[] {
    const gone = this.#journal.leftSince(folder).filter(({ path }) => this.#lstat(path) === undefined);
    for (const { path } of gone) batch.told(path, REMOVED);
    return gone.map(({ path, kind }) => ({ path, kind, what: 'removed', before: null, after: null, cause: { kind: 'outside' } }));
  }

  #draftOf(noticed: Noticed, known: (path: string) => string | undefined): ChangeDraft | undefined {
    if (noticed.what === 'removed') return this.#removalOf(noticed.path, noticed.kind, known);
    const report = this.#withoutOurMove(this.#whereNow(this.#withTrueOrigin(noticed, known)), known);
    const before = known(report.path);
    const content = contentOfReport(report);
    const isEcho = this.#isEcho(report, before, content);
    if ((isEcho && !this.#isFolderMove(report, known)) || !this.#holds(report, known)) {
      // Whatever there is to tell of its new place, what was moved is no longer at its old one.
      return report.from === undefined ? undefined : this.#removalOf(report.from, report.kind, known);
    }
    const stoodThere = this.#goneForAMoment.delete(report.path) && report.kind !== 'directory';
    const draft: ChangeDraft = {
      path: report.path,
      kind: report.kind,
      what: stoodThere ? 'changed' : report.what,
      before: hashOrNull(before),
      after: hashOrNull(content),
      cause: { kind: 'outside' },
      content,
    };
    if (report.kind === 'file') draft.size = report.size;
    if (before === undefined && draft.what === 'changed') draft.before = this.#lastRead(report.path, content);
    const from = this.#originOf(report, known);
    if (from !== undefined) {
      draft.what = 'moved';
      draft.from = from;
      draft.before = hashOrNull(known(from)) ?? draft.after;
      if (report.kind === 'directory') {
        // Who was told that it is gone has none of what it brings along.
        if (known(from) === REMOVED) this.#meetings.arrived(report.path);
        this.#remember(from, report.path, draft.cause, true);
      }
    } else if (before === undefined) {
      const moves = this.#movesTo(report);
      if (this.#cameAlong(report, moves)) return undefined;
      draft.cause = this.#mover(report, moves) ?? draft.cause;
    } else draft.what = before === REMOVED ? 'created' : 'changed';
    return draft;
  }

  /** Where we have put a file in the place of a folder since, or a folder in that of a file, it is not what is told to stand there that moved on. */
  #withTrueOrigin(noticed: Noticed, known: (path: string) => string | undefined): Noticed {
    const told = noticed.from === undefined ? undefined : known(this.#placeNow(noticed.from, known));
    if (told === undefined || told === REMOVED || (told === FOLDER) === (noticed.kind === 'directory')) return noticed;
    if (noticed.kind === 'directory') this.#meetings.arrived(noticed.path);
    return { ...noticed, from: undefined };
  }

  /** A folder that went along with one that we moved is told by that, also where the watch tells it by itself, as another stood at the old place by then. */
  #withoutOurMove(report: Noticed, known: (path: string) => string | undefined): Noticed {
    const { path, kind, from } = report;
    if (kind !== 'directory' || from === undefined) return report;
    // Another of its name may have been moved before.
    const isOurs = this.#movedTrees.some(
      (tree, index) => !tree.byWatch && from.startsWith(`${tree.from}/`) && this.#placeNow(from, known, index) === path,
    );
    return isOurs ? { ...report, from: undefined } : report;
  }

  /** A folder in the place of another is not told with its files but by its move. False where that was told. */
  #isFolderMove({ path, kind, from, ino }: Noticed, known: (path: string) => string | undefined): boolean {
    const place = from === undefined ? path : this.#placeNow(from, known);
    if (kind !== 'directory' || from === undefined || place === path || known(place) === REMOVED) return false;
    if (this.#isToldMove(from, path, ino)) return false;
    // Another one may stand there by now.
    return this.#lstat(from)?.ino !== ino;
  }

  /** Whether moves that were told brought what stood at `from` to `path`, and this very folder was among them. */
  #isToldMove(from: string, path: string, ino: number): boolean {
    return this.#movedTrees.some((first, index) => {
      if (movedPath(from, first.from, first.to) === undefined) return false;
      const moves = this.#movedTrees.slice(index);
      return (
        moves.some((move) => move.ino === ino) &&
        moves.reduce((place, move) => movedPath(place, move.from, move.to) ?? place, from) === path
      );
    });
  }

  /** The place that it left, as it is told; undefined where it is told as new, or stands where we put it. */
  #originOf({ path, kind, from: reported }: Noticed, known: (path: string) => string | undefined): string | undefined {
    if (reported === undefined) return undefined;
    // The watch did not see it where we put it.
    const put = kind !== 'directory' && known(reported) === REMOVED ? this.#journal.movedTo(reported) : undefined;
    if (put === path) return undefined;
    if (put !== undefined && this.#lstat(put) === undefined) return put;
    const from = this.#placeNow(reported, known);
    if (known(from) !== REMOVED && (from === reported || this.#lstat(from) === undefined)) return from;
    // A folder is not told with its files where it only moved, even where another that stood there since is gone by now.
    return kind === 'directory' && this.#lstat(reported) === undefined ? reported : undefined;
  }

  /** Undefined where that is known already, or something like it stands there again: that has a newer report, or was put there by us. */
  #removalOf(reported: string, kind: EntryKind, known: (path: string) => string | undefined): ChangeDraft | undefined {
    const path = this.#placeNow(reported, known);
    const gone = known(path);
    if (gone === REMOVED) return undefined;
    // What was told of it did not go along with the folder: it came there after that, and its end was told.
    if (gone === undefined && path !== reported && known(reported) === REMOVED) return undefined;
    const there = this.#lstat(path) ?? (path === reported ? undefined : this.#lstat(reported));
    // What nobody told of before is gone for certain where something of another kind stands.
    const isReplaced = gone === undefined && there !== undefined && there.isDirectory() !== (kind === 'directory');
    if (there !== undefined && !isReplaced) {
      this.#doubtful.add(reported);
      if (this.#goneForAMoment.size >= MOST_GONE) this.#goneForAMoment.clear();
      if (gone === undefined && kind !== 'directory') this.#goneForAMoment.add(path);
      return undefined;
    }
    this.#goneForAMoment.delete(path);
    return { path, kind: kindTold(gone, kind), what: 'removed', before: hashOrNull(gone), after: null, cause: { kind: 'outside' } };
  }

  /** What a call or a document found in a file of which no change was told yet. */
  #lastRead(path: string, now: string): string | null {
    const last = this.#contents.last(path);
    return last === now ? null : hashOrNull(last);
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
  #whereNow(report: Noticed): Noticed {
    if (this.#lstat(report.path) !== undefined) return report;
    let path = report.path;
    for (const { from, to, at } of this.#movedTrees) if (performance.now() - at < MOVED_TREE_MS) path = movedPath(path, from, to) ?? path;
    const stat = path === report.path ? undefined : this.#lstat(path);
    return stat !== undefined && stat.ino === report.ino && isAsReported(report, stat) ? { ...report, path } : report;
  }

  /** False when the path is not as the report says any more: a newer report follows. */
  #holds(report: Noticed, known: (path: string) => string | undefined): boolean {
    const stat = this.#lstat(report.path);
    if (stat === undefined) return this.#heldUntilNow(report, known);
    return isAsReported(report, stat) || this.#isWrittenSince(report, stat, known);
  }

  /** A file that moved there, and that nobody told of since: it has moved all the same. Another one that has its number by now is younger. */
  #isWrittenSince({ path, kind, from, ino, mtimeMs }: Noticed, stat: fs.Stats, known: (path: string) => string | undefined): boolean {
    if (from === undefined || kind !== 'file' || !stat.isFile()) return false;
    const there = known(path);
    return (there === undefined || there === REMOVED) && stat.ino === ino && stat.birthtimeMs <= mtimeMs;
  }

  /**
   * Nothing stands there now. Where a folder moved on, or one above did, the move that is told next takes along what is known to be in it: that is told
   * first. A file that moved on is told step by step. What was told to be gone is gone.
   */
  #heldUntilNow({ path, kind, from, folderIno }: Noticed, known: (path: string) => string | undefined): boolean {
    // Of a workspace that is gone nothing is told: it may come back as it was.
    if (this.#lstat('') === undefined) return false;
    if (from !== undefined) {
      if (known(from) === REMOVED) return false;
      // What stands at its old place by now may be the same, which came back: that says nothing where it went on with its folder.
      const wentOn = folderIno !== undefined && this.#lstat(parentPath(path))?.ino !== folderIno;
      return kind === 'directory' || wentOn || this.#lstat(from) === undefined;
    }
    const parent = parentPath(path);
    if (parent === '' || this.#lstat(parent) !== undefined) return false;
    for (let folder = parent; folder !== ''; folder = parentPath(folder)) if (known(folder) === REMOVED) return false;
    return true;
  }

  #lstat(wirePath: string): fs.Stats | undefined {
    // Of many that are gone this is all that has to be known; why a place can't be had costs ten times as much.
    if (this.#lstatByPath(wirePath) === undefined) return undefined;
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
  rememberMove(from: string, to: string, cause: Cause): void {
    this.#remember(from, to, cause, false);
  }

  #remember(from: string, to: string, cause: Cause, byWatch: boolean): void {
    const now = performance.now();
    this.#movedTrees = this.#movedTrees.filter((tree) => now - tree.at < MOVED_TREE_MS);
    const isNew = this.#isNew(from);
    const ino = this.#lstat(to)?.ino;
    this.#movedTrees.push({ from, to, ino, at: now, ctimeMs: this.#ctimeOfMove(from, to), isNew, cause, byWatch });
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
   * the removal of all in the folder, or tell late of what had left it before. `since`: moves before that one do not count.
   */
  #placeNow(path: string, known: (path: string) => string | undefined, since = 0): string {
    const told = known(path);
    // It came there after the folder was moved.
    if (told !== undefined && told !== REMOVED) return path;
    let place = path;
    for (const { from, to, at } of since === 0 ? this.#movedTrees : this.#movedTrees.slice(since))
      if (place.startsWith(`${from}/`) && performance.now() - at < MOVED_TREE_MS) place = to + place.slice(from.length);
    return place;
  }

  /** What we moved and told as one move, and it may have come along with; of a new folder nothing was told that is not known. */
  #movesTo(report: Noticed): MovedTree[] {
    const now = performance.now();
    return this.#movedTrees.filter(
      ({ to, at, isNew, byWatch }) =>
        !byWatch && !isNew && report.path.startsWith(`${to}/`) && now - at < MOVED_TREE_MS && !this.#isNew(parentPath(report.path), to),
    );
  }

  #cameAlong(report: Noticed, moves: readonly MovedTree[]): boolean {
    if (moves.length === 0) return false;
    // Not the mtime: what is moved, unpacked or copied into the folder brings an old one with it.
    const ctimeMs = this.#lstat(report.path)?.ctimeMs;
    const moved = ctimeMs !== undefined && moves.some((move) => ctimeMs < move.ctimeMs - TOLD_MS);
    if (moved) this.#journal.learn(report.path, contentOfReport(report));
    return moved;
  }

  /**
   * Who moved an old folder here. What was put into it, or taken out, around then makes its time that of now: whether it was told may be doubted, not who brought
   * it. A file may have been written by another.
   */
  #mover({ path, kind }: Noticed, moves: readonly MovedTree[]): Cause | undefined {
    const stat = moves.length === 0 || kind !== 'directory' ? undefined : this.#lstat(path);
    if (stat === undefined) return undefined;
    // To be put here since would change the time of its facts alone.
    const isOwnTime = stat.ctimeMs !== stat.mtimeMs;
    return moves.findLast((move) => stat.birthtimeMs < move.ctimeMs - TOLD_MS && (!isOwnTime || stat.ctimeMs <= move.ctimeMs))?.cause;
  }
}

function isAsReported(report: Noticed, stat: fs.Stats): boolean {
  return report.kind === 'directory'
    ? stat.isDirectory()
    : stat.ino === report.ino && stat.size === report.size && stat.mtimeMs === report.mtimeMs;
}

/** Whether what a report says is told to be otherwise. */
function isUntold(report: Noticed, known: (path: string) => string | undefined): boolean {
  const { path, from } = report;
  if (known(path) !== (report.what === 'removed' ? REMOVED : contentOfReport(report))) return true;
  return from !== undefined && known(from) !== REMOVED;
}

/** Of what has this content; `kind`, where that may be it. */
function kindTold(content: string | undefined, kind: EntryKind): EntryKind {
  if (content === FOLDER) return 'directory';
  return content !== undefined && kind === 'directory' ? 'file' : kind;
}

function contentOfReport(report: Noticed): string {
  if (report.kind === 'directory') return FOLDER;
  return report.hash ?? statIdentity(report);
}
