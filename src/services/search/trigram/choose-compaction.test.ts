import assert from 'node:assert/strict';
import { test } from 'node:test';
import { chooseCompaction } from './choose-compaction.ts';

const share = (segment: string, live: number, files = live): { segment: string; live: number; files: number } => ({ segment, live, files });

test('a few small segments and full ones stay as they are', () => {
  assert.deepEqual(chooseCompaction([]), []);
  assert.deepEqual(chooseCompaction([share('a', 10), share('b', 10), share('c', 10), share('d', 16_000)]), []);
});

test('four small segments are joined, the large one stays', () => {
  assert.deepEqual(chooseCompaction([share('a', 40), share('b', 30), share('c', 20), share('d', 10), share('e', 16_000)]), [
    'd',
    'c',
    'b',
    'a',
  ]);
});

test('a segment that is mostly dead is written anew', () => {
  assert.deepEqual(chooseCompaction([share('a', 7000, 16_000), share('b', 9000, 16_000)]), ['a']);
});

test('not more is written at once than is good, but always something', () => {
  const shares = ['a', 'b', 'c', 'd', 'e', 'f'].map((segment) => share(segment, 8000, 17_000));
  assert.deepEqual(chooseCompaction(shares), ['a', 'b', 'c', 'd']);
  assert.deepEqual(chooseCompaction([share('a', 40_000, 100_000)]), ['a']);
});
