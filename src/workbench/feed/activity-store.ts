import { batch, computed, effect, type ReadonlySignal, type Signal, signal, untracked } from '@preact/signals';
import type { Actor } from '../actor.ts';
import type { Commit, GitStore } from '../changes/git-store.ts';
import type { CheckpointStore } from '../checkpoints/checkpoint-store.ts';
import { isAway, type WorkbenchClient } from '../client-port.ts';
import type { DeployStore } from '../deploy/deploy-store.ts';
import type { ProcessStore } from '../processes/process-store.ts';
import { type ActivityItem, type CommitFiles, type Deed, deedsOf, matchesDeed, mergeActivity } from './activity-items.ts';
import { asPart } from './deed-words.ts';
import { type ActorCount, byKindOfActor, type FeedStore } from './feed-store.ts';

/** Of the branch; older ones are found in its history. */
const mostCommits = 100;
const mostCheckpoints = 100;
/** Files of a commit that are named. */
const mostNames = 200;
/** Nobody tells when another one keeps a checkpoint. */
const lookMs = 5_000;

export interface ActivityDependencies {
  client: WorkbenchClient;
  feed: FeedStore;
  git: GitStore;
  checkpoints: CheckpointStore;
  processes: ProcessStore;
  deploys: DeployStore;
  live: ReadonlySignal<boolean>;
  /** How somebody who is named by the sidecar is shown on this page. */
  seenAs: (actor: Actor) => Actor;
}

/** Everything that was done here as one stream. Each store is the only owner of its part, so that nothing can come twice. */
export class ActivityStore {
  /** Oldest first, by the filters. */
  readonly items: ReadonlySignal<readonly ActivityItem[]>;
  /** All of them aside of the filters. */
  readonly deeds: ReadonlySignal<readonly Deed[]>;
  /** All of it has come, or never does: before, that there is nothing does not mean that nothing was done. */
  readonly known: ReadonlySignal<boolean>;
  readonly actors: ReadonlySignal<readonly ActorCount[]>;
  /** What runs, restores and reverts are called, by their ids. */
  readonly runNames: ReadonlySignal<ReadonlyMap<string, string>>;
  /** Files of commits that were asked for, by hash. */
  readonly files: Signal<ReadonlyMap<string, CommitFiles>> = signal(new Map());
  readonly #deps: ActivityDependencies;
  readonly #commits: Signal<readonly Commit[]> = signal([]);
  readonly #commitsKnown = signal(false);
  readonly #wanted = signal(false);
  readonly #asked = new Set<string>();
  #asking: Promise<void> = Promise.resolve();

  constructor(dependencies: ActivityDependencies) {
    this.#deps = dependencies;
    const { feed, git, checkpoints, processes, deploys, seenAs } = dependencies;
    this.deeds = computed(() =>
      deedsOf(
        {
          commits: this.#commits.value,
          checkpoints: checkpoints.rows.value,
          programs: processes.programs.value,
          deployments: deploys.history.value,
        },
        seenAs,
      ),
    );
    this.known = computed(() => {
      const isGitKnown = git.problem.value !== undefined || (git.status.value !== undefined && this.#commitsKnown.value);
      const areDeploysKnown = deploys.profiles.value !== undefined || deploys.problem.value !== undefined;
      return feed.known.value && isGitKnown && areDeploysKnown && checkpoints.known.value && processes.all.value !== undefined;
    });
    this.runNames = computed(
      () =>
        new Map([
          ...checkpoints.rows.value.flatMap((row) => (row.kind === 'run' ? [[row.run, asPart(row.title)] as const] : [])),
          ...(processes.all.value ?? []).map(({ id, title }) => [id, title] as const),
        ]),
    );
    this.items = computed(() => {
      const { value: filter } = feed.filter;
      const { value: files } = this.files;
      const deeds = this.deeds.value.filter((deed) => matchesDeed(deed, filter, (hash) => files.get(hash)));
      return mergeActivity(filter.withoutKinds.has('files') ? [] : feed.rows.value, deeds);
    });
    this.actors = computed(() => {
      const counts = new Map(feed.actors.value.map(({ actor, count }) => [actor.key, { actor, count }]));
      for (const { actor } of this.deeds.value) {
        const known = counts.get(actor.key);
        if (known === undefined) counts.set(actor.key, { actor, count: 1 });
        else known.count += 1;
      }
      return [...counts.values()].toSorted(byKindOfActor);
    });
    this.#listen();
  }

  /** It is looked at from now on, until the answer is called. */
  want(): () => void {
    const { checkpoints, deploys } = this.#deps;
    this.#wanted.value = true;
    checkpoints.want(mostCheckpoints);
    deploys.want();
    const timer = setInterval(() => checkpoints.refreshSoon(0), lookMs);
    return () => clearInterval(timer);
  }

  /** Asks for the files of a commit, once; one at a time. */
  wantFiles(hash: string): void {
    if (this.#asked.has(hash)) return;
    this.#asked.add(hash);
    this.#asking = this.#asking.then(() => this.#loadFiles(hash));
  }

  #listen(): void {
    const { git, feed, processes, checkpoints, live } = this.#deps;
    const head = computed(() => git.status.value?.head ?? undefined);
    effect(() => {
      const { value: hash } = head;
      if (this.#wanted.value && live.value) untracked(() => void this.#loadCommits(hash));
    });
    effect(() => {
      // What a commit holds decides whether it is shown.
      const { value: filter } = feed.filter;
      const { value: commits } = this.#commits;
      if (filter.where !== '') untracked(() => commits.forEach(({ hash }) => this.wantFiles(hash)));
    });
    const ends = computed(() => (processes.all.value ?? []).map(({ id, state }) => `${id} ${state}`).join());
    effect(() => {
      void ends.value;
      if (this.#wanted.value) untracked(() => checkpoints.refreshSoon());
    });
  }

  /** Never throws: without commits there are other things to tell. */
  async #loadCommits(head: string | undefined): Promise<void> {
    if (head === undefined) return void this.#showCommits([]);
    try {
      const { commits } = await this.#deps.client.call('git.log', { from: head, count: mostCommits });
      if (this.#deps.git.status.value?.head !== head) return;
      const kept = new Set(commits.map(({ hash }) => hash));
      for (const hash of this.#asked) if (!kept.has(hash)) this.#asked.delete(hash);
      batch(() => {
        this.#showCommits(commits);
        this.files.value = new Map([...this.files.value].filter(([hash]) => kept.has(hash)));
      });
    } catch (error) {
      if (!isAway(error)) this.#showCommits([]);
    }
  }

  #showCommits(commits: readonly Commit[]): void {
    batch(() => {
      this.#commits.value = commits;
      this.#commitsKnown.value = this.#deps.git.status.value !== undefined;
    });
  }

  async #loadFiles(hash: string): Promise<void> {
    // The branch was switched meanwhile.
    if (!this.#asked.has(hash)) return;
    try {
      const { files, truncated } = await this.#deps.client.call('git.commitInfo', { revision: hash, limit: mostNames });
      this.files.value = new Map(this.files.value).set(hash, { names: files.map(({ path }) => path), more: truncated });
    } catch {
      // It is shown without, and asked for again when it is looked at again.
      this.#asked.delete(hash);
    }
  }
}
