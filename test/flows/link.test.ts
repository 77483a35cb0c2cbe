// `outrigger link` as a program of its own, against a hub that keeps every byte.
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { after, afterEach, describe, test } from 'node:test';
import { loadLinkConfig } from '../../src/config/link-config.ts';
import { eventually } from '../kit/eventually.ts';
import { type CaptureHub, captureHub } from '../kit/link-harness.ts';
import { main } from '../kit/command.ts';

const base = fs.mkdtempSync(path.join(os.tmpdir(), 'outrigger-link-'));
const env = { PATH: process.env['PATH'] ?? '', HOME: path.join(base, 'home'), TMPDIR: base };
fs.mkdirSync(env.HOME);
const closing: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});
after(() => fs.rmSync(base, { recursive: true, force: true }));

interface Ran {
  child: ChildProcess;
  out(): string;
  err(): string;
  exit: Promise<number | null>;
}

function run(...args: string[]): Ran {
  const child = spawn(process.execPath, [main, ...args], { env, cwd: base, stdio: ['ignore', 'pipe', 'pipe'] });
  closing.push(() => child.kill('SIGKILL'));
  let out = '';
  let err = '';
  child.stdout?.setEncoding('utf8').on('data', (text: string) => (out += text));
  child.stderr?.setEncoding('utf8').on('data', (text: string) => (err += text));
  const exit = once(child, 'close').then(([code]) => code as number | null);
  return { child, out: () => out, err: () => err, exit };
}

let folders = 0;

/** A folder with a config; gives the config's path. */
function configured(config: object): string {
  const folder = path.join(base, `link-${++folders}`);
  fs.mkdirSync(folder);
  const file = path.join(folder, 'config.json');
  const more = { agent_id: 'probe', token: 'secret-token', capabilities: ['code'], jitter: 'none', ...config };
  fs.writeFileSync(file, JSON.stringify(more, null, 2), { mode: 0o600 });
  return file;
}

async function hubOf(...given: Parameters<typeof captureHub>): Promise<CaptureHub> {
  const hub = await captureHub(...given);
  closing.push(() => hub.close());
  return hub;
}

const identified = '{"type":"identified","agent_id":"probe"}';
const takes: Parameters<typeof captureHub>[0] = (_text, socket) => socket.send(identified);

test('a config that is not there, or is broken, exits 1 with what to do', async () => {
  const missing = run('link', 'nowhere/config.json');
  assert.equal(await missing.exit, 1);
  assert.match(missing.err(), /nowhere\/config\.json is not there.*outrigger init link FOLDER/);
  const broken = run(
    'link',
    configured({ agent_id: undefined, hub_url: 'http://localhost', wake_command: 'a | b', results_dir: '/proc/x' }),
  );
  assert.equal(await broken.exit, 1);
  assert.match(broken.err(), /^outrigger: config\.json: agent_id is missing\..*\noutrigger: config\.json: hub_url begins with http:/);
  assert.match(broken.err(), /config\.json: wake_command can't be taken: .*\|.*\noutrigger: config\.json: results_dir /);
  assert.ok(!broken.err().includes('    at '), 'no stack');
});

test('a config that goes beyond what its fields may be exits 1 and names each of them', async () => {
  const timeouts = { dial_ms: 600_000, identify_ms: 600_000, ping_ms: 600_000, pong_ms: 600_000, stop_ms: 600_000 };
  const numbers = (count: number): string[] => Array.from({ length: count }, (_, number) => String(number));
  const labels = (count: number): object => Object.fromEntries(numbers(count).map((name) => [name, name]));
  const most: Record<string, unknown> = { concurrency: 1000, confirmation_timeout_ms: 86_400_000 };
  const longest: Record<string, unknown> = { agent_id: 'x'.repeat(128), name: 'x'.repeat(256), token: 'x'.repeat(256) };
  const hub = { hub_url: 'wss://hub.invalid/ws' };
  loadLinkConfig(configured({ ...hub, ...most, ...longest, timeouts, capabilities: numbers(1000), labels: labels(100) }));
  loadLinkConfig(configured({ ...hub, capabilities: ['x'.repeat(256)], labels: { os: 'x'.repeat(256) } }));
  const tooMuch = {
    ...Object.fromEntries(Object.entries(most).map(([name, value]) => [name, (value as number) + 1])),
    ...Object.fromEntries(Object.entries(longest).map(([name, value]) => [name, `${String(value)}x`])),
    timeouts: Object.fromEntries(Object.entries(timeouts).map(([name, value]) => [name, value + 1])),
    capabilities: numbers(1001),
    labels: labels(101),
  };
  const fields = [...Object.keys(most), ...Object.keys(longest), 'capabilities', 'labels'];
  const cases: [config: object, named: string[]][] = [
    [tooMuch, [...fields, ...Object.keys(timeouts).map((name) => `timeouts.${name}`)]],
    [{ capabilities: ['x'.repeat(257)], labels: { os: 'x'.repeat(257) } }, ['capabilities', 'labels']],
  ];
  for (const [config, named] of cases) {
    const link = run('link', configured({ ...hub, ...config }));
    assert.equal(await link.exit, 1);
    const told = [...link.err().matchAll(/config\.json: (\S+)/g)].map(([, name = '']) => name);
    assert.deepEqual(told.sort(), named.sort());
  }
});

test('a token that the hub refuses exits 78, says so, and is tried once', async () => {
  const hub = await hubOf((_text, socket) => socket.send('{"type":"error","error":"invalid_token"}'));
  const link = run('link', configured({ hub_url: hub.url }));
  assert.equal(await link.exit, 78, link.err());
  assert.match(link.err(), /"event":"link\.refused".*invalid_token/);
  assert.equal(hub.headers.length, 1);
  assert.ok(!link.err().includes('secret-token'));
});

describe('SIGINT and SIGTERM end it with 0 and nothing left', () => {
  const silent = async (): Promise<string> => {
    const sockets = new Set<net.Socket>();
    const server = net.createServer((socket) => void sockets.add(socket.on('error', () => undefined))).listen(0, '127.0.0.1');
    await once(server, 'listening');
    closing.push(() => {
      for (const socket of sockets) socket.destroy();
      server.close();
    });
    return `ws://127.0.0.1:${(server.address() as net.AddressInfo).port}/ws`;
  };
  let asked = 0;
  const asks = async (): Promise<string> => {
    asked = 0;
    return (await hubOf(() => void asked++)).url;
  };
  const states: [says: string, url: () => Promise<string>, when: (link: Ran) => boolean][] = [
    // The handlers are there before anything of the sidecar is; before that a signal simply ends Node.
    ['starting', async () => (await hubOf(takes)).url, (link) => link.err().includes('sidecar.')],
    ['connecting', silent, (link) => link.err().includes('link.connecting')],
    ['identifying', asks, () => asked === 1],
    ['online', async () => (await hubOf(takes)).url, (link) => link.err().includes('link.online')],
    ['waiting', async () => 'ws://127.0.0.1:1/ws', (link) => link.err().includes('link.waiting')],
  ];
  for (const [says, url, when] of states) {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) {
      test(`while ${says}: ${signal}`, async () => {
        const link = run('link', configured({ hub_url: await url() }));
        await eventually(() => when(link), 20_000);
        link.child.kill(signal);
        assert.equal(await link.exit, 0, link.err());
        assert.deepEqual(link.err().match(/"level":"error".*/g), null);
      });
    }
  }

  test('the hub is told: close 1000 "shutdown"', async () => {
    const hub = await hubOf(takes);
    const link = run('link', configured({ hub_url: hub.url }));
    await eventually(() => assert.match(link.err(), /link\.online/), 20_000);
    link.child.kill('SIGTERM');
    assert.equal(await link.exit, 0);
    assert.deepEqual(hub.closes, [{ code: 1000, reason: 'shutdown' }]);
  });
});

test('log lines are JSON with ts, event and agent_id, on the console and in log_file, those of tasks and of a missing program too', async () => {
  const hub = await hubOf((text, socket) => {
    const { type } = JSON.parse(text) as { type: string };
    if (type === 'identify') {
      socket.send(identified);
      socket.send('{"type":"task_assign","task_id":"task-1","description":"d","metadata":{},"generation":1}');
    }
    if (type === 'task_accepted') socket.send('{"type":"task_ack","task_id":"task-1","status":"accepted"}');
  });
  const more = { log_file: 'logs/link.log', log_level: 'info', made_up: 1, wake_command: ['no-such-agent'] };
  const file = configured({ hub_url: hub.url, ...more });
  const link = run('link', file);
  await eventually(() => assert.match(link.err(), /"level":"warn".*task\.step.*no-such-agent is not on this machine/), 20_000);
  link.child.kill('SIGTERM');
  await link.exit;
  const text = fs.readFileSync(path.join(path.dirname(file), 'logs/link.log'), 'utf8');
  assert.equal(text, link.err());
  const lines = text
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>);
  assert.deepEqual(
    lines.map(({ event }) => event).filter((event) => String(event).startsWith('link.')),
    ['link.config_odd', 'link.connecting', 'link.online', 'link.stopped'],
  );
  for (const line of lines) {
    assert.equal(line['agent_id'], 'probe');
    assert.match(String(line['ts']), /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
    assert.equal(typeof line['level'], 'string');
  }
});

test('a new token is in the config file, for its owner alone, before it is used', async () => {
  const hub = await hubOf((_text, socket, connection) => {
    socket.send(identified);
    if (connection > 0) return;
    socket.send('{"type":"token_rotated","token":"new-token"}');
    socket.send('{"type":"goaway","retry_after_ms":10,"window_ms":0}');
  });
  const file = configured({ hub_url: hub.url, unusual: [1] });
  const link = run('link', file);
  await eventually(() => assert.equal(hub.received.length, 2), 20_000);
  await eventually(() => assert.equal((JSON.parse(hub.received[1]?.[0] ?? '{}') as { token?: string }).token, 'new-token'));
  const { token, unusual } = JSON.parse(fs.readFileSync(file, 'utf8')) as { token: string; unusual: unknown };
  assert.deepEqual([token, unusual, fs.statSync(file).mode & 0o777], ['new-token', [1], 0o600]);
  assert.ok(!link.err().includes('new-token'));
  link.child.kill('SIGTERM');
  assert.equal(await link.exit, 0);
});

test('the hub calls operations of the folder as far as the owner allows, and none by default', async () => {
  const ours = '{"type":"identified","agent_id":"probe","features":["calls"]}';
  const results: Record<string, unknown>[] = [];
  const hub = await hubOf((text, socket) => {
    const frame = JSON.parse(text) as Record<string, unknown>;
    if (frame['type'] === 'result') results.push(frame);
    if (frame['type'] !== 'identify') return;
    socket.send(ours);
    const call = (id: string, method: string, params: object): void =>
      socket.send(JSON.stringify({ type: 'call', protocol_version: 1, id, method, params }));
    call('1', 'files.read', { path: 'src/a.txt' });
    call('2', 'files.read', { path: 'config.json' });
    call('3', 'files.write', { path: 'src/a.txt', text: 'x' });
  });
  const allowed = configured({ hub_url: hub.url, allow: 'read', paths: ['src'] });
  fs.mkdirSync(path.join(path.dirname(allowed), 'src'));
  fs.writeFileSync(path.join(path.dirname(allowed), 'src/a.txt'), 'here\n');
  const link = run('link', allowed);
  await eventually(() => assert.equal(results.length, 3, link.err()), 20_000);
  const of = (id: string): Record<string, Record<string, unknown>> =>
    results.find((result) => result['id'] === id) as Record<string, Record<string, unknown>>;
  assert.equal(of('1')['result']?.['text'], 'here\n');
  assert.equal(of('2')['error']?.['reason'], 'OUT_OF_SCOPE');
  assert.equal(of('3')['error']?.['reason'], 'ACCESS_DENIED');
  link.child.kill('SIGTERM');
  await link.exit;
  const none = run('link', configured({ hub_url: hub.url }));
  await eventually(() => assert.match(none.err(), /link\.unknown_frame/), 20_000);
  assert.equal(results.length, 3);
  none.child.kill('SIGTERM');
  await none.exit;
});

test('a whole task at a hub of AgentCom: the frames are the recorded ones, byte by byte but for times', async () => {
  const hub = await hubOf((text, socket) => {
    const frame = JSON.parse(text) as { type: string };
    if (frame.type === 'identify') {
      socket.send(identified);
      socket.send(
        '{"type":"task_assign","task_id":"task-1","description":"do \\"it\\" now","metadata":{"a":1},"generation":3,"assigned_at":1795157512165,"skip_verification":true}',
      );
    }
    if (frame.type === 'task_accepted') socket.send('{"type":"task_ack","task_id":"task-1","status":"accepted"}');
    if (frame.type === 'wake_result' && text.includes('"task-1"')) {
      socket.send('{"type":"task_assign","task_id":"task-2","description":"second","metadata":{},"generation":1}');
      fs.writeFileSync(path.join(results, 'task-1.started'), '');
      fs.writeFileSync(path.join(results, 'task-1.json'), '{"status":"success","output":"done","tokens_used":12}');
    }
    if (frame.type === 'task_complete') socket.send('{"type":"task_ack","task_id":"task-1","status":"complete"}');
  });
  const file = configured({ hub_url: hub.url, wake_command: [process.execPath, '--version'] });
  const results = path.join(path.dirname(file), 'results');
  const link = run('link', file);
  const sent = (): string[] => hub.received[0]?.slice(1).filter((text) => !text.includes('"task_progress"')) ?? [];
  await eventually(() => assert.equal(sent().length, 4, link.err()), 20_000);
  const times = (text: string | undefined): string | undefined =>
    text?.replace(/"started_at":\d+/, '"started_at":1795157516071').replace(/"duration_ms":\d+/, '"duration_ms":0');
  assert.deepEqual(sent().map(times), [
    '{"type":"task_accepted","task_id":"task-1","protocol_version":1}',
    '{"type":"wake_result","task_id":"task-1","status":"success","attempt":1,"protocol_version":1}',
    // Where AgentCom's sidecar sends what that hub bans.
    '{"type":"wake_result","task_id":"task-2","status":"failed","reason":"busy","protocol_version":1}',
    '{"type":"task_complete","task_id":"task-1","result":{"status":"success","output":"done","tokens_used":12},"generation":3,"verification_report":{"task_id":"task-1","run_number":1,"status":"skip","started_at":1795157516071,"duration_ms":0,"timeout_ms":120000,"checks":[],"summary":{"total":0,"passed":0,"failed":0,"errors":0,"timed_out":0}},"verification_history":null,"protocol_version":1}',
  ]);
  await eventually(() =>
    assert.deepEqual(
      fs.readdirSync(results).filter((name) => name.startsWith('task-1')),
      [],
    ),
  );
  link.child.kill('SIGTERM');
  assert.equal(await link.exit, 0, link.err());
});

test('restart_sidecar ends it with 0, so that whatever keeps it starts it again', async () => {
  const hub = await hubOf((text, socket) => {
    if (!text.includes('"identify"')) return;
    socket.send(identified);
    socket.send('{"type":"restart_sidecar","reason":"update"}');
  });
  const link = run('link', configured({ hub_url: hub.url }));
  assert.equal(await link.exit, 0, link.err());
  assert.deepEqual(hub.closes, [{ code: 1000, reason: 'shutdown' }]);
});

test('where a link crashes, the token of its task programs holds until the next start, and one that stops leaves none (long form)', async () => {
  const hub = await hubOf(takes);
  const file = configured({ hub_url: hub.url });
  const states = path.join(env.HOME, '.local/state/outrigger');
  const before = new Set(fs.existsSync(states) ? fs.readdirSync(states) : []);
  const tokens = (): unknown[] => {
    const own = fs.readdirSync(states).find((name) => !before.has(name)) ?? '';
    const database = new DatabaseSync(path.join(states, own, 'state.db'), { readOnly: true });
    try {
      return database.prepare("SELECT hash FROM tokens WHERE name = 'tasks of probe' AND revoked = 0").all();
    } finally {
      database.close();
    }
  };
  const started = async (): Promise<Ran> => {
    const link = run('link', file);
    await eventually(() => assert.match(link.err(), /link\.online/), 20_000);
    return link;
  };
  const first = await started();
  const left = tokens();
  assert.equal(left.length, 1);
  first.child.kill('SIGKILL');
  await first.exit;
  const second = await started();
  assert.equal(tokens().length, 1);
  assert.notDeepEqual(tokens(), left);
  second.child.kill('SIGTERM');
  assert.equal(await second.exit, 0, second.err());
  assert.deepEqual(tokens(), []);
});

test('a second link in one folder exits 69 and leaves the first one alone (long form)', async () => {
  const hub = await hubOf(takes);
  const file = configured({ hub_url: hub.url });
  const first = run('link', file);
  await eventually(() => assert.match(first.err(), /link\.online/), 20_000);
  const second = run('link', file);
  assert.equal(await second.exit, 69, second.err());
  assert.match(second.err(), /served by another sidecar.*Stop that one/);
  assert.equal(hub.headers.length, 1);
  first.child.kill('SIGTERM');
  assert.equal(await first.exit, 0);
});

test('serve keeps the same link with --link-config, and a broken file ends it with what to do', async () => {
  const hub = await hubOf(takes);
  const file = configured({ hub_url: hub.url });
  const serve = run('serve', path.dirname(file), '--port', '0', '--link-config', file);
  await eventually(() => assert.match(serve.err(), /link\.online/), 20_000);
  serve.child.kill('SIGTERM');
  assert.equal(await serve.exit, 0);
  const broken = run('serve', path.dirname(file), '--port', '0', '--link-config', 'nowhere.json');
  assert.equal(await broken.exit, 1);
  assert.match(broken.err(), /nowhere\.json is not there/);
});

describe('--check', () => {
  const listing = (file: string): string[] => fs.readdirSync(path.dirname(file), { recursive: true, encoding: 'utf8' });

  test('says each step, leaves again and changes nothing', async () => {
    const hub = await hubOf(takes);
    const file = configured({ hub_url: hub.url, wake_command: ['true'] });
    const before = [listing(file), fs.readFileSync(file, 'utf8')];
    const check = run('link', file, '--check');
    assert.equal(await check.exit, 0, check.err());
    assert.deepEqual(
      check
        .out()
        .trim()
        .split('\n')
        .map((line) => line.split(/\s+/).slice(0, 2).join(' ')),
      ['ok config', 'ok resolve', 'ok connect', 'ok identify'],
    );
    assert.deepEqual([listing(file), fs.readFileSync(file, 'utf8')], before);
    const frame = JSON.parse(hub.received[0]?.[0] ?? '{}') as Record<string, unknown>;
    // No account of tasks, so that a hub takes none away.
    assert.deepEqual([frame['client_type'], frame['features'], frame['held']], ['check', undefined, undefined]);
  });

  const failures: [says: string, config: () => Promise<object>, code: number, text: RegExp][] = [
    ['a broken config', async () => ({ hub_url: 'x' }), 1, /^$/],
    ['a wake_command for a shell', async () => ({ hub_url: 'ws://127.0.0.1:1/ws', wake_command: 'echo ${TASK_ID} | cat' }), 1, /^$/],
    [
      'a wake program that is not there',
      async () => ({ hub_url: (await hubOf(takes)).url, wake_command: './agent.sh' }),
      1,
      /^!! {2}wake .*the program \.\/agent\.sh is not there .*\n(ok .*\n){3}$/m,
    ],
    [
      'a name without an address',
      async () => ({ hub_url: 'wss://hub.invalid/ws' }),
      69,
      /^!! {2}resolve {3}hub\.invalid has no address .*Check hub_url/m,
    ],
    ['nobody there', async () => ({ hub_url: 'ws://127.0.0.1:1/ws' }), 69, /^!! {2}connect .*does not answer.*Is the hub running\?/m],
    [
      'a wrong token',
      async () => ({ hub_url: (await hubOf((_text, socket) => socket.send('{"type":"error","error":"invalid_token"}'))).url }),
      78,
      /^!! {2}identify {2}The hub does not know this token/m,
    ],
    [
      'a token to enrol with',
      async () => ({
        hub_url: (await hubOf((_text, socket) => socket.send('{"type":"error","error":"invalid_token"}'))).url,
        token: 'ogr_enrol_0123456789abcdef',
      }),
      78,
      /^!! {2}identify {2}This is a token to enrol with.*--enrol TOKEN/m,
    ],
    [
      'the token of another agent',
      async () => ({ hub_url: (await hubOf((_text, socket) => socket.send('{"type":"error","error":"token_agent_mismatch"}'))).url }),
      78,
      /is not the one of probe/,
    ],
    [
      'a server that is no hub',
      async () => ({ hub_url: (await hubOf(() => undefined)).url, timeouts: { identify_ms: 200 } }),
      69,
      /did not answer within 200 ms\. Is hub_url/,
    ],
    [
      'a hub that does not know its name',
      async () => ({
        hub_url: (await hubOf(() => undefined, { refuse: () => 'HTTP/1.1 421 Misdirected Request\r\nConnection: close\r\n\r\n' })).url,
      }),
      69,
      /^!! {2}connect {3}.* answered 421\..* --allowed-hosts/m,
    ],
    [
      'a hub that closes',
      async () => ({ hub_url: (await hubOf((_text, socket) => socket.close(1008, 'cooldown active: retry in 9s'))).url }),
      69,
      /closed with 1008 \(cooldown active: retry in 9s\)/,
    ],
  ];
  for (const [says, config, code, text] of failures) {
    test(`${says}: exit code ${code} and the step that failed`, async () => {
      const check = run('link', configured(await config()), '--check');
      assert.equal(await check.exit, code, check.err());
      assert.match(check.out(), text);
    });
  }

  test('a config that others may read is pointed out', async () => {
    const hub = await hubOf(takes);
    const file = configured({ hub_url: hub.url });
    fs.chmodSync(file, 0o644);
    const check = run('link', file, '--check');
    assert.equal(await check.exit, 0);
    assert.match(check.out(), /^!! {2}token .*can be read by others: chmod 600 it\.$/m);
    assert.match(check.out(), /^!! {2}wake .*no wake_command/m);
  });
});
