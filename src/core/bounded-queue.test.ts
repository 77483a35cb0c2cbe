import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BoundedQueue } from './bounded-queue.ts';

test('takes no more than its capacity and hands out in order', async () => {
  const queue = new BoundedQueue<number>(2);
  assert.deepEqual([queue.push(1), queue.push(2), queue.push(3)], [true, true, false]);
  assert.equal(queue.length, 2);
  assert.equal((await queue.take()).value, 1);
  assert.equal(queue.push(4), true);
  assert.deepEqual([(await queue.take()).value, (await queue.take()).value], [2, 4]);
});

test('who waits gets what is pushed, the end or the failure', async () => {
  const queue = new BoundedQueue<number>(1);
  const first = queue.take();
  queue.push(1);
  assert.deepEqual(await first, { done: false, value: 1 });
  const second = queue.take();
  queue.end();
  assert.equal((await second).done, true);
  assert.equal((await queue.take()).done, true);

  const failing = new BoundedQueue<number>(1);
  const waiting = failing.take();
  failing.fail(new Error('lost'));
  await assert.rejects(waiting, /lost/);
});

test('what came before a failure is still handed out', async () => {
  const queue = new BoundedQueue<undefined>(2);
  queue.push(undefined);
  queue.fail(new Error('lost'));
  queue.push(undefined);
  assert.deepEqual(await queue.take(), { done: false, value: undefined });
  await assert.rejects(queue.take(), /lost/);
});
