import assert from 'node:assert/strict';
import { test } from 'node:test';
import { nodeTimers } from './timers.ts';

test('a timer of longer than timers can wait does not go off at once', async () => {
  let isOff = false;
  for (const ms of [2 ** 31, Number.POSITIVE_INFINITY]) {
    const timer = nodeTimers.set(() => (isOff = true), ms);
    await new Promise((resolve) => setTimeout(resolve, 20));
    nodeTimers.clear(timer);
    assert.equal(isOff, false);
  }
});
