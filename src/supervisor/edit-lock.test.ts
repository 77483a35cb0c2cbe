import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { withScratchFolder } from '../../test/kit/scratch-folder.ts';
import { acquireEditLock } from './edit-lock.ts';

test('a clock that is set does not take the lock from whoever has it in the same process', (t) =>
  withScratchFolder('lock', async (folder) => {
    const file = path.join(folder, 'lock');
    const release = await acquireEditLock(file, { timeoutMs: 1000 });
    assert.notEqual(release, undefined);
    const now = Date.now;
    for (const byMs of [60_000, -60_000]) {
      t.mock.method(Date, 'now', () => now() + byMs);
      assert.equal(await acquireEditLock(file, { timeoutMs: 50 }), undefined, `set by ${byMs} ms`);
      t.mock.restoreAll();
    }
    await release?.();
    const next = await acquireEditLock(file, { timeoutMs: 1000 });
    assert.notEqual(next, undefined);
    await next?.();
  }));

test('an abandoned lock that can not be taken away is an error, and not tried for ever', { timeout: 10_000 }, () =>
  withScratchFolder('lock', async (folder) => {
    // With what is added to it while it is moved it is longer than a name may be.
    const file = path.join(folder, 'l'.repeat(240));
    fs.writeFileSync(file, JSON.stringify({ pid: 2 ** 22 + 1, host: os.hostname(), began: 1, key: 'gone' }));
    await assert.rejects(acquireEditLock(file, { timeoutMs: 100 }), { code: 'ENAMETOOLONG' });
  }),
);
