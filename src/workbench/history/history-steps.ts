import type { Change } from '../../contract/events.ts';
import type { Output } from '../../contract/operation.ts';
import type { Operations } from '../../contract/operations.ts';
import type { CheckpointRow } from '../checkpoints/checkpoint-rows.ts';
import { asPart } from '../feed/deed-words.ts';
import { type FeedRow, foldChanges } from '../feed/feed-rows.ts';

export type Commit = Output<Operations['git.log']>['commits'][number];

/** One step of a document's history. A checkpoint is of the folder, as it was then; of a run, before it. */
export type HistoryStep =
  | ({ kind: 'change'; key: string; at: number; row: FeedRow } & RowTexts)
  | { kind: 'checkpoint'; key: string; at: number; id: number; title: string; row: CheckpointRow }
  | { kind: 'commit'; key: string; at: number; commit: Commit };

/** What history.list has of a document, newest first; undefined while that is not known, or where none are kept. */
export type KeptVersions = Output<Operations['history.list']> | undefined;

/** What there is of the texts of changes in a row. */
export interface RowTexts {
  /** Of the text before them and the one after them. */
  canCompare: boolean;
  /** The text that the document can hold again: what these changes left, or what the last of all removed. */
  restores: { revision: number; side: 'before' | 'after' } | undefined;
}

export interface KnownHistory {
  /** Of the document, oldest first. */
  changes: readonly Change[];
  kept: KeptVersions;
  checkpoints: readonly CheckpointRow[];
  commits: readonly Commit[];
}

/** All that is known of a document, newest first. Checkpoints from before it was made are left out: it was not in them. */
export function historySteps({ changes, kept, checkpoints, commits }: KnownHistory): HistoryStep[] {
  const madeAt = changes.findLast(({ what }) => what === 'created')?.at ?? 0;
  const rows = foldChanges(changes);
  const newest = rows.at(-1)?.last ?? 0;
  const steps: HistoryStep[] = rows.map((row) => ({ kind: 'change', key: row.key, at: row.at, row, ...textsOf(row, newest, kept) }));
  for (const row of checkpoints) {
    const id = row.kind === 'made' ? row.id : (row.before ?? row.after);
    if (id === undefined || row.at < madeAt) continue;
    const title = row.kind === 'made' ? row.title : `${row.before === undefined ? 'After' : 'Before'} ${asPart(row.title)}`;
    steps.push({ kind: 'checkpoint', key: row.key, at: row.at, id, title, row });
  }
  for (const commit of commits) steps.push({ kind: 'commit', key: commit.hash, at: commit.at, commit });
  return steps.sort((a, b) => b.at - a.at);
}

/**
 * What the feed told and what the sidecar lists as one, oldest first. The list knows better what was done with what is called so now, under other names too, and what
 * was done with something else that had its name; the feed tells what came since.
 */
export function knownChanges(fed: readonly Change[], kept: KeptVersions): Change[] {
  const oldest = kept?.versions.at(-1)?.revision;
  const newest = kept?.versions[0]?.revision;
  if (kept === undefined || oldest === undefined || newest === undefined) return [...fed];
  const told = new Map(fed.map((change) => [change.revision, change]));
  return [
    ...fed.filter(({ revision }) => kept.more && revision < oldest),
    ...kept.versions.map((version) => told.get(version.revision) ?? asChange(version)).reverse(),
    ...fed.filter(({ revision }) => revision > newest),
  ];
}

function asChange({ kept: _kept, keptBefore: _keptBefore, ...facts }: NonNullable<KeptVersions>['versions'][number]): Change {
  return { type: 'change', kind: 'file', cursor: '', ...facts };
}

function textsOf(row: FeedRow, newest: number, kept: KeptVersions): RowTexts {
  const listed = kept?.versions[0]?.revision;
  if (kept === undefined || listed === undefined || row.what === 'moved' || row.kind !== 'file')
    return { canCompare: false, restores: undefined };
  const versionOf = (revision: number) => kept.versions.find((version) => version.revision === revision);
  const first = versionOf(row.first);
  // What has just come is not listed yet, and can be had as a rule.
  const isKeptBefore = row.what === 'created' || (first?.keptBefore ?? row.first > listed);
  const isKept = row.what !== 'removed' && (versionOf(row.last)?.kept ?? row.last > listed);
  const canCompare = isKeptBefore && (isKept || row.what === 'removed');
  if (row.last < newest) return { canCompare, restores: isKept ? { revision: row.last, side: 'after' } : undefined };
  const isGone = row.what === 'removed' && isKeptBefore;
  return { canCompare, restores: isGone ? { revision: row.first, side: 'before' } : undefined };
}
