import assert from 'node:assert/strict';
import diagnostics from 'node:diagnostics_channel';
import { request as httpRequest } from 'node:http';
import type { Socket } from 'node:net';
import { describe, test } from 'node:test';
import { eventually } from '../../../test/kit/eventually.ts';
import { countingBytes, fakeTable, sha256 } from '../../../test/kit/fake-operations.ts';
import { bearer, fakeToken, readToken, reason, withFakeSidecar } from '../../../test/kit/fake-sidecar.ts';
import { longestTurn } from '../../../test/kit/loop-hold.ts';
import { rawSocket } from '../../../test/kit/raw-socket.ts';
import { OutriggerError, type WireError } from '../../contract/errors.ts';
import { operations } from '../../contract/operations.ts';
import { openApi } from './openapi.ts';
import { operationRoute } from './operation-route.ts';

const json = { ...bearer, 'content-type': 'application/json' };

function post(url: string, name: string, input: unknown, headers: Record<string, string> = {}, signal?: AbortSignal): Promise<Response> {
  return fetch(`${url}/api/${name}`, {
    method: 'POST',
    headers: { ...json, ...headers },
    body: JSON.stringify(input),
    ...(signal === undefined ? {} : { signal }),
  });
}

function get(url: string, path: string, headers: Record<string, string> = {}): Promise<Response> {
  return fetch(`${url}${path}`, { headers: { ...bearer, ...headers } });
}

describe('an operation', () => {
  test('is asked by POST with JSON, or with nothing at all', async () => {
    await withFakeSidecar(async ({ url }) => {
      const answer = await post(url, 'echo.unary', { text: 'hi', count: 3 });
      assert.equal(answer.headers.get('content-type'), 'application/json; charset=utf-8');
      assert.deepEqual(await answer.json(), { text: 'hi', count: 3, who: 'Tester' });
      const bare = await fetch(`${url}/api/echo.unary`, { method: 'POST', headers: bearer });
      assert.deepEqual(await bare.json(), { text: 'nothing', who: 'Tester' });
    });
  });

  test('that only reads is asked by GET too, its query read by the types of its schema', async () => {
    await withFakeSidecar(async ({ url }) => {
      const answer = await get(url, '/api/echo.unary?text=5&count=7&flag=false&names=a&names=b&mode=enter');
      assert.deepEqual(await answer.json(), { text: '5', count: 7, flag: false, names: ['a', 'b'], mode: 'enter', who: 'Tester' });
      assert.deepEqual(await (await get(url, '/api/echo.unary?names=one&mode=true')).json(), {
        text: 'nothing',
        names: ['one'],
        mode: true,
        who: 'Tester',
      });
      assert.deepEqual(await reason(get(url, '/api/echo.unary?count=many')), [400, 'BAD_INPUT']);
      const head = await fetch(`${url}/api/echo.unary`, { method: 'HEAD', headers: bearer });
      assert.deepEqual([head.status, await head.text()], [200, '']);
    });
  });

  test('that is not there, or not by this method, or somewhere else, is answered as an error', async () => {
    await withFakeSidecar(async ({ url }) => {
      assert.deepEqual(await reason(post(url, 'echo.nothing', {})), [404, 'NO_OPERATION']);
      assert.deepEqual(await reason(get(url, '/api/toString')), [404, 'NO_OPERATION']);
      assert.deepEqual(await reason(get(url, '/nowhere')), [404, 'NOT_FOUND']);
      assert.deepEqual(await reason(get(url, '/api/echo.write?path=a')), [405, 'METHOD_NOT_ALLOWED']);
      const refused = await fetch(`${url}/api/bytes/a`, { method: 'PATCH', headers: bearer });
      assert.deepEqual([refused.status, refused.headers.get('allow')?.split(', ').toSorted()], [405, ['GET', 'HEAD', 'PUT']]);
      await refused.text();
    });
  });

  test('fails with what the table says about it, and with nothing of our inside', async () => {
    await withFakeSidecar(async ({ url, seen }) => {
      const known = await post(url, 'fail.known', {});
      const error = (await known.json()) as WireError;
      assert.equal(known.status, 404);
      assert.deepEqual(
        [error.code, error.reason, error.message, error.details],
        ['not_found', 'FILE_NOT_FOUND', 'There is no such file.', { path: 'a/b' }],
      );
      assert.equal(error.requestId, known.headers.get('x-request-id'));
      const unknown = await post(url, 'fail.unknown', {});
      const text = await unknown.text();
      assert.equal(unknown.status, 500);
      assert.ok(!text.includes('secret'));
      assert.ok(
        seen.log.some(({ error }) => error instanceof TypeError),
        'the log has the cause',
      );
    });
  });

  test('keeps a request id that holds, and makes one otherwise', async () => {
    await withFakeSidecar(async ({ url, seen }) => {
      const id = async (given: string): Promise<string | null> =>
        (await post(url, 'echo.unary', {}, { 'x-request-id': given })).headers.get('x-request-id');
      assert.equal(await id('trace-1.A_b'), 'trace-1.A_b');
      assert.equal(seen.log.at(-1)?.requestId, 'trace-1.A_b');
      for (const bad of ['has space', 'x'.repeat(129), 'semi;colon']) assert.match((await id(bad)) ?? '', /^[0-9a-f-]{36}$/);
    });
  });

  test('that is too long is taken to its end, so that its sender comes to read why it is refused', async () => {
    await withFakeSidecar(
      async ({ port }) => {
        const head = 'POST /api/echo.unary HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n';
        const rest = 'x'.repeat(3000);
        for (const [framing, first, last] of [
          ['content-length: 5000', 'x'.repeat(2000), rest],
          ['transfer-encoding: chunked', `7d0\r\n${'x'.repeat(2000)}\r\n`, `bb8\r\n${rest}\r\n0\r\n\r\n`],
        ] as const) {
          const errors: unknown[] = [];
          const raw = await rawSocket(port, '', true);
          raw.socket.on('error', (error) => errors.push(error));
          raw.socket.write(`${head}authorization: ${bearer.authorization}\r\n${framing}\r\n\r\n${first}`);
          await eventually(() => raw.received.startsWith('HTTP/1.1 413 '));
          assert.match(raw.received, /^connection: close\r$/im);
          await new Promise((resolve) => raw.socket.write(last, resolve));
          raw.socket.end();
          await raw.closed;
          // A reset would take the answer along where it was not read yet.
          assert.deepEqual(errors, []);
        }
      },
      { maxInputBytes: 1000 },
    );
  });

  test('that is too long may come for 30 s more, and be silent for less than 5 s of that', async (t) => {
    const accepted: Socket[] = [];
    const onSocket = (message: unknown): number => accepted.push((message as { socket: Socket }).socket);
    diagnostics.subscribe('net.server.socket', onSocket);
    t.after(() => diagnostics.unsubscribe('net.server.socket', onSocket));
    t.mock.timers.enable({ apis: ['setInterval'] });
    await withFakeSidecar(
      async ({ port }) => {
        const head = `POST /api/echo.unary HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\nauthorization: ${bearer.authorization}\r\n`;
        const refused = async (): Promise<{ send: () => Promise<void>; isOver: () => boolean }> => {
          const raw = await rawSocket(port, `${head}content-length: 5000\r\n\r\n`, true);
          t.after(() => raw.socket.destroy());
          await eventually(() => assert.match(raw.received, /^HTTP\/1\.1 413 /));
          const other = accepted.at(-1);
          assert.ok(other !== undefined);
          const send = async (): Promise<void> => {
            const before = other.bytesRead;
            raw.socket.write('x');
            await eventually(() => assert.equal(other.bytesRead, before + 1));
          };
          return { send, isOver: () => other.destroyed };
        };
        const pass5s = (): void => t.mock.timers.tick(5000);
        const silent = await refused();
        await silent.send();
        pass5s();
        assert.equal(silent.isOver(), false);
        pass5s();
        assert.equal(silent.isOver(), true);

        const slow = await refused();
        for (let at = 0; at < 25; at += 5) {
          await slow.send();
          pass5s();
        }
        assert.equal(slow.isOver(), false);
        await slow.send();
        pass5s();
        assert.equal(slow.isOver(), true);
      },
      { maxInputBytes: 1000 },
    );
  });

  test('that is refused is taken to its end too where its sender wants the connection to be closed', async () => {
    await withFakeSidecar(
      async ({ port }) => {
        const body = 'x'.repeat(1_000_000);
        for (const [framing, first, last] of [
          [`HTTP/1.1\r\nconnection: close\r\ncontent-length: ${body.length + 1}`, 'x', body],
          ['HTTP/1.1\r\nconnection: close\r\ntransfer-encoding: chunked', '1\r\nx\r\n', `f4240\r\n${body}\r\n0\r\n\r\n`],
          [`HTTP/1.0\r\ncontent-length: ${body.length + 1}`, 'x', body],
        ] as const) {
          const errors: unknown[] = [];
          const raw = await rawSocket(port, '', true);
          raw.socket.on('error', (error) => errors.push(error)).write(`POST /nowhere ${framing}\r\nhost: localhost\r\n\r\n${first}`);
          await eventually(() => raw.received.startsWith('HTTP/1.1 404 '));
          await new Promise((resolve) => raw.socket.write(last, resolve));
          raw.socket.end();
          await raw.closed;
          // A reset would take the answer along where it was not read yet.
          assert.deepEqual(errors, []);
        }
      },
      { maxInputBytes: 1000 },
    );
  });

  test('whose head can not be read, is too long or does not come is refused with an error as any other', async () => {
    await withFakeSidecar(
      async ({ port }) => {
        for (const [sent, status, code, reason] of [
          ['GET / HTTP/1.1\r\nhost: localhost\r\nbad header\r\n\r\n', '400 Bad Request', 'invalid_argument', 'BAD_INPUT'],
          ['BREW / HTTP/1.1\r\nhost: localhost\r\n\r\n', '501 Not Implemented', 'unimplemented', 'UNKNOWN_METHOD'],
          ['\u0016\u0003\u0001 / HTTP/1.1\r\n\r\n', '400 Bad Request', 'invalid_argument', 'BAD_INPUT'],
          [
            `GET / HTTP/1.1\r\nhost: localhost\r\nx: ${'x'.repeat(70_000)}\r\n\r\n`,
            '431 Request Header Fields Too Large',
            'resource_exhausted',
            'INPUT_TOO_LARGE',
          ],
          ['GET / HTTP/1.1\r\nhost: localhost\r\n', '408 Request Timeout', 'deadline_exceeded', 'DEADLINE'],
        ] as const) {
          const raw = await rawSocket(port, sent);
          await raw.closed;
          const [head = '', body = ''] = raw.received.split('\r\n\r\n');
          assert.ok(head.startsWith(`HTTP/1.1 ${status}\r\n`), raw.received);
          const error = JSON.parse(body) as WireError;
          assert.deepEqual([error.code, error.reason], [code, reason]);
          assert.doesNotMatch(error.hint ?? '', /files\.upload/, 'it is of a body');
          assert.ok(head.includes(`\r\ncontent-length: ${body.length}`), head);
        }
      },
      { listener: { headersTimeoutMs: 300 } },
    );
  });

  test('with a body that is no JSON, too long or of another type is refused', async () => {
    await withFakeSidecar(
      async ({ url }) => {
        const send = (body: string, type = 'application/json'): Promise<Response> =>
          fetch(`${url}/api/echo.unary`, { method: 'POST', headers: { ...bearer, 'content-type': type }, body });
        assert.deepEqual(await reason(send('{"text":')), [400, 'BAD_INPUT']);
        assert.deepEqual(await reason(send('{"text":1}')), [400, 'BAD_INPUT']);
        assert.deepEqual(await reason(send('text=1', 'application/x-www-form-urlencoded')), [400, 'BAD_INPUT']);
        assert.deepEqual(await reason(send(JSON.stringify({ text: 'x'.repeat(2000) }))), [413, 'INPUT_TOO_LARGE']);
        assert.deepEqual(await (await send('{"__proto__":{"text":"polluted"}}')).json(), { text: 'nothing', who: 'Tester' });
      },
      { maxInputBytes: 1000 },
    );
  });
});

describe('who asks', () => {
  test('is known by bearer token or by the cookie of our own page, and by nothing else', async () => {
    await withFakeSidecar(
      async ({ url }) => {
        const call = (headers: Record<string, string>, query = ''): Promise<Response> =>
          fetch(`${url}/api/echo.unary${query}`, { headers });
        const cookie = { cookie: `outrigger_test=${fakeToken}` };
        assert.equal((await call(bearer)).status, 200);
        assert.equal((await call(cookie)).status, 200);
        const none = await call({});
        assert.deepEqual([none.status, none.headers.get('www-authenticate')], [401, 'Bearer']);
        assert.equal((await call({ authorization: 'Bearer wrong' })).status, 401);
        assert.equal((await call({}, `?token=${fakeToken}`)).status, 401);
        assert.equal((await call({ ...cookie, origin: 'https://app.example' })).status, 401, 'an allowed page has no cookie of ours');
        assert.equal((await call({ ...bearer, origin: 'https://app.example' })).status, 200);
      },
      { policy: { allowedOrigins: ['https://app.example'] } },
    );
  });

  test('may do what the level allows', async () => {
    await withFakeSidecar(async ({ url }) => {
      const reader = { authorization: `Bearer ${readToken}` };
      assert.equal((await post(url, 'echo.unary', {}, reader)).status, 200);
      assert.deepEqual(await reason(post(url, 'echo.write', { path: 'a' }, reader)), [403, 'ACCESS_DENIED']);
    });
  });

  test('under a rebound name or from a page of another site is refused before all else', async () => {
    await withFakeSidecar(async ({ port, seen }) => {
      const attempt = async (headers: string): Promise<string> => {
        const raw = await rawSocket(
          port,
          `POST /api/echo.unary HTTP/1.1\r\nConnection: close\r\nAuthorization: Bearer ${fakeToken}\r\nContent-Length: 0\r\n${headers}\r\n\r\n`,
        );
        await raw.closed;
        return raw.received;
      };
      assert.match(await attempt('Host: evil.example'), /^HTTP\/1\.1 403 [\s\S]*BAD_HOST/);
      assert.match(await attempt('Host: localhost\r\nhost: evil.example'), /^HTTP\/1\.1 403 [\s\S]*BAD_HOST/);
      assert.match(await attempt('Host: localhost\r\nOrigin: https://evil.example'), /^HTTP\/1\.1 403 [\s\S]*BAD_ORIGIN/);
      assert.match(await attempt('Host: localhost\r\nSec-Fetch-Site: cross-site'), /^HTTP\/1\.1 403 [\s\S]*BAD_ORIGIN/);
      assert.equal(seen.log.length, 0);
      assert.match(await attempt('Host: localhost'), /^HTTP\/1\.1 200 /);
    });
  });

  test('from an allowed origin gets the headers that its browser wants', async () => {
    await withFakeSidecar(
      async ({ url }) => {
        const origin = 'https://app.example';
        const preflight = await fetch(`${url}/api/echo.unary`, {
          method: 'OPTIONS',
          headers: { origin, 'access-control-request-method': 'POST', 'access-control-request-headers': 'authorization,content-type' },
        });
        assert.equal(preflight.status, 204);
        assert.equal(preflight.headers.get('access-control-allow-origin'), origin);
        assert.equal(preflight.headers.get('access-control-allow-headers'), 'authorization,content-type');
        assert.equal(preflight.headers.get('access-control-allow-credentials'), null);
        const answer = await post(url, 'echo.unary', {}, { origin });
        assert.deepEqual([answer.headers.get('access-control-allow-origin'), answer.headers.get('vary')], [origin, 'Origin']);
      },
      { policy: { allowedOrigins: ['https://app.example'] } },
    );
  });

  test('gets security headers on every answer', async () => {
    await withFakeSidecar(async ({ url }) => {
      for (const path of ['/api/echo.unary', '/nowhere']) {
        const { headers } = await get(url, path);
        assert.equal(headers.get('x-content-type-options'), 'nosniff');
        assert.equal(headers.get('referrer-policy'), 'no-referrer');
        assert.equal(headers.get('cache-control'), 'no-store');
        assert.match(headers.get('content-security-policy') ?? '', /frame-ancestors/);
      }
    });
  });
});

describe('a stream', () => {
  test('comes as events with cursors, as lines, or gathered', async () => {
    await withFakeSidecar(async ({ url }) => {
      const events = await post(url, 'items.count', { to: 2 }, { accept: 'text/event-stream' });
      assert.equal(events.headers.get('content-type'), 'text/event-stream; charset=utf-8');
      assert.equal(
        await events.text(),
        'id: 1\nevent: item\ndata: {"n":1,"cursor":"1"}\n\nid: 2\nevent: item\ndata: {"n":2,"cursor":"2"}\n\nevent: end\ndata: {"total":2}\n\n',
      );
      const lines = await post(url, 'items.count', { to: 2 }, { accept: 'application/x-ndjson' });
      assert.equal(await lines.text(), '{"item":{"n":1,"cursor":"1"}}\n{"item":{"n":2,"cursor":"2"}}\n{"end":{"total":2}}\n');
      const gathered = await post(url, 'items.count', { to: 2 });
      assert.deepEqual(await gathered.json(), {
        total: 2,
        items: [
          { n: 1, cursor: '1' },
          { n: 2, cursor: '2' },
        ],
      });
    });
  });

  test('comes in the form that is accepted: names in any case, and none with a weight of 0', async () => {
    await withFakeSidecar(async ({ url }) => {
      for (const [accept, type] of [
        ['Text/Event-Stream', 'text/event-stream; charset=utf-8'],
        ['Application/X-NDJSON; Q=0.5', 'application/x-ndjson; charset=utf-8'],
        ['text/event-stream;q=0, application/json', 'application/json; charset=utf-8'],
        ['text/event-stream ; q=0.000, application/x-ndjson', 'application/x-ndjson; charset=utf-8'],
        ['application/x-ndjson;q=0', 'application/json; charset=utf-8'],
        ['application/json, text/event-stream', 'text/event-stream; charset=utf-8'],
        ['application/x-ndjson, text/event-stream;q=0.001', 'text/event-stream; charset=utf-8'],
      ] as const) {
        const answer = await post(url, 'items.count', { to: 2 }, { accept });
        assert.deepEqual([accept, answer.headers.get('content-type')], [accept, type]);
        await answer.text();
      }
    });
  });

  test('goes on from Last-Event-ID, which is newer than what the address says', async () => {
    await withFakeSidecar(async ({ url }) => {
      const answer = await get(url, '/api/items.count?to=3&cursor=0', { accept: 'text/event-stream', 'last-event-id': '2' });
      assert.match(await answer.text(), /^id: 3\nevent: item\n/);
    });
  });

  test('that fails at once has a status; later, an error of its own as the end', async () => {
    await withFakeSidecar(async ({ url }) => {
      for (const accept of ['text/event-stream', 'application/x-ndjson']) {
        assert.deepEqual(await reason(post(url, 'fail.known', {}, { accept })), [404, 'FILE_NOT_FOUND']);
        assert.deepEqual(await reason(post(url, 'items.count', { to: 'x' }, { accept })), [400, 'BAD_INPUT']);
      }
      const late = await post(url, 'fail.known', { after: 1 }, { accept: 'text/event-stream' });
      assert.equal(late.status, 200);
      assert.match(
        await late.text(),
        /^event: item\ndata: {"n":1}\n\nevent: error\ndata: {"code":"not_found","reason":"FILE_NOT_FOUND"[^\n]*\n\n$/,
      );
    });
  });

  test('without an end can not be gathered', async () => {
    await withFakeSidecar(async ({ url }) => {
      assert.deepEqual(await reason(post(url, 'items.endless', {})), [400, 'STREAM_ONLY']);
    });
  });

  test('has a head, of its type and without items; one without an end has none', async () => {
    await withFakeSidecar(async ({ url, seen }) => {
      for (const [accept, type] of [
        ['text/event-stream', 'text/event-stream; charset=utf-8'],
        ['application/x-ndjson', 'application/x-ndjson; charset=utf-8'],
        ['application/json', 'application/json; charset=utf-8'],
      ] as const) {
        const signal = AbortSignal.timeout(5000);
        const headers = { ...bearer, accept };
        const head = await fetch(`${url}/api/items.count?to=2`, { method: 'HEAD', headers, signal });
        assert.deepEqual([head.status, head.headers.get('content-type'), await head.text()], [200, type, '']);
        const bad = await fetch(`${url}/api/items.count?to=x`, { method: 'HEAD', headers, signal });
        assert.equal(bad.status, 400);
        const endless = await fetch(`${url}/api/items.endless`, { method: 'HEAD', headers, signal });
        assert.deepEqual([endless.status, endless.headers.get('allow')], [405, 'POST, GET']);
      }
      assert.equal(seen.running, 0);
    });
  });

  test('is neither held back nor changed by what stands between; bytes are not changed', async () => {
    await withFakeSidecar(async ({ url }) => {
      for (const accept of ['text/event-stream', 'application/x-ndjson']) {
        const { headers } = await post(url, 'items.count', { to: 1 }, { accept });
        assert.deepEqual([headers.get('cache-control'), headers.get('x-accel-buffering')], ['no-store, no-transform', 'no']);
      }
      assert.equal((await post(url, 'items.count', { to: 1 })).headers.get('cache-control'), 'no-store');
      for (const method of ['GET', 'HEAD']) {
        const { headers } = await fetch(`${url}/api/bytes/a`, { method, headers: bearer });
        assert.equal(headers.get('cache-control'), 'no-store, no-transform');
      }
    });
  });

  test('begins though nothing comes, and keeps alive as often as asked', async () => {
    await withFakeSidecar(async ({ url, seen }) => {
      for (const [accept, sign] of [
        ['text/event-stream', ': keepalive\n\n'],
        ['application/x-ndjson', '\n'],
      ] as const) {
        const controller = new AbortController();
        const answer = await post(url, 'items.endless', { quiet: true }, { accept, 'keepalive-interval': '1' }, controller.signal);
        assert.equal(answer.status, 200);
        const first = await answer.body?.getReader().read();
        assert.equal(new TextDecoder().decode(first?.value), sign);
        controller.abort();
      }
      await eventually(() => seen.running === 0);
    });
  });

  test('stops when the reader goes', async () => {
    await withFakeSidecar(async ({ url, seen }) => {
      const controller = new AbortController();
      const answer = await post(url, 'items.endless', {}, { accept: 'application/x-ndjson' }, controller.signal);
      await answer.body?.getReader().read();
      controller.abort();
      await eventually(() => seen.running === 0);
      assert.deepEqual(seen.aborted, [{ mark: 'endless', reason: 'CANCELED' }]);
      await eventually(() => seen.log.at(-1)?.outcome === 'CANCELED');
    });
  });

  test('waits for a reader that does not read', async () => {
    await withFakeSidecar(async ({ port, seen }) => {
      const raw = await rawSocket(
        port,
        `GET /api/items.endless?padding=10000 HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer ${fakeToken}\r\nAccept: application/x-ndjson\r\n\r\n`,
      );
      raw.socket.pause();
      let before = -1;
      // Still when two looks a while apart see the same.
      await eventually(async () => {
        before = seen.items;
        await new Promise((resolve) => setTimeout(resolve, 100));
        return seen.items > 0 && seen.items === before;
      }, 10_000);
      raw.socket.resume();
      await eventually(() => seen.items > before);
      raw.socket.destroy();
      await eventually(() => seen.running === 0);
    });
  });
});

describe('bytes out', () => {
  test('come raw, small or large, with what the hint says about them', async () => {
    await withFakeSidecar(async ({ url, seen }) => {
      for (const length of [0, 10, 40_000, 65_536, 65_537, 3_000_000]) {
        const answer = await get(url, `/api/bytes/a?length=${length}`);
        assert.equal(answer.headers.get('content-type'), 'application/x-counting');
        assert.equal(answer.headers.get('content-length'), String(length));
        assert.match(answer.headers.get('content-security-policy') ?? '', /sandbox/);
        assert.deepEqual(new Uint8Array(await answer.arrayBuffer()), countingBytes(length));
      }
      assert.equal(seen.running, 0);
    });
  });

  test('have their facts in a header where no hint names them', async () => {
    await withFakeSidecar(async ({ url }) => {
      const answer = await post(url, 'bytes.out', { path: 'häuser/ß', length: 3 });
      const output: unknown = JSON.parse(decodeURIComponent(answer.headers.get('outrigger-output') ?? ''));
      assert.deepEqual(output, { path: 'häuser/ß', length: 3, mimeType: 'application/x-counting', unchanged: false });
      assert.deepEqual(new Uint8Array(await answer.arrayBuffer()), countingBytes(3));
    });
  });

  test('of HEAD and of what is unchanged are not read', async () => {
    await withFakeSidecar(async ({ url, seen }) => {
      const head = await fetch(`${url}/api/bytes/a?length=5000000`, { method: 'HEAD', headers: bearer });
      assert.deepEqual([head.status, head.headers.get('content-length'), await head.text()], [200, '5000000', '']);
      const unchanged = await get(url, '/api/bytes/a?unchanged=true');
      assert.deepEqual([unchanged.status, await unchanged.text()], [304, '']);
      assert.equal(seen.bytesOut, 0);
      assert.deepEqual(
        seen.log.map(({ outcome }) => outcome),
        ['ok', 'ok'],
      );
    });
  });

  test('of GET alone are asked for by Range, which HEAD passes over', async () => {
    const asked: unknown[] = [];
    await withFakeSidecar(
      async ({ url }) => {
        const headers = { ...bearer, range: 'bytes=0-0', 'if-none-match': '"x"' };
        for (const method of ['GET', 'HEAD']) await (await fetch(`${url}/api/files/a`, { method, headers })).text();
      },
      {
        table: { 'files.download': operations['files.download'] },
        dispatch: () => (request) => {
          asked.push(request.input);
          throw new OutriggerError('FILE_NOT_FOUND', 'There is none.');
        },
      },
    );
    assert.deepEqual(asked, [
      { path: 'a', range: 'bytes=0-0', ifNoneMatch: '"x"' },
      { path: 'a', ifNoneMatch: '"x"' },
    ]);
  });

  test('that break off look like it', async () => {
    await withFakeSidecar(async ({ url, seen }) => {
      const answer = await get(url, '/api/bytes/a?length=1000000&breakAt=400000');
      await assert.rejects(answer.arrayBuffer());
      await eventually(() => seen.log.at(-1)?.outcome === 'INTERNAL');
      assert.deepEqual(await reason(get(url, '/api/bytes/a?length=20000&breakAt=0')), [500, 'INTERNAL']);
    });
  });

  test('are made at the pace of the reader, and no more when it goes', async () => {
    await withFakeSidecar(async ({ port, seen }) => {
      const raw = await rawSocket(
        port,
        `GET /api/bytes/a?length=1000000000 HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer ${fakeToken}\r\n\r\n`,
      );
      raw.socket.pause();
      await eventually(async () => {
        const before = seen.bytesOut;
        await new Promise((resolve) => setTimeout(resolve, 100));
        return before > 0 && seen.bytesOut === before;
      }, 10_000);
      assert.ok(seen.bytesOut < 50_000_000, `${seen.bytesOut} bytes made`);
      raw.socket.destroy();
      await eventually(() => seen.running === 0 && seen.log.length === 1);
      assert.equal(seen.log[0]?.outcome, 'CANCELED');
    });
  });

  test('have a path of any names, decoded once', async () => {
    await withFakeSidecar(async ({ url, port }) => {
      const path = async (encoded: string): Promise<unknown> => {
        const answer = await fetch(`${url}/api/bytes/${encoded}`, { method: 'PUT', headers: bearer, body: 'x' });
        return ((await answer.json()) as { path: string }).path;
      };
      assert.equal(await path('a/b.txt'), 'a/b.txt');
      assert.equal(await path('a%2Fb%20c'), 'a/b c');
      assert.equal(await path('100%25%20sure'), '100% sure');
      assert.equal(await path('a%252Fb'), 'a%2Fb');
      assert.equal(await path('what%3F%23'), 'what?#');
      assert.equal(await path(`${'n'.repeat(200)}/${'m'.repeat(200)}`), `${'n'.repeat(200)}/${'m'.repeat(200)}`);
      assert.equal(await path(encodeURIComponent('größe/日本')), 'größe/日本');
      for (const bad of ['a%ZZ', 'a%C3%28']) {
        const raw = await rawSocket(
          port,
          `PUT /api/bytes/${bad} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nAuthorization: Bearer ${fakeToken}\r\nContent-Length: 0\r\n\r\n`,
        );
        await raw.closed;
        assert.match(raw.received, /^HTTP\/1\.1 400 [\s\S]*BAD_PATH/, bad);
      }
    });
  });
});

describe('bytes in', () => {
  const bytes = countingBytes(5_000_000);

  test('arrive whole, with the headers that the hint names', async () => {
    await withFakeSidecar(async ({ url }) => {
      for (const [method, path] of [
        ['PUT', '/api/bytes/big.bin'],
        ['POST', '/api/bytes.in?path=big.bin'],
      ] as const) {
        const answer = await fetch(`${url}${path}`, { method, headers: { ...bearer, 'if-match': '"v1"' }, body: bytes.slice() });
        assert.equal(answer.status, 201);
        assert.equal(answer.headers.get('etag'), sha256(bytes));
        assert.deepEqual(await answer.json(), { path: 'big.bin', tag: '"v1"', length: bytes.length, hash: sha256(bytes), created: true });
      }
      const empty = await fetch(`${url}/api/bytes/empty`, { method: 'PUT', headers: bearer });
      assert.equal(((await empty.json()) as { length: number }).length, 0);
    });
  });

  test('that are a part of the whole, or encoded, are refused: they would be taken for the whole', async () => {
    await withFakeSidecar(async ({ url, seen }) => {
      for (const [header, value, said] of [
        ['content-range', 'bytes 8-9/10', 'a part of the whole'],
        ['content-encoding', 'gzip', 'gzip'],
        ['content-encoding', 'identity, br', 'identity, br'],
      ] as const) {
        for (const [method, path] of [
          ['PUT', '/api/bytes/a'],
          ['POST', '/api/bytes.in?path=a'],
          ['POST', '/api/echo.unary'],
        ] as const) {
          const answer = await fetch(`${url}${path}`, { method, headers: { ...json, [header]: value }, body: '{}' });
          const error = (await answer.json()) as WireError;
          assert.deepEqual([answer.status, error.reason], [400, 'BAD_INPUT']);
          assert.ok(error.message.includes(said), error.message);
        }
      }
      assert.deepEqual(seen.log, []);
      const plain = await fetch(`${url}/api/bytes/a`, {
        method: 'PUT',
        headers: { ...bearer, 'content-encoding': 'Identity' },
        body: 'xy',
      });
      assert.equal(((await plain.json()) as { length: number }).length, 2);
    });
  });

  test('whose coding is a long run of what counts as spaces are refused at once, whoever sends them', async () => {
    await withFakeSidecar(async ({ port }) => {
      const raw = await rawSocket(port);
      const head = `PUT /api/bytes/a HTTP/1.1\r\nHost: localhost\r\nContent-Encoding: ${'\u00a0'.repeat(50_000)}x\r\nConnection: close\r\n`;
      const longest = await longestTurn(async () => {
        raw.socket.write(Buffer.from(`${head}Content-Length: 2\r\n\r\nxy`, 'latin1'));
        await raw.closed;
      });
      assert.match(raw.received, /^HTTP\/1\.1 400 .*"BAD_INPUT"/s);
      assert.ok(longest < 500, `${longest} ms`);
    });
  });

  test('that are compressed for the way alone are refused: we would keep them so', async () => {
    await withFakeSidecar(async ({ port, seen }) => {
      const sent = async (coding: string): Promise<string> => {
        const head = `PUT /api/bytes/a HTTP/1.1\r\nHost: localhost\r\nAuthorization: ${bearer.authorization}\r\nTransfer-Encoding: ${coding}\r\n`;
        const raw = await rawSocket(port, `${head}Connection: close\r\n\r\n2\r\nxy\r\n0\r\n\r\n`);
        await raw.closed;
        return raw.received;
      };
      for (const coding of ['gzip, chunked', 'chunked, chunked'])
        assert.match(await sent(coding), /^HTTP\/1\.1 400 .*"BAD_INPUT"/s, coding);
      assert.deepEqual(seen.log, []);
      assert.match(await sent('Chunked'), /^HTTP\/1\.1 201 .*"length":2/s);
    });
  });

  test('may be JSON or anything else: nobody looks into them', async () => {
    await withFakeSidecar(async ({ url }) => {
      const answer = await fetch(`${url}/api/bytes/x.json`, { method: 'PUT', headers: json, body: '{"broken":' });
      assert.equal(((await answer.json()) as { length: number }).length, 10);
    });
  });

  test('beyond the limit are refused, and the refusal arrives though the bytes keep coming', async () => {
    await withFakeSidecar(
      async ({ url, seen }) => {
        for (const length of [2000, 20_000_000]) {
          const answer = fetch(`${url}/api/bytes/a`, { method: 'PUT', headers: bearer, body: new Uint8Array(length) });
          assert.deepEqual(await reason(answer), [413, 'INPUT_TOO_LARGE']);
        }
        assert.ok(seen.bytesIn <= 2000);
      },
      { maxUploadBytes: 1000 },
    );
  });

  test('that nobody wants do not keep the answer', async () => {
    await withFakeSidecar(async ({ url }) => {
      const answer = await fetch(`${url}/api/bytes/a?refuse=true`, { method: 'PUT', headers: bearer, body: new Uint8Array(20_000_000) });
      assert.deepEqual(await reason(answer), [412, 'ETAG_MISMATCH']);
    });
  });

  test('from a caller that goes away midway fail in the handler', async () => {
    await withFakeSidecar(async ({ port, seen }) => {
      const request = httpRequest({
        port,
        host: '127.0.0.1',
        path: '/api/bytes/a',
        method: 'PUT',
        headers: { ...bearer, 'content-length': 1_000_000 },
      });
      request.on('error', () => undefined);
      request.write(new Uint8Array(1000));
      await eventually(() => seen.bytesIn === 1000);
      request.destroy();
      await eventually(() => seen.log.length === 1);
      assert.equal(seen.log[0]?.outcome, 'CANCELED');
      assert.deepEqual(
        seen.aborted.map(({ mark }) => mark),
        ['bytes.in'],
      );
    });
  });
});

describe('the document', () => {
  const references = (value: unknown): string[] => {
    if (Array.isArray(value)) return value.flatMap(references);
    if (typeof value !== 'object' || value === null) return [];
    return Object.entries(value).flatMap(([key, inner]) => (key === '$ref' ? [String(inner)] : references(inner)));
  };

  for (const [name, table] of Object.entries({ fake: fakeTable, 'the real one': operations })) {
    test(`of ${name} names every operation, its errors, and only what it holds`, () => {
      const document = openApi(table, { title: 'Test', version: '1', prefix: '/api' }) as {
        paths: Record<string, Record<string, { operationId: string; responses: Record<string, { description: string }> }>>;
        components: { schemas: Record<string, unknown> };
      };
      const ids = Object.values(document.paths).flatMap((methods) => Object.values(methods).map(({ operationId }) => operationId));
      assert.equal(new Set(ids).size, ids.length, 'ids are unique');
      for (const [operation, { errors }] of Object.entries(table)) {
        const described = document.paths[`/api/${operation}`]?.['post'];
        assert.ok(described, operation);
        const reasons = Object.values(described.responses).flatMap(({ description }) => description.split(', '));
        for (const error of errors) assert.ok(reasons.includes(error), `${operation}: ${error}`);
      }
      for (const reference of references(document)) {
        const [, schema] = /^#\/components\/schemas\/(.+)$/.exec(reference) ?? [];
        assert.ok(schema !== undefined && schema in document.components.schemas, reference);
      }
    });
  }

  test('is there for callers with a token', async () => {
    await withFakeSidecar(async ({ url }) => {
      assert.equal((await fetch(`${url}/openapi.json`)).status, 401);
      assert.equal(((await (await get(url, '/openapi.json')).json()) as { openapi: string }).openapi, '3.1.0');
    });
  });
});

test('a route that can not be read is found when it is registered', () => {
  assert.throws(() => operationRoute('/api', { route: 'files/{path}' }), /METHOD \/path/);
  const route = operationRoute('/api', { route: 'GET /x/{name}/y/{path}' });
  assert.equal(route.pattern, '/api/x/:name/y/*');
  assert.deepEqual(route.fields('/api/x/a%2Fb/y/c/d?z=1'), { name: 'a/b', path: 'c/d' });
});
