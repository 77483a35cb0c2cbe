import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fails } from '../../../test/kit/workspace-harness.ts';
import { Standstill } from './standstill.ts';

test('who wants to write waits until nobody changes files any more', async () => {
  const standstill = new Standstill();
  await standstill.over();
  const [first, second] = [standstill.begin(), standstill.begin()];
  let isOver = false;
  const waiting = standstill.over().then(() => (isOver = true));
  first();
  first();
  await new Promise(setImmediate);
  assert.deepEqual([standstill.isOn, isOver], [true, false]);
  second();
  await waiting;
  assert.equal(standstill.isOn, false);
});

test('one that begins as another ends is waited for, too', async () => {
  const standstill = new Standstill();
  const first = standstill.begin();
  let isOver = false;
  const waiting = standstill.over().then(() => (isOver = true));
  first();
  const second = standstill.begin();
  await new Promise(setImmediate);
  assert.equal(isOver, false);
  second();
  await waiting;
});

test('nobody waits for ever, nor longer than the call', async () => {
  const standstill = new Standstill();
  standstill.begin();
  await fails('BUSY_FILE', () => standstill.over(undefined, 10));
  const reason = new Error('over');
  await assert.rejects(standstill.over(AbortSignal.abort(reason)), reason);
  const call = new AbortController();
  const waiting = standstill.over(call.signal);
  call.abort(reason);
  await assert.rejects(waiting, reason);
});
