import { createHash, randomBytes } from 'node:crypto';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { DatabaseSync, type SQLInputValue, type StatementResultingChanges, type StatementSync } from 'node:sqlite';
import { OutriggerError } from '../../contract/errors.ts';
import { makeFolder } from '../../core/make-folder.ts';
import { inTransaction } from '../../core/transaction.ts';
import { errnoOf } from './errno.ts';
import { isMountPoint } from './mount-point.ts';
import { fileIdentity } from './file-identity.ts';
import { FolderLock, stateOfHolder } from './lock.ts';
import { Spool, type SpoolLimits } from './spool.ts';

const SCHEMA_VERSION = 1;
/** Its files begin so. */
const LOCK = 'lock';
const DATABASE = 'state.db';
/** Folder of the streams that are kept. */
const SPOOLS = 'spools';
/** Name of the fact that says of which workspace the state is. */
const WORKSPACE = 'workspace';
/** What helps where nothing more can be remembered. */
export const STATE_HINT = 'Free space where the state lives, or set the option `state`.';
/** A folder without a lock that stood still for so long is nobody's. */
const LEFT_MS = 24 * 60 * 60 * 1000;
/** Between two looks at whether the state is still met. */
const LOOK_MS = 2000;
const LOST = 'its state was removed or replaced while it ran.';
const SQLITE_CORRUPT = 11;
const SQLITE_NOTADB = 26;
const SQLITE_FULL = 13;
/** The file by which processes share the log of a database could not be made as large as it must be. */
const SQLITE_IOERR_SHMSIZE = 4874;

export interface StateOptions {
  /** Absolute path of the workspace. */
  root: string;
  /** Absolute folder for the state; without it one below XDG_STATE_HOME, else below the temporary folder. */
  folder?: string | undefined;
  /** $XDG_STATE_HOME or ~/.local/state; undefined when there is no home. */
  stateHome?: string | undefined;
  /** Where state falls back to when nothing else can be written. */
  temporary: string;
  /** True: the folder is not held, and what is remembered is forgotten at the end. */
  passive?: boolean;
  /** Told once, when the state is `lost`. */
  onLost?: (why: string) => void;
}

/** Of which workspace a state is. */
interface WorkspaceFact {
  /** By its real path. */
  root: string;
  identity: string | undefined;
  /** Whether a volume was mounted there. */
  mounted: boolean;
  /** Of the state's own database. */
  database: string | undefined;
}

/**
 * What the sidecar remembers of one folder, kept outside of it: a node:sqlite database in WAL mode, files beside it, and the
 * lock that says which sidecar may write the folder. A second sidecar on the same folder gets `writable: false` and no
 * database of its own: it keeps what it must in memory.
 */
export class State {
  readonly id: string;
  /** Private folder (0700) of this workspace's state. */
  readonly folder: string;
  /** True when the folder is below the temporary one and may be gone after a restart of the machine. */
  readonly ephemeral: boolean;
  /** False when another live sidecar holds the folder; `holder` says which. */
  readonly writable: boolean;
  readonly holder: string | undefined;
  readonly database: DatabaseSync;
  readonly #lock: FolderLock | undefined;
  /** The lock of the usual place, where the state lies elsewhere. */
  readonly #claim: Claim | undefined;
  readonly #statements = new Map<string, StatementSync>();
  readonly #durable = new Set<DatabaseSync>();
  readonly #ownFolders = new Map<string, FolderLock>();
  readonly #openedDatabase: string | undefined;
  readonly #onLost: ((why: string) => void) | undefined;
  readonly #ticker: NodeJS.Timeout | undefined;
  #lost: string | undefined;
  #closed = false;

  /** Throws FILE_PERMISSION, STATE_TAKEN (another workspace has the folder), WORKSPACE_GONE (its volume is away), STATE_TOO_NEW, DISK_FULL. */
  constructor(options: StateOptions) {
    this.id = workspaceId(options.root);
    const { folder, ephemeral } = chooseFolder(this.id, options);
    this.folder = folder;
    this.ephemeral = ephemeral;
    const lock = options.passive === true ? undefined : orDiskFull(() => FolderLock.acquire(path.join(folder, LOCK), folder));
    this.#lock = lock;
    const claim = lock?.held === true ? this.#orLetGo(() => claimUsual(this.id, folder, options)) : undefined;
    this.#claim = claim;
    const refused = [lock, claim?.lock].find((one) => one?.held === false);
    if (refused !== undefined) lock?.release();
    if (lock?.held === false) refuseOther(folder, wordInUse(path.join(folder, DATABASE)), fs.realpathSync(options.root));
    this.writable = lock !== undefined && refused === undefined;
    this.holder = refused?.holder;
    this.database = this.#orLetGo(() => openDatabase(this.writable ? path.join(folder, DATABASE) : ':memory:'));
    if (!this.writable) return;
    try {
      this.#keepToOneWorkspace(fs.realpathSync(options.root));
    } catch (error) {
      this.close();
      throw error;
    }
    this.#openedDatabase = this.databaseIdentity;
    this.#onLost = options.onLost;
    this.#ticker = setInterval(() => this.look(), LOOK_MS).unref();
  }

  /** Services that run again and checkpoints of one workspace must not come to another. A copy of the state is of who comes first. */
  #keepToOneWorkspace(root: string): void {
    const now = { root, identity: fileIdentity(root), mounted: isMountPoint(root), database: this.databaseIdentity };
    const noted = this.get(WORKSPACE);
    if (noted === JSON.stringify(now)) return;
    const before = JSON.parse(noted ?? '{}') as Partial<WorkspaceFact>;
    refuseUnmounted(this.folder, before, now);
    if (before.database === now.database) refuseOther(this.folder, before, root);
    this.set(WORKSPACE, JSON.stringify(now));
  }

  /** Which file the database is: another one where it was replaced, by an older copy too. Undefined for one in memory. */
  get databaseIdentity(): string | undefined {
    return this.writable ? fileIdentity(path.join(this.folder, DATABASE)) : undefined;
  }

  /**
   * In words, once nobody who comes now would meet what is remembered here: its folder was removed or replaced. It stays lost, whatever comes
   * there.
   */
  get lost(): string | undefined {
    return this.#lost;
  }

  /** Looks whether the state is lost; done by itself every two seconds. */
  look(): void {
    if (!this.writable || this.#lost !== undefined || this.#closed) return;
    const isMet = this.#lock?.isMet === true && this.#claim?.lock.isMet !== false && this.databaseIdentity === this.#openedDatabase;
    if (isMet) return;
    this.#lost = LOST;
    this.#onLost?.(LOST);
  }

  /** Throws READ_ONLY where the state is lost: nothing may be made in a folder that is not there any more, or that is another's. */
  throwIfLost(name: string): void {
    this.look();
    if (this.#lost !== undefined) throw new OutriggerError('READ_ONLY', `${name} can't be kept: ${this.#lost}`);
  }

  /** A value by name; small facts only. */
  get(name: string): string | undefined {
    const row = this.statement('SELECT value FROM facts WHERE name = ?').get(name) as { value: string } | undefined;
    return row?.value;
  }

  /** Throws DISK_FULL. */
  set(name: string, value: string): void {
    this.statement('INSERT INTO facts(name, value) VALUES(?, ?) ON CONFLICT(name) DO UPDATE SET value = excluded.value').run(name, value);
  }

  /** A prepared statement, kept: preparing costs more than running. `sql` must come from a fixed set. Its `run` throws DISK_FULL, else what SQLite throws. */
  statement(sql: string): StatementSync {
    let statement = this.#statements.get(sql);
    if (statement === undefined) {
      statement = this.database.prepare(sql);
      const run = statement.run.bind(statement) as (...parameters: SQLInputValue[]) => StatementResultingChanges;
      statement.run = (...parameters: unknown[]) => orDiskFull(() => run(...(parameters as SQLInputValue[])));
      this.#statements.set(sql, statement);
    }
    return statement;
  }

  /** Runs `work` in one transaction; throws what it throws, or DISK_FULL, and leaves nothing behind then. */
  transaction<T>(work: () => T): T {
    return orDiskFull(() => inTransaction(this.database, work));
  }

  /**
   * A small file of its own beside the database, replaced whole, readable by this user alone. Throws DISK_FULL, and READ_ONLY where the state is
   * lost; the old one stays then.
   */
  writeFile(name: string, content: string): void {
    this.throwIfLost(name);
    const file = path.join(this.folder, name);
    try {
      makeOwnFolder(path.dirname(file));
      fs.writeFileSync(`${file}.new`, content, { mode: 0o600 });
      fs.renameSync(`${file}.new`, file);
    } catch (error) {
      fs.rmSync(`${file}.new`, { force: true });
      throw diskFullOr(error);
    }
  }

  hasFile(name: string): boolean {
    return fs.existsSync(path.join(this.folder, name));
  }

  /** In a state that was lost it may be another's. */
  removeFile(name: string): void {
    this.look();
    if (this.#lost === undefined) fs.rmSync(path.join(this.folder, name), { force: true });
  }

  /**
   * A database of its own beside the other, for what may not be lost once it was acknowledged: a commit is on the disk (fsync) when it returns.
   * In memory where this sidecar does not hold the folder. Whoever opens it makes its tables; it is closed with the state. A torn one is put
   * aside. Throws what SQLite throws.
   */
  openDurable(name: string): DatabaseSync {
    const database = openDurable(this.writable ? path.join(this.folder, `${name}.db`) : ':memory:');
    this.#durable.add(database);
    return database;
  }

  /**
   * The folder of one part. Where this sidecar does not keep that one, by default since it does not hold the state, it is one of its own, which goes when the
   * state is closed; those of sidecars that were killed go now. Throws DISK_FULL.
   */
  partFolder(name: string, keeps = this.writable): string {
    this.throwIfLost(name);
    removeLeftFolders(this.folder, name);
    if (keeps) {
      const kept = path.join(this.folder, name);
      makeOwnFolder(kept);
      return kept;
    }
    const own = path.join(this.folder, `${name}-${process.pid}-${randomBytes(4).toString('hex')}`);
    this.#ownFolders.set(
      own,
      orDiskFull(() => FolderLock.acquire(own)),
    );
    orDiskFull(() => makeOwnFolder(own));
    return own;
  }

  /** A stream that is kept beside the database; it goes on where it was left. */
  openSpool(name: string, limits: SpoolLimits): Spool {
    return new Spool(path.join(this.folder, SPOOLS, name), limits);
  }

  /** Removes streams that nobody knows any more. */
  removeSpools(isKnown: (name: string) => boolean): void {
    const folder = path.join(this.folder, SPOOLS);
    if (!fs.existsSync(folder)) return;
    for (const name of fs.readdirSync(folder)) if (!isKnown(name)) fs.rmSync(path.join(folder, name), { force: true });
  }

  /** May be called twice. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    clearInterval(this.#ticker);
    for (const database of this.#durable) if (database.isOpen) database.close();
    this.database.close();
    this.#letGo();
    for (const [folder, lock] of this.#ownFolders) removeOwnFolder(folder, lock);
  }

  #orLetGo<T>(work: () => T): T {
    try {
      return work();
    } catch (error) {
      this.#letGo();
      throw diskFullOr(error);
    }
  }

  #letGo(): void {
    this.#claim?.release();
    this.#lock?.release();
  }
}

/** By its lock it is known whether a sidecar lives; the number of its process says nothing where containers share a state. */
function removeLeftFolders(folder: string, part: string): void {
  const found = fs.readdirSync(folder).filter((name) => name.startsWith(`${part}-`));
  for (const name of new Set(found.map((one) => one.replace(/\.(?:db|holder)$/, '')))) {
    const left = path.join(folder, name);
    // Of a version that did not lock them.
    if (!found.includes(`${name}.db`) && !isOlderThan(left, LEFT_MS)) continue;
    try {
      const lock = FolderLock.acquire(left, undefined, 0);
      if (lock.held) removeOwnFolder(left, lock);
    } catch {
      // Also the label of the lock needs room; a later start tries it again.
    }
  }
}

function removeOwnFolder(folder: string, lock: FolderLock): void {
  fs.rmSync(folder, { recursive: true, force: true });
  lock.release({ removes: true });
}

function isOlderThan(folder: string, ms: number): boolean {
  const stat = fs.statSync(folder, { throwIfNoEntry: false });
  return stat !== undefined && Date.now() - stat.mtimeMs > ms;
}

function orDiskFull<T>(work: () => T): T {
  try {
    return work();
  } catch (error) {
    throw diskFullOr(error);
  }
}

/** What says that there is no room becomes DISK_FULL; all else stays what it is. */
function diskFullOr(error: unknown): unknown {
  const { errcode } = error as { errcode?: number };
  const isFull = errcode === SQLITE_FULL || errcode === SQLITE_IOERR_SHMSIZE || ['ENOSPC', 'EDQUOT'].includes(errnoOf(error) ?? '');
  return isFull ? new OutriggerError('DISK_FULL', 'The disk of the state is full.', { cause: error, hint: STATE_HINT }) : error;
}

/** Folders in which the state of a workspace lies when none is given, the likeliest first. */
export function usualFolders(id: string, options: Pick<StateOptions, 'stateHome' | 'temporary'>): string[] {
  return stateFolders(options).map((folder) => path.join(folder, id));
}

/** Where states of all workspaces lie that were told no other place. */
export function stateFolders({ stateHome, temporary }: Pick<StateOptions, 'stateHome' | 'temporary'>): string[] {
  const home = stateHome === undefined ? [] : [path.join(stateHome, 'outrigger')];
  return [...home, sharedFallback(temporary)];
}

/** Where the state of the sidecar lies that holds, or held when it was killed, the lock of this usual folder. */
export function stateHeldFrom(usual: string): string {
  return stateOfHolder(path.join(usual, LOCK)) ?? usual;
}

interface Claim {
  lock: FolderLock;
  release(): void;
}

/**
 * A state folder of one's own is a lock of one's own, so that who keeps the state elsewhere holds the lock of the usual place as well.
 * Undefined where the state lies there, and where nothing can be written there.
 */
function claimUsual(id: string, folder: string, options: StateOptions): Claim | undefined {
  if (options.folder === undefined) return undefined;
  let usual: string;
  try {
    usual = chooseFolder(id, { ...options, folder: undefined }).folder;
  } catch {
    return undefined;
  }
  if (fs.realpathSync(usual) === fs.realpathSync(folder)) return undefined;
  const lock = FolderLock.acquire(path.join(usual, LOCK), folder);
  const release = (): void => {
    // Others have kept their state there, or nobody has.
    const isOurs = fs.readdirSync(usual).every((name) => name.startsWith(`${LOCK}.`));
    lock.release({ removes: isOurs });
    if (isOurs) removeIfEmpty(usual);
  };
  return { lock, release };
}

function removeIfEmpty(folder: string): void {
  try {
    fs.rmdirSync(folder);
  } catch {
    // Somebody else has put something there meanwhile.
  }
}

/** The same folder has the same id, whatever path leads to it. */
export function workspaceId(root: string): string {
  return createHash('sha256').update(fs.realpathSync(root)).digest('hex').slice(0, 16);
}

/** Throws STATE_TAKEN where the state is of another workspace than `root`, and that is still there. */
function refuseOther(folder: string, { root: other, identity }: Partial<WorkspaceFact>, root: string): void {
  if (other === undefined || other === root || identity === fileIdentity(root) || fileIdentity(other) !== identity) return;
  const why = `it is of the workspace ${other}, which is still there. ${root} needs another one.`;
  throw new OutriggerError('STATE_TAKEN', `The state folder ${folder} (option state) can't be used: ${why}`, {
    details: { option: 'state' },
  });
}

/**
 * Throws WORKSPACE_GONE where an empty or another folder stands in the place of the volume that the state is of: what is unsaved would be
 * written below it. Its number alone says nothing, as a volume may have another at each mount.
 */
function refuseUnmounted(folder: string, before: Partial<WorkspaceFact>, { root, identity, mounted }: WorkspaceFact): void {
  if (before.mounted !== true || mounted || before.root !== root) return;
  if (before.identity === identity && fs.readdirSync(root).length > 0) return;
  throw new OutriggerError('WORKSPACE_GONE', `The volume ${root} is not mounted. The state in ${folder} is of what it held.`, {
    hint: 'Mount it. Where a plain folder is to be served from now on, set the option `state` to a new folder.',
  });
}

/** Of which workspace the state is, as its holder has it; nothing where that can't be read now. */
function wordInUse(database: string): Partial<WorkspaceFact> {
  try {
    using opened = new DatabaseSync(database, { readOnly: true });
    const row = opened.prepare('SELECT value FROM facts WHERE name = ?').get(WORKSPACE) as { value: string } | undefined;
    return JSON.parse(row?.value ?? '{}') as Partial<WorkspaceFact>;
  } catch {
    return {};
  }
}

function chooseFolder(id: string, options: StateOptions): { folder: string; ephemeral: boolean } {
  if (options.folder !== undefined) {
    const problem = isInside(options.folder, options.root) ? 'it lies in the workspace.' : tryFolder(options.folder);
    if (problem !== undefined) {
      throw new OutriggerError('FILE_PERMISSION', `The state folder ${options.folder} (option state) can't be used: ${problem}`, {
        details: { option: 'state' },
        hint: 'Name a folder outside of the workspace, of the user that the sidecar runs as.',
      });
    }
    return { folder: options.folder, ephemeral: false };
  }
  if (options.stateHome !== undefined) {
    const folder = path.join(options.stateHome, 'outrigger', id);
    if (!isInside(folder, options.root) && tryFolder(folder) === undefined) return { folder, ephemeral: false };
  }
  const shared = sharedFallback(options.temporary);
  const folder = path.join(shared, id);
  // Anybody can make a folder of this name before us, and would own what we put there.
  const problem = tryFolder(shared) ?? tryFolder(folder);
  if (problem !== undefined)
    throw new OutriggerError('FILE_PERMISSION', `No folder for the state can be written: ${problem}`, { details: { option: 'state' } });
  return { folder, ephemeral: true };
}

/** Where state lies when there is no home that can be written: a folder of this user below the temporary one. */
export function sharedFallback(temporary: string): string {
  const user = typeof process.getuid === 'function' ? process.getuid() : os.userInfo().username;
  return path.join(temporary, `outrigger-${user}`);
}

/** Whether a folder, which need not be there yet, lies in the workspace. */
export function isInside(folder: string, root: string): boolean {
  return placeInside(folder, root) !== undefined;
}

/** Where a folder lies in the workspace, as its paths are; undefined where it lies elsewhere. */
export function placeInside(folder: string, root: string): string | undefined {
  const relative = path.relative(fs.realpathSync(root), realPathSoFar(folder));
  const isElsewhere = relative === '..' || relative.startsWith(`..${path.sep}`) || path.isAbsolute(relative);
  return isElsewhere ? undefined : relative.split(path.sep).join('/');
}

/** The real path of a folder that need not be there yet. */
function realPathSoFar(folder: string): string {
  try {
    return fs.realpathSync(folder);
  } catch {
    const parent = path.dirname(folder);
    return parent === folder ? folder : path.join(realPathSoFar(parent), path.basename(folder));
  }
}

/** Makes the folder private and proves that it can be written; the problem in words, or undefined. */
function tryFolder(folder: string): string | undefined {
  try {
    makeOwnFolder(folder);
    const stat = fs.statSync(folder);
    if (typeof process.getuid === 'function' && stat.uid !== process.getuid()) return `it belongs to user ${stat.uid}`;
    // Such as /tmp itself: to close it would shut others out.
    if ((stat.mode & 0o1000) !== 0) return 'it is shared with other users; name a folder below it';
    if ((stat.mode & 0o077) !== 0) fs.chmodSync(folder, 0o700);
    const probe = path.join(folder, `.probe-${randomBytes(4).toString('hex')}`);
    fs.writeFileSync(probe, '');
    fs.unlinkSync(probe);
    return undefined;
  } catch (error) {
    return (error as Error).message;
  }
}

/** This user's alone. */
function makeOwnFolder(folder: string): void {
  makeFolder(folder, 0o700, { fs, path });
}

function openDatabase(file: string): DatabaseSync {
  return openPrepared(file, prepareDatabase);
}

function openDurable(file: string): DatabaseSync {
  return openPrepared(file, (database) => {
    database.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA busy_timeout = 2000; PRAGMA journal_size_limit = 4194304');
    checkPages(database);
  });
}

function openPrepared(file: string, prepare: (database: DatabaseSync) => void): DatabaseSync {
  const database = new DatabaseSync(file);
  try {
    prepare(database);
    return database;
  } catch (error) {
    database.close();
    // The low byte: extended codes say more above it.
    const code = ((error as { errcode?: number }).errcode ?? 0) & 0xff;
    // What was remembered is lost, the folder is not. Cursors of before answer resync.
    if (file === ':memory:' || (code !== SQLITE_CORRUPT && code !== SQLITE_NOTADB)) throw error;
    fs.renameSync(file, `${file}.corrupt-${Date.now()}`);
    for (const suffix of ['-wal', '-shm']) fs.rmSync(file + suffix, { force: true });
    const fresh = new DatabaseSync(file);
    prepare(fresh);
    return fresh;
  }
}

/** A torn page would else be met in the middle of the work. About 1 ms for each MB. */
function checkPages(database: DatabaseSync): void {
  const { quick_check: found } = database.prepare('PRAGMA quick_check(1)').get() as { quick_check: string };
  if (found !== 'ok') throw Object.assign(new Error(found), { errcode: SQLITE_CORRUPT });
}

function prepareDatabase(database: DatabaseSync): void {
  // NORMAL: a commit outlives kill -9 of this process; a power cut may take the last ones, which a new boot id reveals.
  database.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA busy_timeout = 2000; PRAGMA journal_size_limit = 4194304');
  const { user_version: version } = database.prepare('PRAGMA user_version').get() as { user_version: number };
  if (version > SCHEMA_VERSION) {
    throw new OutriggerError(
      'STATE_TOO_NEW',
      `The state was written by a newer version (schema ${version}); this one knows ${SCHEMA_VERSION}.`,
      { details: { option: 'state' } },
    );
  }
  checkPages(database);
  database.exec(`
    CREATE TABLE IF NOT EXISTS facts(name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS changes(
      revision INTEGER PRIMARY KEY, path TEXT NOT NULL, kind TEXT NOT NULL, what TEXT NOT NULL, origin TEXT,
      before TEXT, after TEXT, size INTEGER, cause TEXT NOT NULL, at INTEGER NOT NULL, note TEXT) STRICT;
    CREATE INDEX IF NOT EXISTS moves ON changes(origin) WHERE origin IS NOT NULL;
    CREATE INDEX IF NOT EXISTS arrivals ON changes(path) WHERE origin IS NOT NULL;
    CREATE INDEX IF NOT EXISTS paths ON changes(path);
    CREATE INDEX IF NOT EXISTS removals ON changes(path) WHERE what = 'removed';
    CREATE TABLE IF NOT EXISTS known(path TEXT PRIMARY KEY, hash TEXT, revision INTEGER NOT NULL) STRICT, WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS batches(id INTEGER PRIMARY KEY, record TEXT NOT NULL) STRICT;
    CREATE TABLE IF NOT EXISTS processes(id TEXT PRIMARY KEY, record TEXT NOT NULL) STRICT, WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS checkpoints(
      id INTEGER PRIMARY KEY AUTOINCREMENT, tree TEXT NOT NULL, at INTEGER NOT NULL, cursor TEXT NOT NULL, title TEXT NOT NULL,
      cause TEXT NOT NULL, point TEXT NOT NULL, run TEXT, files INTEGER, omitted TEXT NOT NULL) STRICT;
    CREATE TABLE IF NOT EXISTS checkpoint_runs(
      id TEXT PRIMARY KEY, title TEXT NOT NULL, cause TEXT NOT NULL, before INTEGER NOT NULL, after INTEGER, facts TEXT NOT NULL,
      reverted TEXT) STRICT, WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS checkpoint_texts(
      key TEXT PRIMARY KEY, run TEXT NOT NULL, content BLOB NOT NULL) STRICT, WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS deployments(number INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, record TEXT NOT NULL) STRICT;
    CREATE TABLE IF NOT EXISTS code_sessions(id TEXT PRIMARY KEY, record TEXT NOT NULL) STRICT, WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS tokens(
      id TEXT PRIMARY KEY, name TEXT NOT NULL, kind TEXT NOT NULL, access TEXT NOT NULL, paths TEXT, hash TEXT NOT NULL,
      created INTEGER NOT NULL, expires INTEGER, revoked INTEGER NOT NULL DEFAULT 0) STRICT, WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS texts(
      id INTEGER PRIMARY KEY, path TEXT NOT NULL UNIQUE, life INTEGER NOT NULL, base BLOB NOT NULL, sequence INTEGER NOT NULL,
      saved_hash TEXT NOT NULL, saved_text TEXT, used INTEGER NOT NULL, format TEXT) STRICT;
    CREATE TABLE IF NOT EXISTS kept_texts(
      id INTEGER PRIMARY KEY, hash TEXT NOT NULL, path TEXT NOT NULL, at INTEGER NOT NULL, content BLOB NOT NULL, UNIQUE(hash, path)) STRICT;
    CREATE INDEX IF NOT EXISTS kept_texts_by_age ON kept_texts(at);
    PRAGMA user_version = ${SCHEMA_VERSION};
  `);
  // States of before have the table without it, and programs of before do not mind it.
  const columns = database.prepare('PRAGMA table_info(texts)').all() as { name: string }[];
  if (!columns.some(({ name }) => name === 'format')) database.exec('ALTER TABLE texts ADD COLUMN format TEXT');
}
