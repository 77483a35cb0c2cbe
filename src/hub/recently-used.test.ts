import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RecentlyUsed } from './recently-used.ts';

const idsOf = (values: RecentlyUsed<string>): string[] => ['a', 'b', 'c', 'd'].filter((id) => values.get(id) !== undefined);

test('beyond a count those that were set longest ago go', () => {
  const values = new RecentlyUsed<string>({ count: 2, length: 100 });
  for (const id of ['a', 'b', 'a', 'c']) values.set(id, id, 1);
  assert.deepEqual(idsOf(values), ['a', 'c']);
});

test('beyond a length as many go as make room, and what is longer than all is not kept', () => {
  const values = new RecentlyUsed<string>({ count: 9, length: 10 });
  for (const id of ['a', 'b', 'c']) values.set(id, id, 3);
  values.set('d', 'd', 5);
  assert.deepEqual(idsOf(values), ['c', 'd']);
  values.set('d', 'd', 7);
  assert.deepEqual(idsOf(values), ['c', 'd']);
  values.delete('c');
  values.set('a', 'a', 3);
  assert.deepEqual(idsOf(values), ['a', 'd']);
  values.set('b', 'b', 11);
  assert.deepEqual(idsOf(values), []);
  values.set('c', 'c', 10);
  values.clear();
  values.set('d', 'd', 10);
  assert.deepEqual(idsOf(values), ['d']);
});
