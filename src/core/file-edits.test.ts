import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { testSeed } from '../../test/kit/seed.ts';
import { type PlannedReplacements, planReplacements, type Replacement } from './file-edits.ts';

function plan(text: string, replacements: readonly Replacement[], maxChars = 1_000_000): PlannedReplacements {
  const steps = planReplacements(text, replacements, maxChars);
  for (;;) {
    const step = steps.next();
    if (step.done === true) return step.value;
  }
}

const lines = (startLine: number, endLine: number, text: string): Replacement => ({ startLine, endLine, text });
const find = (text: string, replace: string, all = false): Replacement => ({ find: text, replace, all });

test('ranges of lines count in the text as it is, searches follow', () => {
  const cases: [text: string, replacements: Replacement[], expected: string][] = [
    ['a\nb\nc\n', [lines(2, 2, 'B')], 'a\nB\nc\n'],
    ['a\nb\nc\n', [lines(2, 1, 'new')], 'a\nnew\nb\nc\n'],
    ['a\nb\nc\n', [lines(4, 3, 'end')], 'a\nb\nc\nend\n'],
    ['a\nb', [lines(3, 2, 'end')], 'a\nb\nend'],
    ['a\nb', [lines(2, 2, 'B')], 'a\nB'],
    ['a\nb', [lines(1, 2, '')], ''],
    ['', [lines(1, 0, 'first')], 'first'],
    ['', [lines(1, 0, 'first\n')], 'first\n'],
    ['a\nb\nc\n', [lines(3, 3, 'C'), lines(1, 1, 'A\nA')], 'A\nA\nb\nC\n'],
    ['a\n', [lines(1, 0, 'x'), lines(1, 0, 'y'), lines(1, 1, 'A')], 'x\ny\nA\n'],
    ['a\r\nb\n', [lines(1, 1, 'A')], 'A\r\nb\n'],
    ['a b a', [find('b', 'a'), find('a', 'c', true)], 'c c c'],
    ['a\n', [find('x', 'y'), lines(1, 1, 'x')], 'y\n'],
    ['one', [find('one', '$& $1 \\0')], '$& $1 \\0'],
  ];
  for (const [text, replacements, expected] of cases)
    assert.deepEqual(plan(text, replacements), { result: expected }, JSON.stringify([text, replacements]));
});

test('lines after a last one without a break begin a line of their own, and none comes between', () => {
  const cases: [text: string, replacements: Replacement[], expected: string][] = [
    ['a\nb', [lines(3, 2, 'c\n'), lines(3, 2, 'd\n')], 'a\nb\nc\nd\n'],
    ['a\nb', [lines(3, 2, 'c'), lines(3, 2, 'd')], 'a\nb\nc\nd'],
    ['a\nb', [lines(2, 2, 'B\n'), lines(3, 2, 'c\n')], 'a\nB\nc\n'],
    ['a\nb', [lines(2, 2, 'B'), lines(3, 2, 'c')], 'a\nB\nc'],
    ['a', [lines(1, 1, ''), lines(2, 1, 'b\n')], 'b\n'],
    ['a\nb', [lines(2, 1, 'x'), lines(2, 2, ''), lines(3, 2, 'y')], 'a\nx\ny'],
    ['', [lines(1, 0, 'x'), lines(1, 0, 'y')], 'x\ny'],
    ['a\r\nb', [lines(3, 2, 'c\r\n'), lines(3, 2, 'd')], 'a\r\nb\r\nc\r\nd'],
    ['a', [lines(2, 1, ''), lines(2, 1, 'b')], 'a\nb'],
  ];
  for (const [text, replacements, expected] of cases)
    assert.deepEqual(plan(text, replacements), { result: expected }, JSON.stringify([text, replacements]));
});

test('the first that does not fit is named', () => {
  const cases: [text: string, replacements: Replacement[], problem: string, edit: number][] = [
    ['a', [find('b', '')], 'not-found', 0],
    ['aaa', [find('aa', '')], 'ambiguous', 0],
    ['a\nb\n', [lines(4, 3, '')], 'out-of-range', 0],
    ['a\nb\n', [lines(2, 3, '')], 'out-of-range', 0],
    ['a\nb\n', [lines(2, 0, '')], 'out-of-range', 0],
    ['', [lines(1, 1, '')], 'out-of-range', 0],
    ['a\nb\nc\n', [lines(1, 2, 'x'), lines(2, 3, 'y')], 'overlap', 1],
    ['a\nb\nc\n', [lines(1, 3, 'x'), lines(2, 1, 'y')], 'overlap', 1],
    ['a b', [find('a', 'b'), find('b', '')], 'ambiguous', 1],
  ];
  for (const [text, replacements, problem, edit] of cases) {
    const planned = plan(text, replacements);
    assert.ok('problem' in planned, JSON.stringify(planned));
    assert.deepEqual([planned.problem.problem, planned.problem.edit], [problem, edit], JSON.stringify([text, replacements]));
  }
});

/** The same, by an array of lines: what each range says is put before or instead of them, and the rest is joined again. */
function byLines(text: string, ranges: readonly { startLine: number; endLine: number; text: string }[]): string {
  const old = text.split(/(?<=\n)/).filter((line) => line !== '');
  const before = Array.from({ length: old.length + 2 }, () => '');
  const kept: (string | undefined)[] = [...old];
  for (const { startLine, endLine, text: given } of ranges) {
    before[startLine] = (before[startLine] ?? '') + (given === '' || given.endsWith('\n') ? given : `${given}\n`);
    for (let line = startLine; line <= endLine; line++) kept[line - 1] = undefined;
  }
  return kept.map((line, index) => before[index + 1] + (line ?? '')).join('') + before[old.length + 1];
}

test('plans do what a plain array of lines does, for ranges that lie apart', () => {
  const seed = testSeed();
  const word = fc.constantFrom('', 'x', 'y\nz', 'w\n');
  const property = fc.property(
    fc.array(fc.constantFrom('a', 'bb', '', 'ü'), { minLength: 1, maxLength: 8 }),
    fc.array(fc.tuple(fc.nat(2), fc.nat(2), word), { maxLength: 4 }),
    (content, steps) => {
      const text = content.map((line) => `${line}\n`).join('');
      const ranges: { startLine: number; endLine: number; text: string }[] = [];
      let next = 1;
      for (const [skip, length, given] of steps) {
        const startLine = next + skip;
        const endLine = startLine + length - 1;
        if (startLine > content.length + 1 || endLine > content.length) break;
        ranges.push({ startLine, endLine, text: given });
        next = endLine + 1;
      }
      const expected = byLines(text, ranges);
      assert.deepEqual(plan(text, ranges), { result: expected });
      // In whatever order they are given, as long as no two begin at one line.
      if (new Set(ranges.map(({ startLine }) => startLine)).size === ranges.length)
        assert.deepEqual(plan(text, ranges.toReversed()), { result: expected });
    },
  );
  fc.assert(property, { seed, numRuns: 1000 });
});

/** The same searches, by building the whole text anew for each. */
function byTexts(
  text: string,
  searches: readonly { find: string; replace: string; all: boolean }[],
): string | [problem: string, edit: number] {
  let result = text;
  for (const [edit, { find: what, replace, all }] of searches.entries()) {
    const pieces = result.split(what);
    if (pieces.length === 1) return ['not-found', edit];
    if (!all && result.indexOf(what) !== result.lastIndexOf(what)) return ['ambiguous', edit];
    result = pieces.join(replace);
  }
  return result;
}

test('searches do what splitting and joining the whole text does, whatever the characters are', () => {
  const seed = testSeed();
  const text = (minLength: number, maxLength: number): fc.Arbitrary<string> =>
    fc
      .array(fc.constantFrom('a', 'a', 'b', '\n', '\r\n', 'ü', '💡', '\ud83d', '\udca1'), { minLength, maxLength })
      .map((units) => units.join(''));
  const searches = fc.array(fc.record({ find: text(1, 3), replace: text(0, 3), all: fc.boolean() }), { minLength: 1, maxLength: 5 });
  const property = fc.property(text(0, 30), searches, (content, given) => {
    const planned = plan(content, given);
    const found = 'problem' in planned ? [planned.problem.problem, planned.problem.edit] : planned.result;
    assert.deepEqual(found, byTexts(content, given));
  });
  fc.assert(property, { seed, numRuns: 3000 });
});

test('a text that searches would make too long is not made (long form)', () => {
  const doubling = Array.from({ length: 60 }, () => find('a', 'aa', true));
  const doubled = plan('a'.repeat(10), doubling);
  assert.ok('problem' in doubled);
  assert.deepEqual([doubled.problem.problem, doubled.problem.edit], ['too-long', 16]);
  const cases: [text: string, replacements: Replacement[], edit: number | undefined][] = [
    ['a'.repeat(150), [find('a', 'b'.repeat(1_000_000), true), find('b', 'c', true)], 0],
    ['x', [find('x', 'y'.repeat(1_000_001))], 0],
    ['x', [find('x', 'y'.repeat(1_000_000)), find('y', 'z', true)], undefined],
    ['x'.repeat(1_000_001), [find('x', 'y', true)], undefined],
    ['x'.repeat(1_000_001), [find('x', '', true)], undefined],
  ];
  for (const [text, replacements, edit] of cases) {
    const planned = plan(text, replacements);
    assert.deepEqual(
      'problem' in planned ? [planned.problem.problem, planned.problem.edit] : [],
      edit === undefined ? [] : ['too-long', edit],
    );
  }
});
