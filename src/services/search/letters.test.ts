import assert from 'node:assert/strict';
import { test } from 'node:test';
import fuzzysort from 'fuzzysort';
import { Random } from '../../../test/kit/random.ts';
import { testSeed } from '../../../test/kit/seed.ts';
import { Letters, QueryLetters } from './letters.ts';

const ascii = [...'abcdefghijklmnopqrstuvwxyz0123456789 -./_'];

function has(text: string, query: string): boolean {
  return new Letters([text]).find(new QueryLetters(query)).length === 1;
}

test('a text has the letters of a query in order, upper case and accents aside', () => {
  const texts = ['src/core/Main.ts', 'src/Café.ts', 'docs/größe.md', 'ma.ts', ''];
  const letters = new Letters(texts);
  const found = (query: string): string[] => letters.find(new QueryLetters(query)).map((index) => texts[index] as string);
  assert.deepEqual(found('scmain'), ['src/core/Main.ts']);
  assert.deepEqual(found('MA'), ['src/core/Main.ts', 'ma.ts']);
  assert.deepEqual(found('ts ma'), ['src/core/Main.ts', 'ma.ts']);
  assert.deepEqual(found('cafe'), ['src/Café.ts']);
  assert.deepEqual(found('GRÖSSE'), []);
  assert.deepEqual(found('groß'), ['docs/größe.md']);
  assert.deepEqual(found('niam'), []);
});

test('whatever fuzzysort takes for a match has the letters: each character alone', () => {
  const missing: string[] = [];
  const check = (text: string, query: string): void => {
    if (fuzzysort.single(query, text) !== null && !has(text, query)) missing.push(JSON.stringify([text, query]));
  };
  for (let unit = 0; unit < 0x10000; unit++) {
    const character = String.fromCharCode(unit);
    for (const query of [character, character.toUpperCase(), character.toLowerCase()]) check(character, query);
    if (unit >= 0x2400) continue;
    for (const other of ascii) {
      check(character, other);
      check(other, character);
    }
  }
  assert.deepEqual(missing, []);
});

test('whatever fuzzysort takes for a match has the letters: texts by chance', () => {
  const random = new Random(testSeed());
  const characters = [...'aabbcxyzABCX019/._- "\\`éÉüøØłßſςΣσİıĞﬁ²½Å人か゚\u0301’“–—', ...'\u00A0\u00A8🙂\n'.split('')];
  const text = (most: number): string => Array.from({ length: random.below(most + 1) }, () => random.of(characters)).join('');
  let matches = 0;
  for (let round = 0; round < 30_000; round++) {
    const [target, query] = [text(12), text(3)];
    if (fuzzysort.single(query.replaceAll(/\s+/g, ' ').trim(), target) === null) continue;
    matches++;
    assert.ok(has(target, query.replaceAll(/\s+/g, ' ').trim()), JSON.stringify([target, query]));
  }
  assert.ok(matches > 500, `${matches} matches`);
});

test('a word that begins with the letters looks best, then words that begin with one each, then what holds them', () => {
  const texts = ['x/amain.ts', 'm/a/i/n.ts', 'x/main.ts', 'xxmxxaxxixxn.ts', 'main.ts'];
  const query = new QueryLetters('main');
  const letters = new Letters(texts);
  const order = texts.toSorted((one, other) => letters.looks(query, texts.indexOf(other)) - letters.looks(query, texts.indexOf(one)));
  assert.deepEqual(order, ['main.ts', 'x/main.ts', 'm/a/i/n.ts', 'x/amain.ts', 'xxmxxaxxixxn.ts']);
});
