import { computed, type ReadonlySignal, signal } from '@preact/signals';
import { errorFacts, type WorkbenchClient } from '../client-port.ts';
import { nameOf } from '../file-paths.ts';
import type { Toasts } from '../shell/toasts.ts';
import { count, list } from '../words.ts';
import { type ChangeEntry, namedPaths } from './change-sections.ts';
import type { GitDialog } from './git-dialog.ts';
import type { GitStore } from './git-store.ts';

export interface GitActionsDependencies {
  client: WorkbenchClient;
  git: GitStore;
  toasts: Toasts;
  /** Shows a dialog over everything; undefined takes it away. */
  ask: (dialog: GitDialog | undefined) => void;
}

export interface CommitWish {
  message: string;
  amend: boolean;
  /** Those and nobody else. */
  coAuthors: readonly { name: string; email: string }[];
}

/** Of names in a sentence or a dialog. */
const mostFiles = 200;

/** What a person does with changes, commits and what is under way. Each says what it did, or why it did not; none throws. */
export class GitActions {
  /** Something is being done; what is asked for meanwhile waits its turn. */
  readonly busy: ReadonlySignal<boolean>;
  readonly #deps: GitActionsDependencies;
  readonly #waiting = signal(0);
  #last: Promise<unknown> = Promise.resolve();

  constructor(dependencies: GitActionsDependencies) {
    this.#deps = dependencies;
    this.busy = computed(() => this.#waiting.value > 0);
  }

  async init(): Promise<void> {
    await this.#do('No repository was started', async () => {
      const { created, branch } = await this.#deps.client.call('git.init', {});
      this.#deps.toasts.say(created ? 'Started a repository' : 'There is a repository already', {
        text: branch === null ? '' : `On branch ${branch}. The first commit keeps what is here now.`,
      });
    });
  }

  async stage(entries: readonly ChangeEntry[]): Promise<void> {
    const files = namedPaths(entries).map((path) => ({ path }));
    if (files.length === 0) return;
    await this.#do(`Not staged: ${sayFiles(entries)}`, () => this.#deps.client.call('git.stage', { files }));
  }

  async unstage(entries: readonly ChangeEntry[]): Promise<void> {
    const files = namedPaths(entries).map((path) => ({ path }));
    if (files.length === 0) return;
    await this.#do(`Not unstaged: ${sayFiles(entries)}`, () => this.#deps.client.call('git.unstage', { files }));
  }

  async stageHunk(path: string, hunk: string): Promise<void> {
    await this.#do(`Not staged: a change in ${nameOf(path)}`, () =>
      this.#deps.client.call('git.stage', { files: [{ path, hunks: [hunk] }] }),
    );
  }

  async unstageHunk(path: string, hunk: string): Promise<void> {
    await this.#do(`Not unstaged: a change in ${nameOf(path)}`, () =>
      this.#deps.client.call('git.unstage', { files: [{ path, hunks: [hunk] }] }),
    );
  }

  /** Never asks where a checkpoint can bring it back; where none can, it asks. */
  async discard(entries: readonly ChangeEntry[]): Promise<void> {
    const known = namedPaths(entries.filter(({ letter }) => letter !== 'U'));
    const unknown = namedPaths(entries.filter(({ letter }) => letter === 'U'));
    if (known.length + unknown.length === 0) return;
    const what = sayFiles(entries);
    await this.#discarding(what, [...known, ...unknown], async () => {
      const { client } = this.#deps;
      if (known.length > 0) await client.call('git.restore', { files: known.map((path) => ({ path })) });
      for (const path of unknown) await client.call('files.remove', { path, recursive: true });
    });
  }

  async discardHunk(path: string, hunk: string): Promise<void> {
    const what = `a change in ${nameOf(path)}`;
    await this.#discarding(what, [path], () => this.#deps.client.call('git.restore', { files: [{ path, hunks: [hunk] }] }));
  }

  async #discarding(what: string, paths: readonly string[], work: () => Promise<unknown>): Promise<void> {
    const { client, toasts, ask } = this.#deps;
    const now = async (id: number | undefined): Promise<void> => {
      const done = await this.#do(`Not discarded: ${what}`, work);
      if (!done) return;
      const undo = (): void =>
        void this.#do(`Not brought back: ${what}`, async () => {
          await client.call('checkpoints.restore', { id: id ?? 0, paths: [...paths].slice(0, 10_000) });
          toasts.say(`Brought back ${what}`);
        });
      toasts.say(`Discarded ${what}`, id === undefined ? {} : { actions: [{ label: 'Undo', run: undo }] });
    };
    const kept = await this.#keep(what);
    if (typeof kept === 'number') return now(kept);
    ask({
      kind: 'question',
      title: `Discard ${what} for good?`,
      text: `${kept} So it can’t be brought back from here.`,
      files: paths.slice(0, mostFiles),
      choices: [{ label: 'Discard for good', tone: 'bad', run: () => void now(undefined) }],
    });
  }

  /** The checkpoint that holds what is about to go, or why there is none. */
  async #keep(what: string): Promise<number | string> {
    try {
      const { id, omitted } = await this.#deps.client.call('checkpoints.create', { title: `Before discarding ${what}`.slice(0, 200) });
      return omitted === 0 ? id : `${count(omitted, 'file')} of this folder ${omitted === 1 ? 'is' : 'are'} too large for a checkpoint.`;
    } catch (error) {
      const { reason, message } = errorFacts(error);
      return reason === 'PART_OFF' || reason === 'NO_OPERATION'
        ? 'No checkpoints are kept here.'
        : `No checkpoint could be made: ${message}`;
    }
  }

  /** Commits what is staged, else all. Answers whether it was made. */
  async commit({ message, amend, coAuthors }: CommitWish): Promise<boolean> {
    const { client, git, toasts } = this.#deps;
    let committed = false;
    await this.#do('Not committed', async () => {
      const answer = await client.call('git.commit', {
        ...(message.trim() === '' ? {} : { message: message.trim() }),
        amend,
        all: git.sections.value.staged.length === 0 && !(amend && git.sections.value.changes.length === 0),
        coAuthors: [...coAuthors],
        editors: false,
      });
      ({ committed } = answer);
      const title = amend ? 'Amended the last commit' : `Committed ${count(answer.files, 'file')}`;
      if (committed) toasts.say(title, { text: `${answer.hash?.slice(0, 7) ?? ''} ${answer.summary}`.trim() });
      else toasts.say('Nothing to commit', { text: answer.summary });
    });
    return committed;
  }

  async goOn(skip = false): Promise<void> {
    const { client, toasts, git } = this.#deps;
    const doing = git.status.value?.doing ?? 'merge';
    await this.#do(`The ${doing} did not go on`, async () => {
      const { outcome, conflicts } = await client.call('git.continue', { skip });
      if (outcome === 'conflicts')
        toasts.say(`The next step has ${count(conflicts.length, 'conflict')}`, { text: list(conflicts.map(({ path }) => nameOf(path))) });
      else toasts.say(`The ${doing} is done`);
    });
  }

  /** What was resolved is lost, so it asks. */
  abort(): void {
    const { client, toasts, git, ask } = this.#deps;
    const doing = git.status.value?.doing ?? 'merge';
    ask({
      kind: 'question',
      title: `Give up the ${doing}?`,
      text: `Everything is as it was before the ${doing}. What you resolved so far is lost.`,
      choices: [
        {
          label: `Give up the ${doing}`,
          tone: 'bad',
          run: () =>
            void this.#do(`The ${doing} was not given up`, async () => {
              const { head } = await client.call('git.abort', {});
              toasts.say(`Gave up the ${doing}`, { text: head === null ? '' : `HEAD is at ${head.slice(0, 7)} again.` });
            }),
        },
      ],
    });
  }

  /** Runs it when all before it is done, says `title` where it failed, and looks at git anew. */
  #do(title: string, work: () => Promise<unknown>): Promise<boolean> {
    this.#waiting.value += 1;
    const done = this.#last.then(() => this.#doNow(title, work));
    this.#last = done;
    return done;
  }

  async #doNow(title: string, work: () => Promise<unknown>): Promise<boolean> {
    const { git, toasts } = this.#deps;
    try {
      await work();
      return true;
    } catch (error) {
      const stale = errorFacts(error).reason === 'GIT_STALE_HUNK';
      toasts.fail(stale ? `${title}: it changed meanwhile. Look at it as it is now` : title, error);
      return false;
    } finally {
      this.#waiting.value -= 1;
      await git.refresh();
    }
  }
}

/** `loan.py`, `3 files` */
export function sayFiles(entries: readonly { path: string }[]): string {
  const [only] = entries;
  return entries.length === 1 && only !== undefined ? nameOf(only.path.replace(/\/$/, '')) : count(entries.length, 'file');
}
