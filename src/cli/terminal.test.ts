import assert from 'node:assert/strict';
import { test } from 'node:test';
import { shown } from './terminal.ts';

test('what a terminal would obey in a text of others is shown, and letters of all scripts stay', () => {
  for (const [text, expected] of [
    ['\u001b]0;owned\u0007cap', '\\u001b]0;owned\\u0007cap'],
    ['a\u202eb\u2028\u009b31m\t', 'a\\u202eb\\u2028\\u009b31m\\u0009'],
    ['Bär \u{1F600} שלום', 'Bär \u{1F600} שלום'],
  ] as const)
    assert.equal(shown(text), expected);
});
