import { randomBytes } from 'node:crypto';
import fs from 'node:fs';
import { OutriggerError } from '../../contract/errors.ts';
import type { Cause, Change, EntryKind } from '../../contract/events.ts';
import { parentPath } from '../../contract/paths.ts';
import { RingBuffer } from '../../core/ring-buffer.ts';
import type { State } from '../state/state.ts';
import { type ChangeRow, pastChange } from './change-row.ts';
import { hashOrNull } from './content.ts';

const RECENT = 2048;
const REPLACES = 'ON CONFLICT(path) DO UPDATE SET hash = excluded.hash, revision = excluded.revision';
const PRUNE_EVERY = 1000;
const MAX_MOVES = 20;
const MAX_UNSTORED = 10_000;
/** Stands beside the database for as long as that holds all that was told of its epoch: it can be removed where nothing can be written. */
const WHOLE = 'journal.whole';

/** What stands in `known` for a path that was removed, and for a folder. */
export const REMOVED = '-';
export const FOLDER = '/';
/** How a path was left: by a move, which names the new place, or by removal. */
interface Left {
  revision: number;
  to?: string;
}

const LAST_LEFT = {
  move: 'SELECT revision, path FROM changes WHERE origin = ? AND revision > ? ORDER BY revision DESC LIMIT 1',
  removal: "SELECT revision FROM changes WHERE path = ? AND what = 'removed' AND revision > ? ORDER BY revision DESC LIMIT 1",
};
const FIRST_LEFT = {
  move: 'SELECT revision, path FROM changes WHERE origin = ? AND revision > ? ORDER BY revision LIMIT 1',
  removal: "SELECT revision FROM changes WHERE path = ? AND what = 'removed' AND revision > ? ORDER BY revision LIMIT 1",
};
/** Whether something came to a path in between, itself or with a folder above it. */
const ARRIVED = {
  itself: "SELECT 1 FROM changes WHERE path = ? AND revision > ? AND revision < ? AND what <> 'removed' LIMIT 1",
  along: "SELECT 1 FROM changes WHERE path = ? AND revision > ? AND revision < ? AND origin IS NOT NULL AND kind = 'directory' LIMIT 1",
};
/** Below a folder, but not below one that left it as a whole. */
const LEFT_SINCE = `SELECT known.path, changes.kind FROM known JOIN changes USING (revision)
  WHERE known.path > ? AND known.path < ? AND known.hash = ? AND known.revision > coalesce((SELECT revision FROM known WHERE path = ?), -1)
  AND ((changes.path = known.path AND changes.what = 'removed') OR changes.origin = known.path) ORDER BY known.path`;

/** For content of which nothing is known but that it is there. */
const UNHASHED = '?';

/** A change before it has its number. */
export interface ChangeDraft {
  path: string;
  kind: EntryKind;
  what: Change['what'];
  from?: string;
  before: string | null;
  after: string | null;
  size?: number;
  cause: Cause;
  note?: string;
  /** What stands for the content where there is no hash of it (too large, not a file): the watch's echo is known by that. */
  content?: string;
}

export interface SinceAnswer {
  changes: Change[];
  cursor: string;
  more: boolean;
  resync?: string;
}

type Listener = (changes: readonly Change[]) => void;

/**
 * The one counter over all changes of the folder, and what content each path was last known to have. A change is stored
 * before anybody hears of it, so a cursor that was given out holds after kill -9. What can't be stored (state disk full)
 * is still announced, under a new epoch that lives in memory alone until it can be stored again, so that old cursors answer
 * resync instead of lying. However it ends meanwhile, the next start takes a new epoch.
 */
export class Journal {
  #epoch: string;
  /** The revision at which it began. */
  #begun: number;
  #revision: number;
  #oldest: number;
  #sincePrune = 0;
  /** Said already that the state can't be written. */
  #failing = false;
  /** Changes were announced that are not stored: nothing of this epoch is in the database. */
  #memoryOnly = false;
  /** The next start is told that the database is whole. */
  #marked = false;
  /** What was known before this start may be of a time before other changes. */
  #hasForgotten = false;
  readonly #recent = new RingBuffer<Change>(RECENT);
  readonly #listeners = new Set<Listener>();
  readonly #known = new Map<string, string>();
  /** Of `known`, what could not be stored yet. */
  readonly #unstored = new Map<string, string>();
  /** That was too much to hold: of all that is stored in `known` nothing is sure. */
  #isUnsure = false;
  readonly #state: State;
  readonly #keep: number;
  readonly #now: () => number;
  readonly #onProblem: (problem: string | undefined) => void;

  constructor(
    dependencies: { state: State; now: () => number; onProblem: (problem: string | undefined) => void },
    options: { keep: number },
  ) {
    this.#state = dependencies.state;
    this.#now = dependencies.now;
    this.#onProblem = dependencies.onProblem;
    this.#keep = options.keep;
    const boot = bootId();
    const clean = this.#state.get('stopped') === 'clean';
    const sameBoot = this.#state.get('boot') === boot;
    const file = this.#state.databaseIdentity ?? '';
    // An older copy knows nothing of the numbers that were given since.
    const sameFile = (this.#state.get('file') ?? file) === file;
    // After a power cut the last commits may be gone, and their numbers would be given twice.
    const epoch = sameFile && (clean || sameBoot) && this.#state.hasFile(WHOLE) ? this.#state.get('epoch') : undefined;
    this.#epoch = epoch ?? newEpoch();
    const { last, first } = this.#state.statement('SELECT max(revision) AS last, min(revision) AS first FROM changes').get() as {
      last: number | null;
      first: number | null;
    };
    this.#revision = last ?? Number(this.#state.get('revision') ?? 0);
    this.#oldest = first ?? this.#revision + 1;
    this.#begun = epoch !== undefined ? Number(this.#state.get('begun') ?? 0) : this.#revision;
    this.#hasForgotten = epoch === undefined && last !== null;
    this.#state.transaction(() => {
      // What passes for known would be taken for told.
      if (this.#hasForgotten) this.#state.statement('DELETE FROM known').run();
      this.#state.set('epoch', this.#epoch);
      this.#state.set('begun', String(this.#begun));
      this.#state.set('file', file);
      this.#state.set('boot', boot);
      this.#state.set('stopped', 'no');
    });
    this.#mark();
  }

  get revision(): number {
    return this.#revision;
  }

  get cursor(): string {
    return `${this.#epoch}-${this.#revision}`;
  }

  cursorOf(revision: number): string {
    return `${this.#epoch}-${revision}`;
  }

  /** Content last known at a path: a hash, FOLDER, REMOVED, or undefined when nothing is known. */
  known(path: string): string | undefined {
    const cached = this.#unstored.get(path) ?? this.#known.get(path);
    if (cached !== undefined || this.#isUnsure) return cached;
    const row = this.#state.statement('SELECT hash FROM known WHERE path = ?').get(path) as { hash: string } | undefined;
    return row?.hash;
  }

  /**
   * Where what stood last at a path was moved to, itself or with a folder above it, as far as the journal reaches back. Undefined where it was removed, there or
   * on its way.
   */
  movedTo(path: string): string | undefined {
    let left = this.#lastLeft(path);
    for (let step = 1; left?.to !== undefined; step++) {
      // At each further place only what came later counts: what stood there before was something else.
      const next = step < MAX_MOVES ? this.#leftAt(left.to, FIRST_LEFT, left.revision)[0] : undefined;
      if (next === undefined) return left.to;
      left = next;
    }
    return undefined;
  }

  /** What is known below a folder, what was removed included; of more than `limit`, so many and one. */
  knownBelow(folder: string, limit?: number): { path: string; content: string }[] {
    const rows = this.#state
      .statement('SELECT path, hash AS content FROM known WHERE path > ? AND path < ? LIMIT ?')
      .all(`${folder}/`, `${folder}0`, limit === undefined ? -1 : limit + 1);
    const stored = (this.#isUnsure ? [] : rows) as unknown as { path: string; content: string }[];
    if (this.#unstored.size === 0) return stored;
    const below = new Map(stored.map(({ path, content }) => [path, content]));
    for (const [path, content] of this.#unstored) if (path.startsWith(`${folder}/`)) below.set(path, content);
    return [...below].map(([path, content]) => ({ path, content })).slice(0, limit === undefined ? undefined : limit + 1);
  }

  /** What was told to have left a folder after the folder itself, or what had its name before, was told last. */
  leftSince(folder: string): { path: string; kind: EntryKind }[] {
    const rows = this.#state.statement(LEFT_SINCE).all(`${folder}/`, `${folder}0`, REMOVED, folder);
    return rows as unknown as { path: string; kind: EntryKind }[];
  }

  /** Every path of which something else is known than at `revision`, in order; undefined where the journal does not reach back so far. */
  touchedSince(revision: number): string[] | undefined {
    if (this.#memoryOnly || this.#hasForgotten || !this.#reachesBackTo(revision)) return undefined;
    const rows = this.#state.statement('SELECT path FROM known WHERE revision > ? ORDER BY path').all(revision) as { path: string }[];
    return rows.map(({ path }) => path);
  }

  /** What happened to the folder since the last change is not known: all cursors up to here are answered with resync. */
  renew(): void {
    this.#epoch = newEpoch();
    this.#begun = this.#revision;
    const stored = this.#store(() => {
      this.#state.set('epoch', this.#epoch);
      this.#state.set('begun', String(this.#begun));
    });
    if (!stored) this.#beginInMemory();
    for (const listener of this.#listeners) this.#tell(listener, []);
  }

  /** How what stood last at a path left it. */
  #lastLeft(path: string): Left | undefined {
    let found: Left | undefined;
    for (const left of this.#leftAt(path, LAST_LEFT, 0)) {
      const bothRemoved = found?.to === undefined && left.to === undefined;
      // A folder above that went later took along only what had come there again.
      if (found === undefined || bothRemoved || this.#arrived(path, found.revision, left.revision)) found = left;
    }
    return found;
  }

  /** The last, or the first, changes after `revision` by which something left a path, of each way to leave it, in order. */
  #leftAt(path: string, order: typeof LAST_LEFT | typeof FIRST_LEFT, revision: number): Left[] {
    const found: Left[] = [];
    for (let end = path.length; end > 0; end = path.lastIndexOf('/', end - 1)) {
      const name = path.slice(0, end);
      const move = this.#state.statement(order.move).get(name, revision) as { revision: number; path: string } | undefined;
      const removal = this.#state.statement(order.removal).get(name, revision) as { revision: number } | undefined;
      if (move !== undefined) found.push({ revision: move.revision, to: move.path + path.slice(end) });
      if (removal !== undefined) found.push({ revision: removal.revision });
    }
    return found.sort((one, other) => one.revision - other.revision);
  }

  #arrived(path: string, after: number, before: number): boolean {
    if (this.#state.statement(ARRIVED.itself).get(path, after, before) !== undefined) return true;
    for (let folder = parentPath(path); folder !== ''; folder = parentPath(folder))
      if (this.#state.statement(ARRIVED.along).get(folder, after, before) !== undefined) return true;
    return false;
  }

  /** Remembers content that was seen without a change to announce (a first read, a silent echo). */
  learn(path: string, hash: string): void {
    if (this.known(path) === hash) return;
    this.#rememberKnown(path, hash);
    if (!this.#store(() => this.#upsertKnown(path, hash))) this.#keepKnown(path, hash);
  }

  /**
   * Numbers, stores and announces changes, in order, as one step. `also` is stored in the same transaction. Of what takes the place of something that was
   * not told to be gone, that is told first.
   */
  record(asked: readonly ChangeDraft[], also?: () => void): Change[] {
    if (asked.length === 0) {
      if (also !== undefined) this.#store(also);
      return [];
    }
    const drafts = this.#withGone(asked);
    const at = this.#now();
    const numbered = drafts.map((draft, index): Change => {
      const revision = this.#revision + index + 1;
      const change: Change = {
        type: 'change',
        revision,
        cursor: '',
        path: draft.path,
        kind: draft.kind,
        what: draft.what,
        before: draft.before,
        after: draft.after,
        cause: draft.cause,
        at,
      };
      if (draft.from !== undefined) change.from = draft.from;
      if (draft.size !== undefined) change.size = draft.size;
      if (draft.note !== undefined) change.note = draft.note;
      return change;
    });
    const stored = this.#store(() => {
      numbered.forEach((change, index) => this.#insert(change, drafts[index]?.content));
      also?.();
    });
    if (!stored) this.#keepInMemory(numbered, drafts);
    for (const change of numbered) {
      change.cursor = this.cursorOf(change.revision);
      this.#recent.push(change);
    }
    this.#revision += numbered.length;
    if (this.#memoryOnly) this.#oldest = Math.max(this.#oldest, this.#recent.at(0)?.revision ?? 0);
    this.#prune(numbered.length);
    for (const listener of this.#listeners) this.#tell(listener, numbered);
    return numbered;
  }

  #withGone(asked: readonly ChangeDraft[]): ChangeDraft[] {
    const left = new Set<string>();
    const hasLeft = (path: string): boolean => {
      for (let at = path; at !== ''; at = parentPath(at)) if (left.has(at)) return true;
      return false;
    };
    const lookedAt = new Set<string>();
    const made = new Set<string>();
    // Where something stands below what was told to be a file, that is a folder by now: the watch would tell it after what is in it.
    const filesAbove = (path: string): ChangeDraft[] => {
      const gone: ChangeDraft[] = [];
      for (let at = parentPath(path); at !== '' && !lookedAt.has(at); at = parentPath(at)) {
        lookedAt.add(at);
        const content = hasLeft(at) ? REMOVED : this.known(at);
        if (content === FOLDER) break;
        if (content === undefined || hashOrNull(content) === null) continue;
        gone.unshift(removal({ path: at, content }), put(at, 'directory'));
        made.add(at);
      }
      return gone;
    };
    return asked.flatMap((draft) => {
      const { path, kind, what, from } = draft;
      if (made.has(path) && kind === 'directory' && (what === 'created' || what === 'changed')) return [];
      const above = what === 'removed' ? [] : filesAbove(path);
      const origin = from === undefined || left.has(from) ? [] : this.#ofOtherKind(from, kind);
      for (const gone of what === 'removed' ? [path] : from === undefined ? [] : [from]) {
        left.add(gone);
        made.delete(gone);
      }
      const before = made.has(path) ? FOLDER : this.known(path);
      const there = what === 'removed' || hasLeft(path) ? REMOVED : (before ?? REMOVED);
      const isOfOtherKind = there !== REMOVED && (there === FOLDER) !== (kind === 'directory');
      // A folder that takes the place of one is there as that was.
      const isPut = kind === 'file' || what !== 'changed';
      const gone = there === FOLDER && isPut ? this.#thereBelow(path).filter((one) => !hasLeft(one.path)) : [];
      if (isOfOtherKind) gone.push({ path, content: there });
      const now: ChangeDraft = isOfOtherKind && what !== 'moved' ? { ...draft, what: 'created', before: null } : draft;
      return [...above, ...gone.map(removal), ...origin, now];
    });
  }

  /** Others put a folder in the place of a file, or a file in that of a folder, before it was moved on. */
  #ofOtherKind(from: string, kind: EntryKind): ChangeDraft[] {
    const content = this.known(from);
    if (content === undefined || content === REMOVED || (content === FOLDER) === (kind === 'directory')) return [];
    return [...[...this.#thereBelow(from), { path: from, content }].map(removal), put(from, kind)];
  }

  /** What is in a folder comes before it. */
  #thereBelow(folder: string): { path: string; content: string }[] {
    const there = this.knownBelow(folder).filter(({ content }) => content !== REMOVED);
    return there.sort((one, other) => (one.path < other.path ? 1 : -1));
  }

  /** The change was made, whatever becomes of one who hears of it. */
  #tell(listener: Listener, changes: readonly Change[]): void {
    try {
      listener(changes);
    } catch (error) {
      this.#onProblem(`Not all parts took in the last change: ${(error as Error).message}`);
    }
  }

  /** Called in the same turn as the changes, with none where only the epoch is new; what it throws is told as a problem. Returns the way to stop. */
  onChanges(listener: Listener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** At most `limit` changes after `cursor`; without one, the newest. Throws BAD_CURSOR for what is no cursor. */
  since(cursor: string | undefined, limit: number): SinceAnswer {
    if (cursor === undefined) {
      const changes = this.#read(Math.max(this.#oldest - 1, this.#revision - limit), limit);
      return { changes, cursor: this.cursor, more: false };
    }
    const { epoch, revision } = parseCursor(cursor);
    const why = this.#unknown(epoch, revision);
    if (why !== undefined) return { changes: [], cursor: this.cursor, more: false, resync: why };
    const changes = this.#read(revision, limit);
    const last = changes.at(-1)?.revision ?? revision;
    return { changes, cursor: this.cursorOf(last), more: last < this.#revision };
  }

  /** After this, the same numbers go on at the next start. */
  close(): void {
    this.#store(() => {
      this.#state.set('revision', String(this.#revision));
      this.#state.set('stopped', 'clean');
    });
    this.#listeners.clear();
  }

  #unknown(epoch: string, revision: number): string | undefined {
    if (epoch !== this.#epoch || revision < this.#begun)
      return 'The cursor is of another time: the state was lost or replaced since, or the folder was not watched.';
    if (revision > this.#revision) return 'The cursor is ahead of the workspace: the state was replaced by an older one.';
    if (!this.#reachesBackTo(revision)) return `Only the last ${this.#keep} changes are kept; the cursor is older.`;
    return undefined;
  }

  #reachesBackTo(revision: number): boolean {
    return revision >= Math.min(this.#oldest, this.#recent.at(0)?.revision ?? this.#oldest) - 1;
  }

  /** Changes with revision > after. */
  #read(after: number, limit: number): Change[] {
    const firstRecent = this.#recent.at(0)?.revision ?? Number.POSITIVE_INFINITY;
    if (after + 1 >= firstRecent) {
      const found: Change[] = [];
      for (let i = after + 1 - firstRecent; found.length < limit; i++) {
        const change = this.#recent.at(i);
        if (change === undefined) break;
        found.push(change);
      }
      return found;
    }
    const rows = this.#state
      .statement('SELECT * FROM changes WHERE revision > ? ORDER BY revision LIMIT ?')
      .all(after, limit) as unknown as ChangeRow[];
    return rows.map((row) => this.#fromRow(row));
  }

  #fromRow(row: ChangeRow): Change {
    return { type: 'change', cursor: this.cursorOf(row.revision), ...pastChange(row) };
  }

  #insert(change: Change, content = contentOf(change)): void {
    this.#state
      .statement(
        'INSERT INTO changes(revision, path, kind, what, origin, before, after, size, cause, at, note) VALUES(?,?,?,?,?,?,?,?,?,?,?)',
      )
      .run(
        change.revision,
        change.path,
        change.kind,
        change.what,
        change.from ?? null,
        change.before,
        change.after,
        change.size ?? null,
        JSON.stringify(change.cause),
        change.at,
        change.note ?? null,
      );
    if (change.from !== undefined) this.#moveKnown(change.from, change);
    if (change.what === 'removed' && change.kind === 'directory') this.#removeBelow(change.path, change.revision);
    this.#upsertKnown(change.path, content, change.revision);
    this.#rememberKnown(change.path, content);
  }

  #moveKnown(from: string, { path: to, kind, revision }: Change): void {
    const row = this.#state.statement('SELECT revision FROM known WHERE path = ?').get(from) as { revision: number } | undefined;
    this.#upsertKnown(from, REMOVED, revision);
    this.#rememberKnown(from, REMOVED);
    if (kind !== 'directory') return;
    // What is known below the new name is of what stood there before.
    this.#state.statement('DELETE FROM known WHERE path > ? AND path < ?').run(`${to}/`, `${to}0`);
    // '0' is the character after '/': the range holds exactly the paths below the folder.
    const below = [`${from}/`, `${from}0`] as const;
    // What left this folder is missing at the new place, too; what went with another one of its name was not in it.
    this.#state
      .statement(
        `INSERT INTO known(path, hash, revision) SELECT ? || substr(path, length(?) + 1), hash, ? FROM known WHERE path > ? AND path < ? AND (hash <> ? OR revision > ?) ${REPLACES}`,
      )
      .run(to, from, revision, ...below, REMOVED, row?.revision ?? -1);
    this.#state.statement('UPDATE known SET hash = ?, revision = ? WHERE path > ? AND path < ?').run(REMOVED, revision, ...below);
    this.#known.clear();
  }

  /** What was in a folder went with it, be it told or not: others moved some of it elsewhere, which is told next. */
  #removeBelow(folder: string, revision: number): void {
    const { changes } = this.#state
      .statement('UPDATE known SET hash = ?, revision = ? WHERE path > ? AND path < ? AND hash <> ?')
      .run(REMOVED, revision, `${folder}/`, `${folder}0`, REMOVED);
    if (changes !== 0) this.#known.clear();
  }

  #upsertKnown(path: string, hash: string, revision = this.#revision): void {
    this.#state.statement(`INSERT INTO known(path, hash, revision) VALUES(?,?,?) ${REPLACES}`).run(path, hash, revision);
  }

  #rememberKnown(path: string, hash: string): void {
    if (this.#known.size > 10_000) this.#known.clear();
    this.#known.set(path, hash);
  }

  #prune(added: number): void {
    this.#sincePrune += added;
    if (this.#sincePrune < PRUNE_EVERY) return;
    this.#sincePrune = 0;
    const oldest = this.#revision - this.#keep + 1;
    if (oldest <= this.#oldest) return;
    this.#store(() => {
      this.#state.statement('DELETE FROM changes WHERE revision < ?').run(oldest);
      // A path that is gone for longer than the journal reaches back can't be echoed any more.
      this.#state.statement('DELETE FROM known WHERE hash = ? AND revision < ?').run(REMOVED, oldest);
      this.#state.set('revision', String(this.#revision));
    });
    this.#oldest = oldest;
  }

  /** False when the state could not be written; says so once, and once when it works again. */
  #store(work: () => void): boolean {
    try {
      this.#state.transaction(() => {
        if (this.#memoryOnly) this.#storeEpoch();
        if (this.#isUnsure) this.#state.statement('DELETE FROM known').run();
        for (const [path, content] of this.#unstored) this.#upsertKnown(path, content);
        work();
      });
    } catch (error) {
      if (!this.#failing) this.#onProblem(`The state can't be written: ${(error as Error).message}`);
      this.#failing = true;
      return false;
    }
    if (this.#failing) this.#onProblem(undefined);
    this.#failing = false;
    if (this.#memoryOnly) this.#oldest = this.#revision + 1;
    this.#memoryOnly = false;
    this.#unstored.clear();
    this.#isUnsure = false;
    this.#mark();
    return true;
  }

  /** Without it the next start takes a new epoch, which costs each reader a look at the folder and hides nothing. */
  #mark(): void {
    if (this.#marked || !this.#state.writable) return;
    try {
      this.#state.writeFile(WHOLE, '');
      this.#marked = true;
    } catch {
      // The disk is full again: the next change that is stored tries it, too.
    }
  }

  #unmark(): void {
    if (!this.#state.writable) return;
    this.#marked = false;
    try {
      this.#state.removeFile(WHOLE);
    } catch {
      // Of a folder that became read-only nothing can be said any more.
    }
  }

  /** What is stored ends before the gap; it can't be told as one history with what comes after. */
  #storeEpoch(): void {
    this.#state.statement('DELETE FROM changes').run();
    this.#state.set('epoch', this.#epoch);
    this.#state.set('begun', String(this.#begun));
    this.#state.set('revision', String(this.#revision));
  }

  #beginInMemory(): void {
    if (this.#memoryOnly) return;
    this.#unmark();
    this.#memoryOnly = true;
    this.#epoch = newEpoch();
    this.#begun = this.#revision;
    this.#recent.clear();
    this.#oldest = this.#revision + 1;
  }

  #keepInMemory(changes: readonly Change[], drafts: readonly ChangeDraft[]): void {
    this.#beginInMemory();
    for (const [index, change] of changes.entries()) {
      const { path, from, kind, what } = change;
      const left = from ?? (what === 'removed' ? path : undefined);
      if (left !== undefined && kind === 'directory')
        for (const below of this.knownBelow(left)) {
          if (from !== undefined && below.content !== REMOVED) this.#keepKnown(path + below.path.slice(from.length), below.content);
          this.#keepKnown(below.path, REMOVED);
        }
      if (from !== undefined) this.#keepKnown(from, REMOVED);
      this.#keepKnown(path, drafts[index]?.content ?? contentOf(change));
    }
  }

  #keepKnown(path: string, content: string): void {
    if (this.#unstored.size >= MAX_UNSTORED) {
      this.#unstored.clear();
      this.#known.clear();
      this.#isUnsure = true;
    }
    this.#unstored.set(path, content);
    this.#rememberKnown(path, content);
  }
}

/** By a way through a link something has another name than where it lies: both are told. */
export function underBothNames(draft: ChangeDraft, realPath: string): ChangeDraft[] {
  return realPath === draft.path ? [draft] : [{ ...draft, path: realPath }, draft];
}

function removal({ path, content }: { path: string; content: string }): ChangeDraft {
  const kind = content === FOLDER ? 'directory' : 'file';
  return { path, kind, what: 'removed', before: hashOrNull(content), after: null, cause: { kind: 'outside' } };
}

/** By others, a moment ago. */
function put(path: string, kind: EntryKind): ChangeDraft {
  return { path, kind, what: 'created', before: null, after: null, cause: { kind: 'outside' } };
}

function contentOf(change: Change): string {
  if (change.what === 'removed') return REMOVED;
  return change.kind === 'directory' ? FOLDER : (change.after ?? UNHASHED);
}

function parseCursor(cursor: string): { epoch: string; revision: number } {
  const match = /^([0-9a-f]{8})-(\d{1,15})$/.exec(cursor);
  if (match === null) throw new OutriggerError('BAD_CURSOR', `${JSON.stringify(cursor.slice(0, 60))} is no cursor.`);
  return { epoch: match[1] as string, revision: Number(match[2]) };
}

function newEpoch(): string {
  return randomBytes(4).toString('hex');
}

/** Changes with each boot of the machine; where the system has none, each start counts as one. */
function bootId(): string {
  try {
    return fs.readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
  } catch {
    return randomBytes(8).toString('hex');
  }
}
