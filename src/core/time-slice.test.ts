import assert from 'node:assert/strict';
import { test } from 'node:test';
import { TimeSlice } from './time-slice.ts';

function workUntilOver(slice: TimeSlice): number {
  const startedAt = performance.now();
  while (!slice.isOver);
  return performance.now() - startedAt;
}

test('a slice is over after some milliseconds of work, and who waits has a turn before the next', async () => {
  const slice = new TimeSlice();
  assert.equal(slice.isOver, false);
  assert.ok(workUntilOver(slice) > 1);
  let hadTurn = false;
  setImmediate(() => {
    hadTurn = true;
  });
  await slice.giveWay();
  assert.deepEqual([hadTurn, slice.isOver], [true, false]);
});

test('a slice that begins anew in the same turn is not over', () => {
  const slice = new TimeSlice();
  workUntilOver(slice);
  slice.restart();
  assert.equal(slice.isOver, false);
});

test('work that was aborted while others had their turn does not go on', async () => {
  const abort = new AbortController();
  const slice = new TimeSlice();
  setImmediate(() => abort.abort(new Error('enough')));
  await assert.rejects(slice.giveWay(abort.signal), /^Error: enough$/);
});
