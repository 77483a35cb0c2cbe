import fs from 'node:fs';
import { isPassingName } from '../../core/passing-name.ts';
import { TimeSlice } from '../../core/time-slice.ts';
import { OutriggerError } from '../../contract/errors.ts';
import { baseName, parentPath } from '../../contract/paths.ts';
import type { State } from '../state/state.ts';
import type { Workspace } from '../workspace/workspace.ts';
import { isGitName } from './git-names.ts';
import type { GitStore } from './git-store.ts';
import { foldersAbove } from './small-tree.ts';

/** Changes that are read of the journal at a time. */
const PAGE = 1000;
/** More changed paths than this are found by looking at all files. */
const MAX_CHANGED = 50_000;
/** The same of more folders that came, went or moved. */
const MAX_FOLDERS = 10_000;
/** Names of files too large to be stored, and as many of folders that are repositories. */
const MAX_OMITTED = 10_000;
const ATTEMPTS = 3;
const MAX_TRACKED = 10_000;
/** Files of which a new tree is made without the index. */
const MAX_QUICK = 200;
/** Files by which the index may be behind. */
const MAX_BEHIND = 2000;
/** What git reads otherwise than it stands where it takes names line by line. */
const NO_LINE = /^"|[\n\r]/;

/** The folder as git objects hold it. */
export interface Snapshot {
  tree: string;
  /** All changes up to here are in it. */
  cursor: string;
  /** Files that were too large or not to be read, so that they are not in it. */
  omitted: string[];
  /** Folders that are repositories of their own: nothing in them is in it. */
  nested: string[];
  /** Paths that were looked at since the snapshot before; null: all of them were. */
  changed: number | null;
}

/** What is stored of the last one. */
interface LastSnapshot {
  tree: string;
  cursor: string;
  omitted: string[];
  nested?: string[];
  behind: string[];
}

export interface SnapshotDependencies {
  workspace: Workspace;
  state: State;
  store: GitStore;
  /** Saves open documents. */
  flush: () => Promise<void>;
  /** Resolves when everything written before the call is in the journal. */
  settled: () => Promise<void>;
  /** Where secrets of the sidecar itself lie, relative to the folder: they are never stored. */
  secrets?: (() => ReadonlySet<string>) | undefined;
}

/**
 * Takes snapshots of the folder at the cost of what changed since the last one, as the journal tells; where the journal does
 * not reach back, all files are compared by their stat. Names are strings of bytes: not every file name is UTF-8.
 */
export class Snapshots {
  readonly #dependencies: SnapshotDependencies;
  readonly #maxFileBytes: number;
  #last: { tree: string; cursor: string } | undefined;
  #omitted = new Set<string>();
  #nested = new Set<string>();
  /** Names that are in the last tree as they are, and in the index as they were. */
  #behind = new Set<string>();
  /** Names that the index holds, some of them: whether they are ignored need not be asked. */
  readonly #tracked = new Set<string>();

  constructor(dependencies: SnapshotDependencies, options: { maxFileBytes: number }) {
    this.#dependencies = dependencies;
    this.#maxFileBytes = options.maxFileBytes;
  }

  /** The tree that the index holds. */
  get tree(): string | undefined {
    return this.#last?.tree;
  }

  /** Takes up what was stored at the last one; `kept`: the store is the one of then, else it begins from nothing. */
  load(kept: boolean): void {
    if (!kept) return this.forget();
    const stored = this.#dependencies.state.get('checkpoints.last');
    if (stored === undefined) return;
    const { tree, cursor, omitted, nested, behind } = JSON.parse(stored) as LastSnapshot;
    this.#last = { tree, cursor };
    this.#omitted = new Set(omitted);
    this.#nested = new Set(nested);
    this.#behind = new Set(behind);
  }

  /**
   * Nothing changed: no program is started. With `modesSince` (ms since 1970) files are found, too, of which only the mode changed
   * since then, at the cost of a stat of each. Throws what the store and `settled` throw, and what it was aborted with; the next one takes the same paths up
   * again then.
   */
  async take(signal?: AbortSignal, modesSince?: number): Promise<Snapshot> {
    const { workspace, flush, settled } = this.#dependencies;
    await flush();
    await orAborted(settled(), signal);
    const leave = await workspace.sides.enter('looking', { signal });
    try {
      return await this.#takeNow(signal, modesSince);
    } finally {
      leave();
    }
  }

  async #takeNow(signal: AbortSignal | undefined, modesSince: number | undefined): Promise<Snapshot> {
    const { workspace, store } = this.#dependencies;
    for (let attempt = 1; ; attempt++) {
      const { cursor } = workspace.journal;
      try {
        const news = store.empty ? undefined : await this.#news(cursor, signal);
        if (news !== undefined && modesSince !== undefined) await this.#addRestated(news, modesSince, signal);
        let tree = this.#last?.tree;
        if (news === undefined || tree === undefined) {
          await this.#takeAll(signal);
          tree = await store.indexTree(signal);
          await store.keep(tree, signal);
        } else if (news.size > 0) {
          tree = await this.#takeSome(tree, news, signal);
          await store.keep(tree, signal);
        } else await store.keepOn(tree, signal);
        for (const folder of this.#nested) if (!this.#isRepository(bytesOf(folder))) this.#nested.delete(folder);
        this.#remember(tree, cursor);
        return { tree, cursor, omitted: [...this.#omitted], nested: [...this.#nested], changed: news?.size ?? null };
      } catch (error) {
        if (!(error instanceof OutriggerError) || attempt === ATTEMPTS) throw error;
        // A file that went or changed under git's hands, or an index that names what is not there any more.
        if (error.reason !== 'CHECKPOINT_LOST' && error.reason !== 'GIT_FAILED') throw error;
        // What fails twice may do so for the index: it is damaged where the machine went down while git wrote it.
        if (error.reason === 'CHECKPOINT_LOST' || attempt === ATTEMPTS - 1) this.forget();
      }
    }
  }

  /** The next snapshot looks at all files. */
  forget(): void {
    this.#last = undefined;
    this.#behind.clear();
    this.#dependencies.store.forgetIndex();
  }

  #remember(tree: string, cursor: string): void {
    if (this.#last?.tree === tree && this.#last.cursor === cursor) return;
    this.#last = { tree, cursor };
    const facts: LastSnapshot = { tree, cursor, omitted: [...this.#omitted], nested: [...this.#nested], behind: [...this.#behind] };
    this.#dependencies.state.set('checkpoints.last', JSON.stringify(facts));
  }

  /** Names that changed up to `end`; undefined when all have to be looked at. */
  async #news(end: string, signal: AbortSignal | undefined): Promise<Set<string> | undefined> {
    if (this.#last === undefined) return undefined;
    const { journal } = this.#dependencies.workspace;
    const names = new Set<string>();
    const folders: string[] = [];
    const arrived: string[] = [];
    const slice = new TimeSlice();
    for (let { cursor } = this.#last; cursor !== end; ) {
      const found = journal.since(cursor, PAGE);
      if (found.resync !== undefined) return undefined;
      for (const { path, from, kind, what } of found.changes) {
        // What is ignored is another matter from here on.
        if (path.endsWith('.gitignore') || from?.endsWith('.gitignore') === true) return undefined;
        if (kind !== 'directory') for (const one of [path, from]) if (one !== undefined && this.#isOurs(one)) names.add(bytesOf(one));
        if (kind !== 'directory' || what === 'created') continue;
        folders.push(from ?? path);
        if (what === 'moved') arrived.push(path);
      }
      if (names.size > MAX_CHANGED || folders.length > MAX_FOLDERS) return undefined;
      ({ cursor } = found);
      if (!found.more) break;
      if (slice.isOver) await slice.giveWay(signal);
    }
    await this.#addFolders(names, folders, arrived, signal);
    return names;
  }

  /** A folder that went or moved stands for all that was in it. */
  async #addFolders(names: Set<string>, folders: readonly string[], arrived: readonly string[], signal?: AbortSignal): Promise<void> {
    const { workspace, store } = this.#dependencies;
    const gone = folders.filter((folder) => this.#isOurs(folder));
    if (gone.length > 0) {
      const tops = new Set(gone.map(bytesOf));
      // Of what was in it, or stood there before it, the index knows the most; what came since, or went, are the names by which it is behind.
      for (const name of await store.held(gone, signal)) names.add(latin(name));
      for (const name of this.#behind) if ([name, ...foldersAbove([name])].some((top) => tops.has(top))) names.add(name);
    }
    for (const folder of arrived) {
      if (workspace.entry(folder)?.kind !== 'directory') continue;
      for await (const entry of workspace.list(folder, true, (path) => !workspace.options.ignored(path)))
        if (entry.kind !== 'directory' && this.#isOurs(entry.path)) names.add(bytesOf(entry.path));
    }
  }

  async #addRestated(names: Set<string>, since: number, signal: AbortSignal | undefined): Promise<void> {
    const restated = (await this.#dependencies.store.restated(signal)).map(latin);
    for (const name of [...restated, ...this.#behind]) if ((this.#stat(name)?.ctimeMs ?? 0) >= since) names.add(name);
  }

  async #takeSome(tree: string, names: ReadonlySet<string>, signal: AbortSignal | undefined): Promise<string> {
    const { store } = this.#dependencies;
    const { present, gone } = await this.#sort(names, signal);
    const ignored = await store.ignored(present.filter((name) => !this.#tracked.has(name)).map(shown), signal);
    const kept = present.filter((name) => !ignored.has(shown(name)) || this.#behind.has(name));
    const modes = this.#plainModes(kept, gone);
    let next: string;
    if (modes === undefined) {
      await this.#catchUp(signal);
      await store.take(kept.map(rawOf), gone.map(rawOf), signal);
      next = await store.indexTree(signal);
    } else {
      next = await store.treeWith(tree, modes, gone, signal);
      for (const name of [...kept, ...gone]) this.#behind.add(name);
    }
    if (this.#tracked.size > MAX_TRACKED) this.#tracked.clear();
    for (const name of gone) this.#tracked.delete(name);
    for (const name of kept) this.#tracked.add(name);
    return next;
  }

  /** The modes of a few regular files with names that programs take line by line; undefined for more, and for others. */
  #plainModes(present: readonly string[], gone: readonly string[]): Map<string, string> | undefined {
    if (present.length + gone.length > MAX_QUICK || this.#behind.size > MAX_BEHIND) return undefined;
    if ([...present, ...gone].some((name) => NO_LINE.test(name))) return undefined;
    const modes = new Map<string, string>();
    for (const name of present) {
      const stat = this.#stat(name);
      if (stat?.isFile() !== true) return undefined;
      modes.set(name, (stat.mode & 0o100) === 0 ? '100644' : '100755');
    }
    return modes;
  }

  /** The index holds what the last tree holds. */
  async #catchUp(signal: AbortSignal | undefined): Promise<void> {
    if (this.#behind.size === 0) return;
    const { present, gone } = await this.#sort(this.#behind, signal);
    await this.#dependencies.store.take(present.map(rawOf), gone.map(rawOf), signal);
    this.#behind.clear();
  }

  async #takeAll(signal: AbortSignal | undefined): Promise<void> {
    const { store } = this.#dependencies;
    if (!store.empty) await this.#catchUp(signal);
    this.#omitted.clear();
    this.#tracked.clear();
    const found = (await store.listed(signal)).map(latin).filter((name) => this.#isOurs(shown(name)));
    const listed = found.filter((name) => !name.endsWith('/'));
    for (const name of found) if (name.endsWith('/')) this.#noteNested(name.slice(0, -1));
    // What it holds already is not ignored, here as in #takeSome: else a run that has git ignore a file would seem to remove it.
    const held = store.empty ? [] : (await store.held([], signal)).map(latin);
    const names = new Set([...listed, ...held].filter((name) => this.#isOurs(shown(name))));
    const { present } = await this.#sort(names, signal);
    const stays = new Set(present);
    const gone = held.filter((name) => !stays.has(name));
    await store.take(present.map(rawOf), gone.map(rawOf), signal);
  }

  /** Which names are files or links that can be stored. */
  async #sort(names: Iterable<string>, signal: AbortSignal | undefined): Promise<{ present: string[]; gone: string[] }> {
    const present: string[] = [];
    const gone: string[] = [];
    const folders = new Map<string, boolean>([['', true]]);
    const slice = new TimeSlice();
    for (const name of names) {
      const isWanted = !this.#isSecret(shown(name)) && this.#isPlainFolder(parentPath(name), folders);
      const stat = isWanted ? this.#stat(name) : undefined;
      const stored = stat !== undefined && (stat.isFile() || stat.isSymbolicLink());
      if (stat?.isDirectory() === true) this.#noteNested(name);
      const fits = stored && this.#fits(name, stat);
      (fits ? present : gone).push(name);
      this.#omitted.delete(shown(name));
      if (stored && !fits) this.#omit(shown(name));
      if (slice.isOver) await slice.giveWay(signal);
    }
    return { present, gone };
  }

  #omit(path: string): void {
    if (this.#omitted.size >= MAX_OMITTED)
      throw new OutriggerError(
        'INPUT_TOO_LARGE',
        `More than ${MAX_OMITTED} files are too large for a checkpoint: see checkpoints.maxFileBytes.`,
      );
    this.#omitted.add(path);
  }

  /** What is in it is left alone, also when it is no repository any more. */
  #noteNested(folder: string): void {
    if (!this.#isRepository(folder)) return;
    if (this.#nested.size >= MAX_OMITTED)
      throw new OutriggerError('INPUT_TOO_LARGE', `More than ${MAX_OMITTED} folders are repositories of their own.`);
    this.#nested.add(shown(folder));
  }

  #isRepository(folder: string): boolean {
    return this.#stat(`${folder}/.git`) !== undefined;
  }

  /** A folder of ours, itself and all above it: no link, and no repository of its own. */
  #isPlainFolder(folder: string, known: Map<string, boolean>): boolean {
    let plain = known.get(folder);
    if (plain === undefined) {
      const isFolder = this.#isPlainFolder(parentPath(folder), known) && this.#stat(folder)?.isDirectory() === true;
      if (isFolder) this.#noteNested(folder);
      plain = isFolder && !this.#isRepository(folder);
      known.set(folder, plain);
    }
    return plain;
  }

  #stat(name: string): fs.Stats | undefined {
    try {
      return fs.lstatSync(this.#at(name), { throwIfNoEntry: false });
    } catch {
      // A part of the way is no folder (any more), or may not be entered.
      return undefined;
    }
  }

  /** Whether git's index takes the file or link, and nobody minds its size. */
  #fits(name: string, stat: fs.Stats): boolean {
    return !isGitName(shown(name)) && (stat.isSymbolicLink() || (stat.size <= this.#maxFileBytes && this.#mayRead(name)));
  }

  #mayRead(name: string): boolean {
    try {
      fs.accessSync(this.#at(name), fs.constants.R_OK);
      return true;
    } catch {
      return false;
    }
  }

  #at(name: string): Buffer {
    return Buffer.concat([Buffer.from(`${this.#dependencies.workspace.root}/`), rawOf(name)]);
  }

  #isOurs(path: string): boolean {
    const { ignored } = this.#dependencies.workspace.options;
    return !isPassingName(baseName(path)) && !ignored(path) && !this.#isSecret(path);
  }

  #isSecret(path: string): boolean {
    const secrets = this.#dependencies.secrets?.();
    if (secrets === undefined || secrets.size === 0) return false;
    for (let end = path.length; end > 0; end = path.lastIndexOf('/', end - 1)) if (secrets.has(path.slice(0, end))) return true;
    return false;
  }
}

/** What it waits for goes on without it. */
async function orAborted<T>(work: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  const { promise, reject } = Promise.withResolvers<never>();
  const abort = (): void => reject(signal?.reason);
  signal?.addEventListener('abort', abort, { once: true });
  if (signal?.aborted === true) abort();
  try {
    return await Promise.race([work, promise]);
  } finally {
    signal?.removeEventListener('abort', abort);
  }
}

/** A character for each byte. */
function bytesOf(path: string): string {
  return Buffer.from(path).toString('latin1');
}

function latin(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1');
}

function rawOf(name: string): Buffer {
  return Buffer.from(name, 'latin1');
}

function shown(name: string): string {
  return rawOf(name).toString();
}
