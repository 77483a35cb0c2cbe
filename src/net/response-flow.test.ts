import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import { rawSocket } from '../../test/kit/raw-socket.ts';
import { OutriggerError } from '../contract/errors.ts';
import { callerSignal, sendBody, writable } from './response-flow.ts';

test('a reader that takes nothing for two minutes is given up, and its call is canceled', async (t) => {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const reader = await rawSocket((server.address() as AddressInfo).port);
  try {
    reader.socket.pause();
    reader.socket.write('GET / HTTP/1.1\r\nHost: localhost\r\n\r\n');
    const [, response] = (await once(server, 'request')) as [unknown, ServerResponse];
    const signal = callerSignal(response);
    t.mock.timers.enable({ apis: ['setTimeout'] });
    response.write(Buffer.alloc(16 * 1024 * 1024));
    const room = writable(response);
    t.mock.timers.tick(119_999);
    assert.equal(response.destroyed, false);
    t.mock.timers.tick(1);
    assert.equal(response.destroyed, true);
    const isCanceled = (error: unknown): boolean => error instanceof OutriggerError && error.reason === 'CANCELED';
    await assert.rejects(room, isCanceled);
    if (!signal.aborted) await once(signal, 'abort');
    assert.ok(isCanceled(signal.reason));
  } finally {
    reader.socket.destroy();
    server.close();
  }
});

test('no more of a body is written than was announced, and one of another length throws', async () => {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  async function* parts(...texts: string[]): AsyncGenerator<Uint8Array> {
    for (const text of texts) yield Buffer.from(text);
  }
  const sent = async (length: number, ...texts: string[]): Promise<string> => {
    const reader = await rawSocket(
      (server.address() as AddressInfo).port,
      'GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n',
    );
    const [, response] = (await once(server, 'request')) as [unknown, ServerResponse];
    response.writeHead(200, Number.isNaN(length) ? {} : { 'content-length': length });
    const problem = await sendBody(response, parts(...texts), length).then(
      () => '',
      (error: OutriggerError) => {
        response.destroy();
        return ` ${error.reason}`;
      },
    );
    await reader.closed;
    return reader.received.split('\r\n\r\n').slice(1).join('|') + problem;
  };
  try {
    assert.equal(await sent(6, 'abc', 'def'), 'abcdef');
    assert.match(await sent(6, 'abc', 'defg'), /^(abc)? INTERNAL$/);
    assert.match(await sent(6, 'abc', 'def', 'g'), /^(abc(def)?)? INTERNAL$/);
    assert.match(await sent(6, 'abc'), /^(abc)? INTERNAL$/);
    assert.match(await sent(Number.NaN, 'abc', 'd'), /abc[^]*d/);
  } finally {
    server.close();
  }
});
