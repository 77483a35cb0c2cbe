import assert from 'node:assert/strict';
import { test } from 'node:test';
import { countMatches, keyOf, mergeFiles, partsOf, rowsOf, withoutLeftOut } from './search-rows.ts';

const shown = (line: Parameters<typeof partsOf>[0]): string =>
  partsOf(line)
    .map(({ text, hit }) => (hit ? `[${text}]` : text))
    .join('');

test('a hit begins so that its match can be seen', () => {
  assert.equal(shown({ line: 1, text: '    due_date = 1', ranges: [[4, 12]] }), '[due_date] = 1');
  assert.equal(shown({ line: 1, text: '  self.due_date', ranges: [[7, 15]] }), 'self.[due_date]');
  assert.equal(
    shown({
      line: 1,
      text: `${'x'.repeat(50)}due and due`,
      ranges: [
        [50, 53],
        [58, 61],
      ],
    }),
    `…${'x'.repeat(14)}[due] and [due]`,
  );
  assert.equal(shown({ line: 1, text: 'abc', ranges: [[0, 3]], cutAt: 900 }), '…[abc]');
  assert.equal(shown({ line: 3, text: 'one\n  two', ranges: [[0, 9]] }), '[one ⏎ two]');
  assert.equal(shown({ line: 1, text: 'empty match', ranges: [[5, 5]] }), 'empty match');
});

test('pieces of one file become one, files stand in order, closed ones hide their lines', () => {
  const line = (number: number) => ({ line: number, text: 'x', ranges: [[0, 1]] as [number, number][] });
  const files = mergeFiles([
    { path: 'b', lines: [line(1)] },
    { path: 'a', lines: [line(7)] },
    { path: 'b', lines: [line(2)] },
  ]);
  assert.deepEqual(
    rowsOf(files, new Set(['a'])).map((row) => (row.kind === 'file' ? `${row.path} ${row.hits}` : `${row.path}:${row.line}:${row.column}`)),
    ['a 1', 'b 2', 'b:1:1', 'b:2:1'],
  );
});

test('what is left out is not shown and not counted, whole files or single lines', () => {
  const line = (number: number, ...ranges: [number, number][]) => ({ line: number, text: 'x x', ranges });
  const files = [
    { path: 'a', lines: [line(1, [0, 1], [2, 3]), line(2, [0, 1])] },
    { path: 'b', lines: [line(1, [0, 1])] },
    { path: 'c', lines: [line(1, [0, 1])] },
  ];
  assert.equal(countMatches(files), 5);
  const left = withoutLeftOut(files, new Set([keyOf('a', 1), keyOf('b'), keyOf('c', 1)]));
  assert.deepEqual(
    left.map(({ path, lines }) => [path, lines.map((each) => each.line)]),
    [['a', [2]]],
  );
  assert.equal(countMatches(left), 1);
});

test('a match is shown with what it becomes; one that inserts has nothing to strike', () => {
  const parts = (line: Parameters<typeof partsOf>[0]) => partsOf(line).map(({ text, becomes }) => [text, becomes]);
  assert.deepEqual(parts({ line: 1, text: 'a day off', ranges: [[2, 5]], replacements: ['week'] }), [
    ['a ', undefined],
    ['day', 'week'],
    [' off', undefined],
  ]);
  assert.deepEqual(parts({ line: 1, text: 'end', ranges: [[3, 3]], replacements: [';'] }), [
    ['end', undefined],
    ['', ';'],
  ]);
  assert.deepEqual(
    parts({ line: 1, text: '    (of.today.days)', ranges: [[14, 18]], replacements: ['weeks'] })[0],
    ['…', undefined],
    'less stands before it, so that both are in sight',
  );
  assert.deepEqual(parts({ line: 1, text: 'gone', ranges: [[0, 4]], replacements: [''] }), [['gone', '']]);
});
