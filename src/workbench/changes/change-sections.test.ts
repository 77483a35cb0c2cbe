import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { GitChange } from '../../contract/git.ts';
import { changeRows, changeSections, namedPaths } from './change-sections.ts';

const changes: GitChange[] = [
  { path: 'b/two.py', staged: 'modified', unstaged: 'modified' },
  { path: 'b/new.py', from: 'b/old.py', staged: 'renamed', unstaged: null },
  { path: 'a/one.py', staged: null, unstaged: 'deleted' },
  { path: 'c.py', staged: 'unmerged', unstaged: 'unmerged' },
  { path: 'notes.md', staged: null, unstaged: 'untracked' },
  { path: 'ignored', staged: null, unstaged: 'ignored' },
];

test('a file that is staged in part stands in both lists, one in conflict only among the conflicts', () => {
  const sections = changeSections(changes, [{ path: 'c.py', kind: 'deleted-by-them' }]);
  const said = (name: 'conflicts' | 'staged' | 'changes') => sections[name].map(({ path, letter }) => `${letter} ${path}`);
  assert.deepEqual(said('staged'), ['R b/new.py', 'M b/two.py']);
  assert.deepEqual(said('changes'), ['U notes.md', 'D a/one.py', 'M b/two.py']);
  assert.deepEqual(said('conflicts'), ['C c.py']);
  assert.equal(sections.conflicts[0]?.conflict, 'deleted-by-them');
  assert.equal(sections.staged[0]?.from, 'b/old.py');
});

test('by folder, each folder leads its files; a rename is named twice, what has no name in UTF-8 never', () => {
  const { staged, changes: unstaged } = changeSections(changes, []);
  assert.deepEqual(
    changeRows(unstaged, true).map((row) => (row.kind === 'folder' ? `${row.path}/ ${row.files.length}` : row.entry.path)),
    ['/ 1', 'notes.md', 'a/ 1', 'a/one.py', 'b/ 1', 'b/two.py'],
  );
  assert.equal(changeRows(unstaged, false).length, 3);
  assert.deepEqual(namedPaths(staged), ['b/new.py', 'b/old.py', 'b/two.py']);
  const raw = changeSections([{ path: 'a\\xff', staged: null, unstaged: 'modified', raw: true }], []);
  assert.deepEqual(namedPaths(raw.changes), []);
});
