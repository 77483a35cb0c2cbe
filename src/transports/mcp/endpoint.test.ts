import assert from 'node:assert/strict';
import { PassThrough } from 'node:stream';
import { describe, test } from 'node:test';
import type { ClientOptions } from '@modelcontextprotocol/client';
import { WebSocket } from 'ws';
import { eventually } from '../../../test/kit/eventually.ts';
import { createFakes, fakeTable } from '../../../test/kit/fake-operations.ts';
import { type McpFixture, type McpFixtureOptions, mcpToken, withMcp, withMcpStdio } from '../../../test/kit/mcp-fixtures.ts';
import { rawSocket, upgradeText } from '../../../test/kit/raw-socket.ts';
import type { Caller } from '../../contract/access.ts';
import type { Dispatch } from '../../contract/dispatch.ts';
import { OutriggerError, type WireError } from '../../contract/errors.ts';
import { operations } from '../../contract/operations.ts';
import { serveMcpStdio } from './stdio.ts';

const modern: ClientOptions = { versionNegotiation: { mode: { pin: '2026-07-28' } } };
const other: Caller = { id: 'other', name: 'Other', kind: 'agent', access: 'admin' };
const initialize = {
  jsonrpc: '2.0',
  id: 1,
  method: 'initialize',
  params: { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'raw', version: '1' } },
};

type Fixture = McpFixture & ReturnType<typeof createFakes>;

async function withFakes(run: (fixture: Fixture) => Promise<void>, options: McpFixtureOptions = {}): Promise<void> {
  const fakes = createFakes();
  await withMcp(
    { dispatch: fakes.dispatch, table: fakeTable },
    async (fixture) => {
      await run({ ...fakes, ...fixture });
      assert.deepEqual(fixture.errors, []);
    },
    { callers: { other }, ...options },
  );
}

interface Asked {
  token?: string | undefined;
  session?: string | undefined;
  method?: string;
  headers?: Record<string, string>;
  signal?: AbortSignal;
}

function ask(
  url: string,
  body: unknown,
  { token = mcpToken, session, method = 'POST', headers = {}, signal }: Asked = {},
): Promise<Response> {
  return fetch(url, {
    method,
    headers: {
      ...(token === '' ? {} : { authorization: `Bearer ${token}` }),
      ...(session === undefined ? {} : { 'mcp-session-id': session }),
      accept: 'application/json, text/event-stream',
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      ...headers,
    },
    ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
    ...(signal === undefined ? {} : { signal }),
  });
}

async function openSession(url: string, token = mcpToken): Promise<string> {
  const answer = await ask(url, initialize, { token });
  await answer.text();
  assert.equal(answer.status, 200);
  return answer.headers.get('mcp-session-id') ?? assert.fail('no session id came');
}

const toolCall = (name: string, input: unknown = {}, id = 7): unknown => ({
  jsonrpc: '2.0',
  id,
  method: 'tools/call',
  params: { name, arguments: input },
});

async function status(answer: Promise<Response>): Promise<number> {
  const { status: code, body } = await answer;
  await body?.cancel();
  return code;
}

for (const [name, options] of [
  ['with a session', {}],
  ['of revision 2026-07-28', modern],
] as const) {
  describe(`a client ${name}`, () => {
    test('that cancels a call aborts it', async () => {
      await withFakes(async ({ connect, seen }) => {
        const client = await connect(mcpToken, options);
        const controller = new AbortController();
        const call = client.callTool({ name: 'slow_wait', arguments: { mark: 'canceled' } }, { signal: controller.signal });
        call.catch(() => undefined);
        await eventually(() => seen.running === 1);
        controller.abort();
        await assert.rejects(call);
        await eventually(() => assert.deepEqual(seen.aborted, [{ mark: 'canceled', reason: 'CANCELED' }]));
        assert.equal(seen.running, 0);
        // The connection is as good as before.
        assert.equal((await client.callTool({ name: 'echo_unary', arguments: { text: 'x' } })).isError, undefined);
      });
    });

    test('that goes away aborts its calls', async () => {
      await withFakes(async ({ connect, seen, url, mcp }) => {
        const client = await connect(mcpToken, options);
        const call = client.callTool({ name: 'slow_wait', arguments: { mark: 'gone' } });
        call.catch(() => undefined);
        await eventually(() => seen.running === 1);
        await client.close();
        await eventually(() => assert.deepEqual(seen.aborted, [{ mark: 'gone', reason: 'CANCELED' }]));
        if (options !== modern) assert.equal(await status(ask(url, undefined, { method: 'GET' })), 400);
        await mcp.close();
        assert.equal(mcp.sessions, 0);
      });
    });

    test('whose token ends is told so by the answers to its calls', async () => {
      const ended = new AbortController();
      const brief: Caller = { ...other, id: 'brief', ended: ended.signal };
      await withFakes(
        async ({ connect, seen, mcp }) => {
          const client = await connect('brief', options);
          const call = client.callTool({ name: 'slow_wait', arguments: { mark: 'ended' } });
          await eventually(() => seen.running === 1);
          ended.abort(new OutriggerError('BAD_TOKEN', 'The token was taken back.'));
          const { isError, structuredContent } = await call;
          assert.equal(isError, true);
          assert.equal((structuredContent as unknown as WireError).reason, 'BAD_TOKEN');
          await assert.rejects(client.callTool({ name: 'echo_unary', arguments: { text: 'x' } }));
          await eventually(() => assert.equal(mcp.sessions, 0));
        },
        { callers: { brief } },
      );
    });

    test('is told how many items came, when it asked, and gets them bounded', async () => {
      await withFakes(
        async ({ connect }) => {
          const client = await connect(mcpToken, options);
          const told: number[] = [];
          const answer = await client.callTool(
            { name: 'items_count', arguments: { to: 2000, padding: 100 } },
            { onprogress: ({ progress }) => void told.push(progress) },
          );
          const { items, total } = answer.structuredContent as { items: { n: number }[]; total: number };
          assert.deepEqual([items[0]?.n, items.at(-1)?.n, total], [1, 2000, 2000]);
          assert.ok(items.length < 100);
          const [first, second] = answer.content.map((part) => (part.type === 'text' ? part.text : ''));
          assert.ok(Buffer.byteLength(first ?? '') <= 8000);
          assert.match(second ?? '', new RegExp(`: ${2000 - items.length} items from the middle of "items"`));
          assert.ok(told.length > 0 && told.every((count, at) => count > (told[at - 1] ?? 0)));
        },
        { server: { maxResultBytes: 8000 } },
      );
    });

    test('gets an answer about what failed inside with nothing of our inside in it', async () => {
      await withFakes(async ({ connect, seen }) => {
        const client = await connect(mcpToken, options);
        const answer = await client.callTool({ name: 'fail_unknown' });
        assert.equal(answer.isError, true);
        assert.equal((answer.structuredContent as unknown as WireError).reason, 'INTERNAL');
        assert.ok(!JSON.stringify(answer).includes('secret'));
        assert.ok(seen.log.some(({ error, transport }) => error instanceof TypeError && transport === 'mcp'));
      });
    });
  });
}

describe('who asks', () => {
  // CVE-2025-49596, CVE-2026-22812: tools that ran programs were there for any page and any neighbour, without a token.
  test('without a token, or with a wrong one, gets nothing, whatever it asks', async () => {
    await withFakes(async ({ url, seen }) => {
      const session = await openSession(url);
      for (const token of ['', 'wrong']) {
        for (const [body, method] of [
          [initialize, 'POST'],
          [toolCall('echo_unary'), 'POST'],
          ['{', 'POST'],
          [undefined, 'GET'],
          [undefined, 'DELETE'],
        ] as const) {
          for (const used of [undefined, session]) {
            const answer = await ask(url, body, { token, method, session: used });
            const { reason } = (await answer.json()) as WireError;
            assert.deepEqual(
              [answer.status, reason, answer.headers.get('www-authenticate')],
              [401, token === '' ? 'NO_TOKEN' : 'BAD_TOKEN', 'Bearer'],
            );
          }
        }
      }
      assert.equal(await status(ask(`${url}?token=${mcpToken}`, initialize, { token: '' })), 401);
      assert.deepEqual(seen.log, []);
    });
  });

  // CVE-2025-66414: a page whose name was made to point at this machine could use the server.
  test('under a rebound name, or from a page of another site, is refused even with the token', async () => {
    await withFakes(async ({ port, seen, mcp }) => {
      const body = JSON.stringify(initialize);
      const attempt = async (headers: string): Promise<string> => {
        const raw = await rawSocket(
          port,
          `POST /mcp HTTP/1.1\r\nConnection: close\r\nAuthorization: Bearer ${mcpToken}\r\nAccept: application/json, text/event-stream\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n${headers}\r\n\r\n${body}`,
        );
        await raw.closed;
        return raw.received;
      };
      assert.match(await attempt('Host: evil.example'), /^HTTP\/1\.1 403 [\s\S]*BAD_HOST/);
      assert.match(await attempt(`Host: evil.example:${port}\r\nOrigin: http://evil.example:${port}`), /^HTTP\/1\.1 403 [\s\S]*BAD_HOST/);
      assert.match(await attempt('Host: localhost\r\nOrigin: https://evil.example'), /^HTTP\/1\.1 403 [\s\S]*BAD_ORIGIN/);
      assert.match(await attempt('Host: localhost\r\nOrigin: null'), /^HTTP\/1\.1 403 [\s\S]*BAD_ORIGIN/);
      assert.match(await attempt('Host: localhost\r\nSec-Fetch-Site: cross-site'), /^HTTP\/1\.1 403 [\s\S]*BAD_ORIGIN/);
      assert.deepEqual([mcp.sessions, seen.log], [0, []]);
      assert.match(await attempt('Host: localhost'), /^HTTP\/1\.1 200 /);
    });
  });

  test('from a page of another site gets no leave from a preflight; an allowed one can read the session id', async () => {
    await withFakes(
      async ({ url }) => {
        const preflight = (origin: string): Promise<Response> =>
          fetch(url, { method: 'OPTIONS', headers: { origin, 'access-control-request-method': 'POST' } });
        const refused = await preflight('https://evil.example');
        assert.deepEqual([refused.status, refused.headers.get('access-control-allow-origin')], [403, null]);
        await refused.text();
        assert.equal((await preflight('https://app.example')).status, 204);
        const answer = await ask(url, initialize, { headers: { origin: 'https://app.example' } });
        await answer.text();
        assert.match(answer.headers.get('access-control-expose-headers') ?? '', /mcp-session-id/);
        assert.equal(await status(ask(url, initialize, { token: '', headers: { origin: 'https://app.example' } })), 401);
      },
      { policy: { allowedOrigins: ['https://app.example'] } },
    );
  });

  // CVE-2023-0957: a WebSocket that was opened without a look at Origin.
  test('for a WebSocket gets none here', async () => {
    await withFakes(async ({ port, url }) => {
      for (const origin of ['https://evil.example', undefined]) {
        const raw = await rawSocket(
          port,
          upgradeText('/mcp', { Origin: origin, Authorization: `Bearer ${mcpToken}`, Connection: 'close, Upgrade' }),
        );
        await raw.closed;
        assert.match(raw.received, origin === undefined ? /^HTTP\/1\.1 4\d\d / : /^HTTP\/1\.1 403 [\s\S]*BAD_ORIGIN/);
      }
      const socket = new WebSocket(url.replace('http', 'ws'), { headers: { authorization: `Bearer ${mcpToken}` } });
      await assert.rejects(
        new Promise((resolve, reject) => socket.once('open', resolve).once('error', reject)),
        /Unexpected server response: 4/,
      );
    });
  });
});

describe('a session', () => {
  test('takes null for params, and for one of them, as if it were not there', async () => {
    await withFakes(async ({ url }) => {
      const session = await openSession(url);
      const message = { jsonrpc: '2.0', id: 5 };
      assert.equal(await status(ask(url, { jsonrpc: '2.0', method: 'notifications/initialized', params: null }, { session })), 202);
      for (const [asked, answered] of [
        [{ ...message, method: 'ping', params: null }, /"result":\{\}/],
        [[{ ...message, method: 'ping', params: null }], /"result":\{\}/],
        [{ ...message, method: 'tools/list', params: { cursor: null, _meta: null } }, /"result":\{"tools":/],
        [toolCall('fail_unknown', null), /"reason":"INTERNAL".*"isError":true/],
        // What a tool is given is for the tool to judge.
        [toolCall('echo_unary', { text: null }), /"reason":"BAD_INPUT".*"isError":true/],
      ] as const)
        assert.match(await (await ask(url, asked, { session })).text(), answered);
    });
  });

  test('belongs to the token that opened it; to others it is not there', async () => {
    await withFakes(async ({ url, mcp, seen }) => {
      const session = await openSession(url);
      for (const [body, method] of [
        [toolCall('echo_unary'), 'POST'],
        [undefined, 'GET'],
        [undefined, 'DELETE'],
      ] as const) {
        const answer = await ask(url, body, { token: 'other', session, method });
        assert.equal(answer.status, 404);
        const unknown = await ask(url, body, { session: 'no-such-session', method });
        assert.deepEqual(await answer.json(), await unknown.json());
      }
      assert.deepEqual([mcp.sessions, seen.log], [1, []]);
      assert.equal(await status(ask(url, toolCall('echo_unary'), { session })), 200);
      assert.equal(await status(ask(url, undefined, { session, method: 'DELETE' })), 200);
      assert.equal(mcp.sessions, 0);
      assert.equal(await status(ask(url, toolCall('echo_unary'), { session })), 404);
    });
  });

  test('ended by its client aborts the calls in it', async () => {
    await withFakes(async ({ url, seen }) => {
      const session = await openSession(url);
      const call = ask(url, toolCall('slow_wait', { mark: 'ended' }), { session });
      await eventually(() => seen.running === 1);
      assert.equal(await status(ask(url, undefined, { session, method: 'DELETE' })), 200);
      await eventually(() => seen.running === 0);
      assert.equal(seen.aborted[0]?.reason, 'CANCELED');
      await (await call).text();
    });
  });

  test('a call that is canceled has its stream ended, though it gets no answer', async () => {
    await withFakes(async ({ url, seen }) => {
      const session = await openSession(url);
      const call = await ask(url, toolCall('slow_wait', {}, 9), { session });
      await eventually(() => seen.running === 1);
      const cancel = { jsonrpc: '2.0', method: 'notifications/cancelled', params: { requestId: 9 } };
      assert.equal(await status(ask(url, cancel, { session })), 202);
      assert.equal(await call.text(), '');
      assert.equal(seen.running, 0);
    });
  });

  test('of a batch, a call that is canceled takes no answer from the others; the stream ends with the last of them', async () => {
    const { dispatch, seen } = createFakes();
    let answerLater = (): void => undefined;
    const held: Dispatch = async (request) => {
      if ((request.input as { text?: string }).text === 'later') await new Promise<void>((resolve) => (answerLater = resolve));
      return dispatch(request);
    };
    await withMcp({ dispatch: held, table: fakeTable }, async ({ url }) => {
      const session = await openSession(url);
      const cancel = async (id: number): Promise<void> => {
        const running = seen.running;
        const message = { jsonrpc: '2.0', method: 'notifications/cancelled', params: { requestId: id } };
        assert.equal(await status(ask(url, message, { session })), 202);
        await eventually(() => assert.equal(seen.running, running - 1));
      };
      for (const last of ['canceled', 'answered'] as const) {
        const calls = [
          toolCall('slow_wait', {}, 1),
          toolCall('echo_unary', { text: 'at once' }, 2),
          toolCall('echo_unary', { text: 'later' }, 3),
          toolCall('slow_wait', {}, 4),
        ];
        const batch = await ask(url, calls, { session });
        const answer = batch.text();
        await eventually(() => assert.equal(seen.running, 2));
        await cancel(1);
        if (last === 'answered') await cancel(4);
        answerLater();
        if (last === 'canceled') {
          await eventually(() => assert.equal(seen.log.filter(({ operation }) => operation === 'echo.unary').length, 2));
          await cancel(4);
        }
        const ids = [...(await answer).matchAll(/"id":(\d+)/g)].map(([, id]) => Number(id));
        assert.deepEqual(ids, [2, 3], last);
      }
    });
  });

  test('a call that is canceled within a batch, that of the call too, has its stream ended', async () => {
    await withFakes(async ({ url, seen }) => {
      const session = await openSession(url);
      const cancel = { jsonrpc: '2.0', method: 'notifications/cancelled', params: { requestId: 9 } };
      const call = await ask(url, toolCall('slow_wait', {}, 9), { session });
      await eventually(() => seen.running === 1);
      assert.equal(await status(ask(url, [cancel], { session })), 202);
      assert.equal(await call.text(), '');
      const both = await ask(url, [toolCall('slow_wait', {}, 9), cancel, toolCall('echo_unary', { text: 'x' }, 10)], { session });
      assert.match(await both.text(), /"id":10/);
      assert.equal(seen.running, 0);
    });
  });

  test('whose reader breaks off a call aborts that call and no other', async () => {
    await withFakes(async ({ url, seen }) => {
      const session = await openSession(url);
      const [one, two] = [new AbortController(), new AbortController()];
      const calls = [
        ask(url, toolCall('slow_wait', { mark: 'one' }, 1), { session, signal: one.signal }),
        ask(url, toolCall('slow_wait', { mark: 'two' }, 2), { session, signal: two.signal }),
      ];
      for (const call of calls) await call;
      await eventually(() => seen.running === 2);
      one.abort();
      await eventually(() => seen.running === 1);
      assert.deepEqual(
        seen.aborted.map(({ mark }) => mark),
        ['one'],
      );
      two.abort();
      await eventually(() => seen.running === 0);
    });
  });

  test('beyond the most of a caller, or of all, takes the place of its own idle one; where none is idle, it is refused', async () => {
    await withFakes(
      async ({ url, mcp, seen }) => {
        const [first, second] = [await openSession(url), await openSession(url)];
        assert.equal(await status(ask(url, toolCall('echo_unary'), { session: first })), 200);
        const third = await openSession(url);
        assert.equal(await status(ask(url, toolCall('echo_unary'), { session: second })), 404);
        assert.equal(await status(ask(url, toolCall('echo_unary'), { session: first })), 200);
        const controller = new AbortController();
        await Promise.all([first, third].map((session) => ask(url, toolCall('slow_wait'), { session, signal: controller.signal })));
        await eventually(() => seen.running === 2);
        const refused = await ask(url, initialize);
        assert.deepEqual([refused.status, ((await refused.json()) as WireError).reason], [429, 'TOO_MANY']);
        await openSession(url, 'other');
        assert.equal(await status(ask(url, initialize, { token: 'other' })), 200);
        assert.equal(mcp.sessions, 3);
        const crowded = await ask(url, initialize, { token: 'third' });
        assert.deepEqual([crowded.status, ((await crowded.json()) as WireError).reason], [429, 'TOO_MANY']);
        controller.abort();
      },
      { sessions: { maxSessionsPerCaller: 2, maxSessions: 3 }, callers: { other, third: { ...other, id: 'third', name: 'Third' } } },
    );
  });

  test('that is idle for too long ends; one with a call or an open stream does not', async () => {
    let now = 0;
    let sweep = (): void => undefined;
    const clock = {
      now: () => now,
      every: (run: () => void) => {
        sweep = run;
        return () => undefined;
      },
    };
    await withFakes(
      async ({ url, mcp, seen }) => {
        const [idle, calling, listening] = [await openSession(url), await openSession(url), await openSession(url)];
        const controller = new AbortController();
        await ask(url, toolCall('slow_wait'), { session: calling, signal: controller.signal });
        await ask(url, undefined, { session: listening, method: 'GET', signal: controller.signal });
        await eventually(() => seen.running === 1);
        now = 999;
        sweep();
        assert.equal(mcp.sessions, 3);
        now = 1000;
        sweep();
        assert.equal(mcp.sessions, 2);
        assert.equal(await status(ask(url, toolCall('echo_unary'), { session: idle })), 404);
        controller.abort();
        await eventually(() => seen.running === 0);
        // Both are idle from here on.
        await eventually(() => {
          now += 1000;
          sweep();
          return mcp.sessions === 0;
        });
      },
      { sessions: { idleMs: 1000 }, clock },
    );
  });

  test('is ended with all that is under way when the endpoint closes', async () => {
    await withFakes(async ({ url, mcp, seen, connect }) => {
      const session = await openSession(url);
      const feed = await ask(url, undefined, { session, method: 'GET' });
      const call = await ask(url, toolCall('slow_wait', { mark: 'closed' }), { session });
      const alone = (await connect(mcpToken, modern)).callTool({ name: 'slow_wait', arguments: { mark: 'closed' } });
      alone.catch(() => undefined);
      await eventually(() => seen.running === 2);
      await mcp.close();
      await mcp.close();
      await eventually(() => seen.running === 0);
      assert.equal(mcp.sessions, 0);
      await feed.text();
      await call.text();
      await assert.rejects(alone);
      assert.equal(await status(ask(url, initialize)), 503);
      assert.equal(mcp.sessions, 0);
    });
  });
});

test('a client of revision 2026-07-28 that goes away while what it asked to follow is looked for ends the looking', async () => {
  const asked: AbortSignal[] = [];
  const dispatch: Dispatch = ({ name, signal }) => {
    assert.equal(name, 'files.stat');
    asked.push(signal);
    return new Promise((resolve, reject) => {
      signal.addEventListener('abort', () => reject(signal.reason));
      if (asked.length === 1) resolve({ output: {} });
    });
  };
  await withMcp({ dispatch, table: operations }, async ({ connect }) => {
    const client = await connect(mcpToken, modern);
    const uris = ['a', 'a', 'b', 'c'].map((path) => `workspace:///${path}`);
    client.listen({ resourceSubscriptions: uris }).catch(() => undefined);
    await eventually(() => assert.equal(asked.length, 2));
    await client.close();
    await eventually(() => assert.equal(asked[1]?.aborted, true));
    assert.equal(asked.length, 2);
  });
});

test('what is no MCP is answered as JSON-RPC has it', async () => {
  await withFakes(async ({ url }) => {
    const code = async (answer: Promise<Response>): Promise<[number, number]> => {
      const got = await answer;
      return [got.status, ((await got.json()) as { error: { code: number } }).error.code];
    };
    assert.deepEqual(await code(ask(url, '{"jsonrpc":')), [400, -32_700]);
    assert.deepEqual(await code(ask(url, initialize, { headers: { 'content-type': 'text/plain' } })), [415, -32_000]);
    assert.deepEqual(await code(ask(url, toolCall('echo_unary'))), [400, -32_000]);
    assert.deepEqual(await code(ask(url, initialize, { headers: { accept: 'application/json' } })), [406, -32_000]);
    const put = await ask(url, undefined, { method: 'PUT' });
    assert.deepEqual([put.status, put.headers.get('allow')], [405, 'GET, POST, DELETE']);
    await put.text();
  });
});

describe('stdio', () => {
  test('ends with its input; the calls on it are aborted', async () => {
    const { dispatch, seen } = createFakes();
    await withMcpStdio({ dispatch, table: fakeTable }, async ({ client, input, closed }) => {
      client.callTool({ name: 'slow_wait', arguments: { mark: 'end' } }).catch(() => undefined);
      await eventually(() => seen.running === 1);
      input.end();
      await closed;
      await eventually(() => assert.deepEqual(seen.aborted, [{ mark: 'end', reason: 'CANCELED' }]));
    });
  });

  test('a canceled call is aborted, and the connection goes on', async () => {
    const { dispatch, seen } = createFakes();
    await withMcpStdio({ dispatch, table: fakeTable }, async ({ client }) => {
      const controller = new AbortController();
      const call = client.callTool({ name: 'slow_wait', arguments: { mark: 'canceled' } }, { signal: controller.signal });
      call.catch(() => undefined);
      await eventually(() => seen.running === 1);
      controller.abort();
      await eventually(() => assert.deepEqual(seen.aborted, [{ mark: 'canceled', reason: 'CANCELED' }]));
      assert.equal((await client.callTool({ name: 'echo_unary' })).isError, undefined);
    });
  });

  test('ends with the token of its caller', async () => {
    const { dispatch } = createFakes();
    const end = new AbortController();
    const caller: Caller = { ...other, ended: end.signal };
    await withMcpStdio(
      { dispatch, table: fakeTable },
      async ({ closed }) => {
        end.abort();
        await closed;
      },
      { caller },
    );
  });

  test('only answers stand in its output, one a line, and junk in its input ends nothing', async () => {
    const { dispatch } = createFakes();
    await withMcpStdio({ dispatch, table: fakeTable }, async ({ client, input, output }) => {
      let heard = '';
      output.on('data', (chunk: Buffer) => void (heard += chunk.toString()));
      input.write('junk\n{"jsonrpc":"2.0"}\n\n[1,2]\n');
      assert.equal((await client.callTool({ name: 'big_output', arguments: { length: 100_000 } })).isError, undefined);
      for (const line of heard.trimEnd().split('\n')) assert.equal((JSON.parse(line) as { jsonrpc: string }).jsonrpc, '2.0');
    });
  });

  test('each message that can’t be read is answered, with its id where that can be read; null for params is as if it were not there', async () => {
    const { dispatch, seen } = createFakes();
    const [input, output] = [new PassThrough(), new PassThrough()];
    const connection = serveMcpStdio({ dispatch, table: fakeTable, caller: other, input, output }, { version: '1.0.0' });
    let text = '';
    output.on('data', (chunk: Buffer) => void (text += chunk.toString()));
    const say = async (line: string | Buffer, answers = 1): Promise<[unknown, number | undefined][]> => {
      text = '';
      input.write(Buffer.concat([Buffer.from(line), Buffer.from('\n')]));
      await eventually(() => assert.equal(text.split('\n').length, answers + 1, text));
      const lines = text.trimEnd().split('\n');
      return lines.map((one) => JSON.parse(one) as { id: unknown; error?: { code: number } }).map(({ id, error }) => [id, error?.code]);
    };
    assert.deepEqual(await say(JSON.stringify(initialize)), [[1, undefined]]);
    const ping = { jsonrpc: '2.0', id: 5, method: 'ping' };
    assert.deepEqual(await say(JSON.stringify({ ...ping, params: null })), [[5, undefined]]);
    assert.deepEqual(await say(JSON.stringify({ ...ping, method: 'tools/list', params: { cursor: null } })), [[5, undefined]]);
    assert.deepEqual(await say('{oops'), [[null, -32_700]]);
    assert.deepEqual(await say(JSON.stringify({ ...ping, params: 7 })), [[5, -32_600]]);
    assert.deepEqual(await say('{"jsonrpc":"2.0","id":{},"method":"ping"}'), [[null, -32_600]]);
    assert.deepEqual(await say('[]'), [[null, -32_600]]);
    const batch = [ping, { ...ping, id: 'six', params: 7 }, []];
    // What needs no answer from the server inside is answered first.
    assert.deepEqual(await say(JSON.stringify(batch), 3), [
      ['six', -32_600],
      [null, -32_600],
      [5, undefined],
    ]);
    const call = JSON.stringify(toolCall('echo_unary', { text: 'caf\u00e9' }, 9));
    assert.deepEqual(await say(Buffer.from(call, 'latin1')), [[9, -32_700]]);
    // A bad answer to a request of ours is none of the client's requests.
    input.write('{"jsonrpc":"2.0","id":1,"result":7}\n');
    assert.deepEqual(await say(JSON.stringify(ping)), [[5, undefined]]);
    assert.deepEqual(seen.log, []);
    await connection.close();
  });

  test('a message that is too long ends the connection', async () => {
    const { dispatch } = createFakes();
    const [input, output] = [new PassThrough(), new PassThrough()];
    const connection = serveMcpStdio(
      { dispatch, table: fakeTable, caller: other, input, output },
      { version: '1.0.0', maxMessageBytes: 1000 },
    );
    input.write(`${JSON.stringify(initialize)}\n`);
    await eventually(() => assert.match(String(output.read()), /"serverInfo"/));
    input.write('x'.repeat(1001));
    await connection.closed;
    await connection.close();
  });
});
