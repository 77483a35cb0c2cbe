import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { OutriggerError } from '../contract/errors.ts';
import type { TaskRequest } from './task-store.ts';

const SCHEMA_VERSION = 1;

/** Who may have a task, and how many of its like at a time. Ready tasks with the same answer stand in one lane, by priority and age. */
export interface Lane {
  needs: readonly string[];
  agent: string | null;
  group: string | null;
  atOnce: number;
}

/** Makes the tables, or knows them. Throws STATE_TOO_NEW. */
export function prepareTaskDatabase(database: DatabaseSync): void {
  // Exclusive: memory holds some of what the file does, so nobody else may write it. FULL: a commit outlives a power cut.
  database.exec(
    'PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA journal_size_limit = 67108864',
  );
  const { user_version: version } = database.prepare('PRAGMA user_version').get() as { user_version: number };
  if (version > SCHEMA_VERSION) {
    const message = `The tasks were written by a newer version (schema ${version}); this one knows ${SCHEMA_VERSION}.`;
    throw new OutriggerError('STATE_TOO_NEW', message);
  }
  database.exec(`
    BEGIN IMMEDIATE;
    CREATE TABLE IF NOT EXISTS requests(
      seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, key TEXT UNIQUE, body TEXT NOT NULL) STRICT;
    CREATE TABLE IF NOT EXISTS lanes(id INTEGER PRIMARY KEY, lane TEXT NOT NULL UNIQUE) STRICT;
    CREATE TABLE IF NOT EXISTS tasks(
      seq INTEGER PRIMARY KEY, state TEXT NOT NULL, priority INTEGER NOT NULL, lane INTEGER NOT NULL, task_group TEXT, holder TEXT,
      due REAL, body TEXT NOT NULL) STRICT;
    CREATE INDEX IF NOT EXISTS ready ON tasks(lane, priority, seq) WHERE state = 'ready';
    CREATE INDEX IF NOT EXISTS held ON tasks(holder) WHERE state IN ('offered', 'running');
    CREATE INDEX IF NOT EXISTS together ON tasks(task_group) WHERE task_group IS NOT NULL AND state IN ('offered', 'running');
    CREATE INDEX IF NOT EXISTS due ON tasks(due) WHERE due IS NOT NULL;
    CREATE INDEX IF NOT EXISTS states ON tasks(state, seq);
    CREATE TABLE IF NOT EXISTS waits(dependency TEXT NOT NULL, task TEXT NOT NULL, PRIMARY KEY(dependency, task)) STRICT, WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS audit(
      sequence INTEGER PRIMARY KEY, at REAL NOT NULL, task TEXT NOT NULL, event TEXT NOT NULL, chance REAL, state TEXT NOT NULL,
      fence INTEGER NOT NULL) STRICT;
    CREATE INDEX IF NOT EXISTS audit_of_task ON audit(task, sequence);
    PRAGMA user_version = ${SCHEMA_VERSION};
    COMMIT;
  `);
}

/** The number of the lane for a request; a new one where there is none. */
export function laneOf(sql: (text: string) => StatementSync, { needs, agent, group, atOnce }: TaskRequest): number {
  // A limit means nothing without a group.
  const lane: Lane = { needs: [...new Set(needs)].sort(), agent, group, atOnce: group === null ? 0 : atOnce };
  const text = JSON.stringify(lane);
  const known = sql('SELECT id FROM lanes WHERE lane = ?').get(text) as { id: number } | undefined;
  return known?.id ?? Number(sql('INSERT INTO lanes(lane) VALUES(?)').run(text).lastInsertRowid);
}
