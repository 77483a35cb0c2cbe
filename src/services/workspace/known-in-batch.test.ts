import assert from 'node:assert/strict';
import { test } from 'node:test';
import { REMOVED } from './journal.ts';
import { KnownInBatch } from './known-in-batch.ts';

const journal: Readonly<Record<string, string>> = {
  d: 'folder',
  'd/a': 'a',
  'd/in/b': 'b',
  'd/gone': REMOVED,
  dd: 'other',
  'e/old': 'old',
};

const batchOf = (): KnownInBatch => new KnownInBatch((path) => journal[path]);

test('what is in a folder that went is known at its new place, and gone from the old one', () => {
  const moved = batchOf();
  moved.told('d/a', 'changed');
  moved.folderWent('d', 'e');
  moved.told('e', 'folder');
  const now = ['e', 'e/a', 'e/in/b', 'e/gone', 'e/old', 'e/new', 'd', 'd/a', 'd/in/b', 'd/new', 'dd'].map((path) => moved.known(path));
  assert.deepEqual(now, ['folder', 'changed', 'b', REMOVED, undefined, undefined, REMOVED, REMOVED, REMOVED, undefined, 'other']);
  moved.told('d/a', 'anew');
  moved.folderWent('e', 'f');
  assert.deepEqual(
    ['f/a', 'f/in/b', 'e/a', 'd/a'].map((path) => moved.known(path)),
    ['changed', 'b', REMOVED, 'anew'],
  );
});

test('what was in a folder that is gone is gone', () => {
  const batch = batchOf();
  batch.folderWent('d');
  batch.told('d', 'a file');
  assert.deepEqual(
    ['d', 'd/a', 'd/in/b', 'd/new', 'dd'].map((path) => batch.known(path)),
    ['a file', REMOVED, REMOVED, undefined, 'other'],
  );
});
