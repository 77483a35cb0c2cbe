import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Drain } from './drain.ts';

test('all who wait hear that nothing is under way any more', async () => {
  const drain = new Drain();
  assert.equal(await drain.empty(0), true);
  drain.began();
  drain.began();
  const waiting = [drain.empty(10_000), drain.empty(10_000)];
  drain.ended();
  drain.ended();
  assert.deepEqual(await Promise.all(waiting), [true, true]);
});

test('after the grace the answer is no, and the next wait starts afresh', async () => {
  const drain = new Drain();
  drain.began();
  assert.equal(await drain.empty(5), false);
  const later = drain.empty(10_000);
  drain.ended();
  assert.equal(await later, true);
});
