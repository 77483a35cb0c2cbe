import assert from 'node:assert/strict';
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { Readable } from 'node:stream';
import { describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { createClient } from '../../src/client/client.ts';
import { OutriggerError } from '../../src/contract/errors.ts';
import type { Operations } from '../../src/contract/operations.ts';
import { cause, chunks, fails, openWorkspace, withWorkspace } from '../kit/workspace-harness.ts';
import { eventually } from '../kit/eventually.ts';
import { withScratchFolder } from '../kit/scratch-folder.ts';
import { testSeed } from '../kit/seed.ts';
import { withSidecar } from '../kit/sidecar.ts';
import { processToken, spawnSidecar } from '../kit/sidecar-process.ts';
import { withSmallDisk } from '../kit/small-disk.ts';
import { contentOf, isWhole } from '../kit/whole-contents.ts';

const MB = 1024 * 1024;
const kit = path.join(import.meta.dirname, '..', 'kit');

async function startChild(program: string, ...parameters: string[]): Promise<ChildProcess> {
  const child = spawn(process.execPath, [path.join(kit, program), ...parameters], { stdio: ['ignore', 'pipe', 'inherit'] });
  await Promise.race([once(child.stdout, 'data'), once(child, 'exit').then(([code]) => assert.fail(`${program} ended with ${code}`))]);
  return child;
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  child.kill('SIGKILL');
  await once(child, 'exit');
}

test('nothing outside is read or written while a folder is swapped for a link under thousands of calls', () =>
  withWorkspace(async ({ workspace, at, put, outside }) => {
    put('flip/file', 'inside');
    put('source', 'inside');
    fs.writeFileSync(path.join(outside, 'file'), 'outside');
    const facts = (): string =>
      JSON.stringify(
        fs
          .readdirSync(outside)
          .map((name) => [name, fs.readFileSync(path.join(outside, name), 'utf8'), fs.statSync(path.join(outside, name)).ino]),
      );
    const before = facts();
    const flipper = await startChild('link-flipper.ts', at('flip'), outside);
    const outcomes = new Map<string, number>();
    const attempt = async (work: () => unknown): Promise<void> => {
      let outcome = 'ok';
      try {
        const found = (await work()) as { bytes?: Uint8Array } | undefined;
        if (found?.bytes !== undefined) assert.notEqual(Buffer.from(found.bytes).toString(), 'outside');
      } catch (error) {
        assert.ok(error instanceof OutriggerError, String(error));
        outcome = error.reason;
      }
      outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
    };
    try {
      const rename = { overwrite: true, parents: false, cause };
      const deadline = performance.now() + 3000;
      for (let n = 0; performance.now() < deadline || (outcomes.get('PATH_ESCAPES') ?? 0) < 20; n++) {
        assert.equal(flipper.exitCode, null);
        await attempt(() => workspace.read('flip/file', MB));
        await attempt(() => workspace.write('flip/file', Buffer.from(`inside ${n}`), { cause, parents: false }));
        await attempt(() => workspace.write('flip/new', chunks('in', 'side'), { cause, parents: false }));
        await attempt(() => workspace.remove('flip/new', false, { cause }));
        await attempt(() => workspace.copy('source', 'flip/copy', rename));
        await attempt(() => workspace.move('flip/copy', 'flip/moved', rename));
        await attempt(() => workspace.mkdir(`flip/made${n % 10}`, false, cause));
        await attempt(() => workspace.remove(`flip/made${n % 10}`, true, { cause }));
        await attempt(async () => {
          for await (const entry of workspace.list('flip', true, () => true)) assert.notEqual(entry.size, 'outside'.length);
        });
      }
    } finally {
      await end(flipper);
    }
    assert.equal(facts(), before);
    const said = JSON.stringify([...outcomes]);
    assert.ok((outcomes.get('ok') ?? 0) > 100, said);
    for (const reason of outcomes.keys())
      assert.ok(
        ['ok', 'PATH_ESCAPES', 'FILE_NOT_FOUND', 'BUSY_FILE', 'NOT_A_DIRECTORY', 'FILE_EXISTS', 'NOT_EMPTY'].includes(reason),
        said,
      );
  }));

test('a file is one of its contents, whole, whenever its writer is killed; what was left is swept and mended at the next start', async () => {
  const seed = testSeed();
  let random = seed;
  const next = (): number => (random = (random * 1103515245 + 12345) % 2 ** 31) / 2 ** 31;
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'outrigger-kill-'));
  const at = (name: string): string => path.join(folder, 'root', name);
  try {
    fs.mkdirSync(path.join(folder, 'root'));
    for (const name of ['replaced', 'linked']) fs.writeFileSync(at(name), contentOf(0));
    fs.linkSync(at('linked'), at('other-name'));
    let torn = 0;
    for (let round = 0; round < 30; round++) {
      const writer = await startChild('workspace-writer.ts', folder);
      assert.ok(isWhole(fs.readFileSync(path.join(folder, 'mended'))), `round ${round}: the linked file was not mended`);
      await sleep(next() * 60);
      await end(writer);
      assert.ok(isWhole(fs.readFileSync(at('replaced'))), `round ${round}: the replaced file is torn`);
      if (!isWhole(fs.readFileSync(at('linked')))) torn++;
      assert.ok(fs.readdirSync(at('')).length <= 4, 'temporary files pile up');
    }
    const { state, workspace } = openWorkspace(folder);
    workspace.recover();
    workspace.close();
    state.close();
    assert.deepEqual(fs.readdirSync(at('')).sort(), ['linked', 'other-name', 'replaced']);
    assert.ok(isWhole(fs.readFileSync(at('linked'))));
    assert.equal(fs.statSync(at('linked')).nlink, 2);
    console.log(`torn in place and mended: ${torn} of 30`);
  } finally {
    fs.rmSync(folder, { recursive: true, force: true });
  }
});

describe('a full disk', () => {
  test('in the middle of a write leaves the old content and no temporary file, in place too', (context) =>
    withSmallDisk(context, 512, async (disk) => {
      const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'outrigger-full-'));
      fs.symlinkSync(disk, path.join(folder, 'root'));
      const { state, workspace } = openWorkspace(folder);
      const at = (name: string): string => path.join(disk, name);
      try {
        fs.writeFileSync(at('replaced'), 'old');
        fs.writeFileSync(at('linked'), 'o'.repeat(100_000));
        fs.linkSync(at('linked'), at('other-name'));
        const big = Buffer.alloc(600_000, 'x');
        await fails('DISK_FULL', () => workspace.write('replaced', big, { cause }));
        await fails('DISK_FULL', () => workspace.write('new/file', chunks(big.subarray(0, 300_000), big), { cause }));
        assert.equal(fs.readFileSync(at('replaced'), 'utf8'), 'old');
        // The temporary file fits, the grown file does not.
        await fails('DISK_FULL', () => workspace.write('linked', big.subarray(0, 300_000), { cause }));
        assert.equal(fs.readFileSync(at('other-name'), 'utf8'), 'o'.repeat(100_000));
        assert.deepEqual(fs.readdirSync(disk).sort(), ['linked', 'new', 'other-name', 'replaced']);
        assert.deepEqual(fs.readdirSync(at('new')), []);
        assert.deepEqual(fs.readdirSync(path.join(state.folder, 'in-place')), []);
        fs.rmSync(at('linked'));
        fs.rmSync(at('other-name'));
        await workspace.write('replaced', Buffer.alloc(200_000, 'y'), { cause });
      } finally {
        workspace.close();
        state.close();
        fs.rmSync(folder, { recursive: true, force: true });
      }
    }));

  test('of the state does not stop the sidecar: it says so, tells followers to resync, and recovers', (context) =>
    withSmallDisk(context, 2048, async (disk) => {
      await withSidecar(
        async ({ client, put }) => {
          await client.call('files.write', { path: 'a', text: 'one' });
          const { cursor } = await client.call('changes.since', {});
          fs.writeFileSync(path.join(disk, 'filler'), Buffer.alloc(100_000));
          assert.throws(() => fs.appendFileSync(path.join(disk, 'filler'), Buffer.alloc(3 * MB)), { code: 'ENOSPC' });
          const health = async (): Promise<string> =>
            JSON.stringify((await client.call('system.health', {})).checks.find(({ name }) => name === 'state'));
          // What SQLite holds already still takes some.
          for (let n = 0; n < 2000 && /true/.test(await health()); n++)
            await client.call('files.write', { path: `f${n % 20}`, text: `${n}` });
          assert.match(await health(), /"ok":false.*can't be written/);
          assert.equal((await client.call('files.read', { path: 'a' })).text, 'one');
          const written = await client.call('files.write', { path: 'a', text: 'two' });
          assert.match((await client.call('changes.since', { cursor })).resync ?? '', /./);
          put('outside');
          await eventually(async () => {
            const { changes, resync } = await client.call('changes.since', { cursor: written.cursor });
            assert.equal(resync, undefined);
            assert.deepEqual(
              changes.map(({ path: where }) => where),
              ['outside'],
            );
          });
          fs.rmSync(path.join(disk, 'filler'));
          await client.call('files.write', { path: 'a', text: 'three' });
          assert.match(await health(), /"ok":true/);
          assert.equal((await client.call('changes.since', { cursor: written.cursor })).changes.length, 2);
        },
        { config: { state: path.join(disk, 'state') }, mayLogErrors: true },
      );
    }));

  test('of the state is what a call is told that has to store something', (context) =>
    withSmallDisk(context, 2048, async (disk) => {
      await withSidecar(
        async ({ client }) => {
          fs.writeFileSync(path.join(disk, 'filler'), Buffer.alloc(100_000));
          assert.throws(() => fs.appendFileSync(path.join(disk, 'filler'), Buffer.alloc(3 * MB)), { code: 'ENOSPC' });
          const create = async (): Promise<void> => {
            for (let n = 0; n < 900; n++) await client.call('tokens.create', { name: `token ${n} ${'x'.repeat(50)}`, access: 'read' });
          };
          await assert.rejects(create(), { reason: 'DISK_FULL' });
        },
        { config: { state: path.join(disk, 'state') } },
      );
    }));

  test('of another file system below the workspace is told for what it is, and moves go there as a copy', (context) =>
    withSmallDisk(context, 512, async (disk) => {
      await withWorkspace(async ({ workspace, at, put, told, read }) => {
        fs.mkdirSync(at('mounted'));
        try {
          execFileSync('mount', ['--bind', disk, at('mounted')], { stdio: 'ignore' });
          put('a/b', 'text');
          put('big', 'x'.repeat(600_000));
          await workspace.move('a', 'mounted/a', { overwrite: false, parents: true, cause });
          assert.equal(read('mounted/a/b'), 'text');
          assert.equal(fs.existsSync(at('a')), false);
          assert.deepEqual(told(), ['moved a → mounted/a']);
          await fails('DISK_FULL', () => workspace.move('big', 'mounted/big', { overwrite: false, parents: true, cause }));
          assert.equal(read('big').length, 600_000);
        } finally {
          execFileSync('umount', ['-l', at('mounted')]);
        }
      });
    }));
});

describe('an upload', () => {
  const request = (url: string, body: AsyncIterable<Uint8Array>, signal?: AbortSignal): Promise<Response> =>
    fetch(`${url}/api/files/big`, {
      method: 'PUT',
      headers: { authorization: `Bearer ${processToken}` },
      body: Readable.from(body) as unknown as BodyInit,
      duplex: 'half',
      ...(signal === undefined ? {} : { signal }),
    } as RequestInit);

  async function withProcess(run: (url: string, root: string) => Promise<void>): Promise<void> {
    const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'outrigger-upload-'));
    const root = path.join(folder, 'root');
    fs.mkdirSync(root);
    const sidecar = await spawnSidecar({ root, state: path.join(folder, 'state'), port: 0 });
    try {
      await run(sidecar.url, root);
      assert.equal(await sidecar.stop(), 0);
    } finally {
      await end(sidecar.child);
      fs.rmSync(folder, { recursive: true, force: true });
    }
  }

  test('of hundreds of megabytes, and the download of the same, take little memory (long form)', () =>
    withProcess(async (url) => {
      const client = createClient<Operations>({ url, token: processToken, webSocket: undefined });
      const memory = async (): Promise<number> => (await client.call('system.health', {})).memoryBytes;
      const total = 300;
      const before = await memory();
      let most = before;
      const chunk = Buffer.alloc(MB, 'x');
      const body = async function* (): AsyncGenerator<Uint8Array> {
        for (let n = 0; n < total; n++) {
          if (n % 20 === 0) most = Math.max(most, await memory());
          yield chunk;
        }
      };
      assert.equal((await request(url, body())).status, 201);
      const response = await fetch(`${url}/api/files/big`, { headers: { authorization: `Bearer ${processToken}` } });
      let size = 0;
      for await (const part of response.body ?? []) size += (part as Uint8Array).length;
      assert.equal(size, total * MB);
      most = Math.max(most, await memory());
      assert.ok(most - before < 100 * MB, `memory grew by ${Math.round((most - before) / MB)} MB`);
      client.close();
    }));

  test('whose sender goes away in the middle leaves nothing', () =>
    withProcess(async (url, root) => {
      const controller = new AbortController();
      const body = async function* (): AsyncGenerator<Uint8Array> {
        yield Buffer.alloc(MB);
        await eventually(() => fs.readdirSync(root).some((name) => name.startsWith('.outrigger-')));
        controller.abort();
        yield Buffer.alloc(MB);
      };
      await assert.rejects(request(url, body(), controller.signal));
      await eventually(() => assert.deepEqual(fs.readdirSync(root), []));
    }));
});

test('a second sidecar on a folder only reads and names the first; after that one was killed, a new one writes', async () => {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'outrigger-second-'));
  const options = { root: path.join(folder, 'root'), state: path.join(folder, 'state'), port: 0 };
  fs.mkdirSync(options.root);
  const running = [await spawnSidecar(options)];
  const write = async (n: number): Promise<unknown> => {
    const client = createClient<Operations>({ url: running[n]?.url ?? '', token: processToken, webSocket: undefined });
    try {
      return await client.call('files.write', { path: 'a', text: `${n}` });
    } finally {
      client.close();
    }
  };
  try {
    await write(0);
    running.push(await spawnSidecar(options));
    assert.match(running[1]?.log() ?? '', /"event":"workspace\.read-only".*another sidecar/);
    await fails('READ_ONLY', () => write(1), new RegExp(`another sidecar \\(process ${running[0]?.child.pid}, since`));
    await write(0);
    await running[0]?.kill();
    running.push(await spawnSidecar(options));
    await write(2);
    await fails('READ_ONLY', () => write(1));
    assert.equal(fs.readFileSync(path.join(options.root, 'a'), 'utf8'), '2');
    assert.equal(await running[2]?.stop(), 0);
    assert.equal(await running[1]?.stop(), 0);
  } finally {
    for (const { child } of running) await end(child);
    fs.rmSync(folder, { recursive: true, force: true });
  }
});

test('a sidecar that can not say in its state where it listens starts all the same, and warns', () =>
  withScratchFolder('unannounced', async (folder) => {
    const state = path.join(folder, 'own-state');
    // Nothing can be renamed over it.
    fs.mkdirSync(path.join(state, 'listening.json', 'in-the-way'), { recursive: true });
    await withSidecar(
      async ({ client, log }) => {
        assert.equal((await client.call('system.health', {})).ready, true);
        assert.deepEqual(
          log.filter(({ level }) => level === 'warn').map(({ event }) => event),
          ['sidecar.unannounced'],
        );
      },
      { config: { state } },
    );
  }));
