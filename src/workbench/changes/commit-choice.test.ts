import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { GitChange } from '../../contract/git.ts';
import { commitFiles } from './commit-choice.ts';

const change = (path: string, staged: GitChange['staged'], from?: string): GitChange => ({
  path,
  staged,
  unstaged: staged === null ? 'modified' : null,
  ...(from === undefined ? {} : { from }),
});

test('what is staged is committed as it is, else all, and by hand just what was chosen', () => {
  const staged = change('a', 'modified');
  const other = change('b', null);
  const renamed = change('d', 'renamed', 'c');
  assert.deepEqual(commitFiles([staged, other], [staged], false), { all: false });
  assert.deepEqual(commitFiles([other], [other], false), { all: true });
  assert.deepEqual(commitFiles([staged, other], [staged, other], true), { all: true });
  assert.deepEqual(commitFiles([staged, renamed, other], [renamed], true), { all: false, paths: ['d', 'c'] });
});
