import fs from 'node:fs';
import { type AccessLevel, allowsLevel } from '../../contract/access.ts';
import { OutriggerError } from '../../contract/errors.ts';
import { splitNul } from '../../core/split-nul.ts';
import { explicitRepository } from '../processes/explicit-repository.ts';
import type { Processes, RunResult } from '../processes/processes.ts';
import { type EditHistory, ReadSteps } from './edit-history.ts';
import { changeError, gitError, isBareRepository, isNoRepository, withMore } from './git-error.ts';
import { plainGitFolder } from './plain-repository.ts';
import { Turns } from './turns.ts';

/** Git commands that only read and run at once; the others wait. */
const MAX_READERS = 4;
/** Conversations with other machines at once. */
const MAX_CONVERSATIONS = 2;
/** Longest list that is read of git. */
export const MAX_LIST_BYTES = 64 * 1024 * 1024;

export interface GitDependencies {
  processes: Pick<Processes, 'run' | 'open'>;
  /** Saves open documents, so that git sees what people see; not while saves are held. */
  flush: () => Promise<void>;
  /** The same, and holds further saves: a hook may put back what it read before one. Gives the way to end it. Absent: nothing is open. */
  holdSaves?: (() => Promise<() => void>) | undefined;
  /** Keeps links and folders where they are while git goes through them; gives the way to call it off. Absent: nobody moves any. */
  still?: ((signal: AbortSignal | undefined) => Promise<() => void>) | undefined;
  /** Keeps what is not git's out of the files meanwhile, typed text above all; gives the way to end it. Absent: nobody writes any. */
  alone?: (() => () => void) | undefined;
  /** Absent: nobody knows who edited what, and commits name only who commits. */
  edits?: EditHistory | undefined;
  /** Where secrets of the sidecar itself lie, relative to the workspace. Absent: nowhere in it. */
  secrets?: (() => ReadonlySet<string>) | undefined;
}

export interface GitOptions {
  /** The workspace: a repository, or a folder inside one. */
  root: string;
  /** Longest a git command may take that does neither of the next. */
  timeoutMs: number;
  /** Longest one may take that talks to another machine, or changes the work tree. */
  networkTimeoutMs: number;
  /** Make a repository where there is none when something is to be committed. */
  init: boolean;
  /** Who commits where nobody else is named. */
  name: string;
  email: string;
  /** Commits name who edited what they hold, unless a call says otherwise. */
  coAuthors: boolean;
  /** Bytes of one patch, and of one file's text. */
  maxTextBytes: number;
  /** Addresses of files outside of the workspace may be cloned, fetched from and pushed to. */
  fileRemotes: boolean;
  /** Folder for the sockets that credentials of a call go through; made when it is needed. */
  credentialFolder: string;
}

export interface Repository {
  /** Of the workspace below the top of the repository: '' or ending with a slash, as bytes. */
  prefix: Buffer;
  gitFolder: string;
  /** Settings of the repository's own that must not hold while we only read. */
  overrides: Settings;
}

export type Settings = readonly (readonly [key: string, value: string])[];

type Found = { kind: 'none' } | { kind: 'no work tree' } | { kind: 'repository'; repository: Repository };

export interface Running {
  signal: AbortSignal | undefined;
  stdin?: Uint8Array | string;
  env?: Readonly<Record<string, string>>;
  maxOutputBytes?: number;
  timeoutMs?: number;
  /** The paths that the command is about, none for all of the workspace: they end its arguments, and the sidecar's secrets are left out. */
  about?: readonly string[];
  /** Settings for this command alone. */
  settings?: Settings;
  onStderr?: (chunk: Buffer) => void;
}

export interface Changing extends Pick<Running, 'stdin' | 'env' | 'settings'> {
  /** Takes back what a command did that was ended in the middle; false where it can't. */
  undo?: (() => Promise<boolean>) | undefined;
}

/**
 * The repository of the workspace, by the git program: finds it and runs commands in it. What can be asked of it are functions
 * in the files beside this one.
 *
 * A repository's own config can name programs: hooks, filters, external diffs, monitors, signature checks, transports. While
 * we only read none of them runs. A commit is the user's own act: hooks and filters run as on the command line, the hooks only for
 * callers who may have programs run: what a hook does is often written in the work tree.
 */
export class Git {
  readonly options: GitOptions;
  readonly edits: EditHistory | undefined;
  readonly readSteps: ReadSteps;
  readonly #dependencies: GitDependencies;
  readonly #readers: Turns;
  readonly #writers: Turns;
  readonly #conversations: Turns;
  /** HEAD when a command was ended that was changing the work tree. */
  readonly #torn: { head?: string | null };
  readonly #access: AccessLevel;
  readonly #limited = new Map<AccessLevel, Git>();

  /** `like` is for admins; this one, for callers of another level, takes turns with it. */
  constructor(dependencies: GitDependencies, options: GitOptions, like?: Git, access: AccessLevel = 'admin') {
    this.#dependencies = dependencies;
    this.edits = dependencies.edits;
    this.options = options;
    this.#access = access;
    this.readSteps = like === undefined ? new ReadSteps() : like.readSteps;
    this.#readers = like === undefined ? new Turns(MAX_READERS) : like.#readers;
    this.#writers = like === undefined ? new Turns(1) : like.#writers;
    this.#conversations = like === undefined ? new Turns(MAX_CONVERSATIONS) : like.#conversations;
    this.#torn = like === undefined ? {} : like.#torn;
  }

  /** The same repository, in turn with this one, for callers of a level: without `execute` no hook runs, and admins alone change secrets of the sidecar. */
  for(access: AccessLevel): Git {
    if (access === this.#access) return this;
    let git = this.#limited.get(access);
    if (git === undefined) this.#limited.set(access, (git = new Git(this.#dependencies, this.options, this, access)));
    return git;
  }

  /** Where files lie that hold secrets of the sidecar itself, relative to the workspace. */
  get secrets(): readonly string[] {
    return [...(this.#dependencies.secrets?.() ?? [])];
  }

  /** Those that whoever asks may not have changed. */
  get guarded(): readonly string[] {
    return this.#access === 'admin' ? [] : this.secrets;
  }

  /** Takes a turn to read. Waiting ends with the reason of `signal`. */
  reading<T>(signal: AbortSignal | undefined, run: () => Promise<T>): Promise<T> {
    return this.#readers.take(signal, () => this.#still(signal, run));
  }

  /** The same to change the index, the work tree or what HEAD names: one at a time, with open documents saved. */
  writing<T>(signal: AbortSignal | undefined, run: () => Promise<T>): Promise<T> {
    return this.#writers.take(signal, async () => {
      const end = await this.#dependencies.holdSaves?.();
      try {
        return await this.#still(signal, run);
      } finally {
        end?.();
      }
    });
  }

  /** The same to change files of the work tree: what is typed meanwhile is saved when it is over, and merged with what git put there. */
  changing<T>(signal: AbortSignal | undefined, run: () => Promise<T>): Promise<T> {
    return this.writing(signal, async () => {
      const end = this.#dependencies.alone?.();
      try {
        return await run();
      } finally {
        end?.();
      }
    });
  }

  async #still<T>(signal: AbortSignal | undefined, run: () => Promise<T>): Promise<T> {
    const leave = await this.#dependencies.still?.(signal);
    try {
      return await run();
    } finally {
      leave?.();
    }
  }

  /** The same to talk to another machine, which keeps nobody from committing. */
  talking<T>(signal: AbortSignal | undefined, run: () => Promise<T>): Promise<T> {
    return this.#conversations.take(signal, run);
  }

  flush(): Promise<void> {
    return this.#dependencies.flush();
  }

  /** A repository that is found here may turn out to be none with the first command, which throws NO_REPOSITORY then. */
  async find(signal: AbortSignal | undefined): Promise<Found> {
    const gitFolder = plainGitFolder(this.options.root);
    if (gitFolder !== undefined) return { kind: 'repository', repository: { prefix: Buffer.alloc(0), gitFolder, overrides: [] } };
    const [where, overrides] = await Promise.all([
      this.run('status', [...readConfig, 'rev-parse', '--is-inside-work-tree', '--show-prefix', '--absolute-git-dir'], {
        signal,
        env: readEnv,
      }),
      this.#ownFilters(signal),
    ]);
    if (where.exitCode !== 0) {
      const stderr = where.stderr.toString();
      if (isNoRepository(stderr)) return { kind: 'none' };
      if (isBareRepository(stderr)) return { kind: 'no work tree' };
      throw gitError('git', where.exitCode, stderr);
    }
    const inside = where.stdout.indexOf(0x0a);
    if (where.stdout.subarray(0, inside).toString() !== 'true') return { kind: 'no work tree' };
    const cut = where.stdout.indexOf(0x0a, inside + 1);
    const prefix = where.stdout.subarray(inside + 1, cut);
    const found = where.stdout.subarray(cut + 1, -1).toString();
    // Before 2.38, git takes the folder itself for one where it looks like one.
    if (found === realPath(this.options.root)) return { kind: 'no work tree' };
    return { kind: 'repository', repository: { prefix, gitFolder: found, overrides } };
  }

  /** Throws NO_REPOSITORY where there is none. */
  async repository(signal: AbortSignal | undefined): Promise<Repository> {
    return repositoryOf(await this.find(signal));
  }

  /** For what changes the work tree as a whole: it would reach files that are not ours where the repository is larger than the workspace. */
  async wholeRepository(action: string, signal: AbortSignal | undefined): Promise<Repository> {
    const repository = await this.repository(signal);
    if (repository.prefix.length === 0) return repository;
    throw new OutriggerError(
      'GIT_OUTSIDE',
      `${action}: the workspace is the folder ${repository.prefix.toString()} of a larger repository, whose other files would change too.`,
    );
  }

  async repositoryOrInit(signal: AbortSignal | undefined): Promise<Repository> {
    const found = await this.find(signal);
    if (found.kind !== 'none' || !this.options.init) return repositoryOf(found);
    await this.write('init', ['init', '--quiet'], { signal });
    return this.repository(signal);
  }

  /** The commit that HEAD names; undefined before the first one. */
  async head(repository: Repository, signal: AbortSignal | undefined): Promise<string | undefined> {
    const args = ['rev-parse', '--verify', '--quiet', 'HEAD^{commit}'];
    const { exitCode, stdout } = await this.read('log', repository, args, { signal }, [0, 1]);
    return exitCode === 0 ? stdout.toString().trim() : undefined;
  }

  /**
   * A revision as it is handed to commands that would take the name of any object: nothing but a commit, since the content of another
   * file, given for a revision, would be compared with one that the caller may see. Before the first commit, HEAD is a folder with nothing in it.
   */
  async treeish(repository: Repository, revision: string, signal: AbortSignal | undefined): Promise<string> {
    if (emptyTrees.includes(revision)) return revision;
    if (revision !== 'HEAD') return this.commitOf(repository, revision, revision, signal);
    return (await this.head(repository, signal)) ?? this.emptyTree(repository, signal);
  }

  /** The commit of a ref or another revision, which an error calls `what`. Throws GIT_FAILED where there is none. */
  async commitOf(repository: Repository, revision: string, what: string, signal: AbortSignal | undefined): Promise<string> {
    const args = ['rev-parse', '--verify', '--quiet', '--end-of-options', `${revision}^{commit}`];
    const { exitCode, stdout, stderr } = await this.read('log', repository, args, { signal }, [0, 1, 128]);
    const found = stdout.toString().trim().split('\n').at(-1) ?? '';
    // With a ^ before it, git tells which one is left out.
    if (exitCode === 0 && !found.startsWith('^')) return found;
    const error = gitError('log', exitCode, stderr.toString());
    // Git's own words, quiet or not, would name a ref with all its folders.
    throw error.reason === 'GIT_FAILED' ? new OutriggerError('GIT_FAILED', `There is no commit for ${what}.`) : error;
  }

  /**
   * The commits of a revision or a range of them, those that are left out with a ^ before them. Handed to git as it was given, it would tell whether there is a
   * file that somebody guesses the content of, and of the commits that a short hash may mean what they say.
   */
  async commitsOf(repository: Repository, range: string, signal: AbortSignal | undefined): Promise<string[]> {
    const { stdout, stderr, exitCode } = await this.read(
      'log',
      repository,
      ['rev-parse', '--revs-only', range, '--'],
      { signal },
      [0, 128],
    );
    if (exitCode !== 0 && isNoRepository(stderr.toString())) throw gitError('log', exitCode, stderr.toString());
    const names = exitCode === 0 ? stdout.toString().split('\n').filter(Boolean) : [range];
    const commits: string[] = [];
    for (const name of names) {
      const isOut = exitCode === 0 && name.startsWith('^');
      commits.push(`${isOut ? '^' : ''}${await this.commitOf(repository, isOut ? name.slice(1) : name, range, signal)}`);
    }
    return commits;
  }

  async emptyTree(repository: Repository, signal: AbortSignal | undefined): Promise<string> {
    const { stdout } = await this.read('diff', repository, ['hash-object', '-t', 'tree', '--stdin'], { signal, stdin: '' });
    return stdout.toString().trim();
  }

  /** A command that changes nothing and lets the repository run nothing. Throws unless it ends with one of `exits`. */
  async read(
    action: string,
    repository: Repository,
    args: readonly string[],
    running: Running,
    exits: readonly number[] = [0],
  ): Promise<RunResult> {
    const settings = [...repository.overrides, ...(running.settings ?? [])];
    const result = await this.run(action, [...readConfig, ...args], { ...running, settings, env: readEnv });
    if (result.exitCode === null || !exits.includes(result.exitCode)) throw gitError(action, result.exitCode, result.stderr.toString());
    return result;
  }

  /**
   * A command that is the user's own act: filters run, and hooks unless `withoutHooks`. Throws unless it ends with one of `exits`. Once begun it runs to its end, unless
   * it `endsWithCall`: ended in the moment in which git makes a lock, it would leave that, and refuse all that comes later.
   */
  async write(
    action: string,
    args: readonly string[],
    { endsWithCall = false, ...running }: Running & { endsWithCall?: boolean },
    exits: readonly number[] = [0],
  ): Promise<RunResult> {
    running.signal?.throwIfAborted();
    const result = await this.run(action, [...writeConfig, ...args], endsWithCall ? running : { ...running, signal: undefined });
    if (result.exitCode === null || !exits.includes(result.exitCode)) throw changeError(action, result);
    return result;
  }

  /**
   * The same for one that changes the work tree; any exit code is a result. Ended with the call it would leave files of two commits, so that
   * it runs to its end, and its limit is the longer one: filters may fetch what they write. Throws what ended it before.
   */
  async change(action: string, repository: Repository, args: readonly string[], { undo, ...running }: Changing = {}): Promise<RunResult> {
    const timeoutMs = this.options.networkTimeoutMs;
    const result = await this.run(action, [...writeConfig, ...args], { ...running, signal: undefined, timeoutMs }).catch(
      (error: unknown) => {
        if (error instanceof OutriggerError && error.reason === 'PROCESS_TIMEOUT') return error;
        throw error;
      },
    );
    if (!(result instanceof OutriggerError) && result.exitCode !== null) return result;
    const error = result instanceof OutriggerError ? result : changeError(action, result);
    if (await undo?.()) throw error;
    this.#torn.head = (await this.head(repository, undefined)) ?? null;
    throw withMore(error, 'What it had done by then is still there: see git.status and git.stashes.');
  }

  /** What is not committed is what a command left that was ended in the middle, until the status is clean once or HEAD is another commit. */
  isTorn({ head, entries }: { head: string | null; entries: readonly unknown[] }): boolean {
    if (this.#torn.head !== head || entries.length === 0) delete this.#torn.head;
    return this.#torn.head !== undefined;
  }

  /** Any exit code is a result. Aborted or out of time, the whole group of processes is ended. */
  async run(action: string, args: readonly string[], running: Running): Promise<RunResult> {
    const { stdin, maxOutputBytes, onStderr } = running;
    const result = await this.#dependencies.processes.run({
      ...this.#request(action, args, running),
      ...(stdin === undefined ? {} : { stdin }),
      ...(maxOutputBytes === undefined ? {} : { maxOutputBytes }),
      ...(onStderr === undefined ? {} : { onStderr }),
    });
    // Where the workspace lies on this machine is for admins to know.
    const root = `${realPath(this.options.root)}/`;
    if (!result.stderr.includes(root)) return result;
    return {
      ...result,
      stderr: Buffer.from(result.stderr.toString('latin1').replaceAll(Buffer.from(root).toString('latin1'), ''), 'latin1'),
    };
  }

  /** A program that goes on until it is ended. */
  open(action: string, args: readonly string[], running: Running): ReturnType<Processes['open']> {
    return this.#dependencies.processes.open(this.#request(action, args, running));
  }

  #request(action: string, args: readonly string[], running: Running) {
    const { root, timeoutMs } = this.options;
    if (!fs.existsSync(root)) throw new OutriggerError('WORKSPACE_GONE', `${action}: the folder is not there.`);
    // In a pod the folder often belongs to the app's user, and git would refuse it. We were told to serve exactly this folder, so
    // that it is trusted says nothing new; one above it, or a submodule of another owner, stays refused. As environment and not
    // as -c: git hands -c on to the commands that it runs in submodules.
    const settings = [['safe.directory', realPath(root)] as const, ...(running.settings ?? [])];
    const pairs = settings.flatMap(([key, value], at) => [
      [`GIT_CONFIG_KEY_${at}`, key] as const,
      [`GIT_CONFIG_VALUE_${at}`, value] as const,
    ]);
    const hooks = allowsLevel(this.#access, 'execute') ? [] : noHooks;
    const { secrets } = this;
    const isLiteral = running.about === undefined || secrets.length === 0;
    const about = running.about === undefined ? [] : ['--', ...(isLiteral ? running.about : pathspecs(running.about, secrets))];
    return {
      argv: ['git', '--no-pager', ...(isLiteral ? ['--literal-pathspecs'] : []), ...commonConfig, ...hooks, ...args, ...about] as [
        string,
        ...string[],
      ],
      cwd: root,
      env: { ...commonEnv, ...running.env, GIT_CONFIG_COUNT: String(settings.length), ...Object.fromEntries(pairs) },
      timeoutMs: running.timeoutMs ?? timeoutMs,
      signal: running.signal,
    };
  }

  /**
   * Reading a changed file runs it through its filter. Filters of the user (git-lfs) hold; those that come with the repository
   * would be programs chosen by whoever made it.
   */
  async #ownFilters(signal: AbortSignal | undefined): Promise<Settings> {
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
    const { stdout } = await this.run('status', args, { signal, env: readEnv });
    const words = splitNul(stdout).map((word) => Buffer.from(word).toString());
    const overrides: [string, string][] = [];
    for (let at = 0; at + 1 < words.length; at += 2) {
      const [scope, key = ''] = words.slice(at, at + 2);
      if (scope === 'local' || scope === 'worktree') overrides.push([key, key.endsWith('.required') ? 'false' : '']);
    }
    return overrides;
  }
}

/** The folder with nothing in it, by the hashes that git has: sha1 and sha256. */
const emptyTrees = ['4b825dc642cb6eb9a060e54bf8d69288fbee4904', '6ef19b41225c5369f1c104d45d8d85efa9b057b53b14b4b9b939dd74decc5321'];
/** Messages come and go as UTF-8, whatever the repository says: one that is recorded in another encoding is told in ours. */
const utf8Messages = ['-c', 'i18n.commitEncoding=UTF-8', '-c', 'i18n.logOutputEncoding=UTF-8'];
const commonConfig = [
  ...[...explicitRepository, ...utf8Messages],
  ...['-c', 'core.quotepath=off', '-c', 'core.fsmonitor=false', '-c', 'color.ui=false'],
];
const commonEnv = {
  // Nobody sits before a terminal of ours: a question of git's or of ssh's ends the command at once.
  GIT_TERMINAL_PROMPT: '0',
  GIT_ASKPASS: '',
  SSH_ASKPASS_REQUIRE: 'never',
  LC_ALL: 'C',
  GIT_EDITOR: 'true',
  GIT_PAGER: 'cat',
};
const noHooks = ['-c', 'core.hooksPath=/dev/null'];
/** `diff` would take the index's lock, also where it is told to take none, to write down that a file is as it was: who stages then is refused. */
const readConfig = [...noHooks, '-c', 'log.showSignature=false', '-c', 'log.follow=false', '-c', 'diff.autoRefreshIndex=false'];
/** A partial clone would fetch what it lacks, by whatever transport its config names: what is not here is not shown. */
const readEnv = { GIT_OPTIONAL_LOCKS: '0', GIT_NO_LAZY_FETCH: '1', GIT_ALLOW_PROTOCOL: 'none' };
/** Tidying up goes on in the background, outside of every limit, after the command has ended: it is left to the user's own git. */
const writeConfig = ['-c', 'gc.auto=0', '-c', 'maintenance.auto=false', '-c', 'advice.detachedHead=false'];

/** Where something is to be left out, names can't all be literal: each says so itself. */
function pathspecs(paths: readonly string[], without: readonly string[]): string[] {
  return [
    ...(paths.length === 0 ? ['.'] : paths.map((path) => `:(literal)${path}`)),
    ...without.map((path) => `:(exclude,literal)${path}`),
  ];
}

function repositoryOf(found: Found): Repository {
  if (found.kind === 'repository') return found.repository;
  throw new OutriggerError(
    'NO_REPOSITORY',
    found.kind === 'none' ? 'The folder is no git repository.' : 'The repository here is bare, or its work tree is another folder.',
  );
}

function realPath(folder: string): string {
  try {
    return fs.realpathSync(folder);
  } catch {
    // It went away: the command will say so.
    return folder;
  }
}
