import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { buildLauncher } from '../../../../test/kit/native-programs.ts';
import { requireTool } from '../../../../test/kit/require-tools.ts';
import { withScratchFolder } from '../../../../test/kit/scratch-folder.ts';
import { ForkServers } from './fork-servers.ts';

const skip = process.platform === 'linux' ? requireTool('cc') : 'cages are for Linux';

test('cages are started where the temporary folder is named from the folder of this process', { skip }, () =>
  withScratchFolder('fork-servers', async (folder) => {
    assert.equal(buildLauncher(path.join(folder, 'launcher')), false);
    const servers = new ForkServers({ launcher: path.join(folder, 'launcher'), now: () => performance.now(), log: () => {} });
    const before = process.env['TMPDIR'];
    const from = process.cwd();
    fs.mkdirSync(path.join(folder, 'below'));
    process.chdir(folder);
    process.env['TMPDIR'] = 'below';
    try {
      assert.equal((await servers.of(undefined))?.isOver, false);
    } finally {
      if (before === undefined) delete process.env['TMPDIR'];
      else process.env['TMPDIR'] = before;
      process.chdir(from);
      await servers.close();
    }
  }),
);
