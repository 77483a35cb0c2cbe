import { computed, type ReadonlySignal, type Signal, signal } from '@preact/signals';
import type { GitChange } from '../../contract/git.ts';
import type { Output } from '../../contract/operation.ts';
import type { Operations } from '../../contract/operations.ts';
import { errorFacts, type WorkbenchClient } from '../client-port.ts';
import { foldersAbove } from '../file-paths.ts';
import { type LineCounts, patchCounts } from './patch-counts.ts';

export type Letter = 'M' | 'A' | 'D' | 'R' | 'U' | 'C';
export type GitStatus = Output<Operations['git.status']>;
export type Commit = Output<Operations['git.log']>['commits'][number];

export const letterNames: Record<Letter, string> = {
  M: 'modified',
  A: 'added',
  D: 'deleted',
  R: 'renamed',
  U: 'untracked',
  C: 'in conflict',
};

/** One letter for a file that may differ both from the index and from HEAD: what the next commit would make of it. */
export function letterOf({ staged, unstaged }: Pick<GitChange, 'staged' | 'unstaged'>): Letter | undefined {
  if (staged === 'unmerged' || unstaged === 'unmerged') return 'C';
  if (unstaged === 'ignored') return undefined;
  if (unstaged === 'untracked') return 'U';
  if (unstaged === 'deleted' || staged === 'deleted') return 'D';
  if (staged === 'added' || staged === 'copied') return 'A';
  if (staged === 'renamed' || unstaged === 'renamed') return 'R';
  return staged === null && unstaged === null ? undefined : 'M';
}

const settleMs = 150;

/** What git says of the workspace, asked anew a moment after anything that can change it. */
export class GitStore {
  readonly status: Signal<GitStatus | undefined> = signal(undefined);
  readonly log: Signal<readonly Commit[]> = signal([]);
  readonly counts: Signal<ReadonlyMap<string, LineCounts>> = signal(new Map());
  /** Why git can't be asked here. */
  readonly problem: Signal<string | undefined> = signal(undefined);
  readonly letters: ReadonlySignal<ReadonlyMap<string, Letter>>;
  /** Folders that hold a change somewhere below. */
  readonly touched: ReadonlySignal<ReadonlySet<string>>;
  readonly #client: WorkbenchClient;
  readonly #details = signal(false);
  #timer: ReturnType<typeof setTimeout> | undefined;
  #asking = false;
  #again = false;

  constructor(client: WorkbenchClient) {
    this.#client = client;
    this.letters = computed(() => {
      const letters = new Map<string, Letter>();
      for (const change of this.status.value?.changes ?? []) {
        const letter = letterOf(change);
        if (letter !== undefined) letters.set(change.path.replace(/\/$/, ''), letter);
      }
      return letters;
    });
    this.touched = computed(() => {
      const folders = new Set<string>();
      for (const path of this.letters.value.keys()) {
        for (const folder of foldersAbove(path)) {
          if (folders.has(folder)) break;
          folders.add(folder);
        }
      }
      return folders;
    });
  }

  /** Source control is looked at: lines and commits are wanted too. */
  wantDetails(): void {
    if (this.#details.value) return;
    this.#details.value = true;
    this.refreshSoon();
  }

  refreshSoon(): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => void this.refresh(), settleMs);
  }

  /** Never throws: a folder without git is no failure. */
  async refresh(): Promise<void> {
    if (this.#asking) {
      this.#again = true;
      return;
    }
    this.#asking = true;
    try {
      do {
        this.#again = false;
        const status = await this.#client.call('git.status', {});
        this.problem.value = undefined;
        this.status.value = status;
        if (this.#details.value && status.repository && status.head !== null) await this.#loadDetails();
      } while (this.#again);
    } catch (error) {
      const { reason, message } = errorFacts(error);
      if (reason !== 'CONNECTION_LOST') this.problem.value = message;
    } finally {
      this.#asking = false;
    }
  }

  async #loadDetails(): Promise<void> {
    const [{ diff }, { commits }] = await Promise.all([
      this.#client.call('git.diff', { from: 'HEAD', context: 0 }),
      this.#client.call('git.log', { count: 30 }),
    ]);
    this.counts.value = patchCounts(diff);
    this.log.value = commits;
  }
}
