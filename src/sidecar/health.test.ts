import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Health } from './health.ts';

test('how long it is up is told as it is, also where the clock was set', () => {
  let now = 1_000_000_000_000;
  const health = new Health(() => now);
  for (const set of [-3_600_000, 86_400_000]) {
    now += set;
    assert.ok(health.uptimeMs >= 0 && health.uptimeMs < 60_000, String(health.uptimeMs));
  }
  assert.equal(health.startedAt, 1_000_000_000_000);
});
