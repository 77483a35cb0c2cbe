import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RequestCounts } from './request-counts.ts';

function count(counts: RequestCounts, address: string): { current: number; ttl: number } {
  let result: { current: number; ttl: number } | undefined;
  counts.incr(address, (_error, counted) => (result = counted), 60_000);
  assert.ok(result);
  return result;
}

test('the requests of each address are counted by windows of their own', () => {
  let now = 5000;
  const counts = new RequestCounts({}, () => now);
  assert.deepEqual(count(counts, 'a'), { current: 1, ttl: 60_000 });
  now += 20_000;
  assert.deepEqual(count(counts, 'a'), { current: 2, ttl: 40_000 });
  assert.deepEqual(count(counts, 'b'), { current: 1, ttl: 60_000 });
  assert.deepEqual(count(counts.child(), 'a'), { current: 1, ttl: 60_000 });
  now += 40_000;
  assert.deepEqual(count(counts, 'a'), { current: 1, ttl: 60_000 });
  assert.deepEqual(count(counts, 'b'), { current: 2, ttl: 20_000 });
});

test('of five thousand addresses it is known how often they asked, and of more those that came longest ago are counted anew', () => {
  const counts = new RequestCounts({}, () => 0);
  for (let address = 0; address < 5000; address++) count(counts, String(address));
  assert.equal(count(counts, '0').current, 2);
  count(counts, 'one more');
  assert.equal(count(counts, '0').current, 3);
  assert.equal(count(counts, '1').current, 1);
});
