import assert from 'node:assert/strict';
import { createServer as createHttpServer } from 'node:http';
import { connect, createServer, type Socket } from 'node:net';
import { test } from 'node:test';
import { WebSocket as NodeWebSocket } from 'ws';
import { eventually } from '../../test/kit/eventually.ts';
import { reason, withClient } from '../../test/kit/client.ts';
import { countingBytes, type FakeTable, sha256 } from '../../test/kit/fake-operations.ts';
import { fakeToken, withFakeSidecar } from '../../test/kit/fake-sidecar.ts';
import { OutriggerError } from '../contract/errors.ts';
import { type ClientOptions, createClient } from './client.ts';
import { type ClientWebSocket, commonTimers } from './client-options.ts';
import { Connection } from './connection.ts';

/** A TCP relay that can be made deaf: connections stay, and nothing passes until it hears again. Nothing is lost, as with TCP. */
async function withRelay(
  port: number,
  run: (relay: { url: string; deafen: () => void; hear: () => void }) => Promise<void>,
): Promise<void> {
  const sockets = new Set<Socket>();
  let deaf = false;
  const server = createServer((from) => {
    const to = connect(port, '127.0.0.1');
    for (const [a, b] of [
      [from, to],
      [to, from],
    ] as const) {
      sockets.add(a);
      a.on('error', () => undefined);
      a.on('data', (chunk) => b.write(chunk));
      a.on('close', () => b.destroy());
      if (deaf) a.pause();
    }
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port: relayPort } = server.address() as { port: number };
  try {
    await run({
      url: `http://127.0.0.1:${relayPort}`,
      deafen: () => {
        deaf = true;
        for (const socket of sockets) socket.pause();
      },
      hear: () => {
        deaf = false;
        for (const socket of sockets) socket.resume();
      },
    });
  } finally {
    for (const socket of sockets) socket.destroy();
    await new Promise((resolve) => server.close(resolve));
  }
}

test('opens one socket when first used, for all calls', async () => {
  await withFakeSidecar(async ({ url, rpc, seen }) => {
    await withClient(url, async (client, states) => {
      assert.equal(client.connection.state.name, 'idle');
      const answers = await Promise.all([client.call('echo.unary', { text: 'a' }), client.call('echo.unary', { text: 'b' })]);
      assert.deepEqual(
        answers.map(({ text }) => text),
        ['a', 'b'],
      );
      assert.equal(rpc.connections, 1);
      assert.deepEqual(
        seen.log.map(({ transport }) => transport),
        ['ws', 'ws'],
      );
      assert.deepEqual(
        states.map(({ name }) => name),
        ['connecting', 'live'],
      );
    });
    await eventually(() => rpc.connections === 0);
  });
});

test('a token that a protocol can not hold goes into the address', async () => {
  const token = 'has/slashes and+more==';
  await withFakeSidecar(
    async ({ url, seen }) => {
      await withClient(url, async (client) => assert.equal((await client.call('echo.unary', {})).who, 'Odd'), { token });
      assert.equal(seen.log.at(-1)?.transport, 'ws');
    },
    { callers: { [token]: { id: 'odd', name: 'Odd', kind: 'person', access: 'read' } } },
  );
});

test('calls end with DEADLINE or CANCELED, over either way', async () => {
  await withFakeSidecar(async ({ url, seen }) => {
    for (const options of [{}, { webSocket: undefined }]) {
      await withClient(
        url,
        async (client) => {
          assert.equal(await reason(client.call('slow.wait', { mark: 'time' }, { timeoutMs: 50 })), 'DEADLINE');
          const controller = new AbortController();
          const call = reason(client.call('slow.wait', { mark: 'cancel' }, { signal: controller.signal }));
          await eventually(() => seen.running === 1);
          controller.abort();
          assert.equal(await call, 'CANCELED');
          await eventually(() => seen.running === 0);
          assert.equal(await reason(client.call('slow.wait', {}, { signal: controller.signal })), 'CANCELED');
        },
        options,
      );
    }
  });
});

for (const [way, options] of [
  ['the WebSocket', {}],
  ['HTTP alone', { webSocket: undefined }],
] as const) {
  test(`any time may be given, over ${way}, also to the first call`, async () => {
    await withFakeSidecar(async ({ url }) => {
      const bytes = countingBytes(3);
      for (const timeoutMs of [1000.5, 2 ** 31, 3e9, Number.POSITIVE_INFINITY]) {
        await withClient(
          url,
          async (client) => {
            for (const attempt of ['first', 'second'])
              assert.equal(await reason(client.call('echo.unary', {}, { timeoutMs })), 'no error', `${timeoutMs} ${attempt}`);
            assert.equal((await client.upload('bytes.in', { path: 'a' }, bytes, { timeoutMs })).hash, sha256(bytes));
            assert.equal((await client.download('bytes.out', { path: 'a' }, { timeoutMs })).output.length, 10);
          },
          options,
        );
      }
      for (const timeoutMs of [0, -1, Number.NEGATIVE_INFINITY, Number.NaN]) {
        await withClient(
          url,
          async (client) => {
            for (const ending of [
              () => client.call('echo.unary', {}, { timeoutMs }),
              () => client.upload('bytes.in', { path: 'a' }, bytes, { timeoutMs }),
              () => client.download('bytes.out', { path: 'a' }, { timeoutMs }),
            ])
              assert.equal(await reason(ending()), 'DEADLINE', `${timeoutMs}`);
            await client.call('echo.unary', {});
            assert.equal(await reason(client.call('echo.unary', {}, { timeoutMs })), 'DEADLINE', `${timeoutMs}, connected`);
          },
          options,
        );
      }
    });
  });
}

test('the time of a call runs once, also when HTTP follows a socket that did not come about', async () => {
  // Its upgrade takes most of the time, and over HTTP it says nothing but that it is there.
  const server = createHttpServer((request, response) => {
    if (request.url === '/api/system.info') response.setHeader('x-request-id', 'r1').end('{}');
  });
  server.on('upgrade', (_request, socket) => setTimeout(() => socket.end('HTTP/1.1 503 no\r\n\r\n'), 900));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  try {
    await withClient(`http://127.0.0.1:${(server.address() as { port: number }).port}`, async (client) => {
      const begin = performance.now();
      assert.equal(await reason(client.call('echo.unary', {}, { timeoutMs: 1000 })), 'DEADLINE');
      const tookMs = performance.now() - begin;
      assert.ok(tookMs > 900 && tookMs < 1700, `${tookMs} ms`);
    });
  } finally {
    server.closeAllConnections();
    server.close();
  }
});

test('a timer of longer than timers can wait does not go off at once', async () => {
  let isOff = false;
  for (const ms of [2 ** 31, Number.POSITIVE_INFINITY]) {
    const timer = commonTimers.set(() => (isOff = true), ms);
    await new Promise((resolve) => setTimeout(resolve, 20));
    commonTimers.clear(timer);
    assert.equal(isOff, false);
  }
});

test('a connection that does not come about in time is an attempt that failed, and a call does not wait longer than it may', async () => {
  // It takes connections and never says a word.
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const sockets: Socket[] = [];
  server.on('connection', (socket) => sockets.push(socket.on('error', () => undefined)));
  const url = `http://127.0.0.1:${(server.address() as { port: number }).port}`;
  try {
    await withClient(url, async (client) => assert.equal(await reason(client.call('echo.unary', {}, { timeoutMs: 50 })), 'DEADLINE'));
    await withClient(
      url,
      async (client, states) => {
        assert.equal(await reason(client.stream('items.endless', {})[Symbol.asyncIterator]().next()), 'CONNECTION_LOST');
        assert.equal(states[0]?.name, 'connecting');
      },
      { connectTimeoutMs: 30 },
    );
  } finally {
    for (const socket of sockets) socket.destroy();
    server.close();
  }
});

test('what does not answer is called what it is', async () => {
  const said = async (server?: 'hub'): Promise<string> => {
    let message = '';
    await withClient(
      'http://127.0.0.1:1',
      async (client) => {
        const error: unknown = await client.call('slow.wait', {}).catch((failure: unknown) => failure);
        message = (error as Error).message;
      },
      { server },
    );
    return message;
  };
  assert.equal(await said(), 'The sidecar does not answer.');
  assert.equal(await said('hub'), 'The hub does not answer.');
});

test('a lost connection fails what was under way, and comes back by itself', async () => {
  await withFakeSidecar(async ({ url, rpc, seen }) => {
    await withClient(url, async (client, states) => {
      const call = reason(client.call('slow.wait', {}));
      await eventually(() => seen.running === 1);
      rpc.close();
      assert.equal(await call, 'CONNECTION_LOST');
      await eventually(() => client.connection.state.name === 'live');
      const names = states.map(({ name }) => name);
      assert.deepEqual(names.slice(0, 3), ['connecting', 'live', 'reconnecting']);
      const waiting = states[2];
      assert.ok(waiting?.name === 'reconnecting' && waiting.retryAt !== undefined && waiting.retryAt >= waiting.since);
      assert.equal((await client.call('echo.unary', { text: 'again' })).text, 'again');
    });
  });
});

test('says offline after a while, and tries at once when told to', async () => {
  let port = 0;
  await withFakeSidecar(async (sidecar) => {
    port = sidecar.port;
  });
  const url = `http://127.0.0.1:${port}`;
  await withClient(
    url,
    async (client, states) => {
      assert.equal(await reason(client.call('echo.unary', {})), 'CONNECTION_LOST');
      await eventually(() => states.some(({ name }) => name === 'offline'));
      assert.equal(await reason(client.call('echo.unary', {})), 'CONNECTION_LOST', 'fails at once');
    },
    { offlineAfterMs: 30 },
  );
  await withClient(
    url,
    async (client) => {
      assert.equal(await reason(client.call('echo.unary', {})), 'CONNECTION_LOST');
      await eventually(() => client.connection.state.name === 'reconnecting' && client.connection.state.retryAt !== undefined);
      await withFakeSidecar(
        async () => {
          client.connection.tryNow();
          await eventually(() => client.connection.state.name === 'live');
          client.close();
        },
        { port },
      );
    },
    // So long that only `tryNow` can be what connects.
    { backoff: { baseMs: 1e7, maxMs: 1e7 }, random: () => 0.9 },
  );
});

test('is refused for good with a bad token, until told to try again', async () => {
  await withFakeSidecar(async ({ url }) => {
    await withClient(
      url,
      async (client, states) => {
        assert.equal(await reason(client.call('echo.unary', {})), 'BAD_TOKEN');
        const { state } = client.connection;
        assert.ok(state.name === 'refused' && state.error.reason === 'BAD_TOKEN');
        const count = states.length;
        assert.equal(await reason(client.stream('items.endless', {})[Symbol.asyncIterator]().next()), 'BAD_TOKEN');
        assert.equal(states.length, count, 'no further attempt');
        client.connection.tryNow();
        assert.equal(client.connection.state.name, 'connecting');
        await eventually(() => client.connection.state.name === 'refused');
      },
      { token: 'a-token-that-is-none-of-theirs' },
    );
  });
});

test('an address that no WebSocket takes is refused, and nobody waits for it', async () => {
  await withClient('http://127.0.0.1:1/#part', async (client) => {
    assert.equal(await reason(client.stream('items.endless', {})[Symbol.asyncIterator]().next()), 'BAD_INPUT');
    assert.equal(client.connection.state.name, 'refused');
  });
});

test('a connection that says nothing any more is found and replaced', async () => {
  await withFakeSidecar(async ({ port }) => {
    await withRelay(port, async (relay) => {
      await withClient(
        relay.url,
        async (client, states) => {
          await client.call('echo.unary', {});
          relay.deafen();
          await eventually(() => client.connection.state.name === 'reconnecting');
          relay.hear();
          await eventually(() => client.connection.state.name === 'live');
          assert.ok(states.length >= 4);
        },
        { pingMs: 20, pongMs: 100, backoff: { baseMs: 1, maxMs: 1 } },
      );
    });
  });
});

test('a connection whose ping is refused lives: it is busy', async () => {
  const held = Promise.withResolvers<never>();
  await withFakeSidecar(
    async ({ url, rpc }) => {
      await withClient(
        url,
        async (client, states) => {
          const calls = Array.from({ length: 256 }, () => client.call('echo.unary', {}));
          const ended = Promise.race(calls.map((call) => reason(call)));
          await new Promise((resolve) => setTimeout(resolve, 500));
          assert.deepEqual([rpc.connections, states.map(({ name }) => name)], [1, ['connecting', 'live']]);
          held.reject(new OutriggerError('FILE_NOT_FOUND', 'There is none.'));
          assert.equal(await ended, 'FILE_NOT_FOUND');
          await Promise.allSettled(calls);
        },
        { pingMs: 50 },
      );
    },
    { dispatch: () => () => held.promise },
  );
});

test('a connection that is given up for what is queued is replaced, and a feed goes on over the next (long form)', async () => {
  await withFakeSidecar(async ({ url }) => {
    await withClient(url, async (client, states) => {
      const feed = client.stream('items.endless', {}, { onResume: (last) => ({ cursor: last?.cursor ?? '0' }) });
      let next = 1;
      let isLost = false;
      const reading = (async () => {
        for await (const { n } of feed) {
          assert.equal(n, next++);
          if (isLost && states.filter(({ name }) => name === 'live').length > 1) break;
        }
      })();
      await eventually(() => next > 3);
      const text = 'x'.repeat(1_000_000);
      const reasons = await Promise.all(Array.from({ length: 160 }, () => reason(client.call('echo.unary', { text }))));
      assert.ok(reasons.includes('CONNECTION_LOST'));
      isLost = true;
      await reading;
    });
  });
});

/** A connection whose sockets, timers and clock are in the hands of the test. */
function connectionByHand(backoff: ClientOptions['backoff'] & object, random = 0.5, sameWay = true) {
  const timers = new Set<{ run: () => void; ms: number }>();
  const sockets: ClientWebSocket[] = [];
  const obstacles: ((error?: OutriggerError) => void)[] = [];
  const clock = { now: 0 };
  const connection = new Connection(
    {
      name: () => undefined,
      open: () => {
        const socket = { readyState: 0, bufferedAmount: 0, send: () => {}, close: () => {} } as unknown as ClientWebSocket;
        sockets.push(socket);
        return socket;
      },
      obstacle: () => new Promise((resolve) => obstacles.push(resolve)),
      sameWay,
      timers: {
        set: (run, ms) => {
          const timer = { run, ms };
          timers.add(timer);
          return timer;
        },
        clear: (timer) => void timers.delete(timer as { run: () => void; ms: number }),
        soon: (run) => setImmediate(run),
      },
      now: () => clock.now,
      random: () => random,
    },
    { server: 'sidecar', offlineAfterMs: 60_000, connectTimeoutMs: 10_000, pingMs: 25_000, pongMs: 10_000, backoff },
  );
  return { connection, timers, sockets, obstacles, clock };
}

test('of two attempts that fail at once one is tried again', async () => {
  const { connection, timers, sockets, obstacles } = connectionByHand({ baseMs: 100, maxMs: 1000 });
  const live = reason(connection.whenLive({ patient: true }));
  sockets[0]?.onclose?.({ code: 1006, reason: '' } as never);
  // What is in the way is still being asked.
  connection.tryNow();
  sockets[1]?.onclose?.({ code: 1006, reason: '' } as never);
  for (const answer of obstacles) answer();
  await new Promise(setImmediate);
  assert.equal(timers.size, 1);
  for (const { run } of timers) run();
  assert.equal(sockets.length, 3);
  connection.close();
  assert.equal(await live, 'CONNECTION_LOST');
});

test('while not even HTTP answers no WebSocket is tried, of which browsers let the next wait longer the more of them failed', async () => {
  const { connection, timers, sockets, obstacles } = connectionByHand({ baseMs: 100, maxMs: 1000 });
  const live = connection.whenLive({ patient: true });
  const answer = async (error?: OutriggerError): Promise<void> => {
    assert.equal(obstacles.length, 1);
    obstacles.shift()?.(error);
    await new Promise(setImmediate);
  };
  sockets[0]?.onclose?.({ code: 1006, reason: '' } as never);
  for (const reason of ['CONNECTION_LOST', 'DEADLINE', 'CONNECTION_LOST'] as const) {
    await answer(new OutriggerError(reason, 'Nobody is there.'));
    assert.equal(timers.size, 1);
    for (const timer of [...timers]) {
      timers.delete(timer);
      timer.run();
    }
    assert.equal(sockets.length, 1);
    assert.ok(connection.state.name === 'reconnecting' && connection.state.retryAt === undefined);
  }
  await answer();
  assert.equal(sockets.length, 2);
  sockets[1]?.onopen?.({} as never);
  await live;
  connection.close();
});

test('WebSockets of the host’s own may get through where HTTP does not, and are tried', async () => {
  const { connection, timers, sockets, obstacles } = connectionByHand({ baseMs: 100, maxMs: 1000 }, 0.5, false);
  const live = connection.whenLive({ patient: true });
  sockets[0]?.onclose?.({ code: 1006, reason: '' } as never);
  obstacles.shift()?.(new OutriggerError('CONNECTION_LOST', 'Nobody is there.'));
  await new Promise(setImmediate);
  for (const timer of [...timers]) timer.run();
  assert.deepEqual([sockets.length, obstacles.length], [2, 0]);
  sockets[1]?.onopen?.({} as never);
  await live;
  connection.close();
});

test('what takes connections and cuts them at once is asked later and later, and at once again after one that lasted', () => {
  const { connection, timers, sockets, clock } = connectionByHand({ baseMs: 100, maxMs: 1000 }, 1);
  const delays: number[] = [];
  void reason(connection.whenLive({ patient: true }));
  for (const lastedMs of [0, 0, 0, 0, 0, 0, 999, 1000, 0, 3_600_000]) {
    const socket = sockets.at(-1);
    socket?.onopen?.({} as never);
    assert.ok(connection.peer !== undefined);
    clock.now += lastedMs;
    socket?.onclose?.({ code: 1006, reason: '' } as never);
    const { state } = connection;
    assert.ok(state.name === 'reconnecting' && state.retryAt !== undefined);
    delays.push(state.retryAt - clock.now);
    assert.equal(timers.size, 1);
    for (const timer of [...timers]) {
      timers.delete(timer);
      timer.run();
    }
  }
  assert.deepEqual(delays, [100, 200, 400, 800, 1000, 1000, 1000, 100, 200, 100]);
  connection.close();
});

test('a stream without a way to resume ends with the connection; with one it goes on', async () => {
  await withFakeSidecar(async ({ url, rpc, seen }) => {
    await withClient(url, async (client) => {
      const plain = client.stream('items.endless', {});
      const reading = (async () => {
        for await (const item of plain) if (item.n === 5) rpc.close();
      })();
      assert.equal(await reason(reading), 'CONNECTION_LOST');
      assert.equal(await reason(plain.end), 'CONNECTION_LOST');

      const resumed = client.stream('items.endless', {}, { onResume: (last) => ({ cursor: last?.cursor ?? '0' }) });
      let next = 1;
      for await (const { n } of resumed) {
        assert.equal(n, next++);
        if (n % 50 === 0) rpc.close();
        if (n === 160) break;
      }
      await eventually(() => seen.running === 0);
    });
  });
});

for (const [way, options] of [
  ['the WebSocket', {}],
  ['HTTP alone', { webSocket: undefined }],
] as const) {
  test(`what came together with the item at which a stream is aborted is not told, over ${way}`, async () => {
    await withFakeSidecar(async ({ url }) => {
      await withClient(
        url,
        async (client) => {
          const leaving = new AbortController();
          const told: number[] = [];
          const reading = (async () => {
            for await (const { n } of client.stream('items.count', { to: 50 }, { signal: leaving.signal })) {
              told.push(n);
              if (n === 3) leaving.abort();
            }
          })();
          assert.equal(await reason(reading), 'CANCELED');
          assert.deepEqual(told, [1, 2, 3]);
        },
        options,
      );
    });
  });
}

test('its types are those of what it takes and gives', async () => {
  const sockets: ClientOptions['webSocket'][] = [WebSocket, NodeWebSocket];
  for (const webSocket of sockets) {
    await withFakeSidecar(async ({ url }) => {
      await withClient(
        url,
        async (client) => {
          const { total, items } = await client.call('items.count', { to: 3 });
          assert.deepEqual([total, items.map(({ n }) => n)], [3, [1, 2, 3]]);
        },
        { webSocket },
      );
    });
  }
});

test('closed, it lets go of everything and says so', async () => {
  await withFakeSidecar(async ({ url, rpc }) => {
    const client = createClient<FakeTable>({ url, token: fakeToken });
    const stream = client.stream('items.endless', {});
    const reading = (async () => {
      for await (const item of stream) if (item.n === 3) client.close();
    })();
    assert.equal(await reason(reading), 'CONNECTION_LOST');
    assert.equal(client.connection.state.name, 'closed');
    await eventually(() => rpc.connections === 0);
    client.close();
  });
});
