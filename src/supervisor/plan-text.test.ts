import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { TextRangeEdit } from './file-edit.ts';
import { planText } from './plan-text.ts';

const edit = (start: number, end: number, newText: string): TextRangeEdit => ({ range: { start, end }, newText });

function plan(text: string, ...edits: TextRangeEdit[]): string {
  const planned = planText(Buffer.from(text), edits);
  return 'problem' in planned ? `problem: ${planned.problem}` : Buffer.from(planned.content).toString('utf8');
}

test('edits count in the text before the batch, in whatever order they come', () => {
  assert.equal(plan('abcdef', edit(4, 5, 'E'), edit(0, 1, 'AA'), edit(2, 2, '-')), 'AAb-cdEf');
  assert.equal(plan('abc', edit(0, 3, '')), '');
  assert.equal(plan('', edit(0, 0, 'x')), 'x');
  assert.equal(plan('abc'), 'abc');
});

test('insertions at one place stay in their order, before what replaces from there on', () => {
  assert.equal(plan('ab', edit(1, 1, '1'), edit(1, 1, '2')), 'a12b');
  assert.equal(plan('abc', edit(1, 2, 'B'), edit(1, 1, '+')), 'a+Bc');
  assert.equal(plan('abc', edit(0, 1, 'A'), edit(1, 1, '+')), 'A+bc');
});

test('overlap, out of bounds, backwards, halves and what is no number are problems', () => {
  assert.match(plan('abcdef', edit(0, 3, ''), edit(2, 4, '')), /overlap at offset 2/);
  assert.match(plan('abcdef', edit(0, 4, ''), edit(2, 2, 'x')), /overlap/);
  assert.match(plan('abc', edit(0, 4, '')), /not in a text of 3/);
  assert.match(plan('abc', edit(-1, 0, '')), /not in a text/);
  assert.match(plan('abc', edit(2, 1, '')), /ends before it begins/);
  assert.match(plan('abc', edit(0.5, 1, '')), /whole numbers/);
  assert.match(plan('abc', edit(Number.NaN, 1, '')), /whole numbers/);
  assert.match(plan('a🛟b', edit(2, 2, 'x')), /cuts a character/);
  assert.match(plan('ab', edit(0, 0, '\ud83d')), /half a character/);
  assert.equal(plan('a🛟b', edit(1, 3, '🦦')), 'a🦦b');
});

test('new text takes the line ends of the file, and the byte order mark stays and does not count', () => {
  assert.equal(plan('a\r\nb\r\n', edit(3, 4, 'x\ny')), 'a\r\nx\r\ny\r\n');
  assert.equal(plan('a\nb\n', edit(0, 0, 'x\r\n')), 'x\na\nb\n');
  assert.equal(plan('a\rb', edit(0, 0, 'x\n')), 'x\ra\rb');
  assert.equal(plan('one', edit(0, 0, 'x\r\n')), 'x\r\none');
  assert.equal(plan('\uFEFFa\r\n', edit(0, 1, 'b\n')), '\uFEFFb\r\n\r\n');
  assert.equal(plan('\uFEFF', edit(0, 0, 'b')), '\uFEFFb');
  // Mixed: what is there stays as it is, new text takes the commonest.
  assert.equal(plan('a\r\nb\r\nc\n', edit(6, 6, 'x\n')), 'a\r\nb\r\nx\r\nc\n');
});

test('what is no text is refused', () => {
  assert.deepEqual(planText(Uint8Array.of(0xff, 0xfe), [edit(0, 0, 'x')]), { problem: 'The file is not UTF-8 text.' });
  assert.match(plan('a\0b', edit(0, 0, 'x')), /NUL/);
});
