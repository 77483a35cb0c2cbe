import assert from 'node:assert/strict';
import fs from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import os from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { eventually } from '../../../test/kit/eventually.ts';
import { DirWatch } from './dir-watch.ts';
import { compileIgnore } from './ignore.ts';

test('a root that is removed in the very moment in which its watch is made anew is said to be gone', async (t) => {
  const root = fs.mkdtempSync(path.join(os.tmpdir(), 'outrigger-dir-watch-'));
  fs.writeFileSync(path.join(root, 'old'), 'old');
  const gone: boolean[] = [];
  const watch = new DirWatch({ root, ignore: compileIgnore([]), onFact: () => {}, onRootGone: (now) => gone.push(now) });
  const { watch: real } = fs;
  try {
    await watch.start();
    await watch.complete();
    t.mock.method(fs, 'watch', (at: string, listener: fs.WatchListener<string>) => {
      fs.rmSync(root, { recursive: true, force: true });
      return real(at, listener);
    });
    syncBuiltinESMExports();
    // A name that comes or goes has it made anew.
    fs.rmSync(path.join(root, 'old'));
    await eventually(() => assert.deepEqual(gone, [true]), 5000);
  } finally {
    t.mock.restoreAll();
    syncBuiltinESMExports();
    watch.close();
    fs.rmSync(root, { recursive: true, force: true });
  }
});
