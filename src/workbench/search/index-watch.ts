import { type ReadonlySignal, type Signal, signal } from '@preact/signals';
import { isAbsent, type WorkbenchClient } from '../client-port.ts';
import { until } from '../until.ts';

/** How far the index is: `fresh` has all changes that this page knows of. */
export type IndexState =
  | { name: 'fresh' | 'behind'; revision: number; files: number }
  | { name: 'building' }
  | { name: 'failed'; problem: string | undefined };

/** Between two questions, however many changes come. */
const pauseMs = 1_000;
const mostWaitMs = 30_000;

/** What answers of search reflect, followed while the link is there. */
export class IndexWatch {
  /** Undefined: not known, or there is no index. */
  readonly state: Signal<IndexState | undefined> = signal(undefined);
  readonly #client: Pick<WorkbenchClient, 'call'>;
  readonly #revision: ReadonlySignal<number>;
  readonly #live: ReadonlySignal<boolean>;
  #started = false;

  /** `revision`: the last that this page was told of. */
  constructor(dependencies: { client: Pick<WorkbenchClient, 'call'>; revision: ReadonlySignal<number>; live: ReadonlySignal<boolean> }) {
    this.#client = dependencies.client;
    this.#revision = dependencies.revision;
    this.#live = dependencies.live;
  }

  /** Follows it from now on; resolves at once. */
  start(): void {
    if (this.#started) return;
    this.#started = true;
    void this.#follow();
  }

  async #follow(): Promise<void> {
    for (;;) {
      await until(() => this.#live.value);
      try {
        const settled = await this.#ask();
        if (settled !== undefined) await until(() => this.#revision.value !== settled || !this.#live.value);
      } catch (error) {
        this.state.value = undefined;
        if (isAbsent(error)) return;
        // The link is away for the moment, or it takes longer than anybody waits.
      }
      await new Promise((resolve) => setTimeout(resolve, pauseMs));
    }
  }

  /** Answers the revision until whose successor there is nothing to ask; undefined: ask again. */
  async #ask(): Promise<number | undefined> {
    const { state, problem, revision, files } = await this.#client.call('index.status', {});
    const wanted = this.#revision.value;
    if (state === 'off') this.state.value = undefined;
    else if (state === 'failed') this.state.value = { name: 'failed', problem };
    else if (state === 'building') this.state.value = { name: 'building' };
    else this.state.value = { name: revision >= wanted ? 'fresh' : 'behind', revision, files };
    if (state === 'building') return undefined;
    if (state !== 'ready' || revision >= wanted) return wanted;
    await this.#client.call('index.wait', { revision: wanted, timeoutMs: mostWaitMs });
    return undefined;
  }
}
