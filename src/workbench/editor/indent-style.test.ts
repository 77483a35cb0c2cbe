import assert from 'node:assert/strict';
import { test } from 'node:test';
import { indentStyle } from './indent-style.ts';

test('the indent is told from the steps, not from the widest line', () => {
  assert.equal(indentStyle(['def a():', '    if x:', '        y', '            long,']).words, 'Spaces 4');
  assert.equal(indentStyle(['a {', '  b {', '    c', '  }', '}']).words, 'Spaces 2');
  assert.equal(indentStyle(['a', '\tb', '\t\tc']).unit, '\t');
  assert.equal(indentStyle(['no', 'indent'], 2).words, 'Spaces 2');
});
