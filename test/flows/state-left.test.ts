// What sidecars leave in the state: for who is killed, and for who comes next with another folder.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { createClient } from '../../src/client/client.ts';
import type { Operations } from '../../src/contract/operations.ts';
import { eventually } from '../kit/eventually.ts';
import { runProgram } from '../kit/running-program.ts';
import { withScratchFolder } from '../kit/scratch-folder.ts';
import { withSidecar } from '../kit/sidecar.ts';
import { processToken, spawnSidecar } from '../kit/sidecar-process.ts';
import { unmounted, withSmallDisk } from '../kit/small-disk.ts';
import { openYjsClient } from '../kit/yjs-client.ts';
import { main } from '../kit/command.ts';

test('read-only sidecars that were killed leave no documents in the state beyond the next start (long form)', () =>
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

test('of several sidecars one keeps the index, and those of others that were killed are gone with the next (long form)', () =>
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

test('a state of another workspace that is still there is refused with 78, and says whose it is (long form)', () =>
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

test('a state that finds no place but in the workspace is for admins alone', () =>
  withScratchFolder('state-inside', async (root) => {
    const temporary = path.join(root, 'tmp');
    fs.mkdirSync(temporary);
    const env = { PATH: process.env['PATH'], HOME: root, TMPDIR: temporary, OUTRIGGER_TOKEN: processToken };
    const program = runProgram(process.execPath, [main, 'serve', root, '--port', '0'], { env, cwd: root });
    try {
      const [, url = ''] = await program.until(/"url":"(http:[^"]+)"/);
      const admin = createClient<Operations>({ url, token: processToken });
      const { secret } = await admin.call('tokens.create', { name: 'reader', access: 'read' });
      const reader = createClient<Operations>({ url, token: secret });
      const place = path.relative(root, path.join(temporary, fs.readdirSync(temporary).find((name) => /^outrigger-\d+$/.test(name)) ?? ''));
      const [id = ''] = fs.readdirSync(path.join(root, place));
      const stored = `${place}/${id}/state.db`;
      assert.equal((await admin.call('files.stat', { path: stored })).exists, true);
      for (const name of [stored, `${place}/${id}/token`])
        await assert.rejects(reader.call('files.read', { path: name }), { reason: 'ACCESS_DENIED' });
      for (const client of [admin, reader]) client.close();
    } finally {
      program.child.kill('SIGKILL');
      await program.ended;
    }
  }));

/** What was put there again. */
const leftIn = (folder: string): string[] =>
  fs.existsSync(folder) ? ['.', ...fs.readdirSync(folder, { recursive: true }).map(String)] : [];

const unsaved = { 'documents.saveIdleMs': '60000', 'documents.saveMaxMs': '60000' };

test('a sidecar whose state is removed says so and takes nothing more; what was typed before is merged into its file', () =>
  withSidecar(
    async ({ url, token, client, sidecar, stateFolder, file, put }) => {
      put('a.txt', 'one\ntwo\n');
      const person = openYjsClient(url, { token, room: 'a.txt' });
      const held = async (): Promise<string | undefined> => (await client.call('files.read', { path: 'a.txt' })).text;
      try {
        await person.synced();
        person.text.insert(0, 'typed ');
        await eventually(async () => assert.equal(await held(), 'typed one\ntwo\n'));
        fs.rmSync(stateFolder, { recursive: true });
        await assert.rejects(client.call('tokens.create', { name: 'late', kind: 'service', access: 'read' }), {
          reason: 'READ_ONLY',
          message: /its state was removed or replaced while it ran/,
        });
        await assert.rejects(client.call('files.write', { path: 'b.txt', text: 'late' }), { reason: 'READ_ONLY' });
        const { status, checks } = await client.call('system.health', {});
        const state = checks.find(({ name }) => name === 'state');
        assert.deepEqual(
          [status, state?.ok, state?.hint],
          ['degraded', false, `Start the sidecar again. The state was in ${stateFolder}.`],
        );
        assert.match((await client.call('system.info', {})).readOnly ?? '', /its state was removed/);
        const { readOnly, problem } = await client.call('documents.open', { path: 'a.txt' });
        assert.deepEqual([readOnly, /its state was removed/.test(problem ?? '')], [true, true]);
        person.text.insert(0, 'late ');
        put('a.txt', 'one\ntwo\nthree\n');
        await eventually(async () => assert.equal(await held(), 'typed one\ntwo\nthree\n'));
      } finally {
        person.destroy();
      }
      await sidecar.stop();
      assert.equal(file('a.txt'), 'typed one\ntwo\nthree\n');
      assert.deepEqual(leftIn(stateFolder), []);
    },
    { config: unsaved, mayLogErrors: true },
  ));

test('a state that was removed before anybody searched is not made again for an index, and what is searched is found', () =>
  withSidecar(
    async ({ client, stateFolder, put }) => {
      put('a.txt', 'a rare word\n');
      // What is just being written there keeps a part of it.
      await eventually(() => {
        fs.rmSync(stateFolder, { recursive: true, force: true, maxRetries: 50, retryDelay: 10 });
        return !fs.existsSync(stateFolder);
      });
      const found = client.stream('search.text', { pattern: 'rare' });
      const paths: string[] = [];
      for await (const file of found) paths.push(file.path);
      assert.deepEqual(paths, ['a.txt']);
      assert.deepEqual(leftIn(stateFolder), []);
    },
    { mayLogErrors: true },
  ));

test('unsaved text of a volume waits for it: a start while it is away is refused with 69, and writes nothing there (long form)', (context) =>
  withSmallDisk(context, 1024, (root) =>
    withScratchFolder('volume', async (folder) => {
      const state = path.join(folder, 'state');
      const file = path.join(root, 'a.txt');
      fs.writeFileSync(file, 'one\n');
      const killed = await spawnSidecar({ root, state, port: 0, flags: unsaved });
      const person = openYjsClient(killed.url, { token: processToken, room: 'a.txt' });
      const client = createClient<Operations>({ url: killed.url, token: processToken });
      try {
        await person.synced();
        person.text.insert(0, 'typed ');
        await eventually(async () => assert.equal((await client.call('files.read', { path: 'a.txt' })).text, 'typed one\n'));
      } finally {
        client.close();
        person.destroy();
        await killed.kill();
      }
      {
        using disk = unmounted(root);
        const env = { PATH: process.env['PATH'], HOME: folder, TMPDIR: folder };
        const refused = runProgram(process.execPath, [main, 'serve', root, '--port', '0', '--state', state], { env, cwd: folder });
        try {
          await refused.until(/The volume .* is not mounted\./);
          assert.equal(await refused.ended, 69, refused.output());
          assert.deepEqual(fs.readdirSync(root), []);
        } finally {
          refused.child.kill('SIGKILL');
        }
        disk.mountAgain();
      }
      const again = await spawnSidecar({ root, state, port: 0 });
      assert.equal(await again.stop(), 0);
      assert.equal(fs.readFileSync(file, 'utf8'), 'typed one\n');
    }),
  ));
