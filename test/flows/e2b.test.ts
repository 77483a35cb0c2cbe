// The wire of E2B's sandboxes: the npm package `e2b` as it is, and by hand what it does not say.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, test } from 'node:test';
import { promisify } from 'node:util';
import { gzipSync } from 'node:zlib';
import { type CommandExitError, type FilesystemEvent, Sandbox } from 'e2b';
import { main } from '../kit/command.ts';
import { blocks, repository } from '../kit/doc-pages.ts';
import { eventually } from '../kit/eventually.ts';
import { longestTurn } from '../kit/loop-hold.ts';
import { requireTool } from '../kit/require-tools.ts';
import { runProgram } from '../kit/running-program.ts';
import { withScratchFolder } from '../kit/scratch-folder.ts';
import { lentSidecar, type RunningSidecar, type SidecarSetup, withSidecar } from '../kit/sidecar.ts';
import { openYjsClient } from '../kit/yjs-client.ts';

// Commands are told to a login shell, and what that reads at its start is none of ours.
const home = fs.mkdtempSync(path.join(os.tmpdir(), 'outrigger-home-'));
process.env['HOME'] = home;
after(() => fs.rmSync(home, { recursive: true, force: true }));

const mib = 1024 * 1024;
const setup: SidecarSetup = { config: { e2bPort: '0' } };
/** For what leaves nothing that another test would trip over. */
const withShared = lentSidecar(setup);

/** The SDK, as its documentation has it for a sandbox that is there. */
function sandbox({ sidecar, token }: RunningSidecar, accessToken: string | null = token): Sandbox {
  return new Sandbox({
    sandboxId: 'any',
    envdVersion: '0.6.4',
    sandboxUrl: sidecar.e2bUrl ?? '',
    ...(accessToken === null ? {} : { envdAccessToken: accessToken }),
  } as unknown as ConstructorParameters<typeof Sandbox>[0]);
}

const named = (name: string) => (error: unknown) => (error as Error).name === name;

interface Said {
  status: number;
  type: string | null;
  body: string;
}

async function post(at: string | undefined, where: string, body: unknown, headers: Record<string, string> = {}): Promise<Said> {
  const response = await fetch(`${at}${where}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: body instanceof Uint8Array ? Uint8Array.from(body) : JSON.stringify(body),
  });
  return { status: response.status, type: response.headers.get('content-type'), body: await response.text() };
}

function envelope(message: unknown, flags = 0): Buffer {
  const text = Buffer.from(typeof message === 'string' ? message : JSON.stringify(message));
  const head = Buffer.alloc(5);
  head.writeUInt8(flags, 0);
  head.writeUInt32BE(text.length, 1);
  return Buffer.concat([head, text]);
}

/** Messages of a stream that was read to its end: the last one is how it ended. */
async function streamed(at: string | undefined, where: string, body: Uint8Array, headers: Record<string, string>): Promise<unknown[]> {
  const response = await fetch(`${at}${where}`, {
    method: 'POST',
    headers: { 'content-type': 'application/connect+json', ...headers },
    body: Uint8Array.from(body),
  });
  assert.deepEqual([response.status, response.headers.get('content-type')], [200, 'application/connect+json']);
  assert.equal(response.headers.get('cache-control'), 'no-store, no-transform');
  const bytes = Buffer.from(await response.arrayBuffer());
  const messages: unknown[] = [];
  for (let offset = 0; offset < bytes.length; ) {
    const length = bytes.readUInt32BE(offset + 1);
    messages.push(JSON.parse(bytes.toString('utf8', offset + 5, offset + 5 + length)));
    assert.equal(bytes.readUInt8(offset), offset + 5 + length === bytes.length ? 2 : 0, 'the last one alone is the end');
    offset += 5 + length;
  }
  return messages;
}

test('the npm package e2b writes, reads, lists, moves and removes files, and finds them below /home/user', () =>
  withSidecar(async (running) => {
    const { files } = sandbox(running);
    const { file } = running;
    assert.deepEqual(await files.write('a/ü 漢.txt', 'héllo\n'), {
      name: 'ü 漢.txt',
      type: 'file',
      path: '/home/user/a/ü 漢.txt',
      metadata: undefined,
    });
    assert.equal(file('a/ü 漢.txt'), 'héllo\n');
    for (const name of ['a/ü 漢.txt', './a/../a/ü 漢.txt', '/home/user/a/ü 漢.txt', '~/a/ü 漢.txt', `${running.root}/a/ü 漢.txt`])
      assert.equal(await files.read(name), 'héllo\n', name);
    const info = await files.getInfo('a/ü 漢.txt');
    const { size, mode, permissions, owner, group, type } = info;
    assert.deepEqual([size, mode, permissions, owner, group, type], [7, 0o644, '-rw-r--r--', 'user', 'user', 'file']);
    assert.ok(Math.abs(Date.now() - (info.modifiedTime?.getTime() ?? 0)) < 60_000);

    const bytes = Uint8Array.from({ length: 3 * mib }, (_, index) => (index * 7 + (index >> 8)) & 0xff);
    await files.write([
      { path: 'one.bin', data: bytes.buffer },
      { path: 'deep/er/two', data: new Blob(['two']).stream() },
    ]);
    assert.deepEqual(Buffer.from(await files.read('one.bin', { format: 'bytes' })), Buffer.from(bytes));
    await files.write('zip.txt', 'x'.repeat(mib), { gzip: true });
    assert.equal(file('zip.txt'), 'x'.repeat(mib));
    await files.write('empty', '');
    assert.deepEqual([file('empty'), await files.read('empty')], ['', '']);

    assert.deepEqual([await files.makeDir('deep/er/est'), await files.makeDir('deep/er/est')], [true, false]);
    const names = async (folder: string, depth: number): Promise<string[]> =>
      (await files.list(folder, { depth })).map(({ path: one, type: kind }) => `${kind} ${one.slice('/home/user/'.length)}`);
    assert.deepEqual(await names('deep', 1), ['dir deep/er']);
    assert.deepEqual(await names('deep', 2), ['dir deep/er', 'dir deep/er/est', 'file deep/er/two']);
    assert.deepEqual(await names('.', 1), ['dir a', 'dir deep', 'file empty', 'file one.bin', 'file zip.txt']);

    // Onto a file that is there.
    assert.equal((await files.rename('zip.txt', 'deep/er/two')).path, '/home/user/deep/er/two');
    assert.deepEqual([await files.exists('zip.txt'), file('deep/er/two').length], [false, mib]);
    await files.remove('deep');
    await files.remove('deep');
    assert.equal(await files.exists('deep'), false);

    await assert.rejects(files.read('none'), named('FileNotFoundError'));
    await assert.rejects(files.getInfo('none'), named('FileNotFoundError'));
    await assert.rejects(files.list('none'), named('FileNotFoundError'));
    await assert.rejects(files.read('a'), named('InvalidArgumentError'));
    await assert.rejects(files.list('empty'), named('InvalidArgumentError'));
    await assert.rejects(files.write('empty/below', ''), named('InvalidArgumentError'));
    // Dropped without a word it would be lost.
    await assert.rejects(files.write('meta', '', { metadata: { a: 'b' } }), /not kept here/);
    assert.equal(await files.exists('meta'), false);
  }, setup));

test('nothing leads E2B’s clients out of the workspace', () =>
  withSidecar(async (running) => {
    const box = sandbox(running);
    fs.writeFileSync(path.join(running.stateFolder, 'secret'), 'secret');
    fs.symlinkSync(running.stateFolder, path.join(running.root, 'out'));
    for (const name of [
      '/etc/passwd',
      '../state/secret',
      '/home/user/../secret',
      '/home/username',
      `${running.root}-other/x`,
      'out/secret',
    ]) {
      await assert.rejects(box.files.read(name), /403|workspace/, name);
      await assert.rejects(box.files.write(name, 'x'), /403|workspace/, name);
      await assert.rejects(box.files.remove(name), /7|workspace|lead/, name);
    }
    await assert.rejects(box.files.remove('/home/user'));
    await assert.rejects(box.files.read('a\0b'));
    assert.equal(fs.readFileSync(path.join(running.stateFolder, 'secret'), 'utf8'), 'secret');
    assert.ok(fs.existsSync(running.root));
  }, setup));

test('commands have their streams, exit code, folder and environment; people see them in the list of processes', () =>
  withShared(async (running) => {
    const { commands, files } = sandbox(running);
    const heard: string[] = [];
    const done = await commands.run('echo out; echo oops >&2; pwd', { onStdout: (text) => void heard.push(text) });
    assert.deepEqual([done.exitCode, done.stderr], [0, 'oops\n']);
    assert.equal(done.stdout, `out\n${running.root}\n`);
    assert.equal(heard.join(''), done.stdout);
    const failed = (await commands.run('echo half; exit 3').catch((error: unknown) => error)) as CommandExitError;
    assert.deepEqual([failed.name, failed.exitCode, failed.stdout, failed.error], ['CommandExitError', 3, 'half\n', 'exit status 3']);
    await files.makeDir('sub');
    assert.equal((await commands.run('echo $WHO $PWD', { cwd: '/home/user/sub', envs: { WHO: 'me' } })).stdout, `me ${running.root}/sub\n`);
    await assert.rejects(commands.run('pwd', { cwd: 'no/such' }), named('InvalidArgumentError'));
    await assert.rejects(commands.run('pwd', { cwd: '/tmp' }), /workspace/);
    const { processes } = await running.client.call('processes.list', {});
    assert.ok(processes.some(({ title }) => title === 'echo half; exit 3'));
    // What the folder holds is what commands see, and the other way round.
    await commands.run('printf 1 > made.txt');
    assert.equal(await files.read('made.txt'), '1');
  }));

test('commands go on without who started them, are found again by number, replayed, fed, killed, and ended at their limit', () =>
  withShared(async (running) => {
    const { commands } = sandbox(running);
    const left = await commands.run('echo early; read line; echo "got $line"', { background: true, stdin: true });
    await left.disconnect();
    assert.deepEqual(
      (await commands.list()).filter(({ pid }) => pid === left.pid).map(({ cmd, cwd }) => [cmd, cwd]),
      [['/bin/bash', '/home/user']],
    );
    const again = await commands.connect(left.pid);
    await commands.sendStdin(left.pid, 'ä\n');
    assert.equal((await again.wait()).stdout, 'early\ngot ä\n');
    // It is over, and what it wrote was kept.
    assert.equal((await (await commands.connect(left.pid)).wait()).stdout, 'early\ngot ä\n');
    assert.equal(await commands.kill(left.pid), false);
    await assert.rejects(commands.sendStdin(left.pid, 'x'), named('NotFoundError'));

    const counted = await commands.run('wc -c', { background: true, stdin: true });
    await commands.sendStdin(counted.pid, new Uint8Array(100_000));
    await commands.closeStdin(counted.pid);
    assert.equal((await counted.wait()).stdout.trim(), '100000');

    const endless = await commands.run('sleep 300', { background: true });
    assert.equal(await endless.kill(), true);
    const killed = (await endless.wait().catch((error: unknown) => error)) as CommandExitError;
    assert.deepEqual([killed.exitCode, killed.error], [-1, 'signal: killed']);

    const limited = `sleep 300 # ${process.pid}`;
    await assert.rejects(commands.run(limited, { timeoutMs: 300 }), named('TimeoutError'));
    await eventually(async () =>
      assert.equal((await running.client.call('processes.list', {})).processes.find(({ title }) => title === limited)?.reason, 'timeout'),
    );
    await assert.rejects(commands.connect(999_999_999), named('NotFoundError'));
  }));

test('of a flood that is read slowly not a byte is lost or comes twice', () =>
  withSidecar(
    async (running) => {
      const lines = 2_000_000;
      let count = 0;
      let next = 1;
      let rest = '';
      await sandbox(running).commands.run(`seq ${lines}`, {
        timeoutMs: 120_000,
        onStdout: async (text) => {
          if (count++ % 8 === 0) await new Promise((resolve) => setTimeout(resolve, 50));
          const whole = (rest + text).split('\n');
          rest = whole.pop() ?? '';
          for (const line of whole) assert.equal(line, String(next++));
        },
      });
      assert.deepEqual([next - 1, rest], [lines, '']);
    },
    { config: { ...setup.config, 'processes.headBytes': '65536', 'processes.tailBytes': '65536' } },
  ));

test('who leaves in the middle of a flood, or stands still, keeps its program waiting no longer than they stay', () =>
  withShared(async (running) => {
    const leaving = new AbortController();
    const response = await fetch(`${running.sidecar.e2bUrl}/process.Process/Start`, {
      method: 'POST',
      headers: { 'x-access-token': running.token, 'content-type': 'application/connect+json', 'keepalive-ping-interval': '1' },
      body: Uint8Array.from(envelope({ process: { cmd: 'yes' }, tag: 'flood' })),
      signal: leaving.signal,
    });
    const reader = (response.body as ReadableStream<Uint8Array>).getReader();
    await reader.read();
    const written = async (): Promise<number> => (await running.client.call('processes.get', { id: 'flood' })).output.stdout.end;
    let before = -1;
    // Nobody reads any more: it comes to stand still.
    await eventually(async () => {
      const now = await written();
      const stands = now > 0 && now === before;
      before = now;
      await new Promise((resolve) => setTimeout(resolve, 100));
      return stands;
    });
    leaving.abort();
    await eventually(async () => assert.ok((await written()) > before, 'it goes on'));
    assert.equal((await running.client.call('processes.stop', { id: 'flood', graceMs: 0 })).state, 'ended');
  }));

test('a terminal has the size that it is given, takes keys, and ends', () =>
  withShared(async (running) => {
    const { pty } = sandbox(running);
    let seen = '';
    const type = (text: string): Promise<void> => pty.sendInput(handle.pid, new TextEncoder().encode(text));
    const handle = await pty.create({ cols: 91, rows: 20, onData: (bytes) => void (seen += new TextDecoder().decode(bytes)) });
    await type('stty size; echo größe\n');
    await eventually(() => assert.match(seen, /[\r\n]20 91\r[^]*\ngröße\r\n/));
    await pty.resize(handle.pid, { cols: 120, rows: 30 });
    await type('stty size\n');
    await eventually(() => assert.match(seen, /[\r\n]30 120\r/));
    const { terminals } = await running.client.call('terminals.list', {});
    assert.ok(
      terminals.some(({ process: { pid } }) => pid === handle.pid),
      'people can look at it',
    );
    await type('exit 4\n');
    const ended = (await handle.wait().catch((error: unknown) => error)) as CommandExitError;
    assert.equal(ended.exitCode, 4);
    const limited = await pty.create({ cols: 80, rows: 24, onData: () => undefined, timeoutMs: 400 });
    await assert.rejects(limited.wait(), named('TimeoutError'));
    await eventually(async () => {
      const [newest] = (await running.client.call('terminals.list', {})).terminals;
      assert.equal(newest?.process.reason, 'timeout');
    });
  }));

test('a terminal ends with its time also where its token has ended before', () =>
  withShared(async ({ client, ...running }) => {
    const made = await client.call('tokens.create', { name: 'ending', access: 'execute' });
    const { pty } = sandbox({ client, ...running }, made.secret);
    const limited = await pty.create({ cols: 80, rows: 24, onData: () => undefined, timeoutMs: 1000 });
    await client.call('tokens.revoke', { id: made.id });
    await limited.wait().catch(() => undefined);
    await eventually(async () =>
      assert.ok(!(await client.call('processes.list', { running: true })).processes.some(({ pid }) => pid === limited.pid)),
    );
  }));

test('a folder is watched, streamed and asked: each change once, by whoever it was made', () =>
  withSidecar(async (running) => {
    const { files } = sandbox(running);
    await files.makeDir('w/in');
    await files.write('w/old.txt', '1');
    const deep: FilesystemEvent[] = [];
    const flat: FilesystemEvent[] = [];
    const deepWatch = await files.watchDir('w', (event) => void deep.push(event), { recursive: true, includeEntry: true });
    const flatWatch = await files.watchDir('w', (event) => void flat.push(event));
    const headers = { 'x-access-token': running.token };
    const at = running.sidecar.e2bUrl;
    const asked = await post(at, '/filesystem.Filesystem/CreateWatcher', { path: 'w', recursive: true }, headers);
    const { watcherId } = JSON.parse(asked.body) as { watcherId: string };
    await files.write('w/in/new.txt', '1');
    await files.write('w/old.txt', '2');
    fs.writeFileSync(path.join(running.root, 'w/outside.txt'), 'o');
    await eventually(() => assert.ok(deep.some(({ name }) => name === 'outside.txt')));
    await files.rename('w/in/new.txt', 'w/moved.txt');
    await files.remove('w/old.txt');
    await files.write('beside.txt', '1');
    await eventually(() => assert.ok(deep.some(({ type }) => type === 'remove')));
    const told = [
      ...['create in/new.txt', 'write in/new.txt', 'write old.txt', 'create outside.txt', 'write outside.txt'],
      ...['rename in/new.txt', 'create moved.txt', 'remove old.txt'],
    ];
    assert.deepEqual(
      deep.map(({ type, name }) => `${type} ${name}`),
      told,
    );
    assert.deepEqual(
      flat.map(({ type, name }) => `${type} ${name}`),
      told.filter((one) => !one.includes('/')),
    );
    assert.equal(deep[1]?.entry?.path, '/home/user/w/in/new.txt');
    const ask = (): Promise<Said> => post(at, '/filesystem.Filesystem/GetWatcherEvents', { watcherId }, headers);
    const { events } = JSON.parse((await ask()).body) as { events: { name: string; type: string }[] };
    assert.deepEqual(
      events.map(({ name, type }) => `${type.slice('EVENT_TYPE_'.length).toLowerCase()} ${name}`),
      told,
    );
    assert.equal((await ask()).body, '{"events":[]}');
    const stranger = await running.client.call('tokens.create', { name: 'other', access: 'read' });
    assert.equal(
      (await post(at, '/filesystem.Filesystem/GetWatcherEvents', { watcherId }, { 'x-access-token': stranger.secret })).status,
      404,
    );
    assert.equal((await post(at, '/filesystem.Filesystem/RemoveWatcher', { watcherId }, headers)).body, '{}');
    assert.equal((await ask()).status, 404);
    await deepWatch.stop();
    await flatWatch.stop();
    await assert.rejects(
      files.watchDir('none', () => undefined),
      named('FileNotFoundError'),
    );
    await assert.rejects(
      files.watchDir('beside.txt', () => undefined),
      named('InvalidArgumentError'),
    );
  }, setup));

test('a file that is open is read as it is on the screen, and what is written into it is there for the next command', () =>
  withSidecar(
    async (running) => {
      const { commands, files } = sandbox(running);
      await files.write('open.txt', 'one\n');
      const person = openYjsClient(running.url, { token: running.token, room: 'open.txt' });
      try {
        await person.synced();
        person.text.insert(0, 'zero\n');
        await eventually(async () => assert.equal(await files.read('open.txt'), 'zero\none\n'));
        assert.equal(running.file('open.txt'), 'one\n', 'nothing was saved yet');
        await files.write('open.txt', 'zero\none\ntwo\n');
        assert.equal((await commands.run('cat open.txt')).stdout, 'zero\none\ntwo\n');
        await eventually(() => assert.equal(person.text.toString(), 'zero\none\ntwo\n'));
      } finally {
        person.destroy();
      }
    },
    { config: { ...setup.config, 'documents.saveIdleMs': '60000', 'documents.saveMaxMs': '60000' } },
  ));

test('URLs that are signed let in to one file, one way, for a time', () =>
  withShared(async (running) => {
    const box = sandbox(running);
    await box.files.write('signed.txt', 'signed\n');
    const url = await box.downloadUrl('signed.txt', { useSignatureExpiration: 60 });
    assert.equal(await (await fetch(url)).text(), 'signed\n');
    assert.equal(await (await fetch(await box.downloadUrl('signed.txt'))).text(), 'signed\n');
    const changed = (from: RegExp, to: string): string => url.replace(from, to);
    for (const wrong of [
      changed(/signed\.txt/, 'other.txt'),
      changed(/(expiration=)\d/, '$19'),
      changed(/v1_./, 'v1_'),
      changed(/&signature_expiration=\d+/, ''),
    ])
      assert.equal((await fetch(wrong)).status, 401, wrong);
    const late = await box.downloadUrl('signed.txt', { useSignatureExpiration: -5 });
    assert.equal((await fetch(late)).status, 401);
    const form = new FormData();
    form.append('file', new Blob(['up']), 'up.txt');
    assert.equal((await fetch(url, { method: 'POST', body: form })).status, 401, 'signed to be read');
    assert.equal((await fetch(await box.uploadUrl('up.txt'), { method: 'POST', body: form })).status, 200);
    assert.equal(running.file('up.txt'), 'up');
    // It is no way to anything else.
    const { search } = new URL(await box.uploadUrl('up.txt'));
    const at = running.sidecar.e2bUrl;
    assert.equal((await post(at, `/filesystem.Filesystem/Remove${search}`, { path: 'up.txt' })).status, 401);
    assert.match(
      JSON.stringify(await streamed(at, `/process.Process/Start${search}`, envelope({ process: { cmd: 'true' } }), {})),
      /unauthenticated/,
    );
    assert.equal((await fetch(`${at}/files${search}`)).status, 401);
    const ranged = await fetch(url, { headers: { range: 'bytes=1-3' } });
    assert.deepEqual([ranged.status, await ranged.text(), ranged.headers.get('content-range')], [206, 'ign', 'bytes 1-3/7']);
    const none = await fetch(url, { headers: { range: 'bytes=100-' } });
    assert.equal(none.status, 416);
  }));

test('a URL that was signed to read a file lets nobody write another one, whatever the file is called', () =>
  withShared(async (running) => {
    const name = 'theirs.txt:write:x';
    const url = new URL(await sandbox(running).downloadUrl(name));
    assert.equal(url.searchParams.get('path'), name);
    url.searchParams.set('path', 'theirs.txt');
    url.searchParams.set('username', `x:read:${url.searchParams.get('username') ?? ''}`);
    assert.equal((await fetch(url, { method: 'POST', body: 'theirs' })).status, 401);
    assert.equal(fs.existsSync(path.join(running.root, 'theirs.txt')), false);
  }));

test('who has no token, a wrong one or one that allows less gets no further, on each path', () =>
  withSidecar(async (running) => {
    const at = running.sidecar.e2bUrl;
    const start = envelope({ process: { cmd: 'touch', args: ['ran'] } });
    for (const headers of [{}, { 'x-access-token': 'x'.repeat(40) }, { authorization: `Basic ${btoa('user:')}` }]) {
      assert.equal((await post(at, '/filesystem.Filesystem/Stat', { path: '.' }, headers)).status, 401);
      assert.match((await post(at, '/filesystem.Filesystem/Stat', { path: '.' }, headers)).body, /^\{"code":"unauthenticated"/);
      assert.match(JSON.stringify(await streamed(at, '/process.Process/Start', start, headers)), /^\[\{"error":\{"code":"unauthenticated"/);
      assert.equal((await fetch(`${at}/files?path=a.txt`, { headers })).status, 401);
      assert.equal((await fetch(`${at}/files?path=a.txt`, { method: 'POST', headers, body: 'x' })).status, 401);
    }
    assert.equal((await fetch(`${at}/health`)).status, 204);
    running.put('a.txt');
    running.put('mine/b.txt');
    const make = async (more: object): Promise<Sandbox> =>
      sandbox(running, (await running.client.call('tokens.create', { name: 'limited', ...more } as never)).secret);
    const reader = await make({ access: 'read' });
    assert.equal(await reader.files.read('a.txt'), 'a.txt\n');
    await assert.rejects(reader.files.write('a.txt', 'x'), /403/);
    await assert.rejects(reader.commands.run('touch ran'));
    const scoped = await make({ access: 'execute', paths: ['mine'] });
    assert.equal(await scoped.files.read('mine/b.txt'), 'mine/b.txt\n');
    await scoped.files.write('mine/b.txt', 'x');
    await assert.rejects(scoped.files.read('a.txt'), /403/);
    await assert.rejects(scoped.commands.run('touch ran'));
    assert.deepEqual(fs.readdirSync(running.root).sort(), ['a.txt', 'mine']);
    // A page of another origin, and one whose name was made to point here.
    const headers = { 'x-access-token': running.token };
    assert.equal(
      (await post(at, '/filesystem.Filesystem/Stat', { path: '.' }, { ...headers, origin: 'https://evil.example' })).status,
      403,
    );
  }, setup));

test('in debug mode the SDK sends no token: it gets in where that was allowed, as far as that', async () => {
  await withSidecar(
    async (running) => {
      const box = sandbox(running, null);
      await box.files.write('a.txt', 'a');
      await assert.rejects(box.commands.run('true'));
      await assert.rejects(sandbox(running, 'x'.repeat(40)).files.read('a.txt'), named('AuthenticationError'));
    },
    { config: { ...setup.config, 'anonymous.e2b': 'write' } },
  );
  await withSidecar(async (running) => assert.equal((await sandbox(running, null).commands.run('echo in')).stdout, 'in\n'), {
    config: { ...setup.config, 'anonymous.e2b': 'execute' },
  });
});

test('what makes no sense is answered by a code, and nothing is done', () =>
  withShared(async (running) => {
    const at = running.sidecar.e2bUrl;
    const headers = { 'x-access-token': running.token };
    const before = fs.readdirSync(running.root);
    for (const [where, body, code, status] of [
      ['/filesystem.Filesystem/Stat', { path: 5 }, 'invalid_argument', 400],
      ['/filesystem.Filesystem/Stat', [], 'invalid_argument', 400],
      ['/filesystem.Filesystem/Stat', Buffer.from('{'), 'invalid_argument', 400],
      ['/filesystem.Filesystem/Stat', Buffer.from([0x22, 0xff, 0x22]), 'invalid_argument', 400],
      ['/filesystem.Filesystem/ListDir', { path: '.', depth: -1 }, 'invalid_argument', 400],
      ['/filesystem.Filesystem/ListDir', { path: '.', depth: '9e9' }, 'invalid_argument', 400],
      ['/filesystem.Filesystem/Move', { source: 'none', destination: 'x' }, 'not_found', 404],
      ['/filesystem.Filesystem/MakeDir', { path: '.' }, 'already_exists', 409],
      ['/filesystem.Filesystem/GetWatcherEvents', { watcherId: '__proto__' }, 'not_found', 404],
      ['/process.Process/SendSignal', { process: { pid: 1 }, signal: 'SIGNAL_SIGKILL' }, 'not_found', 404],
      ['/process.Process/SendSignal', { process: { tag: 'none' }, signal: 'SIGNAL_SIGTERM' }, 'not_found', 404],
      ['/process.Process/SendSignal', { process: {}, signal: 'SIGNAL_SIGTERM' }, 'invalid_argument', 400],
      ['/process.Process/SendSignal', { process: { pid: 1 }, signal: 'SIGNAL_SIGSTOP' }, 'invalid_argument', 400],
      ['/process.Process/SendInput', { process: { pid: 1 }, input: {} }, 'invalid_argument', 400],
      ['/process.Process/Update', { process: { pid: 1 }, pty: { size: { cols: 'x' } } }, 'invalid_argument', 400],
    ] as const) {
      const said = await post(at, where, body, headers);
      assert.deepEqual([said.status, (JSON.parse(said.body) as { code: string }).code], [status, code], `${where} ${JSON.stringify(body)}`);
    }
    assert.equal((await fetch(`${at}/process.Process/List`, { headers })).status, 501, 'a stream or a page, and no GET');
    assert.equal((await post(at, '/process.Process/StreamInput', {}, headers)).status, 404);
    const start = '/process.Process/Start';
    for (const [body, code] of [
      [Buffer.alloc(3), 'invalid_argument'],
      [envelope('{}', 1), 'invalid_argument'],
      [Buffer.concat([envelope('{}'), envelope('{}')]), 'invalid_argument'],
      [envelope('{"process":{"cmd":'), 'invalid_argument'],
      [envelope(`{"process":${'['.repeat(5000)}`), 'invalid_argument'],
      [envelope({}), 'invalid_argument'],
      [envelope({ process: { cmd: 'no-such-program' } }), 'invalid_argument'],
      [envelope({ process: { cmd: 'true', args: 'x' } }), 'invalid_argument'],
      [envelope({ process: { cmd: 'true', envs: { 'A=B': 'x' } } }), 'invalid_argument'],
      [envelope({ process: { cmd: 'true' }, pty: { size: { cols: 0, rows: 0 } } }), 'invalid_argument'],
    ] as const)
      assert.match(
        JSON.stringify(await streamed(at, start, body, headers)),
        new RegExp(`^\\[\\{"error":\\{"code":"${code}"`),
        String(body),
      );
    const upload = (body: Buffer, more: Record<string, string>): Promise<Said> =>
      post(at, '/files?path=new.txt', body, { ...headers, 'content-type': 'application/octet-stream', ...more });
    assert.equal((await upload(Buffer.from('no gzip'), { 'content-encoding': 'gzip' })).status, 400);
    assert.equal((await upload(gzipSync('cut').subarray(0, 12), { 'content-encoding': 'gzip' })).status, 400);
    assert.equal((await upload(Buffer.from('x'), { 'content-encoding': 'br' })).status, 400);
    assert.equal((await post(at, '/files', Buffer.from('x'), { ...headers, 'content-type': 'text/plain' })).status, 400);
    const form = (head: string, more: Record<string, string> = {}): Promise<Said> => {
      const body = Buffer.from(
        `--X\r\nContent-Disposition: form-data${head}\r\nContent-Type: application/octet-stream\r\n\r\nx\r\n--X--\r\n`,
      );
      const type = { 'content-type': 'multipart/form-data; boundary=X', ...more };
      return post(at, '/files', more['content-encoding'] === undefined ? body : gzipSync(body), { ...headers, ...type });
    };
    assert.equal((await form('; name="file"')).status, 400, 'no name of a file, and no path');
    assert.equal((await form('; name="file"; filename="new.txt"', { 'content-type': 'multipart/form-data' })).status, 400, 'no boundary');
    assert.equal((await form('; name="file"; filename="new.txt"', { 'content-encoding': 'gzip' })).status, 400, 'a form as gzip');
    assert.deepEqual(fs.readdirSync(running.root), before);
    const json = await upload(Buffer.from('{"a":1}'), { 'content-type': 'application/json' });
    assert.deepEqual([json.status, running.file('new.txt')], [200, '{"a":1}']);
  }));

test('a tag names one program at a time, and a silent stream says that it lives', () =>
  withShared(async (running) => {
    const at = running.sidecar.e2bUrl;
    const headers = { 'x-access-token': running.token };
    const start = envelope({ process: { cmd: 'sleep', args: ['2'] }, tag: 'mine', stdin: false });
    const first = streamed(at, '/process.Process/Start', start, { ...headers, 'keepalive-ping-interval': '1' });
    await eventually(async () => assert.match((await post(at, '/process.Process/List', {}, headers)).body, /"tag":"mine"/));
    assert.match(JSON.stringify(await streamed(at, '/process.Process/Start', start, headers)), /already_exists/);
    const selected = await streamed(at, '/process.Process/Connect', envelope({ process: { tag: 'mine' } }), headers);
    assert.match(JSON.stringify(selected.at(-2)), /"exitCode":0,"exited":true,"status":"exit status 0"/);
    const said = (await first).map((message) => JSON.stringify(message));
    assert.match(said[0] ?? '', /^\{"event":\{"start":\{"pid":\d+\}\}\}$/);
    assert.ok(said.includes('{"event":{"keepalive":{}}}'));
    assert.equal(said.at(-1), '{}');
  }));

test('input that is a long run of signs of the end of base64 is refused without holding others up', () =>
  withShared(async (running) => {
    const at = running.sidecar.e2bUrl;
    const headers = { 'x-access-token': running.token };
    const program = { process: { tag: 'reader' } };
    const begun = streamed(
      at,
      '/process.Process/Start',
      envelope({ process: { cmd: 'cat', args: [] }, tag: 'reader', stdin: true }),
      headers,
    );
    await eventually(async () => assert.match((await post(at, '/process.Process/List', {}, headers)).body, /"tag":"reader"/));
    const send = (stdin: string): Promise<Said> => post(at, '/process.Process/SendInput', { ...program, input: { stdin } }, headers);
    const longest = await longestTurn(async () => assert.equal((await send(`${'='.repeat(50_000)}x`)).status, 400));
    assert.ok(longest < 500, `${longest} ms`);
    assert.equal((await send('aGk_Cg')).status, 200);
    assert.ok((await running.client.call('processes.wait', { id: 'reader', until: 'text', text: 'hi' })).met, 'it is said before the end');
    assert.equal((await post(at, '/process.Process/SendSignal', { ...program, signal: 'SIGNAL_SIGKILL' }, headers)).status, 200);
    assert.match(JSON.stringify(await begun), /"stdout":"aGk\/Cg=="/);
  }));

test('watchers of a token that ended keep no place', () =>
  withSidecar(async ({ sidecar, token, client }) => {
    const { id, secret } = await client.call('tokens.create', { name: 'watching', access: 'read' });
    const create = async (by: string): Promise<number> =>
      (await post(sidecar.e2bUrl, '/filesystem.Filesystem/CreateWatcher', { path: '' }, { 'x-access-token': by })).status;
    for (let count = 0; count < 100; count++) assert.equal(await create(secret), 200);
    assert.equal(await create(token), 429);
    await client.call('tokens.revoke', { id });
    await eventually(async () => assert.equal(await create(token), 200));
  }, setup));

test('what a request of bytes is to hold for holds, or nothing is done', () =>
  withSidecar(async (running) => {
    const files = `${running.sidecar.e2bUrl}/files?path=a.txt`;
    const ask = (method: string, more: Record<string, string>): Promise<Response> =>
      fetch(files, {
        method,
        headers: { 'x-access-token': running.token, 'content-type': 'application/octet-stream', ...more },
        ...(method === 'POST' ? { body: 'other' } : {}),
      });
    running.put('a.txt', '0123456789');
    const whole = await ask('GET', {});
    const etag = whole.headers.get('etag') ?? '';
    const said = async (response: Response): Promise<[number, string]> => [response.status, await response.text()];
    assert.deepEqual(await said(whole), [200, '0123456789']);
    assert.deepEqual(await said(await ask('GET', { range: 'bytes=7-', 'if-range': etag })), [206, '789']);
    assert.deepEqual(await said(await ask('GET', { range: 'bytes=7-', 'if-range': '"of another content"' })), [200, '0123456789']);
    const known = await ask('GET', { 'if-none-match': etag });
    assert.deepEqual([await said(known), known.headers.get('etag')], [[304, ''], etag]);
    assert.equal((await ask('GET', { 'if-modified-since': whole.headers.get('last-modified') ?? '' })).status, 304);
    assert.equal((await ask('GET', { 'if-match': '"of another content"' })).status, 412);
    const beyond = await ask('GET', { range: 'bytes=99-' });
    assert.deepEqual([beyond.status, beyond.headers.get('content-range')], [416, 'bytes */10']);

    assert.equal((await ask('POST', { 'if-none-match': '*' })).status, 412);
    assert.equal((await ask('POST', { 'if-match': '"of another content"' })).status, 412);
    assert.equal((await ask('POST', { 'if-unmodified-since': 'Thu, 01 Jan 1970 00:00:00 GMT' })).status, 400, 'nobody looks at it');
    assert.equal(running.file('a.txt'), '0123456789');
    assert.equal((await ask('POST', { 'if-match': etag })).status, 200);
    assert.equal(running.file('a.txt'), 'other');
  }, setup));

test('what is or unpacks to more than a file may hold is refused, its sender hears so, and nothing of it stays', () =>
  withSidecar(
    async (running) => {
      const packed = gzipSync(Buffer.alloc(200 * mib));
      const said = await post(running.sidecar.e2bUrl, '/files?path=bomb', packed, {
        ...{ 'x-access-token': running.token, 'content-type': 'application/octet-stream', 'content-encoding': 'gzip' },
      });
      assert.equal(said.status, 413);
      const long = randomBytes(40 * mib);
      for (const [body, coding] of [
        [long, {}],
        [gzipSync(long), { 'content-encoding': 'gzip' }],
      ] as const) {
        const headers = { 'x-access-token': running.token, 'content-type': 'application/octet-stream', ...coding };
        assert.equal((await post(running.sidecar.e2bUrl, '/files?path=long', body, headers)).status, 413);
      }
      await assert.rejects(sandbox(running).files.write('long', long.buffer), /413/);
      assert.deepEqual(fs.readdirSync(running.root), []);
    },
    { config: { ...setup.config, 'limits.uploadBytes': String(8 * mib) } },
  ));

test('the program of docs/e2b.md prints what it says, against what its command starts', { skip: requireTool('python3') }, () =>
  withScratchFolder('e2b', async (folder, root) => {
    const [command = ''] = blocks('docs/e2b.md', 'console');
    const args = /^\$ outrigger (serve \. --e2b-port) 49983\n$/.exec(command)?.[1]?.split(' ') ?? [];
    const env = { PATH: process.env['PATH'], HOME: home, OUTRIGGER_TOKEN: 'token-of-the-e2b-tests-0123456789' };
    const more = ['0', '--port', '0', '--state', path.join(folder, 'state')];
    const serving = runProgram(process.execPath, [main, ...args, ...more], { cwd: root, env });
    try {
      const [, url = ''] = await serving.until(/^ {2}E2B +(\S+)$/m);
      const [program = ''] = blocks('docs/e2b.md', 'js');
      const code = program.replace('http://127.0.0.1:49983', url);
      const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '--eval', code], { cwd: repository, env });
      assert.equal(stdout.trim(), /→ (.*)/.exec(program)?.[1]);
    } finally {
      assert.equal(await serving.stop(), 0);
    }
  }),
);

test('git goes through commands, as the SDK does it', { skip: requireTool('git') }, () =>
  withShared(async (running) => {
    const { git, files } = sandbox(running);
    await git.init('repository');
    await git.configureUser('Ada', 'ada@example.com', { scope: 'local', path: 'repository' });
    await files.write('repository/a.txt', 'a\n');
    assert.deepEqual(
      (await git.status('repository')).fileStatus.map(({ name }) => name),
      ['a.txt'],
    );
    await git.add('repository');
    await git.commit('repository', 'First');
    assert.equal((await git.status('repository')).isClean, true);
  }),
);
