import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { withScratchFolder } from '../../../test/kit/scratch-folder.ts';
import { removeAll } from './temporaries.ts';

test('a folder is removed with all in it, what is gone already and what may not be written to included, and what links lead to is not', (t) =>
  withScratchFolder('temporaries', (scratch) => {
    const folder = path.join(scratch, 'folder');
    const beside = path.join(scratch, 'beside');
    fs.mkdirSync(path.join(folder, 'sub/deep'), { recursive: true });
    fs.mkdirSync(beside);
    fs.writeFileSync(path.join(beside, 'kept'), '');
    fs.symlinkSync(beside, path.join(folder, 'link'));
    // Other systems refuse such names.
    if (process.platform === 'linux') fs.writeFileSync(Buffer.concat([Buffer.from(`${folder}/sub/`), Buffer.from([0xff])]), '');
    for (const name of ['a', 'b', 'sub/deep/c']) fs.writeFileSync(path.join(folder, name), '');
    fs.chmodSync(path.join(folder, 'sub/deep'), 0o500);
    const remove = { unlinkSync: fs.unlinkSync.bind(fs), rmdirSync: fs.rmdirSync.bind(fs) };
    let count = 0;
    for (const name of ['unlinkSync', 'rmdirSync'] as const)
      t.mock.method(fs, name, (at: Buffer) => {
        // Another program is first with every second one.
        if (count++ % 2 === 0) remove[name](at);
        remove[name](at);
      });
    removeAll(folder);
    removeAll(folder);
    assert.deepEqual([fs.existsSync(folder), fs.readdirSync(beside)], [false, ['kept']]);
    assert.ok(count > 6);
  }));
