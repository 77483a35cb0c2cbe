import { AskedOnce } from '../asked-once.ts';
import { errorFacts, type WorkbenchClient } from '../client-port.ts';
import type { Output } from '../../contract/operation.ts';
import type { Operations } from '../../contract/operations.ts';
import type { Toasts } from '../shell/toasts.ts';
import { count } from '../words.ts';
import type { GitDialog } from './git-dialog.ts';
import type { GitStore, Stash } from './git-store.ts';
import { stoppedAt } from './stopped-at.ts';

export type Branch = Output<Operations['git.branches']>['branches'][number];

export interface BranchActionsDependencies {
  client: WorkbenchClient;
  git: GitStore;
  toasts: Toasts;
  ask: (dialog: GitDialog | undefined) => void;
}

/** What a person does with branches, tags and what is put aside. Each says what it did, or why it did not; none throws. */
export class BranchActions {
  readonly #deps: BranchActionsDependencies;
  /** By the hash of what was put aside. */
  readonly #once = new AskedOnce();

  constructor(dependencies: BranchActionsDependencies) {
    this.#deps = dependencies;
  }

  /** Where changes would be lost, says which and offers to put them aside. `remote`: of a branch that is only there. */
  async checkout(to: string, options: { create?: boolean; from?: string; changes?: 'stash' } = {}): Promise<void> {
    const { client, toasts, ask } = this.#deps;
    try {
      const { branch, head, stashed } = await client.call('git.checkout', { to, ...options });
      const where = branch ?? head?.slice(0, 7) ?? to;
      toasts.say(options.create === true ? `Made ${where} and switched to it` : `Switched to ${where}`, {
        ...(stashed
          ? { text: 'Your changes are put aside.', actions: [{ label: 'Bring them back here', run: () => void this.stash('pop') }] }
          : {}),
      });
    } catch (error) {
      const { reason, details } = errorFacts(error);
      if (reason !== 'GIT_WOULD_OVERWRITE') return void toasts.fail(`Not switched to ${to}`, error);
      const files = filesIn(details);
      ask({
        kind: 'question',
        title: `Switching to ${to} would lose changes`,
        text:
          files.length === 0
            ? 'Nothing was changed yet.'
            : `Nothing was changed yet. ${count(files.length, 'file differs', 'files differ')} there from what you have:`,
        files,
        choices: [{ label: 'Put them aside and switch', tone: 'pri', run: () => void this.checkout(to, { ...options, changes: 'stash' }) }],
      });
    } finally {
      await this.#deps.git.refresh();
    }
  }

  create(from?: string, name = ''): void {
    this.#deps.ask({
      kind: 'text',
      title: 'New branch',
      label: 'Name of the branch',
      text: from === undefined ? 'It begins where you are; your changes come along.' : `It begins at ${from}.`,
      initial: name,
      action: 'Create and switch',
      run: (to) => void this.checkout(to, { create: true, ...(from === undefined ? {} : { from }) }),
    });
  }

  rename(name: string): void {
    this.#deps.ask({
      kind: 'text',
      title: `Rename ${name}`,
      label: 'New name',
      initial: name,
      action: 'Rename',
      run: (to) =>
        void this.#do(`Not renamed: ${name}`, async () => {
          await this.#deps.client.call('git.branch', { action: 'rename', name, to });
          this.#deps.toasts.say(`Renamed ${name} to ${to}`);
        }),
    });
  }

  /** One whose commits are nowhere else is only deleted when that is said twice; both ways it can be undone by its commit. */
  async remove(name: string, force = false): Promise<void> {
    const { client, toasts, ask, git } = this.#deps;
    try {
      const { hash } = await client.call('git.branch', { action: 'delete', name, force });
      const undo = (): void =>
        void this.#do(`Not brought back: ${name}`, async () => {
          await client.call('git.branch', { action: 'create', name, from: hash });
          toasts.say(`Brought back ${name}`);
        });
      toasts.say(`Deleted branch ${name}`, { text: `It was at ${hash.slice(0, 7)}.`, actions: [{ label: 'Undo', run: undo }] });
    } catch (error) {
      if (force || !/not fully merged/i.test(sayError(error))) return void toasts.fail(`Not deleted: ${name}`, error);
      ask({
        kind: 'question',
        title: `Delete ${name} though its commits are nowhere else?`,
        text: 'Some of its commits are in no other branch.',
        choices: [{ label: 'Delete it', tone: 'bad', run: () => void this.remove(name, true) }],
      });
    } finally {
      await git.refresh();
    }
  }

  async merge(from: string): Promise<void> {
    await this.#joining('merge', `Not merged: ${from}`, `Merged ${from}`, () => this.#deps.client.call('git.merge', { from }));
  }

  async rebase(onto: string): Promise<void> {
    await this.#joining('rebase', `Not rebased onto ${onto}`, `Rebased onto ${onto}`, () => this.#deps.client.call('git.rebase', { onto }));
  }

  async cherryPick(commit: string): Promise<void> {
    const name = commit.slice(0, 7);
    await this.#joining('cherry-pick', `Not picked: ${name}`, `Picked ${name}`, () => this.#deps.client.call('git.cherryPick', { commit }));
  }

  async revertCommit(commit: string): Promise<void> {
    const name = commit.slice(0, 7);
    await this.#joining('revert', `Not taken back: ${name}`, `Took back ${name}`, () => this.#deps.client.call('git.revert', { commit }));
  }

  tag(at: string): void {
    this.#deps.ask({
      kind: 'text',
      title: `Tag ${at.slice(0, 7)}`,
      label: 'Name of the tag',
      initial: '',
      action: 'Create the tag',
      run: (name) =>
        void this.#do(`Not tagged: ${name}`, async () => {
          await this.#deps.client.call('git.tag', { name, at });
          this.#deps.toasts.say(`Tagged ${at.slice(0, 7)} as ${name}`);
        }),
    });
  }

  askToStash(): void {
    this.#deps.ask({
      kind: 'text',
      title: 'Put changes aside',
      label: 'What they are',
      text: 'All changes go, new files too, until you bring them back.',
      initial: '',
      action: 'Put aside',
      optional: true,
      run: (message) => void this.stash('push', undefined, message),
    });
  }

  /** What is asked of one with which something is being done already is left to that. */
  async stash(action: 'push' | 'apply' | 'pop' | 'drop', stash?: Stash, message = ''): Promise<void> {
    await this.#once.run(stash === undefined ? [] : [stash.hash], () => this.#stash(action, stash, message));
  }

  async #stash(action: 'push' | 'apply' | 'pop' | 'drop', stash: Stash | undefined, message: string): Promise<void> {
    const { client, toasts } = this.#deps;
    const failed = { push: 'Nothing was put aside', apply: 'Not brought back', pop: 'Not brought back', drop: 'Not dropped' }[action];
    await this.#do(failed, async () => {
      const { outcome, conflicts } = await client.call('git.stash', {
        action,
        ...(stash === undefined ? {} : { hash: stash.hash }),
        ...(message.trim() === '' ? {} : { message: message.trim() }),
      });
      const { at, text } = stoppedAt(conflicts);
      if (outcome === 'conflicts') toasts.say(`Brought back with ${at}`, { text: `${text}. What was put aside is kept.` });
      else if (outcome === 'nothing') toasts.say(action === 'push' ? 'There is nothing to put aside' : 'Nothing is put aside');
      else if (action === 'push')
        toasts.say('Put your changes aside', { actions: [{ label: 'Bring them back', run: () => void this.stash('pop') }] });
      else toasts.say(action === 'drop' ? 'Dropped what was put aside' : 'Brought your changes back');
    });
  }

  async #joining(
    what: string,
    failed: string,
    done: string,
    work: () => Promise<Pick<Output<Operations['git.merge']>, 'outcome' | 'conflicts'>>,
  ): Promise<void> {
    const { toasts } = this.#deps;
    await this.#do(failed, async () => {
      const { outcome, conflicts } = await work();
      if (outcome === 'done') toasts.say(done);
      else if (outcome === 'nothing') toasts.say('Everything of it is here already');
      else {
        const { at, text } = stoppedAt(conflicts);
        toasts.say(`The ${what} stopped at ${at}`, { text });
      }
    });
  }

  async #do(title: string, work: () => Promise<unknown>): Promise<void> {
    const { git, toasts, ask } = this.#deps;
    try {
      await work();
    } catch (error) {
      const { reason, details } = errorFacts(error);
      const files = filesIn(details);
      if (reason !== 'GIT_WOULD_OVERWRITE' || files.length === 0) return void toasts.fail(title, error);
      ask({
        kind: 'question',
        title,
        text: 'These files have changes that would be lost. Put them aside first, or commit them.',
        files,
        choices: [{ label: 'Put all changes aside', tone: 'pri', run: () => void this.stash('push') }],
      });
    } finally {
      await git.refresh();
    }
  }
}

function filesIn(details: unknown): string[] {
  const { files } = (details ?? {}) as { files?: unknown };
  return Array.isArray(files) ? files.filter((file): file is string => typeof file === 'string') : [];
}

function sayError(error: unknown): string {
  const { message, details } = errorFacts(error);
  return `${message} ${JSON.stringify(details ?? '')}`;
}
