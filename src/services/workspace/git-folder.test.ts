import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { withScratchFolder } from '../../../test/kit/scratch-folder.ts';
import { GitFolder } from './git-folder.ts';

test('pipes in place of `.git`, and of the file that says what is shared, hold nothing up', { skip: process.platform === 'win32' }, () =>
  withScratchFolder('git-folder', async (_, root) => {
    const [git, common] = [path.join(root, '.git'), path.join(root, 'repo/commondir')];
    fs.mkdirSync(path.join(root, 'repo'));
    execFileSync('mkfifo', [git, common]);
    // Held open for writing, so that who waits for their end is let go again some time.
    const holder = spawn('sh', ['-c', 'exec 3<>"$0" 4<>"$1"; echo ready; exec sleep 5', git, common], {
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    try {
      await once(holder.stdout, 'data');
      const began = performance.now();
      assert.deepEqual(new GitFolder(root).places, []);
      fs.rmSync(git);
      fs.writeFileSync(git, 'gitdir: repo\n');
      assert.deepEqual(new GitFolder(root).places, ['repo']);
      assert.ok(performance.now() - began < 2000, 'the event loop stood still');
    } finally {
      holder.kill('SIGKILL');
    }
  }),
);
