import { type Signal, signal } from '@preact/signals';
import { errorFacts, type WorkbenchClient } from '../client-port.ts';
import type { Toasts } from '../shell/toasts.ts';
import { list } from '../words.ts';
import type { Credentials, GitDialog } from './git-dialog.ts';
import type { GitStore } from './git-store.ts';
import { stoppedAt } from './stopped-at.ts';

export type RemoteAction = 'fetch' | 'pull' | 'push';

/** What is going on with another repository. */
export interface RemoteJob {
  action: RemoteAction;
  /** As git names it; empty until it says something. */
  phase: string;
  percent: number | null;
}

export interface RemoteWish {
  strategy?: 'ff-only' | 'merge' | 'rebase';
  force?: 'no' | 'lease';
  credentials?: Credentials;
}

export interface RemoteJobsDependencies {
  client: WorkbenchClient;
  git: GitStore;
  toasts: Toasts;
  ask: (dialog: GitDialog | undefined) => void;
}

/** Fetch, pull and push, one at a time, with their progress. What git refuses is asked about; passwords are passed on and not kept. */
export class RemoteJobs {
  readonly job: Signal<RemoteJob | undefined> = signal(undefined);
  readonly #deps: RemoteJobsDependencies;
  #stop = new AbortController();

  constructor(dependencies: RemoteJobsDependencies) {
    this.#deps = dependencies;
  }

  cancel(): void {
    this.#stop.abort();
  }

  async run(action: RemoteAction, wish: RemoteWish = {}): Promise<void> {
    const { client, git, toasts } = this.#deps;
    if (this.job.value !== undefined) return;
    this.#stop = new AbortController();
    const { signal: canceled } = this.#stop;
    this.job.value = { action, phase: '', percent: null };
    try {
      const { remotes } = await client.call('git.remotes', {});
      if (remotes.length === 0) return this.#askForRemote(action);
      await this.#follow(action, wish, canceled);
    } catch (error) {
      if (canceled.aborted) toasts.say(`Stopped the ${action}`);
      else this.#refused(action, wish, error);
    } finally {
      this.job.value = undefined;
      await git.refresh();
    }
  }

  async #follow(action: RemoteAction, { strategy, force, credentials }: RemoteWish, canceled: AbortSignal): Promise<void> {
    const { client, toasts } = this.#deps;
    const options = { signal: canceled };
    const who = credentials === undefined ? {} : { credentials };
    if (action === 'fetch') {
      const stream = client.stream('git.fetch', { prune: true, ...who }, options);
      await this.#progress(action, stream);
      const { remote, updated } = await stream.end;
      toasts.say(updated.length === 0 ? `${remote} has nothing new` : `Fetched from ${remote}`, {
        text: updated.length === 0 ? '' : list(updated.map(({ ref }) => ref.replace(/^refs\/(heads|remotes|tags)\//, ''))),
      });
    } else if (action === 'pull') {
      const stream = client.stream('git.pull', { ...(strategy === undefined ? {} : { strategy }), ...who }, options);
      await this.#progress(action, stream);
      const { remote, outcome, conflicts } = await stream.end;
      const { at, text } = stoppedAt(conflicts);
      if (outcome === 'conflicts') toasts.say(`Pulled from ${remote}, with ${at}`, { text });
      else toasts.say(outcome === 'nothing' ? 'You have everything already' : `Pulled from ${remote}`);
    } else {
      const stream = client.stream('git.push', { ...(force === undefined ? {} : { force }), ...who }, options);
      await this.#progress(action, stream);
      const { remote, branch, outcome, upstreamSet } = await stream.end;
      toasts.say(outcome === 'nothing' ? `${remote} has everything already` : `Pushed to ${remote}/${branch}`, {
        text: upstreamSet ? `Your branch follows ${remote}/${branch} now.` : '',
      });
    }
  }

  async #progress(action: RemoteAction, items: AsyncIterable<{ phase: string; percent: number | null }>): Promise<void> {
    for await (const { phase, percent } of items) this.job.value = { action, phase, percent };
  }

  #refused(action: RemoteAction, wish: RemoteWish, error: unknown): void {
    const { toasts, ask } = this.#deps;
    const { reason } = errorFacts(error);
    const title = { fetch: 'Not fetched', pull: 'Not pulled', push: 'Not pushed' }[action];
    if (reason === 'GIT_CREDENTIALS')
      return ask({
        kind: 'credentials',
        title: 'The other side asks who you are',
        refused: wish.credentials !== undefined,
        run: (credentials) => void this.run(action, { ...wish, credentials }),
      });
    const kept = wish.credentials === undefined ? {} : { credentials: wish.credentials };
    if (reason === 'GIT_DIVERGED' && action === 'pull')
      return ask({
        kind: 'question',
        title: 'Both sides have commits of their own',
        text: 'Merge makes one commit that joins them. Rebase puts your commits after theirs, as new ones.',
        choices: [
          { label: 'Merge', tone: 'pri', run: () => void this.run('pull', { ...kept, strategy: 'merge' }) },
          { label: 'Rebase', run: () => void this.run('pull', { ...kept, strategy: 'rebase' }) },
        ],
      });
    if (reason === 'GIT_DIVERGED' && action === 'push')
      return ask({
        kind: 'question',
        title: 'The other side has commits that are not here',
        text: 'Nothing was sent. Pull them first; or overwrite them, if nobody has pushed since you last fetched.',
        choices: [
          { label: 'Pull first', tone: 'pri', run: () => void this.run('pull', kept) },
          { label: 'Overwrite them', tone: 'bad', run: () => void this.run('push', { ...kept, force: 'lease' }) },
        ],
      });
    toasts.fail(title, error);
  }

  #askForRemote(action: RemoteAction): void {
    const { ask, client, toasts } = this.#deps;
    ask({
      kind: 'text',
      title: 'No other repository is known here',
      label: 'Its address',
      text: 'As the host shows it, for instance https://example.org/loans.git. It is kept under the name origin.',
      initial: '',
      action: 'Add it',
      run: (url) =>
        void client.call('git.remote', { action: 'add', name: 'origin', url }).then(
          () => this.run(action),
          (error: unknown) => toasts.fail('Not added: origin', error),
        ),
    });
  }
}
