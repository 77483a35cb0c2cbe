import assert from 'node:assert/strict';
import { test } from 'node:test';
import { letterOf } from './letters.ts';

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
