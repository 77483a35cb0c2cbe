import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Conflict, conflictParts, placeEdits, resolvedLines } from './conflict-text.ts';

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

test('a side is put in by what stands there, with so much around it that it stands there once; and back again', () => {
  const place = ['<<<<<<< a', 'x', '=======', '>>>>>>> b'];
  const once = `${['one', ...place, 'two'].join('\n')}\n`;
  const at = { startLine: 2, endLine: 5 };
  assert.deepEqual(placeEdits(once, at, ['x']), {
    take: { find: `${place.join('\n')}\n`, replace: 'x\n' },
    giveBack: { find: 'x\n', replace: `${place.join('\n')}\n` },
  });
  assert.deepEqual(placeEdits(once, at, []).giveBack, { find: 'one\ntwo\n', replace: once });
  // The same twice, in a file of another system: the second with what is around it.
  const twice = ['0', ...place, '1', ...place, '2', ''].join('\r\n');
  const { take, giveBack } = placeEdits(twice, { startLine: 7, endLine: 10 }, ['x']);
  assert.ok('find' in take && 'find' in giveBack);
  const taken = twice.replace(take.find, () => take.replace);
  assert.equal(taken, ['0', ...place, '1', 'x', '2', ''].join('\r\n'));
  assert.equal(
    taken.replace(giveBack.find, () => giveBack.replace),
    twice,
  );
  // Nothing but a conflict, of which nothing is left.
  assert.deepEqual(placeEdits(place.join('\n'), { startLine: 1, endLine: 4 }, []), {
    take: { find: place.join('\n'), replace: '' },
    giveBack: { startLine: 1, endLine: 0, text: place.join('\n') },
  });
});
