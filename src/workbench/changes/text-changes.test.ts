import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Text } from '@codemirror/state';
import { changedChunks, countLines, textChanges } from './text-changes.ts';

const text = (lines: readonly string[]): Text => Text.of([...lines, '']);

function counted(before: readonly string[], after: readonly string[]): { changes: number; added: number; removed: number } {
  const [old, now] = [text(before), text(after)];
  const { length } = changedChunks(old, now);
  return { changes: length, ...countLines(textChanges(old.toString(), now.toString()), old, now) };
}

test('of 20,000 lines with every third changed each change is one', () => {
  const before = Array.from({ length: 20_000 }, (_, index) => `line ${index} of the file`);
  const after = before.map((line, index) => (index % 3 === 0 ? `${line}, changed` : line));
  assert.deepEqual(counted(before, after), { changes: 6_667, added: 6_667, removed: 6_667 });
});

test('lines are counted as git counts them', () => {
  assert.deepEqual(counted(['a', 'b', 'c'], ['a', 'c']), { changes: 1, added: 0, removed: 1 });
  assert.deepEqual(counted(['a', 'c'], ['a', 'b', 'c']), { changes: 1, added: 1, removed: 0 });
  assert.deepEqual(counted(['a', 'cc'], ['a', '', 'cc', 'd']), { changes: 2, added: 2, removed: 0 });
  assert.deepEqual(counted([], ['a', 'b']), { changes: 1, added: 2, removed: 0 });
  // Two words in one line.
  assert.deepEqual(counted(['the loan of one book', 'b'], ['a loan of two books', 'b']), { changes: 1, added: 1, removed: 1 });
  // A line that is cut in two.
  assert.deepEqual(counted(['the loan of one book', 'b'], ['the loan', 'of one book', 'b']), { changes: 1, added: 2, removed: 1 });
});

test('the empty line between two changed ones is not counted', () => {
  assert.deepEqual(counted(['one loan', '', 'one book'], ['two loans', '', 'two books']), { changes: 1, added: 2, removed: 2 });
});

test('behind the last line end is no line: what is made from nothing or goes to nothing, or comes last without one, takes the place of none', () => {
  const facts = (old: string, now: string) => {
    const [before, after] = [Text.of(old.split('\n')), Text.of(now.split('\n'))];
    const chunks = changedChunks(before, after).map(({ fromA, toA, fromB, toB }) => [fromA, toA, fromB, toB]);
    return { chunks, ...countLines(textChanges(old, now), before, after) };
  };
  const counts = (old: string, now: string) => ({ ...facts(old, now), chunks: undefined });
  for (const [old, now, added, removed] of [
    ['', 'a\nb', 2, 0],
    ['', 'a\nb\n', 2, 0],
    ['a\nb', '', 0, 2],
    ['', '\n', 1, 0],
    ['x\n\n', 'x\n', 0, 1],
  ] as const)
    assert.deepEqual(counts(old, now), { chunks: undefined, added, removed }, JSON.stringify([old, now]));
  assert.deepEqual(facts('x\n', 'x\na'), { chunks: [[2, 2, 2, 4]], added: 1, removed: 0 });
  assert.deepEqual(facts('x\na\nb', 'x\n'), { chunks: [[2, 6, 2, 2]], added: 0, removed: 2 });
  // The line before is another one too: it ends now.
  assert.deepEqual(facts('x', 'x\na'), { chunks: [[0, 2, 0, 4]], added: 2, removed: 1 });
  assert.deepEqual(facts('one two\nthe last\n', 'one, two\nthe last\nthen more').chunks, [
    [0, 8, 0, 9],
    [17, 17, 18, 28],
  ]);
});
