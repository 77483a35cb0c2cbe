import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SearchQuery } from '@codemirror/search';
import { EditorState } from '@codemirror/state';
import { expressionProblem, matchesOf, sayMatches } from './find-matches.ts';

type Asked = ConstructorParameters<typeof SearchQuery>[0];

/** Of a text: what is found in it, and in how many steps. */
function found(doc: string, asked: Asked) {
  const state = EditorState.create({ doc });
  const run = matchesOf(new SearchQuery(asked), state);
  for (let steps = 1; ; steps += 1) {
    const { done, value } = run.next();
    if (done === true)
      return { steps, more: value.more, places: value.places.map(({ from, to }) => `${from}:${state.sliceDoc(from, to)}`) };
  }
}
const places = (doc: string, asked: Asked): string[] => found(doc, asked).places;
/** All that the editor's own search finds, in one go. */
function allOf(doc: string, asked: Asked): string[] {
  const cursor = new SearchQuery(asked).getCursor(EditorState.create({ doc }));
  const all: string[] = [];
  for (let { done, value } = cursor.next(); done !== true; { done, value } = cursor.next())
    all.push(`${value.from}:${doc.slice(value.from, value.to)}`);
  return all;
}

test('a text is found in its order: by case, as a whole word, as an expression, and with what \\n stands for', () => {
  const doc = 'Loan loan loans\nreloan LOAN';
  assert.deepEqual(places(doc, { search: 'loan' }), ['0:Loan', '5:loan', '10:loan', '18:loan', '23:LOAN']);
  assert.deepEqual(places(doc, { search: 'loan', caseSensitive: true }), ['5:loan', '10:loan', '18:loan']);
  assert.deepEqual(places(doc, { search: 'loan', wholeWord: true }), ['0:Loan', '5:loan', '23:LOAN']);
  assert.deepEqual(places(doc, { search: 'loan', wholeWord: true, caseSensitive: true }), ['5:loan']);
  assert.deepEqual(places(doc, { search: '^.?.?loan', regexp: true }), ['0:Loan', '16:reloan']);
  assert.deepEqual(places(doc, { search: 'loan\\b', regexp: true, wholeWord: true, caseSensitive: true }), ['5:loan']);
  assert.deepEqual(places(doc, { search: 's\\nre' }), ['14:s\nre']);
  assert.deepEqual(places(doc, { search: 's\\s+re', regexp: true }), ['14:s\nre']);
  assert.deepEqual(places('aaaa', { search: 'aa' }), ['0:aa', '2:aa'], 'none lies over another');
  assert.deepEqual(places('', { search: 'a' }), []);
  assert.deepEqual(places('a\n\nb', { search: '^$', regexp: true }), ['2:']);
});

test('a large text is looked through in steps', () => {
  const doc = 'a line of thirty-two characters\n'.repeat(20_000);
  const { steps, places, more } = found(doc, { search: 'nowhere' });
  assert.ok(steps >= 15 && steps <= 40, `${steps} steps`);
  assert.deepEqual({ places, more }, { places: [], more: false });
  assert.deepEqual(found(`${doc}nowhere`, { search: 'nowhere' }).places, [`${doc.length}:nowhere`]);
  assert.ok(found(doc.replaceAll('\n', ' '), { search: 'nowhere' }).steps >= 15, 'of one line too');
});

test('where one step ends and the next begins nothing is lost, found twice, or read as another word', () => {
  const asked: Asked[] = [
    { search: 'needle' },
    { search: 'needle', caseSensitive: true },
    { search: 'needle', wholeWord: true },
    { search: 'ne+dle', regexp: true },
    { search: 'ne+dle', regexp: true, wholeWord: true },
    { search: '^needle|needle$', regexp: true },
    { search: 'needle\\nneedle' },
    { search: 'needle\\s+needle', regexp: true },
    { search: 'ééé' },
    { search: '$', regexp: true },
  ];
  // Each of these lies over the border once, at each of its characters.
  const words = [
    'needle needle ',
    'unneedled ',
    'needle\nneedle\n',
    'Needleneedle\n',
    'e\u0301e\u0301e\u0301 ',
    '\u{1f600}needle ',
    '\n\n',
  ];
  for (const word of words)
    for (let shift = 0; shift <= word.length; shift += 1) {
      const doc = `${`${'.'.repeat(63)}\n`.repeat(511)}${'.'.repeat(64 - shift)}${word.repeat(3)}${'.'.repeat(2_000)}needle`;
      for (const one of asked)
        assert.deepEqual(places(doc, one), allOf(doc, one), `${JSON.stringify(one)}: ${JSON.stringify(word)}, ${shift} before the border`);
    }
});

test('a thousand are counted at most, and that there are more is known', () => {
  const thousand = 'x\n'.repeat(1_000);
  for (const regexp of [false, true]) {
    const exact = found(thousand, { search: 'x', regexp });
    assert.deepEqual([exact.places.length, exact.more], [1_000, false]);
    const many = found(`${thousand}x${'.'.repeat(1_000_000)}`, { search: 'x', regexp });
    assert.deepEqual([many.places.length, many.more, many.steps], [1_000, true, 1], 'and not the whole text is read for it');
  }
});

test('what is counted is the text as it was when counting began', () => {
  const state = EditorState.create({ doc: `needle\n${'.'.repeat(100_000)}\nneedle` });
  const run = matchesOf(new SearchQuery({ search: 'needle' }), state);
  assert.equal(run.next().done, false);
  state.update({ changes: { from: 0, to: state.doc.length, insert: 'needle needle needle' } });
  let step = run.next();
  while (step.done !== true) step = run.next();
  assert.deepEqual(step.value, {
    places: [
      { from: 0, to: 6 },
      { from: 100_008, to: 100_014 },
    ],
    more: false,
  });
});

test('how many there are is said, and which of them is chosen', () => {
  const place = (at: number) => ({ from: at, to: at + 2 });
  const matches = (total: number, more = false) => ({ places: Array.from({ length: total }, (_, at) => place(at * 10)), more });
  assert.equal(sayMatches(matches(0), place(0)), 'No results');
  assert.equal(sayMatches(matches(1), place(5)), '1 result');
  assert.equal(sayMatches(matches(17), place(5)), '17 results');
  assert.equal(sayMatches(matches(17), place(20)), '3 of 17');
  assert.equal(sayMatches(matches(17), { from: 20, to: 21 }), '17 results', 'a piece of one is none');
  assert.equal(sayMatches(matches(1_000, true), place(5)), '1,000+ results');
  assert.equal(sayMatches(matches(1_000, true), place(9_990)), '1,000 of 1,000+');
});

test('what is no regular expression is said as a sentence', () => {
  const problem = (search: string, regexp = true) => expressionProblem(new SearchQuery({ search, regexp }));
  assert.equal(problem('lo(an'), 'Not a regular expression: unterminated group.');
  assert.equal(problem('a: ['), 'Not a regular expression: unterminated character class.');
  assert.equal(problem('lo(an', false), undefined);
  assert.equal(problem('lo(an)'), undefined);
  assert.equal(problem(''), undefined);
});

test('it is a sentence whatever words the browser has for it', (t) => {
  const query = new SearchQuery({ search: 'lo(an', regexp: true });
  const problem = (words: string): string | undefined => {
    const refusing = class {
      constructor() {
        throw new SyntaxError(words);
      }
    };
    const { mock } = t.mock.method(globalThis, 'RegExp', refusing);
    try {
      return expressionProblem(query);
    } finally {
      mock.restore();
    }
  };
  assert.equal(problem('Invalid regular expression: /lo(an/gmu: Unterminated group'), 'Not a regular expression: unterminated group.');
  assert.equal(problem('Invalid regular expression: missing )'), 'Not a regular expression: missing ).');
  assert.equal(problem('unterminated parenthetical'), 'Not a regular expression: unterminated parenthetical.');
  assert.equal(problem('numbers out of order in {} quantifier.'), 'Not a regular expression: numbers out of order in {} quantifier.');
});
