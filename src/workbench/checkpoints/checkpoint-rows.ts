import type { Checkpoint } from '../../contract/checkpoints.ts';
import { type Actor, actorNamed, actorsOf } from '../actor.ts';

/** A checkpoint that somebody asked for, or the two around a run as one. */
export type CheckpointRow =
  | { kind: 'made'; key: string; id: number; title: string; at: number; actor: Actor }
  | {
      kind: 'run';
      key: string;
      run: string;
      title: string;
      at: number;
      actor: Actor;
      /** A restore or revert, which is a run too. */
      byHand: boolean;
      before: number | undefined;
      /** Missing while it runs, and where none could be made. */
      after: number | undefined;
      files: number | null;
      /** How many of them were changed since; undefined or null where nobody counted. */
      edited: number | null | undefined;
      reverted: string | undefined;
    };

export type RunRow = Extract<CheckpointRow, { kind: 'run' }>;

/** Newest first, as they come; the two of a run stand where the newer one does. */
export function checkpointRows(checkpoints: readonly Checkpoint[]): CheckpointRow[] {
  const rows: CheckpointRow[] = [];
  const runs = new Map<string, RunRow>();
  for (const { id, at, title, cause, point, run, files, edited, reverted } of checkpoints) {
    const [first] = actorsOf({ ...cause, kind: 'connection' });
    const actor = first ?? actorNamed('Outrigger', 'agent');
    if (point === 'made' || run === undefined) {
      rows.push({ kind: 'made', key: `c${id}`, id, title, at, actor });
      continue;
    }
    let row = runs.get(run);
    if (row === undefined) {
      row = {
        kind: 'run',
        key: `r${run}`,
        run,
        title,
        at,
        actor,
        byHand: /^revert-[0-9a-f]{8}$/.test(run),
        before: undefined,
        after: undefined,
        files: null,
        edited: undefined,
        reverted: undefined,
      };
      runs.set(run, row);
      rows.push(row);
    }
    if (point === 'before') row.before = id;
    else Object.assign(row, { after: id, files, edited, reverted });
  }
  return rows;
}

/** The run that a card is for: the newest that ended and was no restore or revert. */
export function newestRun(rows: readonly CheckpointRow[]): RunRow | undefined {
  return rows.find((row): row is RunRow => row.kind === 'run' && !row.byHand && row.after !== undefined);
}

/** `Changed 3 files. You have edited 1 of them since.` */
export function sayRun({ files, edited, reverted, after }: RunRow): string {
  if (after === undefined) return 'It has not ended.';
  if (reverted !== undefined) return 'It was taken back.';
  if (files === 0) return 'It changed nothing.';
  const changed = files === null ? 'It changed files.' : `Changed ${files.toLocaleString('en')} ${files === 1 ? 'file' : 'files'}.`;
  if (edited === null || edited === undefined) return changed;
  if (edited === 0) return `${changed} Nobody has edited ${files === 1 ? 'it' : 'them'} since.`;
  const which =
    files === 1 ? 'It was edited' : edited === 1 ? '1 of them was edited' : `${edited.toLocaleString('en')} of them were edited`;
  return `${changed} ${which} since.`;
}
