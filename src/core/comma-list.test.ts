import assert from 'node:assert/strict';
import { test } from 'node:test';
import { commaList } from './comma-list.ts';

test('what stands between commas is taken without spaces around it, and nothing is no part', () => {
  const cases: [text: string, parts: string[]][] = [
    ['a,b', ['a', 'b']],
    [' a b ,\tc\n', ['a b', 'c']],
    [',a,, ,b,', ['a', 'b']],
    ['', []],
    [' , ', []],
    ['a', ['a']],
  ];
  for (const [text, parts] of cases) assert.deepEqual(commaList(text), parts, JSON.stringify(text));
});
