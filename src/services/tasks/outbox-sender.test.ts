import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { livingBytes } from '../../../test/kit/living-bytes.ts';
import { ManualTimers } from '../../../test/kit/peer-pair.ts';
import { hubFeatures } from '../../contract/hub.ts';
import { OutboxSender } from './outbox-sender.ts';
import type { ResultsFolder } from './results-folder.ts';
import type { OutboxRow, TaskQueue } from './task-queue.ts';

/** An outbox of so many failures, in memory. */
function outbox(count: number): { rows: OutboxRow[]; queue: TaskQueue } {
  const rows = Array.from({ length: count }, (_, at): OutboxRow => {
    return { sequence: at + 1, id: `t${at + 1}`, generation: 1, outcome: { kind: 'failed', reason: 'no', retryable: true }, length: 50 };
  });
  const queue = {
    get waiting() {
      return rows.length;
    },
    outboxAfter: (after: number, limit: number) => rows.filter(({ sequence }) => sequence > after).slice(0, limit),
    write: (job: () => void) => Promise.resolve(job()),
    unpost: (sequence: number) =>
      rows.splice(
        rows.findIndex((row) => row.sequence === sequence),
        1,
      ),
  };
  return { rows, queue: queue as unknown as TaskQueue };
}

test('a result that is not answered is told again after 30 s, however many others are answered meanwhile', async () => {
  const timers = new ManualTimers();
  const { rows, queue } = outbox(100);
  const told: string[] = [];
  const sender = new OutboxSender({ queue, results: {} as ResultsFolder, timers, now: () => 0, log: () => {}, emptied: () => {} });
  sender.connected({ features: new Set(hubFeatures), send: (frame) => told.push(String(frame['task_id'])) > 0 });
  assert.equal(told.length, 100);
  // One answer a second, for all but the first.
  for (let at = 2; at <= 30; at++) {
    assert.equal(sender.acked(`t${at}`, 1), true);
    await nextTurn();
    timers.advance(1000);
  }
  assert.equal(told.filter((id) => id === 't1').length, 1);
  timers.advance(1000);
  assert.equal(told.filter((id) => id === 't1').length, 2);
  assert.equal(told.filter((id) => id === 't2').length, 1, 'what was answered is not told again');
  sender.acked('t1', 1);
  await nextTurn();
  assert.equal(rows.length, 70);
  sender.disconnected();
  assert.equal(timers.pending, 0);
});

test('an answer that the disk does not take at once is stored when it does, and holds nothing back', async () => {
  const timers = new ManualTimers();
  const { rows, queue } = outbox(3);
  const told: string[] = [];
  let refusals = 2;
  const { write } = queue;
  queue.write = (job) => (refusals-- > 0 ? Promise.reject(new Error('no room')) : write(job));
  const logged: string[] = [];
  const log = (_level: string, event: string): number => logged.push(event);
  const sender = new OutboxSender({ queue, results: {} as ResultsFolder, timers, now: () => 0, log, emptied: () => {} });
  sender.connected({ features: new Set(hubFeatures), send: (frame) => told.push(String(frame['task_id'])) > 0 });
  for (const id of ['t1', 't2', 't3']) assert.equal(sender.acked(id, 1), true);
  await nextTurn();
  assert.deepEqual([rows.length, sender.isQuiet, logged], [2, true, ['task.not-stored', 'task.not-stored']]);
  timers.advance(1000);
  await nextTurn();
  assert.deepEqual([rows.length, sender.isQuiet, told], [0, true, ['t1', 't2', 't3']]);
  assert.equal(timers.pending, 0);
});

test('an answer that could not be stored before the hub went away is asked for again', async () => {
  const timers = new ManualTimers();
  const { rows, queue } = outbox(1);
  const told: string[] = [];
  const { write } = queue;
  queue.write = () => Promise.reject(new Error('no room'));
  const sender = new OutboxSender({ queue, results: {} as ResultsFolder, timers, now: () => 0, log: () => {}, emptied: () => {} });
  const session = { features: new Set(hubFeatures), send: (frame: Record<string, unknown>) => told.push(String(frame['task_id'])) > 0 };
  sender.connected(session);
  assert.equal(sender.acked('t1', 1), true);
  await nextTurn();
  sender.disconnected();
  assert.equal(timers.pending, 0);
  queue.write = write;
  sender.connected(session);
  assert.equal(sender.acked('t1', 1), true);
  await nextTurn();
  assert.deepEqual([rows.length, told], [0, ['t1', 't1']]);
});

test('of results that are on their way no more than what tells them apart is in memory, and one that is refused is put aside whole', async () => {
  const timers = new ManualTimers();
  const { queue } = outbox(0);
  const reasonOf = (sequence: number): string => `${sequence} `.repeat(200_000);
  // As a database: made anew each time it is read.
  queue.outboxAfter = (after, limit) =>
    Array.from({ length: Math.max(0, Math.min(limit, 100 - after)) }, (_, at): OutboxRow => {
      const sequence = after + at + 1;
      const outcome = { kind: 'failed', reason: reasonOf(sequence), retryable: true } as const;
      return { sequence, id: `t${sequence}`, generation: 1, outcome, length: outcome.reason.length };
    });
  const aside: unknown[] = [];
  const archiveOutcome = (...told: unknown[]): number => aside.push(told);
  const results = { archiveOutcome } as unknown as ResultsFolder;
  const sender = new OutboxSender({ queue, results, timers, now: () => 7, log: () => {}, emptied: () => {} });
  const before = livingBytes();
  sender.connected({ features: new Set(hubFeatures), send: () => true });
  for (let turn = 0; turn < 100; turn++) await nextTurn();
  const grown = (livingBytes() - before) / 1024 / 1024;
  assert.ok(grown < 10, `${grown.toFixed()} MiB are kept`);
  assert.ok(sender.refused('t50', 1, 'no'));
  assert.deepEqual(aside, [['t50', 1, 7, { kind: 'failed', reason: reasonOf(50), retryable: true }]]);
  sender.disconnected();
});

test('a result that is cut for the hub stays until the whole of it is kept, which is tried again with each time that it is told', async () => {
  const timers = new ManualTimers();
  const { rows, queue } = outbox(2);
  const [first] = rows;
  if (first?.outcome.kind === 'failed') first.outcome.reason = 'long '.repeat(1_000_000);
  let isFull = true;
  const kept: number[] = [];
  const keepWhole = (_id: string, _ending: string, text: string): void => {
    if (isFull) throw new Error('no room');
    kept.push(text.length);
  };
  const told: string[] = [];
  const sender = new OutboxSender({
    queue,
    results: { keepWhole } as unknown as ResultsFolder,
    timers,
    now: () => 0,
    log: () => {},
    emptied: () => {},
  });
  sender.connected({ features: new Set(hubFeatures), send: (frame) => told.push(String(frame['task_id'])) > 0 });
  const answered = async (): Promise<void> => {
    for (const id of ['t1', 't2']) sender.acked(id, 1);
    await nextTurn();
  };
  await answered();
  assert.deepEqual([rows.map(({ id }) => id), told], [['t1'], ['t1', 't2']]);
  timers.advance(30_000);
  await answered();
  assert.deepEqual([rows.length, told], [1, ['t1', 't2', 't1']]);
  isFull = false;
  timers.advance(30_000);
  await answered();
  assert.deepEqual([rows.length, kept, told], [0, [5_000_000], ['t1', 't2', 't1', 't1']]);
  assert.equal(timers.pending, 0);
});

test('of large results a few are read and told in one turn of the event loop, and those after them in the next', async () => {
  const timers = new ManualTimers();
  const { rows, queue } = outbox(20);
  const mega = 1024 * 1024;
  for (const row of rows) row.length = mega;
  const lengths: (number | undefined)[] = [];
  const { outboxAfter } = queue;
  queue.outboxAfter = (after, limit, length) => {
    lengths.push(length);
    return outboxAfter(after, Math.min(limit, Math.ceil((length ?? Number.POSITIVE_INFINITY) / mega)));
  };
  const told: string[] = [];
  const sender = new OutboxSender({ queue, results: {} as ResultsFolder, timers, now: () => 0, log: () => {}, emptied: () => {} });
  const session = { features: new Set(hubFeatures), send: (frame: Record<string, unknown>) => told.push(String(frame['task_id'])) > 0 };
  sender.connected(session);
  assert.equal(told.length, 4);
  // An answer is no reason to tell more in this turn.
  assert.ok(sender.acked('t1', 1));
  assert.equal(told.length, 4);
  await nextTurn();
  assert.equal(told.length, 8);
  // What waited for its turn on a connection that is gone is told on the next one, from the oldest on.
  sender.disconnected();
  await nextTurn();
  assert.equal(told.length, 8);
  sender.connected(session);
  for (let turn = 0; turn < 9; turn++) await nextTurn();
  assert.deepEqual(told.slice(8), [...Array.from({ length: 19 }, (_, at) => `t${at + 2}`)]);
  assert.ok(lengths.every((length) => length !== undefined && length <= 4 * mega));
  sender.disconnected();
  assert.equal(timers.pending, 0);
});
