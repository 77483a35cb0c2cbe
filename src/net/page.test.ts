import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';
import type { FastifyInstance } from 'fastify';
import type { Caller } from '../contract/access.ts';
import { createHttpApp } from './http-app.ts';
import { Listener } from './listener.ts';
import { registerPage } from './page.ts';

let folder = '';
let app: FastifyInstance;

before(async () => {
  folder = fs.mkdtempSync(path.join(os.tmpdir(), 'outrigger-page-'));
  fs.mkdirSync(path.join(folder, 'assets', 'deeper'), { recursive: true });
  fs.writeFileSync(path.join(folder, 'assets', 'index-abc.js'), 'console.log(1);');
  fs.writeFileSync(path.join(folder, 'assets', '.hidden.js'), 'no');
  fs.writeFileSync(path.join(folder, 'csp.json'), '{"scriptHashes":[]}');
  fs.writeFileSync(path.join(folder, 'index.html'), '<!doctype html><title>page</title>');
  const policy = () => ({ boundHost: '127.0.0.1', allowedHosts: [], allowedOrigins: [] });
  app = createHttpApp({ listener: new Listener({ host: '127.0.0.1', port: 0 }), policy, onError: assert.fail }, { maxInputBytes: 1000 });
  registerPage(
    app,
    { authenticate: () => ({}) as Caller, cookieFor: () => 'cookie' },
    { cookieName: 'c', folder, file: 'index.html', secureCookie: false, missing: 'none' },
  );
  await app.ready();
});
after(async () => {
  await app.close();
  fs.rmSync(folder, { recursive: true, force: true });
});

const get = (url: string, headers: Record<string, string> = {}, method: 'GET' | 'HEAD' = 'GET') =>
  app.inject({ method, url, headers: { host: '127.0.0.1', ...headers } });

test('assets are sent with their type, kept for a year, and not sent again', async () => {
  const first = await get('/assets/index-abc.js');
  assert.equal(first.statusCode, 200);
  assert.equal(first.body, 'console.log(1);');
  assert.match(String(first.headers['content-type']), /javascript/);
  assert.equal(first.headers['cache-control'], 'public, max-age=31536000, immutable');
  const again = await get('/assets/index-abc.js', { 'if-none-match': String(first.headers['etag']) });
  assert.deepEqual([again.statusCode, again.body], [304, '']);
  const head = await get('/assets/index-abc.js', {}, 'HEAD');
  assert.deepEqual([head.statusCode, head.body, head.headers['content-length']], [200, '', '15']);
  const post = await app.inject({ method: 'POST', url: '/assets/index-abc.js', headers: { host: '127.0.0.1' } });
  assert.deepEqual([post.statusCode, post.headers['allow']], [405, 'GET, HEAD']);
  assert.equal((await get('/assets/index-abc.js', { range: 'bytes=0-6' })).body, 'console');
});

for (const name of ['none.js', '.hidden.js', 'deeper', '..%2fcsp.json', '..%2f..%2f..%2fetc%2fpasswd', '%00', 'a%0ab']) {
  test(`there is no asset ${name}`, async () => {
    const answer = await get(`/assets/${name}`);
    assert.notEqual(answer.statusCode, 200, answer.body);
    assert.ok([400, 404].includes(answer.statusCode), `${answer.statusCode} ${answer.body}`);
    assert.equal(answer.json().code === undefined, false);
  });
}
