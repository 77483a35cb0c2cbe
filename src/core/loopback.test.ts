import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isLoopback } from './loopback.ts';

test('this machine is known by its names and addresses, and no other host by what its name begins with', () => {
  for (const host of ['localhost', 'a.localhost', '127.0.0.1', '127.255.1.2', '::1', '[::1]']) assert.equal(isLoopback(host), true, host);
  for (const host of [
    '127.hub.example.org',
    '127.0.0.1.example.org',
    '127.1',
    'localhost.example.org',
    'xlocalhost',
    '10.0.0.1',
    '::2',
    '0.0.0.0',
    '',
  ])
    assert.equal(isLoopback(host), false, host);
});
