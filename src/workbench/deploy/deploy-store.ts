import { computed, effect, type ReadonlySignal, type Signal, signal, untracked } from '@preact/signals';
import type { Deployment } from '../../contract/deploy.ts';
import type { Output } from '../../contract/operation.ts';
import type { Operations } from '../../contract/operations.ts';
import { errorFacts, type ErrorFacts, isAway, type WorkbenchClient } from '../client-port.ts';
import type { ProcessStore } from '../processes/process-store.ts';
import type { Toasts } from '../shell/toasts.ts';
import type { ParameterValue } from './deploy-form.ts';
import { deploymentTitle, isUnderWay, outcome } from './deploy-words.ts';

export type DeployProfileInfo = Output<Operations['deploy.list']>['profiles'][number];

/** How often one that is under way is looked at: it ends a moment after its program did. */
const lookMs = 700;

/** What can be deployed and what was. Kept fresh while it is looked at, and while something is under way. */
export class DeployStore {
  readonly profiles: Signal<readonly DeployProfileInfo[] | undefined> = signal(undefined);
  readonly history: Signal<readonly Deployment[]> = signal([]);
  readonly current: ReadonlySignal<Deployment | undefined>;
  /** Why they could not be listed. */
  readonly problem: Signal<ErrorFacts | undefined> = signal(undefined);
  /** Which one is shown with its log. */
  readonly chosen: Signal<string | undefined> = signal(undefined);
  readonly asked = signal(false);
  readonly #client: WorkbenchClient;
  readonly #toasts: Toasts;
  readonly #now: () => number;
  readonly #isSeen: () => boolean;
  readonly #wanted = signal(false);
  #timer: ReturnType<typeof setTimeout> | undefined;
  #asking = false;
  #again = false;

  constructor(dependencies: {
    client: WorkbenchClient;
    processes: Pick<ProcessStore, 'programs'>;
    /** Whether the link is there: what happened while it was not was not told. */
    live: ReadonlySignal<boolean>;
    toasts: Toasts;
    now: () => number;
    isSeen: () => boolean;
  }) {
    this.#client = dependencies.client;
    this.#toasts = dependencies.toasts;
    this.#now = dependencies.now;
    this.#isSeen = dependencies.isSeen;
    this.current = computed(() => this.history.value.find(isUnderWay));
    const { live } = dependencies;
    const { programs } = dependencies.processes;
    // A deployment of anybody shows as a process; its steps between are asked for.
    const steps = computed(() =>
      programs.value
        .filter(({ tag }) => tag?.startsWith('deploy:') === true)
        .map(({ id, state }) => `${id} ${state}`)
        .join(),
    );
    effect(() => {
      void steps.value;
      if (live.value && this.#wanted.value) untracked(() => void this.refresh());
    });
  }

  /** They are looked at from now on. */
  want(): void {
    if (this.#wanted.value) void this.refresh();
    else this.#wanted.value = true;
  }

  get(id: string): Deployment | undefined {
    return this.history.value.find((deployment) => deployment.id === id);
  }

  /** Never throws. */
  async refresh(): Promise<void> {
    if (this.#asking) {
      this.#again = true;
      return;
    }
    this.#asking = true;
    clearTimeout(this.#timer);
    try {
      do {
        this.#again = false;
        const { profiles, deployments } = await this.#client.call('deploy.list', { limit: 100 });
        this.profiles.value = profiles;
        this.history.value = deployments;
        this.problem.value = undefined;
      } while (this.#again);
    } catch (error) {
      if (!isAway(error)) this.problem.value = errorFacts(error);
    } finally {
      this.#asking = false;
    }
    if (this.current.value !== undefined) this.#timer = setTimeout(() => void this.refresh(), lookMs);
  }

  async run(profile: string, parameters: Record<string, ParameterValue>): Promise<void> {
    await this.#follow('Not deployed', () => this.#client.stream('deploy.run', { profile, parameters }));
  }

  /** The folder becomes what it was, and that is deployed. */
  async rollBack(to: Deployment): Promise<void> {
    await this.#follow('Not rolled back', () => this.#client.stream('deploy.rollback', { to: to.id }));
  }

  async cancel(id: string): Promise<void> {
    try {
      await this.#client.call('deploy.cancel', { id });
    } catch (error) {
      this.#toasts.fail('Not canceled', error);
    }
    await this.refresh();
  }

  /** The log is read elsewhere; here only the end matters. A call that is cut leaves the deployment as it is. */
  async #follow(
    title: string,
    begin: () => AsyncIterable<unknown> & { end: Promise<{ deployment: Deployment; rollback?: Deployment | undefined }> },
  ): Promise<void> {
    this.asked.value = true;
    const before = new Set(this.history.value.map(({ id }) => id));
    const showSoon = setTimeout(() => void this.#showNew(before), 150);
    try {
      const stream = begin();
      for await (const _ of stream) if (this.chosen.value === undefined || before.has(this.chosen.value)) await this.#showNew(before);
      const { deployment, rollback } = await stream.end;
      await this.refresh();
      this.chosen.value = rollback?.id ?? deployment.id;
      if (rollback !== undefined) this.#say(deployment, `What went well last was deployed again: ${outcome(rollback, this.#now())}.`);
      else this.#say(deployment);
    } catch (error) {
      if (errorFacts(error).reason === 'CONNECTION_LOST')
        this.#toasts.say('The link was lost', { text: 'The deployment goes on without it; how it ends shows here.' });
      else this.#toasts.fail(title, error);
      await this.refresh();
    } finally {
      clearTimeout(showSoon);
      this.asked.value = false;
    }
  }

  async #showNew(before: ReadonlySet<string>): Promise<void> {
    await this.refresh();
    const { value: current } = this.current;
    if (current !== undefined && !before.has(current.id)) this.chosen.value = current.id;
  }

  /** Where it can be seen, nothing has to be said. */
  #say(deployment: Deployment, text?: string): void {
    if (this.#isSeen()) return;
    const words = `${deploymentTitle(deployment)} ${outcome(deployment, this.#now())}`;
    this.#toasts.say(deployment.state === 'succeeded' ? 'Deployed' : 'Not deployed', {
      text: text === undefined ? words : `${words}. ${text}`,
    });
  }
}
