import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { bytesOf, findFile, findFiles, hashOf, openFile } from './found-files.ts';

async function withFolder(run: (at: (name: string) => string, folder: string) => void | Promise<void>): Promise<void> {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'outrigger-files-'));
  try {
    await run((name) => path.join(folder, name), folder);
  } finally {
    fs.chmodSync(folder, 0o700);
    fs.rmSync(folder, { recursive: true, force: true });
  }
}

test('only plain files of a hostile folder are found; links, pipes, second names, odd names and ours are not', () =>
  withFolder(async (at, folder) => {
    fs.writeFileSync(at('ok'), '1');
    fs.mkdirSync(at('deep/er'), { recursive: true });
    fs.writeFileSync(at('deep/er/ä b'), '22');
    fs.symlinkSync('/etc/passwd', at('link'));
    fs.symlinkSync('/etc', at('deep/folder'));
    fs.symlinkSync('..', at('deep/round'));
    execFileSync('mkfifo', [at('fifo')]);
    fs.writeFileSync(at('one'), '1');
    fs.linkSync(at('one'), at('two'));
    fs.writeFileSync(Buffer.from(`${folder}/bad\xff`, 'latin1'), '1');
    fs.mkdirSync(at('.outrigger-012345'));
    fs.writeFileSync(at('.outrigger-012345/program'), '1');
    const { files, omitted } = await findFiles(folder, 100);
    assert.deepEqual(
      files.map(({ name, size }) => [name, size]),
      [
        ['deep/er/ä b', 2],
        ['ok', 1],
      ],
    );
    assert.equal(omitted, 7);
    assert.deepEqual(findFile(folder, 'ok'), files[1]);
    for (const name of ['link', 'fifo', 'one', 'deep', 'none', 'deep/folder/passwd', '../x']) {
      assert.equal(findFile(folder, name), undefined, name);
      assert.throws(() => openFile(folder, name), { reason: 'FILE_NOT_FOUND' }, name);
    }
  }));

test('very many files and very deep folders are bounded, and a folder that was closed is opened', () =>
  withFolder(async (at, folder) => {
    for (let index = 0; index < 30; index++) fs.writeFileSync(at(`f${index}`), '');
    fs.mkdirSync(at(Array.from({ length: 40 }, () => 'd').join('/')), { recursive: true });
    fs.writeFileSync(at(`${Array.from({ length: 40 }, () => 'd').join('/')}/x`), '');
    const { files, omitted } = await findFiles(folder, 10);
    assert.ok(files.length === 10 && omitted >= 20, `${files.length} ${omitted}`);
    assert.ok(files.every(({ name }) => !name.startsWith('d/')));
    fs.chmodSync(folder, 0);
    assert.equal((await findFiles(folder, 100)).files.length, 30);
    assert.deepEqual(await findFiles(at('none'), 10), { files: [], omitted: 1, diskBytes: 0 });
  }));

test('a change that leaves size and time alone changes the mark', () =>
  withFolder((at, folder) => {
    fs.writeFileSync(at('a'), 'one');
    fs.utimesSync(at('a'), 1, 1);
    const before = findFile(folder, 'a');
    fs.writeFileSync(at('a'), 'two');
    fs.utimesSync(at('a'), 1, 1);
    assert.notEqual(findFile(folder, 'a')?.mark, before?.mark);
    assert.equal(findFile(folder, 'a')?.modified, before?.modified);
  }));

test('bytes that nobody asks for leave nothing open, and those that are read end with a closed file', () =>
  withFolder(async (at, folder) => {
    const isOpen = (): boolean =>
      fs.readdirSync('/proc/self/fd').some((fd) => {
        try {
          return fs.readlinkSync(`/proc/self/fd/${fd}`) === at('big');
        } catch {
          return false;
        }
      });
    fs.writeFileSync(at('big'), Buffer.alloc(200_000, 'x'));
    await bytesOf(folder, 'big').return(undefined);
    assert.ok(!isOpen());
    let length = 0;
    for await (const chunk of bytesOf(folder, 'big')) {
      length += chunk.length;
      assert.ok(isOpen());
    }
    assert.deepEqual([length, isOpen()], [200_000, false]);
    assert.match(await hashOf(folder, 'big'), /^[0-9a-f]{64}$/);
  }));
