import assert from 'node:assert/strict';
import { constants } from 'node:os';
import { test } from 'node:test';
import { fileError } from './file-errors.ts';

test('what the system says of a file, or of the workspace itself, names it', () => {
  const said = (code: string, path: string): string => fileError(Object.assign(new Error(code), { code }), path).message;
  assert.equal(said('EMFILE', 'a/b.txt'), 'a/b.txt could not be opened: too many open files.');
  assert.equal(said('EMFILE', ''), 'The workspace could not be opened: too many open files.');
  assert.equal(said('EIO', 'a/b.txt'), 'a/b.txt could not be used.');
  assert.equal(said('EIO', ''), 'The workspace could not be used.');
  // Node has no name for it.
  const quota = Object.assign(new Error('Unknown system error'), { errno: -constants.errno.EDQUOT, code: 'Unknown system error' });
  assert.deepEqual(
    [fileError(quota, 'a').reason, fileError(quota, 'a').message],
    ['DISK_FULL', 'a could not be written: the quota is used up.'],
  );
});
