import assert from 'node:assert/strict';
import { test } from 'node:test';
import { memoryKeep } from './keep.ts';
import { Layout } from './layout.ts';

const noStorage = () => {
  throw new Error('There is none.');
};

test('what is open is kept for each tab of the browser; a new one begins with what was opened last in any, not with what a reload only restores', () => {
  const shared = memoryKeep(noStorage);
  const keeps = [memoryKeep(noStorage), memoryKeep(noStorage)] as const;
  const [one, other] = keeps.map((keep) => new Layout(shared, keep)) as [Layout, Layout];
  one.rememberOpen('tabs', 'README.md');
  other.rememberOpen('tabs', 'loan.py');
  assert.deepEqual([one.recallOpen('tabs'), other.recallOpen('tabs')], ['README.md', 'loan.py']);

  // One that is loaded again shows what it showed, and so says it again.
  const again = new Layout(shared, keeps[0]);
  again.rememberOpen('tabs', 'README.md');
  const third = new Layout(shared, memoryKeep(noStorage));
  assert.equal(third.recallOpen('tabs'), 'loan.py');

  again.rememberOpen('tabs', 'book.py');
  assert.equal(third.recallOpen('tabs'), 'book.py');
  assert.equal(other.recallOpen('tabs'), 'loan.py');
});
