import assert from 'node:assert/strict';
import { test } from 'node:test';
import { keptTop, type SeenRows } from './kept-place.ts';

const seen: SeenRows = { keys: ['a', 'b', 'c', 'd', 'e'], top: 0, height: 30, rowPx: 10, isSorted: false, focused: undefined };

test('at the top new rows are seen; further down what is read stays in place', () => {
  assert.equal(keptTop(seen, ['new', 'a', 'b', 'c', 'd', 'e']), 0);
  assert.equal(keptTop({ ...seen, top: 14 }, ['new', 'newer', 'a', 'b', 'c', 'd', 'e']), 34);
  assert.equal(keptTop({ ...seen, top: 14 }, ['b', 'c', 'd', 'e']), 4);
  // Among those in sight.
  assert.equal(keptTop({ ...seen, top: 14 }, ['a', 'b', 'new', 'c', 'd', 'e']), 14);
  // The first in sight went.
  assert.equal(keptTop({ ...seen, top: 14 }, ['a', 'c', 'd', 'e']), 4);
  assert.equal(keptTop({ ...seen, top: 14 }, ['x', 'y']), 14);
});

test('where rows have another order, one that moves away is not followed', () => {
  assert.equal(keptTop({ ...seen, top: 10, isSorted: true }, ['a', 'c', 'd', 'e', 'b']), 0);
  assert.equal(keptTop({ ...seen, top: 10, isSorted: true }, ['b', 'c', 'd', 'a', 'e']), 0);
});

test('at the top the row that has the focus is not left behind', () => {
  const many = ['1', '2', '3', '4', '5', 'a', 'b', 'c', 'd', 'e'];
  assert.equal(keptTop({ ...seen, focused: 'a' }, many), 50);
  assert.equal(keptTop({ ...seen, focused: 'a' }, ['1', 'a', 'b', 'c', 'd', 'e']), 0);
  assert.equal(keptTop({ ...seen, focused: 'gone' }, many), 0);
});
