import assert from 'node:assert/strict';
import { test } from 'node:test';
import { countMatches, keyOf, mergeFiles, partsOf, placeOf, rowsOf, stillLeftOut, withoutLeftOut } from './search-rows.ts';

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

test('what is left out is named so that no path is taken for another', () => {
  const places: [string, number?][] = [['a'], ['a', 2], ['a\n2'], ['a\n2', 3]];
  assert.equal(new Set(places.map(([path, line]) => keyOf(path, line))).size, places.length);
  for (const [path, line] of places) assert.deepEqual(placeOf(keyOf(path, line)), line === undefined ? { path } : { path, line });
});

test('what is left out stays so while it is found as it was', () => {
  const line = (number: number, text = 'x') => ({ line: number, text, ranges: [[0, 1]] as [number, number][] });
  const before = [
    { path: 'a', lines: [line(1), line(2)] },
    { path: 'b', lines: [line(1)] },
    { path: 'c', lines: [line(1), line(4)] },
    { path: 'd', lines: [line(1), line(4)] },
    { path: 'e', lines: [line(1)] },
  ];
  const now = [
    { path: 'a', lines: [line(1), line(2)] },
    { path: 'b', lines: [line(1), line(2)] },
    { path: 'c', lines: [line(2), line(5)] },
    { path: 'd', lines: [line(1), line(4, 'x y')] },
  ];
  const leftOut = [keyOf('a', 2), keyOf('b'), keyOf('c', 4), keyOf('d', 1), keyOf('e'), keyOf('e', 1)];
  assert.deepEqual(
    [...stillLeftOut(new Set(leftOut), before, now)],
    [keyOf('a', 2), keyOf('b')],
    'a file whole; a line where its file reads alike',
  );
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
