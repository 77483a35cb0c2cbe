import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isNamelessFile, isPassingName } from './passing-name.ts';

test('names of files that are about to be gone are known, and no others', () => {
  const nameless = ['.nfs000000000000000300000001', '.fuse_hidden0000468700033ccf'];
  for (const name of nameless) assert.ok(isNamelessFile(name) && isPassingName(name), name);
  assert.ok(isPassingName('.outrigger-0123456789ab.tmp'));
  assert.ok(!isNamelessFile('.outrigger-0123456789ab.tmp'));
  for (const name of [
    '.nfs',
    '.nfsrc',
    '.outrigger-notes.tmp',
    '.outrigger-0123456789a.tmp',
    '.nfs00000000000000030000000',
    '.nfs00000000000000030000000Z',
    'a.nfs000000000000000300000001',
    '.fuse_hidden',
    'x',
  ])
    assert.ok(!isPassingName(name), name);
});
