import { randomBytes } from 'node:crypto';
import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { OutriggerError } from '../../contract/errors.ts';
import type { VerificationReport } from '../../contract/hub.ts';
import type { PeerTimers } from '../../core/peer.ts';
import { inTransaction } from '../../core/transaction.ts';
import { STATE_HINT } from '../state/state.ts';
import type { HeldRecord, Outcome, TaskEnd } from './task-machine.ts';

const SCHEMA_VERSION = 1;
/** Of tasks that are over, for people and for results that come late. */
const KEPT_HISTORY = 1000;
const SQLITE_FULL = 13;

export interface OutboxRow {
  /** Grows; the order in which it is sent. */
  sequence: number;
  id: string;
  generation: number;
  outcome: Outcome;
  /** Of the outcome as it is stored, characters. */
  length: number;
}

export interface HistoryRow {
  id: string;
  generation: number;
  end: TaskEnd;
  /** Milliseconds since 1970. */
  at: number;
  description: string;
  reason?: string;
  /** Of its last verification. */
  verification?: { status: VerificationReport['status']; passed: number; total: number };
}

interface Write {
  work: () => void;
  resolve: () => void;
  reject: (error: unknown) => void;
}

/**
 * The tasks that are held, what waits for the hub's word, and what was: in a database of its own. Writes of one turn of the event loop are one
 * transaction; each resolves when it is on the disk (fsync), and nothing may be acknowledged before. Rejects with DISK_FULL, or INTERNAL.
 */
export class TaskQueue {
  readonly #database: DatabaseSync;
  readonly #timers: Pick<PeerTimers, 'soon'>;
  readonly #statements = new Map<string, StatementSync>();
  #waiting: Write[] = [];
  #waitingCount: number;
  /** By the transaction that is under way. */
  #added = 0;
  /** Called after each transaction. */
  written: () => void = () => {};

  /** Throws STATE_TOO_NEW. */
  constructor(database: DatabaseSync, timers: Pick<PeerTimers, 'soon'>) {
    this.#database = database;
    this.#timers = timers;
    const { user_version: version } = database.prepare('PRAGMA user_version').get() as { user_version: number };
    if (version > SCHEMA_VERSION)
      throw new OutriggerError(
        'STATE_TOO_NEW',
        `The tasks were written by a newer version (schema ${version}); this one knows ${SCHEMA_VERSION}.`,
      );
    database.exec(`
      CREATE TABLE IF NOT EXISTS facts(name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;
      CREATE TABLE IF NOT EXISTS held(
        task_id TEXT PRIMARY KEY, generation INTEGER NOT NULL, state TEXT NOT NULL, assignment TEXT NOT NULL, attempts INTEGER NOT NULL,
        facts TEXT NOT NULL, started_at INTEGER NOT NULL) STRICT, WITHOUT ROWID;
      CREATE TABLE IF NOT EXISTS outbox(
        sequence INTEGER PRIMARY KEY AUTOINCREMENT, task_id TEXT NOT NULL, generation INTEGER NOT NULL, frame TEXT NOT NULL) STRICT;
      CREATE INDEX IF NOT EXISTS outbox_tasks ON outbox(task_id);
      CREATE TABLE IF NOT EXISTS history(
        number INTEGER PRIMARY KEY AUTOINCREMENT, task_id TEXT NOT NULL, generation INTEGER NOT NULL, ended TEXT NOT NULL, at INTEGER NOT NULL,
        facts TEXT NOT NULL) STRICT;
      CREATE INDEX IF NOT EXISTS history_tasks ON history(task_id);
      PRAGMA user_version = ${SCHEMA_VERSION};
    `);
    this.#waitingCount = (this.#one('SELECT count(*) AS count FROM outbox') as { count: number }).count;
  }

  /** What marks of programs of this queue begin with, and of no other. */
  mark(): string {
    const row = this.#one("SELECT value FROM facts WHERE name = 'mark'") as { value: string } | undefined;
    if (row !== undefined) return row.value;
    const mark = `t-${randomBytes(6).toString('hex')}`;
    this.#statement("INSERT INTO facts(name, value) VALUES('mark', ?)").run(mark);
    return mark;
  }

  // ── reading

  held(): HeldRecord[] {
    const rows = this.#statement('SELECT * FROM held ORDER BY started_at').all() as Record<string, string | number>[];
    return rows.map((row) => ({
      id: row['task_id'] as string,
      generation: row['generation'] as number,
      state: row['state'] as HeldRecord['state'],
      assignment: JSON.parse(row['assignment'] as string) as HeldRecord['assignment'],
      attempts: row['attempts'] as number,
      acceptedAt: row['started_at'] as number,
      ...(JSON.parse(row['facts'] as string) as Pick<HeldRecord, 'reports'>),
    }));
  }

  /** What waits in the outbox. */
  get waiting(): number {
    return this.#waitingCount;
  }

  /** The oldest after `sequence`. No more is read once they take so many characters, `length`: at least one, where there is one. */
  outboxAfter(sequence: number, limit: number, length = Number.POSITIVE_INFINITY): OutboxRow[] {
    const rows: OutboxRow[] = [];
    let left = length;
    for (const row of this.#statement('SELECT * FROM outbox WHERE sequence > ? ORDER BY sequence LIMIT ?').iterate(sequence, limit)) {
      rows.push(outboxRow(row as Record<string, string | number>));
      left -= rows.at(-1)?.length ?? 0;
      if (left <= 0) break;
    }
    return rows;
  }

  outboxOf(id: string): OutboxRow | undefined {
    const row = this.#one('SELECT * FROM outbox WHERE task_id = ? ORDER BY sequence DESC LIMIT 1', id);
    return row === undefined ? undefined : outboxRow(row as Record<string, string | number>);
  }

  waits({ id, generation }: Pick<HistoryRow, 'id' | 'generation'>): boolean {
    return this.#waitingCount > 0 && this.#one('SELECT 1 FROM outbox WHERE task_id = ? AND generation = ?', id, generation) !== undefined;
  }

  /** The newest in the outbox, without what they say. */
  outboxIds(limit: number): { id: string; generation: number }[] {
    return this.#statement('SELECT task_id AS id, generation FROM outbox ORDER BY sequence DESC LIMIT ?').all(limit) as never;
  }

  /** Newest first. */
  history(limit: number): HistoryRow[] {
    const rows = this.#statement('SELECT * FROM history ORDER BY number DESC LIMIT ?').all(limit);
    return rows.map((row) => historyRow(row as Record<string, string | number>));
  }

  historyOf(id: string): HistoryRow | undefined {
    const row = this.#one('SELECT * FROM history WHERE task_id = ? ORDER BY number DESC LIMIT 1', id);
    return row === undefined ? undefined : historyRow(row as Record<string, string | number>);
  }

  // ── writing

  /** All that `work` does with the methods below is done, or none of it. Resolves when it is on the disk. */
  write(work: () => void): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ work, resolve, reject });
      if (this.#waiting.length === 1) this.#timers.soon(() => this.#commit());
    });
  }

  /** Only within `write`, as the three below. */
  hold(record: HeldRecord): void {
    const { id, generation, state, assignment, attempts, acceptedAt, ...facts } = record;
    this.#statement(
      'INSERT OR REPLACE INTO held(task_id, generation, state, assignment, attempts, facts, started_at) VALUES(?, ?, ?, ?, ?, ?, ?)',
    ).run(id, generation, state, JSON.stringify(assignment), attempts, JSON.stringify(facts), acceptedAt);
  }

  release(id: string): void {
    this.#statement('DELETE FROM held WHERE task_id = ?').run(id);
  }

  post(id: string, generation: number, outcome: Outcome): void {
    this.#statement('INSERT INTO outbox(task_id, generation, frame) VALUES(?, ?, ?)').run(id, generation, JSON.stringify(outcome));
    this.#added++;
  }

  /** The same under another fence; it goes to the end, so that it is sent. */
  repost({ sequence, id, outcome }: Omit<OutboxRow, 'length'>, generation: number): void {
    this.unpost(sequence);
    this.post(id, generation, outcome);
  }

  unpost(sequence: number): void {
    const { changes } = this.#statement('DELETE FROM outbox WHERE sequence = ?').run(sequence);
    this.#added -= Number(changes);
  }

  remember({ id, generation, end, at, ...facts }: HistoryRow): void {
    const { lastInsertRowid } = this.#statement('INSERT INTO history(task_id, generation, ended, at, facts) VALUES(?, ?, ?, ?, ?)').run(
      id,
      generation,
      end,
      at,
      JSON.stringify(facts),
    );
    this.#statement('DELETE FROM history WHERE number <= ?').run(Number(lastInsertRowid) - KEPT_HISTORY);
  }

  /** Writes what was asked for, now. */
  flush(): void {
    this.#commit();
  }

  #commit(): void {
    const writes = this.#waiting;
    this.#waiting = [];
    if (writes.length === 0 || this.#transaction(writes) === undefined) return;
    // One that can't be written must not take the others with it.
    for (const write of writes) {
      const error = this.#transaction([write]);
      if (error !== undefined) write.reject(error);
    }
  }

  /** The error, where nothing of it was written. */
  #transaction(writes: readonly Write[]): OutriggerError | undefined {
    this.#added = 0;
    try {
      inTransaction(this.#database, () => {
        for (const { work } of writes) work();
      });
    } catch (error) {
      return storageError(error);
    }
    this.#waitingCount += this.#added;
    for (const { resolve } of writes) resolve();
    this.written();
    return undefined;
  }

  #one(sql: string, ...values: (string | number)[]): unknown {
    return this.#statement(sql).get(...values);
  }

  #statement(sql: string): StatementSync {
    let statement = this.#statements.get(sql);
    if (statement === undefined) {
      statement = this.#database.prepare(sql);
      this.#statements.set(sql, statement);
    }
    return statement;
  }
}

function outboxRow(row: Record<string, string | number>): OutboxRow {
  const frame = row['frame'] as string;
  return {
    sequence: row['sequence'] as number,
    id: row['task_id'] as string,
    generation: row['generation'] as number,
    outcome: JSON.parse(frame) as Outcome,
    length: frame.length,
  };
}

function historyRow(row: Record<string, string | number>): HistoryRow {
  return {
    id: row['task_id'] as string,
    generation: row['generation'] as number,
    end: row['ended'] as TaskEnd,
    at: row['at'] as number,
    ...(JSON.parse(row['facts'] as string) as Pick<HistoryRow, 'description'>),
  };
}

function storageError(error: unknown): OutriggerError {
  const { errcode = 0, message } = error as { errcode?: number; message: string };
  // The low byte: extended codes say more above it.
  const isFull = (errcode & 0xff) === SQLITE_FULL;
  const hint = isFull ? STATE_HINT : undefined;
  return new OutriggerError(isFull ? 'DISK_FULL' : 'INTERNAL', `The tasks could not be stored: ${message}`, { cause: error, hint });
}
