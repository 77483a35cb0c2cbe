import { OutriggerError } from '../../contract/errors.ts';
import { type CommitAnswer, commitNow } from './committing.ts';
import type { Git } from './git.ts';
import type { StatusEntry } from './parse-status.ts';
import { statusOf } from './status.ts';

/** After a failure the wait doubles, up to this. */
const MAX_WAIT_MS = 600_000;
/** Names in the first line of a message, and below it. */
const NAMES_IN_SUBJECT = 3;
const NAMES_IN_BODY = 100;
const MAX_SUBJECT = 100;

export interface AutoCommitDependencies {
  git: Git;
  /** Calls back whenever something in the folder changed; answers with the way to stop. */
  onChanges: (listener: () => void) => () => void;
  log: (event: 'git.auto-commit' | 'git.auto-commit-failed', facts: Record<string, unknown>) => void;
}

export type AutoCommitState =
  | { kind: 'waiting' }
  /** Something is in the way that a person has to decide. */
  | { kind: 'paused'; why: string }
  | { kind: 'failed'; message: string };

/**
 * Commits everything when nothing has changed for a while. What a person is in the middle of is left alone: a merge, a rebase,
 * files that were staged. A commit that fails is tried again after the next change only, and later each time.
 */
export class AutoCommit {
  #state: AutoCommitState = { kind: 'waiting' };
  #failures = 0;
  #timer: NodeJS.Timeout | undefined;
  #running: Promise<void> | undefined;
  /** Something changed while a commit was made. */
  #changed = false;
  readonly #stopped = new AbortController();
  readonly #git: Git;
  readonly #log: AutoCommitDependencies['log'];
  readonly #afterMs: number;
  readonly #ignoreChanges: () => void;

  constructor(dependencies: AutoCommitDependencies, options: { afterMs: number }) {
    this.#git = dependencies.git;
    this.#log = dependencies.log;
    this.#afterMs = options.afterMs;
    this.#ignoreChanges = dependencies.onChanges(() => this.#touch());
  }

  get state(): AutoCommitState {
    return this.#state;
  }

  /** Ends a commit that is being made. Nothing is committed any more when it resolves; may be called twice. */
  async stop(): Promise<void> {
    this.#ignoreChanges();
    clearTimeout(this.#timer);
    this.#stopped.abort(new OutriggerError('STOPPING', 'The sidecar is stopping.'));
    await this.#running;
  }

  #touch(): void {
    if (this.#stopped.signal.aborted) return;
    if (this.#running !== undefined) this.#changed = true;
    else this.#wait();
  }

  #wait(): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#start(), Math.min(this.#afterMs * 2 ** this.#failures, Math.max(MAX_WAIT_MS, this.#afterMs)));
    // The wait alone does not keep the process: at its end documents are saved, and what is there is committed next time.
    this.#timer.unref();
  }

  #start(): void {
    this.#changed = false;
    this.#running = this.#commit().finally(() => {
      this.#running = undefined;
      if (this.#changed && !this.#stopped.signal.aborted) this.#wait();
    });
  }

  async #commit(): Promise<void> {
    try {
      const answer = await this.#attempt(this.#stopped.signal);
      this.#failures = 0;
      if (answer?.committed === true) this.#log('git.auto-commit', { commit: answer.hash, files: answer.files });
    } catch (error) {
      if (this.#stopped.signal.aborted) return;
      this.#failures++;
      this.#state = { kind: 'failed', message: (error as Error).message };
      this.#log('git.auto-commit-failed', {
        reason: error instanceof OutriggerError ? error.reason : 'INTERNAL',
        message: (error as Error).message,
      });
    }
  }

  #attempt(signal: AbortSignal): Promise<CommitAnswer | undefined> {
    return this.#git.writing(signal, async () => {
      const step = this.#git.edits?.step();
      const found = await this.#git.find(signal);
      if (found.kind === 'no work tree' || (found.kind === 'none' && !this.#git.options.init)) {
        this.#state = { kind: 'paused', why: 'there is no repository' };
        return undefined;
      }
      const repository = await this.#git.repositoryOrInit(signal);
      const status = await statusOf(this.#git, repository, false, signal);
      const why = whyNot(status.underWay?.doing, status.entries, this.#git.isTorn(status));
      this.#state = why === undefined ? { kind: 'waiting' } : { kind: 'paused', why };
      if (why !== undefined) return undefined;
      const request = { message: autoMessage(status.entries), paths: undefined, all: true, author: undefined };
      try {
        return await commitNow(this.#git, repository, status, request, step, signal);
      } catch (error) {
        // Nothing was staged before: what stands there now is ours, and would be taken for a person's the next time. The
        // call may be over already, so this one has no signal but its own limit.
        await this.#git.run('commit', ['reset', '--quiet', '--', '.'], { signal: undefined });
        throw error;
      }
    });
  }
}

/** Why nothing is committed unasked now; undefined where it may be. */
function whyNot(doing: string | undefined, entries: readonly StatusEntry[], isTorn: boolean): string | undefined {
  if (doing !== undefined) return `a ${doing} is under way`;
  if (isTorn) return 'a git command was ended in the middle: commit or take back what it left';
  const staged = entries.filter((entry) => entry.staged !== null).length;
  if (staged === 0) return undefined;
  // Not which: health is told to all.
  return `${staged === 1 ? '1 file is' : `${staged} files are`} staged: commit or unstage`;
}

/** Names the files, a few in the first line, more of them below when there are more. */
export function autoMessage(entries: readonly StatusEntry[]): string {
  // A line break in a name must not begin a line of the message.
  const names = entries.filter(({ path }) => !path.folder).map(({ path }) => path.shown.replaceAll(/\p{Cc}/gu, '?'));
  const bases = names.slice(0, NAMES_IN_SUBJECT).map((name) => name.slice(name.lastIndexOf('/') + 1));
  const more = names.length - bases.length;
  const subject = `Save ${bases.join(', ')}${more > 0 ? ` and ${more} more` : ''}`;
  const shown = subject.length <= MAX_SUBJECT ? subject : `Save ${names.length} ${names.length === 1 ? 'file' : 'files'}`;
  if (names.length === 1 && shown === subject && bases[0] === names[0]) return shown;
  const rest = names.length - NAMES_IN_BODY;
  return [shown, '', ...names.slice(0, NAMES_IN_BODY), ...(rest > 0 ? [`and ${rest} more`] : [])].join('\n');
}
