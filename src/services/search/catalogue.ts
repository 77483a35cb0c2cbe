import fs from 'node:fs';
import path from 'node:path';
import { TimeSlice } from '../../core/time-slice.ts';
import type { Change } from '../../contract/events.ts';
import type { Ripgrep, Walk } from './ripgrep.ts';
import { SortedPaths, sortInTurns } from './sorted-paths.ts';

/** What a search looks at when nothing else is said: as ripgrep walks by itself. */
export const plainWalk: Walk = { path: '', include: [], exclude: [], hidden: false, ignored: false };

const IGNORE_FILES = new Set(['.gitignore', '.ignore', '.rgignore']);
/** With more folders to look at than this, the whole walk is cheaper. */
const MAX_FOLDERS = 30;
const MAX_PASSED_OVER = 20_000;
/** With more names to ask for in a folder than this, all of it is listed. */
const MAX_NAMES = process.platform === 'win32' ? 50 : 1000;

/** What a batch of changes means for those who keep something of each file. */
export interface CatalogueNews {
  /** Their text may be another, or they are new. */
  changed: string[];
  removed: string[];
}

/**
 * The files that ripgrep looks at, kept as they are by the feed of changes. Whether a new file is one of them is for ripgrep to
 * say: its folder is listed, or, where ignore files or folders changed, everything.
 */
export class Catalogue {
  readonly #ripgrep: Ripgrep;
  readonly #root: string;
  #files = new Set<string>();
  #sorted = new SortedPaths();
  #list: { blocks: Catalogue['blocks']; files: readonly string[] } | undefined;
  /** Folders that ripgrep went into. */
  #folders = new Set<string>();
  /** What was known of the repositories among them when all was listed. */
  #repositories: ReadonlyMap<string, string> | undefined;
  /** Files that it passed over, so that a log that grows all the time is asked about once. */
  readonly #passedOver = new Set<string>();
  #passings = 0;

  constructor(dependencies: { ripgrep: Ripgrep }, options: { root: string }) {
    this.#ripgrep = dependencies.ripgrep;
    this.#root = options.root;
  }

  get files(): ReadonlySet<string> {
    return this.#files;
  }

  /** In order; the same array until a file comes or goes. */
  get list(): readonly string[] {
    const { blocks } = this;
    if (this.#list?.blocks !== blocks) this.#list = { blocks, files: blocks.flat() };
    return this.#list.files;
  }

  /** The same in parts: each is the same array until a file of it comes or goes. */
  get blocks(): readonly (readonly string[])[] {
    return this.#sorted.blocks;
  }

  /** How often a file came that ripgrep passes over: a glob that names it may have been asked for before. */
  get passings(): number {
    return this.#passings;
  }

  /** Whether it is one of the files, or a folder that has some; '' is the whole. */
  has(path: string): boolean {
    return path === '' || this.#files.has(path) || this.#folders.has(path);
  }

  /** Whether the folder's own repository, which lies where nothing is watched, has other rules by now than those that files were listed by. */
  get isOutdated(): boolean {
    return this.#repositories?.get('') !== repositoryAt(this.#root);
  }

  /** Lists everything anew; gives what came and what is gone. */
  async walk(signal?: AbortSignal): Promise<CatalogueNews> {
    const own = repositoryAt(this.#root);
    const before = this.#files;
    const sorted = await sortInTurns(await this.#ripgrep.files(plainWalk, { signal }), signal);
    const files = new Set(sorted);
    const folders = new Set<string>(['']);
    for (const file of files) addFolders(folders, file);
    const repositories = await repositoriesAt(this.#root, folders, signal);
    // What became of it while all was listed is to be noticed.
    if (own === undefined) repositories.delete('');
    else repositories.set('', own);
    this.#repositories = repositories;
    this.#files = files;
    this.#sorted = new SortedPaths(sorted);
    this.#folders = folders;
    this.#passedOver.clear();
    return {
      changed: [...files].filter((file) => !before.has(file)),
      removed: [...before].filter((file) => !files.has(file)),
    };
  }

  async apply(changes: readonly Change[], signal?: AbortSignal): Promise<CatalogueNews> {
    const changed = new Set<string>();
    const removed = new Set<string>();
    const unknown = new Set<string>();
    let walks = this.isOutdated || (await this.#hasOtherRepositories(changes, signal));
    await this.#dropBelow(changes, changed, removed, signal);
    for (const { what, path: where, from, kind } of changes) {
      if (isIgnoreFile(where) || (from !== undefined && isIgnoreFile(from))) walks = true;
      const gone = what === 'removed' ? where : from;
      if (gone !== undefined && kind !== 'directory') this.#drop(gone, changed, removed);
      if (what === 'removed') continue;
      if (kind === 'directory' && what === 'moved') walks = true;
      else if (kind !== 'file') this.#drop(where, changed, removed);
      else if (this.#files.has(where)) {
        removed.delete(where);
        changed.add(where);
      } else if (!this.#passedOver.has(where) && !this.#ripgrep.leavesOut(where, plainWalk)) unknown.add(where);
    }
    if (unknown.size > 0 && !walks) walks = !(await this.#listFoldersOf(unknown, changed, removed, signal));
    if (walks) {
      const news = await this.walk(signal);
      for (const file of news.removed) {
        changed.delete(file);
        removed.add(file);
      }
      for (const file of [...news.changed, ...[...unknown].filter((path) => this.#files.has(path))]) {
        changed.add(file);
        removed.delete(file);
      }
    }
    return { changed: [...changed].filter((file) => this.#files.has(file)), removed: [...removed] };
  }

  /** False: that takes a whole walk. */
  async #listFoldersOf(
    unknown: ReadonlySet<string>,
    changed: Set<string>,
    removed: Set<string>,
    signal: AbortSignal | undefined,
  ): Promise<boolean> {
    const names = Map.groupBy(unknown, folderOf);
    if (names.size > MAX_FOLDERS || [...names.keys()].some((folder) => !this.#folders.has(folder))) return false;
    for (const [folder, files] of names) {
      const asked = { depth: 1, names: namesToAskFor(files), signal };
      for (const file of await this.#ripgrep.files({ ...plainWalk, path: folder }, asked)) {
        if (this.#files.has(file) || (asked.names !== undefined && !unknown.has(file))) continue;
        this.#files.add(file);
        this.#sorted.add(file);
        changed.add(file);
        removed.delete(file);
      }
    }
    for (const file of unknown) if (!this.#files.has(file)) this.#passOver(file);
    return true;
  }

  #passOver(file: string): void {
    this.#passings++;
    if (this.#passedOver.size < MAX_PASSED_OVER) this.#passedOver.add(file);
  }

  #drop(file: string, changed: Set<string>, removed: Set<string>): void {
    this.#passedOver.delete(file);
    changed.delete(file);
    if (!this.#files.delete(file)) return;
    this.#sorted.remove(file);
    removed.add(file);
  }

  /** What was in folders that went or moved, by one look at all files: with a large folder thousands of others go. */
  async #dropBelow(changes: readonly Change[], changed: Set<string>, removed: Set<string>, signal: AbortSignal | undefined): Promise<void> {
    const gone = new Set<string>();
    for (const { what, path: where, from, kind } of changes) {
      const folder = what === 'removed' ? where : from;
      if (kind === 'directory' && folder !== undefined && this.#folders.has(folder)) gone.add(folder);
    }
    if (gone.size === 0) return;
    const slice = new TimeSlice();
    for (const file of this.#files) {
      if (isBelow(file, gone)) this.#drop(file, changed, removed);
      if (slice.isOver) await slice.giveWay(signal);
    }
  }

  /** Whether a folder above what changed became a repository, or is one no more. (Of one in which nothing changes, nothing tells.) */
  async #hasOtherRepositories(changes: readonly Change[], signal: AbortSignal | undefined): Promise<boolean> {
    const above = new Set<string>();
    for (const { path: where, from = where } of changes) for (const each of [where, from]) addFolders(above, each);
    const known = [...above].filter((folder) => this.#folders.has(folder));
    const repositories = await repositoriesAt(this.#root, known, signal);
    return known.some((folder) => repositories.get(folder) !== this.#repositories?.get(folder));
  }
}

/** By folder; gives way to other work every few milliseconds. */
async function repositoriesAt(root: string, folders: Iterable<string>, signal: AbortSignal | undefined): Promise<Map<string, string>> {
  const repositories = new Map<string, string>();
  const slice = new TimeSlice();
  for (const folder of folders) {
    const repository = repositoryAt(path.join(root, folder));
    if (repository !== undefined) repositories.set(folder, repository);
    if (slice.isOver) await slice.giveWay(signal);
  }
  return repositories;
}

/** Whether ignore files count in a folder, and when git's own list of what to ignore was written; undefined for no repository. */
function repositoryAt(folder: string): string | undefined {
  const git = statAt(path.join(folder, '.git'));
  if (git === undefined) return undefined;
  const exclude = git.isDirectory() ? statAt(path.join(folder, '.git', 'info', 'exclude')) : git;
  return exclude === undefined ? '' : `${exclude.size}:${exclude.mtimeMs}`;
}

function statAt(file: string): fs.Stats | undefined {
  try {
    return fs.lstatSync(file, { throwIfNoEntry: false });
  } catch {
    // A file where a folder was, or one that may not be looked into: ripgrep finds no rules there, either.
    return undefined;
  }
}

function isIgnoreFile(file: string): boolean {
  return IGNORE_FILES.has(file.slice(file.lastIndexOf('/') + 1));
}

/** Undefined: the whole folder is to be listed. Of names that are asked for, ripgrep shows hidden ones too. */
function namesToAskFor(files: readonly string[]): string[] | undefined {
  const names = files.map((file) => file.slice(file.lastIndexOf('/') + 1));
  return names.length > MAX_NAMES || names.some((name) => name.startsWith('.')) ? undefined : names;
}

function folderOf(file: string): string {
  return file.slice(0, Math.max(0, file.lastIndexOf('/')));
}

function isBelow(file: string, folders: ReadonlySet<string>): boolean {
  for (let folder = folderOf(file); folder !== ''; folder = folderOf(folder)) if (folders.has(folder)) return true;
  return false;
}

function addFolders(folders: Set<string>, file: string): void {
  for (let folder = folderOf(file); folder !== '' && !folders.has(folder); folder = folderOf(folder)) folders.add(folder);
}
