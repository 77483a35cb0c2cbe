import assert from 'node:assert/strict';
import { test } from 'node:test';
import { scrollToShow, virtualWindow, windowOf } from './virtual-window.ts';

test('rows that can be seen are drawn, with eight over, and never more than there are', () => {
  assert.deepEqual(virtualWindow(0, 240, 24, 100_000), { start: 0, end: 18 });
  assert.deepEqual(virtualWindow(24_000, 240, 24, 100_000), { start: 992, end: 1018 });
  assert.deepEqual(virtualWindow(24_000, 240, 24, 5), { start: 5, end: 5 });
});

test('lines of different heights are found by where they stand', () => {
  const lines = Array.from({ length: 1000 }, (_, index) => ({ top: index * 50 }));
  const { start, end } = windowOf(lines, 10_000, 500);
  assert.ok(start <= 200 && end >= 210 && end - start < 40);
});

test('a row that is seen moves nothing', () => {
  assert.equal(scrollToShow(100, 200, 150, 24), 100);
  assert.equal(scrollToShow(100, 200, 50, 24), 50);
  assert.equal(scrollToShow(100, 200, 290, 24), 114);
});
