import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fileError } from './file-errors.ts';

test('what the system says of a file, or of the workspace itself, names it', () => {
  const said = (code: string, path: string): string => fileError(Object.assign(new Error(code), { code }), path).message;
  assert.equal(said('EMFILE', 'a/b.txt'), 'a/b.txt could not be opened: too many open files.');
  assert.equal(said('EMFILE', ''), 'The workspace could not be opened: too many open files.');
  assert.equal(said('EIO', 'a/b.txt'), 'a/b.txt could not be used.');
  assert.equal(said('EIO', ''), 'The workspace could not be used.');
});
