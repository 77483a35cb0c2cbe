import { OutriggerError } from '../../contract/errors.ts';
import type { Cause } from '../../contract/events.ts';
import { type State, STATE_HINT } from '../state/state.ts';
import type { Snapshot } from './snapshots.ts';
import type { Clash } from '../../core/take-back.ts';

/** made: somebody asked for it; before, after: around a run. */
export type Point = 'made' | 'before' | 'after';

export interface CheckpointRow {
  id: number;
  tree: string;
  at: number;
  cursor: string;
  title: string;
  cause: Cause;
  point: Point;
  run: string | null;
  /** Files that differ from the checkpoint before it; of `after` by the run alone. null: not counted. */
  files: number | null;
  /** Files that were too large to be stored. */
  omitted: string[];
  /** Folders that were repositories of their own. */
  nested: string[];
}

/** What others did to a file during a run, as far as it can be told apart. */
export interface Mixed {
  /** Keys of the file without the run's hunks, shared hunks kept or removed; null: no file. */
  keep: string | null;
  remove: string | null;
  clashes: Clash[];
  /** Not told apart: the file goes back whole, or not at all. */
  lost?: true;
  /** The run changed nothing of it. */
  none?: true;
}

export interface RunRow {
  id: string;
  title: string;
  cause: Cause;
  before: number;
  /** null: under way, or cut short by the end of the sidecar. */
  after: number | null;
  facts: {
    mixed: Record<string, Mixed>;
    /** What others moved meanwhile. */
    moves: { from: string; to: string }[];
    /** Files that the run changed, some of them. */
    paths: string[];
    /** True: not known who changed what. */
    lost?: true;
    /** Runs that were under way at the same time. */
    alongside?: string[];
  };
  /** The run that took it back. */
  reverted: string | null;
}

/** What is said of a snapshot that is to be a checkpoint. */
export type SnapshotFacts = Pick<CheckpointRow, 'title' | 'cause' | 'point' | 'run'>;

export function ofSnapshot(
  { tree, cursor, omitted, nested, changed }: Snapshot,
  at: number,
  facts: SnapshotFacts,
): Omit<CheckpointRow, 'id'> {
  return { tree, cursor, omitted, nested, files: changed, at, ...facts };
}

export function revisionOf(cursor: string): number {
  return Number(cursor.slice(cursor.indexOf('-') + 1));
}

interface StoredCheckpoint extends Omit<CheckpointRow, 'cause' | 'omitted' | 'nested'> {
  cause: string;
  /** Nested folders, too, which end in a slash. */
  omitted: string;
}

interface StoredRun extends Omit<RunRow, 'cause' | 'facts'> {
  cause: string;
  facts: string;
}

/** What is remembered of checkpoints and runs: the state database is the one truth, refs in git only keep the objects. */
export class CheckpointRows {
  readonly #state: State;
  readonly #monotonic: () => number;
  /** When those of this life were added, by a clock that nobody sets. */
  readonly #addedAt = new Map<number, number>();

  constructor(dependencies: { state: State; monotonic?: (() => number) | undefined }) {
    this.#state = dependencies.state;
    this.#monotonic = dependencies.monotonic ?? (() => performance.now());
  }

  /** Writes rows, all or none. Throws DISK_FULL when the state can't be written. */
  together<T>(work: () => T): T {
    try {
      return this.#state.transaction(work);
    } catch (error) {
      if (error instanceof OutriggerError) throw error;
      throw new OutriggerError('DISK_FULL', `The checkpoint can't be remembered: ${(error as Error).message}`, {
        cause: error,
        hint: STATE_HINT,
      });
    }
  }

  add(row: Omit<CheckpointRow, 'id'>): number {
    const omitted = JSON.stringify([...row.omitted, ...row.nested.map((folder) => `${folder}/`)]);
    const { lastInsertRowid } = this.#state
      .statement('INSERT INTO checkpoints(tree, at, cursor, title, cause, point, run, files, omitted) VALUES(?,?,?,?,?,?,?,?,?)')
      .run(row.tree, row.at, row.cursor, row.title, JSON.stringify(row.cause), row.point, row.run, row.files, omitted);
    const id = Number(lastInsertRowid);
    this.#addedAt.delete(id);
    this.#addedAt.set(id, this.#monotonic());
    return id;
  }

  get(id: number): CheckpointRow | undefined {
    const row = this.#state.statement('SELECT * FROM checkpoints WHERE id = ?').get(id) as StoredCheckpoint | undefined;
    return row === undefined ? undefined : readCheckpoint(row);
  }

  /** The one made before it. */
  previous(id: number): CheckpointRow | undefined {
    const row = this.#state.statement('SELECT * FROM checkpoints WHERE id < ? ORDER BY id DESC LIMIT 1').get(id);
    return row === undefined ? undefined : readCheckpoint(row as unknown as StoredCheckpoint);
  }

  /** Newest first. */
  list(before: number, run: string | undefined, limit: number): CheckpointRow[] {
    const found =
      run === undefined
        ? this.#state.statement('SELECT * FROM checkpoints WHERE id < ? ORDER BY id DESC LIMIT ?').all(before, limit)
        : this.#state.statement('SELECT * FROM checkpoints WHERE id < ? AND run = ? ORDER BY id DESC LIMIT ?').all(before, run, limit);
    return (found as unknown as StoredCheckpoint[]).map(readCheckpoint);
  }

  setFiles(id: number, files: number): void {
    this.#state.statement('UPDATE checkpoints SET files = ? WHERE id = ?').run(files, id);
  }

  run(id: string): RunRow | undefined {
    const row = this.#state.statement('SELECT * FROM checkpoint_runs WHERE id = ?').get(id) as StoredRun | undefined;
    return row === undefined ? undefined : readRun(row);
  }

  /** Runs without an end. */
  unfinished(): RunRow[] {
    return (this.#state.statement('SELECT * FROM checkpoint_runs WHERE after IS NULL').all() as unknown as StoredRun[]).map(readRun);
  }

  putRun(run: RunRow): void {
    this.#state
      .statement('INSERT OR REPLACE INTO checkpoint_runs(id, title, cause, before, after, facts, reverted) VALUES(?,?,?,?,?,?,?)')
      .run(run.id, run.title, JSON.stringify(run.cause), run.before, run.after, JSON.stringify(run.facts), run.reverted);
  }

  putText(run: string, key: string, content: Uint8Array): void {
    this.#state.statement('INSERT OR REPLACE INTO checkpoint_texts(run, key, content) VALUES(?,?,?)').run(run, key, content);
  }

  text(key: string): Uint8Array | undefined {
    const row = this.#state.statement('SELECT content FROM checkpoint_texts WHERE key = ?').get(key) as { content: Uint8Array } | undefined;
    return row?.content;
  }

  /** A run that came to nothing, with its checkpoint. */
  removeRun(id: string): void {
    for (const sql of ['DELETE FROM checkpoint_runs WHERE id = ?', 'DELETE FROM checkpoints WHERE run = ?'] as const)
      this.#state.statement(sql).run(id);
  }

  /** What this run took back is not taken back any more. */
  forgetReverted(by: string): void {
    this.#state.statement('UPDATE checkpoint_runs SET reverted = NULL WHERE reverted = ?').run(by);
  }

  trees(): Set<string> {
    const rows = this.#state.statement('SELECT DISTINCT tree FROM checkpoints').all() as { tree: string }[];
    return new Set(rows.map(({ tree }) => tree));
  }

  /**
   * Forgets what is older than `keepMs` or beyond the newest `keep`; those of `held` runs and the very newest stay. What was added in this life is older when
   * the monotonic clock says so as well.
   */
  prune({ keep, keepMs, now }: { keep: number; keepMs: number; now: number }, held: readonly string[]): number {
    const { changes } = this.#state
      .statement(
        `DELETE FROM checkpoints WHERE ((at < ? AND id NOT IN (SELECT value FROM json_each(?))) OR id NOT IN (SELECT id FROM checkpoints ORDER BY id DESC LIMIT ?))
         AND id <> (SELECT max(id) FROM checkpoints) AND coalesce(run, '') NOT IN (SELECT value FROM json_each(?))`,
      )
      .run(now - keepMs, JSON.stringify(this.#young(keep, keepMs)), keep, JSON.stringify(held));
    if (Number(changes) > 0) this.#forgetRuns(held);
    return Number(changes);
  }

  /** Of the newest `keep`. */
  #young(keep: number, keepMs: number): number[] {
    const since = this.#monotonic() - keepMs;
    for (const [id, at] of this.#addedAt) {
      if (at >= since && this.#addedAt.size <= keep) break;
      this.#addedAt.delete(id);
    }
    return [...this.#addedAt.keys()];
  }

  clear(): void {
    this.#addedAt.clear();
    for (const table of ['checkpoints', 'checkpoint_runs', 'checkpoint_texts'] as const)
      this.#state.statement(`DELETE FROM ${table}`).run();
  }

  #forgetRuns(held: readonly string[]): void {
    this.#state
      .statement(
        `DELETE FROM checkpoint_runs WHERE (before NOT IN (SELECT id FROM checkpoints)
         OR (after IS NOT NULL AND after NOT IN (SELECT id FROM checkpoints))) AND id NOT IN (SELECT value FROM json_each(?))`,
      )
      .run(JSON.stringify(held));
    this.#state.statement('DELETE FROM checkpoint_texts WHERE run NOT IN (SELECT id FROM checkpoint_runs)').run();
  }
}

function readCheckpoint(row: StoredCheckpoint): CheckpointRow {
  const omitted = JSON.parse(row.omitted) as string[];
  return {
    ...row,
    cause: JSON.parse(row.cause) as Cause,
    omitted: omitted.filter((path) => !path.endsWith('/')),
    nested: omitted.filter((path) => path.endsWith('/')).map((path) => path.slice(0, -1)),
  };
}

function readRun(row: StoredRun): RunRow {
  return { ...row, cause: JSON.parse(row.cause) as Cause, facts: JSON.parse(row.facts) as RunRow['facts'] };
}
