// What somebody without a token can make a sidecar, or a hub, hold in memory.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { eventually } from '../kit/eventually.ts';
import { withHub } from '../kit/hub.ts';
import { type RawSocket, rawSocket } from '../kit/raw-socket.ts';
import { withSidecar } from '../kit/sidecar.ts';

const mib = 1024 * 1024;

/** Begins a request that says how long its body is, or that it is chunked, and sends no more than the beginning of it. */
async function begin(url: string, target: string, bytes: number | 'chunked', headers: readonly string[] = []): Promise<RawSocket> {
  const { host, port } = new URL(url);
  const [method, path] = target.split(' ');
  const length = bytes === 'chunked' ? 'Transfer-Encoding: chunked' : `Content-Length: ${bytes}`;
  const head = [`${method} ${path} HTTP/1.1`, `Host: ${host}`, 'Content-Type: application/json', length, ...headers];
  return rawSocket(Number(port), `${head.join('\r\n')}\r\n\r\n${bytes === 'chunked' ? '1\r\n{\r\n' : '{'}`);
}

async function answeredEarly(url: string, target: string, status: number): Promise<void> {
  for (const bytes of [8 * mib, 'chunked'] as const) {
    const request = await begin(url, target, bytes);
    await eventually(() => assert.match(request.received, new RegExp(`^HTTP/1.1 ${status} `), `${target}, ${bytes}`));
    request.socket.destroy();
  }
}

test('a long body of nobody is refused before it is read, wherever it is sent', () =>
  withSidecar(
    async ({ url, sidecar }) => {
      const runner = sidecar.runnerUrl ?? '';
      for (const target of [
        ...['POST /api/files.read', 'POST /api/files.write', 'POST /api/files.upload', 'POST /api/no.operation', 'PUT /api/files/a.txt'],
        ...['POST /mcp', 'PUT /files/a.txt', 'POST /git/commit'],
      ])
        await answeredEarly(url, target, 401);
      await answeredEarly(url, 'POST /nothing', 404);
      await answeredEarly(runner, 'POST /execute', 401);
      for (const target of ['POST /filesystem.Filesystem/Stat', 'POST /process.Process/Start', 'POST /files?path=a.txt'])
        await answeredEarly(sidecar.e2bUrl ?? '', target, 401);
      await answeredEarly(sidecar.e2bUrl ?? '', 'POST /nothing', 404);
    },
    { config: { runnerPort: '0', runnerLanguage: 'bash', e2bPort: '0' } },
  ));

test('a long body of nobody is refused by the hub before it is read', () =>
  withHub(async ({ url }) => {
    for (const target of ['POST /api/tasks.list', 'POST /api/tasks', 'POST /api/admin/push-task', 'POST /api/onboard/register'])
      await answeredEarly(url, target, 401);
    await answeredEarly(url, 'POST /nothing', 404);
  }));

test('bodies in which a key may stand are read for strangers up to a sum, and those with a key in the header beside them', () =>
  withSidecar(async ({ url, token }) => {
    const strangers = await Promise.all(Array.from({ length: 20 }, () => begin(url, 'POST /v1/exec', 15 * mib)));
    const refused = (): number => strangers.filter(({ received }) => received.startsWith('HTTP/1.1 429 ')).length;
    await eventually(() => assert.equal(refused(), 16, 'four of 15 MiB are 60'));
    const known = await begin(url, 'POST /v1/exec', 2, [`x-api-key: ${token}`]);
    known.socket.write('}');
    await eventually(() => assert.match(known.received, /^HTTP\/1.1 422 /));
    for (const { socket } of [...strangers, known]) socket.destroy();
    const later = await begin(url, 'POST /v1/exec', 15 * mib);
    await eventually(async () => {
      const another = await begin(url, 'POST /v1/exec', 40 * 1024);
      another.socket.write(' '.repeat(40 * 1024 - 2) + '}');
      await eventually(() => assert.match(another.received, /^HTTP\/1.1 401 /));
      another.socket.destroy();
    });
    assert.equal(later.received, '');
    later.socket.destroy();
  }));
