import assert from 'node:assert/strict';
import { test } from 'node:test';
import { sameWords } from './same-words.ts';

test('of a change that leaves the text as it is it is said what changed', () => {
  const facts = { against: 'staged', before: 'HEAD', entry: undefined, hunks: 0 } as const;
  const entry = { path: 'b/new.txt', from: undefined, letter: 'M' } as const;
  const moved = { ...entry, from: 'b/old.txt', letter: 'R' } as const;
  assert.equal(sameWords({ ...facts, entry: moved }), 'Only its name changed: old.txt → new.txt.');
  assert.equal(sameWords({ ...facts, entry: { ...moved, from: 'a/new.txt' } }), 'Only its place changed: a/new.txt → b/new.txt.');
  assert.equal(sameWords({ ...facts, entry }), 'Only its mode changed.');
  assert.equal(sameWords({ ...facts, against: 'index', entry }), 'Only its mode changed.');
  assert.equal(sameWords({ ...facts, entry, hunks: 1 }), 'Only the ends of its lines changed.');
  assert.equal(sameWords({ ...facts, entry: { ...entry, letter: 'A' } }), 'It is new, and empty.');
  assert.equal(sameWords({ ...facts, entry: { ...entry, letter: 'D' } }), 'It is deleted, and was empty.');
});

test('and where nothing changed that too', () => {
  const facts = { before: 'HEAD', entry: undefined, hunks: 0 };
  assert.equal(sameWords({ ...facts, against: 'staged' }), 'Nothing of it is staged any more.');
  assert.equal(sameWords({ ...facts, against: 'index' }), 'There is nothing left to stage or discard here.');
  assert.equal(sameWords({ ...facts, against: 'checkpoint:3' }), 'It is as it was at the checkpoint.');
  assert.equal(sameWords({ ...facts, against: 'change:3-5' }), 'It held the same text before and after.');
  assert.equal(sameWords({ ...facts, against: 'change:3-5', made: 'created' }), 'It was empty when it was created.');
  assert.equal(sameWords({ ...facts, against: undefined }), 'It is the same as at HEAD.');
});

test('of a file that is on one side alone, and of one that is on neither, it is not said to be the same', () => {
  const facts = { against: undefined, before: 'HEAD', entry: undefined, hunks: 0 };
  const words = (before: boolean, after: boolean): string => sameWords({ ...facts, there: { before, after } });
  assert.equal(words(true, true), 'It is the same as at HEAD.');
  assert.equal(words(true, false), 'It is deleted, and was empty.');
  assert.equal(words(false, true), 'It is new, and empty.');
  assert.equal(words(false, false), 'It is not there, and was not at HEAD.');
});
