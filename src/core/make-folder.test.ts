import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { withScratchFolder } from '../../test/kit/scratch-folder.ts';
import { type FolderMaking, makeFolder } from './make-folder.ts';

const node: FolderMaking = { fs, path };

test('a folder is made with those above it, and the first that was not there is answered', () =>
  withScratchFolder('make', (_folder, root) => {
    const deep = path.join(root, 'a', 'b', 'c');
    assert.equal(makeFolder(deep, 0o700, node), path.join(root, 'a'));
    for (const made of ['a', 'a/b', 'a/b/c']) assert.equal(fs.statSync(path.join(root, made)).mode & 0o777, 0o700, made);
    assert.equal(makeFolder(deep, 0o700, node), undefined);
    assert.equal(makeFolder(path.join(deep, 'd'), 0o700, node), path.join(deep, 'd'));
    fs.symlinkSync(deep, path.join(root, 'link'));
    assert.equal(makeFolder(path.join(root, 'link'), 0o700, node), undefined);
  }));

test('what stands in the way of a folder is told: a file, a link that leads nowhere', () =>
  withScratchFolder('make', (_folder, root) => {
    fs.writeFileSync(path.join(root, 'file'), '');
    fs.symlinkSync('nowhere', path.join(root, 'link'));
    for (const at of ['file', 'file/below', 'link', 'link/below'])
      assert.throws(() => makeFolder(path.join(root, at), 0o700, node), /EEXIST: file already exists, mkdir '.*(file|link)'/, at);
  }));

test('where no folder can be made, though the one above is there, it ends after one attempt', () => {
  let attempts = 0;
  const refused: FolderMaking = {
    fs: {
      statSync: (at) => (at === '/proc' ? { isDirectory: () => true } : undefined),
      mkdirSync: (at) => {
        attempts++;
        throw Object.assign(new Error(`ENOENT: no such file or directory, mkdir '${at}'`), { code: 'ENOENT' });
      },
    },
    path: path.posix,
  };
  assert.throws(() => makeFolder('/proc/x/y', 0o700, refused), /mkdir '\/proc\/x'/);
  assert.equal(attempts, 1);
});

test('a folder that another makes meanwhile is as good', () =>
  withScratchFolder('make', (_folder, root) => {
    const both: FolderMaking = {
      fs: {
        statSync: fs.statSync,
        mkdirSync: (at, options) => {
          fs.mkdirSync(at, options);
          fs.mkdirSync(at, options);
        },
      },
      path,
    };
    assert.equal(makeFolder(path.join(root, 'a', 'b'), 0o700, both), path.join(root, 'a'));
  }));
