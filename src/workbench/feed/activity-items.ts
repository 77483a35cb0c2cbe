import type { Deployment } from '../../contract/deploy.ts';
import type { ProcessInfo } from '../../contract/processes.ts';
import { type Actor, actorNamed } from '../actor.ts';
import type { Commit } from '../changes/git-store.ts';
import type { CheckpointRow, RunRow } from '../checkpoints/checkpoint-rows.ts';
import { isUnderWay } from '../deploy/deploy-words.ts';
import type { FeedFilter, FeedRow } from './feed-rows.ts';

/** Files of a commit, as far as they are known. */
export interface CommitFiles {
  names: readonly string[];
  /** There are more than `names`. */
  more: boolean;
}

interface Base {
  key: string;
  /** When it ended, or when it began while it has not; ms since 1970. */
  at: number;
  actor: Actor;
}

/** Something that somebody did with the workspace as a whole. */
export type Deed = Base &
  (
    | { kind: 'commits'; commit: Commit }
    | { kind: 'checkpoints'; checkpoint: Extract<CheckpointRow, { kind: 'made' }> }
    /** A restore, or a revert of a run. */
    | { kind: 'checkpoints'; checkpoint: RunRow }
    /** One of the two is there: processes are forgotten before checkpoints, and few runs have checkpoints. */
    | { kind: 'runs'; process: ProcessInfo | undefined; checkpoint: RunRow | undefined }
    | { kind: 'deploys'; deployment: Deployment; checkpoint: RunRow | undefined }
  );

export type ActivityItem = Deed | { kind: 'files'; key: string; at: number; row: FeedRow };

export interface DeedSources {
  commits: readonly Commit[];
  checkpoints: readonly CheckpointRow[];
  /** Of no terminal. */
  programs: readonly ProcessInfo[];
  deployments: readonly Deployment[];
}

/** What was done, oldest first, each once: the program and the checkpoints of a deployment are told by it. `seenAs`: how an actor is shown. */
export function deedsOf({ commits, checkpoints, programs, deployments }: DeedSources, seenAs: (actor: Actor) => Actor): Deed[] {
  const runs = new Map(checkpoints.flatMap((row) => (row.kind === 'run' && !row.byHand ? [[row.run, row] as const] : [])));
  const deployed = new Set(deployments.flatMap(({ process }) => process ?? []));
  const keptBy = new Set(deployments.flatMap(({ checkpoint }) => checkpoint ?? []));
  const known = new Set(programs.map(({ id }) => id));
  const deeds: Deed[] = [
    // Told from the newest on; those of one second stay in their order.
    ...commits.toReversed().map(
      (commit): Deed => ({
        kind: 'commits',
        key: `commit ${commit.hash}`,
        // git keeps seconds: what was changed in that of a commit came before it, as a rule.
        at: commit.at + 999,
        actor: seenAs(actorNamed(commit.author.name, 'person')),
        commit,
      }),
    ),
    ...deployments.map(
      (deployment): Deed => ({
        kind: 'deploys',
        key: `deploy ${deployment.id}`,
        at: isUnderWay(deployment) ? deployment.startedAt : (deployment.endedAt ?? deployment.startedAt),
        actor: seenAs(actorNamed(deployment.by.name, deployment.by.kind)),
        deployment,
        checkpoint: deployment.process === null ? undefined : runs.get(deployment.process),
      }),
    ),
  ];
  for (const process of programs) {
    if (deployed.has(process.id) || process.tag?.startsWith('deploy:') === true) continue;
    const { name, kind } = process.startedBy;
    deeds.push({
      kind: 'runs',
      key: `run ${process.id}`,
      at: process.state === 'ended' ? (process.endedAt ?? process.startedAt) : process.startedAt,
      actor: seenAs(actorNamed(name, kind)),
      process,
      checkpoint: runs.get(process.id),
    });
  }
  for (const row of checkpoints) {
    const base = { key: row.kind === 'made' ? `checkpoint ${row.id}` : `run ${row.run}`, at: row.at, actor: seenAs(row.actor) };
    if (row.kind === 'made') {
      if (!keptBy.has(row.id)) deeds.push({ ...base, kind: 'checkpoints', checkpoint: row });
    } else if (row.byHand) deeds.push({ ...base, kind: 'checkpoints', checkpoint: row });
    else if (!known.has(row.run) && !deployed.has(row.run)) deeds.push({ ...base, kind: 'runs', process: undefined, checkpoint: row });
  }
  return deeds.toSorted((a, b) => a.at - b.at);
}

/** Rows of files and deeds as one stream, oldest first; of one moment, the change comes before the deed. Both come in order of time. */
export function mergeActivity(rows: readonly FeedRow[], deeds: readonly Deed[]): ActivityItem[] {
  const items: ActivityItem[] = [];
  let next = 0;
  for (const row of rows) {
    for (let deed = deeds[next]; deed !== undefined && deed.at < row.at; deed = deeds[++next]) items.push(deed);
    items.push({ kind: 'files', key: row.key, at: row.at, row });
  }
  return [...items, ...deeds.slice(next)];
}

/** Whether a deed is to be shown. Of a place only what is known to concern it is. */
export function matchesDeed(deed: Deed, filter: FeedFilter, filesOf: (hash: string) => CommitFiles | undefined): boolean {
  if (deed.at < filter.since || filter.withoutKinds.has(deed.kind) || filter.without.has(deed.actor.key)) return false;
  return filter.where === '' || placesOf(deed, filesOf).some((place) => place.includes(filter.where));
}

function placesOf(deed: Deed, filesOf: (hash: string) => CommitFiles | undefined): readonly string[] {
  if (deed.kind === 'commits') return filesOf(deed.commit.hash)?.names ?? [];
  if (deed.kind === 'deploys') return Object.values(deed.deployment.parameters).map(String);
  if (deed.kind === 'runs') return deed.process === undefined ? [] : [deed.process.path, ...deed.process.argv];
  return [];
}

/**
 * What is shown to somebody who reads further down: what was there when they began to, as it is by now; and how much is new. Changes
 * of files stay as they were, since they are told in steps.
 */
export function heldActivity(
  held: readonly ActivityItem[],
  current: readonly ActivityItem[],
): { shown: readonly ActivityItem[]; waiting: number } {
  const before = new Map(held.map((item) => [item.key, item]));
  const now = new Map(current.map((item) => [item.key, item]));
  const shown = held.map((item) => {
    const later = now.get(item.key);
    return item.kind === 'files' || later === undefined || later.kind === 'files' ? item : { ...later, at: item.at };
  });
  let waiting = 0;
  for (const item of current) {
    const known = before.get(item.key);
    if (item.kind !== 'files') waiting += known === undefined ? 1 : 0;
    else if (known === undefined) waiting += item.row.last - item.row.first + 1;
    else if (known.kind === 'files') waiting += item.row.last - known.row.last;
  }
  return { shown, waiting };
}
