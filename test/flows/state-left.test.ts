// What sidecars leave in the state: for who is killed, and for who comes next with another folder.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { createClient } from '../../src/client/client.ts';
import type { Operations } from '../../src/contract/operations.ts';
import { runProgram } from '../kit/running-program.ts';
import { withScratchFolder } from '../kit/scratch-folder.ts';
import { processToken, spawnSidecar } from '../kit/sidecar-process.ts';

const main = path.join(import.meta.dirname, '../../src/cli/main.ts');

test('read-only sidecars that were killed leave no documents in the state beyond the next start', () =>
  withScratchFolder('left', async (folder, root) => {
    const state = path.join(folder, 'state');
    const logs = (): string[] => fs.readdirSync(state).filter((name) => name.startsWith('documents'));
    const holder = await spawnSidecar({ root, state, port: 0 });
    try {
      const killed = await spawnSidecar({ root, state, port: 0 });
      assert.ok(logs().length > 1, 'it has its own');
      await killed.kill();
      const living = await spawnSidecar({ root, state, port: 0 });
      try {
        const own = logs().filter((name) => name !== 'documents');
        await holder.kill();
        const next = await spawnSidecar({ root, state, port: 0 });
        try {
          assert.deepEqual(logs(), ['documents', ...own], 'that of one that lives stays');
          assert.equal(await living.stop(), 0);
          assert.deepEqual(logs(), ['documents']);
        } finally {
          await next.kill();
        }
      } finally {
        await living.kill();
      }
    } finally {
      await holder.kill();
    }
  }));

test('of several sidecars one keeps the index, and those of others that were killed are gone with the next', () =>
  withScratchFolder('left', async (folder, root) => {
    const state = path.join(folder, 'state');
    fs.writeFileSync(path.join(root, 'a.txt'), 'found\n');
    const indexes = (): string[] => fs.readdirSync(state).filter((name) => /^search(-|$)/.test(name) && !name.includes('.'));
    const started: Awaited<ReturnType<typeof spawnSidecar>>[] = [];
    const search = async () => {
      const sidecar = await spawnSidecar({ root, state, port: 0 });
      started.push(sidecar);
      const client = createClient<Operations>({ url: sidecar.url, token: processToken });
      await client.call('index.wait', {});
      client.close();
      return sidecar;
    };
    try {
      await search();
      const killed = await search();
      const [left = ''] = indexes().filter((name) => name !== 'search');
      assert.match(left, /^search-/);
      await killed.kill();
      await search();
      assert.deepEqual([indexes().length, indexes().includes(left)], [2, false]);
    } finally {
      for (const sidecar of started) await sidecar.kill();
    }
  }));

test('a state of another workspace that is still there is refused with 78, and says whose it is', () =>
  withScratchFolder('others', async (folder, root) => {
    const state = path.join(folder, 'state');
    const first = await spawnSidecar({ root, state, port: 0 });
    await first.kill();
    const other = path.join(folder, 'other');
    fs.mkdirSync(other);
    const env = { PATH: process.env['PATH'], HOME: folder, TMPDIR: folder };
    const second = runProgram(process.execPath, [main, 'serve', other, '--port', '0', '--state', state], { env, cwd: other });
    try {
      assert.equal(await second.ended, 78, second.output());
      assert.ok(second.output().includes(`it is of the workspace ${root}, which is still there. ${other} needs another one.`));
      const again = await spawnSidecar({ root, state, port: 0 });
      assert.equal(await again.stop(), 0);
    } finally {
      second.child.kill('SIGKILL');
    }
  }));
