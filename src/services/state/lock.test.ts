import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { type RunningProgram, runProgram } from '../../../test/kit/running-program.ts';
import { withScratchFolder } from '../../../test/kit/scratch-folder.ts';
import { FolderLock } from './lock.ts';

const PATIENCE_MS = 200;

/** Another process that says that it tries, tries to get the lock, again and again, and says when it has it. */
function waiter(file: string): RunningProgram {
  const program = `
    import { FolderLock } from ${JSON.stringify(path.join(import.meta.dirname, 'lock.ts'))};
    console.log('trying');
    const again = () => {
      globalThis.lock = FolderLock.acquire(${JSON.stringify(file)});
      if (lock.held) console.log('held');
      else setImmediate(again);
    };
    setImmediate(again);
    setInterval(() => {}, 1000);`;
  return runProgram(process.execPath, ['--input-type=module', '-e', program], { env: process.env, cwd: import.meta.dirname });
}

test('a lock that is held is waited for, as its holder may be about to let it go', () =>
  withScratchFolder('lock', (folder) => {
    const file = path.join(folder, 'lock');
    const first = FolderLock.acquire(file);
    const began = performance.now();
    assert.equal(FolderLock.acquire(file).held, false);
    const took = performance.now() - began;
    assert.ok(took > PATIENCE_MS * 0.8, `${took} ms`);
    first.release();
    const second = FolderLock.acquire(file);
    assert.equal(second.held, true);
    second.release();
    return Promise.resolve();
  }));

for (const removesFolder of [false, true]) {
  test(`who waits for a lock whose file goes${removesFolder ? ' with its folder' : ''} gets the one that the next finds`, () =>
    withScratchFolder('lock', async (folder) => {
      for (let round = 0; round < 5; round++) {
        const below = path.join(folder, 'below');
        fs.mkdirSync(below);
        const file = path.join(below, 'lock');
        const first = FolderLock.acquire(file);
        const other = waiter(file);
        try {
          await other.until(/trying/);
          await new Promise((resolve) => setTimeout(resolve, PATIENCE_MS / 2));
          first.release({ removes: true });
          if (removesFolder) fs.rmSync(below, { recursive: true, force: true });
          await other.until(/held/);
          const next = FolderLock.acquire(file);
          next.release();
          assert.equal(next.held, false, 'two hold the folder');
          assert.match(next.holder ?? '', new RegExp(`process ${other.child.pid},`));
        } finally {
          await other.stop('SIGKILL');
        }
        fs.rmSync(below, { recursive: true, force: true });
      }
    }));
}

test('a lock whose folder was removed takes nothing from who has the new one, and says that nobody would meet it', () =>
  withScratchFolder('lock', (folder) => {
    const file = path.join(folder, 'in', 'lock');
    const first = FolderLock.acquire(file);
    assert.equal(first.isMet, true);
    fs.rmSync(path.dirname(file), { recursive: true });
    assert.equal(first.isMet, false);
    const second = FolderLock.acquire(file);
    assert.deepEqual([second.held, second.isMet, first.isMet], [true, true, false]);
    first.release({ removes: true });
    assert.equal(second.isMet, true);
    assert.ok(fs.existsSync(`${file}.holder`));
    assert.equal(FolderLock.acquire(file).held, false);
    second.release({ removes: true });
    assert.deepEqual([second.isMet, fs.readdirSync(path.dirname(file))], [false, []]);
  }));

test('a lock whose file holds what is no database is held all the same, and met by others', () =>
  withScratchFolder('lock', (folder) => {
    const file = path.join(folder, 'lock');
    for (const content of ['spoilt '.repeat(1000), `SQLite format 3\0${'?'.repeat(4080)}`, 'x']) {
      fs.writeFileSync(`${file}.db`, content);
      const first = FolderLock.acquire(file);
      assert.deepEqual([first.held, first.isMet], [true, true], content.slice(0, 20));
      assert.equal(FolderLock.acquire(file).held, false);
      first.release();
    }
    return Promise.resolve();
  }));

test('a lock whose file is spoilt while another process holds it stays with that', () =>
  withScratchFolder('lock', async (folder) => {
    const file = path.join(folder, 'lock');
    const other = waiter(file);
    try {
      await other.until(/held/);
      fs.appendFileSync(`${file}.db`, 'spoilt '.repeat(1000));
      const mine = FolderLock.acquire(file);
      assert.equal(mine.held, false);
      assert.match(mine.holder ?? '', new RegExp(`process ${other.child.pid},`));
    } finally {
      await other.stop('SIGKILL');
    }
    const mine = FolderLock.acquire(file);
    assert.equal(mine.held, true);
    mine.release();
  }));
