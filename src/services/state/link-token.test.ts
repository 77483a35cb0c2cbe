import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { storeLinkToken } from './link-token.ts';

function withFolder(run: (folder: string) => void): void {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'outrigger-token-'));
  try {
    run(folder);
  } finally {
    fs.rmSync(folder, { recursive: true, force: true });
  }
}

test('a new token replaces the old one in a config file, and all else in it stays', () => {
  withFolder((folder) => {
    const file = path.join(folder, 'config.json');
    fs.writeFileSync(file, '{\n\t"agent_id": "a",\n\t"token": "old",\n\t"more": [1]\n}\n', { mode: 0o644 });
    storeLinkToken({ file, kind: 'config' }, 'n"w');
    assert.equal(fs.readFileSync(file, 'utf8'), '{\n\t"agent_id": "a",\n\t"token": "n\\"w",\n\t"more": [\n\t\t1\n\t]\n}\n');
    assert.equal(fs.statSync(file).mode & 0o777, 0o600);
    assert.deepEqual(fs.readdirSync(folder), ['config.json']);
  });
});

test('a token file behind a symbolic link is replaced, and the link stays', { skip: process.platform === 'win32' }, () => {
  withFolder((folder) => {
    const real = path.join(folder, 'real');
    const file = path.join(folder, 'token');
    fs.writeFileSync(real, 'old\n');
    fs.symlinkSync(real, file);
    storeLinkToken({ file, kind: 'alone' }, 'new');
    assert.equal(fs.readFileSync(real, 'utf8'), 'new\n');
    assert.ok(fs.lstatSync(file).isSymbolicLink());
  });
});

test('where it can not be stored it throws and what was there stays', () => {
  withFolder((folder) => {
    const file = path.join(folder, 'config.json');
    fs.writeFileSync(file, 'broken meanwhile');
    assert.throws(() => storeLinkToken({ file, kind: 'config' }, 'new'));
    assert.throws(() => storeLinkToken({ file: path.join(folder, 'missing'), kind: 'alone' }, 'new'));
    assert.equal(fs.readFileSync(file, 'utf8'), 'broken meanwhile');
    assert.deepEqual(fs.readdirSync(folder), ['config.json']);
  });
});
