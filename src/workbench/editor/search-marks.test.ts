import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Text } from '@codemirror/state';
import { placesOf } from './search-marks.ts';

const doc = Text.of(['first', 'a needle and a needle', 'x'.repeat(500), 'last']);

function marked(line: Parameters<typeof placesOf>[0]): string[] {
  return placesOf(line, doc).map(({ from, to }) => `${from}:${doc.sliceString(from, to)}`);
}

test('what was found is marked where it stands, and nothing where the line reads differently by now', () => {
  const ranges: [number, number][] = [
    [2, 8],
    [15, 21],
  ];
  assert.deepEqual(marked({ line: 2, text: 'a needle and a needle', ranges }), ['8:needle', '21:needle']);
  assert.deepEqual(marked({ line: 2, text: 'a needle and no needle', ranges }), []);
  assert.deepEqual(marked({ line: 9, text: 'a needle', ranges: [[2, 8]] }), []);
  assert.deepEqual(marked({ line: 3, text: 'xxx', ranges: [[0, 2]], cutAt: 400 }), ['428:xx'], 'a line of which only a piece was told');
  assert.deepEqual(marked({ line: 1, text: 'first\na needle', ranges: [[4, 7]] }), ['4:t\na'], 'a match over two lines');
  assert.deepEqual(marked({ line: 4, text: 'last', ranges: [[2, 2]] }), [], 'an empty match has nothing to mark');
});
