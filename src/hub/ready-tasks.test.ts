import assert from 'node:assert/strict';
import { DatabaseSync, type StatementSync } from 'node:sqlite';
import { test } from 'node:test';
import { taskRequest } from '../../test/kit/task-request.ts';
import { ReadyTasks } from './ready-tasks.ts';
import { laneOf, prepareTaskDatabase } from './task-schema.ts';
import type { TaskRecord } from './task-store.ts';

test('a task is granted without a look at the other lanes, though each is of a group of its own, and whoever may have them', () => {
  const database = new DatabaseSync(':memory:');
  prepareTaskDatabase(database);
  let asked = 0;
  const sql = (text: string): StatementSync => {
    asked++;
    return database.prepare(text);
  };
  const ready = new ReadyTasks(sql);
  const lanes = new Map<string, { lane: number; group: string; seq: number }>();
  const is = (id: string, state: string): void => {
    const { lane, group, seq } = lanes.get(id) as { lane: number; group: string; seq: number };
    database.prepare('UPDATE tasks SET state = ? WHERE seq = ?').run(state, seq);
    ready.changed(lane);
    if (state === 'succeeded') ready.hasRoom(group);
  };
  database.exec('BEGIN');
  let seq = 0;
  for (const agent of [null, 'a'])
    for (let number = 0; number < 1000; number++)
      // Two of each group, of which one at a time may run.
      for (const which of ['first', 'second']) {
        const [id, group] = [`${agent}-${number}-${which}`, `${agent}-${number}`];
        const lane = laneOf((text) => database.prepare(text), taskRequest({ agent, group }));
        database.prepare('INSERT INTO requests(id, body) VALUES(?, ?)').run(id, '{}');
        database
          .prepare('INSERT INTO tasks(seq, state, priority, lane, task_group, body) VALUES(?, ?, 2, ?, ?, ?)')
          .run(++seq, 'ready', lane, group, '{}');
        lanes.set(id, { lane, group, seq });
      }
  const share = (credit: number): string[] => {
    const got: string[] = [];
    ready.share([{ agent: 'a', capabilities: ['one', 'two'], credit }], (id) => {
      got.push(id);
      is(id, 'running');
      return {} as TaskRecord;
    });
    return got;
  };
  assert.deepEqual(share(1), ['null-0-first']);
  asked = 0;
  assert.deepEqual(share(3), ['null-1-first', 'null-2-first', 'null-3-first']);
  is('null-2-first', 'succeeded');
  assert.deepEqual(share(2), ['null-2-second', 'null-4-first']);
  assert.equal(share(2000).length, 1995, 'the groups of the others are full');
  assert.deepEqual(share(1), []);
  assert.ok(asked < 5 * 2000, `${asked} times was the database asked for 2000 tasks`);
  for (const id of ['a-7-first', 'null-9-first']) is(id, 'succeeded');
  asked = 0;
  assert.deepEqual(share(9), ['null-9-second', 'a-7-second']);
  assert.ok(asked < 20, `${asked} times was the database asked for two`);
  database.exec('COMMIT');
  database.close();
});

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
    ready.changed(lane);
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
