import assert from 'node:assert/strict';
import { test } from 'node:test';
import { lineBounds, lineStarts } from './text-lines.ts';

test('a line ends with LF or with the text, whatever CR stands in it', () => {
  const cases: [text: string, starts: number[], bounds: number[]][] = [
    ['', [0], [0]],
    ['a', [0], [0, 1]],
    ['a\n', [0, 2], [0, 2]],
    ['a\nb', [0, 2], [0, 2, 3]],
    ['\n\n', [0, 1, 2], [0, 1, 2]],
    ['a\r\nb\rc\n', [0, 3, 7], [0, 3, 7]],
    ['a\rb\r', [0], [0, 4]],
    ['a\u2028b\u0085c\fd', [0], [0, 7]],
  ];
  for (const [text, starts, bounds] of cases)
    assert.deepEqual([lineStarts(text), lineBounds(text)], [starts, bounds], JSON.stringify(text));
});
