import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { describe, test } from 'node:test';
import { eventually } from '../../../test/kit/eventually.ts';
import { buildLauncher } from '../../../test/kit/native-programs.ts';
import { requireTool } from '../../../test/kit/require-tools.ts';
import { withScratchFolder } from '../../../test/kit/scratch-folder.ts';
import { startCaged } from './caged-child.ts';
import { LocalHost } from './local-host.ts';
import { Processes } from './processes.ts';

const skip = process.platform === 'linux' ? requireTool('cc') : 'other systems have no such order';
/** Answers when it was told to, so that what is done right after the start was done. */
const script = 'read line; cat /proc/self/oom_score_adj';

describe('where memory runs out, the kernel ends before us', { skip }, () => {
  for (const way of ['this process', 'a small one'])
    test(`a program of ours that ${way} starts, with all that it starts`, () =>
      withScratchFolder('yield-memory', async (folder) => {
        const launcher = path.join(folder, 'launcher');
        assert.equal(buildLauncher(launcher), false);
        const processes = new Processes({ env: process.env, ...(way === 'this process' ? {} : { launcher }) });
        try {
          const { stdout } = await processes.run({ argv: ['sh', '-c', script], cwd: '/', timeoutMs: 20_000, stdin: '\n' });
          assert.equal(stdout.toString(), '1000\n');
          if (way === 'this process') return;
          // What it starts at once as well.
          const atOnce = await processes.run({ argv: ['cat', '/proc/self/oom_score_adj'], cwd: '/', timeoutMs: 20_000 });
          assert.equal(atOnce.stdout.toString(), '1000\n');
        } finally {
          await processes.stop();
        }
      }));

  test('a program in a terminal', async () => {
    const host = new LocalHost({ find: (program, from) => new Processes({ env: process.env }).find(program, from), env: {} });
    const program = await host.start({ argv: ['sleep', '60'], cwd: '/', env: {}, terminal: { columns: 80, rows: 24 } });
    program.stdout.resume();
    try {
      await eventually(() => assert.equal(fs.readFileSync(`/proc/${program.pid}/oom_score_adj`, 'utf8'), '1000\n'));
    } finally {
      program.signal('SIGKILL');
      await program.exit;
    }
  });

  test('a cage that is started as a program of its own, from its first moment on', () =>
    withScratchFolder('yield-memory', async (folder) => {
      const launcher = path.join(folder, 'launcher');
      assert.equal(buildLauncher(launcher), false);
      const { stdout } = spawnSync(launcher, ['--cage', '--', 'cat', '/proc/self/oom_score_adj'], { encoding: 'utf8' });
      assert.equal(stdout, '1000\n');
    }));

  test('a cage of another program', async () => {
    const argv = ['/bin/sh', '-c', script] as const;
    const child = await startCaged({ argv: [...argv], env: { PATH: '/usr/bin:/bin' }, cwd: '/', keepStdinOpen: true, reports: false });
    let text = '';
    child.stdout.on('data', (bytes) => {
      text += bytes.toString();
    });
    const closed = new Promise<void>((resolve) => child.stdout.once('close', resolve));
    await child.write(Buffer.from('\n'));
    await closed;
    assert.equal(text, '1000\n');
  });
});
