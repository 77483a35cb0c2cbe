import assert from 'node:assert/strict';
import os from 'node:os';
import { test } from 'node:test';
import { whyUnwritable } from './folder-access.ts';

const refused = (code: string) => () => {
  throw Object.assign(new Error(code), { code });
};

test('a folder in which nothing can be made is told of, and why', () => {
  const user = process.getuid?.() ?? 'its own';
  assert.equal(whyUnwritable(os.tmpdir()), undefined);
  assert.equal(whyUnwritable('/', refused('EACCES')), `the folder may not be written by the user that the sidecar runs as (${user}).`);
  assert.equal(whyUnwritable('/', refused('EROFS')), 'the folder is on a read-only file system.');
  // That it is gone another check says.
  assert.equal(whyUnwritable('/no/such/folder'), undefined);
});
