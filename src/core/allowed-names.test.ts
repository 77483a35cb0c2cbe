import assert from 'node:assert/strict';
import { test } from 'node:test';
import { allowedHostProblem, allowedOriginProblem } from './allowed-names.ts';

test('names of hosts as a Host header has them are fine, and all names below one', () => {
  for (const entry of [
    '*',
    'example.com',
    '.example.com',
    'App.Example.com',
    'localhost',
    '10.0.0.1',
    '2001:db8::1',
    'a_b',
    'xn--bcher-kva.example',
  ])
    assert.equal(allowedHostProblem(entry), undefined, entry);
});

test('what no Host header could match is told with what was meant', () => {
  const cases: [entry: string, meant: string][] = [
    ['https://app.example.com', 'app.example.com'],
    ['https://app.example.com:8443/x?y', 'app.example.com'],
    ['app.example.com:8443', 'app.example.com'],
    ['*.example.com', '.example.com'],
    ['example.com.', 'example.com'],
    ['example.com/path', 'example.com'],
    ['[2001:db8::1]', '2001:db8::1'],
    ['[2001:db8::1]:80', '2001:db8::1'],
    ['bücher.example', 'xn--bcher-kva.example'],
  ];
  for (const [entry, meant] of cases) assert.equal(allowedHostProblem(entry), `"${entry}" would match no host; write "${meant}".`);
  for (const entry of ['', '.', 'a b', '*.', 'a..b c']) assert.match(allowedHostProblem(entry) ?? '', /is no name of a host/, entry);
});

test('origins as an Origin header has them are fine', () => {
  for (const entry of [
    '*',
    'null',
    'https://example.com',
    'HTTPS://Example.com/',
    'http://localhost:3000',
    'vscode-webview://abc',
    'chrome-extension://abc/',
    'file://',
  ])
    assert.equal(allowedOriginProblem(entry), undefined, entry);
});

test('what no Origin header could match is told with what was meant', () => {
  const cases: [entry: string, meant: string][] = [
    ['https://example.com/app', 'https://example.com'],
    ['https://example.com:443', 'https://example.com'],
    ['http://[::1]:80', 'http://[::1]'],
    ['https://bücher.example', 'https://xn--bcher-kva.example'],
    ['https://user@example.com', 'https://example.com'],
  ];
  for (const [entry, meant] of cases) assert.equal(allowedOriginProblem(entry), `"${entry}" would match no origin; write "${meant}".`);
  for (const entry of ['example.com', 'localhost:3000', 'https://', '', 'http://a b'])
    assert.match(allowedOriginProblem(entry) ?? '', /is no origin, such as "https:\/\/example\.com"/, entry);
});
