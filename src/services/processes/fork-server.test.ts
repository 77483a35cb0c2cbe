import assert from 'node:assert/strict';
import fs from 'node:fs';
import { connect } from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { after, describe, test } from 'node:test';
import { buildLauncher } from '../../../test/kit/native-programs.ts';
import { eventually } from '../../../test/kit/eventually.ts';
import { ForkServer } from './fork-server.ts';
import type { CagedChild } from './caged-child.ts';

const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'outrigger-fork-server-'));
const launcher = path.join(folder, 'launcher');
after(() => fs.rmSync(folder, { recursive: true, force: true }));
const skip = buildLauncher(launcher);

const start = (): Promise<ForkServer> => ForkServer.start({ argv: [launcher, '--serve'], env: {}, folder });
const cage = (...argv: string[]): { argv: string[]; env: Record<string, string>; cwd: string; keepStdinOpen: boolean } => ({
  argv: ['--cage', '--report', '3', '--', ...argv],
  env: { PATH: '/usr/bin:/bin' },
  cwd: '/',
  keepStdinOpen: false,
});

async function textOf({ stdout, exit }: CagedChild): Promise<string> {
  let text = '';
  stdout.on('data', (bytes) => {
    text += bytes.toString();
  });
  await Promise.all([new Promise<void>((resolve) => stdout.once('close', resolve)), exit]);
  return text;
}

async function withServer(work: (server: ForkServer) => Promise<void>): Promise<void> {
  const server = await start();
  try {
    await work(server);
  } finally {
    server.close();
  }
}

/** Processes that it started and that are still there. */
const childrenOf = (pid: number): string => fs.readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim();

describe('a fork server', { skip }, () => {
  test('gives each cage its own streams, also a hundred at once, and leaves no file', () =>
    withServer(async (server) => {
      const texts = await Promise.all(
        Array.from({ length: 100 }, async (_, number) => textOf(await server.start(cage('/bin/echo', `number ${number}`)))),
      );
      assert.deepEqual(
        texts,
        Array.from({ length: 100 }, (_, number) => `number ${number}\n`),
      );
      assert.equal(childrenOf(server.pid), '');
      assert.deepEqual(fs.readdirSync(folder), ['launcher']);
    }));

  test('loses no byte of a program that is over before anybody listens', () =>
    withServer(async (server) => {
      for (let round = 0; round < 5; round++) {
        const starting = server.start(cage('/bin/sh', '-c', 'head -c 100000 /dev/zero; echo end'));
        // Nobody reads meanwhile: not even that it runs.
        const until = performance.now() + 60;
        while (performance.now() < until);
        const child = await starting;
        await new Promise((resolve) => setTimeout(resolve, 20));
        const text = await textOf(child);
        assert.equal(text.length, 100_004);
        assert.match(await child.report, /^\{"exit":0,.*"stdout_bytes":100004,/);
      }
    }));

  test('waits for the streams of programs that are over as long as any come, also where every turn takes long (long form)', () =>
    withServer(async (server) => {
      let isBusy = true;
      const slow = (): void => {
        const until = performance.now() + 25;
        while (performance.now() < until);
        if (isBusy) setImmediate(slow);
      };
      slow();
      try {
        const texts = Array.from({ length: 12 }, async () => textOf(await server.start(cage('/bin/echo', 'over'))));
        assert.deepEqual(new Set(await Promise.all(texts)), new Set(['over\n']));
      } finally {
        isBusy = false;
      }
    }));

  test('passes input on, and says how each ended', () =>
    withServer(async (server) => {
      const cat = await server.start({ ...cage('/bin/cat'), keepStdinOpen: true });
      const text = textOf(cat);
      await cat.write(Buffer.from('ä'.repeat(100_000)));
      cat.endInput();
      assert.equal(await text, 'ä'.repeat(100_000));
      const failing = await server.start(cage('/bin/sh', '-c', 'exit 7'));
      assert.deepEqual(await failing.exit, { exitCode: 7, exitSignal: null });
      const killed = await server.start(cage('/bin/sleep', '60'));
      killed.kill();
      assert.deepEqual(await killed.exit, { exitCode: null, exitSignal: 'SIGKILL' });
      const asked = await server.start(cage('/bin/sleep', '60'));
      asked.askToEnd();
      assert.match(await asked.report, /"ended":"asked"/);
      const missing = await server.start(cage('/bin/no-such-program'));
      assert.match(await missing.report, /"problem":"outrigger-launcher: can't run \/bin\/no-such-program: No such file/);
    }));

  test('settles a program between its orders: what it started is ended, and it waits for what comes', () =>
    withServer(async (server) => {
      const shell = 'while read -r line; do eval "$line"; echo done; done';
      const child = await server.start({ ...cage('/bin/sh', '-c', shell), keepStdinOpen: true });
      let text = '';
      child.stdout.on('data', (bytes) => {
        text += bytes.toString();
      });
      const order = async (line: string): Promise<Record<string, number>> => {
        text = '';
        await child.write(Buffer.from(`${line}\n`));
        await eventually(() => assert.match(text, /done\n$/));
        return JSON.parse(await child.settle()) as Record<string, number>;
      };
      assert.equal((await order('x=1'))['ended'], 0);
      assert.ok(((await order('setsid sleep 60 & sleep 60 &'))['ended'] ?? 0) >= 2);
      const { ended, stdout_bytes: bytes } = await order('echo $x');
      assert.deepEqual([ended, bytes, text], [0, 17, '1\ndone\n']);
      const [one, other] = await Promise.all([child.settle(), child.settle()]);
      assert.ok(one !== '' && other !== '');
      child.limitCpu(100);
      await child.write(Buffer.from('while :; do :; done\n'));
      assert.match(await child.report, /"ended":"cpu"/);
      assert.equal(await child.settle(), '');
    }));

  test('takes a string as it is, and refuses what no program could be given', () =>
    withServer(async (server) => {
      const odd = ['', ' ', "'$(id)'", '\n', '--', '😀', 'x'.repeat(100_000)];
      const child = await server.start(cage('/usr/bin/printf', '%s|', ...odd));
      assert.equal(await textOf(child), odd.map((text) => `${text}|`).join(''));
      const code = (wanted: string) => (error: NodeJS.ErrnoException) => error.code === wanted;
      await assert.rejects(server.start(cage('/bin/echo', 'a\0b')), code('ERR_INVALID_ARG_VALUE'));
      await assert.rejects(server.start({ ...cage('/bin/true'), env: { A: 'b\0LD_PRELOAD=c' } }), code('ERR_INVALID_ARG_VALUE'));
      await assert.rejects(server.start(cage('/bin/echo', 'x'.repeat(200_000))), code('E2BIG'));
      await assert.rejects(server.start(cage('/bin/echo', ...Array.from({ length: 30 }, () => 'x'.repeat(100_000)))), code('E2BIG'));
      assert.equal(await textOf(await server.start(cage('/bin/echo', 'still there'))), 'still there\n');
    }));

  test('ends all of its cages when it is killed, and nobody waits for them', () =>
    withServer(async (server) => {
      const children = await Promise.all(Array.from({ length: 5 }, () => server.start(cage('/bin/sleep', '600'))));
      const programs = childrenOf(server.pid).split(' ');
      assert.equal(programs.length, 5);
      // It stands still, so that it does not begin what it is asked for last.
      process.kill(server.pid, 'SIGSTOP');
      const unfinished = server.start(cage('/bin/sleep', '600'));
      process.kill(server.pid, 'SIGKILL');
      await assert.rejects(unfinished, { code: 'ESRCH' });
      for (const { exit } of children) assert.deepEqual(await exit, { exitCode: null, exitSignal: 'SIGKILL' });
      await eventually(() => assert.ok(programs.every((pid) => !fs.existsSync(`/proc/${pid}`))));
      assert.equal(server.isOver, true);
      await assert.rejects(server.start(cage('/bin/true')), { code: 'ESRCH' });
    }));

  test('is idle when the last of them is forgotten, also one that was over before its streams came', () =>
    withServer(async (server) => {
      await server.idle();
      const starting = server.start(cage('/bin/true'));
      const refused = server.start({ ...cage('/bin/true'), cwd: '/no/such/folder' });
      const until = performance.now() + 200;
      while (performance.now() < until);
      let ticks = 0;
      const ticking = setInterval(() => ticks++, 5);
      await Promise.all([server.idle(), starting, refused.catch(() => {})]);
      // Whoever waits for it leaves others their turn.
      await new Promise((resolve) => setTimeout(resolve, 50));
      clearInterval(ticking);
      assert.ok(ticks > 0);
      const sleeping = await server.start(cage('/bin/sleep', '60'));
      const idle = server.idle().then(() => 'idle');
      assert.equal(await Promise.race([idle, new Promise((resolve) => setTimeout(resolve, 100, 'busy'))]), 'busy');
      sleeping.kill();
      assert.equal(await idle, 'idle');
    }));

  test('is not started where nobody answers, and one that can not serve is no server', async () => {
    await assert.rejects(ForkServer.start({ argv: ['/bin/true'], env: {}, folder }), { code: 'ESRCH' });
    await assert.rejects(ForkServer.start({ argv: ['/no/such'], env: {}, folder }), { code: 'ENOENT' });
    await assert.rejects(ForkServer.start({ argv: [launcher, '--serve'], env: {}, folder: path.join(folder, 'x'.repeat(100)) }), {
      code: 'ENAMETOOLONG',
    });
    assert.deepEqual(fs.readdirSync(folder), ['launcher']);
  });

  test('gives nothing to somebody who found its socket while it had a name', async () => {
    const starting = start();
    let found: string | undefined;
    const looking = setInterval(() => {
      found ??= fs.readdirSync(folder).find((name) => name.startsWith('outrigger-fork-'));
    }, 0);
    // Seen or not, it is gone when there is a server.
    const server = await starting;
    clearInterval(looking);
    try {
      const stranger = connect(path.join(folder, found ?? 'outrigger-fork-none'));
      await new Promise<void>((resolve) =>
        stranger.once('error', () => resolve()).once('connect', () => stranger.end('0'.repeat(17)).once('close', () => resolve())),
      );
      assert.equal(await textOf(await server.start(cage('/bin/echo', 'mine'))), 'mine\n');
    } finally {
      server.close();
    }
  });
});
