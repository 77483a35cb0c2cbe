import assert from 'node:assert/strict';
import fs from 'node:fs';
import http from 'node:http';
import { test } from 'node:test';
import { WebSocket } from 'ws';
import { eventually } from '../kit/eventually.ts';
import { rawSocket } from '../kit/raw-socket.ts';
import { withSidecar } from '../kit/sidecar.ts';
import { openYjsClient } from '../kit/yjs-client.ts';

/** What a request gets: a status, or for an upgrade that is taken the word `open`. */
type Outcome = number | 'open';

interface Asked {
  listener: 'main' | 'sockets';
  method: string;
  path: string;
  upgrade?: boolean;
  token?: boolean;
  headers?: Record<string, string>;
  expect: Outcome;
  says: string;
}

// One listener has one owner of each path. Folders in the workspace are named like the paths of the API on purpose.
const table: Asked[] = [
  { listener: 'main', method: 'GET', path: '/', expect: 404, says: 'the page, which is not built here' },
  { listener: 'main', method: 'GET', path: '/healthz', token: false, expect: 200, says: 'liveness, to everybody' },
  { listener: 'main', method: 'GET', path: '/readyz', token: false, expect: 200, says: 'readiness, to everybody' },
  { listener: 'main', method: 'GET', path: '/version', token: false, expect: 200, says: 'the version, to everybody' },
  ...['/healthz', '/readyz', '/version', '/metrics', '/openapi.json'].flatMap((path): Asked[] => [
    { listener: 'main', method: 'HEAD', path, expect: 200, says: 'the same without its body' },
    { listener: 'main', method: 'POST', path, expect: 405, says: 'it is only looked at' },
  ]),
  { listener: 'main', method: 'GET', path: '/metrics', token: false, expect: 401, says: 'metrics need a token' },
  { listener: 'main', method: 'GET', path: '/metrics', expect: 200, says: 'metrics' },
  { listener: 'main', method: 'GET', path: '/openapi.json', token: false, expect: 401, says: 'the description needs a token' },
  { listener: 'main', method: 'GET', path: '/openapi.json', expect: 200, says: 'the description' },
  { listener: 'main', method: 'GET', path: '/api/files.list', expect: 200, says: 'an operation that reads' },
  { listener: 'main', method: 'GET', path: '/api/files.write', expect: 405, says: 'an operation that writes takes no GET' },
  { listener: 'main', method: 'GET', path: '/api/nothing', expect: 404, says: 'no operation' },
  { listener: 'main', method: 'HEAD', path: '/api/nothing', expect: 404, says: 'no operation, without its body' },
  { listener: 'main', method: 'PATCH', path: '/api/nothing', expect: 405, says: 'what no operation takes' },
  ...['/', '/nowhere', '/api/files.list', '/api/files/git/f.txt', '/files/f.txt', '/v1/exec'].flatMap((path): Asked[] =>
    ['TRACE', 'PROPFIND'].map((method) => ({ listener: 'main', method, path, expect: 501, says: 'a method that nobody here knows' })),
  ),
  { listener: 'main', method: 'GET', path: '/api/files/api/files/f.txt', expect: 200, says: 'raw bytes of a file in a folder named api' },
  { listener: 'main', method: 'HEAD', path: '/api/files/git/f.txt', expect: 200, says: 'facts of a file in a folder named git' },
  { listener: 'main', method: 'GET', path: '/files', expect: 200, says: 'the Platxa list' },
  { listener: 'main', method: 'GET', path: '/files/logs/f.txt', expect: 200, says: 'a Platxa file in a folder named logs' },
  { listener: 'main', method: 'GET', path: '/files/collab%2Ff.txt', expect: 200, says: 'a Platxa file, encoded as one name' },
  { listener: 'main', method: 'GET', path: '/files/ws/f.txt', token: false, expect: 401, says: 'Platxa needs a token, too' },
  { listener: 'main', method: 'GET', path: '/health', token: false, expect: 200, says: 'the Platxa health' },
  { listener: 'main', method: 'GET', path: '/ready', token: false, expect: 200, says: 'the Platxa readiness' },
  ...['/health', '/ready', '/files', '/files/logs/f.txt'].map(
    (path): Asked => ({ listener: 'main', method: 'HEAD', path, expect: 200, says: 'what Platxa answers, without its body' }),
  ),
  { listener: 'main', method: 'HEAD', path: '/files/nothing', expect: 404, says: 'no Platxa file, without its body' },
  { listener: 'main', method: 'GET', path: '/nowhere', expect: 404, says: 'nothing' },
  { listener: 'main', method: 'GET', path: '/rpc', upgrade: true, expect: 'open', says: 'RPC' },
  { listener: 'main', method: 'GET', path: '/rpc', upgrade: true, token: false, expect: 401, says: 'RPC without a token' },
  { listener: 'main', method: 'GET', path: '/', upgrade: true, expect: 'open', says: 'Platxa frames' },
  { listener: 'main', method: 'GET', path: '/ws/doc/ws/f.txt', upgrade: true, expect: 'open', says: 'a document in a folder named ws' },
  { listener: 'main', method: 'GET', path: '/yjs/git/f.txt', upgrade: true, expect: 'open', says: 'a room below /yjs' },
  { listener: 'main', method: 'GET', path: '/files/f.txt', upgrade: true, expect: 'open', says: 'a room in a folder named files' },
  { listener: 'main', method: 'GET', path: '/f.txt', upgrade: true, token: false, expect: 401, says: 'a room without a token' },
  {
    listener: 'main',
    method: 'GET',
    path: '/rpc',
    upgrade: true,
    headers: { origin: 'https://evil.example' },
    expect: 403,
    says: 'a cross-site page',
  },
  {
    listener: 'main',
    method: 'GET',
    path: '/version',
    headers: { host: 'evil.example' },
    expect: 403,
    says: 'a name that was made to point here',
  },
  {
    listener: 'main',
    method: 'POST',
    path: '/api/files.list',
    headers: { origin: 'https://evil.example' },
    expect: 403,
    says: 'a form of another site',
  },
  { listener: 'main', method: 'GET', path: '/rpc', token: false, expect: 426, says: 'plain HTTP where RPC is spoken' },
  { listener: 'main', method: 'POST', path: '/collab', expect: 426, says: 'plain HTTP where documents are' },
  { listener: 'sockets', method: 'GET', path: '/', expect: 426, says: 'plain HTTP on the socket port' },
  { listener: 'sockets', method: 'GET', path: '/api/files.list', expect: 426, says: 'no operations on the socket port' },
  { listener: 'sockets', method: 'GET', path: '/', upgrade: true, expect: 'open', says: 'Platxa frames on the socket port' },
  {
    listener: 'sockets',
    method: 'GET',
    path: '/ws/doc/api/files/f.txt',
    upgrade: true,
    expect: 'open',
    says: 'a document on the socket port',
  },
  { listener: 'sockets', method: 'GET', path: '/f.txt', upgrade: true, expect: 'open', says: 'a room on the socket port' },
  {
    listener: 'sockets',
    method: 'GET',
    path: '/f.txt',
    upgrade: true,
    token: false,
    expect: 401,
    says: 'a room on the socket port without a token',
  },
  {
    listener: 'sockets',
    method: 'GET',
    path: '/f.txt',
    upgrade: true,
    headers: { host: 'evil.example' },
    expect: 403,
    says: 'rebinding on the socket port',
  },
];

test('each listener answers each path as its table says, whatever the folders are called', () =>
  withSidecar(
    async ({ url, token, sidecar, put }) => {
      for (const folder of ['api/files', 'files', 'git', 'logs', 'collab', 'ws', '']) put(`${folder}/f.txt`.replace(/^\//, ''), 'text\n');
      const bases = { main: url, sockets: (sidecar.socketUrl ?? '').replace('ws:', 'http:') };
      for (const asked of table) {
        const headers = { ...(asked.token === false ? {} : { authorization: `Bearer ${token}` }), ...asked.headers };
        const address = `${bases[asked.listener]}${asked.path}`;
        const outcome = asked.upgrade === true ? await upgrade(address, headers) : await plain(asked.method, address, headers);
        assert.equal(outcome, asked.expect, `${asked.says}: ${asked.listener} ${asked.method} ${asked.path}`);
      }
    },
    { config: { wsPort: '0' } },
  ));

test('bytes that are no UTF-8 are refused at every door, and nothing is written or run', () =>
  withSidecar(
    async ({ url, sidecar, token, file, put, root }) => {
      put('kept.txt', 'kept\n');
      const broken = (before: string, after: string): Buffer =>
        Buffer.concat([Buffer.from(before), Buffer.from([0xff]), Buffer.from(after)]);
      const write = broken('{"path":"new.txt","text":"a', 'b"}');
      const code = broken('{"language":"bash","code":"touch ran; echo ', '"}');
      const doors = [
        { method: 'POST', address: `${url}/api/files.write`, body: write },
        {
          method: 'POST',
          address: `${url}/api/files.edit`,
          body: broken('{"path":"kept.txt","edits":[{"find":"kept","replace":"', '"}]}'),
        },
        { method: 'PUT', address: `${url}/files/new.txt`, body: broken('{"content":"a', 'b"}') },
        { method: 'POST', address: `${url}/api/code.run`, body: code },
        { method: 'POST', address: `${url}/mcp`, body: broken('{"jsonrpc":"2.0","id":1,"method":"ping","params":{"a":"', '"}}') },
        { method: 'POST', address: `${sidecar.runnerUrl}/execute`, body: broken('{"code":"', '"}') },
        { method: 'POST', address: `${url}/v1/exec`, body: broken('{"lang":"py","code":"', '"}') },
        { method: 'POST', address: `${sidecar.e2bUrl}/filesystem.Filesystem/MakeDir`, body: broken('{"path":"', '"}') },
        { method: 'PUT', address: `${url}/api/files/new%ff.txt`, body: Buffer.from('x') },
        { method: 'POST', address: `${url}/api/files.upload?path=new%ff.txt`, body: Buffer.from('x') },
        { method: 'POST', address: `${sidecar.e2bUrl}/files?path=new%ff.txt`, body: Buffer.from('x') },
      ];
      for (const { method, address, body } of doors) {
        const headers = {
          authorization: `Bearer ${token}`,
          'x-api-key': token,
          'content-type': 'application/json',
          accept: 'application/json',
        };
        const answer = await fetch(address, { method, headers, body: Uint8Array.from(body) });
        assert.equal(Math.floor(answer.status / 100), 4, `${address}: ${answer.status}`);
        assert.match(await answer.text(), /UTF-8/, address);
      }
      assert.deepEqual(fs.readdirSync(root), ['kept.txt']);
      assert.equal(file('kept.txt'), 'kept\n');
    },
    { config: { runnerPort: '0', runnerLanguage: 'py', e2bPort: '0' } },
  ));

test('the id of a request goes in, out, into the log and into the environment of what it starts', () =>
  withSidecar(async ({ url, token, log, put }) => {
    put('f.txt', 'text\n');
    const authorization = `Bearer ${token}`;
    const run = await fetch(`${url}/api/processes.run`, {
      method: 'POST',
      headers: { authorization, 'content-type': 'application/json', 'x-request-id': 'of-a-call.1', accept: 'application/x-ndjson' },
      body: JSON.stringify({ argv: ['printenv', 'OUTRIGGER_REQUEST_ID'] }),
    });
    assert.equal(run.headers.get('x-request-id'), 'of-a-call.1');
    assert.match(await run.text(), /of-a-call\.1\\n/);
    assert.equal(await upgrade(`${url}/ws/doc/f.txt`, { authorization, 'x-request-id': 'of-a-room' }), 'open');
    const refused = await new Promise<http.IncomingMessage>((resolve, reject) => {
      const socket = new WebSocket(`${url.replace('http', 'ws')}/rpc`, { headers: { 'x-request-id': 'of-nobody' } });
      socket.once('unexpected-response', (request, response) => {
        resolve(response);
        request.destroy();
      });
      socket.once('error', reject);
    });
    assert.equal(refused.headers['x-request-id'], 'of-nobody');
    const noted = (id: string): unknown => log.find((line) => line['request_id'] === id)?.['operation'];
    await eventually(() => assert.deepEqual([noted('of-a-call.1'), noted('of-a-room')], ['processes.run', 'documents.open']));
  }));

function plain(method: string, address: string, headers: Record<string, string>): Promise<number> {
  return new Promise((resolve, reject) => {
    const request = http.request(address, { method, headers, agent: false }, (response) => {
      response.resume();
      response.once('end', () => resolve(response.statusCode ?? 0));
    });
    request.once('error', reject);
    request.end();
  });
}

function upgrade(address: string, headers: Record<string, string>): Promise<Outcome> {
  return new Promise((resolve, reject) => {
    const socket = new WebSocket(address.replace('http', 'ws'), { headers });
    socket.once('open', () => {
      socket.close();
      socket.once('close', () => resolve('open'));
    });
    socket.once('unexpected-response', (request, response) => {
      resolve(response.statusCode ?? 0);
      request.destroy();
    });
    socket.once('error', reject);
  });
}

test('the bytes of a file are asked for only where they would be written, also while it is open for editing', () =>
  withSidecar(
    async ({ url, port, token, client, file, put }) => {
      put('closed.txt', 'old');
      put('open.txt', 'old');
      const person = openYjsClient(url, { token, room: 'open.txt' });
      try {
        await person.synced();
        const { secret } = await client.call('tokens.create', { name: 'sub', access: 'write', paths: ['sub'] });
        const ask = (path: string, fields: string, by = token): ReturnType<typeof rawSocket> =>
          rawSocket(
            port,
            `PUT /api/files/${path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer ${by}\r\nExpect: 100-continue\r\n${fields}\r\n\r\n`,
          );
        for (const [path, fields, status, by] of [
          ['closed.txt', 'Content-Length: 3\r\nIf-Match: "another"', 412, token],
          ['closed.txt', 'Content-Length: 3\r\nIf-None-Match: *', 412, token],
          ['open.txt', 'Content-Length: 3\r\nIf-Match: "another"', 412, token],
          ['closed.txt', 'Content-Length: 3', 403, secret],
          ['..%2Fout.txt', 'Content-Length: 3', 400, token],
          ['closed.txt', 'Content-Length: 1025', 413, token],
        ] as const) {
          const raw = await ask(path, fields, by);
          await raw.closed;
          assert.ok(raw.received.startsWith(`HTTP/1.1 ${status} `), `${path} ${fields}: ${raw.received}`);
        }
        for (const path of ['closed.txt', 'open.txt']) {
          assert.equal(file(path), 'old');
          const { etag } = await client.call('files.stat', { path, hash: true });
          const raw = await ask(path, `Content-Length: 3\r\nIf-Match: ${etag}`);
          await eventually(() => assert.equal(raw.received, 'HTTP/1.1 100 Continue\r\n\r\n'));
          raw.socket.write('new');
          await eventually(() => assert.match(raw.received, /^HTTP\/1\.1 200 /m));
          raw.socket.destroy();
          await eventually(() => assert.equal(file(path), 'new'));
        }
      } finally {
        person.destroy();
      }
    },
    { config: { 'limits.uploadBytes': '1024' } },
  ));
