import assert from 'node:assert/strict';
import type { TestContext } from 'node:test';
import { eventually } from './eventually.ts';

/** Under `t`'s own timers: `work` is not over a millisecond before its time, and is at its time. They run on by themselves then. */
export async function isOverAfter(t: TestContext, ms: number, work: Promise<unknown>): Promise<void> {
  let over = false;
  const done = (): void => {
    over = true;
  };
  work.then(done, done);
  t.mock.timers.tick(ms - 1);
  await new Promise(setImmediate);
  assert.equal(over, false);
  t.mock.timers.tick(1);
  t.mock.timers.reset();
  await eventually(() => over);
}
