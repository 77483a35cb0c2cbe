import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseStage, parseTree } from './parse-tree.ts';

const hash = 'ab'.repeat(20);

test('an entry of a tree or of the index is read; a missing one is none', () => {
  assert.deepEqual(parseTree(Buffer.from(`100755 blob ${hash}\ta\tb\n\0`)), { mode: '100755', hash });
  assert.deepEqual(parseTree(Buffer.from(`160000 commit ${hash}\tlib\0`)), { mode: '160000', hash });
  assert.equal(parseTree(Buffer.from('')), undefined);
  const stages = Buffer.from(`100644 ${hash} 1\tf\x00120000 ${hash} 2\tf\x00100644 ${hash} 0\td/f\0`);
  assert.deepEqual(parseStage(stages, 2, 'f'), { mode: '120000', hash });
  assert.equal(parseStage(stages, 3, 'f'), undefined);
  assert.equal(parseStage(stages, 0, 'd'), undefined, 'a folder is no entry');
});
