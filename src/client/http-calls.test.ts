import assert from 'node:assert/strict';
import { createServer as createHttpServer } from 'node:http';
import { test } from 'node:test';
import { eventually } from '../../test/kit/eventually.ts';
import { reason, withClient } from '../../test/kit/client.ts';
import { type FakeTable, fakeTable } from '../../test/kit/fake-operations.ts';
import { fakeToken, withFakeSidecar } from '../../test/kit/fake-sidecar.ts';
import type { Dispatch, DispatchRequest } from '../contract/dispatch.ts';
import { OutriggerError } from '../contract/errors.ts';
import { operations } from '../contract/operations.ts';
import { createClient } from './client.ts';
import { commonTimers } from './client-options.ts';

test('calls over HTTP where there is no WebSocket, streams too', async () => {
  await withFakeSidecar(async ({ url, seen }) => {
    await withClient(
      url,
      async (client) => {
        assert.equal((await client.call('echo.unary', { text: 'a' })).text, 'a');
        const stream = client.stream('items.count', { to: 3 });
        const all: number[] = [];
        for await (const { n } of stream) all.push(n);
        assert.deepEqual([all, await stream.end], [[1, 2, 3], { total: 3 }]);
        assert.deepEqual(
          seen.log.map(({ transport }) => transport),
          ['http', 'http'],
        );
      },
      { webSocket: undefined },
    );
  });
});

test('falls back to HTTP when the WebSocket does not come about, and for inputs too long for it', async () => {
  class NoWebSocket extends WebSocket {
    constructor(url: string) {
      super(url.replace('/rpc', '/blocked'));
    }
  }
  await withFakeSidecar(async ({ url, seen }) => {
    await withClient(url, async (client) => assert.equal((await client.call('echo.unary', { text: 'a' })).text, 'a'), {
      webSocket: NoWebSocket as never,
    });
    await withClient(url, async (client) => {
      await client.call('echo.unary', {});
      const text = 'x'.repeat(2_000_000);
      assert.equal((await client.call('echo.unary', { text })).text.length, text.length);
    });
    assert.deepEqual(
      seen.log.filter(({ operation }) => operation === 'echo.unary').map(({ transport }) => transport),
      ['http', 'ws', 'http'],
    );
  });
});

test('streams go over HTTP too where that answers and no WebSocket comes about, as behind a proxy that passes none', async () => {
  class NoWebSocket extends WebSocket {
    constructor(url: string) {
      super(url.replace('/rpc', '/blocked'));
    }
  }
  const dispatch = (fakes: Dispatch) => (request: DispatchRequest) =>
    request.name === 'system.info' ? Promise.resolve({ output: {} }) : fakes(request);
  await withFakeSidecar(
    async ({ url }) => {
      for (const options of [{}, { onResume: () => ({ to: 3 }) }])
        await withClient(
          url,
          async (client) => {
            for (let time = 0; time < 2; time++) {
              const stream = client.stream('items.count', { to: 3 }, { signal: AbortSignal.timeout(5000), ...options });
              const all: number[] = [];
              for await (const { n } of stream) all.push(n);
              assert.deepEqual([all, await stream.end], [[1, 2, 3], { total: 3 }]);
            }
          },
          { webSocket: NoWebSocket as never },
        );
    },
    { table: { ...fakeTable, 'system.info': operations['system.info'] }, dispatch },
  );
});

test('a request that is too long for a sidecar of small messages goes over HTTP', async () => {
  await withFakeSidecar(
    async ({ url }) => {
      await withClient(url, async (client) => {
        await client.call('echo.unary', {});
        const text = 'y'.repeat(1500);
        assert.equal((await client.call('echo.unary', { text })).text, text);
      });
    },
    { limits: { maxFrameLength: 1000 } },
  );
});

test('a stream over HTTP that is cut after its first item is asked for later and later, and at once again after one that lasted', async () => {
  let asked = 0;
  const clock = { now: 0 };
  const server = createHttpServer((_request, response) => {
    asked++;
    response.writeHead(200, { 'content-type': 'application/x-ndjson', 'x-request-id': 'r1' });
    response.write(`{"item":{"type":"ready","cursor":"e-${asked}"}}\n`);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const delays: number[] = [];
  try {
    await withClient(
      `http://127.0.0.1:${(server.address() as { port: number }).port}`,
      async (client) => {
        const leaving = new AbortController();
        for await (const _ of client.watchChanges(undefined, { signal: leaving.signal })) {
          if (asked === 8) leaving.abort();
          // The item is there, and then its connection goes.
          if (asked === 6) clock.now += 100;
          server.closeAllConnections();
        }
      },
      {
        webSocket: undefined,
        now: () => clock.now,
        backoff: { baseMs: 10, maxMs: 100 },
        random: () => 1,
        timers: {
          ...commonTimers,
          set: (run, ms) => {
            // The others watch over silence.
            if (ms <= 100) delays.push(ms);
            return commonTimers.set(run, ms);
          },
        },
      },
    );
  } finally {
    server.closeAllConnections();
    server.close();
  }
  assert.deepEqual(delays, [10, 20, 40, 80, 100, 10, 20]);
});

/** WebSockets that come about unless something between passes none. */
function webSocketUnless(isBlocked: () => boolean): typeof WebSocket {
  return class extends WebSocket {
    constructor(url: string | URL, protocols?: string | string[]) {
      super(isBlocked() ? String(url).replace('/rpc', '/blocked') : url, protocols);
    }
  };
}

test('a stream that goes on over HTTP knows what came over the WebSocket, also where the first request over HTTP fails', async () => {
  let isBlocked = false;
  const SometimesWebSocket = webSocketUnless(() => isBlocked);
  const ways: string[] = [];
  const dispatch = (fakes: Dispatch) => async (request: DispatchRequest) => {
    if (request.name === 'system.info') return { output: {} };
    ways.push(request.transport);
    if (ways.length === 2) throw new OutriggerError('CONNECTION_LOST', 'Cut.');
    return await fakes(request);
  };
  await withFakeSidecar(
    async ({ url, rpc }) => {
      await withClient(
        url,
        async (client) => {
          const told: number[] = [];
          const resumed: (number | undefined)[] = [];
          const onResume = (last: { n: number; cursor: string } | undefined) => {
            resumed.push(last?.n);
            return { cursor: last?.cursor ?? '0' };
          };
          for await (const { n } of client.stream('items.endless', {}, { onResume })) {
            told.push(n);
            if (n === 3) {
              isBlocked = true;
              rpc.close();
            }
            if (told.length === 6) break;
          }
          assert.deepEqual(told, [1, 2, 3, 4, 5, 6]);
          assert.equal(new Set(resumed).size, 1, `${resumed}`);
          assert.deepEqual(ways, ['ws', 'http', 'http']);
        },
        { webSocket: SometimesWebSocket as never },
      );
    },
    { table: { ...fakeTable, 'system.info': operations['system.info'] }, dispatch },
  );
});

test('a stream that went over HTTP goes back to the WebSocket once there is one, as a browser has few connections for requests', async () => {
  let isBlocked = true;
  const SometimesWebSocket = webSocketUnless(() => isBlocked);
  const ways: string[] = [];
  const dispatch = (fakes: Dispatch) => async (request: DispatchRequest) => {
    if (request.name === 'system.info') return { output: {} };
    ways.push(request.transport);
    return await fakes(request);
  };
  await withFakeSidecar(
    async ({ url, seen }) => {
      // One tells items without an end, of which some are on their way; the other nothing, so that its next one is awaited.
      for (const quiet of [false, true])
        await withClient(
          url,
          async (client) => {
            isBlocked = true;
            ways.length = 0;
            let next = 1;
            const input = (last: { cursor: string } | undefined) => ({ quiet, cursor: last?.cursor ?? '0' });
            const leaving = new AbortController();
            const reading = (async () => {
              const stream = client.stream('items.endless', input(undefined), { signal: leaving.signal, onResume: input });
              for await (const { n } of stream) assert.equal(n, next++);
            })();
            await eventually(() => ways.length === 1);
            isBlocked = false;
            await eventually(() => ways.length === 2 && seen.running === 1);
            const before = next;
            await eventually(() => quiet || next > before + 10);
            leaving.abort();
            assert.equal(await reason(reading), 'CANCELED');
            assert.deepEqual(ways, ['http', 'ws']);
            await eventually(() => seen.running === 0);
          },
          { webSocket: SometimesWebSocket as never },
        );
    },
    { table: { ...fakeTable, 'system.info': operations['system.info'] }, dispatch },
  );
});

test('a stream over HTTP of which nothing is heard any more is lost, and one that is quiet is not', async () => {
  let asked = 0;
  const server = createHttpServer((_request, response) => {
    asked++;
    // The first is silent from its first line on, the second before it, the third is quiet.
    if (asked === 2) return;
    response.writeHead(200, { 'content-type': 'application/x-ndjson', 'x-request-id': 'r1' });
    response.write(`{"item":{"type":"ready","cursor":"e-${asked}"}}\n`);
    if (asked > 2) setInterval(() => response.write('\n'), 700).unref();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  try {
    await withClient(
      `http://127.0.0.1:${(server.address() as { port: number }).port}`,
      async (client) => {
        const controller = new AbortController();
        const heard: string[] = [];
        for await (const item of client.watchChanges(undefined, { signal: controller.signal, git: false })) {
          heard.push(item.cursor);
          if (heard.length === 2) setTimeout(() => controller.abort(), 1600);
        }
        assert.deepEqual([heard, asked], [['e-1', 'e-3'], 3]);
      },
      { webSocket: undefined, pingMs: 1000, pongMs: 200, backoff: { baseMs: 1, maxMs: 1 } },
    );
  } finally {
    server.closeAllConnections();
    server.close();
  }
});

test('what a proxy answers in place of a sidecar is a lost connection, and nothing that was asked for', async () => {
  let page: [status: number, body: string] = [502, ''];
  const server = createHttpServer((_request, response) => {
    const [status, body] = page;
    response.writeHead(status, { 'content-type': 'text/html' }).end(body);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const html = '<!doctype html>\n<html>Log in</html>\n';
  const kubernetes = '{"kind":"Status","reason":"ServiceUnavailable","code":503}';
  try {
    await withClient(
      `http://127.0.0.1:${(server.address() as { port: number }).port}`,
      async (client) => {
        const reasons = async (): Promise<string[]> => [
          await reason(client.call('echo.unary', {})),
          await reason(client.download('bytes.out', { path: 'a' })),
          await reason(client.stream('items.count', { to: 1 })[Symbol.asyncIterator]().next()),
        ];
        const lost = ['CONNECTION_LOST', 'CONNECTION_LOST', 'CONNECTION_LOST'];
        for (page of [
          [502, html],
          [503, kubernetes],
          [504, ''],
          [200, html],
          [200, ''],
          // Of which no shape tells that it is no output of an operation.
          [200, '{"error":"login"}'],
          [200, '{"end":{}}\n'],
        ] as [number, string][])
          assert.deepEqual(await reasons(), lost, page.join(' '));
        page = [429, html];
        assert.deepEqual(await reasons(), ['TOO_MANY', 'TOO_MANY', 'TOO_MANY']);
        assert.equal(await reason(client.upload('bytes.in', { path: 'a' }, 'text')), 'TOO_MANY');
        page = [200, '{"error":"login"}'];
        assert.equal(await reason(client.upload('bytes.in', { path: 'a' }, 'text')), 'CONNECTION_LOST');
        page = [413, html];
        const error = await client.upload('bytes.in', { path: 'a' }, 'text').catch((thrown: unknown) => thrown as OutriggerError);
        assert.ok(error instanceof OutriggerError);
        assert.deepEqual(
          [error.reason, error.message, error.hint],
          ['INPUT_TOO_LARGE', 'The server answered 413.', 'What stands between takes no body as large as that: raise its limit.'],
        );
      },
      { webSocket: undefined },
    );
  } finally {
    server.closeAllConnections();
    server.close();
  }
});

test('what stands beside bytes and is no output of an operation is a lost connection', async () => {
  let beside = '';
  const server = createHttpServer((_request, response) => {
    response.writeHead(200, { 'x-request-id': 'r1', 'outrigger-output': beside }).end('bytes');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  try {
    await withClient(
      `http://127.0.0.1:${(server.address() as { port: number }).port}`,
      async (client) => {
        for (beside of ['', '{', '%', '%7B%22size%22']) {
          assert.equal(await reason(client.download('bytes.out', { path: 'a' })), 'CONNECTION_LOST', beside);
          const items = client.stream('items.count', { to: 1 })[Symbol.asyncIterator]();
          assert.equal(await reason(items.next()), 'CONNECTION_LOST', beside);
        }
      },
      { webSocket: undefined },
    );
  } finally {
    server.closeAllConnections();
    server.close();
  }
});

test('of a page of another server it is not said that a log has the cause; of a failure of the sidecar it is', async () => {
  let ours = false;
  const server = createHttpServer((_request, response) => {
    response.writeHead(ours ? 500 : 404, ours ? { 'x-request-id': 'r1' } : {}).end('Not here');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  try {
    await withClient(
      `http://127.0.0.1:${(server.address() as { port: number }).port}`,
      async (client) => {
        const failure = async (): Promise<[message: string, hint: string]> => {
          const error = await client.call('echo.unary', {}).catch((thrown: unknown) => thrown);
          assert.ok(error instanceof OutriggerError);
          return [error.message, error.hint];
        };
        assert.deepEqual(await failure(), [
          'The server answered 404.',
          'That is no answer of Outrigger: check the address, and what stands between.',
        ]);
        ours = true;
        assert.deepEqual(await failure(), ['The server answered 500.', 'The log has the cause under this request id.']);
      },
      { webSocket: undefined },
    );
  } finally {
    server.closeAllConnections();
    server.close();
  }
});

test('closed, it lets go of what goes over HTTP too, and asks nothing more', async () => {
  await withFakeSidecar(async ({ url, seen }) => {
    const client = createClient<FakeTable>({ url, token: fakeToken, webSocket: undefined });
    const reading = (async () => {
      for await (const item of client.stream('items.endless', {}, { onResume: () => ({}) })) if (item.n === 3) client.close();
    })();
    assert.equal(await reason(reading), 'CONNECTION_LOST');
    await eventually(() => seen.running === 0);
    assert.equal(await reason(client.call('echo.unary', { text: 'a' })), 'CONNECTION_LOST');
  });
});
