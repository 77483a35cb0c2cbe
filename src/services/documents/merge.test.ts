import assert from 'node:assert/strict';
import { test } from 'node:test';
import { hashText } from './lineage.ts';
import { type ForeignHistory, healText, unionTexts } from './merge.ts';
import { threadMs } from '../../../test/kit/loop-hold.ts';
import { testSeed } from '../../../test/kit/seed.ts';

const history = (more: Partial<ForeignHistory>): ForeignHistory => ({
  clientText: '',
  clientBase: undefined,
  serverText: '',
  bases: new Map(),
  hashOf: hashText,
  ...more,
});

test('a client without edits of its own adds nothing, whatever the server has', () => {
  assert.equal(healText(history({ clientText: 'old\n', clientBase: hashText('old\n'), serverText: 'new\n' })), 'new\n');
});

test('a client whose base is known is merged three ways: its removals count', () => {
  const base = 'one\ntwo\nthree\n';
  const healed = healText(
    history({
      clientText: 'one\nthree\n',
      clientBase: hashText(base),
      serverText: 'one\ntwo\nthree\nfour\n',
      bases: new Map([[hashText(base), base]]),
    }),
  );
  assert.equal(healed, 'one\nthree\nfour\n');
});

test('where the base is not known, nothing of either side is lost and nothing stands there twice', () => {
  const healed = healText(history({ clientText: 'a W1w b W2w c\n', clientBase: 'unknown', serverText: 'a b W3w c W2w\n' }));
  for (const word of ['W1w', 'W2w', 'W3w']) assert.equal(healed.split(word).length - 1, 1, word);
});

test('a word that stands in both texts once, at other places, stands in the union once', () => {
  const both = unionTexts('a W1w W2w b\n', 'a W2w W1w b\n');
  for (const word of ['W1w', 'W2w']) assert.equal(both.split(word).length - 1, 1, both);
});

test('what both brought in by edits that only partly meet stands there once', () => {
  const base = 'line 11 of windows W3w .txt\n';
  const healed = healText(
    history({
      clientText: 'line 11 of windows W3w\nW34w\n W26w  .txt\n',
      clientBase: hashText(base),
      serverText: 'line 11 of windows W3w W26w  .txt\n',
      bases: new Map([[hashText(base), base]]),
    }),
  );
  assert.deepEqual(healed.match(/W\d+w/g), ['W3w', 'W34w', 'W26w']);
});

test('a word that would grow together with another counts as one that stands there', () => {
  const base = 'W105w\nW161w W175w \nW165w\n';
  const healed = healText(
    history({
      clientText: 'W105w\nW161w W175w W184w  \nW165w\n',
      clientBase: hashText(base),
      serverText: 'W105w\nW186w\n\nW161w W175w\nW187w\n W184w  \nW165w\n',
      bases: new Map([[hashText(base), base]]),
    }),
  );
  assert.deepEqual(healed.match(/\bW\d+w\b/g), ['W105w', 'W186w', 'W161w', 'W175w', 'W187w', 'W184w', 'W165w']);
});

test('what is joined with two words grown together, one of each side, is merged as text', () => {
  const base = 'a W1w b\n';
  const [clientText, serverText] = ['a W1w\nW2w b\n', 'a W1w\n W3w b\n'];
  const bases = new Map([[hashText(base), base]]);
  const healed = healText(history({ clientText, clientBase: hashText(base), serverText, joined: 'a W1w\nW2wW3w b\n', bases }));
  assert.deepEqual(healed.match(/\w+/g)?.sort(), ['W1w', 'W2w', 'W3w', 'a', 'b'], healed);
});

test('words of the two texts that meet do not grow together', () => {
  assert.deepEqual(unionTexts('marked W1w .txt', 'marked W2w .txt').match(/\bW\dw\b/g), ['W1w', 'W2w']);
});

const unions: [ours: string, theirs: string, both: string][] = [
  ['', '', ''],
  ['', 'x\n', 'x\n'],
  ['x\n', '', 'x\n'],
  ['same\n', 'same\n', 'same\n'],
  ['one\ntwo\n', 'one\ntwo\nthree\n', 'one\ntwo\nthree\n'],
  ['ab😀cd', 'ab😀 cd', 'ab😀 cd'],
];
for (const [ours, theirs, both] of unions) {
  test(`the union of ${JSON.stringify(ours)} and ${JSON.stringify(theirs)} is ${JSON.stringify(both)}`, () =>
    assert.equal(unionTexts(ours, theirs), both));
}

test('words that both have stand in the union once, in 2,000 random cases', (t) => {
  const seed = testSeed();
  t.diagnostic(`SEED=${seed}`);
  let state = seed;
  const random = (): number => {
    state = (Math.imul(state, 1103515245) + 12345) & 0x7fffffff;
    return state / 0x7fffffff;
  };
  for (let round = 0; round < 2000; round++) {
    const shared = Array.from({ length: 12 }, (_, index) => `S${index}s`);
    let next = 0;
    const vary = (): string =>
      shared.map((word) => (random() < 0.3 ? `${word}  N${next++}n\n` : random() < 0.2 ? `${word}\n` : `${word} `)).join('');
    const ours = vary();
    const theirs = vary();
    const both = unionTexts(ours, theirs);
    for (const word of `${ours} ${theirs}`.match(/[SN]\d+[sn]/g) ?? [])
      assert.equal(both.split(word).length - 1, 1, `SEED=${seed} round ${round}: ${word} in ${JSON.stringify(both)}`);
  }
});

test('two texts of 200 KB, of which a third of the words are the same, are brought together in about a second', () => {
  const lines = Array.from(
    { length: 20_000 },
    (_, index) => `a${(index * 7919) % 1_000_003}${index % 5 ? ' ' : ', '}${index % 3 ? 'x' : 'y'}`,
  );
  const ours = lines.join('\n');
  const theirs = lines.map((line, index) => (index % 3 === 0 ? `q${line} new` : line)).join('\n');
  const begunMs = threadMs();
  const both = unionTexts(ours, theirs);
  const tookMs = threadMs() - begunMs;
  assert.ok(tookMs < 6000, `${tookMs} ms`);
  for (let index = 0; index < lines.length; index += 100) assert.ok(both.includes(lines[index] as string), `${index}`);
});
