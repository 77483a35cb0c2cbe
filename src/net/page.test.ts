import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { gunzipSync, gzipSync } from 'node:zlib';
import type { FastifyInstance } from 'fastify';
import type { Caller } from '../contract/access.ts';
import { createHttpApp } from './http-app.ts';
import { Listener } from './listener.ts';
import { registerPage } from './page.ts';

const longScript = 'console.log(1);\n'.repeat(200);
let folder = '';
let app: FastifyInstance;

before(async () => {
  folder = fs.mkdtempSync(path.join(os.tmpdir(), 'outrigger-page-'));
  fs.mkdirSync(path.join(folder, 'assets', 'deeper'), { recursive: true });
  fs.writeFileSync(path.join(folder, 'assets', 'index-abc.js'), 'console.log(1);');
  fs.writeFileSync(path.join(folder, 'assets', 'packed-abc.js'), longScript);
  fs.writeFileSync(path.join(folder, 'assets', 'packed-abc.js.gz'), gzipSync(longScript));
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

for (const [accepts, isPacked] of [
  ['gzip', true],
  ['br;q=1.0, GZIP;q=0.5', true],
  ['*', true],
  ['x-gzip', true],
  ['*;q=0, gzip', true],
  [undefined, false],
  ['', false],
  ['br', false],
  ['identity, gzip;q=0', false],
  ['*, gzip;q=0.000', false],
] as const)
  test(`an asset that stands there packed is sent ${isPacked ? 'so' : 'as it is'} to who accepts ${accepts ?? 'nothing said'}`, async () => {
    const headers = accepts === undefined ? {} : { 'accept-encoding': accepts };
    const answer = await get('/assets/packed-abc.js', headers);
    assert.deepEqual([answer.statusCode, answer.headers['content-encoding']], [200, isPacked ? 'gzip' : undefined]);
    assert.equal((isPacked ? gunzipSync(answer.rawPayload) : answer.rawPayload).toString(), longScript);
    assert.equal(Number(answer.headers['content-length']), answer.rawPayload.length);
    assert.match(String(answer.headers['content-type']), /javascript/);
    assert.deepEqual([answer.headers['vary'], answer.headers['cache-control']], ['accept-encoding', 'public, max-age=31536000, immutable']);
    const again = await get('/assets/packed-abc.js', { ...headers, 'if-none-match': String(answer.headers['etag']) });
    assert.deepEqual([again.statusCode, again.body, again.headers['content-encoding']], [304, '', undefined]);
    // The tag of one is none of the other.
    const other = await get('/assets/packed-abc.js', {
      'accept-encoding': isPacked ? 'identity' : 'gzip',
      'if-none-match': String(answer.headers['etag']),
    });
    assert.equal(other.statusCode, 200);
    const head = await get('/assets/packed-abc.js', headers, 'HEAD');
    assert.deepEqual([head.statusCode, head.headers['content-length']], [200, answer.headers['content-length']]);
  });

test('an asset that stands there unpacked alone is sent as it is to everybody', async () => {
  const answer = await get('/assets/index-abc.js', { 'accept-encoding': 'gzip' });
  assert.deepEqual([answer.statusCode, answer.headers['content-encoding'], answer.body], [200, undefined, 'console.log(1);']);
});

for (const name of ['none.js', '.hidden.js', 'deeper', '..%2fcsp.json', '..%2f..%2f..%2fetc%2fpasswd', '%00', 'a%0ab']) {
  test(`there is no asset ${name}`, async () => {
    const answer = await get(`/assets/${name}`);
    assert.notEqual(answer.statusCode, 200, answer.body);
    assert.ok([400, 404].includes(answer.statusCode), `${answer.statusCode} ${answer.body}`);
    assert.equal(answer.json().code === undefined, false);
  });
}
