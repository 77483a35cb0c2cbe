import assert from 'node:assert/strict';
import { test } from 'node:test';
import { sayBlame } from './line-blame.ts';

test('the line says who wrote it and when, or that nobody committed it', () => {
  const at = new Date(2026, 2, 4, 18, 40).getTime();
  const run = { start: 3, lines: 1, hash: 'abc', originalStart: 1, originalPath: 'a' };
  const commits = { abc: { author: { name: 'Lead', email: 'l@x' }, at, subject: 'The first loans' } };
  const now = new Date(2026, 2, 5, 9).getTime();
  assert.equal(sayBlame({ runs: [run], commits, truncated: false }, now), 'Lead, yesterday at 18:40 · The first loans');
  assert.equal(sayBlame({ runs: [{ ...run, hash: null }], commits: {}, truncated: false }, now), 'Not committed yet');
  assert.equal(sayBlame({ runs: [], commits: {}, truncated: false }, now), undefined);
});
