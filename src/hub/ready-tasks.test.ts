import assert from 'node:assert/strict';
import { DatabaseSync, type StatementSync } from 'node:sqlite';
import { test } from 'node:test';
import { taskRequest } from '../../test/kit/task-request.ts';
import { ReadyTasks } from './ready-tasks.ts';
import { laneOf, prepareTaskDatabase } from './task-schema.ts';
import type { TaskRecord } from './task-store.ts';

test('more than ten thousand lanes are not all kept in memory: some are read again, and nothing that is ready is missed', () => {
  const database = new DatabaseSync(':memory:');
  prepareTaskDatabase(database);
  const statements = new Map<string, StatementSync>();
  let lanesRead = 0;
  const sql = (text: string): StatementSync => {
    if (text.startsWith('SELECT lane FROM lanes')) lanesRead++;
    const statement = statements.get(text) ?? database.prepare(text);
    statements.set(text, statement);
    return statement;
  };
  const add = (number: number): void => {
    const lane = laneOf(sql, taskRequest({ needs: [`need-${number}`] }));
    sql('INSERT INTO requests(id, body) VALUES(?, ?)').run(`t${number}`, '{}');
    sql('INSERT INTO tasks(seq, state, priority, lane, body) VALUES(?, ?, 2, ?, ?)').run(number, 'ready', lane, '{}');
  };
  const ready = new ReadyTasks(sql);
  const shared = (number: number): string[] => {
    lanesRead = 0;
    const got: string[] = [];
    ready.share([{ agent: 'a', capabilities: [`need-${number}`], credit: 1 }], (id) => {
      got.push(id);
      return {} as TaskRecord;
    });
    return got;
  };
  database.exec('BEGIN');
  for (let number = 1; number <= 10_000; number++) add(number);
  database.exec('COMMIT');
  assert.deepEqual([shared(1), lanesRead], [['t1'], 10_000]);
  assert.deepEqual([shared(10_000), lanesRead], [['t10000'], 0]);
  add(10_001);
  assert.deepEqual([shared(10_001), lanesRead], [['t10001'], 1]);
  assert.deepEqual(shared(1), ['t1']);
  assert.ok(lanesRead > 0);
  database.close();
});
