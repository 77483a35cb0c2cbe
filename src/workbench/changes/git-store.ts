import { computed, type ReadonlySignal, type Signal, signal } from '@preact/signals';
import type { Output } from '../../contract/operation.ts';
import type { Operations } from '../../contract/operations.ts';
import { errorFacts, isAbsent, isAway, type WorkbenchClient } from '../client-port.ts';
import { failureText } from '../failure-text.ts';
import { foldersAbove } from '../file-paths.ts';
import { type ChangeSections, changeSections } from './change-sections.ts';
import { type Letter, letterOf } from './letters.ts';

export type GitStatus = Output<Operations['git.status']>;

/** `git am` has no other name. */
export function doingName(doing: NonNullable<GitStatus['doing']>): string {
  return doing === 'am' ? 'git am' : doing;
}
export type Commit = Output<Operations['git.log']>['commits'][number];
type ChangedFile = Output<Operations['git.hunks']>['files'][number];
export type LineCounts = Pick<ChangedFile, 'added' | 'removed'>;
export type Stash = Output<Operations['git.stashes']>['stashes'][number];

const settleMs = 150;
const firstCommits = 30;
const moreCommits = 100;
/** Of one branch or file; older ones are found by the log of a file. */
const mostCommits = 1_000;

const noWholeLog = 'This link is limited to some paths: the command “Commits of this document” lists those of one.';

const noGit =
  'The program git is not on this machine. Source control and checkpoints need it: install it there, for instance with apt-get install git, then ask again.';

/** What git says of the workspace, asked anew a moment after anything that can change it. */
export class GitStore {
  readonly status: Signal<GitStatus | undefined> = signal(undefined);
  readonly log: Signal<readonly Commit[]> = signal([]);
  /** `log` is an answer: before there is one, no commits does not mean that there are none. */
  readonly logKnown = signal(false);
  /** Why `log` is none of the branch for this caller. */
  readonly logProblem: Signal<string | undefined> = signal(undefined);
  /** There are older commits than `log` holds, and room for them. */
  readonly moreLog = signal(false);
  /** The file whose commits `log` holds; undefined: those of the branch. */
  readonly logPath: Signal<string | undefined> = signal(undefined);
  /** Lines of the index against HEAD, by path. */
  readonly stagedCounts: Signal<ReadonlyMap<string, LineCounts>> = signal(new Map());
  /** Lines of the work tree against the index, by path; of a file that git does not know, all. */
  readonly counts: Signal<ReadonlyMap<string, LineCounts>> = signal(new Map());
  readonly stashes: Signal<readonly Stash[]> = signal([]);
  readonly sections: ReadonlySignal<ChangeSections>;
  /** Why git can't be asked here. */
  readonly problem: Signal<string | undefined> = signal(undefined);
  /** The program is not on the machine of the workspace. */
  readonly missing = signal(false);
  readonly letters: ReadonlySignal<ReadonlyMap<string, Letter>>;
  /** Folders that hold a change somewhere below. */
  readonly touched: ReadonlySignal<ReadonlySet<string>>;
  readonly #client: WorkbenchClient;
  #details = false;
  #commits = firstCommits;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #asking = false;
  #again = false;

  constructor(client: WorkbenchClient) {
    this.#client = client;
    this.sections = computed(() => changeSections(this.status.value?.changes ?? [], this.status.value?.conflicts ?? []));
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
    if (this.#details) return;
    this.#details = true;
    this.refreshSoon();
  }

  /** Lists the commits that changed a file; without one, those of the branch. */
  async showLogOf(path: string | undefined): Promise<void> {
    this.logPath.value = path;
    this.#commits = firstCommits;
    this.log.value = [];
    this.logKnown.value = false;
    this.wantDetails();
    await this.refresh();
  }

  async loadMoreLog(): Promise<void> {
    this.#commits = Math.min(this.#commits + moreCommits, mostCommits);
    await this.refresh();
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
        const wantsDetails = this.#details && status.repository;
        const { value: before } = this.status;
        // Where HEAD has moved, the commits that are listed are not those of now: both are shown at once.
        const isOther = wantsDetails && before !== undefined && before.head !== status.head;
        if (isOther) await this.#loadDetails(status);
        this.problem.value = undefined;
        this.missing.value = false;
        this.status.value = status;
        if (wantsDetails && !isOther) await this.#loadDetails(status);
      } while (this.#again);
    } catch (error) {
      if (isAway(error)) return;
      this.missing.value = errorFacts(error).reason === 'TOOL_MISSING';
      this.problem.value = this.missing.value ? noGit : failureText(error);
    } finally {
      this.#asking = false;
      // What changed while this one failed was not seen.
      if (this.#again) this.refreshSoon();
    }
  }

  async #loadDetails({ head, stashes }: GitStatus): Promise<void> {
    const path = this.logPath.value;
    const client = this.#client;
    // Who is limited to some paths is told the status alone.
    const [staged, changed, found, aside] = await Promise.all([
      orAbsent(client.call('git.hunks', { staged: true, lines: false })),
      orAbsent(client.call('git.hunks', { untracked: true, lines: false })),
      // Before the first commit there is no log.
      head === null
        ? { commits: [], more: false }
        : orAbsent(client.call('git.log', { count: this.#commits, ...(path === undefined ? {} : { path }) })),
      stashes === 0 ? undefined : orAbsent(client.call('git.stashes', {})),
    ]);
    this.stagedCounts.value = lineCounts(staged?.files ?? []);
    this.counts.value = lineCounts(changed?.files ?? []);
    this.stashes.value = aside?.stashes ?? [];
    if (path !== this.logPath.value) return void (this.#again = true);
    this.log.value = found?.commits ?? [];
    this.logProblem.value = found === undefined ? noWholeLog : undefined;
    this.logKnown.value = true;
    this.moreLog.value = found?.more === true && this.#commits < mostCommits;
  }
}

/** Undefined where it is not there for this caller. */
async function orAbsent<T>(asked: Promise<T>): Promise<T | undefined> {
  try {
    return await asked;
  } catch (error) {
    if (!isAbsent(error)) throw error;
    return undefined;
  }
}

/** Files that are no text have none. */
function lineCounts(files: readonly ChangedFile[]): Map<string, LineCounts> {
  return new Map(files.filter(({ binary }) => !binary).map(({ path, added, removed }) => [path, { added, removed }]));
}
