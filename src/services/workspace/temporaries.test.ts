import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { describe, test } from 'node:test';
import { likeOnNfs } from '../../../test/kit/network-clients.ts';
import { withScratchFolder } from '../../../test/kit/scratch-folder.ts';
import { removeAll } from './temporaries.ts';

/** With `beside`, which holds `kept`, and to which `folder/link` leads. */
function withFolders(run: (folder: string, beside: string) => void): Promise<void> {
  return withScratchFolder('temporaries', (scratch) => {
    const folder = path.join(scratch, 'folder');
    const beside = path.join(scratch, 'beside');
    fs.mkdirSync(path.join(folder, 'sub/deep'), { recursive: true });
    fs.mkdirSync(beside);
    fs.writeFileSync(path.join(beside, 'kept'), '');
    fs.symlinkSync(beside, path.join(folder, 'link'));
    for (const name of ['a', 'b', 'sub/deep/c']) fs.writeFileSync(path.join(folder, name), '');
    run(folder, beside);
    assert.deepEqual(fs.readdirSync(beside), ['kept'], 'what a link leads to is not ours');
  });
}

describe('a folder is removed with all in it', { skip: process.platform === 'linux' ? false : 'such volumes are known on Linux' }, () => {
  for (const on of ['a disk', 'NFS'] as const)
    test(`on ${on}, names that are not UTF-8 and folders that may not be written to included`, (t) =>
      withFolders((folder) => {
        if (on === 'NFS') likeOnNfs(t);
        fs.writeFileSync(Buffer.concat([Buffer.from(`${folder}/sub/`), Buffer.from([0xff])]), '');
        fs.chmodSync(path.join(folder, 'sub/deep'), 0o500);
        removeAll(folder);
        assert.equal(fs.existsSync(folder), false);
        removeAll(folder);
        removeAll(path.join(folder, 'in what is gone'));
      }));

  test('on NFS, where another program is first with some of it', (t) =>
    withFolders((folder) => {
      likeOnNfs(t);
      let count = 0;
      for (const name of ['unlinkSync', 'rmdirSync'] as const) {
        const remove = fs[name].bind(fs);
        t.mock.method(fs, name, (at: Buffer) => {
          if (count++ % 2 === 0) remove(at);
          remove(at);
        });
      }
      removeAll(folder);
      assert.deepEqual([fs.existsSync(folder), count > 5], [false, true]);
    }));

  test('on NFS, but not what is behind a link that a program puts in the place of a folder meanwhile', (t) =>
    withFolders((folder, beside) => {
      likeOnNfs(t);
      const open = fs.openSync.bind(fs);
      let isSwapped = false;
      t.mock.method(fs, 'openSync', (at: string | Buffer, flags: number) => {
        const descriptor = open(at, flags);
        if (isSwapped || !String(at).endsWith('/sub')) return descriptor;
        isSwapped = true;
        fs.renameSync(path.join(folder, 'sub'), path.join(folder, 'moved'));
        fs.symlinkSync(beside, path.join(folder, 'sub'));
        return descriptor;
      });
      assert.throws(() => removeAll(folder), { code: 'ENOTDIR' });
      assert.equal(isSwapped, true);
    }));
});
