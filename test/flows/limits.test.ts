import assert from 'node:assert/strict';
import fs from 'node:fs';
import http from 'node:http';
import { test } from 'node:test';
import { WebSocket } from 'ws';
import { eventually } from '../kit/eventually.ts';
import { rawSocket } from '../kit/raw-socket.ts';
import { type RunningSidecar, withSidecar } from '../kit/sidecar.ts';

async function reasonOf(response: Response): Promise<[number, string | undefined]> {
  return [response.status, ((await response.json()) as { reason?: string }).reason];
}

function post({ url, token }: RunningSidecar, name: string, input: unknown): Promise<Response> {
  return fetch(`${url}/api/${name}`, {
    method: 'POST',
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    body: JSON.stringify(input),
  });
}

test('what is too long is refused by name: an input, an answer, an upload (long form)', () =>
  withSidecar(
    async (running) => {
      const { url, token, put, root } = running;
      const long = 'x'.repeat(3000);
      assert.deepEqual(await reasonOf(await post(running, 'files.write', { path: 'a', text: long })), [413, 'INPUT_TOO_LARGE']);
      put('long', long);
      assert.deepEqual(await reasonOf(await post(running, 'files.read', { path: 'long' })), [413, 'OUTPUT_TOO_LARGE']);
      for (let n = 0; n < 40; n++) put(`folder/${n}`);
      assert.deepEqual(await reasonOf(await post(running, 'files.list', { path: 'folder' })), [413, 'OUTPUT_TOO_LARGE']);
      const upload = await fetch(`${url}/api/files/up`, { method: 'PUT', headers: { authorization: `Bearer ${token}` }, body: long });
      assert.deepEqual(await reasonOf(upload), [413, 'INPUT_TOO_LARGE']);
      assert.deepEqual(fs.readdirSync(root).sort(), ['folder', 'long']);
    },
    { config: { 'limits.inputBytes': '2048', 'limits.outputBytes': '2048', 'limits.uploadBytes': '2048' } },
  ));

test('after an upload that was refused in its middle the same connection takes the next request', () =>
  withSidecar(
    async ({ url, token }) => {
      const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
      const ask = (
        method: string,
        at: string,
        body: Buffer | undefined,
        headers: Record<string, string | number>,
      ): Promise<number | undefined> =>
        new Promise((resolve, reject) => {
          const request = http.request(url + at, { method, agent, headers: { authorization: `Bearer ${token}`, ...headers } }, (answer) => {
            answer.resume().once('end', () => resolve(answer.statusCode));
          });
          request.once('error', reject).setTimeout(5000, () => request.destroy(new Error('no answer in 5 s')));
          request.end(body);
        });
      try {
        const body = Buffer.alloc(600_000);
        for (const headers of [{ 'content-length': body.length }, { 'transfer-encoding': 'chunked' }] as Record<string, string | number>[])
          for (const [method, at] of [
            ['PUT', '/api/files/up'],
            ['POST', '/api/files.upload?path=up'],
          ] as const)
            assert.deepEqual([await ask(method, at, body, headers), await ask('GET', '/version', undefined, {})], [413, 200]);
      } finally {
        agent.destroy();
      }
    },
    { config: { 'limits.uploadBytes': '2048' } },
  ));

test('a caller with too many calls in flight is told so, and is served again when one ends', () =>
  withSidecar(
    async (running) => {
      const { client } = running;
      const streams = Array.from({ length: 3 }, () => {
        const controller = new AbortController();
        const seen = { count: 0 };
        const over = (async () => {
          for await (const _item of client.stream('changes.watch', {}, { signal: controller.signal })) seen.count++;
        })().catch(() => {});
        return { controller, seen, over };
      });
      await eventually(() => streams.every(({ seen }) => seen.count > 0));
      assert.deepEqual(await reasonOf(await post(running, 'system.info', {})), [429, 'TOO_MANY']);
      streams[0]?.controller.abort();
      await eventually(async () => assert.equal((await post(running, 'system.info', {})).status, 200));
      for (const { controller, over } of streams) {
        controller.abort();
        await over;
      }
    },
    { config: { 'limits.callsPerCaller': '3' } },
  ));

test('sockets beyond the limit are refused before they open; a message that is too long closes its own', () =>
  withSidecar(
    async ({ url, token }) => {
      const address = `${url.replace('http', 'ws')}/rpc?token=${token}`;
      const open = (): Promise<WebSocket | number> => {
        const socket = new WebSocket(address);
        socket.on('error', () => {});
        return new Promise((resolve) => {
          socket.once('open', () => resolve(socket));
          socket.once('unexpected-response', (_request, response) => resolve(response.statusCode ?? 0));
        });
      };
      const sockets = [await open(), await open()];
      assert.equal(await open(), 429);
      const [first, second] = sockets as [WebSocket, WebSocket];
      first.send('x'.repeat(100_000));
      assert.ok([1002, 1009].includes(await new Promise((resolve) => first.once('close', resolve))));
      assert.equal(second.readyState, WebSocket.OPEN);
      await eventually(async () => {
        const third = await open();
        assert.ok(third instanceof WebSocket);
        third.terminate();
      });
      second.terminate();
    },
    { config: { 'limits.connections': '2', 'limits.frameBytes': '1024' } },
  ));

test('requests of one address beyond the most of a minute are refused, and told to come back', () =>
  withSidecar(
    async (running) => {
      for (let count = 0; count < 3; count++) assert.equal((await post(running, 'system.info', {})).status, 200);
      const refused = await post(running, 'system.info', {});
      assert.equal(refused.headers.get('retry-after'), '1');
      assert.deepEqual(await reasonOf(refused), [429, 'TOO_MANY']);
    },
    { config: { 'limits.requestsPerMinute': '3' } },
  ));

test('who is refused before his body is read counts as well, at every port', () =>
  withSidecar(
    async ({ sidecar }) => {
      const [main = '', e2b = '', runner = ''] = [sidecar.url, sidecar.e2bUrl, sidecar.runnerUrl];
      const doors = [
        { at: main, path: '/api/system.info', type: 'application/json' },
        { at: main, path: '/v1/upload', type: 'multipart/form-data; boundary=X' },
        { at: main, path: '/mcp', type: 'application/json' },
        { at: main, path: '/files/a/upload', type: 'multipart/form-data; boundary=X' },
        { at: e2b, path: '/process.Process/List', type: 'application/json' },
        { at: runner, path: '/execute', type: 'application/json' },
      ];
      const statuses = new Map<string, string[]>([main, e2b, runner].map((at) => [at, []]));
      for (const { at, path, type } of doors.flatMap((door) => [door, door])) {
        const head = `POST ${path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\nAuthorization: Bearer none-of-the-tokens-here\r\n`;
        const asked = await rawSocket(
          Number(new URL(at).port),
          `${head}Content-Type: ${type}\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
        );
        await asked.closed;
        statuses.get(at)?.push(/^HTTP\/1\.1 (\d+)/.exec(asked.received)?.[1] ?? '');
      }
      assert.deepEqual(statuses.get(main), ['401', ...Array<string>(7).fill('429')]);
      for (const at of [e2b, runner]) assert.deepEqual(statuses.get(at), ['401', '429']);
    },
    { config: { e2bPort: '0', runnerPort: '0', 'limits.requestsPerMinute': '1' } },
  ));

test('of a form that has too many parts the rest is passed over, and not taken apart', () =>
  withSidecar(
    async ({ sidecar, token }) => {
      const part = '--X\r\n\r\n\r\n';
      const rest = Buffer.from(`${part.repeat(2_000_000)}--X--\r\n`);
      const head = `POST /files HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\nAuthorization: Bearer ${token}\r\n`;
      const { socket, closed } = await rawSocket(Number(new URL(sidecar.e2bUrl ?? '').port), head);
      const before = process.cpuUsage();
      socket.write(`Content-Type: multipart/form-data; boundary=X\r\nContent-Length: ${rest.length}\r\n\r\n`);
      socket.write(rest);
      await closed;
      const { user, system } = process.cpuUsage(before);
      assert.ok(user + system < 1_500_000, `${(user + system) / 1e6} s of the processor`);
    },
    { config: { e2bPort: '0' } },
  ));

test('a body that is broken right behind its head is no failure inside', () =>
  withSidecar(async ({ port, token }) => {
    const head = `POST /api/system.info HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer ${token}\r\nContent-Type: application/json\r\n`;
    const asked = await rawSocket(port, `${head}Transfer-Encoding: chunked\r\n\r\nno length\r\n{}\r\n`);
    await asked.closed;
    assert.match(asked.received, /^HTTP\/1\.1 400 /);
  }));

test('a request whose sender is gone when it is read is no failure inside, at every port', () =>
  withSidecar(
    async ({ sidecar }) => {
      for (const at of [sidecar.url, sidecar.e2bUrl ?? '', sidecar.runnerUrl ?? '']) {
        for (let count = 0; count < 10; count++) {
          const { socket } = await rawSocket(Number(new URL(at).port), 'GET /health HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n');
          socket.resetAndDestroy();
        }
        assert.ok((await fetch(`${at}/health`)).status < 500);
      }
    },
    { config: { e2bPort: '0', runnerPort: '0' } },
  ));

test('a minute of requests lasts a minute, wherever the clock is set meanwhile', () =>
  withSidecar(
    async (running) => {
      const refused = async (): Promise<void> => {
        const response = await post(running, 'system.info', {});
        const seconds = Number(response.headers.get('x-ratelimit-reset'));
        assert.ok(seconds > 0 && seconds <= 60, `${seconds} s until the next`);
        assert.deepEqual(await reasonOf(response), [429, 'TOO_MANY']);
      };
      for (let count = 0; count < 3; count++) assert.equal((await post(running, 'system.info', {})).status, 200);
      await refused();
      const { now } = Date;
      try {
        for (const offset of [-3_600_000, 3_600_000]) {
          Date.now = () => now() + offset;
          await refused();
        }
      } finally {
        Date.now = now;
      }
    },
    { config: { 'limits.requestsPerMinute': '3' } },
  ));
