import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Slots } from './slots.ts';

test('all that runs in a folder is one user, and two folders never share one at the same time', () => {
  const slots = new Slots(61_000, 2);
  const one = slots.take('/a');
  const again = slots.take('/a');
  const other = slots.take('/b');
  assert.equal(one.uid, again.uid);
  assert.notEqual(one.uid, other.uid);
  assert.throws(() => slots.take('/c'), { reason: 'TOO_MANY_PROCESSES' });
  one.release();
  one.release();
  assert.throws(() => slots.take('/c'), { reason: 'TOO_MANY_PROCESSES' });
  again.release();
  assert.equal(slots.take('/c').uid, one.uid);
});

test('a folder finds its user again as long as nobody else needed it', () => {
  const slots = new Slots(61_000, 2);
  const first = slots.take('/a');
  first.release();
  assert.equal(slots.take('/a').uid, first.uid);
});
