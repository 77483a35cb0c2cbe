import { computed, effect, type ReadonlySignal, type Signal, signal, untracked } from '@preact/signals';
import type { Checkpoint } from '../../contract/checkpoints.ts';
import { failureText } from '../failure-text.ts';
import { errorFacts, isAway, type WorkbenchClient } from '../client-port.ts';
import { type CheckpointRow, checkpointRows } from './checkpoint-rows.ts';

const settleMs = 400;
/** Nobody tells when the checkpoint after a run is made. */
const runningMs = 1_000;
const pageSize = 30;
const most = 500;

/** The checkpoints of the folder, asked anew a moment after anything that can change them, once somebody wants to see them. */
export class CheckpointStore {
  readonly rows: ReadonlySignal<readonly CheckpointRow[]>;
  readonly more = signal(false);
  /** The id of the oldest one that there is; undefined: it was not asked for. */
  readonly first: Signal<number | undefined> = signal(undefined);
  /** Undefined: kept here. */
  readonly problem: Signal<string | undefined> = signal(undefined);
  readonly known = signal(false);
  readonly #client: WorkbenchClient;
  readonly #found: Signal<readonly Checkpoint[]> = signal([]);
  #wanted = false;
  #limit = pageSize;
  #timer: ReturnType<typeof setTimeout> | undefined;

  /** `live`: whether the link is there. What happened while it was not was not told. */
  constructor(client: WorkbenchClient, live: ReadonlySignal<boolean>) {
    this.#client = client;
    this.rows = computed(() => checkpointRows(this.#found.value));
    effect(() => {
      if (live.value) untracked(() => this.refreshSoon(0));
    });
  }

  /** They are looked at from now on, `least` of them. */
  want(least = pageSize): void {
    if (this.#wanted && this.#limit >= least) return;
    this.#wanted = true;
    this.#limit = Math.max(this.#limit, least);
    void this.refresh();
  }

  refreshSoon(afterMs = settleMs): void {
    if (!this.#wanted) return;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => void this.refresh(), afterMs);
  }

  async loadMore(): Promise<void> {
    this.#limit = Math.min(this.#limit + pageSize * 2, most);
    await this.refresh();
  }

  /** Never throws: a folder without checkpoints is no failure. */
  async refresh(): Promise<void> {
    try {
      const { checkpoints, more } = await this.#client.call('checkpoints.list', { limit: this.#limit });
      this.#found.value = checkpoints;
      this.more.value = more && this.#limit < most;
      this.first.value = more ? undefined : checkpoints.at(-1)?.id;
      this.problem.value = undefined;
      this.known.value = true;
      if (this.rows.value.some((row) => row.kind === 'run' && row.after === undefined)) this.refreshSoon(runningMs);
    } catch (error) {
      if (isAway(error)) return;
      const { reason } = errorFacts(error);
      this.problem.value = reason === 'PART_OFF' || reason === 'NO_OPERATION' ? 'Checkpoints are switched off here.' : failureText(error);
      this.known.value = true;
    }
  }
}
