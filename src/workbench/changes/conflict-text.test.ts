import assert from 'node:assert/strict';
import { test } from 'node:test';
import { asEdit, type Conflict, conflictParts, resolvedLines } from './conflict-text.ts';

const text = ['one', '<<<<<<< HEAD', 'ours', '||||||| base', 'was', '=======', 'theirs', 'more', '>>>>>>> feature/x', 'two', ''].join('\n');

test('a file in conflict is cut into what is agreed and what each side wants', () => {
  const parts = conflictParts(text);
  assert.deepEqual(parts, [
    { kind: 'same', startLine: 1, lines: ['one'] },
    {
      kind: 'conflict',
      startLine: 2,
      endLine: 9,
      ours: { label: 'HEAD', lines: ['ours'] },
      base: { label: 'base', lines: ['was'] },
      theirs: { label: 'feature/x', lines: ['theirs', 'more'] },
    },
    { kind: 'same', startLine: 10, lines: ['two'] },
  ]);
  const conflict = parts[1] as Conflict;
  assert.deepEqual(resolvedLines(conflict, 'ours'), ['ours']);
  assert.deepEqual(resolvedLines(conflict, 'both'), ['ours', 'theirs', 'more']);
  assert.deepEqual(asEdit(2, 9, resolvedLines(conflict, 'theirs')), { startLine: 2, endLine: 9, text: 'theirs\nmore\n' });
  assert.equal(asEdit(2, 9, []).text, '');
});

test('marks without their partners are text, also those of a heading, and line breaks may be of any kind', () => {
  assert.deepEqual(
    conflictParts('Title\n=======\n<<<<<<< HEAD\nhalf\n').map(({ kind }) => kind),
    ['same'],
  );
  const parts = conflictParts('<<<<<<< a\r\nx\r\n=======\r\n>>>>>>> b\r\n<<<<<<< a\r\n=======\r\ny\r\n>>>>>>> b');
  assert.deepEqual(
    parts.map((part) => part.kind === 'conflict' && [part.startLine, part.endLine, part.ours.lines, part.theirs.lines]),
    [
      [1, 4, ['x'], []],
      [5, 8, [], ['y']],
    ],
  );
  assert.deepEqual(conflictParts(''), []);
});
