import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SAVES_PER_SECOND, SavePace } from './save-pace.ts';

test('a few saves begin at once; of hundreds, the rest follow in order and evenly spaced', (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  let now = 0;
  const pace = new SavePace(() => now);
  const begun: number[] = [];
  for (let save = 0; save < 200; save++) pace.ask(() => begun.push(save));
  assert.equal(begun.length, SAVES_PER_SECOND);
  for (let ms = 0; ms < 2000; ms += 10) {
    now += 10;
    t.mock.timers.tick(10);
  }
  assert.equal(begun.length, 3 * SAVES_PER_SECOND);
  assert.deepEqual(
    begun,
    begun.map((_, place) => place),
  );
  // Who comes late stands behind those who wait.
  pace.ask(() => begun.push(-1));
  assert.equal(begun.includes(-1), false);
  pace.stop();
  now += 10_000;
  t.mock.timers.tick(10_000);
  assert.equal(begun.length, 3 * SAVES_PER_SECOND, 'nothing begins after stop');
});

test('while it is held no save begins; those that were asked for follow, in order, when the last hold ends', (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  let now = 0;
  const pace = new SavePace(() => now);
  const begun: number[] = [];
  const pass = (ms: number): void => {
    now += ms;
    t.mock.timers.tick(ms);
  };
  for (let save = 0; save < SAVES_PER_SECOND + 2; save++) pace.ask(() => begun.push(save));
  const [first, last] = [pace.hold(), pace.hold()];
  pace.ask(() => begun.push(SAVES_PER_SECOND + 2));
  pass(10_000);
  first();
  pass(10_000);
  assert.equal(begun.length, SAVES_PER_SECOND, 'what waited before the hold waits too');
  last();
  assert.deepEqual(
    begun,
    Array.from({ length: SAVES_PER_SECOND + 3 }, (_, place) => place),
  );
  pace.ask(() => begun.push(-1));
  pass(1000);
  assert.equal(begun.at(-1), -1);
});
