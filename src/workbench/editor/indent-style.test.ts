import assert from 'node:assert/strict';
import { test } from 'node:test';
import { indentStyle, sayIndent } from './indent-style.ts';

test('the indent is told from the steps, not from the widest line', () => {
  assert.equal(sayIndent(indentStyle(['def a():', '    if x:', '        y', '            long,'])), 'Spaces 4');
  assert.equal(sayIndent(indentStyle(['a {', '  b {', '    c', '  }', '}'])), 'Spaces 2');
  assert.equal(indentStyle(['a', '\tb', '\t\tc']), '\t');
  assert.equal(sayIndent(indentStyle(['no', 'indent'], 2)), 'Spaces 2');
});
