import type { Cause, Change } from '../../contract/events.ts';

/** A row of the table `changes`. */
export interface ChangeRow {
  revision: number;
  path: string;
  kind: Change['kind'];
  what: Change['what'];
  origin: string | null;
  before: string | null;
  after: string | null;
  size: number | null;
  cause: string;
  at: number;
  note: string | null;
}

/** A change as the journal keeps it; `path` is what it was called then. */
export type PastChange = Omit<Change, 'type' | 'cursor'>;

export function pastChange({ revision, path, kind, what, origin, before, after, size, cause, at, note }: ChangeRow): PastChange {
  const change: PastChange = { revision, path, kind, what, before, after, cause: JSON.parse(cause) as Cause, at };
  if (origin !== null) change.from = origin;
  if (size !== null) change.size = size;
  if (note !== null) change.note = note;
  return change;
}
