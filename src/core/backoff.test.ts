import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Backoff } from './backoff.ts';

test('the bound doubles up to its most, the delay is anywhere below, and reset begins anew', () => {
  let random = 0.999_999;
  const backoff = new Backoff({ baseMs: 100, maxMs: 1000, random: () => random });
  assert.deepEqual(
    Array.from({ length: 6 }, () => backoff.next()),
    [100, 200, 400, 800, 1000, 1000],
  );
  random = 0;
  assert.equal(backoff.next(), 0);
  backoff.reset();
  random = 0.5;
  assert.deepEqual([backoff.next(), backoff.next()], [50, 100]);
});

test('delays begin anew after what lasted as long as the longest of them, and go on after less', () => {
  const backoff = new Backoff({ baseMs: 100, maxMs: 1000, random: () => 0.5 });
  assert.deepEqual([backoff.next(), backoff.next()], [50, 100]);
  backoff.lasted(999);
  assert.equal(backoff.next(), 200);
  backoff.lasted(1000);
  assert.equal(backoff.next(), 50);
});
