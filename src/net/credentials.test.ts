import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type CredentialSource, readCredentials } from './credentials.ts';

const token = 'abcdefghijklmnop0123';
const source = (given: Partial<CredentialSource>): CredentialSource => ({
  headers: {},
  url: '/',
  kind: 'request',
  cookieName: 'outrigger_w1',
  cookieCounts: true,
  ...given,
});

const cases: [says: string, given: Partial<CredentialSource>, expected: { token: string | undefined; from: string }][] = [
  ['nothing', {}, { token: undefined, from: 'none' }],
  ['a bearer token', { headers: { authorization: `Bearer ${token}` } }, { token, from: 'bearer' }],
  ['a bearer token in any case, with spaces', { headers: { authorization: `bearer   ${token} ` } }, { token, from: 'bearer' }],
  ['a Basic header', { headers: { authorization: 'Basic YTpi' } }, { token: undefined, from: 'none' }],
  ['a cookie among others', { headers: { cookie: `a=b; outrigger_w1=${token}; c=d` } }, { token, from: 'cookie' }],
  [
    'the cookie of another workspace',
    { headers: { cookie: `outrigger_w2=${token}; xoutrigger_w1=${token}` } },
    { token: undefined, from: 'none' },
  ],
  [
    'a cookie that does not count',
    { headers: { cookie: `outrigger_w1=${token}` }, cookieCounts: false },
    { token: undefined, from: 'none' },
  ],
  ['a query on a plain request', { url: `/api/x?token=${token}` }, { token: undefined, from: 'none' }],
  ['a query on the login URL', { url: `/?token=${token}`, kind: 'login' }, { token, from: 'query' }],
  ['a query on an upgrade', { url: `/rpc?a=1&token=${token}`, kind: 'upgrade' }, { token, from: 'query' }],
  ['a protocol on an upgrade', { headers: { 'sec-websocket-protocol': token }, kind: 'upgrade' }, { token, from: 'protocol' }],
  [
    'a protocol beside a name',
    { headers: { 'sec-websocket-protocol': `outrigger, ${token}` }, kind: 'upgrade' },
    { token, from: 'protocol' },
  ],
  ['a short protocol alone', { headers: { 'sec-websocket-protocol': 'secret' }, kind: 'upgrade' }, { token: 'secret', from: 'protocol' }],
  ['a protocol on a plain request', { headers: { 'sec-websocket-protocol': token } }, { token: undefined, from: 'none' }],
  [
    'bearer before all else',
    { headers: { authorization: `Bearer ${token}`, cookie: 'outrigger_w1=other' }, url: '/?token=third', kind: 'upgrade' },
    { token, from: 'bearer' },
  ],
];
for (const [says, given, expected] of cases) {
  test(`${says}: ${expected.from}`, () => {
    const { token: found, from } = readCredentials(source(given));
    assert.deepEqual({ token: found, from }, expected);
  });
}
