import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ClashHunk } from './clash.ts';
import { wholeLines } from './whole-lines.ts';

const hunk = (facts: Partial<ClashHunk>): ClashHunk => ({ path: 'b', kind: 'hunk', line: 2, run: '', without: '', now: '', ...facts });
const said = ({ run, without, now }: ClashHunk) => [run, without, now];

test('words that clash are shown with the lines that they stand in', () => {
  const text = 'one\ntwo, by the run and me\nthree\n';
  assert.deepEqual(said(wholeLines(hunk({ run: ', by the run', now: ', by the run and me' }), text)), [
    'two, by the run',
    'two',
    'two, by the run and me',
  ]);
  assert.deepEqual(said(wholeLines(hunk({ run: 'RUN\n', without: 'two\n', now: 'two, by the run and me\n' }), text)), [
    'RUN\n',
    'two\n',
    'two, by the run and me\n',
  ]);
});

test('where the file is not what it was, or there are no lines, the words stay as they are', () => {
  const moved = hunk({ run: 'x', now: 'three' });
  assert.equal(wholeLines(moved, 'one\ntwo\nthree\n'), moved);
  const beyond = hunk({ line: 9, now: 'x' });
  assert.equal(wholeLines(beyond, 'one\n'), beyond);
  const file = hunk({ kind: 'file', now: null });
  assert.equal(wholeLines(file, 'one\n'), file);
});
