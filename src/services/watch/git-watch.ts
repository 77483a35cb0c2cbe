// HEAD, index, refs and MERGE_HEAD of the work tree's git folder, wherever that is (worktrees and submodules have a `.git` file). Events are hints: what
// counts is whether the stat of those files differs from the last look.

import { existsSync, type FSWatcher, lstatSync, readdirSync, readFileSync, statSync, watch } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { sha256 } from './digests.ts';

export interface GitWatchOptions {
  root: string;
  /** False: only check() looks. */
  arm: boolean;
  onChanged: () => void;
  /** The index lock may have come or gone. */
  onLock: () => void;
}

const debounceMs = 50;
const headFiles = ['HEAD', 'index', 'MERGE_HEAD', 'CHERRY_PICK_HEAD', 'REVERT_HEAD', 'rebase-merge', 'rebase-apply'];
const telling = new Set([...headFiles, 'packed-refs', 'refs', 'commondir']);
// A repository with more loose refs than this is looked at by its directories' times only.
const maxLooseRefs = 5000;
/** A file that names another folder holds one path. */
const maxPointerBytes = 8192;

export class GitWatch {
  readonly #options: GitWatchOptions;
  readonly #watchers = new Map<string, { watcher: FSWatcher; ino: number }>();
  #armed: boolean;
  #folder: string | null = null;
  #common: string | null = null;
  #last = '';
  #timer: NodeJS.Timeout | null = null;

  constructor(options: GitWatchOptions) {
    this.#options = options;
    this.#armed = options.arm;
  }

  start(): void {
    this.#last = this.#look();
  }

  close(): void {
    if (this.#timer) clearTimeout(this.#timer);
    this.disarm();
  }

  /** No more watches: only check() looks. */
  disarm(): void {
    this.#armed = false;
    for (const { watcher } of this.#watchers.values()) watcher.close();
    this.#watchers.clear();
  }

  /** Whether git is in the middle of something: its index is locked. */
  get locked(): boolean {
    return this.#folder !== null && existsSync(join(this.#folder, 'index.lock'));
  }

  /** Something may have changed, `.git` itself included. */
  hint(): void {
    this.#timer ??= setTimeout(() => {
      this.#timer = null;
      this.check();
    }, debounceMs);
  }

  check(): void {
    const now = this.#look();
    if (now === this.#last) return;
    this.#last = now;
    this.#options.onChanged();
  }

  /** What the git state looks like, as one string; watches what was found. */
  #look(): string {
    this.#folder = gitFolderOf(this.#options.root);
    this.#common = this.#folder && commonFolderOf(this.#folder);
    const found = new Set<string>();
    const facts = sha256();
    if (this.#folder && this.#common) {
      const folder = this.#folder;
      this.#watch(folder, found);
      if (this.#common !== folder) this.#watch(this.#common, found);
      for (const name of headFiles) facts.update(`${name} ${describe(join(folder, name))}\n`);
      facts.update(`packed ${describe(join(this.#common, 'packed-refs'))}\n`);
      let loose = 0;
      // Refs of the work tree itself (bisect, rewritten) live in its own folder.
      const stack = [...new Set([join(this.#common, 'refs'), join(folder, 'refs')])];
      for (let at = stack.pop(); at !== undefined; at = stack.pop()) {
        this.#watch(at, found);
        if (loose > maxLooseRefs) facts.update(`${at} ${describe(at)}\n`);
        for (const entry of listed(at)) {
          const path = join(at, entry.name);
          if (entry.isDirectory()) stack.push(path);
          else if (++loose <= maxLooseRefs) facts.update(`${path} ${describe(path)}\n`);
        }
      }
    }
    for (const [path, { watcher }] of this.#watchers) {
      if (found.has(path)) continue;
      watcher.close();
      this.#watchers.delete(path);
    }
    return facts.digest('hex');
  }

  #watch(path: string, found: Set<string>): void {
    if (!this.#armed) return;
    const ino = inodeOf(path);
    if (ino === null) return;
    found.add(path);
    const old = this.#watchers.get(path);
    if (old?.ino === ino) return;
    try {
      const watcher = watch(path, (_, name) => this.#hinted(path, name));
      watcher.on('error', () => this.hint());
      this.#watchers.set(path, { watcher, ino });
    } catch {
      // Gone again, or out of watches: the sweep's check() sees what this would have told.
      this.#watchers.delete(path);
    }
    old?.watcher.close();
  }

  #hinted(path: string, name: string | null): void {
    const isFolder = path === this.#folder || path === this.#common;
    if (isFolder && name === 'index.lock') this.#options.onLock();
    if (!isFolder || name === null || telling.has(name)) this.hint();
  }
}

/** The git folder of a work tree; null when it has none. */
function gitFolderOf(root: string): string | null {
  const path = join(root, '.git');
  try {
    if (statSync(path).isDirectory()) return path;
    const target = /^gitdir: (.+?)\s*$/m.exec(smallText(path))?.[1];
    return target === undefined ? null : resolve(dirname(path), target);
  } catch {
    // No repository, or one that can't be read.
    return null;
  }
}

/** Where the refs are: the main repository's folder for a linked work tree, else the folder itself. */
function commonFolderOf(folder: string): string {
  try {
    return resolve(folder, smallText(join(folder, 'commondir')).trim());
  } catch {
    // Only linked work trees have that file.
    return folder;
  }
}

/** Throws where it is not there, or no small file: who opens a pipe waits for another who writes into it. */
function smallText(path: string): string {
  const stats = statSync(path);
  if (!stats.isFile() || stats.size > maxPointerBytes) throw new Error(`${path} names no folder.`);
  return readFileSync(path, 'utf8');
}

function describe(path: string): string {
  try {
    const stats = lstatSync(path);
    return `${stats.ino}:${stats.size}:${stats.mtimeMs}`;
  } catch {
    return '-';
  }
}

function listed(path: string) {
  try {
    return readdirSync(path, { withFileTypes: true });
  } catch {
    return [];
  }
}

function inodeOf(path: string): number | null {
  try {
    return lstatSync(path).ino;
  } catch {
    return null;
  }
}
