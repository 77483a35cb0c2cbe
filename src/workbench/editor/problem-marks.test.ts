import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Text } from '@codemirror/state';
import { placeOf } from './problem-marks.ts';

const doc = Text.of(['import sys', '', '    return größe / 2  ', '😀 x']);

function marked(line: number | undefined, column?: number): string | undefined {
  const place = placeOf({ line, column }, doc);
  return place && doc.sliceString(place.from, place.to);
}

test('the word at the column is marked, else the line without its spaces', () => {
  assert.equal(marked(1), 'import sys');
  assert.equal(marked(1, 8), 'sys');
  assert.equal(marked(3), 'return größe / 2');
  assert.equal(marked(3, 12), 'größe');
  assert.equal(marked(3, 18), '/');
  assert.equal(marked(4, 1), '😀');
});

test('a column that names nothing leaves the line; a line that is not there, or empty, is not marked', () => {
  assert.equal(marked(1, 99), 'import sys');
  assert.equal(marked(3, 1), 'return größe / 2');
  assert.equal(marked(2), undefined);
  assert.equal(marked(9), undefined);
  assert.equal(marked(undefined), undefined);
});
