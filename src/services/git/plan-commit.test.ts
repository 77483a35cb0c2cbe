import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { StatusEntry } from './parse-status.ts';
import { type CommitChoice, commitNames, planCommit } from './plan-commit.ts';

function entry(name: string, staged: StatusEntry['staged'], unstaged: StatusEntry['unstaged'], from?: string): StatusEntry {
  const path = (text: string): StatusEntry['path'] => ({ shown: text, raw: false, bytes: Buffer.from(text), folder: text === 'nested' });
  return { path: path(name), staged, unstaged, submodule: false, ...(from === undefined ? {} : { from: path(from) }) };
}

const entries = [
  entry('new.txt', null, 'untracked'),
  entry('staged.txt', 'modified', null),
  entry('both.txt', 'modified', 'modified'),
  entry('dir/deep/file', null, 'deleted'),
  entry('dirty', null, 'modified'),
  entry('to', 'renamed', null, 'from'),
  entry('nested', null, 'untracked'),
  entry('out', null, 'ignored'),
];

test('a commit takes what was chosen, and adds only what the index lacks', () => {
  const names = (list: StatusEntry[]): string => list.map(({ path }) => path.shown).join(' ');
  const table: [CommitChoice, string, string, boolean][] = [
    [{ paths: undefined, all: true }, 'new.txt staged.txt both.txt dir/deep/file dirty to', 'new.txt both.txt dir/deep/file dirty', false],
    [{ paths: undefined, all: false }, 'staged.txt both.txt to', '', false],
    [{ paths: ['new.txt'], all: true }, 'new.txt', 'new.txt', true],
    [{ paths: ['dir'], all: false }, 'dir/deep/file', 'dir/deep/file', true],
    [{ paths: ['dir/deep', 'both.txt', 'staged.txt'], all: false }, 'staged.txt both.txt dir/deep/file', 'both.txt dir/deep/file', true],
    [{ paths: ['from'], all: true }, 'to', '', true],
    [{ paths: ['nested'], all: true }, 'nested', 'nested', true],
    [{ paths: ['out', 'missing', 'di'], all: true }, '', '', true],
    [{ paths: [], all: true }, '', '', true],
  ];
  for (const [choice, chosen, add, othersStaged] of table) {
    const plan = planCommit(entries, choice);
    assert.deepEqual([names(plan.chosen), names(plan.add), plan.othersStaged], [chosen, add, othersStaged], JSON.stringify(choice));
  }
});

test('files in conflict are told apart', () => {
  const plan = planCommit([entry('a', 'unmerged', 'unmerged'), entry('b', null, 'modified')], { paths: undefined, all: true });
  assert.deepEqual(plan.unmerged, [plan.chosen[0]]);
  assert.equal(plan.add.length, 2);
});

test('a commit of some files alone names those that git knows by then, and none below or above another', () => {
  const table: [StatusEntry[], string[]][] = [
    [
      [entry('new', null, 'untracked'), entry('a', 'modified', null), entry('b', null, 'deleted')],
      ['new', 'a', 'b'],
    ],
    [[entry('to', 'renamed', null, 'from')], ['to', 'from']],
    [[entry('to', 'renamed', 'deleted', 'from')], ['from']],
    [[entry('docs/a', null, 'deleted'), entry('docs/deep/b', 'deleted', null), entry('docs', null, 'untracked')], ['docs']],
    [
      [entry('real/a', 'renamed', null, 'docs/a'), entry('docs', 'added', null)],
      ['real/a', 'docs'],
    ],
    [
      [entry('docs/a', null, 'deleted'), entry('doc', null, 'modified'), entry('docs-new', null, 'untracked')],
      ['docs/a', 'doc', 'docs-new'],
    ],
    [
      [entry('docs', null, 'deleted'), entry('docs-new', null, 'deleted'), entry('docs/deep/a', null, 'untracked')],
      ['docs-new', 'docs/deep/a'],
    ],
    [[entry('docs/a', 'renamed', null, 'docs')], ['docs/a']],
  ];
  for (const [chosen, expected] of table) assert.deepEqual(commitNames(chosen).map(String), expected);
});
