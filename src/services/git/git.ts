import fs from 'node:fs';
import path from 'node:path';
import { OutriggerError } from '../../contract/errors.ts';
import type { Processes, RunResult } from '../processes/processes.ts';
import { gitError, isNoRepository } from './git-error.ts';
import { splitNul, utf8 } from './git-path.ts';
import { type GitCommit, logFormat, parseLog } from './parse-log.ts';
import { type ParsedStatus, parseStatus } from './parse-status.ts';
import { parseStage, parseTree, type TreeEntry } from './parse-tree.ts';
import { planCommit, type CommitChoice, type CommitPlan } from './plan-commit.ts';
import { revisionProblem } from './revision.ts';

/** Git commands that only read and run at once; the others wait. */
const MAX_READERS = 4;
const MAX_LIST_BYTES = 64 * 1024 * 1024;
/** What one argument of a program may hold on Linux, with room to spare. */
const MAX_ARGUMENT_BYTES = 100_000;
/** Files in conflict whose content is looked at before they count as resolved. */
const MAX_CONFLICTS = 1000;
/** Bytes in which a NUL makes a file binary, as git has it. */
const BINARY_PROBE_BYTES = 8000;

export interface GitDependencies {
  processes: Pick<Processes, 'run'>;
  /** Saves open documents, so that git sees what people see. */
  flush: () => Promise<void>;
}

export interface GitOptions {
  /** The workspace: a repository, or a folder inside one. */
  root: string;
  /** Longest a git command may take. */
  timeoutMs: number;
  /** Make a repository where there is none when something is to be committed. */
  init: boolean;
  /** Who commits where nobody else is named. */
  name: string;
  email: string;
  /** Bytes of one patch, and of one file's text. */
  maxTextBytes: number;
}

export type Doing = 'merge' | 'rebase' | 'cherry-pick' | 'revert' | 'bisect';

export interface RepositoryStatus extends ParsedStatus {
  doing: Doing | undefined;
  /** There is more than one answer can hold. */
  cut: boolean;
}

export interface CommitRequest extends CommitChoice {
  message: string;
  author: { name: string; email: string } | undefined;
}

export interface CommitAnswer {
  committed: boolean;
  hash: string | null;
  files: number;
  summary: string;
}

interface Repository {
  /** Of the workspace below the top of the repository: '' or ending with a slash, as bytes. */
  prefix: Buffer;
  gitFolder: string;
  /** Settings of the repository's own that must not hold while we only read. */
  overrides: readonly (readonly [key: string, value: string])[];
}

type Found = { kind: 'none' } | { kind: 'no work tree' } | { kind: 'repository'; repository: Repository };

interface Running {
  signal: AbortSignal | undefined;
  stdin?: Uint8Array | string;
  env?: Readonly<Record<string, string>>;
  maxOutputBytes?: number;
}

/**
 * The repository of the workspace, by the git program.
 *
 * A repository's own config can name programs: hooks, filters, external diffs, monitors, signature checks, transports. While
 * we only read none of them runs. A commit is the user's own act: hooks and filters run as on the command line.
 */
export class Git {
  readonly #processes: GitDependencies['processes'];
  readonly #flush: () => Promise<void>;
  readonly #options: GitOptions;
  readonly #readers = new Turns(MAX_READERS);
  readonly #writers = new Turns(1);

  constructor(dependencies: GitDependencies, options: GitOptions) {
    this.#processes = dependencies.processes;
    this.#flush = dependencies.flush;
    this.#options = options;
  }

  /** Undefined where there is no repository, or one without a work tree here. */
  async status(ignored: boolean, signal?: AbortSignal): Promise<RepositoryStatus | undefined> {
    return this.#reading(signal, async () => {
      await this.#flush();
      const found = await this.#find(signal);
      return found.kind === 'repository' ? this.#status(found.repository, ignored, signal) : undefined;
    });
  }

  /** A unified patch with paths relative to the workspace; cut at the end of a line when it is too long. */
  async diff(
    input: { path?: string | undefined; staged: boolean; from?: string | undefined; to?: string | undefined; context: number },
    signal?: AbortSignal,
  ): Promise<{ diff: string; truncated: boolean; omittedBytes: number }> {
    const { from, to } = input;
    if (to !== undefined && from === undefined) throw new OutriggerError('BAD_INPUT', '`to` needs `from`.');
    if (to !== undefined && input.staged) throw new OutriggerError('BAD_INPUT', 'Only one of `staged` and `to` may be given.');
    for (const revision of [from, to]) checkRevision(revision);
    return this.#reading(signal, async () => {
      await this.#flush();
      const repository = await this.#repository(signal);
      const revisions = [];
      for (const revision of [from, to]) if (revision !== undefined) revisions.push(await this.#treeish(repository, revision, signal));
      const { stdout, omittedBytes } = await this.#read(
        'diff',
        repository,
        [
          ...[
            'diff',
            '--patch',
            '--relative',
            '--no-color',
            '--no-ext-diff',
            '--no-textconv',
            '--find-renames',
            '--src-prefix=a/',
            '--dst-prefix=b/',
          ],
          // The content of submodules is their own repositories' affair, whose config would hold there.
          ...['--submodule=short', '--ignore-submodules=dirty', `--unified=${input.context}`, '--inter-hunk-context=0'],
          ...(input.staged ? ['--cached'] : []),
          ...['--end-of-options', ...revisions, '--', ...(input.path === undefined ? [] : [input.path])],
        ],
        { signal, maxOutputBytes: this.#options.maxTextBytes },
      );
      if (omittedBytes === 0) return { diff: stdout.toString(), truncated: false, omittedBytes };
      const end = stdout.lastIndexOf(0x0a) + 1;
      return { diff: stdout.subarray(0, end).toString(), truncated: true, omittedBytes: omittedBytes + stdout.length - end };
    });
  }

  async log(
    input: { path?: string | undefined; count: number; skip: number; from?: string | undefined },
    signal?: AbortSignal,
  ): Promise<{ commits: GitCommit[]; more: boolean }> {
    checkRevision(input.from);
    return this.#reading(signal, async () => {
      const repository = await this.#repository(signal);
      if ((input.from ?? 'HEAD') === 'HEAD' && (await this.#head(repository, signal)) === undefined) return { commits: [], more: false };
      const below = input.path ?? (repository.prefix.length === 0 ? undefined : '.');
      const { stdout } = await this.#read(
        'log',
        repository,
        [
          ...[
            'log',
            '-z',
            logFormat,
            '--encoding=UTF-8',
            '--no-color',
            '--no-show-signature',
            '--decorate=short',
            '--no-patch',
            '--no-ext-diff',
            '--no-textconv',
          ],
          ...[`--max-count=${input.count + 1}`, `--skip=${input.skip}`],
          ...['--end-of-options', input.from ?? 'HEAD', '--', ...(below === undefined ? [] : [below])],
        ],
        { signal },
      );
      const commits = parseLog(stdout.toString());
      return { commits: commits.slice(0, input.count), more: commits.length > input.count };
    });
  }

  /** A file at a revision, or in the index (`:`, or `:1` to `:3` for the sides of a conflict). */
  async show(
    input: { path: string; revision: string },
    signal?: AbortSignal,
  ): Promise<{ exists: boolean; text: string; binary: boolean; size: number }> {
    const stage = /^:([0-3]?)$/.exec(input.revision)?.[1];
    if (stage === undefined) checkRevision(input.revision);
    return this.#reading(signal, async () => {
      const repository = await this.#repository(signal);
      const entry =
        stage === undefined
          ? await this.#treeEntry(repository, input.revision, input.path, signal)
          : await this.#indexEntry(repository, Number(stage), input.path, signal);
      if (entry === undefined) return { exists: false, text: '', binary: false, size: 0 };
      if (entry.mode === '040000' || entry.mode === '160000') {
        throw new OutriggerError(
          'BAD_INPUT',
          `${input.path} is a ${entry.mode === '040000' ? 'folder' : 'submodule'} at ${input.revision}.`,
        );
      }
      const { maxTextBytes } = this.#options;
      const { stdout, omittedBytes } = await this.#read('show', repository, ['cat-file', 'blob', entry.hash], {
        signal,
        maxOutputBytes: maxTextBytes,
      });
      const size = stdout.length + omittedBytes;
      const text = stdout.subarray(0, BINARY_PROBE_BYTES).includes(0) ? undefined : omittedBytes > 0 ? '' : utf8(stdout);
      if (text === undefined) return { exists: true, text: '', binary: true, size };
      if (omittedBytes > 0)
        throw new OutriggerError(
          'OUTPUT_TOO_LARGE',
          `${input.path} holds ${size} bytes at ${input.revision}; ${maxTextBytes} is the most that is shown.`,
        );
      return { exists: true, text: text.startsWith('\ufeff') ? text.slice(1) : text, binary: false, size };
    });
  }

  /**
   * One at a time. Aborted or out of time, the commit may or may not have been made; what was put into the index stays there,
   * as it does when a hook refuses.
   */
  async commit(request: CommitRequest, signal?: AbortSignal): Promise<CommitAnswer> {
    checkMessage(request);
    return this.#writers.take(signal, async () => {
      await this.#flush();
      const repository = await this.#repositoryOrInit(signal);
      const status = await this.#status(repository, false, signal);
      if (status.cut) throw new OutriggerError('GIT_FAILED', 'commit: too many files changed; commit them in parts, by path.');
      const plan = planCommit(status.entries, request);
      if (plan.chosen.length === 0 && status.doing !== 'merge') return nothing;
      await this.#refuseMarkers(repository, plan, request, signal);
      const outside = await this.#stagedOutside(repository, signal);
      if (outside !== undefined && request.paths === undefined && !request.all) {
        throw new OutriggerError(
          'GIT_FAILED',
          `commit: ${outside} is staged too, and lies outside of this folder; choose files by path, or all.`,
        );
      }
      await this.#add(plan, signal);
      const some = plan.othersStaged || outside !== undefined;
      const staged = some ? plan.chosen.length : await this.#stagedCount(repository, signal);
      if (staged === 0 && status.doing !== 'merge') return nothing;
      return this.#commit(repository, request, some ? plan : undefined, staged, signal);
    });
  }

  // ── the steps of a commit ────────────────────────────────────────────────────────────────────────────────────────────

  async #repositoryOrInit(signal: AbortSignal | undefined): Promise<Repository> {
    const found = await this.#find(signal);
    if (found.kind !== 'none' || !this.#options.init) return repositoryOf(found);
    await this.#write('init', ['init', '--quiet'], { signal });
    return this.#repository(signal);
  }

  /** Files that still hold the marks of a conflict are not resolved, whoever says "all". */
  async #refuseMarkers(
    repository: Repository,
    plan: CommitPlan,
    { paths, all }: CommitRequest,
    signal: AbortSignal | undefined,
  ): Promise<void> {
    if (plan.unmerged.length === 0 || (!all && paths === undefined)) return;
    const names = plan.unmerged.map(({ path: { shown } }) => shown);
    const conflict = (files: readonly string[]): OutriggerError =>
      new OutriggerError(
        'GIT_FAILED',
        `commit: ${files.length === 1 ? files[0] : `${files.length} files`} still in conflict: take the <<<<<<< and >>>>>>> marks out first.`,
        {
          details: { conflicts: files.slice(0, 100) },
        },
      );
    if (names.length > MAX_CONFLICTS || plan.unmerged.some(({ path: { raw } }) => raw)) throw conflict(names);
    const marks = [
      'grep',
      '-z',
      '--files-with-matches',
      '--no-color',
      '--no-textconv',
      '--extended-regexp',
      '-e',
      '^(<{7}|>{7})( |$)',
      '--',
      ...names,
    ];
    const { stdout } = await this.#read('commit', repository, marks, { signal, maxOutputBytes: MAX_LIST_BYTES }, [0, 1]);
    const marked = splitNul(stdout).map((name) => Buffer.from(name).toString());
    if (marked.length > 0) throw conflict(marked);
  }

  /** A staged file of the larger repository that is not ours to commit. */
  async #stagedOutside(repository: Repository, signal: AbortSignal | undefined): Promise<string | undefined> {
    const { prefix } = repository;
    if (prefix.length === 0) return undefined;
    const { stdout } = await this.#read('commit', repository, ['diff', '--cached', '--name-only', '--no-renames', '--no-ext-diff', '-z'], {
      signal,
      maxOutputBytes: MAX_LIST_BYTES,
    });
    const outside = splitNul(stdout).find((name) => Buffer.compare(name.subarray(0, prefix.length), prefix) !== 0);
    return outside === undefined ? undefined : Buffer.from(outside).toString();
  }

  async #add({ add }: CommitPlan, signal: AbortSignal | undefined): Promise<void> {
    if (add.length === 0) return;
    // Exact names: `git add` compares each with each, and fails when a file is gone again.
    await this.#write('commit', ['update-index', '--add', '--remove', '--replace', '-z', '--stdin'], {
      signal,
      stdin: nulEnded(add.map(({ path: { bytes } }) => bytes)),
    });
  }

  async #stagedCount(repository: Repository, signal: AbortSignal | undefined): Promise<number> {
    const args = ['diff', '--cached', '--name-only', '--find-renames', '--no-ext-diff', '--no-textconv', '-z'];
    const { stdout } = await this.#read('commit', repository, args, { signal, maxOutputBytes: MAX_LIST_BYTES });
    return splitNul(stdout).length;
  }

  async #commit(
    repository: Repository,
    request: CommitRequest,
    only: CommitPlan | undefined,
    files: number,
    signal: AbortSignal | undefined,
  ): Promise<CommitAnswer> {
    const env = await this.#identity(request.author, signal);
    // Lines that begin with # are part of the message: nobody saw an editor with comments in it.
    const args = ['commit', '--cleanup=whitespace'];
    let stdin: Uint8Array | string = request.message;
    if (only === undefined) args.push('--file=-');
    else {
      if (Buffer.byteLength(request.message) > MAX_ARGUMENT_BYTES) {
        throw new OutriggerError('BAD_INPUT', `A message of more than ${MAX_ARGUMENT_BYTES} bytes is only taken with all that is staged.`);
      }
      args.push('--only', `--message=${request.message}`, '--pathspec-from-file=-', '--pathspec-file-nul');
      stdin = nulEnded(only.chosen.flatMap(({ path: one, from }) => (from === undefined ? [one.bytes] : [one.bytes, from.bytes])));
    }
    const result = await this.#run('commit', [...writeConfig, ...args], { signal, stdin, env: { ...writeEnv, ...env } });
    const said = result.stdout.toString();
    // A hook may take everything out of the index again.
    if (result.exitCode === 1 && /^(nothing|no changes) (added )?to commit|^nothing added to commit/m.test(said)) return nothing;
    if (result.exitCode !== 0) throw gitError('commit', result.exitCode, `${result.stderr.toString()}\n${said}`);
    const hash = (await this.#head(repository, signal)) ?? null;
    const summary = /^ \d+ files? changed.*$/m.exec(said)?.[0]?.trim();
    return { committed: true, hash, files, summary: summary ?? request.message.trim().split('\n')[0] ?? '' };
  }

  /** Environment that names who writes, only where nothing of the user's does. Nothing is ever put into a config. */
  async #identity(author: CommitRequest['author'], signal: AbortSignal | undefined): Promise<Record<string, string>> {
    const named = async (which: 'AUTHOR' | 'COMMITTER'): Promise<boolean> => {
      // Without this git makes a name of the login and the host.
      const { exitCode } = await this.#run('commit', ['-c', 'user.useConfigOnly=true', 'var', `GIT_${which}_IDENT`], {
        signal,
        env: readEnv,
      });
      return exitCode === 0;
    };
    const [hasAuthor, hasCommitter] = await Promise.all([author === undefined ? named('AUTHOR') : false, named('COMMITTER')]);
    const { name, email } = author ?? this.#options;
    return {
      ...(hasAuthor ? {} : { GIT_AUTHOR_NAME: name, GIT_AUTHOR_EMAIL: email }),
      ...(hasCommitter ? {} : { GIT_COMMITTER_NAME: this.#options.name, GIT_COMMITTER_EMAIL: this.#options.email }),
    };
  }

  // ── asking git ───────────────────────────────────────────────────────────────────────────────────────────────────────

  async #find(signal: AbortSignal | undefined): Promise<Found> {
    const [where, overrides] = await Promise.all([
      this.#run('status', [...readConfig, 'rev-parse', '--is-inside-work-tree', '--show-prefix', '--absolute-git-dir'], {
        signal,
        env: readEnv,
      }),
      this.#ownFilters(signal),
    ]);
    if (where.exitCode !== 0) {
      const stderr = where.stderr.toString();
      if (isNoRepository(stderr)) return { kind: 'none' };
      throw gitError('git', where.exitCode, stderr);
    }
    const inside = where.stdout.indexOf(0x0a);
    if (where.stdout.subarray(0, inside).toString() !== 'true') return { kind: 'no work tree' };
    const cut = where.stdout.indexOf(0x0a, inside + 1);
    const prefix = where.stdout.subarray(inside + 1, cut);
    return { kind: 'repository', repository: { prefix, gitFolder: where.stdout.subarray(cut + 1, -1).toString(), overrides } };
  }

  /**
   * Reading a changed file runs it through its filter. Filters of the user (git-lfs) hold; those that come with the repository
   * would be programs chosen by whoever made it.
   */
  async #ownFilters(signal: AbortSignal | undefined): Promise<Repository['overrides']> {
    const args = [
      ...readConfig,
      'config',
      '--show-scope',
      '--includes',
      '--name-only',
      '-z',
      '--get-regexp',
      '^filter\\..*\\.(clean|smudge|process|required)$',
    ];
    const { stdout } = await this.#run('status', args, { signal, env: readEnv });
    const words = splitNul(stdout).map((word) => Buffer.from(word).toString());
    const overrides: [string, string][] = [];
    for (let at = 0; at + 1 < words.length; at += 2) {
      const [scope, key = ''] = words.slice(at, at + 2);
      if (scope === 'local' || scope === 'worktree') overrides.push([key, key.endsWith('.required') ? 'false' : '']);
    }
    return overrides;
  }

  async #repository(signal: AbortSignal | undefined): Promise<Repository> {
    return repositoryOf(await this.#find(signal));
  }

  async #status(repository: Repository, ignored: boolean, signal: AbortSignal | undefined): Promise<RepositoryStatus> {
    const { stdout, omittedBytes } = await this.#read(
      'status',
      repository,
      [
        ...[
          'status',
          '--porcelain=v2',
          '--branch',
          '-z',
          '--untracked-files=all',
          '--ignore-submodules=dirty',
          '--find-renames',
          `--ignored=${ignored ? 'matching' : 'no'}`,
        ],
        ...(repository.prefix.length === 0 ? [] : ['--', '.']),
      ],
      { signal, maxOutputBytes: MAX_LIST_BYTES },
    );
    const parsed = parseStatus(stdout, repository.prefix);
    return {
      ...parsed,
      entries: parsed.entries.filter((entry) => !isOwnTemporary(entry.path.shown)),
      doing: doingIn(repository.gitFolder),
      cut: omittedBytes > 0,
    };
  }

  /** The commit that HEAD names; undefined before the first one. */
  async #head(repository: Repository, signal: AbortSignal | undefined): Promise<string | undefined> {
    const { exitCode, stdout } = await this.#read(
      'log',
      repository,
      ['rev-parse', '--verify', '--quiet', 'HEAD^{commit}'],
      { signal },
      [0, 1],
    );
    return exitCode === 0 ? stdout.toString().trim() : undefined;
  }

  /** Before the first commit, HEAD is a folder with nothing in it. */
  async #treeish(repository: Repository, revision: string, signal: AbortSignal | undefined): Promise<string> {
    if (revision !== 'HEAD' || (await this.#head(repository, signal)) !== undefined) return revision;
    const { stdout } = await this.#read('diff', repository, ['hash-object', '-t', 'tree', '--stdin'], { signal, stdin: '' });
    return stdout.toString().trim();
  }

  async #treeEntry(
    repository: Repository,
    revision: string,
    file: string,
    signal: AbortSignal | undefined,
  ): Promise<TreeEntry | undefined> {
    if (revision === 'HEAD' && (await this.#head(repository, signal)) === undefined) return undefined;
    // What follows `--end-of-options` is all names, so there is no `--`: it would be one.
    const args = ['ls-tree', '-z', '--full-tree', '--end-of-options', revision, repository.prefix.toString() + file];
    return parseTree((await this.#read('show', repository, args, { signal })).stdout);
  }

  async #indexEntry(repository: Repository, stage: number, file: string, signal: AbortSignal | undefined): Promise<TreeEntry | undefined> {
    const { stdout } = await this.#read('show', repository, ['ls-files', '--stage', '-z', '--', file], { signal });
    return parseStage(stdout, stage, file);
  }

  /** A command that changes nothing and lets the repository run nothing. Throws unless it ends with one of `exits`. */
  async #read(
    action: string,
    repository: Repository,
    args: readonly string[],
    running: Running,
    exits: readonly number[] = [0],
  ): Promise<RunResult> {
    const result = await this.#run(action, [...readConfig, ...args], { ...running, env: readEnv }, repository.overrides);
    if (result.exitCode === null || !exits.includes(result.exitCode)) throw gitError(action, result.exitCode, result.stderr.toString());
    return result;
  }

  async #write(action: string, args: readonly string[], running: Running): Promise<RunResult> {
    const result = await this.#run(action, [...writeConfig, ...args], { ...running, env: writeEnv });
    if (result.exitCode !== 0) throw gitError(action, result.exitCode, result.stderr.toString());
    return result;
  }

  async #run(action: string, args: readonly string[], running: Running, overrides: Repository['overrides'] = []): Promise<RunResult> {
    const { root, timeoutMs } = this.#options;
    if (!fs.existsSync(root)) throw new OutriggerError('WORKSPACE_GONE', `${action}: the folder is not there.`);
    // In a pod the folder often belongs to the app's user, and git would refuse it. We were told to serve exactly this folder, so
    // that it is trusted says nothing new; one above it, or a submodule of another owner, stays refused. As environment and not
    // as -c: git hands -c on to the commands that it runs in submodules.
    const config = [['safe.directory', realPath(root)] as const, ...overrides];
    const pairs = config.flatMap(([key, value], at) => [
      [`GIT_CONFIG_KEY_${at}`, key] as const,
      [`GIT_CONFIG_VALUE_${at}`, value] as const,
    ]);
    return this.#processes.run({
      argv: ['git', '--no-pager', '--literal-pathspecs', ...commonConfig, ...args],
      cwd: root,
      env: { ...commonEnv, ...running.env, GIT_CONFIG_COUNT: String(config.length), ...Object.fromEntries(pairs) },
      timeoutMs,
      signal: running.signal,
      ...(running.stdin === undefined ? {} : { stdin: running.stdin }),
      ...(running.maxOutputBytes === undefined ? {} : { maxOutputBytes: running.maxOutputBytes }),
    });
  }

  #reading<T>(signal: AbortSignal | undefined, run: () => Promise<T>): Promise<T> {
    return this.#readers.take(signal, run);
  }
}

const nothing: CommitAnswer = { committed: false, hash: null, files: 0, summary: 'Nothing changed since the last commit.' };

const commonConfig = ['-c', 'core.quotepath=off', '-c', 'core.fsmonitor=false', '-c', 'color.ui=false'];
const commonEnv = { GIT_TERMINAL_PROMPT: '0', LC_ALL: 'C', GIT_EDITOR: 'true', GIT_PAGER: 'cat' };
const readConfig = ['-c', 'core.hooksPath=/dev/null', '-c', 'log.showSignature=false'];
/** A partial clone would fetch what it lacks, by whatever transport its config names: what is not here is not shown. */
const readEnv = { GIT_OPTIONAL_LOCKS: '0', GIT_NO_LAZY_FETCH: '1', GIT_ALLOW_PROTOCOL: 'none' };
/** Tidying up goes on in the background, outside of every limit, after the command has ended: it is left to the user's own git. */
const writeConfig = ['-c', 'gc.auto=0', '-c', 'maintenance.auto=false'];
const writeEnv = {};

/** So many at once; the others wait their turn, or until they are aborted. */
class Turns {
  #free: number;
  readonly #waiting: (() => void)[] = [];

  constructor(count: number) {
    this.#free = count;
  }

  async take<T>(signal: AbortSignal | undefined, run: () => Promise<T>): Promise<T> {
    signal?.throwIfAborted();
    if (this.#free > 0) this.#free--;
    else await this.#turn(signal);
    try {
      return await run();
    } finally {
      const next = this.#waiting.shift();
      if (next === undefined) this.#free++;
      else next();
    }
  }

  #turn(signal: AbortSignal | undefined): Promise<void> {
    return new Promise((resolve, reject) => {
      const go = (): void => {
        signal?.removeEventListener('abort', aborted);
        resolve();
      };
      const aborted = (): void => {
        this.#waiting.splice(this.#waiting.indexOf(go), 1);
        reject(signal?.reason as Error);
      };
      signal?.addEventListener('abort', aborted, { once: true });
      this.#waiting.push(go);
    });
  }
}

function repositoryOf(found: Found): Repository {
  if (found.kind === 'repository') return found.repository;
  throw new OutriggerError(
    'NO_REPOSITORY',
    found.kind === 'none' ? 'The folder is no git repository.' : 'The repository here is bare, or its work tree is another folder.',
  );
}

function checkRevision(revision: string | undefined): void {
  const problem = revision === undefined ? undefined : revisionProblem(revision);
  if (problem !== undefined) throw new OutriggerError('BAD_INPUT', `The revision ${JSON.stringify(revision?.slice(0, 100))} ${problem}.`);
}

function checkMessage({ message, author }: CommitRequest): void {
  if (message.trim() === '') throw new OutriggerError('BAD_INPUT', 'The message is empty.');
  if ([message, author?.name, author?.email].some((text) => text?.includes('\0') === true))
    throw new OutriggerError('BAD_INPUT', 'The message and the author hold no NUL.');
}

/** What git is in the middle of, by the files that it keeps meanwhile. A rebase that stopped has the marks of other things as well. */
function doingIn(gitFolder: string): Doing | undefined {
  const has = (name: string): boolean => fs.existsSync(path.join(gitFolder, name));
  if (has('rebase-merge') || has('rebase-apply')) return 'rebase';
  if (has('MERGE_HEAD')) return 'merge';
  if (has('CHERRY_PICK_HEAD')) return 'cherry-pick';
  if (has('REVERT_HEAD')) return 'revert';
  return has('BISECT_LOG') ? 'bisect' : undefined;
}

/** Files that the workspace is about to rename into place. */
function isOwnTemporary(shown: string): boolean {
  return /^\.outrigger-[^/]*\.tmp$/.test(shown.slice(shown.lastIndexOf('/') + 1));
}

function nulEnded(names: readonly Uint8Array[]): Buffer {
  const nul = Buffer.of(0);
  return Buffer.concat(names.flatMap((name) => [name, nul]));
}

function realPath(folder: string): string {
  try {
    return fs.realpathSync(folder);
  } catch {
    return folder;
  }
}
