import assert from 'node:assert/strict';
import { test } from 'node:test';
import { selectedCode } from './selected-code.ts';

const text = 'if True:\n    a = 1\n    if a:\n\n        print(a)\nend\n';
const select = (part: string): string => selectedCode(text, text.indexOf(part), text.indexOf(part) + part.length).text;

test('a selected block loses the indent that its lines share, also where the selection begins after the first indent', () => {
  const block = 'a = 1\nif a:\n\n    print(a)';
  assert.equal(select('    a = 1\n    if a:\n\n        print(a)'), block);
  assert.equal(select('a = 1\n    if a:\n\n        print(a)'), block);
});

test('a part of a line is taken as it is', () => {
  assert.equal(select('True'), 'True');
  assert.equal(selectedCode(text, 5, 5).text, '');
  assert.deepEqual(selectedCode('x\n\ty\n  z', 2, 8), { text: '\ty\n  z', firstLine: 2 });
});
