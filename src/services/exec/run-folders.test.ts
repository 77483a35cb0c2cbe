import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { makePassage } from './run-folders.ts';

const noRoot = { skip: process.getuid?.() === 0 ? false : 'needs root, to give a folder to another user' };

test('all folders that are made on the way to those of runs let others pass, whatever the umask takes', () => {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'outrigger-passage-'));
  const before = process.umask(0o077);
  try {
    makePassage(path.join(folder, 'a', 'b'));
    const modes = ['', 'a', 'a/b'].map((name) => fs.statSync(path.join(folder, name)).mode & 0o777);
    assert.deepEqual(modes, [0o700, 0o711, 0o711]);
  } finally {
    process.umask(before);
    fs.rmSync(folder, { recursive: true });
  }
});

test('where the folder of runs can not be made it is said which option names it', () => {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'outrigger-passage-'));
  try {
    fs.writeFileSync(path.join(folder, 'file'), '');
    fs.symlinkSync('nothing/here', path.join(folder, 'link'));
    const inTheWay = ['file', 'file/deeper', 'link', 'link/deeper'].map((name) => path.join(folder, name));
    for (const at of [...inTheWay, ...(fs.existsSync('/proc/self') ? ['/proc/nothing/deeper'] : [])])
      assert.throws(() => makePassage(at), { reason: 'FILE_PERMISSION', message: /code\.folder/ }, at);
  } finally {
    fs.rmSync(folder, { recursive: true });
  }
});

test('a folder that another user made first, where everybody can, is not used', noRoot, () => {
  const open = fs.mkdtempSync(path.join(os.tmpdir(), 'outrigger-open-'));
  try {
    fs.chmodSync(open, 0o1777);
    fs.mkdirSync(path.join(open, 'theirs'));
    fs.chownSync(path.join(open, 'theirs'), 12_345, 12_345);
    fs.symlinkSync(os.tmpdir(), path.join(open, 'link'));
    fs.lchownSync(path.join(open, 'link'), 12_345, 12_345);
    for (const name of ['theirs', 'theirs/deeper', 'link']) {
      assert.throws(() => makePassage(path.join(open, name)), { reason: 'FILE_PERMISSION' }, name);
    }
    makePassage(path.join(open, 'ours/deeper'));
  } finally {
    fs.rmSync(open, { recursive: true, force: true });
  }
});
