import assert from 'node:assert/strict';
import type { Socket } from 'node:net';
import { test } from 'node:test';
import { WebSocket as NodeWebSocket } from 'ws';
import { eventually } from '../../test/kit/eventually.ts';
import { rawSocket, upgradeText } from '../../test/kit/raw-socket.ts';
import { OutriggerError } from '../contract/errors.ts';
import type { Batch, ByteChannel } from '../contract/wire.ts';
import { Listener, type ListenerOptions } from './listener.ts';
import type { TextSocket } from './text-socket.ts';
import type { Clock } from './timers.ts';
import { UpgradeRouter } from './upgrade.ts';
import { frameMessages, WebSockets, type WebSocketsOptions } from './websocket.ts';

class ManualClock implements Clock {
  #now = 0;
  readonly #timers = new Set<{ run: () => void; ms: number; at: number }>();
  now(): number {
    return this.#now;
  }
  every(run: () => void, ms: number): () => void {
    const timer = { run, ms, at: this.#now + ms };
    this.#timers.add(timer);
    return () => this.#timers.delete(timer);
  }
  tick(ms: number): void {
    const end = this.#now + ms;
    for (;;) {
      const [next] = [...this.#timers].filter(({ at }) => at <= end).sort((one, other) => one.at - other.at);
      if (next === undefined) break;
      this.#now = next.at;
      next.at += next.ms;
      next.run();
    }
    this.#now = end;
  }
}

/** Node reads no more at once; what one read brought may still be there at the next. */
const READ_BYTES = 64 * 1024;

interface Place {
  port: number;
  listener: Listener;
  router: UpgradeRouter;
  sockets: WebSockets;
  channels: ByteChannel[];
  clock: ManualClock;
  errors: unknown[];
}

/** `/bytes` takes channels; the test adds what else it needs. */
async function withSockets(
  run: (place: Place) => Promise<void>,
  options: { sockets?: Partial<WebSocketsOptions>; listener?: Partial<ListenerOptions> } = {},
): Promise<void> {
  const clock = new ManualClock();
  const sockets = new WebSockets(options.sockets, clock);
  const errors: unknown[] = [];
  const policy = { boundHost: '127.0.0.1', allowedHosts: [], allowedOrigins: ['https://app.example'] };
  const router = new UpgradeRouter({ policy: () => policy, onError: (error) => errors.push(error) });
  const channels: ByteChannel[] = [];
  router.exact('/bytes', (upgrade) => {
    const channel = sockets.acceptBytes(upgrade, { maxPayload: 100_000 });
    channel.onMessage(() => undefined);
    channels.push(channel);
  });
  const listener = new Listener({ host: '127.0.0.1', port: 0, ...options.listener });
  listener.onUpgrade(router.handle);
  const listening = await listener.bind();
  assert.ok(listening.ok);
  try {
    await run({ port: listening.port, listener, router, sockets, channels, clock, errors });
  } finally {
    await sockets.close(1001, 'over', 100);
    await listener.close();
  }
}

/** What a client sends, with a mask of zeros. */
function maskedFrame(head: number, content: string): Buffer {
  return Buffer.concat([Buffer.of(head, 0x80 | Buffer.byteLength(content), 0, 0, 0, 0), Buffer.from(content)]);
}

async function dial(port: number, path: string, protocols: string[] = [], headers: Record<string, string> = {}): Promise<NodeWebSocket> {
  const ws = new NodeWebSocket(`ws://127.0.0.1:${port}${path}`, protocols, { headers });
  await new Promise((resolve, reject) => {
    ws.once('open', resolve);
    ws.once('error', reject);
  });
  return ws;
}

test('a batch reaches every socket as its separate messages, framed once, among the frames that ws sends itself', async () => {
  await withSockets(async ({ port, channels, clock }) => {
    const clients = await Promise.all([dial(port, '/bytes'), dial(port, '/bytes')]);
    const got = clients.map((client) => {
      const messages: Buffer[] = [];
      client.on('message', (data) => messages.push(data as Buffer));
      return messages;
    });
    const messages = [0, 1, 125, 126, 65_535, 65_536, 70_000].map((length) => new Uint8Array(length).fill(length % 251));
    const batch: Batch = { messages };
    for (const channel of channels) channel.send(batch);
    const framed = batch.framed;
    assert.ok(framed !== undefined);
    // Pings go by ws, in between.
    clock.tick(30_000);
    for (const channel of channels) channel.send(batch);
    assert.equal(batch.framed, framed, 'made once');
    await eventually(() => got.every((list) => list.length === 14));
    for (const list of got)
      assert.deepEqual(
        list.map((message) => new Uint8Array(message)),
        [...messages, ...messages],
      );
    for (const client of clients) client.close();
  });
});

test('frames have the shortest length form', () => {
  const head = (length: number): number[] => [...frameMessages([new Uint8Array(length)])].slice(0, 10);
  assert.deepEqual(head(5).slice(0, 2), [0x82, 5]);
  assert.deepEqual(head(126).slice(0, 4), [0x82, 126, 0, 126]);
  assert.deepEqual(head(65_536).slice(0, 10), [0x82, 127, 0, 0, 0, 0, 0, 1, 0, 0]);
});

test('messages come in order, text is passed over, and pause stops them', async () => {
  await withSockets(async ({ port, channels }) => {
    const client = await dial(port, '/bytes');
    const got: number[] = [];
    channels[0]?.onMessage((message) => got.push(message[0] ?? -1));
    client.send(Uint8Array.of(1));
    client.send('text');
    client.send(Uint8Array.of(2));
    await eventually(() => got.length === 2);
    channels[0]?.pause();
    client.send(Uint8Array.of(3));
    channels[0]?.resume();
    await eventually(() => got.length === 3);
    assert.deepEqual(got, [1, 2, 3]);
    client.close();
  });
});

test('of who sends very many small messages at once, no more are heard in a turn than two reads bring, and others have theirs in between', async () => {
  await withSockets(async ({ port, channels }) => {
    const client = await dial(port, '/bytes');
    const [channel] = channels;
    assert.ok(channel !== undefined);
    channel.pause();
    const frame = maskedFrame(0x82, 'x');
    const count = 500_000;
    const socket = (client as unknown as { _socket: Socket })._socket;
    socket.write(Buffer.alloc(count * frame.length, frame));
    await eventually(() => count * frame.length - socket.writableLength > 4 * READ_BYTES);
    let [heard, inTurn, most] = [0, 0, 0];
    channel.onMessage(() => {
      if (inTurn++ === 0)
        setImmediate(() => {
          most = Math.max(most, inTurn);
          inTurn = 0;
        });
      if (++heard === 1) channel.pause();
    });
    const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
    await eventually(() => heard > 0);
    for (let n = 0; n < 10; n++) await turn();
    assert.ok(heard <= READ_BYTES / frame.length + 1, `${heard} were heard of a socket that is held back`);
    channel.resume();
    await eventually(() => assert.equal(heard, count), 20_000);
    await turn();
    assert.ok(most <= (2 * READ_BYTES) / frame.length + 1, `${most} in one turn`);
    client.close();
  });
});

test('what a reader leaves unread is counted, and its end is told', async () => {
  await withSockets(async ({ port, channels }) => {
    const client = await dial(port, '/bytes');
    const [channel] = channels;
    assert.ok(channel !== undefined);
    let drained = 0;
    channel.onDrain(() => drained++);
    client.pause();
    const batch: Batch = { messages: [new Uint8Array(1_000_000)] };
    for (let n = 0; n < 200 && channel.buffered < 2_000_000; n++) channel.send(batch);
    assert.ok(channel.buffered >= 2_000_000);
    await new Promise((resolve) => setImmediate(resolve));
    assert.equal(drained, 0);
    client.resume();
    await eventually(() => drained > 0 && channel.buffered === 0);
    client.close();
  });
});

test('what comes before anybody listens waits, and is heard in order', async () => {
  await withSockets(async ({ port, router, sockets }) => {
    const heard: number[] = [];
    router.exact('/late', (upgrade) => {
      const channel = sockets.acceptBytes(upgrade, { maxPayload: 100 });
      setTimeout(() => channel.onMessage((message) => heard.push(message[0] ?? -1)), 100);
    });
    const client = await dial(port, '/late');
    for (const byte of [1, 2, 3]) client.send(Uint8Array.of(byte));
    await eventually(() => assert.deepEqual(heard, [1, 2, 3]));
    client.close();
  });
});

test('what comes after we began to close is heard by nobody, though the other side goes on', async () => {
  await withSockets(async ({ port, router, sockets, channels }) => {
    const texts: TextSocket[] = [];
    router.exact('/text', (upgrade) => {
      texts.push(sockets.acceptText(upgrade, { maxPayload: 100 }));
    });
    const heard: string[] = [];
    const raws = [await rawSocket(port, upgradeText('/text')), await rawSocket(port, upgradeText('/bytes'))];
    await eventually(() => texts.length === 1 && channels.length === 1);
    texts[0]?.onText((text) => heard.push(text));
    texts[0]?.onBad((problem) => heard.push(problem));
    channels[0]?.onMessage((message) => heard.push(Buffer.from(message).toString()));
    const say = (text: string, binary: string): void => {
      raws[0]?.socket.write(maskedFrame(0x81, text));
      raws[1]?.socket.write(maskedFrame(0x82, binary));
    };
    say('one', 'two');
    await eventually(() => assert.deepEqual(heard.toSorted(), ['one', 'two']));
    texts[0]?.close(4001, 'revoked');
    channels[0]?.close(4001, 'revoked');
    say('three', 'four');
    raws[0]?.socket.write(maskedFrame(0x82, 'binary'));
    // The answer to our goodbye comes behind it.
    for (const raw of raws) raw.socket.write(maskedFrame(0x88, ''));
    await Promise.all(raws.map(({ closed }) => closed));
    assert.deepEqual(heard.toSorted(), ['one', 'two']);
  });
});

test('a socket that answers no ping is cut; one that does is kept', async () => {
  await withSockets(async ({ port, sockets, channels, clock }) => {
    const live = await dial(port, '/bytes');
    let pings = 0;
    live.on('ping', () => pings++);
    // It shakes hands and then never says a word, as a peer does whose network is gone.
    const dead = await rawSocket(port, upgradeText('/bytes'));
    await eventually(() => channels.length === 2);
    const codes: number[] = [];
    channels[1]?.onClose((code) => codes.push(code));
    for (let n = 1; n <= 3; n++) {
      clock.tick(30_000);
      await eventually(() => pings === n);
    }
    await dead.closed;
    assert.deepEqual(codes, [1006]);
    assert.equal(sockets.connections, 1);
    assert.equal(live.readyState, live.OPEN);
    live.close();
  });
});

test('a socket is cut when nothing came for as long as it may be silent: not before that, and not with the next ping', async () => {
  await withSockets(async ({ port, sockets, channels, clock }) => {
    const heard: string[] = [];
    const silent = await rawSocket(port, upgradeText('/bytes'));
    await eventually(() => channels.length === 1);
    channels[0]?.onMessage((message) => heard.push(Buffer.from(message).toString()));
    const say = async (text: string): Promise<void> => {
      silent.socket.write(maskedFrame(0x82, text));
      await eventually(() => heard.at(-1) === text);
    };
    // Longer than it takes to cut one.
    const staysOpen = async (): Promise<void> => {
      await new Promise((resolve) => setTimeout(resolve, 50));
      assert.equal(sockets.connections, 1, `at ${clock.now()}`);
    };
    clock.tick(10_000);
    await say('first');
    clock.tick(55_000);
    await say('at 65 s');
    clock.tick(59_999);
    await staysOpen();
    // The beginning of a message is a sign of life as well.
    silent.socket.write(maskedFrame(0x82, 'never whole').subarray(0, 3));
    await new Promise((resolve) => setTimeout(resolve, 50));
    clock.tick(59_999);
    await staysOpen();
    clock.tick(1);
    await silent.closed;
    await eventually(() => sockets.connections === 0);
    assert.equal(clock.now(), 184_999);
  });
});

test('a socket that we hold back is not taken for dead', async () => {
  await withSockets(async ({ port, channels, clock }) => {
    const client = await dial(port, '/bytes');
    const got: number[] = [];
    channels[0]?.onMessage((message) => got.push(message.length));
    channels[0]?.pause();
    for (let n = 0; n < 4; n++) clock.tick(30_000);
    channels[0]?.resume();
    client.send(new Uint8Array(7));
    await eventually(() => got.length === 1);
    client.close();
  });
});

test('a message over the limit closes the socket with 1009', async () => {
  await withSockets(async ({ port, sockets }) => {
    const client = await dial(port, '/bytes');
    const code = new Promise((resolve) => client.once('close', resolve));
    client.send(new Uint8Array(100_001));
    assert.equal(await code, 1009);
    await eventually(() => sockets.connections === 0);
  });
});

test('a message that comes in pieces keeps no more than it may hold and a MiB beside: who sends more among them is cut', async () => {
  await withSockets(async ({ port, channels }) => {
    const { socket, closed } = await rawSocket(port, upgradeText('/bytes'));
    let isCut = false;
    void closed.then(() => (isCut = true));
    const pongs = Buffer.concat(Array.from({ length: 500 }, () => maskedFrame(0x8a, 'x'.repeat(125))));
    const taken: number[] = [];
    await eventually(() => channels.length === 1);
    channels[0]?.onMessage((message) => taken.push(message.length));
    const send = async (bytes: Buffer): Promise<void> => {
      if (!isCut && !socket.write(bytes)) await Promise.race([closed, new Promise((resolve) => socket.once('drain', resolve))]);
    };
    // Messages in pieces that follow each other, so that one is always under way, and much that belongs to none.
    const piece = maskedFrame(0x00, 'x'.repeat(100));
    await send(maskedFrame(0x02, ''));
    for (let message = 0; message < 40; message++)
      await send(Buffer.concat([...Array.from({ length: 500 }, () => piece), maskedFrame(0x80, ''), maskedFrame(0x02, '')]));
    await send(maskedFrame(0x80, ''));
    for (let count = 0; count < 40; count++) await send(pongs);
    await eventually(() => taken.length === 41);
    assert.deepEqual(new Set(taken.slice(0, 40)), new Set([50_000]));
    assert.ok(!isCut);

    await send(maskedFrame(0x02, 'x'));
    for (let count = 0; count < 40 && !isCut; count++) await send(Buffer.concat([pongs, maskedFrame(0x00, 'x')]));
    await eventually(() => isCut);
    assert.equal(taken.length, 41);
  });
});

test('the protocol that carried the token is echoed, else the first one offered', async () => {
  await withSockets(async ({ port, router, sockets }) => {
    router.exact('/token', (upgrade) => {
      sockets.acceptBytes(upgrade, { maxPayload: 100, protocol: 'second' });
    });
    const one = await dial(port, '/token', ['first', 'second']);
    const two = await dial(port, '/bytes', ['first', 'second']);
    assert.deepEqual([one.protocol, two.protocol], ['second', 'first']);
    one.close();
    two.close();
  });
});

test('an exact path comes first, then the longest prefix, then the rest', async () => {
  await withSockets(async ({ port, router, sockets }) => {
    const seen: string[] = [];
    const note = (name: string) => (upgrade: Parameters<Parameters<UpgradeRouter['exact']>[1]>[0]) => {
      seen.push(`${name} ${upgrade.path} ${upgrade.query.get('q')}`);
      sockets.acceptBytes(upgrade, { maxPayload: 100 });
    };
    router.prefix('/ws/', note('short'));
    router.prefix('/ws/doc/', note('long'));
    router.exact('/ws/doc/exact', note('exact'));
    router.fallback(note('rest'));
    assert.throws(() => router.exact('/bytes', note('again')), /Two parts claim/);
    for (const path of ['/ws/doc/exact?q=1', '/ws/doc/a%2Fb?q=2', '/ws/other', '/any/room']) (await dial(port, path)).close();
    assert.deepEqual(seen, ['exact /ws/doc/exact 1', 'long /ws/doc/a%2Fb 2', 'short /ws/other null', 'rest /any/room null']);
  });
});

const refusals: [says: string, path: string, headers: Record<string, string | undefined>, status: number, reason: string][] = [
  ['an unknown path', '/nowhere', {}, 404, 'NOT_FOUND'],
  ['a caller without a token', '/locked', {}, 401, 'NO_TOKEN'],
  ['a cross-site page', '/bytes', { Origin: 'https://evil.example' }, 403, 'BAD_ORIGIN'],
  ['a page on another port', '/bytes', { Origin: 'http://127.0.0.1:8000' }, 403, 'BAD_ORIGIN'],
  ['a rebound name', '/bytes', { Host: 'evil.example' }, 403, 'BAD_HOST'],
  ['a handler that breaks', '/broken', {}, 500, 'INTERNAL'],
];
for (const [says, path, headers, status, reason] of refusals) {
  test(`${says} is answered ${status} before the socket is closed`, async () => {
    await withSockets(async ({ port, router, sockets, errors }) => {
      router.exact('/locked', async () => {
        await Promise.resolve();
        throw new OutriggerError('NO_TOKEN', 'No token came.');
      });
      router.exact('/broken', () => {
        throw new TypeError('secret');
      });
      const raw = await rawSocket(port, upgradeText(path, headers));
      await raw.closed;
      const [head = '', body = ''] = raw.received.split('\r\n\r\n');
      assert.match(head, new RegExp(`^HTTP/1\\.1 ${status} `));
      assert.equal((JSON.parse(body) as { reason: string }).reason, reason);
      assert.equal(status === 401, /www-authenticate: bearer/i.test(head));
      assert.ok(!body.includes('secret'));
      assert.equal(errors.length, status === 500 ? 1 : 0);
      assert.equal(sockets.connections, 0);
    });
  });
}

test('a refused socket is closed by us, whether or not the other side closes', async () => {
  await withSockets(async ({ port, listener }) => {
    const raw = await rawSocket(port, upgradeText('/nowhere'), true);
    await eventually(() => raw.received.includes('NOT_FOUND') && listener.connections === 0);
    raw.socket.destroy();
  });
});

test('a broken handshake is answered 400', async () => {
  await withSockets(async ({ port, sockets }) => {
    const raw = await rawSocket(port, upgradeText('/bytes', { 'Sec-WebSocket-Key': 'short' }));
    await raw.closed;
    assert.match(raw.received, /^HTTP\/1\.1 400 /);
    assert.equal(sockets.connections, 0);
  });
});

test('a half-sent upgrade ends by itself, and one that is reset harms nobody', async () => {
  await withSockets(
    async ({ port, sockets, router }) => {
      router.exact('/slow', async (upgrade) => {
        await new Promise((resolve) => upgrade.socket.once('close', resolve));
        sockets.acceptBytes(upgrade, { maxPayload: 100 });
      });
      const half = await rawSocket(port, upgradeText('/bytes').slice(0, 60));
      const gone = await rawSocket(port, upgradeText('/slow'));
      await new Promise((resolve) => setImmediate(resolve));
      gone.socket.resetAndDestroy();
      await half.closed;
      assert.doesNotMatch(half.received, / 101 /);
      (await dial(port, '/bytes')).close();
    },
    { listener: { headersTimeoutMs: 200 } },
  );
});

test('sockets beyond the most are refused before the handshake', async () => {
  await withSockets(
    async ({ port }) => {
      const kept = await dial(port, '/bytes');
      const raw = await rawSocket(port, upgradeText('/bytes'));
      await raw.closed;
      assert.match(raw.received, /^HTTP\/1\.1 429 [\s\S]*retry-after: 1/i);
      kept.close();
    },
    { sockets: { maxConnections: 1 } },
  );
});

test('closing says why, cuts those that do not answer, and takes no more', async () => {
  await withSockets(async ({ port, sockets, channels }) => {
    const client = await dial(port, '/bytes');
    const silent = await rawSocket(port, upgradeText('/bytes'));
    await eventually(() => channels.length === 2);
    const code = new Promise((resolve) => client.once('close', resolve));
    const closing = sockets.close(1001, 'stopping', 100);
    const late = await rawSocket(port, upgradeText('/bytes'));
    await closing;
    assert.equal(await code, 1001);
    await silent.closed;
    await late.closed;
    assert.match(late.received, /^HTTP\/1\.1 503 /);
    assert.equal(sockets.connections, 0);
  });
});

test('dialling out says why it was refused', async () => {
  await withSockets(async ({ port, router, sockets }) => {
    router.exact('/locked', () => {
      throw new OutriggerError('BAD_TOKEN', 'That token is none of ours.');
    });
    const reason = (url: string): Promise<string> =>
      sockets.dialText(url, { maxPayload: 100 }).then(
        () => 'open',
        (error: OutriggerError) => error.reason,
      );
    assert.equal(await reason(`ws://127.0.0.1:${port}/locked`), 'BAD_TOKEN');
    assert.equal(await reason(`ws://127.0.0.1:${port}/nowhere`), 'CONNECTION_LOST');
    assert.equal(await reason('ws://127.0.0.1:1/'), 'CONNECTION_LOST');
  });
});
