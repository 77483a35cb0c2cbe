import { randomBytes } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { OutriggerError } from '../../contract/errors.ts';
import { baseName } from '../../contract/paths.ts';
import { splitNul } from '../../core/split-nul.ts';
import { explicitRepository } from '../processes/explicit-repository.ts';
import type { Processes, RunResult } from '../processes/processes.ts';
import type { State } from '../state/state.ts';
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
import { storeError } from './store-error.ts';
import { parseNumbers, parseTreeDiff, type FileNumbers, type TreeChange } from './tree-diff.ts';

/** Below the state folder. */
const SHADOW = 'checkpoints.git';
/** In it, an index of .gitignore files alone. */
const RULES = 'rules';
const DEFAULT_FORMAT = 'sha1';
const TAB = 0x09;
/** How ls-tree begins. */
const REGULAR_FILE = /^100\d{3} blob /;
/** What git says where a file is that it makes to keep others out. */
const LOCKED = /Unable to create '(.+\.lock)': File exists/;
const MAX_LIST_BYTES = 256 * 1024 * 1024;
/** Contents that one restore or revert holds at once. */
const MAX_BLOB_BYTES = 128 * 1024 * 1024;
/** A first look at a large folder reads all of it. */
const FULL_TIMEOUT_MS = 300_000;
const MAX_RENAMES = 1000;
/** Objects that are no part of a pack: of more, packs are made. As git has it. */
const MAX_LOOSE = 6700;
/** What is stored is what stands in the file: nothing that comes with the folder turns it into something else. */
const ATTRIBUTES = '* -text !eol !filter !ident !working-tree-encoding !diff\n';

export interface GitStoreOptions {
  root: string;
  timeoutMs: number;
  /** Where secrets of the sidecar itself lie, relative to the folder: what trees of before hold of them is neither shown nor brought back. */
  secrets?: (() => ReadonlySet<string>) | undefined;
}

/** Where the objects are. Chosen once: trees of the one would name objects of the other. */
interface Place {
  kind: 'repository' | 'own';
  /** The folder, as it was called then. Older states do not say it. */
  root?: string;
  /** Names our refs, beside those of other sidecars on the same repository. The same in each place, so that those of before are found. */
  name: string;
  /** The repository's, where its objects are used. */
  gitFolder?: string;
  objects?: string;
  format?: string;
  sharing?: string;
  /** Why the folder's own repository is not used. */
  why?: string;
  /** The git folder of the place before, with refs of ours: where it comes back they are dropped. */
  left?: string;
}

/**
 * Trees of the folder in git objects: in the folder's own repository, below refs that no branch, push or log shows, else
 * in one beside the state. It works with an index and a config of its own, so nothing of the repository's config runs, and its
 * HEAD, index and work tree are not touched. One call at a time.
 */
export class GitStore {
  readonly #processes: Pick<Processes, 'run'>;
  readonly #state: State;
  readonly #options: GitStoreOptions;
  readonly #shadow: string;
  #place: Place | undefined;
  /** Where the tree that was kept last is known to be. */
  #sure: string | undefined;

  constructor(dependencies: { processes: Pick<Processes, 'run'>; state: State }, options: GitStoreOptions) {
    this.#processes = dependencies.processes;
    this.#state = dependencies.state;
    this.#options = options;
    this.#shadow = path.join(dependencies.state.folder, SHADOW);
  }

  /** In words, where checkpoints are kept; undefined before the first one. */
  get says(): string | undefined {
    if (this.#place === undefined) return undefined;
    if (this.#place.kind === 'repository') return "in the folder's repository";
    return `beside the state${this.#place.why === undefined ? '' : `: ${this.#place.why}`}`;
  }

  /** True: the index has to be filled anew. */
  get empty(): boolean {
    return !fs.existsSync(path.join(this.#shadow, 'index'));
  }

  /** Finds the store, or where `make` is set makes one; gives whether what was kept before is to be had. Throws TOOL_MISSING. */
  async open(make: boolean, signal?: AbortSignal): Promise<boolean> {
    if (this.#place === undefined) {
      const kept = this.#state.get('checkpoints.place');
      if (kept !== undefined) this.#place = JSON.parse(kept) as Place;
    }
    const before = this.#place;
    const isElsewhere = before?.root !== undefined && before.root !== this.#options.root;
    if (before !== undefined) {
      const place = isElsewhere ? await this.#follow(before, signal) : this.#isThere(before) ? before : undefined;
      if (place !== undefined) {
        this.#place = { ...place, root: this.#options.root };
        if (make && place.root !== this.#options.root) this.#remember(this.#place);
        if (make) await this.#dropLeft(this.#place, signal);
        return true;
      }
      this.#place = undefined;
    }
    if (!make) return false;
    // What lies in the repository of the folder that this one was copied from is that one's.
    const former = isElsewhere ? undefined : before;
    const place = await this.#choose(former?.name ?? randomBytes(4).toString('hex'), signal);
    const left = [former?.gitFolder, former?.left].find((folder) => folder !== undefined && folder !== place.gitFolder);
    await this.#begin(left === undefined ? place : { ...place, left }, signal);
    return false;
  }

  /** Where the checkpoints are of a folder that was moved or copied with its state; undefined where they did not come along. */
  async #follow({ left: _left, ...before }: Place, signal: AbortSignal | undefined): Promise<Place | undefined> {
    if (before.kind === 'own') return this.#isThere(before) ? before : undefined;
    const found = await this.#choose(before.name, signal);
    if (found.gitFolder === undefined || !this.#isThere(found) || found.format !== (before.format ?? DEFAULT_FORMAT)) return undefined;
    // A copy in the same repository: what is kept there is of the folder that it was copied from.
    if (found.objects === before.objects && before.root !== undefined && fs.existsSync(before.root)) return undefined;
    const asked = ['for-each-ref', '--count=1', '--format=%(refname)', refsOf(before)];
    const { stdout } = await this.#git(asked, { env: { GIT_DIR: found.gitFolder, ...quiet }, signal });
    return stdout.length > 0 ? found : undefined;
  }

  /** Every file that belongs to the folder by git's rules, as bytes relative to it: tracked, or new and not ignored. */
  async listed(signal?: AbortSignal): Promise<Uint8Array[]> {
    const { gitFolder } = this.#opened;
    const args = ['-c', 'core.fsmonitor=false', 'ls-files', '-z', '--cached', '--others', '--exclude-standard', '--deduplicate'];
    const env = gitFolder === undefined ? this.#env() : { GIT_DIR: gitFolder, GIT_WORK_TREE: await this.#workTree(signal), ...quiet };
    const { stdout } = await this.#git(args, { env, signal, timeoutMs: FULL_TIMEOUT_MS });
    return splitNul(stdout);
  }

  /** What the index holds, all of it or below folders. */
  async held(folders: readonly string[], signal?: AbortSignal): Promise<Uint8Array[]> {
    const { stdout } = await this.#git(['--literal-pathspecs', 'ls-files', '-z', '--', ...folders], { signal });
    return splitNul(stdout);
  }

  /** What the index holds with another stat than the file has now: its mode may have changed alone, of which no journal tells. */
  async restated(signal?: AbortSignal): Promise<Uint8Array[]> {
    return splitNul((await this.#git(['diff-files', '-z', '--name-only'], { signal })).stdout);
  }

  /** Those of the paths that git ignores; what the index holds already is not ignored. */
  async ignored(paths: readonly string[], signal?: AbortSignal): Promise<Set<string>> {
    if (paths.length === 0) return new Set();
    const { gitFolder } = this.#opened;
    const env = gitFolder === undefined ? this.#env() : { GIT_DIR: gitFolder, GIT_WORK_TREE: await this.#workTree(signal), ...quiet };
    const { stdout } = await this.#git(['check-ignore', '--no-index', '-z', '--stdin'], { env, signal, stdin: askedPaths(paths) }, [0, 1]);
    const ignored = answeredPaths(stdout);
    if (ignored.size > 0) for (const name of await this.held([...ignored], signal)) ignored.delete(Buffer.from(name).toString());
    return ignored;
  }

  /** Those of the paths that are regular files in a tree. Throws CHECKPOINT_LOST. */
  async filesAmong(tree: string, paths: readonly string[], signal?: AbortSignal): Promise<Set<string>> {
    if (paths.length === 0) return new Set();
    const asked = new Set(paths);
    const { stdout } = await this.#git(['ls-tree', '-r', '-z', tree], { signal });
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
    const { stdout: all } = await this.#git(['ls-tree', '-r', '-z', tree], { signal });
    const rules = splitNul(all).filter((line) => /^100\d{3} blob [^]*[\t/]\.gitignore$/.test(Buffer.from(line).toString('latin1')));
    if (rules.length === 0) return new Set();
    for (const left of [RULES, `${RULES}.lock`]) this.#state.removeFile(`${SHADOW}/${left}`);
    // A folder without any such file: of those that an index says to be left out of the work tree, git reads what the index has.
    const workTree = path.join(this.#shadow, 'info');
    const env = { ...this.#env(), GIT_INDEX_FILE: path.join(this.#shadow, RULES), GIT_WORK_TREE: workTree };
    const run = (args: readonly string[], stdin: Buffer, exits?: readonly number[]): Promise<RunResult> =>
      this.#git(['-C', workTree, ...args], { env, signal, stdin }, exits);
    try {
      await run(['update-index', '-z', '--index-info'], nulEnded(rules));
      const names = rules.map((line) => line.subarray(line.indexOf(TAB) + 1));
      await run(['update-index', '--skip-worktree', '-z', '--stdin'], nulEnded(names));
      return answeredPaths((await run(['check-ignore', '-z', '--stdin'], askedPaths(paths), [0, 1])).stdout);
    } finally {
      this.#state.removeFile(`${SHADOW}/${RULES}`);
    }
  }

  /** Takes the files as they stand into the index, and out of it what is gone. */
  async take(present: readonly (Uint8Array | string)[], gone: readonly (Uint8Array | string)[], signal?: AbortSignal): Promise<void> {
    const timeoutMs = FULL_TIMEOUT_MS;
    if (gone.length > 0) await this.#git(['update-index', '--force-remove', '-z', '--stdin'], { signal, stdin: nulEnded(gone), timeoutMs });
    if (present.length === 0) return;
    const args = ['update-index', '--add', '--remove', '--replace', '-z', '--stdin'];
    await this.#git(args, { signal, stdin: nulEnded(present), timeoutMs });
  }

  /** The tree of the index. */
  async indexTree(signal?: AbortSignal): Promise<string> {
    const { stdout } = await this.#git(['write-tree'], { signal, timeoutMs: FULL_TIMEOUT_MS });
    return stdout.toString().trim();
  }

  /**
   * A tree with some files changed, without a look at the index, which takes longer the more files there are. `present` are regular files by
   * name (a character for each byte) with their mode. Throws GIT_FAILED where a file went meanwhile.
   */
  async treeWith(tree: string, present: ReadonlyMap<string, string>, gone: readonly string[], signal?: AbortSignal): Promise<string> {
    const format = this.#opened.format === 'sha256' ? 'sha256' : 'sha1';
    const names = [...present.keys()];
    const folders = foldersAbove([...names, ...gone]);
    const lines = (list: readonly string[]): Buffer => Buffer.from(list.map((line) => `${line}\n`).join(''), 'latin1');
    const [trees, blobs] = await Promise.all([
      this.#git(['cat-file', '--batch'], { signal, stdin: lines(folders.map((folder) => `${tree}:${folder}`)) }),
      names.length === 0
        ? { stdout: Buffer.alloc(0) }
        : this.#git(['hash-object', '-w', '--no-filters', '--stdin-paths'], { signal, stdin: lines(names) }),
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
    await this.#git(['mktree', '-z', '--batch', '--missing'], { signal, stdin: mktreeInput(made) });
    return (made.at(-1) as NewTree).hash;
  }

  /** Kept from git's tidying until it is dropped. */
  async keep(tree: string, signal?: AbortSignal): Promise<void> {
    await this.#git(['-c', 'core.hooksPath=/dev/null', 'update-ref', this.#ref(tree), tree], { env: this.#refEnv(), signal });
    this.#sure = this.#stampOf(tree);
  }

  /** The same for one that was kept: git is asked only where its objects or refs are not those of the last time. Throws CHECKPOINT_LOST. */
  async keepOn(tree: string, signal?: AbortSignal): Promise<void> {
    if (this.#sure === this.#stampOf(tree)) return;
    const { exitCode } = await this.#git(['cat-file', '-e', tree], { signal }, [0, 1]);
    if (exitCode !== 0) throw lost();
    await this.keep(tree, signal);
  }

  /** Other where the repository is another one, or the ref of the tree went. */
  #stampOf(tree: string): string {
    const { objects = path.join(this.#shadow, 'objects') } = this.#opened;
    const folder = path.dirname(objects);
    // Git replaces these files, and writes into none that is there.
    const stamps = [objects, path.join(folder, 'packed-refs'), path.join(folder, this.#ref(tree))].map((at) => {
      const stat = fs.statSync(at, { bigint: true, throwIfNoEntry: false });
      return stat === undefined ? '' : `${stat.dev} ${stat.ino} ${stat.birthtimeNs}`;
    });
    return [tree, ...stamps].join('\n');
  }

  /** Lets git tidy them away. */
  async drop(trees: readonly string[], signal?: AbortSignal): Promise<void> {
    if (trees.length === 0) return;
    const lines = trees.map((tree) => `delete ${this.#ref(tree)}\n`).join('');
    await this.#git(['-c', 'core.hooksPath=/dev/null', 'update-ref', '--stdin'], { env: this.#refEnv(), signal, stdin: lines });
    if (this.#opened.kind === 'own') await this.#tidy(signal);
  }

  /** Our own repository is nobody else's to tidy up: what no ref needs goes at once, else it would be looked through each time for weeks. */
  async #tidy(signal: AbortSignal | undefined): Promise<void> {
    const settings = ['-c', `gc.auto=${MAX_LOOSE}`, '-c', 'gc.autoDetach=false', '-c', 'gc.pruneExpire=now'];
    try {
      await this.#git([...settings, 'gc', '--auto', '--quiet'], { signal, timeoutMs: FULL_TIMEOUT_MS });
    } catch {
      // The next one tries again.
    }
  }

  /** Trees that are kept. */
  async kept(signal?: AbortSignal): Promise<string[]> {
    const { stdout } = await this.#git(['for-each-ref', '--format=%(refname)', this.#refs], { env: this.#refEnv(), signal });
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
    return parseTreeDiff((await this.#git(args, { signal })).stdout);
  }

  /** Added and removed lines of each file. */
  async numbers(from: string, to: string, only: string | undefined, signal?: AbortSignal): Promise<FileNumbers[]> {
    const args = ['diff-tree', '-r', '-z', '--numstat', '--find-renames', `-l${MAX_RENAMES}`, from, to];
    const { stdout } = await this.#git([...args, ...this.#below(only)], { signal });
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
    const { stdout, omittedBytes } = await this.#git(args, { signal, maxOutputBytes: maxBytes });
    if (omittedBytes === 0) return { patch: stdout.toString(), omittedBytes };
    const end = stdout.lastIndexOf(0x0a) + 1;
    return { patch: stdout.subarray(0, end).toString(), omittedBytes: omittedBytes + stdout.length - end };
  }

  /** Contents by object name. Throws OUTPUT_TOO_LARGE, CHECKPOINT_LOST. */
  async contents(objects: Iterable<string>, signal?: AbortSignal): Promise<Map<string, Buffer>> {
    const wanted = [...new Set(objects)];
    const found = new Map<string, Buffer>();
    if (wanted.length === 0) return found;
    const { stdout, omittedBytes } = await this.#git(['cat-file', '--batch'], {
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
    this.#state.removeFile(`${SHADOW}/index`);
  }

  /** Pathspecs of a path, or of all. */
  #below(only: string | undefined): string[] {
    const without = [...(this.#options.secrets?.() ?? [])].map((path) => `:(exclude,literal)${path}`);
    if (only === undefined && without.length === 0) return [];
    return ['--', only === undefined ? '.' : `:(literal)${only}`, ...without];
  }

  // ── where ────────────────────────────────────────────────────────────────────────────────────────────────────────────

  get #opened(): Place {
    if (this.#place === undefined) throw new OutriggerError('INTERNAL', 'The store of checkpoints is not open.');
    return this.#place;
  }

  #isThere({ objects, gitFolder, format = DEFAULT_FORMAT }: Place): boolean {
    const parts = [path.join(this.#shadow, 'HEAD'), objects, gitFolder === undefined ? undefined : path.join(gitFolder, 'HEAD')];
    if (!parts.every((part) => part === undefined || fs.existsSync(part))) return false;
    return objects === undefined || (formatIn(path.dirname(objects)) ?? format) === format;
  }

  /** What kept the checkpoints in a repository that is there again: they were forgotten when it went. */
  async #dropLeft({ left, ...place }: Place, signal: AbortSignal | undefined): Promise<void> {
    if (left === undefined || !fs.existsSync(path.join(left, 'HEAD'))) return;
    const env = { GIT_DIR: left, ...quiet };
    try {
      const { stdout } = await this.#git(['for-each-ref', '--format=delete %(refname)', this.#refs], { env, signal });
      await this.#git(['-c', 'core.hooksPath=/dev/null', 'update-ref', '--stdin'], { env, signal, stdin: stdout });
      this.#remember(place);
    } catch {
      // The next sidecar tries again.
      signal?.throwIfAborted();
    }
    this.#place = place;
  }

  /** The repository of the folder, where it can be written and is trusted; else one of our own. */
  async #choose(name: string, signal: AbortSignal | undefined): Promise<Place> {
    const asked = ['rev-parse', '--path-format=absolute', '--is-inside-work-tree', '--show-object-format', '--absolute-git-dir'];
    const found = await this.#run([...asked, '--git-path', 'objects', '--git-common-dir'], { env: quiet, signal });
    if (found.exitCode !== 0) {
      const stderr = found.stderr.toString();
      if (stderr.includes('dubious ownership')) return { kind: 'own', name, why: "the folder's repository belongs to another user" };
      return { kind: 'own', name };
    }
    const [inside, format = DEFAULT_FORMAT, gitFolder = '', objects = '', common = ''] = found.stdout.toString().split('\n');
    if (inside !== 'true') return { kind: 'own', name };
    if (![objects, path.join(common, 'refs')].every(canWrite))
      return { kind: 'own', name, why: "the folder's repository can't be written" };
    const { stdout } = await this.#run(['config', '--get', 'core.sharedRepository'], { env: quiet, signal });
    const sharing = stdout.toString().trim();
    return { kind: 'repository', name, gitFolder, objects, format, ...(sharing === '' ? {} : { sharing }) };
  }

  async #begin(place: Place, signal: AbortSignal | undefined): Promise<void> {
    this.forgetIndex();
    this.#top = undefined;
    this.#place = { ...place, root: this.#options.root };
    try {
      const { format = DEFAULT_FORMAT } = place;
      // Git makes none of another format of it.
      if (formatIn(this.#shadow) !== format) for (const part of ['HEAD', 'config']) this.#state.removeFile(`${SHADOW}/${part}`);
      const asked = ['init', '--bare', '--quiet', '--template=', `--object-format=${format}`, this.#shadow];
      const made = await this.#run(asked, { env: quiet, signal });
      if (made.exitCode !== 0) throw storeError(made.exitCode, made.stderr.toString());
      this.#state.writeFile(`${SHADOW}/info/attributes`, ATTRIBUTES);
      this.#remember(this.#place);
    } catch (error) {
      this.#place = undefined;
      throw error;
    }
  }

  #remember(place: Place): void {
    this.#state.set('checkpoints.place', JSON.stringify(place));
  }

  /** The top of the work tree that the folder lies in. */
  async #workTree(signal: AbortSignal | undefined): Promise<string> {
    this.#top ??= (await this.#git(['rev-parse', '--show-toplevel'], { env: quiet, signal })).stdout.toString().replace(/\n$/, '');
    return this.#top;
  }
  #top: string | undefined;

  get #refs(): string {
    return refsOf(this.#opened);
  }

  #ref(tree: string): string {
    return this.#refs + tree;
  }

  /** Our own config and index over the objects of the repository. */
  #env(): Record<string, string> {
    const { objects } = this.#opened;
    return {
      GIT_DIR: this.#shadow,
      GIT_WORK_TREE: this.#options.root,
      ...(objects === undefined ? {} : { GIT_OBJECT_DIRECTORY: objects }),
      ...quiet,
    };
  }

  #refEnv(): Record<string, string> {
    const { gitFolder } = this.#opened;
    return gitFolder === undefined ? this.#env() : { GIT_DIR: gitFolder, ...quiet };
  }

  async #git(
    args: readonly string[],
    running: {
      signal: AbortSignal | undefined;
      env?: Record<string, string>;
      stdin?: Uint8Array | string;
      timeoutMs?: number;
      maxOutputBytes?: number;
    },
    exits: readonly number[] = [0],
  ): Promise<RunResult> {
    const request = { env: this.#env(), ...running };
    let result = await this.#run(args, request);
    if (result.exitCode !== 0 && LOCKED.exec(result.stderr.toString())?.[1]?.startsWith(`${this.#shadow}/`) === true) {
      // Of a call of ours that was ended: calls come one at a time.
      this.#removeLocks();
      result = await this.#run(args, request);
    }
    if (result.exitCode === null || !exits.includes(result.exitCode)) throw storeError(result.exitCode, result.stderr.toString());
    return result;
  }

  #removeLocks(): void {
    const names = [
      ...fs.readdirSync(this.#shadow),
      ...fs.readdirSync(path.join(this.#shadow, 'refs'), { recursive: true }).map((name) => `refs/${name.toString()}`),
    ];
    for (const name of names) if (name.endsWith('.lock')) this.#state.removeFile(`${SHADOW}/${name}`);
  }

  #run(
    args: readonly string[],
    running: {
      env: Record<string, string>;
      signal: AbortSignal | undefined;
      stdin?: Uint8Array | string;
      timeoutMs?: number;
      maxOutputBytes?: number;
    },
  ): Promise<RunResult> {
    const { sharing } = this.#place ?? {};
    return this.#processes.run({
      argv: ['git', ...commonConfig, ...(sharing === undefined ? [] : ['-c', `core.sharedRepository=${sharing}`]), ...args],
      cwd: this.#options.root,
      env: running.env,
      timeoutMs: running.timeoutMs ?? this.#options.timeoutMs,
      maxOutputBytes: running.maxOutputBytes ?? MAX_LIST_BYTES,
      signal: running.signal,
      ...(running.stdin === undefined ? {} : { stdin: running.stdin }),
    });
  }
}

const refsOf = ({ name }: Place): string => `refs/outrigger/checkpoints/${name}/`;

const commonConfig = [
  ...explicitRepository,
  ...['--no-pager', '-c', 'core.quotepath=off', '-c', 'core.fsmonitor=false', '-c', 'core.untrackedCache=false', '-c', 'color.ui=false'],
  ...[
    '-c',
    'core.splitIndex=false',
    '-c',
    'gc.auto=0',
    '-c',
    'maintenance.auto=false',
    '-c',
    'core.safecrlf=false',
    '-c',
    'index.version=4',
    '-c',
    // One sync for all objects of a call, where each would have its own. https://git-scm.com/docs/git-config#Documentation/git-config.txt-corefsyncMethod
    'core.fsyncMethod=batch',
  ],
];
const quiet = {
  GIT_TERMINAL_PROMPT: '0',
  LC_ALL: 'C',
  GIT_OPTIONAL_LOCKS: '0',
  GIT_NO_LAZY_FETCH: '1',
  GIT_ALLOW_PROTOCOL: 'none',
  GIT_CONFIG_COUNT: '0',
};

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

/** The object format of the repository with this config; undefined where there is none. https://git-scm.com/docs/git-config#Documentation/git-config.txt-extensionsobjectFormat */
function formatIn(gitFolder: string): string | undefined {
  try {
    const config = fs.readFileSync(path.join(gitFolder, 'config'), 'utf8');
    return /^[^#;\n]*\bobjectformat\s*=\s*"?(\w+)/im.exec(config)?.[1]?.toLowerCase() ?? DEFAULT_FORMAT;
  } catch {
    return undefined;
  }
}

function lost(): OutriggerError {
  return new OutriggerError('CHECKPOINT_LOST', 'What the checkpoint holds is not in the repository any more.');
}

function canWrite(folder: string): boolean {
  try {
    fs.accessSync(folder, fs.constants.W_OK);
    return true;
  } catch {
    return false;
  }
}
