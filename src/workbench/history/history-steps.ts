import type { Change } from '../../contract/events.ts';
import type { Output } from '../../contract/operation.ts';
import type { Operations } from '../../contract/operations.ts';
import type { CheckpointRow } from '../checkpoints/checkpoint-rows.ts';
import { asPart } from '../feed/deed-words.ts';
import { type FeedRow, foldChanges } from '../feed/feed-rows.ts';

export type Commit = Output<Operations['git.log']>['commits'][number];

/** One step of a document's history. A checkpoint is of the folder, as it was then; of a run, before it. */
export type HistoryStep =
  | { kind: 'change'; key: string; at: number; row: FeedRow }
  | { kind: 'checkpoint'; key: string; at: number; id: number; title: string; row: CheckpointRow }
  | { kind: 'commit'; key: string; at: number; commit: Commit };

export interface KnownHistory {
  /** Of the document, oldest first. */
  changes: readonly Change[];
  checkpoints: readonly CheckpointRow[];
  commits: readonly Commit[];
}

/** All that is known of a document, newest first. Checkpoints from before it was made are left out: it was not in them. */
export function historySteps({ changes, checkpoints, commits }: KnownHistory): HistoryStep[] {
  const madeAt = changes.findLast(({ what }) => what === 'created')?.at ?? 0;
  const steps: HistoryStep[] = foldChanges(changes).map((row) => ({ kind: 'change', key: row.key, at: row.at, row }));
  for (const row of checkpoints) {
    const id = row.kind === 'made' ? row.id : (row.before ?? row.after);
    if (id === undefined || row.at < madeAt) continue;
    const title = row.kind === 'made' ? row.title : `${row.before === undefined ? 'After' : 'Before'} ${asPart(row.title)}`;
    steps.push({ kind: 'checkpoint', key: row.key, at: row.at, id, title, row });
  }
  for (const commit of commits) steps.push({ kind: 'commit', key: commit.hash, at: commit.at, commit });
  return steps.sort((a, b) => b.at - a.at);
}
