import assert from 'node:assert/strict';
import { test } from 'node:test';
import { letterOf } from './git-store.ts';
import { patchCounts } from './patch-counts.ts';

test('a file has one letter, by what the next commit would make of it', () => {
  const table: [Parameters<typeof letterOf>[0], string | undefined][] = [
    [{ staged: null, unstaged: 'modified' }, 'M'],
    [{ staged: 'added', unstaged: 'modified' }, 'A'],
    [{ staged: null, unstaged: 'untracked' }, 'U'],
    [{ staged: 'modified', unstaged: 'deleted' }, 'D'],
    [{ staged: 'renamed', unstaged: null }, 'R'],
    [{ staged: 'unmerged', unstaged: 'unmerged' }, 'C'],
    [{ staged: null, unstaged: 'ignored' }, undefined],
  ];
  for (const [change, expected] of table) assert.equal(letterOf(change), expected, JSON.stringify(change));
});

test('lines are counted per file, also of deleted ones and of names that git quotes', () => {
  const patch = [
    'diff --git a/a.py b/a.py',
    '--- a/a.py',
    '+++ b/a.py',
    '@@ -1 +1,2 @@',
    '--- a line that began with two dashes',
    '+one',
    '+++ two',
    'diff --git a/old.py b/old.py',
    'deleted file mode 100644',
    '--- a/old.py',
    '+++ /dev/null',
    '@@ -1,2 +0,0 @@',
    '-x',
    '-y',
    'diff --git "a/\\303\\251.md" "b/\\303\\251.md"',
    '--- "a/\\303\\251.md"',
    '+++ "b/\\303\\251.md"',
    '@@ -0,0 +1 @@',
    '+z',
  ].join('\n');
  assert.deepEqual(
    [...patchCounts(patch)],
    [
      ['a.py', { added: 2, removed: 1 }],
      ['old.py', { added: 0, removed: 2 }],
      ['é.md', { added: 1, removed: 0 }],
    ],
  );
});
