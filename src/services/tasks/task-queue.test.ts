import assert from 'node:assert/strict';
import { DatabaseSync } from 'node:sqlite';
import { test } from 'node:test';
import { realTimers } from '../../../test/kit/task-harness.ts';
import { fails } from '../../../test/kit/workspace-harness.ts';
import type { HeldRecord } from './task-machine.ts';
import { TaskQueue } from './task-queue.ts';

const outcome = { kind: 'failed', reason: 'r', retryable: true } as const;
const record = (id: string): HeldRecord => ({
  id,
  generation: 2,
  state: 'working',
  assignment: { task_id: id, description: 'd', generation: 2 } as HeldRecord['assignment'],
  attempts: 1,
  reports: [],
  acceptedAt: 5,
  program: { pid: 7 },
  branch: 'a/b',
});

function open(): { queue: TaskQueue; database: DatabaseSync; commits: () => number } {
  const database = new DatabaseSync(':memory:');
  const exec = database.exec.bind(database);
  let commits = 0;
  database.exec = (sql) => {
    if (sql === 'COMMIT') commits++;
    exec(sql);
  };
  return { queue: new TaskQueue(database, realTimers), database, commits: () => commits };
}

test('what many write in one turn is one transaction, and each is told when it is on the disk', async () => {
  const { queue, commits } = open();
  await Promise.all(Array.from({ length: 100 }, (_, index) => queue.write(() => queue.hold(record(`t${index}`)))));
  assert.deepEqual([commits(), queue.held().length], [1, 100]);
  assert.deepEqual(
    queue.held().find(({ id }) => id === 't5'),
    record('t5'),
  );
});

test('a write that fails leaves nothing behind, and takes no other with it', async () => {
  const { queue } = open();
  const all = await Promise.allSettled([
    queue.write(() => queue.post('a', 1, outcome)),
    queue.write(() => {
      queue.post('b', 1, outcome);
      throw new Error('no');
    }),
    queue.write(() => queue.post('c', 1, outcome)),
  ]);
  assert.deepEqual(
    all.map(({ status }) => status),
    ['fulfilled', 'rejected', 'fulfilled'],
  );
  assert.deepEqual([queue.waiting, queue.outboxAfter(0, 10).map(({ id }) => id)], [2, ['a', 'c']]);
});

test('of results that wait no more are read than a length, and one at least', async () => {
  const { queue } = open();
  const reason = 'x'.repeat(1000);
  for (const id of ['a', 'b', 'c']) await queue.write(() => queue.post(id, 1, { ...outcome, reason }));
  const read = (length: number): string[] => queue.outboxAfter(0, 10, length).map(({ id }) => id);
  assert.deepEqual([read(1), read(1000), read(2000), read(9000)], [['a'], ['a'], ['a', 'b'], ['a', 'b', 'c']]);
});

test('a full disk is named', async () => {
  const { queue, database } = open();
  database.exec('PRAGMA max_page_count = 12');
  await fails('DISK_FULL', () => queue.write(() => queue.post('a', 1, { ...outcome, reason: 'x'.repeat(100_000) })));
  assert.equal(queue.waiting, 0);
  await queue.write(() => queue.post('a', 1, outcome));
});

test('the history of a thousand tasks is kept, and no more', async () => {
  const { queue } = open();
  await queue.write(() => {
    for (let at = 1; at <= 1200; at++) queue.remember({ id: `t${at}`, generation: 1, end: 'done', at, description: 'd' });
  });
  assert.deepEqual(
    [queue.history(5000).length, queue.history(1)[0]?.id, queue.historyOf('t200'), queue.historyOf('t201')?.at],
    [1000, 't1200', undefined, 201],
  );
});
