import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { eventually } from '../kit/eventually.ts';

const main = path.join(import.meta.dirname, '../../src/cli/main.ts');
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

function start(args: string[], more: Record<string, string> = {}): ChildProcess {
  return spawn(process.execPath, [main, ...args], { env: { ...env, ...more }, cwd: root });
}

async function run(args: string[], input = '', more: Record<string, string> = {}): Promise<Ended> {
  const child = start(args, more);
  const ended: Ended = { code: null, out: '', err: '' };
  child.stdout?.setEncoding('utf8').on('data', (text: string) => (ended.out += text));
  child.stderr?.setEncoding('utf8').on('data', (text: string) => (ended.err += text));
  child.stdin?.end(input);
  [ended.code] = (await once(child, 'close')) as [number | null];
  return ended;
}

before(async () => {
  fs.mkdirSync(root);
  fs.mkdirSync(env.HOME);
  fs.writeFileSync(path.join(root, 'a.txt'), 'one\ntwo\n');
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
  assert.equal(answer.headers.get('location'), '/');
  const cookie = answer.headers.get('set-cookie') ?? '';
  assert.match(cookie, /^outrigger_[0-9a-f]{16}=[^;]+; HttpOnly; SameSite=Strict; Path=\//);
  assert.ok(!cookie.includes(new URL(url).searchParams.get('token') as string), 'the cookie is not the token');
  const info = await fetch(new URL('/api/system.info', url), { headers: { cookie: cookie.split(';')[0] as string } });
  assert.equal(info.status, 200);
  const wrong = await fetch(new URL('/?token=not-the-token-at-all', url), { redirect: 'manual' });
  assert.equal(wrong.headers.get('location'), '/?login=BAD_TOKEN');
});

test('ls, cat, put and call find the sidecar of the folder by themselves', async () => {
  assert.match((await run(['ls'])).out, /a\.txt/);
  assert.equal((await run(['cat', 'a.txt'])).out, 'one\ntwo\n');
  const put = await run(['put', 'new/b.bin'], 'from stdin');
  assert.deepEqual([put.code, fs.readFileSync(path.join(root, 'new/b.bin'), 'utf8')], [0, 'from stdin'], put.err);
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

const failures: [says: string, args: string[], code: number, text: RegExp][] = [
  ['an unknown command line', ['serve', '--no-such-flag'], 2, /unknown option/],
  ['an unknown operation', ['call', 'files.nothing'], 1, /no operation/],
  ['input that is no JSON', ['call', 'files.read', '{oops'], 1, /not JSON/],
  ['a missing file', ['cat', 'missing.txt'], 1, /missing\.txt is not there/],
  ['a broken option', ['config', '--documents-max-bytes', 'much'], 78, /not a whole number/],
  ['a folder that is not there', ['serve', '/no/such/folder'], 69, /not there/],
  ['a folder with no sidecar', ['ls', '--dir', '/'], 69, /No sidecar runs/],
  ['a state folder that can not be used', ['serve', '.', '--state', '/proc/nothing', '--port', '0'], 78, /state/],
];
for (const [says, args, code, text] of failures) {
  test(`${says} exits ${code} and says why`, async () => {
    const ended = await run(args);
    assert.deepEqual([ended.code, ended.out], [code, ''], ended.err);
    assert.match(ended.err, text);
  });
}

test('a port that is taken exits 69 when it was asked for, and is passed over when it was not', async () => {
  const taken = net.createServer().listen(0, '127.0.0.1');
  await once(taken, 'listening');
  const { port } = taken.address() as net.AddressInfo;
  const ended = await run(['serve', '.', '--port', String(port)]);
  assert.equal(ended.code, 69);
  assert.match(ended.err, new RegExp(`${port} can't be listened on \\(EADDRINUSE\\)`));
  taken.close();
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

test('token prints the main token, and makes, lists and ends scoped ones', async () => {
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

test('--version and --help answer on stdout with 0', async () => {
  const { version } = JSON.parse(fs.readFileSync(path.join(import.meta.dirname, '../../package.json'), 'utf8')) as { version: string };
  assert.deepEqual(await run(['--version']), { code: 0, out: `${version}\n`, err: '' });
  const help = await run(['serve', '--help']);
  assert.equal(help.code, 0);
  assert.match(help.out, /--documents-max-bytes/);
});

test('no token is ever in the log', async () => {
  const mainToken = (await run(['token'])).out.trim();
  const lines = banner.split('\n').filter((line) => line.startsWith('{'));
  assert.ok(lines.length > 5);
  assert.ok(!lines.some((line) => line.includes(mainToken)));
});
