import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { OutriggerError } from '../contract/errors.ts';
import type { TaskRequest } from './task-store.ts';

const SCHEMA_VERSION = 3;
/** A file that does not give space back yet is written anew at the start, up to so many bytes: a GiB takes seconds. */
const MAX_REWRITTEN_BYTES = 1024 * 1024 * 1024;
/** What SQLite says of a file that gives its free pages back bit by bit. */
const INCREMENTAL = 2;

/** Who may have a task, and how many of its like at a time. Ready tasks with the same answer stand in one lane, by priority and age. */
export interface Lane {
  needs: readonly string[];
  agent: string | null;
  group: string | null;
  atOnce: number;
}

/**
 * Makes the tables, or knows them, those of versions 1 and 2 too. Throws STATE_TOO_NEW. What is large of a task is in `apart`: a look at a task, and
 * each renewal of one, would read or write all of its row. Rows of before version 3 have it in their bodies, and are read as they are.
 */
export function prepareTaskDatabase(database: DatabaseSync): void {
  // Exclusive: memory holds some of what the file does, so nobody else may write it.
  database.exec('PRAGMA locking_mode = EXCLUSIVE');
  const { user_version: version } = database.prepare('PRAGMA user_version').get() as { user_version: number };
  if (version > SCHEMA_VERSION) {
    const message = `The tasks were written by a newer version (schema ${version}); this one knows ${SCHEMA_VERSION}.`;
    throw new OutriggerError('STATE_TOO_NEW', message);
  }
  // The first says something to a file in which nothing is yet. FULL: a commit outlives a power cut.
  database.exec(
    'PRAGMA auto_vacuum = INCREMENTAL; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA journal_size_limit = 67108864',
  );
  // Numbers of lanes are in memory with what they stand for, so one that went is not given to another: AUTOINCREMENT.
  database.exec(`
    BEGIN IMMEDIATE;
    CREATE TABLE IF NOT EXISTS requests(
      seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, key TEXT UNIQUE, body TEXT NOT NULL) STRICT;
    CREATE TABLE IF NOT EXISTS lanes(id INTEGER PRIMARY KEY AUTOINCREMENT, lane TEXT NOT NULL UNIQUE) STRICT;
    CREATE TABLE IF NOT EXISTS tasks(
      seq INTEGER PRIMARY KEY, state TEXT NOT NULL, priority INTEGER NOT NULL, lane INTEGER NOT NULL, task_group TEXT, holder TEXT,
      due REAL, body TEXT NOT NULL, ended REAL) STRICT;
    CREATE TABLE IF NOT EXISTS apart(seq INTEGER NOT NULL, part TEXT NOT NULL, body TEXT NOT NULL, PRIMARY KEY(seq, part)) STRICT;
    CREATE TABLE IF NOT EXISTS waits(dependency TEXT NOT NULL, task TEXT NOT NULL, PRIMARY KEY(dependency, task)) STRICT, WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS clock(one INTEGER PRIMARY KEY CHECK(one = 1), boot TEXT NOT NULL, ahead REAL NOT NULL) STRICT;
    CREATE TABLE IF NOT EXISTS audit(
      sequence INTEGER PRIMARY KEY, at REAL NOT NULL, task TEXT NOT NULL, event TEXT NOT NULL, chance REAL, state TEXT NOT NULL,
      fence INTEGER NOT NULL) STRICT;
    ${version === 1 ? FROM_1 : ''}
    CREATE INDEX IF NOT EXISTS ready ON tasks(lane, priority, seq) WHERE state = 'ready';
    CREATE INDEX IF NOT EXISTS lane_of ON tasks(lane);
    CREATE INDEX IF NOT EXISTS held ON tasks(holder) WHERE state IN ('offered', 'running');
    CREATE INDEX IF NOT EXISTS together ON tasks(task_group) WHERE task_group IS NOT NULL AND state IN ('offered', 'running');
    CREATE INDEX IF NOT EXISTS due ON tasks(due) WHERE due IS NOT NULL;
    CREATE INDEX IF NOT EXISTS states ON tasks(state, seq);
    CREATE INDEX IF NOT EXISTS ended ON tasks(state, ended) WHERE ended IS NOT NULL;
    CREATE INDEX IF NOT EXISTS waits_of ON waits(task);
    CREATE INDEX IF NOT EXISTS audit_of_task ON audit(task, sequence);
    PRAGMA user_version = ${SCHEMA_VERSION};
    COMMIT;
  `);
  rewriteOnce(database);
}

/** Of version 1: nothing was ever removed. Since then a task says when it ended, and what others need is in `waits` until they are over. */
const FROM_1 = `
    ALTER TABLE tasks ADD COLUMN ended REAL;
    UPDATE tasks SET ended = json_extract(body, '$.updatedAt') WHERE state IN ('succeeded', 'failed', 'cancelled', 'dead');
    INSERT OR IGNORE INTO waits(dependency, task)
      SELECT dependency.value, requests.id FROM tasks JOIN requests USING(seq), json_each(requests.body, '$.after') AS dependency
      WHERE state IN ('scheduled', 'ready', 'offered', 'running');
    CREATE TABLE numbered(id INTEGER PRIMARY KEY AUTOINCREMENT, lane TEXT NOT NULL UNIQUE) STRICT;
    INSERT INTO numbered(id, lane) SELECT id, lane FROM lanes;
    DROP TABLE lanes;
    ALTER TABLE numbered RENAME TO lanes;`;

/** A file of a version that gave nothing back can do so when it was written anew. Where that fails, what is free in it is used again all the same. */
function rewriteOnce(database: DatabaseSync): void {
  const asked = (name: string): number => Object.values(database.prepare(`PRAGMA ${name}`).get() as Record<string, number>)[0] ?? 0;
  if (asked('auto_vacuum') === INCREMENTAL || asked('page_count') * asked('page_size') > MAX_REWRITTEN_BYTES) return;
  try {
    database.exec('PRAGMA auto_vacuum = INCREMENTAL; VACUUM');
  } catch {
    // No room for a second one, most likely.
  }
}

/** The number of the lane for a request; a new one where there is none. */
export function laneOf(sql: (text: string) => StatementSync, { needs, agent, group, atOnce }: TaskRequest): number {
  // A limit means nothing without a group.
  const lane: Lane = { needs: [...new Set(needs)].sort(), agent, group, atOnce: group === null ? 0 : atOnce };
  const text = JSON.stringify(lane);
  const known = sql('SELECT id FROM lanes WHERE lane = ?').get(text) as { id: number } | undefined;
  return known?.id ?? Number(sql('INSERT INTO lanes(lane) VALUES(?)').run(text).lastInsertRowid);
}
