import assert from 'node:assert/strict';
import path from 'node:path';
import { test } from 'node:test';
import { noMachineWith, runOnVolume } from '../kit/network-machine.ts';
import { withScratchFolder } from '../kit/scratch-folder.ts';

const program = path.join(import.meta.dirname, '../kit/network-program.ts');

for (const volume of ['nfs', 'smb'] as const)
  test(
    `a folder on a volume of ${volume} is edited, killed over, changed by another machine and removed as any other`,
    {
      skip: noMachineWith(volume),
    },
    () =>
      withScratchFolder(volume, (folder) => {
        const said = runOnVolume(volume, program, folder, { timeoutMs: 300_000 });
        assert.match(said, /^done\r?\nended with 0\r?$/m, said);
      }),
  );
