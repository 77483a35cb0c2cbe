import fs from 'node:fs';
import path from 'node:path';
import { OutriggerError } from '../../contract/errors.ts';
import { baseName } from '../../contract/paths.ts';
import { splitNul } from '../../core/split-nul.ts';
import type { Processes, RunResult } from '../processes/processes.ts';
import type { State } from '../state/state.ts';
import { GitPlace } from './git-place.ts';
import {
  changedTrees,
  entryOf,
  foldersAbove,
  mktreeInput,
  type NewTree,
  parseTreeObject,
  TREE_MODE,
  type TreeEntry,
} from './small-tree.ts';
import { pathFilter } from './path-filter.ts';
import { quiet, StoreGit } from './store-git.ts';
import { parseNumbers, parseTreeDiff, type FileNumbers, type TreeChange } from './tree-diff.ts';

/** In it, an index of .gitignore files alone. */
const RULES = 'rules';
const TAB = 0x09;
/** How ls-tree begins. */
const REGULAR_FILE = /^100\d{3} blob /;
/** Contents that one restore or revert holds at once. */
const MAX_BLOB_BYTES = 128 * 1024 * 1024;
/** A first look at a large folder reads all of it. */
const FULL_TIMEOUT_MS = 300_000;
const MAX_RENAMES = 1000;
/** Paths that git is asked about by name; of more, all that it has is looked through, as a command line has an end. */
const MAX_ASKED = 200;
/** Objects that are no part of a pack: of more, packs are made. As git has it. */
const MAX_LOOSE = 6700;

export interface GitStoreOptions {
  root: string;
  timeoutMs: number;
  /** Where secrets of the sidecar itself lie, relative to the folder: what trees of before hold of them is neither shown nor brought back. */
  secrets?: (() => ReadonlySet<string>) | undefined;
}

/**
 * Trees of the folder in git objects: in the folder's own repository, below refs that no branch, push or log shows, else
 * in one beside the state. It works with an index and a config of its own, so nothing of the repository's config runs, and its
 * HEAD, index and work tree are not touched. One call at a time.
 */
export class GitStore {
  readonly #git: StoreGit;
  readonly #place: GitPlace;
  readonly #options: GitStoreOptions;
  /** Where the tree that was kept last is known to be. */
  #sure: string | undefined;

  constructor(dependencies: { processes: Pick<Processes, 'run'>; state: State }, options: GitStoreOptions) {
    this.#git = new StoreGit(dependencies, options);
    this.#place = new GitPlace({ git: this.#git, state: dependencies.state }, options);
    this.#options = options;
  }

  /** In words, where checkpoints are kept; undefined before the first one. */
  get says(): string | undefined {
    const { place } = this.#git;
    if (place === undefined) return undefined;
    if (place.kind === 'repository') return "in the folder's repository";
    return `beside the state${place.why === undefined ? '' : `: ${place.why}`}`;
  }

  /** True: the index has to be filled anew. */
  get empty(): boolean {
    return !fs.existsSync(path.join(this.#git.shadow, 'index'));
  }

  /** Finds the store, or where `make` is set makes one; gives whether what was kept before is to be had. Throws TOOL_MISSING. */
  open(make: boolean, signal?: AbortSignal): Promise<boolean> {
    return this.#place.open(make, signal);
  }

  /** Every file that belongs to the folder by git's rules, as bytes relative to it: tracked, or new and not ignored. */
  async listed(signal?: AbortSignal): Promise<Uint8Array[]> {
    const { gitFolder } = this.#git.opened;
    const args = ['-c', 'core.fsmonitor=false', 'ls-files', '-z', '--cached', '--others', '--exclude-standard', '--deduplicate'];
    const env =
      gitFolder === undefined ? this.#git.env() : { GIT_DIR: gitFolder, GIT_WORK_TREE: await this.#git.workTree(signal), ...quiet };
    const { stdout } = await this.#git.git(args, { env, signal, timeoutMs: FULL_TIMEOUT_MS });
    return splitNul(stdout);
  }

  /** What the index holds, all of it or at and below paths. */
  async held(paths: readonly string[], signal?: AbortSignal): Promise<Uint8Array[]> {
    const asked = paths.length > MAX_ASKED ? [] : paths;
    const { stdout } = await this.#git.git(['--literal-pathspecs', 'ls-files', '-z', '--', ...asked], { signal });
    const found = splitNul(stdout);
    if (asked === paths) return found;
    const within = pathFilter(paths.map((path) => Buffer.from(path).toString('latin1')));
    return found.filter((name) => within(Buffer.from(name).toString('latin1')));
  }

  /** What the index holds with another stat than the file has now: its mode may have changed alone, of which no journal tells. */
  async restated(signal?: AbortSignal): Promise<Uint8Array[]> {
    return splitNul((await this.#git.git(['diff-files', '-z', '--name-only'], { signal })).stdout);
  }

  /** Those of the paths that git ignores; what the index holds already is not ignored. */
  async ignored(paths: readonly string[], signal?: AbortSignal): Promise<Set<string>> {
    if (paths.length === 0) return new Set();
    const { gitFolder } = this.#git.opened;
    const env =
      gitFolder === undefined ? this.#git.env() : { GIT_DIR: gitFolder, GIT_WORK_TREE: await this.#git.workTree(signal), ...quiet };
    const { stdout } = await this.#git.git(
      ['check-ignore', '--no-index', '-z', '--stdin'],
      { env, signal, stdin: askedPaths(paths) },
      [0, 1],
    );
    const ignored = answeredPaths(stdout);
    if (ignored.size > 0) for (const name of await this.held([...ignored], signal)) ignored.delete(Buffer.from(name).toString());
    return ignored;
  }

  /** Those of the paths that are regular files in a tree. Throws CHECKPOINT_LOST. */
  async filesAmong(tree: string, paths: readonly string[], signal?: AbortSignal): Promise<Set<string>> {
    if (paths.length === 0) return new Set();
    const asked = new Set(paths);
    const { stdout } = await this.#git.git(['ls-tree', '-r', '-z', tree], { signal });
    const found = new Set<string>();
    for (const line of splitNul(stdout)) {
      if (!REGULAR_FILE.test(Buffer.from(line.subarray(0, 12)).toString('latin1'))) continue;
      const path = Buffer.from(line.subarray(line.indexOf(TAB) + 1)).toString();
      if (asked.has(path)) found.add(path);
    }
    return found;
  }

  /** Those of the paths that git ignores by the rules of a tree, by an index of its own that holds nothing but these rules. */
  async ignoredBy(tree: string, paths: readonly string[], signal?: AbortSignal): Promise<Set<string>> {
    if (paths.length === 0) return new Set();
    const { stdout: all } = await this.#git.git(['ls-tree', '-r', '-z', tree], { signal });
    const rules = splitNul(all).filter((line) => /^100\d{3} blob [^]*[\t/]\.gitignore$/.test(Buffer.from(line).toString('latin1')));
    if (rules.length === 0) return new Set();
    for (const left of [RULES, `${RULES}.lock`]) this.#git.remove(left);
    // A folder without any such file: of those that an index says to be left out of the work tree, git reads what the index has.
    const workTree = path.join(this.#git.shadow, 'info');
    const env = { ...this.#git.env(), GIT_INDEX_FILE: path.join(this.#git.shadow, RULES), GIT_WORK_TREE: workTree };
    const run = (args: readonly string[], stdin: Buffer, exits?: readonly number[]): Promise<RunResult> =>
      this.#git.git(['-C', workTree, ...args], { env, signal, stdin }, exits);
    try {
      await run(['update-index', '-z', '--index-info'], nulEnded(rules));
      const names = rules.map((line) => line.subarray(line.indexOf(TAB) + 1));
      await run(['update-index', '--skip-worktree', '-z', '--stdin'], nulEnded(names));
      return answeredPaths((await run(['check-ignore', '-z', '--stdin'], askedPaths(paths), [0, 1])).stdout);
    } finally {
      this.#git.remove(RULES);
    }
  }

  /** Takes the files as they stand into the index, and out of it what is gone. */
  async take(present: readonly (Uint8Array | string)[], gone: readonly (Uint8Array | string)[], signal?: AbortSignal): Promise<void> {
    const timeoutMs = FULL_TIMEOUT_MS;
    if (gone.length > 0)
      await this.#git.git(['update-index', '--force-remove', '-z', '--stdin'], { signal, stdin: nulEnded(gone), timeoutMs });
    if (present.length === 0) return;
    const args = ['update-index', '--add', '--remove', '--replace', '-z', '--stdin'];
    await this.#git.git(args, { signal, stdin: nulEnded(present), timeoutMs });
  }

  /** The tree of the index. */
  async indexTree(signal?: AbortSignal): Promise<string> {
    const { stdout } = await this.#git.git(['write-tree'], { signal, timeoutMs: FULL_TIMEOUT_MS });
    return stdout.toString().trim();
  }

  /**
   * A tree with some files changed, without a look at the index, which takes longer the more files there are. `present` are regular files by
   * name (a character for each byte) with their mode. Throws GIT_FAILED where a file went meanwhile.
   */
  async treeWith(tree: string, present: ReadonlyMap<string, string>, gone: readonly string[], signal?: AbortSignal): Promise<string> {
    const format = this.#git.opened.format === 'sha256' ? 'sha256' : 'sha1';
    const names = [...present.keys()];
    const folders = foldersAbove([...names, ...gone]);
    const lines = (list: readonly string[]): Buffer => Buffer.from(list.map((line) => `${line}\n`).join(''), 'latin1');
    const [trees, blobs] = await Promise.all([
      this.#git.git(['cat-file', '--batch'], { signal, stdin: lines(folders.map((folder) => `${tree}:${folder}`)) }),
      names.length === 0
        ? { stdout: Buffer.alloc(0) }
        : this.#git.git(['hash-object', '-w', '--no-filters', '--stdin-paths'], { signal, stdin: lines(names) }),
    ]);
    const hashes = blobs.stdout.toString().split('\n');
    const changes = new Map<string, TreeEntry | null>(gone.map((name) => [name, null]));
    for (const [index, name] of names.entries()) changes.set(name, { mode: present.get(name) as string, hash: hashes[index] as string });
    const before = new Map(treesOf(trees.stdout, folders, format));
    // A tree that should be there and is not, is no folder that nobody made yet.
    const missing = folders.find(
      (folder) => before.get(folder) === undefined && (folder === '' || entryOf(before, folder)?.mode === TREE_MODE),
    );
    if (missing !== undefined) throw lost();
    const folderTrees = new Map(folders.map((folder) => [folder, before.get(folder) ?? new Map<string, TreeEntry>()]));
    const made = changedTrees(folderTrees, changes, format);
    await this.#git.git(['mktree', '-z', '--batch', '--missing'], { signal, stdin: mktreeInput(made) });
    return (made.at(-1) as NewTree).hash;
  }

  /** Kept from git's tidying until it is dropped. */
  async keep(tree: string, signal?: AbortSignal): Promise<void> {
    await this.#git.git(['-c', 'core.hooksPath=/dev/null', 'update-ref', this.#refOf(tree), tree], { env: this.#git.refEnv(), signal });
    this.#sure = this.#stampOf(tree);
  }

  /** The same for one that was kept: git is asked only where its objects or refs are not those of the last time. Throws CHECKPOINT_LOST. */
  async keepOn(tree: string, signal?: AbortSignal): Promise<void> {
    if (this.#sure === this.#stampOf(tree)) return;
    const { exitCode } = await this.#git.git(['cat-file', '-e', tree], { signal }, [0, 1]);
    if (exitCode !== 0) throw lost();
    await this.keep(tree, signal);
  }

  /** Other where the repository is another one, or the ref of the tree went. */
  #stampOf(tree: string): string {
    const { objects = path.join(this.#git.shadow, 'objects') } = this.#git.opened;
    const folder = path.dirname(objects);
    // Git replaces these files, and writes into none that is there.
    const stamps = [objects, path.join(folder, 'packed-refs'), path.join(folder, this.#refOf(tree))].map((at) => {
      const stat = fs.statSync(at, { bigint: true, throwIfNoEntry: false });
      return stat === undefined ? '' : `${stat.dev} ${stat.ino} ${stat.birthtimeNs}`;
    });
    return [tree, ...stamps].join('\n');
  }

  /** Lets git tidy them away. */
  async drop(trees: readonly string[], signal?: AbortSignal): Promise<void> {
    if (trees.length === 0) return;
    const lines = trees.map((tree) => `delete ${this.#refOf(tree)}\n`).join('');
    await this.#git.git(['-c', 'core.hooksPath=/dev/null', 'update-ref', '--stdin'], { env: this.#git.refEnv(), signal, stdin: lines });
    if (this.#git.opened.kind === 'own') await this.#tidy(signal);
  }

  /** Our own repository is nobody else's to tidy up: what no ref needs goes at once, else it would be looked through each time for weeks. */
  async #tidy(signal: AbortSignal | undefined): Promise<void> {
    const settings = ['-c', `gc.auto=${MAX_LOOSE}`, '-c', 'gc.autoDetach=false', '-c', 'gc.pruneExpire=now'];
    try {
      await this.#git.git([...settings, 'gc', '--auto', '--quiet'], { signal, timeoutMs: FULL_TIMEOUT_MS });
    } catch {
      // The next one tries again.
    }
  }

  /** Trees that are kept. */
  async kept(signal?: AbortSignal): Promise<string[]> {
    const { stdout } = await this.#git.git(['for-each-ref', '--format=%(refname)', this.#git.refs], { env: this.#git.refEnv(), signal });
    return stdout
      .toString()
      .split('\n')
      .filter(Boolean)
      .map((name) => baseName(name));
  }

  /** What differs, renamed files found where `renames` is set. Throws CHECKPOINT_LOST. */
  async compare(from: string, to: string, renames: boolean, signal?: AbortSignal): Promise<TreeChange[]> {
    if (from === to) return [];
    const args = [
      'diff-tree',
      '-r',
      '-z',
      '--raw',
      '--no-abbrev',
      renames ? '--find-renames' : '--no-renames',
      `-l${MAX_RENAMES}`,
      from,
      to,
      ...this.#below(undefined),
    ];
    return parseTreeDiff((await this.#git.git(args, { signal })).stdout);
  }

  /** Added and removed lines of each file. */
  async numbers(from: string, to: string, only: string | undefined, signal?: AbortSignal): Promise<FileNumbers[]> {
    const args = ['diff-tree', '-r', '-z', '--numstat', '--find-renames', `-l${MAX_RENAMES}`, from, to];
    const { stdout } = await this.#git.git([...args, ...this.#below(only)], { signal });
    return parseNumbers(stdout);
  }

  /** A unified patch, cut at the end of a line. */
  async patch(
    from: string,
    to: string,
    { path: only, context, maxBytes }: { path: string | undefined; context: number; maxBytes: number },
    signal?: AbortSignal,
  ): Promise<{ patch: string; omittedBytes: number }> {
    const flags = ['--no-color', '--no-ext-diff', '--no-textconv', '--find-renames', `-l${MAX_RENAMES}`, `--unified=${context}`];
    const args = ['diff-tree', '-r', '-p', ...flags, from, to, ...this.#below(only)];
    const { stdout, omittedBytes } = await this.#git.git(args, { signal, maxOutputBytes: maxBytes });
    if (omittedBytes === 0) return { patch: stdout.toString(), omittedBytes };
    const end = stdout.lastIndexOf(0x0a) + 1;
    return { patch: stdout.subarray(0, end).toString(), omittedBytes: omittedBytes + stdout.length - end };
  }

  /** Contents by object name. Throws OUTPUT_TOO_LARGE, CHECKPOINT_LOST. */
  async contents(objects: Iterable<string>, signal?: AbortSignal): Promise<Map<string, Buffer>> {
    const wanted = [...new Set(objects)];
    const found = new Map<string, Buffer>();
    if (wanted.length === 0) return found;
    const { stdout, omittedBytes } = await this.#git.git(['cat-file', '--batch'], {
      signal,
      stdin: `${wanted.join('\n')}\n`,
      maxOutputBytes: MAX_BLOB_BYTES,
      timeoutMs: FULL_TIMEOUT_MS,
    });
    if (omittedBytes > 0)
      throw new OutriggerError('OUTPUT_TOO_LARGE', `The files hold more than ${MAX_BLOB_BYTES} bytes together: name fewer paths.`);
    for (let at = 0; at < stdout.length; ) {
      const end = stdout.indexOf(0x0a, at);
      const [name = '', type, size] = stdout.subarray(at, end).toString().split(' ');
      if (type !== 'blob') throw new OutriggerError('CHECKPOINT_LOST', 'A file of this checkpoint is not in the repository any more.');
      found.set(name, stdout.subarray(end + 1, end + 1 + Number(size)));
      at = end + 2 + Number(size);
    }
    return found;
  }

  /** The next look at the folder begins from nothing. */
  forgetIndex(): void {
    this.#git.forgetIndex();
  }

  #refOf(tree: string): string {
    return this.#git.refs + tree;
  }

  /** Pathspecs of a path, or of all. */
  #below(only: string | undefined): string[] {
    const without = [...(this.#options.secrets?.() ?? [])].map((path) => `:(exclude,literal)${path}`);
    if (only === undefined && without.length === 0) return [];
    return ['--', only === undefined ? '.' : `:(literal)${only}`, ...without];
  }
}

/** From the answer of cat-file, one for each folder; undefined where there is none, or a file. */
function* treesOf(
  answer: Buffer,
  folders: readonly string[],
  format: 'sha1' | 'sha256',
): Generator<[string, Map<string, TreeEntry> | undefined]> {
  let at = 0;
  for (const folder of folders) {
    const end = answer.indexOf(0x0a, at);
    // Else it says that there is none, with the name that was asked for.
    const found = /^[0-9a-f]{40,64} (\w+) (\d+)$/.exec(answer.toString('latin1', at, end));
    const size = Number(found?.[2] ?? 0);
    const content = answer.subarray(end + 1, end + 1 + size);
    yield [folder, found?.[1] === 'tree' ? parseTreeObject(content, format === 'sha1' ? 20 : 32) : undefined];
    at = found === null ? end + 1 : end + 2 + size;
  }
}

function nulEnded(names: readonly (Uint8Array | string)[]): Buffer {
  const nul = Buffer.of(0);
  return Buffer.concat(names.flatMap((name) => [typeof name === 'string' ? Buffer.from(name) : name, nul]));
}

const HERE = './';

/** For check-ignore, which takes a path that begins with a colon for a pattern, even where git is told to take none. */
function askedPaths(paths: readonly string[]): Buffer {
  return nulEnded(paths.map((path) => HERE + path));
}

function answeredPaths(stdout: Uint8Array): Set<string> {
  return new Set(splitNul(stdout).map((name) => Buffer.from(name).toString().slice(HERE.length)));
}

function lost(): OutriggerError {
  return new OutriggerError('CHECKPOINT_LOST', 'What the checkpoint holds is not in the repository any more.');
}
