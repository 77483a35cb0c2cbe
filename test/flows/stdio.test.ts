// The seed's wire on a real sidecar: over streams in this process, and as a child under a supervisor.
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { PassThrough, type Writable } from 'node:stream';
import { test } from 'node:test';
import { reserveStdout, serveOverStdio, watchParent } from '../../src/cli/stdio.ts';
import { NodeBackend } from '../../src/supervisor/node-backend.ts';
import { openWorkspace } from '../../src/supervisor/open-workspace.ts';
import type { SidecarBinary } from '../../src/supervisor/resolve-binary.ts';
import { SidecarBackend } from '../../src/supervisor/sidecar-backend.ts';
import { Supervisor } from '../../src/supervisor/sidecar-supervisor.ts';
import type { WatchEvent } from '../../src/supervisor/workspace-backend.ts';
import { main } from '../kit/command.ts';
import { eventually } from '../kit/eventually.ts';
import { type RunningSidecar, withSidecar } from '../kit/sidecar.ts';

type Line = Record<string, unknown> & { id?: string | null; ok?: boolean; error?: { code: string; reason: string; message: string } };

interface Host {
  running: RunningSidecar;
  input: PassThrough;
  output: PassThrough;
  lines: Line[];
  ask(method: string, params?: unknown): Promise<Line>;
  stop: AbortController;
  ended: Promise<boolean>;
}

async function withStdio(run: (host: Host) => Promise<void>): Promise<void> {
  await withSidecar(async (running) => {
    const input = new PassThrough();
    const output = new PassThrough();
    const lines: Line[] = [];
    let rest = '';
    output.on('data', (chunk: Buffer) => {
      const parts = (rest + chunk.toString()).split('\n');
      rest = parts.pop() ?? '';
      lines.push(...parts.map((part) => JSON.parse(part) as Line));
    });
    const stop = new AbortController();
    const { dispatch, ready } = running.sidecar;
    const ended = serveOverStdio(() => Promise.resolve({ dispatch, ready, stop: () => Promise.resolve() }), {
      input,
      output,
      maxMessageLength: 10_000,
      stop: stop.signal,
    });
    let last = 0;
    const ask = async (method: string, params?: unknown): Promise<Line> => {
      const id = `${++last}`;
      input.write(`${JSON.stringify({ id, method, params })}\n`);
      await eventually(() => lines.some((line) => line.id === id));
      return lines.find((line) => line.id === id) as Line;
    };
    try {
      await run({ running, input, output, lines, ask, stop, ended });
    } finally {
      input.end();
      await ended;
    }
  });
}

test("the seed's methods and our operations are answered on one connection, each with its own codes", async () => {
  await withStdio(async ({ running, ask }) => {
    running.put('src/a.ts', 'one\r\ntwo\r\n');
    running.put('bin', Buffer.from([0, 1, 0xff]));
    const ping = await ask('ping');
    assert.ok(ping.ok === true && typeof (ping['result'] as { version: string }).version === 'string');
    const sha256 = createHash('sha256').update('one\r\ntwo\r\n').digest('hex');
    assert.deepEqual((await ask('readFile', { path: 'src/a.ts' }))['result'], {
      path: 'src/a.ts',
      text: 'one\r\ntwo\r\n',
      size: 10,
      sha256,
    });
    const stat = (await ask('stat', { path: 'src/a.ts' }))['result'] as { exists: boolean; kind: string; size: number };
    assert.deepEqual([stat.exists, stat.kind, stat.size], [true, 'file', 10]);
    assert.deepEqual((await ask('stat', { path: 'none' }))['result'], { exists: false });
    const codes = async (method: string, params: unknown): Promise<string | undefined> => (await ask(method, params)).error?.code;
    assert.equal(await codes('readFile', { path: '../../etc/passwd' }), 'invalid_path');
    assert.equal(await codes('readFile', { path: 'none' }), 'not_found');
    assert.equal(await codes('readFile', { path: 'src' }), 'invalid_path');
    assert.equal(await codes('readFile', { path: 'bin' }), 'binary');
    assert.equal(await codes('readFile', {}), 'invalid_params');
    assert.equal(await codes('frobnicate', {}), 'unknown_method');
    assert.equal(await codes('files.read', { path: 'src' }), 'failed_precondition');
    assert.equal((await ask('files.write', { path: 'x', text: 'x' })).error?.reason, 'ACCESS_DENIED');
    assert.equal(fs.existsSync(path.join(running.root, 'x')), false);
  });
});

test('junk, a message too long and a repeated id are answered, and nothing else suffers', async () => {
  await withStdio(async ({ running, input, lines, ask }) => {
    running.put('a', 'text');
    input.write(`junk\n${'x'.repeat(20_000)}\n`);
    input.write(Uint8Array.of(0xff, 0x0a));
    await eventually(() => lines.filter(({ id, ok }) => id === null && ok === false).length === 3);
    input.write('{"id":"w","method":"changes.watch","stream":true}\n{"id":"w","method":"readFile","params":{"path":"a"}}\n');
    await eventually(() => lines.some(({ id, ok }) => id === 'w' && ok === false));
    assert.equal(lines.find(({ id, ok }) => id === 'w' && ok === false)?.error?.code, 'invalid_params');
    input.write('{"id":"w","cancel":true}\n');
    assert.equal((await ask('readFile', { path: 'a' })).ok, true);
  });
});

test('a host that asks to watch is told of changes by events', async () => {
  await withStdio(async ({ running, lines, ask }) => {
    assert.deepEqual((await ask('watch'))['result'], { watching: true });
    await eventually(() => lines.some((line) => line['event'] === 'ready'));
    running.put('new.ts');
    await eventually(() => lines.some((line) => line['event'] === 'change' && (line['data'] as { path: string }).path === 'new.ts'));
    await ask('unwatch');
  });
});

test('asked to stop, it answers what it was asked and ends', async () => {
  await withStdio(async ({ ask, stop, ended }) => {
    await ask('ping');
    stop.abort();
    assert.equal(await ended, true);
  });
});

test('only the protocol reaches a reserved stdout', async () => {
  const printed: string[] = [];
  const elsewhere: string[] = [];
  const fake = (to: string[]): PassThrough => {
    const stream = new PassThrough();
    stream.on('data', (chunk: Buffer) => to.push(chunk.toString()));
    return stream;
  };
  const stdout = fake(printed);
  const { output, release } = reserveStdout(stdout as never, fake(elsewhere) as never);
  (stdout as Writable).write('stray');
  output.write('frame');
  await eventually(() => printed.length === 1 && elsewhere.length === 1);
  assert.deepEqual([printed, elsewhere], [['frame'], ['stray']]);
  release();
  (stdout as Writable).write('after');
  await eventually(() => printed.length === 2);
});

test('of a reserved stdout that breaks its output alone is told, and whoever was told before is told again afterwards', async () => {
  const stdout = new PassThrough();
  const told: string[] = [];
  stdout.on('error', ({ message }) => told.push(`before: ${message}`));
  const { output, release } = reserveStdout(stdout as never, new PassThrough() as never);
  output.on('error', ({ message }) => told.push(`output: ${message}`));
  stdout.emit('error', new Error('EPIPE'));
  await eventually(() => assert.deepEqual(told, ['output: EPIPE']));
  release();
  stdout.emit('error', new Error('later'));
  assert.deepEqual(told, ['output: EPIPE', 'before: later']);
});

test('a parent that is gone is noticed by the number of the parent', async () => {
  let parent = 10;
  let gone = 0;
  const stop = watchParent(
    () => parent,
    () => gone++,
    5,
  );
  await new Promise((resolve) => setTimeout(resolve, 30));
  assert.equal(gone, 0);
  parent = 1;
  await eventually(() => gone === 1);
  stop();
});

const source = path.join(import.meta.dirname, '..', '..', 'src');

/** The body of `outrigger stdio`, with prints in between that a dependency could make. */
const printingCommand = `
  import { pathToFileURL } from 'node:url';
  const [source, root, state] = process.argv.slice(1);
  const load = (file) => import(pathToFileURL(source + file).href);
  const { serveStdioFolder } = await load('/cli/stdio.ts');
  const { processTerminal } = await load('/cli/terminal.ts');
  const { loadConfig } = await load('/config/load.ts');
  const { startSidecar } = await load('/sidecar/sidecar.ts');
  const loaded = loadConfig({ env: {}, flags: { root, state, port: '0', 'log.level': 'info' } });
  const start = async (dependencies) => {
    console.log('a dependency prints');
    process.stdout.write('{"half":');
    return startSidecar({ ...dependencies, headless: true, passive: true });
  };
  await serveStdioFolder(loaded, processTerminal(true), start);
`;

interface Folder {
  root: string;
  state: string;
  /** `outrigger`, to be given a command. */
  binary: SidecarBinary;
}

async function withFolder(run: (folder: Folder) => Promise<void>): Promise<void> {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'outrigger-stdio-'));
  const root = path.join(folder, 'work');
  const state = path.join(folder, 'state');
  fs.mkdirSync(root);
  try {
    const env = { XDG_STATE_HOME: state, XDG_CONFIG_HOME: path.join(folder, 'config') };
    await run({ root, state, binary: { command: process.execPath, args: [main], env, source: 'test' } });
  } finally {
    fs.rmSync(folder, { recursive: true, force: true });
  }
}

const ended = (child: ChildProcess): Promise<number | null> => new Promise((resolve) => child.once('exit', (code) => resolve(code)));

test('as a child: prints go to stderr, a supervisor reads through it, kill -9 brings a new one, and stopping leaves nothing', async () => {
  await withFolder(async ({ root, state }) => {
    fs.writeFileSync(path.join(root, 'a.txt'), 'hello\n');
    const log: string[] = [];
    const supervisor = new Supervisor({
      binary: { command: process.execPath, args: ['--input-type=module', '-e', printingCommand, source], env: {}, source: 'test' },
      args: (folder) => [folder, state],
      onLog: (line) => log.push(line),
      backoff: { baseMs: 10, maxMs: 20 },
    });
    try {
      await supervisor.start(root);
      const read = async (): Promise<unknown> => ((await supervisor.request('readFile', { path: 'a.txt' })) as { text: string }).text;
      assert.equal(await read(), 'hello\n');
      assert.equal(supervisor.junkLines, 0);
      assert.ok(log.includes('a dependency prints'));
      const refused = await supervisor
        .request('files.write', { path: 'x', text: '' })
        .then(String, (error: { reason: string }) => error.reason);
      assert.equal(refused, 'READ_ONLY');
      const { state } = supervisor;
      assert.ok(state.name === 'ready' && state.pid !== undefined);
      process.kill(state.pid, 'SIGKILL');
      await eventually(() => supervisor.state.name !== 'ready');
      await eventually(() => supervisor.state.name === 'ready', 10_000);
      assert.equal(await read(), 'hello\n');
    } finally {
      await supervisor.stop();
    }
    assert.ok(
      log.some((line) => line.includes('sidecar.stopped')),
      'it stopped by itself',
    );
  });
});

test('as a child: the workspace of a host reads alike through it and through Node, and its watch outlives kill -9', async () => {
  await withFolder(async ({ root, binary }) => {
    fs.mkdirSync(path.join(root, 'src'));
    fs.writeFileSync(path.join(root, 'src', 'a.ts'), '\uFEFFlet needle = 1;\r\n');
    fs.writeFileSync(path.join(root, 'bin'), Buffer.from([0, 1]));
    const warnings: string[] = [];
    const workspace = await openWorkspace({
      root,
      binary,
      supervisor: { backoff: { baseMs: 10, maxMs: 20 } },
      onWarning: (message) => warnings.push(message),
    });
    const node = new NodeBackend(root);
    const events: WatchEvent[] = [];
    try {
      assert.equal(workspace.backend, 'sidecar');
      // Asked directly: the workspace would let Node answer what the child does not know.
      const sidecar = new SidecarBackend(root, workspace.supervisor as Supervisor);
      assert.deepEqual(await sidecar.readFile('src/a.ts'), await node.readFile('src/a.ts'));
      const [one, other] = [await sidecar.stat('src/a.ts'), await node.stat('src/a.ts')];
      assert.ok(one.exists && other.exists);
      assert.deepEqual(
        [one.kind, one.size, one.mode, Math.trunc(one.mtimeMs)],
        [other.kind, other.size, other.mode, Math.trunc(other.mtimeMs)],
      );
      assert.deepEqual(await sidecar.hashFile('src/a.ts'), await node.hashFile('src/a.ts'));
      for (const glob of ['*.ts', 'src', '/src/*.ts', '/*.ts']) {
        assert.deepEqual((await sidecar.glob(glob)).paths, (await node.glob(glob)).paths, glob);
      }
      const reasonOf = (promise: Promise<unknown>): Promise<unknown> => promise.then(String, ({ reason }: { reason: string }) => reason);
      for (const wirePath of ['none', '../x', 'bin', 'src']) {
        assert.equal(await reasonOf(sidecar.readFile(wirePath)), await reasonOf(node.readFile(wirePath)), wirePath);
      }
      const query = { pattern: 'needle', include: ['*.ts'] };
      assert.deepEqual((await sidecar.search(query)).files, (await node.search(query)).files);
      assert.equal((await sidecar.search({ pattern: 'n[e]+dle', regex: true })).files.length, 1);
      const outline = (await workspace.supervisor?.request('outline', { path: 'src/a.ts' })) as { symbols: { name: string }[] };
      assert.deepEqual(
        outline.symbols.map(({ name }) => name),
        ['needle'],
      );
      assert.ok('state' in ((await workspace.supervisor?.request('index.status', {})) as object));

      workspace.watch('*.ts', (event) => events.push(event));
      let writes = 0;
      await eventually(() => {
        // Again and again: nothing says from when on it is watched.
        fs.writeFileSync(path.join(root, 'src', `b${writes++}.ts`), 'b');
        return events.some((event) => event.path.startsWith('src/b'));
      }, 10_000);
      const supervisor = workspace.supervisor as Supervisor;
      const { state } = supervisor;
      assert.ok(state.name === 'ready' && state.pid !== undefined);
      process.kill(state.pid, 'SIGKILL');
      await eventually(() => supervisor.state.name !== 'ready');
      fs.writeFileSync(path.join(root, 'src', 'c.ts'), 'c');
      assert.equal((await workspace.readFile('src/c.ts')).text, 'c');
      await eventually(() => supervisor.state.name === 'ready', 10_000);
      await eventually(() => events.some((event) => event.what === 'resync' || event.path === 'src/c.ts'), 10_000);
      assert.deepEqual(warnings, []);
    } finally {
      await workspace.close();
      await node.close();
    }
  });
});

test('as a child: it ends when its input ends, and on SIGTERM, also while its output is not read', async () => {
  await withFolder(async ({ root, binary }) => {
    fs.writeFileSync(path.join(root, 'big.txt'), 'x'.repeat(500_000));
    for (const how of ['end', 'SIGTERM', 'SIGTERM unread'] as const) {
      const child = spawn(binary.command, [...binary.args, 'stdio', root], {
        stdio: ['pipe', 'pipe', 'ignore'],
        env: { ...process.env, ...binary.env },
      });
      const exit = ended(child);
      try {
        if (how === 'SIGTERM unread') {
          const request = (id: number): string => `{"id":"${id}","method":"readFile","params":{"path":"big.txt"}}\n`;
          child.stdin.write(Array.from({ length: 20 }, (_, id) => request(id)).join(''));
          child.stdin.on('error', () => undefined);
          await new Promise((resolve) => child.stdout.once('readable', resolve));
        } else {
          child.stdin.write('{"id":"1","method":"ping"}\n');
          await new Promise((resolve) => child.stdout.once('data', resolve));
        }
        if (how === 'end') child.stdin.end();
        else child.kill('SIGTERM');
        assert.equal(await exit, 0, how);
      } finally {
        child.kill('SIGKILL');
      }
    }
  });
});

test('as a child: what was asked before the input ended reaches a host that reads slowly, to the last line', async () => {
  await withFolder(async ({ root, binary }) => {
    fs.writeFileSync(path.join(root, 'big.txt'), 'x'.repeat(2_000_000));
    const child = spawn(binary.command, [...binary.args, 'stdio', root], {
      stdio: ['pipe', 'pipe', 'ignore'],
      env: { ...process.env, ...binary.env },
    });
    const exit = ended(child);
    try {
      child.stdin.end(['1', '2'].map((id) => `{"id":"${id}","method":"files.read","params":{"path":"big.txt"}}\n`).join(''));
      let text = '';
      for await (const chunk of child.stdout) {
        text += String(chunk);
        await new Promise((resolve) => setTimeout(resolve, 40));
      }
      const answers = text.split('\n').map((line) => (line === '' ? undefined : (JSON.parse(line) as Line)));
      assert.deepEqual(
        answers.map((answer) => answer?.ok),
        [true, true, undefined],
      );
      assert.equal(await exit, 0);
    } finally {
      child.kill('SIGKILL');
    }
  });
});
