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
