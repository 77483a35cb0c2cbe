import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { spawn as spawnPty } from '@lydell/node-pty';
import { flagName, optionKeys, optionRow } from '../../src/config/options.ts';
import { operations } from '../../src/contract/operations.ts';
import { eventually } from '../kit/eventually.ts';
import { withSidecar } from '../kit/sidecar.ts';
import { main } from '../kit/command.ts';

const base = fs.mkdtempSync(path.join(os.tmpdir(), 'outrigger-cli-'));
const root = path.join(base, 'work');
const env = { PATH: process.env['PATH'] ?? '', HOME: path.join(base, 'home'), TMPDIR: base };
let server: ChildProcess;
let banner = '';

interface Ended {
  code: number | null;
  out: string;
  err: string;
}

function start(args: string[], more: Record<string, string> = {}, cwd = root): ChildProcess {
  return spawn(process.execPath, [main, ...args], { env: { ...env, ...more }, cwd });
}

async function run(args: string[], input = '', more: Record<string, string> = {}, cwd = root): Promise<Ended> {
  const child = start(args, more, cwd);
  const ended: Ended = { code: null, out: '', err: '' };
  child.stdout?.setEncoding('utf8').on('data', (text: string) => (ended.out += text));
  child.stderr?.setEncoding('utf8').on('data', (text: string) => (ended.err += text));
  child.stdin?.end(input);
  [ended.code] = (await once(child, 'close')) as [number | null];
  return ended;
}

/** Two at a time: starting a process is most of what it costs. */
async function inTurn<T>(all: readonly T[], work: (one: T) => Promise<void>): Promise<void> {
  const rest = [...all];
  const worker = async (): Promise<void> => {
    for (let one = rest.shift(); one !== undefined; one = rest.shift()) await work(one);
  };
  await Promise.all([worker(), worker()]);
}

before(async () => {
  fs.mkdirSync(root);
  fs.mkdirSync(env.HOME);
  fs.writeFileSync(path.join(root, 'a.txt'), 'one\ntwo\n');
  fs.writeFileSync(path.join(root, "it's.bin"), Buffer.from([0, 255]));
  fs.mkdirSync(path.join(root, 'sub/deep'), { recursive: true });
  server = start(['serve', '.', '--port', '0']);
  server.stderr?.setEncoding('utf8').on('data', (text: string) => (banner += text));
  await eventually(() => assert.match(banner, /sidecar\.ready/), 20_000);
});

after(async () => {
  const exited = once(server, 'exit');
  server.kill('SIGTERM');
  const [code] = await exited;
  fs.rmSync(base, { recursive: true, force: true });
  assert.equal(code, 0, banner);
});

test('serve says in how many ms it is ready, and a URL with a token that logs a browser in', async () => {
  assert.match(banner, /ready in \d+ ms/);
  const url = /Open\s+(http:\/\/127\.0\.0\.1:\d+\/\?token=\S+)/.exec(banner)?.[1];
  assert.ok(url, banner);
  const answer = await fetch(url, { redirect: 'manual' });
  assert.equal(answer.status, 303);
  assert.equal(answer.headers.get('location'), './');
  const cookie = answer.headers.get('set-cookie') ?? '';
  assert.match(cookie, /^outrigger_[0-9a-f]{16}=[^;]+; HttpOnly; SameSite=Strict; Max-Age=\d+$/);
  assert.ok(!cookie.includes(new URL(url).searchParams.get('token') as string), 'the cookie is not the token');
  const info = await fetch(new URL('/api/system.info', url), { headers: { cookie: cookie.split(';')[0] as string } });
  assert.equal(info.status, 200);
  const wrong = await fetch(new URL('/?token=not-the-token-at-all', url), { redirect: 'manual' });
  assert.equal(wrong.headers.get('location'), './?login=BAD_TOKEN');
});

test('ls, cat, put and call find the sidecar of the folder by themselves', async () => {
  assert.match((await run(['ls'])).out, /a\.txt/);
  assert.equal((await run(['cat', 'a.txt'])).out, 'one\ntwo\n');
  const put = await run(['put', 'new//b.bin/'], 'from stdin');
  assert.deepEqual([put.code, fs.readFileSync(path.join(root, 'new/b.bin'), 'utf8')], [0, 'from stdin'], put.err);
  assert.match(put.err, /^wrote new\/b\.bin, 10 bytes/, 'as the file is called, however it was written');
  const read = await run(['call', 'files.read', '{"path":"a.txt","head":1}', '--json']);
  assert.equal((JSON.parse(read.out) as { text: string }).text, 'one\n');
  const listed = await run(['call', 'files.list', '--json']);
  const lines = listed.out
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as { item?: { name: string }; end?: { count: number } });
  assert.equal(lines.at(-1)?.end?.count, lines.length - 1);
});

test('watch prints a change as it happens, and Ctrl-C ends it with 0', async () => {
  const watch = start(['watch', '--json']);
  let out = '';
  watch.stdout?.setEncoding('utf8').on('data', (text: string) => (out += text));
  await eventually(() => assert.match(out, /"ready"/), 10_000);
  fs.writeFileSync(path.join(root, 'seen.txt'), 'x');
  await eventually(() => assert.match(out, /"path":"seen\.txt"/));
  const exited = once(watch, 'exit');
  watch.kill('SIGINT');
  assert.deepEqual(await exited, [0, null]);
});

test('watch ends on Ctrl-C also when the sidecar does not answer, before it has spoken and after (long form)', {
  skip: process.platform === 'win32',
}, async () => {
  const folder = path.join(base, 'frozen');
  fs.mkdirSync(folder);
  let said = '';
  const frozen = start(['serve', folder, '--port', '0']);
  frozen.stderr?.setEncoding('utf8').on('data', (text: string) => (said += text));
  const watches: ChildProcess[] = [];
  try {
    await eventually(() => assert.match(said, /sidecar\.ready/), 20_000);
    const before = start(['watch', '--json', '--dir', folder]);
    watches.push(before);
    let out = '';
    before.stdout?.setEncoding('utf8').on('data', (text: string) => (out += text));
    await eventually(() => assert.match(out, /ready/), 20_000);
    frozen.kill('SIGSTOP');
    const after = start(['watch', '--dir', folder]);
    watches.push(after);
    await new Promise((resolve) => setTimeout(resolve, 1000));
    const codes = await Promise.all(
      watches.map(async (watch) => {
        const exited = once(watch, 'exit') as Promise<[number | null]>;
        watch.kill('SIGINT');
        return (await exited)[0];
      }),
    );
    assert.deepEqual(codes, [0, 0]);
  } finally {
    frozen.kill('SIGKILL');
    for (const watch of watches) watch.kill('SIGKILL');
  }
});

test('a body does not come from where the input came from', async () => {
  fs.writeFileSync(path.join(root, 'kept.txt'), 'important');
  const { code, err } = await run(['call', 'files.upload', '-'], '{"path":"kept.txt"}');
  assert.equal(code, 2, err);
  assert.match(err, /standard input/);
  assert.equal(fs.readFileSync(path.join(root, 'kept.txt'), 'utf8'), 'important');
});

test('an input that is no UTF-8 is refused, and nothing is written', async () => {
  const child = start(['call', 'files.write', '-']);
  let err = '';
  child.stderr?.setEncoding('utf8').on('data', (text: string) => (err += text));
  child.stdin?.end(Buffer.from('{"path":"no-utf8.txt","text":"caf\xe9"}', 'latin1'));
  const [code] = (await once(child, 'close')) as [number | null];
  assert.deepEqual([code, err], [2, 'outrigger: Standard input is not UTF-8.\n']);
  assert.ok(!fs.existsSync(path.join(root, 'no-utf8.txt')));
});

test('a disk that is full behind stdout is one line', { skip: fs.existsSync('/dev/full') ? false : 'needs /dev/full' }, async () => {
  const full = fs.openSync('/dev/full', 'w');
  try {
    const child = spawn(process.execPath, [main, 'cat', 'a.txt'], { env, cwd: root, stdio: ['ignore', full, 'pipe'] });
    let err = '';
    child.stderr?.setEncoding('utf8').on('data', (text: string) => (err += text));
    const [code] = (await once(child, 'close')) as [number | null];
    assert.equal(code, 1);
    assert.match(err, /^outrigger: .*ENOSPC[^\n]*\n$/);
  } finally {
    fs.closeSync(full);
  }
});

test('what nobody reads waits in the sidecar, not in the memory of the command (long form)', {
  skip: process.platform === 'linux' ? false : 'looks at /proc',
}, async () => {
  const { out } = await run([
    'call',
    'processes.start',
    '--json',
    JSON.stringify({ argv: ['sh', '-c', 'while :; do echo 0123456789; done'] }),
  ]);
  const { id } = (JSON.parse(out) as { process: { id: string } }).process;
  const child = start(['call', 'processes.output', '--json', JSON.stringify({ id, follow: true })]);
  try {
    const memory = (): number => Number(/VmRSS:\s+(\d+)/.exec(fs.readFileSync(`/proc/${child.pid}/status`, 'utf8'))?.[1]);
    await new Promise((resolve) => setTimeout(resolve, 2000));
    const early = memory();
    await new Promise((resolve) => setTimeout(resolve, 3000));
    assert.ok(memory() - early < 12_000, `${early} kB, then ${memory()} kB`);
  } finally {
    child.kill('SIGKILL');
    await run(['call', 'processes.stop', JSON.stringify({ id })]);
  }
});

test('watch says that the sidecar is lost, and that it is back, and tells what changed meanwhile (long form)', async () => {
  const folder = path.join(base, 'restarted');
  fs.mkdirSync(folder);
  let port = '0';
  const serve = async (): Promise<ChildProcess> => {
    const child = start(['serve', '.', '--port', port], {}, folder);
    let said = '';
    child.stderr?.setEncoding('utf8').on('data', (text: string) => (said += text));
    await eventually(() => assert.match(said, /sidecar\.ready/), 20_000);
    port = /Open\s+http:\/\/127\.0\.0\.1:(\d+)/.exec(said)?.[1] ?? '';
    return child;
  };
  const end = async (child: ChildProcess, signal: NodeJS.Signals): Promise<unknown> => {
    const exited = once(child, 'exit');
    child.kill(signal);
    return (await exited)[0];
  };
  let sidecar = await serve();
  const settings = path.join(base, 'restarted.json');
  fs.writeFileSync(settings, '{}');
  const watch = start(['watch', '--json', '--dir', folder], { OUTRIGGER_CONFIG: settings });
  let [out, err] = ['', ''];
  watch.stdout?.setEncoding('utf8').on('data', (text: string) => (out += text));
  watch.stderr?.setEncoding('utf8').on('data', (text: string) => (err += text));
  try {
    await eventually(() => assert.match(out, /"ready"/), 10_000);
    await end(sidecar, 'SIGKILL');
    await eventually(() => assert.equal(err, 'lost: the sidecar does not answer; trying again\n'), 10_000);
    fs.writeFileSync(path.join(folder, 'meanwhile.txt'), 'x');
    sidecar = await serve();
    await eventually(() => assert.match(out, /"path":"meanwhile\.txt"/), 20_000);
    const lostAndBack = 'lost: the sidecar does not answer; trying again\nback: the sidecar answers again\n';
    assert.equal(err, lostAndBack);
    // At another port.
    const before = port;
    await end(sidecar, 'SIGKILL');
    port = '0';
    // Somebody writes the configuration anew: for a moment it is none.
    fs.writeFileSync(settings, '{ "search');
    await new Promise((resolve) => setTimeout(resolve, 1500));
    fs.writeFileSync(settings, '{}');
    fs.writeFileSync(path.join(folder, 'on-the-way.txt'), 'x');
    sidecar = await serve();
    assert.notEqual(port, before);
    await eventually(() => assert.match(out, /"path":"on-the-way\.txt"/), 20_000);
    assert.equal(out.match(/"path":"meanwhile\.txt"/g)?.length, 1, 'nothing is told twice');
    assert.equal(await end(watch, 'SIGINT'), 0);
    assert.equal(err, lostAndBack + lostAndBack);
  } finally {
    watch.kill('SIGKILL');
    await end(sidecar, 'SIGTERM');
  }
});

const failures: [says: string, args: string[], code: number, text: RegExp][] = [
  ['an unknown command line', ['serve', '--no-such-flag'], 2, /unknown option/],
  ['a word too many', ['hub', 'show', 'extra'], 2, /too many arguments/],
  ['an unknown operation', ['call', 'files.nothing'], 1, /no operation/],
  ['input that is no JSON', ['call', 'files.read', '{oops'], 2, /not JSON/],
  ['a missing file', ['cat', 'missing.txt'], 1, /missing\.txt is not there/],
  ['a broken option', ['config', '--documents-max-bytes', 'much'], 78, /not a whole number/],
  [
    'a folder that is not there',
    ['serve', '/no/such/folder'],
    69,
    /^outrigger: There is no folder \/no\/such\/folder\. Check the path\.\n$/,
  ],
  ['a folder with no sidecar', ['ls', '--dir', '/'], 69, /No sidecar runs/],
  [
    'a language that is none in code.rollout',
    ['serve', '.', '--port', '0', '--code-rollout', '{"cobol":"off"}'],
    78,
    /code\.rollout.*cobol.*\n.*config/,
  ],
  ['a setting of it that is none', ['serve', '.', '--port', '0', '--code-rollout', '{"py":"of"}'], 78, /code\.rollout: py: .*\n.*config/],
  [
    'a profile of deploy.profiles that is none',
    ['serve', '.', '--port', '0', '--deploy-profiles', '{"a":{}}'],
    78,
    /deploy\.profiles: a.*\n.*config/,
  ],
  [
    'an agent with the name of this machine',
    ['serve', '.', '--port', '0', '--processes-agents', '{"local":{"socket":"/x","tokenFile":"/y"}}'],
    78,
    /processes\.agents: .*\n.*config/,
  ],
  [
    'a language of the runner that is none',
    ['serve', '.', '--port', '0', '--runner-port', '0', '--runner-language', 'cobol'],
    78,
    /runnerLanguage: "cobol".*\n.*config/,
  ],
  ['a state folder that can not be used', ['serve', '.', '--state', '/proc/nothing', '--port', '0'], 78, /state/],
];
for (const [says, args, code, text] of failures) {
  test(`${says} exits ${code} and says why`, async () => {
    const ended = await run(args);
    assert.deepEqual([ended.code, ended.out], [code, ''], ended.err);
    assert.match(ended.err, text);
  });
}

/** Each says one line of its own, and nothing else: no stack, no hint for other callers. */
const mistakes: [args: string[], code: number, says: string][] = [
  [['cal'], 2, 'cal is neither a command nor a folder. Did you mean call?'],
  [['watc', '--port', '0'], 2, 'watc is neither a command nor a folder. Did you mean watch?'],
  [['nosuch', '--help'], 2, 'nosuch is neither a command nor a folder. `outrigger --help` lists the commands.'],
  [['help', 'cal'], 2, 'cal is no command. Did you mean call?'],
  [['help', 'hub', 'enroll'], 2, 'hub enroll is no command. Did you mean enrol?'],
  [['hub', 'help', 'nonsense'], 2, 'hub nonsense is no command. `outrigger hub --help` lists them.'],
  [['./cal'], 69, `There is no folder ${path.join(root, 'cal')}. Check the path.`],
  [['a.txt'], 69, `${path.join(root, 'a.txt')} is a file, not a folder.`],
  ...['start', 'mcp', 'stdio', 'doctor', 'token'].map((name): [string[], number, string] => [
    [name, '/no/such/folder'],
    69,
    'There is no folder /no/such/folder. Check the path.',
  ]),
  [['ls', '--dir', 'nowhere'], 69, `There is no folder ${path.join(root, 'nowhere')}. Check the path.`],
  [['put', 'b.txt', '/no/such/file'], 69, 'There is no file /no/such/file. Check the path.'],
  [['put', 'b.txt', '/'], 69, '/ is a folder, not a file.'],
  [['ls', '--url', 'nonsense'], 2, '--url: "nonsense" is no address; http://host:port is.'],
  [['call', 'files.read', '--via', 'nonsense', '--agent', 'a'], 2, '--via: "nonsense" is no address; http://host:port is.'],
  [['call', 'files.write', '{"path":"c.txt","text":"","ifmatch":"x"}'], 2, 'files.write has no "ifmatch". Did you mean ifMatch?'],
  [['call', 'files.mkdir', '{"path":"c","zzzzzz":1}'], 2, 'files.mkdir has no "zzzzzz". It takes path, parents.'],
  [['call'], 2, 'Which operation? `outrigger call --list` prints all.'],
  [['token', '--create', 'x', '--expires', 'abc'], 2, '--expires: "abc" is no number of seconds.'],
  [['hub', 'enrol', '--expires', '0'], 2, '--expires: "0" is no number of seconds.'],
  [['token', 'a', '--dir', 'b'], 2, 'Name the folder once: as an argument, or with --dir.'],
  [['token', '--access', 'read'], 2, '--access is for a new token, which needs --create.'],
  [['token', '--paths', 'sub', '--list'], 2, '--paths is for a new token, which needs --create.'],
  [['token', '--expires', '60'], 2, '--expires is for a new token, which needs --create.'],
  [['token', '--create', 'x', '--paths', ' ,'], 2, '--paths: no path is named.'],
  [['token', '--rotate', '--revoke', 'x'], 2, '--rotate and --revoke do not go together.'],
  [['hub', '--port', 'abc'], 2, '--port abc is no port.'],
  [['hub', 'enroll'], 2, 'hub enroll is no command. Did you mean enrol?'],
  [['hub', '--port', '0', 'nonsense'], 2, 'hub nonsense is no command. `outrigger hub --help` lists them.'],
  [['hub', 'show', '--url', 'nonsense'], 2, '--url: "nonsense" is no address; http://host:port is.'],
  [['hub', 'show', '--url', 'ftp://x'], 2, '--url: "ftp://x" is no address; http://host:port is.'],
  [['call', 'system.info', '--via', 'http://127.0.0.1:1'], 2, '--via and --agent need each other.'],
  [['call', 'system.info', '--agent', 'a'], 2, '--via and --agent need each other.'],
  [['link', '--enrol', 'x'], 2, '--enrol and --hub need each other.'],
  [['link', '--hub', 'http://127.0.0.1:1'], 2, '--enrol and --hub need each other.'],
  [['link', '--agent', 'a'], 2, '--agent is for a new agent, which needs --enrol.'],
  [['stdio', '.', '--root', 'a'], 2, 'Name the folder once: as an argument, or with --root.'],
  [
    ['hub', '--state', '/proc/nothing/below', '--port', '0'],
    69,
    "--state /proc/nothing/below can't be used: ENOENT: no such file or directory, mkdir '/proc/nothing'",
  ],
  [['init', '/proc/nothing'], 1, "/proc/nothing can't be written: ENOENT: no such file or directory, mkdir '/proc/nothing'"],
  [['hub', '--keep-days', '-1'], 2, '--keep-days -1 is no number of days from 0 (for ever) to 36525.'],
  [
    ['hub', '--allowed-hosts', 'a.example,https://b.example'],
    2,
    '--allowed-hosts: "https://b.example" would match no host; write "b.example".',
  ],
];
test('a mistake in a command is told in one line, and nothing is done', async () => {
  await inTurn(mistakes, async ([args, code, says]) => {
    assert.deepEqual(await run(args), { code, out: '', err: `outrigger: ${says}\n` }, args.join(' '));
  });
  assert.ok(!fs.existsSync(path.join(root, 'c.txt')) && !fs.existsSync(path.join(root, 'c')));
});

test('a token for a hub that can not be one is a wrong configuration: 78, and its variable is named', async () => {
  const ended = await run(['hub', '--port', '0'], '', { OUTRIGGER_HUB_TOKEN: 'too-short' });
  assert.deepEqual(ended, { code: 78, out: '', err: 'outrigger: OUTRIGGER_HUB_TOKEN must be at least 16 characters long.\n' });
});

test('a folder that its user may not write is served, and it is said that nothing can be saved there', {
  skip: process.getuid?.() === 0 ? false : 'needs root',
}, async () => {
  const stranger = 65_530;
  const place = fs.mkdtempSync(path.join(os.tmpdir(), 'outrigger-cli-theirs-'));
  try {
    fs.chmodSync(place, 0o755);
    for (const folder of ['work', 'home']) fs.mkdirSync(path.join(place, folder));
    fs.chownSync(path.join(place, 'home'), stranger, stranger);
    const served = spawn(process.execPath, [main, 'serve', path.join(place, 'work'), '--port', '0'], {
      env: { ...env, HOME: path.join(place, 'home'), TMPDIR: path.join(place, 'home') },
      cwd: place,
      ...{ uid: stranger, gid: stranger },
    });
    const exited = once(served, 'exit');
    let said = '';
    served.stderr.setEncoding('utf8').on('data', (text: string) => (said += text));
    await eventually(() => assert.match(said, /sidecar\.ready/), 20_000);
    served.kill('SIGTERM');
    await exited;
    assert.ok(
      said.includes(`${path.join(place, 'work')} can't be written by the user who runs this: nothing that is edited here can be saved.`),
      said,
    );
  } finally {
    fs.rmSync(place, { recursive: true, force: true });
  }
});

test('a folder is served without the name of the command, and config says which folder is missing', async () => {
  const folder = path.join(base, 'cal');
  fs.mkdirSync(folder);
  const served = start(['cal', '--port', '0'], {}, base);
  const exited = once(served, 'exit');
  let said = '';
  served.stderr?.setEncoding('utf8').on('data', (text: string) => (said += text));
  await eventually(() => assert.match(said, /sidecar\.ready/), 20_000);
  served.kill('SIGTERM');
  await exited;
  assert.ok(said.includes(`serves ${folder}`), said);
  const config = await run(['config', '/no/such/folder']);
  assert.deepEqual([config.code, config.err], [0, 'outrigger: There is no folder /no/such/folder. Check the path.\n']);
  assert.match(config.out, /^port +3000 +default$/m);
  // As the help calls it: no flag is of that name.
  assert.match(config.out, /^root +"\/no\/such\/folder" +\[folder\]$/m);
  // One long value makes no line long but its own.
  assert.deepEqual(
    config.out.split('\n').flatMap((line) => (line.length > 80 ? [line.split(' ')[0]] : [])),
    ['components', 'watch.ignore'],
  );
  assert.match(
    (await run(['--help'])).out,
    /^Without a command, a folder is served: the one that is named, else \$WORKSPACE_PATH, else the current one\.$/m,
  );
});

test('token --rotate prints the token that holds from now on', async () => {
  const folder = path.join(base, 'rotated');
  fs.mkdirSync(folder);
  const served = start(['serve', folder, '--port', '0'], {}, base);
  const exited = once(served, 'exit');
  try {
    let said = '';
    served.stderr?.setEncoding('utf8').on('data', (text: string) => (said += text));
    await eventually(() => assert.match(said, /sidecar\.ready/), 20_000);
    const before = (await run(['token', folder])).out;
    const rotated = await run(['token', folder, '--rotate']);
    assert.deepEqual([rotated.code, rotated.err], [0, '']);
    assert.notEqual(rotated.out, before);
    assert.equal((await run(['token', folder])).out, rotated.out);
  } finally {
    served.kill('SIGTERM');
    await exited;
  }
});

test('an operation that is not there is answered with the nearest, and --list names all', async () => {
  const wrong = await run(['call', 'files.raed', '{}']);
  assert.deepEqual(
    [wrong.code, wrong.err],
    [1, 'outrigger: There is no operation "files.raed".\nDid you mean files.read? `outrigger call --list` lists them.\n'],
  );
  const { out } = await run(['call', '--list'], '', {}, base);
  assert.deepEqual(
    out
      .trim()
      .split('\n')
      .map((line) => line.split(/ {2,}/)),
    Object.entries(operations).map(([name, { access, summary }]) => [name, access, summary]),
  );
  assert.match((await run(['call', 'files.read', '--help'])).out, /--list prints all/);
  const asJson = await run(['call', 'files.read', '{"pat":"a.txt"}', '--json']);
  assert.deepEqual([asJson.code, (JSON.parse(asJson.err) as { reason: string }).reason], [2, 'BAD_INPUT']);
});

test('cat of what is no text says how to get its bytes, in words that a shell takes', async () => {
  const refused = await run(['cat', "it's.bin", '--dir', '.']);
  assert.equal(refused.code, 1);
  const [, command] = /^As bytes: outrigger (.*) > file$/m.exec(refused.err) ?? [];
  assert.equal(command, String.raw`call files.download '{"path":"it'\''s.bin"}' --dir .`);
});

test('where nobody listens that is said, over a socket and over HTTP; a connection that ends is told otherwise', async () => {
  const server = net.createServer((socket) => socket.destroy()).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as net.AddressInfo;
  const url = `http://127.0.0.1:${port}`;
  const more = { OUTRIGGER_TOKEN: 'some-token-of-some-length' };
  const cut = await run(['ls', '--url', url], '', more);
  assert.deepEqual([cut.code, cut.err.split('\n')[0]], [69, 'outrigger: The sidecar does not answer.']);
  server.close();
  await once(server, 'close');
  for (const args of [['ls'], ['put', 'x.txt'], ['watch']]) {
    const refused = await run([...args, '--url', url], '', more);
    assert.deepEqual([refused.code, refused.err], [69, `outrigger: Nothing listens at 127.0.0.1:${port}. Start it, or check --url.\n`]);
  }
});

/** Other file systems know no time so late. */
const memory = '/dev/shm';

test('a file that was written beyond all dates is listed without one (long form)', {
  skip: !fs.existsSync(memory) && `there is no ${memory}`,
}, async (t) => {
  const workspace = fs.mkdtempSync(path.join(memory, 'outrigger-cli-'));
  try {
    for (const name of ['far', 'near']) fs.writeFileSync(path.join(workspace, name), name);
    fs.utimesSync(path.join(workspace, 'near'), 0, 0);
    fs.utimesSync(path.join(workspace, 'far'), 8_640_000_000_001, 8_640_000_000_001);
    if (fs.statSync(path.join(workspace, 'far')).mtimeMs <= 8.64e15) return t.skip('it keeps no such time');
    await withSidecar(
      async ({ url, token }) => {
        const { out, err } = await run(['ls', '--url', url], '', { OUTRIGGER_TOKEN: token });
        assert.equal(err, '');
        assert.match(out, /^3 +- +far$/m);
        assert.match(out, /^4 +1970-01-01 00:00:00 +near$/m);
      },
      { workspace },
    );
  } finally {
    fs.rmSync(workspace, { recursive: true });
  }
});

test('commands find the sidecar from a folder below, and say what to do where there is none', async () => {
  const below = path.join(root, 'sub/deep');
  assert.equal((await run(['cat', 'a.txt'], '', {}, below)).out, 'one\ntwo\n');
  const token = (await run(['token'], '', {}, below)).out;
  assert.ok(token.length > 20 && token === (await run(['token', '--dir', '../..'], '', {}, below)).out);
  const named = await run(['ls', '--dir', '.'], '', {}, below);
  assert.equal(named.err, `outrigger: No sidecar runs on ${below}. Start one: outrigger serve ${below}\n`);
  const none = await run(['ls'], '', {}, base);
  assert.equal(none.err, `outrigger: No sidecar runs on ${base} or above it. Start one: outrigger serve .\n`);
  const asJson = await run(['call', 'system.info', '--json'], '', {}, base);
  const { code, message } = JSON.parse(asJson.err) as { code: string; message: string };
  assert.deepEqual([asJson.code, asJson.out, code, `outrigger: ${message}\n`], [69, '', 'unavailable', none.err]);
  const meant = await run(['ls', root], '', {}, base);
  assert.deepEqual([meant.code, meant.err], [69, `outrigger: No sidecar runs on ${base} or above it. Did you mean --dir ${root}?\n`]);
  assert.match((await run(['ls', '--help'])).out, /upwards\. Paths are relative to that folder/);
});

test('a token of the environment or of a file that does not hold is named, and so is where a token is set (long form)', async () => {
  const wrong = 'a-token-that-is-not-the-one';
  const file = path.join(base, 'wrong-token');
  fs.writeFileSync(file, wrong);
  const said = async (args: string[], more: Record<string, string>): Promise<string> => (await run(args, '', more)).err;
  const fault = (source: string): string =>
    `outrigger: ${source} is set and does not hold for this sidecar.\nUnset it, or set the right one.\n`;
  assert.equal(await said(['ls'], { OUTRIGGER_TOKEN: wrong }), fault('$OUTRIGGER_TOKEN'));
  assert.equal(await said(['put', 'x.txt'], { OUTRIGGER_TOKEN_FILE: file }), fault('$OUTRIGGER_TOKEN_FILE'));
  assert.equal(await said(['cat', 'a.txt', '--token-file', file], {}), fault('--token-file'));
  assert.match((await run(['doctor'], '', { OUTRIGGER_TOKEN: wrong })).out, /can't be asked\. \$OUTRIGGER_TOKEN is set and does not hold/);
  const printed = await run(['token'], '', { OUTRIGGER_TOKEN: wrong });
  assert.deepEqual(printed, {
    code: 1,
    out: '',
    err: 'outrigger: The token is set by configuration, and is not shown.\nIt comes from $OUTRIGGER_TOKEN. Without that, the token kept for the folder is printed.\n',
  });
  for (const args of [
    ['ls', '--token', wrong],
    ['serve', `--token=${wrong}`],
  ]) {
    const { code, err } = await run(args);
    assert.deepEqual([code, /: set OUTRIGGER_TOKEN or --token-file$/m.test(err), err.includes(wrong)], [2, true, false], err);
  }
  assert.match(await said(['hub', 'show', '--token', wrong], {}), /: set OUTRIGGER_HUB_TOKEN$/m);
});

test('a sidecar whose token configuration set prints it nowhere, is found with that token, and without it the token is asked for (long form)', async () => {
  const folder = path.join(base, 'given');
  fs.mkdirSync(folder);
  const given = { OUTRIGGER_TOKEN: 'the-token-that-was-given' };
  const served = start(['serve', folder, '--port', '0'], given);
  const exited = once(served, 'exit');
  let said = '';
  served.stderr?.setEncoding('utf8').on('data', (text: string) => (said += text));
  await eventually(() => assert.match(said, /sidecar\.ready/), 20_000);
  assert.match(said, /Open +http:\S+ +with the token that you set\n/);
  assert.ok(!said.includes(given.OUTRIGGER_TOKEN), said);
  assert.equal((await run(['ls', '--dir', folder], '', given)).code, 0);
  for (const args of [
    ['ls', '--dir', folder],
    ['token', folder],
  ]) {
    const { code, err } = await run(args);
    assert.deepEqual(
      [code, err],
      [
        1,
        `outrigger: The token of the sidecar on ${folder} was set by configuration.\nSet that one in $OUTRIGGER_TOKEN, or name its file with --token-file.\n`,
      ],
    );
  }
  served.kill('SIGTERM');
  await exited;
});

test('put says that it reads from a terminal', async () => {
  const terminal = spawnPty(process.execPath, [main, 'put', 'typed.txt'], { cwd: root, env });
  let screen = '';
  terminal.onData((text) => (screen += text));
  const exited = new Promise<number>((resolve) => terminal.onExit(({ exitCode }) => resolve(exitCode)));
  await eventually(() => assert.match(screen, /Reading from the terminal; Ctrl-D ends\./), 10_000);
  terminal.write('typed\r\u0004');
  assert.equal(await exited, 0, screen);
  assert.equal(fs.readFileSync(path.join(root, 'typed.txt'), 'utf8'), 'typed\n');
  assert.ok(!(await run(['put', 'piped.txt'], 'x')).err.includes('terminal'));
});

test('a terminal gets type in colour but where NO_COLOR is set or it knows none; a pipe never does', async () => {
  const onTerminal = async (more: Record<string, string>): Promise<string> => {
    const terminal = spawnPty(process.execPath, [main, 'config'], { cwd: root, env: { ...env, TERM: 'xterm', ...more } });
    let screen = '';
    terminal.onData((text) => (screen += text));
    const code = await new Promise<number>((resolve) => terminal.onExit(({ exitCode }) => resolve(exitCode)));
    assert.equal(code, 0, screen);
    return screen;
  };
  assert.match(await onTerminal({}), /\u001b\[2m/);
  for (const more of [{ NO_COLOR: '1' }, { TERM: 'dumb' }]) assert.ok(!(await onTerminal(more)).includes('\u001b['), JSON.stringify(more));
  assert.ok(!(await run(['config'])).out.includes('\u001b['));
});

test('help of a command is had by its name behind help, too, and by help behind that of a group', async () => {
  for (const [asked, same] of [
    [['help'], ['--help']],
    [['help', 'help'], ['--help']],
    [['help', '--help'], ['--help']],
    [
      ['help', 'serve'],
      ['serve', '--help'],
    ],
    [
      ['hub', 'help'],
      ['hub', '--help'],
    ],
    [
      ['help', 'hub', 'add'],
      ['hub', 'add', '--help'],
    ],
    [
      ['hub', 'help', 'add'],
      ['hub', 'add', '--help'],
    ],
  ] as const) {
    const [is, should] = [await run([...asked]), await run([...same])];
    assert.deepEqual([is.code, is.out, is.err], [0, should.out, ''], asked.join(' '));
  }
});

test('--help shows the common options with their defaults, --help-all every one, and a switch that is on has a flag that turns it off', async () => {
  const keys = optionKeys.filter((key) => optionRow(key).secret !== true && key !== 'root');
  for (const command of ['serve', 'mcp']) {
    const { out } = await run([command, '--help']);
    const flags = out.match(/^ {2}--/gm) ?? [];
    assert.ok(flags.length >= 12 && flags.length <= 16, out);
    assert.match(out, /--port <n>[^]*\(default:\s+3000\)/);
    assert.ok(out.endsWith(`\n\`--help-all\` lists all ${keys.length} options.\n`), out);
  }
  const all = await run(['config', '--help-all']);
  assert.equal(all.code, 0);
  for (const key of keys) assert.match(all.out, new RegExp(`^ {2}--${flagName(key)}\\b`, 'm'), key);
  const on = keys.filter((key) => optionRow(key).default === true);
  assert.ok(on.length > 2);
  for (const key of on) assert.match(all.out, new RegExp(`^ {2}--no-${flagName(key)} `, 'm'), key);
  assert.match(all.out, /^Limits:\n {2}--limits-input-bytes /m);
  assert.deepEqual(
    all.out.split('\n').filter((line) => line.length > 100),
    [],
  );
  const off = await run(['config', '--no-search-index', '--json']);
  const row = (JSON.parse(off.out) as { key: string; value: unknown; source: string }[]).find(({ key }) => key === 'search.index');
  assert.deepEqual([row?.value, row?.source], [false, '--no-search-index']);
  assert.match((await run(['serve', '--documents-max-byts', '1'])).err, /Did you mean --documents-max-bytes\?/);
  assert.match((await run(['link', '--help'])).out, /--port <n> +Main port; 0 takes any free one\. \(default: 0\)/);
});

test('a port that is taken exits 69 when it was asked for, and is passed over when it was not', async () => {
  const taken = net.createServer().listen(0, '127.0.0.1');
  await once(taken, 'listening');
  const { port } = taken.address() as net.AddressInfo;
  const ended = await run(['serve', '.', '--port', String(port)]);
  assert.equal(ended.code, 69);
  assert.match(ended.err, new RegExp(`${port} can't be listened on \\(EADDRINUSE\\)\\. Give another port with --port`));
  taken.close();
});

test('a current folder that was removed is told of', async () => {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'outrigger-gone-'));
  const script = `rmdir "$PWD" && exec "$0" "$@"`;
  const ended = spawn('sh', ['-c', script, process.execPath, main, 'serve', os.tmpdir(), '--port', '0'], { cwd: folder });
  let said = '';
  ended.stderr.setEncoding('utf8').on('data', (text: string) => (said += text));
  const [code] = (await once(ended, 'close')) as [number];
  assert.deepEqual(
    [code, said],
    [69, 'outrigger: The folder that this was started in is not there any more. Change to another one first.\n'],
  );
});

test('an address that is none of this machine exits 69 and says so', async () => {
  const ended = await run(['serve', '.', '--port', '0', '--host', '192.0.2.1']);
  assert.equal(ended.code, 69);
  assert.match(ended.err, /192\.0\.2\.1 is no address of this machine: 127\.0\.0\.1 is for this machine alone/);
});

test('a wrong option leaves no copy of the sample project behind', async () => {
  const folder = fs.mkdtempSync(path.join(base, 'temporary-'));
  const ended = await run(['start', '--port', '99999'], '', { TMPDIR: folder });
  assert.deepEqual([ended.code, fs.readdirSync(folder).filter((name) => name.startsWith('outrigger-sample-'))], [78, []], ended.err);
});

test('config tells every value and where it came from; secrets are not shown', async () => {
  const secret = 'a-secret-of-the-environment';
  const { out, code } = await run(['config', '--port', '4001', '--json'], '', { OUTRIGGER_TOKEN: secret, WS_PORT: '4002' });
  const rows = JSON.parse(out) as { key: string; value: unknown; source: string }[];
  const of = (key: string): unknown[] => {
    const row = rows.find((one) => one.key === key);
    return [row?.value, row?.source];
  };
  assert.equal(code, 0);
  assert.deepEqual(of('port'), [4001, '--port']);
  assert.deepEqual(of('wsPort'), [4002, 'WS_PORT']);
  assert.deepEqual(of('host'), ['127.0.0.1', 'default']);
  assert.ok(!out.includes(secret));
});

test('doctor names what is found and what runs', async () => {
  const { out } = await run(['doctor', '--json']);
  const answer = JSON.parse(out) as { tools: { tool: string }[]; sidecar: { status: string } };
  assert.ok(answer.tools.some(({ tool }) => tool === 'git'));
  assert.equal(answer.sidecar.status, 'ok');
});

test('doctor tells of all tools, also where one of them can not be started, does nothing but wait, or fails', {
  skip: process.platform === 'win32' ? 'needs sh' : false,
}, async () => {
  for (const [program, why] of [
    ['#!/no/such/interpreter\n', "can't be started"],
    ['#!/bin/sh\nexec sleep 60\n', 'took longer than 5000 ms'],
    ['#!/bin/sh\nexit 3\n', 'ended with 3'],
  ] as const) {
    const folder = fs.mkdtempSync(path.join(base, 'broken-'));
    fs.writeFileSync(path.join(folder, 'git'), program, { mode: 0o755 });
    const { code, out, err } = await run(['doctor', '--json'], '', { PATH: `${folder}:${env.PATH}` });
    assert.deepEqual([code, err], [1, '']);
    const { tools } = JSON.parse(out) as { tools: { tool: string; found: boolean; install?: string }[] };
    const git = tools.find(({ tool }) => tool === 'git');
    assert.ok(git?.found === false && git.install?.includes(why) === true, JSON.stringify(git));
    assert.ok(tools.some(({ tool, found }) => tool === '@vscode/ripgrep' && found));
  }
});

test('token prints the main token, and makes, lists and ends scoped ones (long form)', async () => {
  const mainToken = (await run(['token'])).out.trim();
  assert.ok(banner.includes(mainToken));
  const made = (await run(['token', '--create', 'reader', '--access', 'read'])).out.trim();
  const url = /(http:\/\/127\.0\.0\.1:\d+)\//.exec(banner)?.[1] as string;
  const refused = await run(['call', 'files.create', '{"path":"x"}', '--url', url], '', { OUTRIGGER_TOKEN: made });
  assert.deepEqual([refused.code, /needs write access/.test(refused.err)], [1, true], refused.err);
  const id = /^(\w+)\s+reader/m.exec((await run(['token', '--list'])).out)?.[1] as string;
  assert.equal((await run(['token', '--revoke', id])).code, 0);
  const ended = await run(['call', 'system.info', '--url', url], '', { OUTRIGGER_TOKEN: made });
  assert.match(ended.err, /revoked/);
});

test('a token is limited to the paths that are named, also where a comma too many stands between them', async () => {
  const made = (await run(['token', '--create', 'limited', '--paths', 'sub, sub/deep,'])).out.trim();
  const url = /(http:\/\/127\.0\.0\.1:\d+)\//.exec(banner)?.[1] as string;
  const refused = await run(['cat', 'a.txt', '--url', url], '', { OUTRIGGER_TOKEN: made });
  assert.deepEqual([refused.code, refused.out], [1, ''], refused.err);
  assert.match((await run(['token', '--list'])).out, /  limited +read +sub,sub\/deep /);
});

test('names of files and tokens are printed so that no terminal obeys them', async () => {
  const name = 'a\u001b[2Jb\nc\u202Ed';
  const seen = String.raw`a\u001b[2Jb\u000ac\u202ed`;
  const made = await run(['token', '--create', name, '--access', 'write', '--paths', `sub/${name}`]);
  assert.equal(made.code, 0, made.err);
  assert.ok((await run(['token', '--list'])).out.includes(`  ${seen}  write  sub/${seen}  holds\n`));
  const watch = start(['watch']);
  let out = '';
  watch.stdout?.setEncoding('utf8').on('data', (text: string) => (out += text));
  let changes = 0;
  await eventually(async () => {
    const put = await run(['put', `sub/${name}/file`], String(changes++), { OUTRIGGER_TOKEN: made.out.trim() });
    assert.equal(put.code, 0, put.err);
    assert.ok(out.includes(`  sub/${seen}/file  ${seen}\n`), out);
  }, 20_000);
  const exited = once(watch, 'exit');
  watch.kill('SIGINT');
  await exited;
  assert.ok((await run(['ls', 'sub'])).out.includes(`  sub/${seen}/\n`));
  fs.rmSync(path.join(root, 'sub', name), { recursive: true });
});

test('--version and --help answer on stdout with 0', async () => {
  const { version } = JSON.parse(fs.readFileSync(path.join(import.meta.dirname, '../../package.json'), 'utf8')) as { version: string };
  assert.deepEqual(await run(['--version']), { code: 0, out: `${version}\n`, err: '' });
  const help = await run(['serve', '--help-all']);
  assert.equal(help.code, 0);
  assert.match(help.out, /--documents-max-bytes/);
});

test('no token is ever in the log', async () => {
  const mainToken = (await run(['token'])).out.trim();
  const lines = banner.split('\n').filter((line) => line.startsWith('{'));
  assert.ok(lines.length > 5);
  assert.ok(!lines.some((line) => line.includes(mainToken)));
});
