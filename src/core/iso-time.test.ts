import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isoTime } from './iso-time.ts';

test('a time is told as far as a Date reaches, and not at all beyond', () => {
  assert.equal(isoTime(0), '1970-01-01T00:00:00.000Z');
  assert.equal(isoTime(8.64e15), '+275760-09-13T00:00:00.000Z');
  for (const ms of [8.64e15 + 1, -8.64e15 - 1, Number.NaN, Number.POSITIVE_INFINITY]) assert.equal(isoTime(ms), undefined);
});
