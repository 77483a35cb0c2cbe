import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { longestTurn } from '../../../test/kit/loop-hold.ts';
import { makePassage, removeFolderInPieces } from './run-folders.ts';

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

test('a folder of very many things is removed while others are served; what is closed in it goes, and what its links lead to stays', async () => {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'outrigger-removed-'));
  try {
    const run = path.join(folder, 'run');
    fs.mkdirSync(path.join(run, 'closed/deeper'), { recursive: true });
    fs.mkdirSync(path.join(folder, 'outside'));
    fs.writeFileSync(path.join(folder, 'outside/stays'), '');
    for (let index = 0; index < 5000; index++) fs.mkdirSync(path.join(run, `d${index}`));
    for (let index = 0; index < 5000; index++) fs.writeFileSync(path.join(run, `d${index % 100}/f${index}`), '');
    fs.writeFileSync(path.join(run, 'closed/deeper/file'), '');
    fs.symlinkSync('../../outside', path.join(run, 'closed/link'));
    fs.writeFileSync(Buffer.from(`${run}/closed/bad\xff`, 'latin1'), '');
    fs.chmodSync(path.join(run, 'closed/deeper'), 0);
    fs.chmodSync(path.join(run, 'closed'), 0);
    const longest = await longestTurn(() => removeFolderInPieces(run));
    assert.ok(longest < 100, `${longest} ms`);
    assert.deepEqual(fs.readdirSync(folder), ['outside']);
    assert.deepEqual(fs.readdirSync(path.join(folder, 'outside')), ['stays']);
    // What is short is done in this turn, and what is not there is no error.
    fs.mkdirSync(path.join(run, 'deeper'), { recursive: true });
    void removeFolderInPieces(run);
    assert.ok(!fs.existsSync(run));
    await removeFolderInPieces(run);
  } finally {
    fs.rmSync(folder, { recursive: true, force: true });
  }
});
