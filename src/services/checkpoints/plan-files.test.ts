import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Wanted, withoutBlocked } from './plan-files.ts';

const tree = { object: '1'.repeat(40), mode: '100644' };

/** Stands at the first place and is to be at the second; undefined: nowhere. */
const move = (at: string, from: string): Wanted => ({ file: { path: at, from, found: tree, left: tree }, at, now: tree, mixed: undefined });
const make = (at: string): Wanted => ({ file: { path: at, found: tree, left: undefined }, at, now: undefined, mixed: undefined });
const remove = (at: string): Wanted => ({ file: { path: at, found: undefined, left: tree }, at, now: tree, mixed: undefined });

const left = (wanted: Wanted[], ...blocked: string[]): string[] =>
  withoutBlocked(wanted, new Set(blocked))
    .filter(({ skip }) => skip !== undefined)
    .map(({ at }) => at);

test('what stays where it is leaves those where they are whose place, or whose folder, it takes', () => {
  const chain = [move('b', 'a'), move('c/file', 'b'), move('d', 'c'), move('e', 'd/below/it'), move('z', 'y')];
  assert.deepEqual(left(chain, 'a'), ['b', 'c/file', 'd', 'e']);
  assert.deepEqual(left(chain, 'c'), ['d', 'e']);
  assert.deepEqual(left(chain, 'none'), []);
  assert.deepEqual(left([make('b/in'), move('b', 'a'), remove('c'), make('bc')], 'a'), ['b/in', 'b'], 'names that only begin alike');
  assert.deepEqual(left([make('a'), move('x', 'a/b')], 'a'), ['a'], 'a file that is not made is in nobody’s way');
});

test('of a chain of thousands of moves all are left in one step', () => {
  const chain = Array.from({ length: 5000 }, (_, index) => move(`f${index + 1}/q`, `f${index}`));
  assert.equal(left(chain.reverse(), 'f0').length, 5000);
});
