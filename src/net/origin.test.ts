import assert from 'node:assert/strict';
import { test } from 'node:test';
import { hostProblem, judgeOrigin, type OriginPolicy } from './origin.ts';

const loopback: OriginPolicy = {
  boundHost: '127.0.0.1',
  allowedHosts: ['work.example', '.dev.example'],
  allowedOrigins: ['https://app.example', 'http://localhost:5173/', 'file://'],
};
const everywhere: OriginPolicy = { ...loopback, boundHost: '0.0.0.0' };

const hosts: [host: string | undefined, policy: OriginPolicy, good: boolean][] = [
  ['localhost:3000', loopback, true],
  ['LOCALHOST', loopback, true],
  ['127.0.0.1:3000', loopback, true],
  ['127.8.9.1', loopback, true],
  ['[::1]:3000', loopback, true],
  ['app.localhost:3000', loopback, true],
  ['localhost.:3000', loopback, true],
  [undefined, loopback, true],
  ['work.example', loopback, true],
  ['a.dev.example:80', loopback, true],
  ['dev.example', loopback, false],
  ['evildev.example', loopback, false],
  ['evil.example', loopback, false],
  ['evil.example:3000', loopback, false],
  ['127.0.0.1.evil.example', loopback, false],
  ['localhost.evil.example', loopback, false],
  ['10.0.0.5:3000', loopback, false],
  ['10.0.0.5:3000', everywhere, true],
  ['[fd00::5]:3000', everywhere, true],
  ['evil.example', everywhere, false],
  ['user@localhost', loopback, false],
  ['', loopback, false],
  ['local host', loopback, false],
  ['anything.example', { ...loopback, allowedHosts: ['*'] }, true],
  ['box.lan', { ...loopback, boundHost: 'box.lan' }, true],
];
for (const [host, policy, good] of hosts) {
  test(`Host ${host} is ${good ? 'taken' : 'refused'} when bound to ${policy.boundHost}`, () => {
    assert.equal(hostProblem(host === undefined ? {} : { host }, policy) === undefined, good);
  });
}

const own = { host: 'localhost:3000' };
const origins: [says: string, headers: Record<string, string>, verdict: string, method?: string][] = [
  ['a program without any headers', {}, 'own'],
  ["Node's fetch", { 'sec-fetch-mode': 'cors' }, 'own'],
  ['our own page', { origin: 'http://localhost:3000' }, 'own'],
  ['our own page behind TLS', { host: 'box.example', origin: 'https://box.example' }, 'own'],
  ['our own page with a default port spelt out', { host: 'box.example:443', origin: 'https://box.example' }, 'own'],
  ['a page on another port of this machine', { origin: 'http://localhost:8000' }, 'refused'],
  ['a page under another name of this machine', { origin: 'http://127.0.0.1:3000' }, 'refused'],
  ['a page of an allowed origin', { origin: 'https://app.example' }, 'allowed'],
  ['a page of an origin allowed with a slash', { origin: 'http://localhost:5173' }, 'allowed'],
  ['a page of files in an Electron program that allows these', { origin: 'file://' }, 'allowed'],
  ['a page of an evil origin', { origin: 'https://evil.example' }, 'refused'],
  ['a page whose origin begins like an allowed one', { origin: 'https://app.example.evil.example' }, 'refused'],
  ['a sandboxed page', { origin: 'null' }, 'refused'],
  ['a plain GET of our own page', { 'sec-fetch-site': 'same-origin', 'sec-fetch-mode': 'cors' }, 'own'],
  ['an address typed in', { 'sec-fetch-site': 'none', 'sec-fetch-mode': 'navigate', 'sec-fetch-dest': 'document' }, 'own'],
  ['an image in an evil page', { 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'no-cors', 'sec-fetch-dest': 'image' }, 'refused'],
  [
    'an image in a page on another port',
    { 'sec-fetch-site': 'same-site', 'sec-fetch-mode': 'no-cors', 'sec-fetch-dest': 'image' },
    'refused',
  ],
  ['a link followed from elsewhere', { 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'navigate', 'sec-fetch-dest': 'document' }, 'own'],
  ['a frame in an evil page', { 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'navigate', 'sec-fetch-dest': 'iframe' }, 'refused'],
  [
    'a form posted from elsewhere',
    { 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'navigate', 'sec-fetch-dest': 'document' },
    'refused',
    'POST',
  ],
];
for (const [says, headers, verdict, method = 'GET'] of origins) {
  test(`${says} is ${verdict}`, () => {
    assert.equal(judgeOrigin(method, { ...own, ...headers }, loopback).kind, verdict);
  });
}
