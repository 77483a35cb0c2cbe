import assert from 'node:assert/strict';
import fs from 'node:fs';
import http from 'node:http';
import { describe, test } from 'node:test';
import { WebSocket } from 'ws';
import { type Client, createClient } from '../../src/client/client.ts';
import type { Operations } from '../../src/contract/operations.ts';
import { createSidecar } from '../../src/sidecar/create-sidecar.ts';
import { fails } from '../kit/workspace-harness.ts';
import { eventually } from '../kit/eventually.ts';
import { withScratchFolder } from '../kit/scratch-folder.ts';
import { type RunningSidecar, withSidecar } from '../kit/sidecar.ts';

const oneSecond = 1000;

interface Connection {
  /** How it ended: a close code, or the reason in the stream. */
  ended: Promise<string>;
}

/** A stream over HTTP, an RPC socket and a document socket, all live. */
async function connectAll({ url, put }: RunningSidecar, secret: string): Promise<Record<'http' | 'rpc' | 'document', Connection>> {
  put('mine/doc.txt', 'text');
  const response = await fetch(`${url}/api/changes.watch`, {
    method: 'POST',
    headers: { authorization: `Bearer ${secret}`, accept: 'text/event-stream', 'content-type': 'application/json' },
    body: '{}',
  });
  assert.equal(response.status, 200);
  const [rpc, document] = await Promise.all(
    ['/rpc', '/ws/doc/mine/doc.txt'].map(async (path) => {
      const socket = new WebSocket(`${url.replace('http', 'ws')}${path}?token=${secret}`);
      const ended = new Promise<string>((resolve) => socket.once('close', (code) => resolve(String(code))));
      socket.on('error', () => {});
      // A document says something once it is joined.
      const live = new Promise((resolve) => socket.once(path === '/rpc' ? 'open' : 'message', resolve));
      await Promise.race([live, ended.then((how) => assert.fail(`it ended with ${how}`))]);
      return { ended };
    }),
  );
  const http = (async () => {
    let text = '';
    for await (const part of response.body?.pipeThrough(new TextDecoderStream()) ?? []) text += part;
    return /event: error\ndata: .*"reason":"(\w+)"/.exec(text)?.[1] ?? text;
  })();
  return { http: { ended: http }, rpc: rpc as Connection, document: document as Connection };
}

async function within<T>(ms: number, work: Promise<T>): Promise<T | 'too late'> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<'too late'>((resolve) => {
    timer = setTimeout(resolve, ms, 'too late');
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}

async function endedBy(running: RunningSidecar, secret: string, end: () => unknown, reason: string, ms = oneSecond): Promise<void> {
  const { http, rpc, document } = await connectAll(running, secret);
  await end();
  assert.deepEqual(await within(ms, Promise.all([http.ended, rpc.ended, document.ended])), [reason, '4401', '4401']);
  for (const path of ['/rpc', '/ws/doc/mine/doc.txt']) assert.equal(await upgradeStatus(`${running.url}${path}?token=${secret}`), 401);
  const answer = await fetch(`${running.url}/api/system.info`, { headers: { authorization: `Bearer ${secret}` } });
  assert.equal(answer.status, 401);
}

function upgradeStatus(url: string, headers: Record<string, string> = {}): Promise<number> {
  const socket = new WebSocket(url.replace('http', 'ws'), { headers });
  return new Promise((resolve) => {
    socket.on('error', () => {});
    socket.once('open', () => {
      socket.terminate();
      resolve(101);
    });
    socket.once('unexpected-response', (_request, response) => {
      response.resume();
      resolve(response.statusCode ?? 0);
      socket.terminate();
    });
  });
}

describe('whoever uses a token that ends is cut within a second, on every wire, and does not come in again', () => {
  test('when it is revoked', () =>
    withSidecar(async (running) => {
      const { id, secret } = await running.client.call('tokens.create', { name: 'Bot', kind: 'agent', access: 'write' });
      await endedBy(running, secret, () => running.client.call('tokens.revoke', { id }), 'TOKEN_REVOKED');
      await running.client.call('system.info', {});
    }));

  test('when it expires', () =>
    withSidecar(async (running) => {
      const { secret } = await running.client.call('tokens.create', { name: 'Bot', access: 'read', expiresInS: 3 });
      await endedBy(running, secret, () => {}, 'TOKEN_EXPIRED', 4 * oneSecond);
    }));

  test('when the main token is rotated; the new one holds', () =>
    withSidecar(async (running) => {
      let next = '';
      const rotate = async (): Promise<void> => {
        next = (await fetchCall(running.url, running.token, 'tokens.rotate', {})).body['secret'] as string;
      };
      await endedBy(running, running.token, rotate, 'TOKEN_REVOKED');
      assert.equal((await fetchCall(running.url, next, 'system.info', {})).status, 200);
    }));

  test('who rotates the main token is told the new one first, also over a socket that is cut', () =>
    withSidecar(async ({ client, clientOf, url }) => {
      const { secret } = await client.call('tokens.rotate', {});
      // It holds at once, and is not cut with the old one.
      const next = clientOf(secret);
      await next.call('system.info', {});
      await new Promise(setImmediate);
      await next.call('system.info', {});
      assert.equal((await fetchCall(url, secret, 'system.info', {})).status, 200);
    }));
});

async function fetchCall(
  url: string,
  token: string,
  name: string,
  input: object,
): Promise<{ status: number; body: Record<string, unknown> }> {
  const response = await fetch(`${url}/api/${name}`, {
    method: 'POST',
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    body: JSON.stringify(input),
  });
  return { status: response.status, body: (await response.json()) as Record<string, unknown> };
}

describe('a token limited to some paths', () => {
  const limited = (run: (running: RunningSidecar, mine: Client<Operations>, secret: string) => Promise<void>): Promise<void> =>
    withSidecar(
      async (running) => {
        const { secret } = await running.client.call('tokens.create', { name: 'Bot', kind: 'agent', access: 'admin', paths: ['mine'] });
        await run(running, running.clientOf(secret), secret);
      },
      {
        prepare: (root) => {
          for (const folder of ['mine', 'secret', 'mine-not']) {
            fs.mkdirSync(`${root}/${folder}`);
            fs.writeFileSync(`${root}/${folder}/file`, `${folder}\n`);
          }
          fs.symlinkSync('../secret/file', `${root}/mine/link`);
          fs.symlinkSync('../secret', `${root}/mine/folder-link`);
        },
      },
    );

  test('reads and writes there alone, links that lead out included', () =>
    limited(async (_running, mine) => {
      assert.equal((await mine.call('files.read', { path: 'mine/file' })).text, 'mine\n');
      await mine.call('files.write', { path: 'mine/new', text: 'x' });
      for (const path of ['secret/file', 'mine-not/file', 'mine/link', 'mine/folder-link/file', 'mine/folder-link/new']) {
        await fails('OUT_OF_SCOPE', () => mine.call('files.read', { path }));
        await fails('OUT_OF_SCOPE', () => mine.call('files.stat', { path }));
        await fails('OUT_OF_SCOPE', () => mine.call('files.write', { path, text: 'x' }));
        await fails('OUT_OF_SCOPE', () => mine.call('files.remove', { path, recursive: true }));
        await fails('OUT_OF_SCOPE', () => mine.call('files.copy', { from: path, to: 'mine/copy' }));
        await fails('OUT_OF_SCOPE', () => mine.call('files.copy', { from: 'mine/file', to: path, overwrite: true }));
        await fails('OUT_OF_SCOPE', () => mine.call('documents.open', { path }));
        await fails('OUT_OF_SCOPE', () => mine.download('files.download', { path }));
      }
      await fails('OUT_OF_SCOPE', () => mine.call('files.list', {}));
      for (const path of ['', 'secret', 'mine/folder-link']) await fails('OUT_OF_SCOPE', () => mine.call('files.list', { path }));
    }));

  test('sees nothing of other paths in changes, documents and git', () =>
    limited(async ({ client, url, put, token }, mine, secret) => {
      const controller = new AbortController();
      const seen: string[] = [];
      const watching = (async () => {
        for await (const item of mine.watchChanges(undefined, { signal: controller.signal })) seen.push(JSON.stringify(item));
      })();
      await eventually(() => seen.length > 0);
      const document = new WebSocket(`${url.replace('http', 'ws')}/ws/doc/secret/file?token=${token}`);
      await new Promise((resolve) => document.once('message', resolve));
      await client.call('files.write', { path: 'secret/other', text: 'x' });
      await client.call('files.move', { from: 'secret/other', to: 'mine/moved' });
      put('secret/outside');
      await client.call('files.write', { path: 'mine/last', text: 'x' });
      await eventually(() => assert.match(seen.join('\n'), /mine\/last/));
      controller.abort();
      await watching;
      seen.push(
        JSON.stringify(await mine.call('changes.since', {})),
        JSON.stringify(await mine.call('documents.list', {})),
        JSON.stringify(await mine.call('git.status', {})),
      );
      assert.match(JSON.stringify(await client.call('documents.list', {})), /secret\/file/);
      assert.doesNotMatch(seen.join('\n'), /secret/);
      document.close();
      const refused = new WebSocket(`${url.replace('http', 'ws')}/ws/doc/secret/file?token=${secret}`);
      assert.equal(await new Promise((resolve) => refused.once('close', resolve)), 4403);
    }));

  test('makes no tokens, and ends none: they could reach further than itself', () =>
    limited(async (_running, mine) => {
      await fails('OUT_OF_SCOPE', () => mine.call('tokens.create', { name: 'x', access: 'admin' }));
      await fails('OUT_OF_SCOPE', () => mine.call('tokens.rotate', {}));
      await fails('OUT_OF_SCOPE', () => mine.call('tokens.list', {}));
      await fails('OUT_OF_SCOPE', () => mine.call('tokens.revoke', { id: 'x' }));
    }));
});

describe('the login of the page', () => {
  test('swaps the token for a cookie that our own page may use, and no other', () =>
    withSidecar(async ({ url, token, port }) => {
      const login = await fetch(`${url}/?token=${token}`, { redirect: 'manual' });
      assert.deepEqual([login.status, login.headers.get('location')], [303, './']);
      const set = login.headers.get('set-cookie') ?? '';
      assert.match(set, /^outrigger_[0-9a-f]{16}=\S+; HttpOnly; SameSite=Strict; Max-Age=\d+$/);
      assert.equal(set.includes(token), false);
      const cookie = set.split(';')[0] ?? '';
      const info = (headers: Record<string, string>, method = 'GET'): Promise<number> =>
        fetch(`${url}/api/system.info`, { method, headers: { cookie, ...headers }, ...(method === 'POST' ? { body: '{}' } : {}) }).then(
          ({ status }) => status,
        );
      const own = { origin: `http://127.0.0.1:${port}` };
      const json = { 'content-type': 'application/json' };
      assert.equal(await info({ 'sec-fetch-site': 'same-origin' }), 200);
      assert.equal(await info({ ...own, ...json }, 'POST'), 200);
      for (const origin of ['http://evil.example', 'null', `http://localhost.evil.example:${port}`, `https://127.0.0.1:${port + 1}`]) {
        assert.ok([401, 403].includes(await info({ origin, ...json }, 'POST')), origin);
        assert.ok([401, 403].includes(await upgradeStatus(`${url}/rpc`, { cookie, origin })), origin);
      }
      assert.equal(await upgradeStatus(`${url}/rpc`, { cookie, ...own }), 101);
      const wrong = await fetch(`${url}/?token=wrong-token-wrong-token`, { redirect: 'manual' });
      assert.deepEqual([wrong.status, wrong.headers.get('location'), wrong.headers.get('set-cookie')], [303, './?login=BAD_TOKEN', null]);
      assert.equal((await fetch(`${url}/api/system.info?token=${token}`)).status, 401, 'the token in an address counts at the login alone');
    }));

  test('behind TLS that ends before the sidecar, the cookie is for encrypted ways alone, and the page is its own by its public name', () =>
    withSidecar(
      async ({ port, token }) => {
        const ask = (path: string, headers: Record<string, string>): Promise<http.IncomingMessage> =>
          new Promise((resolve, reject) => {
            // A proxy keeps the name that the browser asked for; fetch would set another.
            http.get({ port, path, headers: { host: 'work.example.com', ...headers } }, resolve).on('error', reject);
          });
        const login = await ask(`/?token=${token}`, {});
        login.resume();
        const [set = ''] = login.headers['set-cookie'] ?? [];
        assert.match(set, /; HttpOnly; SameSite=Strict; Max-Age=\d+; Secure$/);
        const cookie = set.split(';')[0] ?? '';
        for (const [origin, status] of [
          ['https://work.example.com', 200],
          ['https://evil.example.com', 403],
        ] as const) {
          const answer = await ask('/api/system.info', { cookie, origin });
          answer.resume();
          assert.equal(answer.statusCode, status, origin);
        }
      },
      { config: { tls: 'terminated', allowedHosts: ['work.example.com'] } },
    ));
});

test('no token, cookie or Authorization header stands in the log, whatever was asked', () =>
  withSidecar(
    async ({ url, token, client, log }) => {
      const { secret } = await client.call('tokens.create', { name: 'Bot', access: 'read' });
      const login = await fetch(`${url}/?token=${token}`, { redirect: 'manual' });
      const cookie = (login.headers.get('set-cookie') ?? '').split(';')[0] ?? '';
      await fetch(`${url}/nothing/here?token=${token}`);
      await fetch(`${url}/api/files/missing?token=${secret}`, { headers: { cookie } });
      await fetch(`${url}/api/files.read`, {
        method: 'POST',
        body: `{"path":"${token}`,
        headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
      });
      await upgradeStatus(`${url}/rpc?token=${secret}x`);
      await upgradeStatus(`${url}/ws/doc/%E0%A4%A?token=${token}`);
      await client.call('system.health', {});
      await eventually(() => log.some(({ operation }) => operation === 'system.health'));
      const text = JSON.stringify(log);
      assert.match(text, /tokens\.create/);
      for (const never of [token, secret, cookie.split('=')[1] ?? 'x']) assert.equal(text.includes(never), false, never);
      assert.doesNotMatch(text, /bearer/i);
    },
    { mayLogErrors: true },
  ));

test('the secrets of a link and of the sidecar that lie in the folder are for admins: no other token reads, finds, changes or opens them', () =>
  withScratchFolder('secrets', (_folder, root) => {
    fs.mkdirSync(`${root}/conf`);
    fs.writeFileSync(`${root}/conf/main.token`, 'this-is-the-main-token-of-this-one\n');
    const config = { agent_id: 'a', token: 'this-is-the-secret', hub_url: 'ws://127.0.0.1:9/ws', wake_command: ['true'] };
    fs.writeFileSync(`${root}/config.json`, JSON.stringify(config), { mode: 0o600 });
    fs.symlinkSync('config.json', `${root}/link`);
    fs.writeFileSync(`${root}/notes.txt`, 'this-is no secret\n');
    return withSidecar(
      async ({ client, clientOf, url }) => {
        const files = ['config.json', 'link', 'conf/main.token'];
        for (const access of ['read', 'write', 'execute'] as const) {
          const { secret } = await client.call('tokens.create', { name: access, kind: 'agent', access });
          const narrow = clientOf(secret);
          const headers = { authorization: `Bearer ${secret}` };
          for (const path of files) {
            await fails('ACCESS_DENIED', () => narrow.call('files.read', { path }));
            await fails('ACCESS_DENIED', () => narrow.call('files.hash', { path }));
            assert.equal((await fetch(`${url}/api/files/${path}`, { headers })).status, 403);
            const socket = new WebSocket(`${url.replace('http', 'ws')}/ws/doc/${path}?token=${secret}`);
            assert.notEqual(await new Promise((resolve) => socket.once('close', resolve).once('error', () => {})), 1000);
          }
          const { results } = await gather(narrow, 'this-is');
          assert.deepEqual(results, ['notes.txt']);
          if (access === 'read') continue;
          await fails('ACCESS_DENIED', () => narrow.call('files.write', { path: 'config.json', text: '{}' }));
          await fails('ACCESS_DENIED', () => narrow.call('files.copy', { from: 'config.json', to: 'copy' }));
          await fails('ACCESS_DENIED', () => narrow.call('files.copy', { from: 'conf', to: 'copy' }));
          await fails('ACCESS_DENIED', () => narrow.call('files.move', { from: 'conf', to: 'moved' }));
          await narrow.call('files.write', { path: 'notes.txt', text: 'this-is no secret\n' });
        }
        assert.match((await client.call('files.read', { path: 'config.json' })).text, /this-is-the-secret/);
        assert.deepEqual((await gather(client, 'this-is')).results.sort(), ['conf/main.token', 'config.json', 'notes.txt']);
        assert.deepEqual(fs.readdirSync(root).sort(), ['conf', 'config.json', 'link', 'notes.txt', 'results']);
      },
      { workspace: root, config: { 'link.config': `${root}/config.json`, tokenFile: `${root}/conf/main.token` } },
    );
  }));

test('a config file that was named and lies in the folder, with the main token in it, is for admin alone', () =>
  withScratchFolder('config-inside', async (base, root) => {
    fs.writeFileSync(`${root}/config.json`, JSON.stringify({ token: 'this-is-the-main-token', port: 0 }));
    const sidecar = await createSidecar({
      workspace: root,
      configFile: `${root}/config.json`,
      state: `${base}/state`,
      components: ['files'],
    });
    const owner = createClient({ url: sidecar.url, token: sidecar.token });
    const { secret } = await owner.call('tokens.create', { name: 'narrow', access: 'write' });
    const narrow = createClient({ url: sidecar.url, token: secret });
    try {
      await fails('ACCESS_DENIED', () => narrow.call('files.read', { path: 'config.json' }));
      await fails('ACCESS_DENIED', () => narrow.call('files.write', { path: 'config.json', text: '{}' }));
      assert.match((await owner.call('files.read', { path: 'config.json' })).text, /this-is-the-main-token/);
    } finally {
      narrow.close();
      owner.close();
      await sidecar.stop();
    }
  }));

async function gather(client: Client<Operations>, pattern: string): Promise<{ results: string[] }> {
  const results: string[] = [];
  for await (const { path } of client.stream('search.text', { pattern })) results.push(path);
  return { results };
}
