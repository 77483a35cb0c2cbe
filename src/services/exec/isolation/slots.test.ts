import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Slots } from './slots.ts';
import type { UserBlock } from './user-blocks.ts';

function twoAtATime(blocks: number): () => Promise<UserBlock | undefined> {
  const left = Array.from({ length: blocks }, (_, at) => ({ from: 61_000 + 2 * at, count: 2 }));
  return async () => left.shift();
}

test('all that runs in a folder is one user, and two folders never share one at the same time', async () => {
  const slots = new Slots(twoAtATime(1));
  const one = await slots.take('/a');
  const again = await slots.take('/a');
  const other = await slots.take('/b');
  assert.equal(one.uid, again.uid);
  assert.notEqual(one.uid, other.uid);
  await assert.rejects(slots.take('/c'), { reason: 'TOO_MANY_PROCESSES' });
  one.release();
  one.release();
  await assert.rejects(slots.take('/c'), { reason: 'TOO_MANY_PROCESSES' });
  again.release();
  assert.equal((await slots.take('/c')).uid, one.uid);
});

test('a folder finds its user again as long as nobody else needed it', async () => {
  const slots = new Slots(twoAtATime(1));
  const first = await slots.take('/a');
  first.release();
  assert.equal((await slots.take('/a')).uid, first.uid);
});

test('more users are claimed when all are in use, once for all who wait', async () => {
  const slots = new Slots(twoAtATime(2));
  const taken = await Promise.all(['/a', '/b', '/c', '/d', '/a'].map((folder) => slots.take(folder)));
  const users = taken.map(({ uid }) => uid);
  assert.deepEqual([new Set(users).size, users[4]], [4, users[0]]);
  await assert.rejects(slots.take('/e'), { reason: 'TOO_MANY_PROCESSES' });
});
