import assert from 'node:assert/strict';
import { test } from 'node:test';
import { storeError } from './store-error.ts';

test('what git says of the store becomes a reason', () => {
  const table: [string, string][] = [
    ['fatal: unable to write loose object file: No space left on device', 'DISK_FULL'],
    ["fatal: sha1 file '/state/checkpoints.git/index.lock' write error. Out of diskspace", 'DISK_FULL'],
    ["error: unable to write file a: Disk quota exceeded\nfatal: can't go on", 'DISK_FULL'],
    ['fatal: bad object 0123', 'CHECKPOINT_LOST'],
    ['fatal: something else', 'GIT_FAILED'],
  ];
  for (const [stderr, reason] of table) assert.equal(storeError(128, stderr).reason, reason, stderr);
});
