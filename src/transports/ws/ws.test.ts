import assert from 'node:assert/strict';
import { test } from 'node:test';
import { WebSocket } from 'ws';
import { eventually } from '../../../test/kit/eventually.ts';
import { fakeCaller } from '../../../test/kit/fake-operations.ts';
import { bearer, fakeToken, withFakeSidecar } from '../../../test/kit/fake-sidecar.ts';
import { rawSocket, upgradeText } from '../../../test/kit/raw-socket.ts';
import { OutriggerError } from '../../contract/errors.ts';

type Message = Record<string, unknown> & { id?: string; error?: { reason: string }; items?: unknown[] };

async function dial(
  port: number,
  headers: Record<string, string> = bearer,
  protocols: string[] = [],
): Promise<{ ws: WebSocket; got: Message[]; closed: Promise<number>; ask: (frame: object | string) => void }> {
  const ws = new WebSocket(`ws://127.0.0.1:${port}/rpc`, protocols, { headers });
  const got: Message[] = [];
  ws.on('message', (data) => got.push(JSON.parse(String(data)) as Message));
  const closed = new Promise<number>((resolve) => ws.once('close', resolve));
  await new Promise((resolve, reject) => {
    ws.once('open', resolve);
    ws.once('error', reject);
  });
  return { ws, got, closed, ask: (frame) => ws.send(typeof frame === 'string' ? frame : JSON.stringify(frame)) };
}

test('calls, streams and bytes share one socket', async () => {
  await withFakeSidecar(async ({ port }) => {
    const { ws, got, ask } = await dial(port);
    ask({ id: '1', method: 'echo.unary', params: { text: 'a' } });
    ask({ id: '2', method: 'items.count', params: { to: 2 }, stream: true });
    ask({ id: '3', method: 'items.count', params: { to: 2 } });
    ask({ id: '4', method: 'bytes.out', params: { path: 'a', length: 3 }, stream: true });
    ask({ id: '5', method: 'bytes.out', params: { path: 'a', length: 3 } });
    ask({ id: '6', method: 'bytes.in', params: { path: 'a' }, body: true });
    ask({ id: '6', bytes: 'AAECAw==' });
    ask({ id: '6', end: true });
    const ends = (id: string): Message[] => got.filter((message) => message.id === id);
    await eventually(() => got.filter((message) => 'ok' in message).length === 6);
    assert.deepEqual(ends('1'), [{ id: '1', ok: true, result: { text: 'a', who: 'Tester' } }]);
    const items = [
      { n: 1, cursor: '1' },
      { n: 2, cursor: '2' },
    ];
    assert.deepEqual(ends('2'), [
      { id: '2', items },
      { id: '2', ok: true, result: { total: 2 } },
    ]);
    assert.deepEqual(ends('3'), [{ id: '3', ok: true, result: { total: 2, items } }]);
    assert.deepEqual(ends('4')[0], { id: '4', bytes: 'AAEC' });
    assert.equal(ends('5').length, 1, 'facts only');
    assert.equal((ends('6')[0]?.['result'] as { length: number }).length, 4);
    ws.close();
  });
});

test('the token comes by header, cookie of our page, protocol or address', async () => {
  await withFakeSidecar(async ({ port }) => {
    const cookie = { cookie: `outrigger_test=${fakeToken}` };
    (await dial(port, bearer)).ws.close();
    (await dial(port, cookie)).ws.close();
    (await dial(port, { ...cookie, origin: `http://127.0.0.1:${port}` })).ws.close();
    const byProtocol = await dial(port, {}, ['outrigger', fakeToken]);
    assert.equal(byProtocol.ws.protocol, fakeToken);
    byProtocol.ws.close();
    const byAddress = await rawSocket(port, upgradeText(`/rpc?token=${fakeToken}`));
    await eventually(() => byAddress.received.startsWith('HTTP/1.1 101 '));
    byAddress.socket.destroy();
    for (const headers of [{}, { ...cookie, Origin: 'https://evil.example' }]) {
      const refused = await rawSocket(port, upgradeText('/rpc', headers));
      await refused.closed;
      assert.match(refused.received, /^HTTP\/1\.1 40[13] /);
    }
  });
});

test('the page of an allowed origin needs a token of its own: the cookie does not count', async () => {
  await withFakeSidecar(
    async ({ port }) => {
      const headers = { cookie: `outrigger_test=${fakeToken}`, origin: 'https://app.example' };
      await assert.rejects(dial(port, headers), /401/);
      (await dial(port, { ...headers, ...bearer })).ws.close();
    },
    { policy: { allowedOrigins: ['https://app.example'] } },
  );
});

test('junk is answered, a lot of it ends the socket', async () => {
  await withFakeSidecar(
    async ({ port, rpc }) => {
      const { got, closed, ask } = await dial(port);
      ask('junk');
      ask('y'.repeat(1500));
      await eventually(() => got.length === 2);
      for (const message of got) assert.deepEqual([message.id, message.error?.reason], [null, 'BAD_FRAME']);
      for (let n = 0; n < 4; n++) ask('junk');
      assert.equal(await closed, 1002);
      await eventually(() => rpc.connections === 0);
    },
    { limits: { maxFrameLength: 1000, maxBadFrames: 5 } },
  );
});

test('a request over the limit is answered so, and the connection goes on', async () => {
  await withFakeSidecar(
    async ({ port }) => {
      const { got, ask } = await dial(port);
      for (let n = 0; n < 10; n++) ask({ id: `n${n}`, method: 'echo.unary', params: { text: 'y'.repeat(1500) } });
      ask({ id: 'small', method: 'echo.unary', params: { text: 'y' } });
      await eventually(() => got.length === 11);
      assert.deepEqual(
        got.map(({ id, error }) => [id, error?.reason]),
        [...Array.from({ length: 10 }, (_, n) => [`n${n}`, 'INPUT_TOO_LARGE']), ['small', undefined]],
      );
    },
    { limits: { maxFrameLength: 1000, maxBadFrames: 5 } },
  );
});

test('a message far over the limit ends the socket', async () => {
  await withFakeSidecar(
    async ({ port }) => {
      const { closed, ask } = await dial(port);
      ask('y'.repeat(20_000));
      assert.equal(await closed, 1009);
    },
    { limits: { maxFrameLength: 1000 } },
  );
});

test('binary messages are no calls', async () => {
  await withFakeSidecar(async ({ port }) => {
    const { ws, got } = await dial(port);
    ws.send(Buffer.from('{"id":"1","method":"echo.unary"}'));
    await eventually(() => got.length === 1);
    assert.equal(got[0]?.error?.reason, 'BAD_FRAME');
    ws.close();
  });
});

test('an upload of which a piece can not be read fails, whatever the piece was', async () => {
  const line = Buffer.alloc(60).toString('base64');
  for (const piece of [
    Buffer.from('{"id":"u","bytes":"QUFB"}'),
    'y'.repeat(1500),
    { id: 'u', bytes: 'A'.repeat(1500) },
    { id: 'u', bytes: null },
    { id: 'u', bytes: `${line}\r\n${line}` },
  ]) {
    await withFakeSidecar(
      async ({ port, seen }) => {
        const { ws, got, ask } = await dial(port);
        ask({ id: 'u', method: 'bytes.in', params: { path: 'a' }, body: true });
        ask({ id: 'u', bytes: 'QUFB' });
        if (Buffer.isBuffer(piece)) ws.send(piece);
        else ask(piece);
        ask({ id: 'u', bytes: 'QkJC' });
        ask({ id: 'u', end: true });
        await eventually(() => seen.aborted.length === 1 && got.some(({ id }) => id === 'u'));
        assert.deepEqual(
          got.filter(({ id }) => id === 'u').map(({ error }) => error?.reason),
          ['BAD_FRAME'],
        );
        ws.close();
      },
      { limits: { maxFrameLength: 1000 } },
    );
  }
});

test('a caller that goes ends what it asked for', async () => {
  await withFakeSidecar(async ({ port, seen }) => {
    const { ws, ask } = await dial(port);
    ask({ id: '1', method: 'slow.wait', params: { mark: 'one' } });
    ask({ id: '2', method: 'items.endless', params: {}, stream: true });
    await eventually(() => seen.running === 2);
    ws.terminate();
    await eventually(() => seen.running === 0);
    assert.deepEqual(
      seen.aborted.map(({ reason }) => reason),
      ['CONNECTION_LOST', 'CONNECTION_LOST'],
    );
  });
});

test('a caller that does not read is not read from either, and costs no memory (long form)', async () => {
  await withFakeSidecar(
    async ({ port, seen }) => {
      const { ws, ask } = await dial(port);
      ws.pause();
      // Long questions, so that few of them are read at a time.
      const padding = 'x'.repeat(8000);
      for (let n = 0; n < 400; n++) ask({ id: String(n), method: 'big.output', params: { length: 200_000, padding } });
      await eventually(async () => {
        const before = seen.log.length;
        await new Promise((resolve) => setTimeout(resolve, 100));
        return before > 0 && before === seen.log.length;
      }, 10_000);
      assert.ok(seen.log.length < 300, `${seen.log.length} of 400 calls were answered`);
      ws.resume();
      await eventually(() => seen.log.length === 400, 10_000);
      ws.close();
    },
    { limits: { pauseAboveBytes: 200_000 } },
  );
});

test('a token that is revoked ends its sockets with 4401, for good', async () => {
  const ending = new AbortController();
  const token = 'a-token-that-will-be-revoked';
  await withFakeSidecar(
    async ({ port, seen }) => {
      const { closed, ask } = await dial(port, { authorization: `Bearer ${token}` });
      ask({ id: '1', method: 'slow.wait', params: { mark: 'revoked' } });
      await eventually(() => seen.running === 1);
      ending.abort(new OutriggerError('TOKEN_REVOKED', 'That token was revoked.'));
      assert.equal(await closed, 4401);
      await eventually(() => seen.running === 0);
      assert.deepEqual(seen.aborted, [{ mark: 'revoked', reason: 'TOKEN_REVOKED' }]);
    },
    { callers: { [token]: { ...fakeCaller, ended: ending.signal } } },
  );
});

test('events reach those who may hear them', async () => {
  await withFakeSidecar(async ({ port, rpc }) => {
    const { ws, got } = await dial(port);
    assert.deepEqual(rpc.broadcast('news', { n: 1 }), { sent: 1, lost: 0 });
    assert.deepEqual(
      rpc.broadcast('secret', {}, (caller) => caller.name === 'Other'),
      { sent: 0, lost: 0 },
    );
    await eventually(() => got.length === 1);
    assert.deepEqual(got, [{ event: 'news', data: { n: 1 } }]);
    ws.close();
  });
});
