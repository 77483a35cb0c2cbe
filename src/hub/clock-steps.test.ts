import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ClockSteps } from './clock-steps.ts';

function clocks(notBefore = 0): { wall: number; monotonic: number; steps: ClockSteps } {
  const made = { wall: 1_000_000, monotonic: 5 } as ReturnType<typeof clocks>;
  made.steps = new ClockSteps(
    () => made.wall,
    () => made.monotonic,
    notBefore,
  );
  return made;
}

test('a clock that is set is told of until that is taken, and then no more', () => {
  const made = clocks();
  made.wall += 3_600_000 + 10;
  made.monotonic += 10.25;
  assert.deepEqual([made.steps.step(), made.steps.step()], [3_600_000, 3_600_000]);
  made.steps.take();
  assert.equal(made.steps.step(), 0);
  made.wall -= 7_200_000;
  assert.equal(made.steps.step(), -7_200_000);
});

test('a clock that is slewed is never set, however far it comes', () => {
  const made = clocks();
  for (let second = 0; second < 10_000; second++) {
    made.wall += 1005;
    made.monotonic += 1000;
    assert.equal(made.steps.step(), 0);
    made.steps.take();
  }
});

test('what was written before can not be of later: a clock that was set back since is told of at once', () => {
  assert.equal(clocks(1_000_000 + 60_000).steps.step(), -60_000);
  assert.equal(clocks(1_000_000 + 100).steps.step(), 0);
  assert.equal(clocks(1_000_000 - 60_000).steps.step(), 0);
});

test('a pause between two readings is no step', () => {
  let monotonic = 0;
  let pauseMs = 0;
  const steps = new ClockSteps(
    () => 1_000_000 + monotonic,
    () => {
      const read = monotonic;
      monotonic += pauseMs;
      pauseMs = 0;
      return read;
    },
    0,
  );
  pauseMs = 5000;
  assert.equal(steps.step(), 0);
});
