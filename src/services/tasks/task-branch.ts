import { OutriggerError } from '../../contract/errors.ts';
import { explicitRepository } from '../processes/explicit-repository.ts';
import type { Processes } from '../processes/processes.ts';

const LOCAL_MS = 30_000;
const NETWORK_MS = 120_000;
const AGENT_LENGTH = 8;
const SLUG_LENGTH = 40;
const MAX_SAME_NAME = 100;
/** Of a folder that is not clean, so many names are told. */
const NAMED_FILES = 5;

/**
 * A branch for each task, in the repository of a folder. Nothing is ever discarded: what is not committed keeps a task from beginning, and
 * what others pushed keeps ours from being pushed.
 */
export class TaskBranches {
  readonly #processes: Processes;
  readonly #folder: string;
  readonly #agent: string;
  readonly #besides: readonly string[];

  /** `besides`: paths relative to the folder that do not count, such as that of the results. */
  constructor(processes: Processes, options: { folder: string; agentId: string; besides: readonly string[] }) {
    this.#processes = processes;
    this.#folder = options.folder;
    this.#agent = slugOf(options.agentId, AGENT_LENGTH);
    this.#besides = options.besides;
  }

  /**
   * Puts the folder on a branch for a task: `kept` where it had one before, else a new one from the default branch. Throws GIT_FAILED where the
   * folder is not clean, and where git does not want to, NO_REPOSITORY, TOOL_MISSING, PROCESS_TIMEOUT.
   */
  async start(description: string, kept: string | undefined, signal: AbortSignal): Promise<string> {
    const git = (...args: string[]): Promise<string> => this.#git(args, LOCAL_MS, signal);
    const dirty = await this.#uncommitted(signal);
    if (dirty.length > 0) {
      const more = dirty.length > NAMED_FILES ? ` and ${dirty.length - NAMED_FILES} more` : '';
      throw new OutriggerError(
        'GIT_FAILED',
        `The folder has changes that are not committed (${dirty.slice(0, NAMED_FILES).join(', ')}${more}); commit or stash them, nothing is discarded.`,
      );
    }
    if (kept !== undefined && (await this.#has(`refs/heads/${kept}`, signal))) {
      await git('switch', '--no-overwrite-ignore', kept, '--');
      return kept;
    }
    const base = await this.#defaultBranch(signal);
    const wanted = `${this.#agent}/${slugOf(description, SLUG_LENGTH)}`;
    let name = wanted;
    for (let number = 2; await this.#isTaken(name, signal); number++) {
      if (number > MAX_SAME_NAME) throw new OutriggerError('GIT_FAILED', `There are ${MAX_SAME_NAME} branches ${wanted} already.`);
      name = `${wanted}-${number}`;
    }
    await git('switch', '--no-overwrite-ignore', '--no-track', '-c', name, base, '--');
    return name;
  }

  /**
   * Pushes a branch where there is a remote `origin`; false where there is none. Throws PROCESS_TIMEOUT, and GIT_FAILED also where it would
   * overwrite what was never part of the branch here; what was committed stays on it.
   */
  async submit(branch: string, signal: AbortSignal): Promise<boolean> {
    if (!(await this.#hasOrigin(signal))) return false;
    // Its agent may write it anew. The lease alone is what was fetched last, seen by the agent or not.
    const lease = ['--force-with-lease', '--force-if-includes'];
    await this.#git(['push', ...lease, '--set-upstream', 'origin', `refs/heads/${branch}:refs/heads/${branch}`], NETWORK_MS, signal);
    return true;
  }

  async #uncommitted(signal: AbortSignal): Promise<string[]> {
    const besides = this.#besides.map((where) => `:(exclude,literal)${where}`);
    const status = await this.#git(['status', '--porcelain', '-z', '--untracked-files=normal', '--', '.', ...besides], LOCAL_MS, signal);
    return status
      .split('\0')
      .filter((line) => line !== '')
      .map((line) => line.slice(3));
  }

  async #defaultBranch(signal: AbortSignal): Promise<string> {
    if (await this.#hasOrigin(signal)) {
      // Without the network the last that is known will do.
      await this.#git(['fetch', '--no-tags', 'origin'], LOCAL_MS, signal).catch(() => {});
      const head = await this.#git(['symbolic-ref', '--quiet', 'refs/remotes/origin/HEAD'], LOCAL_MS, signal).catch(() => '');
      if (head !== '') return head.trim();
    }
    for (const ref of ['refs/remotes/origin/main', 'refs/remotes/origin/master', 'refs/heads/main', 'refs/heads/master'])
      if (await this.#has(ref, signal)) return ref;
    return 'HEAD';
  }

  async #hasOrigin(signal: AbortSignal): Promise<boolean> {
    return (await this.#git(['remote'], LOCAL_MS, signal)).split('\n').includes('origin');
  }

  /** Here, or at the remote as it was fetched last. */
  async #isTaken(name: string, signal: AbortSignal): Promise<boolean> {
    return (await this.#has(`refs/heads/${name}`, signal)) || this.#has(`refs/remotes/origin/${name}`, signal);
  }

  async #has(ref: string, signal: AbortSignal): Promise<boolean> {
    return this.#git(['show-ref', '--verify', '--quiet', ref], LOCAL_MS, signal).then(
      () => true,
      () => false,
    );
  }

  async #git(args: readonly string[], timeoutMs: number, signal: AbortSignal): Promise<string> {
    const { exitCode, stdout, stderr } = await this.#processes.run({
      argv: ['git', ...explicitRepository, ...args],
      cwd: this.#folder,
      env: { GIT_TERMINAL_PROMPT: '0', GIT_OPTIONAL_LOCKS: '0', LC_ALL: 'C' },
      timeoutMs,
      signal,
    });
    if (exitCode === 0) return stdout.toString('utf8');
    const said = stderr.toString('utf8').trim();
    if (said.includes('not a git repository')) throw new OutriggerError('NO_REPOSITORY', `${this.#folder} is no git repository.`);
    throw new OutriggerError('GIT_FAILED', `git ${args[0]}: ${said}`);
  }
}

/** Lower-case letters, digits and single dashes. */
function slugOf(text: string, length: number): string {
  const slug = text
    .normalize('NFKD')
    .replace(/\p{M}/gu, '')
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .slice(0, length)
    .replace(/^-+|-+$/g, '');
  return slug === '' ? 'task' : slug;
}
