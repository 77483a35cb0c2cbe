// The link over real sockets, against a hub that keeps every byte.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterEach, describe, test } from 'node:test';
import { nodeTimers } from '../../src/net/timers.ts';
import { WebSockets } from '../../src/net/websocket.ts';
import { Link, type LinkOptions } from '../../src/transports/hub-link/link.ts';
import { eventually } from '../kit/eventually.ts';
import { createFakes } from '../kit/fake-operations.ts';
import { type CaptureHub, captureHub, FakeTasks, linkOptions, tcpProxy } from '../kit/link-harness.ts';
import { requireTool } from '../kit/require-tools.ts';

const identified = '{"type":"identified","agent_id":"probe"}';
const closing: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

interface Linked {
  link: Link;
  tasks: FakeTasks;
  events: string[];
}

function linked(options: Partial<LinkOptions>): Linked {
  const sockets = new WebSockets();
  const tasks = new FakeTasks();
  const events: string[] = [];
  const link = new Link(
    {
      sockets,
      dispatch: createFakes().dispatch,
      tasks,
      timers: nodeTimers,
      now: Date.now,
      monotonic: () => performance.now(),
      // Delays are short.
      random: () => 0.01,
      log: (_level, event) => void events.push(event),
    },
    { ...linkOptions, ...options },
  );
  closing.push(async () => {
    await link.stop();
    assert.equal(sockets.connections, 0, 'no socket is left');
    await sockets.close(1000, '');
  });
  link.start();
  return { link, tasks, events };
}

async function hubOf(...given: Parameters<typeof captureHub>): Promise<CaptureHub> {
  const hub = await captureHub(...given);
  closing.push(() => hub.close());
  return hub;
}

const isOnline = ({ link }: Linked): boolean => link.status().state === 'online';

test('what was recorded between AgentCom’s own hub and sidecar is said byte by byte', async () => {
  // Both directions, as they were recorded; what hubs of ours know besides follows identify.
  const script: [from: 'agent' | 'hub', text: string][] = [
    [
      'agent',
      '{"type":"identify","agent_id":"probe","token":"t","name":"probe","status":"idle","capabilities":["code"],"client_type":"sidecar","protocol_version":1}',
    ],
    ['hub', identified],
    [
      'hub',
      '{"type":"task_assign","task_id":"task-1","description":"do \\"it\\" now","metadata":{"a":1},"generation":3,"assigned_at":1795157512165,"skip_verification":true}',
    ],
    ['agent', '{"type":"task_accepted","task_id":"task-1","protocol_version":1}'],
    ['hub', '{"type":"task_ack","task_id":"task-1","status":"accepted"}'],
    ['agent', '{"type":"wake_result","task_id":"task-1","status":"success","attempt":1,"protocol_version":1}'],
    ['hub', '{"type":"task_assign","task_id":"task-2","description":"second","metadata":{},"generation":1}'],
    [
      'agent',
      '{"type":"task_complete","task_id":"task-1","result":{"status":"success","output":"done","tokens_used":12},"generation":3,"verification_report":{"task_id":"task-1","run_number":1,"status":"skip","started_at":1795157516071,"duration_ms":0,"timeout_ms":120000,"checks":[],"summary":{"total":0,"passed":0,"failed":0,"errors":0,"timed_out":0}},"verification_history":null,"protocol_version":1}',
    ],
    ['hub', '{"type":"task_ack","task_id":"task-1","status":"complete"}'],
    ['agent', '{"type":"task_recovering","task_id":"task-1","description":"d","metadata":{},"last_status":"working","protocol_version":1}'],
    ['hub', '{"type":"task_continue","task_id":"task-1","generation":3}'],
    ['agent', '{"type":"wake_result","task_id":"task-1","status":"timeout","reason":"confirmation_timeout","protocol_version":1}'],
    ['agent', '{"type":"task_failed","task_id":"task-1","reason":"confirmation_timeout","generation":3,"protocol_version":1}'],
  ];
  let next = 0;
  const said = (): void => {
    for (; script[next]?.[0] === 'hub'; next++) hub.sockets[0]?.send(script[next]?.[1] ?? '');
  };
  const problems: string[] = [];
  const hub = await hubOf((text) => {
    const expected = script[next++]?.[1] ?? '';
    const matches = next === 1 ? text.startsWith(`${expected.slice(0, -1)},"features":[`) : text === expected;
    if (!matches) problems.push(`${text}\ninstead of\n${expected}`);
    said();
  });
  const own = linked({ url: hub.url });
  await eventually(() => own.tasks.session !== undefined);
  // Tasks give the frames; the link brings them onto the wire, and back.
  for (const [from, text] of script.slice(1)) {
    if (from === 'hub') continue;
    const { protocol_version: _, ...frame } = JSON.parse(text) as Record<string, unknown> & { type: string };
    assert.equal(own.tasks.session?.send(frame), true);
  }
  await eventually(() => assert.equal(next, script.length));
  await eventually(() =>
    assert.deepEqual(
      own.tasks.heard.flatMap((frame) => (typeof frame === 'object' && frame !== null && 'type' in frame ? [frame.type] : [])),
      ['task_assign', 'task_ack', 'task_assign', 'task_ack', 'task_continue'],
    ),
  );
  assert.deepEqual(problems, []);
  assert.deepEqual(own.tasks.heard[2], {
    type: 'task_assign',
    task_id: 'task-1',
    description: 'do "it" now',
    metadata: { a: 1 },
    generation: 3,
    assigned_at: 1795157512165,
    skip_verification: true,
  });
  await own.link.stop();
  await eventually(() => assert.deepEqual(hub.closes, [{ code: 1000, reason: 'shutdown' }]));
});

test('pings are answered and the connection stays; the hub’s own pings too', async () => {
  const hub = await hubOf((text, socket) => socket.send(text.includes('"identify"') ? identified : '{"type":"pong","timestamp":1}'));
  const own = linked({ url: hub.url, timeouts: { ...linkOptions.timeouts, pingMs: 20, pongMs: 1000 } });
  await eventually(() => (hub.received[0]?.length ?? 0) > 10);
  assert.deepEqual(new Set(hub.received[0]?.slice(1)), new Set(['{"type":"ping","protocol_version":1}']));
  const pong = new Promise((resolve) => hub.sockets[0]?.once('pong', resolve));
  hub.sockets[0]?.ping();
  await pong;
  assert.deepEqual([own.link.status().sessions, own.link.status().state], [1, 'online']);
});

for (const way of ['toHub', 'toAgent'] as const) {
  test(`a connection that carries nothing ${way === 'toHub' ? 'to the hub' : 'from the hub'} any more is cut and made again`, async () => {
    const hub = await hubOf((text, socket) => socket.send(text.includes('"identify"') ? identified : '{"type":"pong"}'));
    const proxy = await tcpProxy(hub.port);
    closing.push(() => proxy.close());
    const own = linked({ url: `ws://127.0.0.1:${proxy.port}/ws`, timeouts: { ...linkOptions.timeouts, pingMs: 50, pongMs: 200 } });
    await eventually(() => isOnline(own));
    proxy.swallow[way] = true;
    await eventually(() => own.tasks.heard.includes('disconnected'));
    assert.match((own.link.status() as { reason?: string }).reason ?? 'Nothing came', /Nothing came from the hub within 200 ms/);
    proxy.swallow[way] = false;
    await eventually(() => assert.equal(own.link.status().sessions, 2));
  });
}

test('a hub that stops reads is left with all that it did not read, and the process keeps no socket', async () => {
  const hub = await hubOf((_text, socket) => socket.send(identified));
  const own = linked({ url: hub.url, timeouts: { ...linkOptions.timeouts, pingMs: 50, pongMs: 200 } });
  await eventually(() => isOnline(own));
  hub.sockets[0]?.pause();
  const reason = 'x'.repeat(1_000_000);
  let sent = 0;
  while (own.tasks.session?.send({ type: 'task_failed', task_id: 'x', reason }) === true && sent < 200) sent++;
  assert.ok(sent < 200, 'what a hub leaves unread is bounded');
  await eventually(() => own.link.status().sessions === 2);
});

test('junk, unknown and binary frames are survived; one over 4 MiB ends the connection, and it is made again', async () => {
  const hub = await hubOf((_text, socket) => socket.send(identified));
  const own = linked({ url: hub.url });
  await eventually(() => isOnline(own));
  const [socket] = hub.sockets;
  for (const junk of [
    '',
    '{',
    'null',
    '[]',
    '{"type":7}',
    '{"type":"nothing"}',
    '{"type":"task_assign"}',
    '\u0000',
    '{"type":"__proto__"}',
  ])
    socket?.send(junk);
  socket?.send(Buffer.from([1, 2, 3]));
  socket?.send('{"type":"task_ack","task_id":"after"}');
  await eventually(() => own.tasks.heard.some((frame) => (frame as { task_id?: string }).task_id === 'after'));
  assert.equal(own.link.status().sessions, 1);
  socket?.send(JSON.stringify({ type: 'task_assign', task_id: 'big', description: 'x'.repeat(4 * 1024 * 1024) }));
  await eventually(() => own.link.status().sessions === 2);
  assert.ok(!own.tasks.heard.some((frame) => (frame as { task_id?: string }).task_id === 'big'));
  // Just below it is taken.
  hub.sockets[1]?.send(JSON.stringify({ type: 'task_assign', task_id: 'fits', description: 'x'.repeat(4 * 1024 * 1024 - 100) }));
  await eventually(() => own.tasks.heard.some((frame) => (frame as { task_id?: string }).task_id === 'fits'));
});

test('an assignment with null or 0 where AgentCom has it is taken; one that can’t be read is told to have failed, unless the task is held', async () => {
  const hub = await hubOf((_text, socket) => socket.send(identified));
  const own = linked({ url: hub.url });
  await eventually(() => isOnline(own));
  own.tasks.holding = [{ task_id: 'held', generation: 1, state: 'working' }];
  const [socket] = hub.sockets;
  const assign = (more: object): void => socket?.send(JSON.stringify({ type: 'task_assign', generation: 2, description: 'd', ...more }));
  assign({ task_id: 'held', description: 7 });
  assign({ task_id: 'bad', description: 7 });
  assign({ task_id: 'null', verification_steps: [{ type: 'git_clean', target: null }] });
  assign({ task_id: 'zero', verification_timeout_ms: 0 });
  await eventually(() =>
    assert.deepEqual(
      own.tasks.heard.flatMap((frame) => (frame as { task_id?: string }).task_id ?? []),
      ['null', 'zero'],
    ),
  );
  await eventually(() => assert.equal(hub.received[0]?.length, 2));
  const { reason, ...failed } = JSON.parse(hub.received[0]?.[1] ?? '') as Record<string, unknown>;
  assert.deepEqual(failed, { type: 'task_failed', task_id: 'bad', generation: 2, protocol_version: 1 });
  assert.match(String(reason), /can't be read: description: .*string/);
});

test('a wrong token is refused once, and the hub is left alone', async () => {
  const hub = await hubOf((_text, socket) => socket.send('{"type":"error","error":"invalid_token"}'));
  const own = linked({ url: hub.url });
  await eventually(() =>
    assert.deepEqual([own.link.status().state, (own.link.status() as { reason?: string }).reason], ['refused', 'invalid_token']),
  );
  await new Promise((resolve) => setTimeout(resolve, 300));
  assert.equal(hub.headers.length, 1);
  assert.equal(hub.headers[0]?.['authorization'], 'Bearer t');
});

test('a handshake that is refused with 401 is final, and one with 503 comes back when the hub says', async () => {
  const refusals = ['HTTP/1.1 503 Busy\r\nRetry-After: 1\r\nContent-Length: 0\r\n\r\n', 'HTTP/1.1 401 No\r\nContent-Length: 0\r\n\r\n'];
  const at: number[] = [];
  const hub = await hubOf(() => undefined, { refuse: (connection) => (at.push(performance.now()), refusals[connection - 1]) });
  const own = linked({ url: hub.url });
  await eventually(() => assert.equal(own.link.status().state, 'refused'));
  assert.equal(at.length, 2);
  const [first = 0, second = 0] = at;
  assert.ok(second - first >= 1000, `came back after ${second - first} ms`);
});

test('two links with one id: the older one warns and stays away, the newer one stays', async () => {
  const hub = await hubOf((_text, socket, connection) => {
    hub.sockets[connection - 1]?.close(4003, 'replaced');
    socket.send(identified);
  });
  const older = linked({ url: hub.url });
  await eventually(() => isOnline(older));
  const newer = linked({ url: hub.url });
  await eventually(() => assert.ok(older.events.includes('link.replaced')));
  const status = older.link.status();
  assert.ok(status.state === 'waiting' && status.nextAt - Date.now() > 4 * 60_000);
  assert.ok(isOnline(newer));
  assert.equal(hub.headers.length, 2);
});

test('a hub that is not there yet is found when it comes', async () => {
  const first = await captureHub(() => undefined);
  const { port } = first;
  await first.close();
  const own = linked({ url: `ws://127.0.0.1:${port}/ws` });
  await eventually(() => assert.equal(own.link.status().state, 'waiting'));
  await hubOf((_text, socket) => socket.send(identified), { port });
  await eventually(() => isOnline(own));
  assert.ok(own.link.status().attempts >= 2);
});

describe('over TLS', { skip: requireTool('openssl') }, () => {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'outrigger-link-tls-'));
  const keyFile = path.join(folder, 'key.pem');
  const certFile = path.join(folder, 'cert.pem');
  const tls = (): { cert: string; key: string } => {
    if (!fs.existsSync(certFile)) {
      const subject = ['-subj', '/CN=hub', '-addext', 'subjectAltName=IP:127.0.0.1'];
      const made = [
        '-x509',
        '-newkey',
        'ec',
        '-pkeyopt',
        'ec_paramgen_curve:P-256',
        '-nodes',
        '-days',
        '2',
        '-keyout',
        keyFile,
        '-out',
        certFile,
      ];
      execFileSync('openssl', ['req', ...made, ...subject], { stdio: 'ignore' });
    }
    return { cert: fs.readFileSync(certFile, 'utf8'), key: fs.readFileSync(keyFile, 'utf8') };
  };
  afterEach(() => fs.rmSync(folder, { recursive: true, force: true }));

  test('a hub whose certificate our ca_file knows is trusted, and one that it does not know is not', async () => {
    const { cert, key } = tls();
    const hub = await hubOf((_text, socket) => socket.send(identified), { tls: { cert, key } });
    const own = linked({ url: hub.url, ca: cert });
    await eventually(() => isOnline(own));
    const other = linked({ url: hub.url });
    await eventually(() => assert.match((other.link.status() as { reason?: string }).reason ?? '', /certificate/));
    assert.equal(hub.received.length, 1);
  });
});
