import { type Signal, signal } from '@preact/signals';
import { errorFacts, type WorkbenchClient } from '../client-port.ts';
import type { Toasts } from '../shell/toasts.ts';
import type { Credentials, GitDialog } from './git-dialog.ts';
import type { GitStore } from './git-store.ts';

export interface CloneJobDependencies {
  client: WorkbenchClient;
  git: GitStore;
  toasts: Toasts;
  ask: (dialog: GitDialog | undefined) => void;
}

/** Fills an empty folder with a repository. A password is passed on and not kept. */
export class CloneJob {
  /** How far it is; undefined while there is none. `phase` is as git names it, empty until it says something. */
  readonly state: Signal<{ phase: string; percent: number | null } | undefined> = signal(undefined);
  readonly #deps: CloneJobDependencies;
  #stop = new AbortController();

  constructor(dependencies: CloneJobDependencies) {
    this.#deps = dependencies;
  }

  ask(url = ''): void {
    this.#deps.ask({
      kind: 'text',
      title: 'Clone a repository',
      label: 'Its address',
      text: 'As the host shows it, for instance https://example.org/loans.git. Its files come into this folder.',
      initial: url,
      action: 'Clone',
      run: (given) => void this.run(given),
    });
  }

  cancel(): void {
    this.#stop.abort();
  }

  async run(url: string, credentials?: Credentials): Promise<void> {
    const { client, git, toasts } = this.#deps;
    if (this.state.value !== undefined) return;
    this.#stop = new AbortController();
    const { signal: canceled } = this.#stop;
    this.state.value = { phase: '', percent: null };
    try {
      const stream = client.stream('git.clone', { url, ...(credentials === undefined ? {} : { credentials }) }, { signal: canceled });
      for await (const { phase, percent } of stream) this.state.value = { phase, percent };
      const { branch } = await stream.end;
      toasts.say('Cloned the repository', { text: branch === null ? 'It has no commits yet.' : `You are on its branch ${branch}.` });
    } catch (error) {
      if (canceled.aborted) toasts.say('Stopped the clone');
      else this.#refused(url, credentials, error);
    } finally {
      this.state.value = undefined;
      await git.refresh();
    }
  }

  #refused(url: string, credentials: Credentials | undefined, error: unknown): void {
    const { toasts, ask } = this.#deps;
    if (errorFacts(error).reason === 'GIT_CREDENTIALS')
      return ask({
        kind: 'credentials',
        title: 'The other side asks who you are',
        refused: credentials !== undefined,
        run: (given) => void this.run(url, given),
      });
    toasts.fail('Not cloned', error, [
      { label: 'Try again', run: () => void this.run(url, credentials) },
      { label: 'Change the address', run: () => this.ask(url) },
    ]);
  }
}
