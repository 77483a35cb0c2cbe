import assert from 'node:assert/strict';
import http from 'node:http';
import { test } from 'node:test';
import { eventually } from '../../test/kit/eventually.ts';
import { rawSocket } from '../../test/kit/raw-socket.ts';
import { createHttpApp } from './http-app.ts';
import { Listener, type ListenerOptions, urlHost } from './listener.ts';

async function withListener(options: Partial<ListenerOptions>, run: (listener: Listener, port: number) => Promise<void>): Promise<void> {
  const listener = new Listener({ host: '127.0.0.1', port: 0, ...options });
  const listening = await listener.bind();
  assert.ok(listening.ok);
  try {
    await run(listener, listening.port);
  } finally {
    await listener.close();
  }
}

test('a port that is taken is an answer, and the next free one is found when asked', async () => {
  await withListener({}, async (_first, port) => {
    const second = new Listener({ host: '127.0.0.1', port });
    const outcome = await second.bind();
    assert.deepEqual([outcome.ok, !outcome.ok && outcome.reason, outcome.port], [false, 'EADDRINUSE', port]);
    await second.close();
    const third = new Listener({ host: '127.0.0.1', port, nextPorts: 50 });
    const found = await third.bind();
    assert.ok(found.ok && found.port > port && found.port <= port + 50);
    assert.equal(found.url, `http://127.0.0.1:${found.port}`);
    await third.close();
  });
});

test('closing lets an answer under way end, closes idle connections at once and takes no new ones', async () => {
  await withListener({}, async (listener, port) => {
    let finish: () => void = () => undefined;
    listener.onRequest((_request, response) => {
      finish = () => response.end('whole');
      response.write('begun, ');
    });
    const idle = await rawSocket(port);
    const busy = await rawSocket(port, 'GET / HTTP/1.1\r\nHost: localhost\r\n\r\n');
    await eventually(() => busy.received.includes('begun'));
    const closing = listener.close(5000);
    await assert.rejects(fetch(`http://127.0.0.1:${port}/`));
    finish();
    await busy.closed;
    assert.ok(busy.received.includes('whole'));
    idle.socket.destroy();
    await closing;
  });
});

test('what has not ended after the grace is cut', async () => {
  await withListener({}, async (listener, port) => {
    listener.onRequest((_request, response) => response.write('never ends'));
    const busy = await rawSocket(port, 'GET / HTTP/1.1\r\nHost: localhost\r\n\r\n');
    await eventually(() => busy.received.includes('never ends'));
    await listener.close(20);
    await busy.closed;
    assert.equal(listener.connections, 0);
  });
});

test('a head that does not come whole in time is refused', async () => {
  await withListener({ headersTimeoutMs: 200 }, async (_listener, port) => {
    const slow = await rawSocket(port, 'GET / HTTP/1.1\r\nHost: local');
    await slow.closed;
    assert.match(slow.received, /^(HTTP\/1\.1 408 |$)/);
  });
});

test('a head of more than 64 KiB is refused, and its connection closed', async () => {
  await withListener({}, async (listener, port) => {
    listener.onRequest((_request, response) => response.end('taken'));
    const head = (length: number): string => `GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nX: ${'x'.repeat(length)}\r\n\r\n`;
    const fits = await rawSocket(port, head(63 * 1024));
    await fits.closed;
    assert.match(fits.received, /^HTTP\/1\.1 200 [\s\S]*taken$/);
    const long = await rawSocket(port, head(64 * 1024).replace('close', 'keep-alive'));
    await eventually(() => assert.match(long.received, /^HTTP\/1\.1 431 /));
    await long.closed;
  });
});

test('a body that stops coming ends the connection; an answer that takes its time does not', async () => {
  await withListener({ idleTimeoutMs: 150 }, async (listener, port) => {
    listener.onRequest((request, response) => {
      if (request.url === '/slow') setTimeout(() => response.end('late'), 500);
      else request.resume();
    });
    const stuck = await rawSocket(port, 'POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\nsome');
    const slow = await rawSocket(port, 'GET /slow HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n');
    await Promise.all([stuck.closed, slow.closed]);
    assert.ok(!stuck.received.includes('200'));
    assert.ok(slow.received.includes('late'));
  });
});

test('an answer that goes out before its body has come closes the connection; others keep it', async () => {
  await withListener({}, async (listener, port) => {
    const asked: (string | undefined)[] = [];
    listener.onRequest((request, response) => {
      asked.push(request.url);
      if (request.url === '/read') request.resume().once('end', () => response.end('read'));
      else response.end('refused');
    });
    const next = 'GET /next HTTP/1.1\r\nHost: localhost\r\n\r\n';
    // What was sent behind it is not answered, and so not done.
    const behind = await rawSocket(port, `PUT / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4\r\n\r\nbody${next}`);
    await behind.closed;
    assert.deepEqual([behind.received.split('HTTP/1.1 200').length, asked], [2, ['/']]);
    for (const framing of ['Content-Length: 100', 'Transfer-Encoding: chunked']) {
      const early = await rawSocket(port, `PUT / HTTP/1.1\r\nHost: localhost\r\n${framing}\r\n\r\n`, true);
      await eventually(() => assert.match(early.received, /^HTTP\/1\.1 200 [\s\S]*\r\nConnection: close\r\n[\s\S]*refused$/));
      early.socket.destroy();
    }
    const kept = await rawSocket(port, `PUT /read HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4\r\n\r\nbody${next}${next}`);
    await eventually(() => assert.match(kept.received, /read[\s\S]*refused[\s\S]*refused$/));
    assert.doesNotMatch(kept.received, /close/);
    kept.socket.destroy();
  });
});

test('connections beyond the most are turned away', async () => {
  await withListener({ maxConnections: 2 }, async (listener, port) => {
    const kept = [await rawSocket(port), await rawSocket(port)];
    const third = await rawSocket(port);
    await third.closed;
    assert.equal(listener.connections, 2);
    for (const { socket } of kept) socket.destroy();
  });
});

test('what makes no sense is answered, but not in the middle of the answer to what came before', () =>
  withListener({}, async (listener, port) => {
    const app = createHttpApp(
      { listener, policy: () => ({ boundHost: '127.0.0.1', allowedHosts: [], allowedOrigins: [] }), onError: assert.fail },
      { maxInputBytes: 1000 },
    );
    app.get('/slow', (_request, reply) => void reply.hijack().raw.write('begun'));
    await app.ready();
    const alone = await rawSocket(port, 'no sense\r\n\r\n');
    await alone.closed;
    assert.match(alone.received, /^HTTP\/1\.1 400 /);
    const homeless = await rawSocket(port, 'GET /slow HTTP/1.1\r\nConnection: close\r\n\r\n');
    await homeless.closed;
    assert.match(homeless.received, /^HTTP\/1\.1 400 .*"message":"A request of HTTP\/1\.1 names its Host\."/s);
    const behind = await rawSocket(port, 'GET /slow HTTP/1.1\r\nHost: localhost\r\n\r\n');
    await eventually(() => behind.received.includes('begun'));
    behind.socket.write('no sense\r\n\r\n');
    await behind.closed;
    assert.doesNotMatch(behind.received, /400/);
  }));

test('a request that names the whole address is one for its path, at the host that it names', () =>
  withListener({}, async (listener, port) => {
    const seen: unknown[] = [];
    listener.onRequest((request, response) => {
      seen.push([request.url, request.headers.host]);
      response.end();
    });
    const paths = ['http://a.test/api/x?y=http://b', 'HTTPS://u@a.test:80', 'http://a.test?q', '/http://a.test/x', '*'];
    for (const target of paths)
      await new Promise((resolve, reject) => {
        const request = http.request({ port, path: target, method: target === '*' ? 'OPTIONS' : 'GET', headers: { host: 'h' } }, (answer) =>
          answer.resume().once('end', resolve),
        );
        request.once('error', reject).end();
      });
    assert.deepEqual(seen, [
      ['/api/x?y=http://b', 'a.test'],
      ['/', 'a.test:80'],
      ['/?q', 'a.test'],
      ['/http://a.test/x', 'h'],
      ['*', 'h'],
    ]);
    const upgraded = new Promise((resolve) =>
      listener.onUpgrade((request, socket) => {
        resolve([request.url, request.headers.host]);
        socket.destroy();
      }),
    );
    const headers = { host: 'h', connection: 'upgrade', upgrade: 'websocket' };
    http
      .request({ port, path: 'http://a.test/rpc', headers })
      .on('error', () => undefined)
      .end();
    assert.deepEqual(await upgraded, ['/rpc', 'a.test']);
  }));

test('an upgrade that is none to a WebSocket is passed over and answered as HTTP', async () => {
  await withListener({}, async (listener, port) => {
    listener.onUpgrade((_request, socket) => socket.destroy());
    listener.onRequest((_request, response) => response.end('plain'));
    const one = await rawSocket(port, 'GET / HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade, close\r\nUpgrade: h2c\r\n\r\n');
    await eventually(() => one.received.includes('plain'));
    one.socket.destroy();
  });
});

test('an address is taken with the brackets that it has in URLs', async () => {
  const listener = new Listener({ host: '[::1]', port: 0 });
  const listening = await listener.bind();
  // Not every machine has it.
  if (listening.ok) assert.equal(listening.url, `http://[::1]:${listening.port}`);
  else assert.equal(listening.reason, 'EADDRNOTAVAIL');
  await listener.close();
});

test('the URL of a wildcard address is one that can be opened', () => {
  assert.deepEqual(['0.0.0.0', '::', 'fd00::1', 'box'].map(urlHost), ['127.0.0.1', '[::1]', '[fd00::1]', 'box']);
});
