import assert from 'node:assert/strict';
import { test } from 'node:test';
import { unapplyPatch } from './unapply-patch.ts';

const patch = [
  'diff --git a/a b/a',
  '--- a/a',
  '+++ b/a',
  '@@ -1,3 +1,2 @@',
  '-gone',
  ' one',
  '-two',
  '+TWO',
  '@@ -9,0 +9,1 @@',
  '+new',
].join('\n');
const after = ['one', 'TWO', '3', '4', '5', '6', '7', '8', 'new', 'end', ''].join('\n');

test('the text before a patch is what the patch took away put back', () => {
  assert.equal(unapplyPatch(patch, after), ['gone', 'one', 'two', '3', '4', '5', '6', '7', '8', 'end', ''].join('\n'));
  assert.equal(unapplyPatch('', after), after);
  assert.equal(unapplyPatch('@@ -1 +0,0 @@\n-all\n', ''), 'all\n');
});

test('a text that is not what the patch left is refused', () => {
  assert.equal(unapplyPatch(patch, after.replace('TWO', 'typed')), undefined);
  assert.equal(unapplyPatch(patch, 'one\n'), undefined);
});
