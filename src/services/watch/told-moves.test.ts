import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ToldMoves } from './told-moves.ts';

const at =
  (place: string, number: number) =>
  (path: string, ino: number): boolean =>
    path === place && ino === number;

test('a file is where the last of its moves brought it, also where it went to and fro, and its folder with it', () => {
  const moves = new ToldMoves();
  moves.add('a', 'b', 7, 0);
  moves.add('b', 'd/c', 7, 1);
  assert.equal(moves.whereIs('a', at('d/c', 7)), 'd/c');
  moves.folderMoved('d', 'e');
  assert.equal(moves.whereIs('a', at('e/c', 7)), 'e/c');
  moves.add('e/c', 'a', 7, 2);
  assert.equal(moves.whereIs('a', at('elsewhere', 7)), undefined);
  assert.equal(moves.whereIs('b', at('a', 7)), 'a');
});

test('of another file that stands there, or went on from there, it says nothing', () => {
  const moves = new ToldMoves();
  moves.add('a', 'b', 7, 0);
  assert.equal(moves.whereIs('a', at('b', 8)), undefined);
  moves.add('b', 'c', 8, 1);
  assert.equal(moves.whereIs('a', at('c', 8)), undefined);
  assert.equal(moves.whereIs('nowhere', at('b', 7)), undefined);
});

test('the last 256 are kept, for ten seconds', () => {
  const moves = new ToldMoves();
  for (let number = 0; number <= 256; number++) moves.add(`old-${number}`, `new-${number}`, number, number);
  const isKnown = (number: number): boolean => moves.whereIs(`old-${number}`, () => true) !== undefined;
  assert.deepEqual([0, 1, 256].map(isKnown), [false, true, true]);
  moves.add('a', 'b', 1, 10_200);
  assert.deepEqual([1, 199, 200].map(isKnown), [false, false, true]);
});
