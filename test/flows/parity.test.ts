import assert from 'node:assert/strict';
import { PassThrough } from 'node:stream';
import { describe, test } from 'node:test';
import { type Client, createClient } from '../../src/client/client.ts';
import { OutriggerError, type WireError } from '../../src/contract/errors.ts';
import { createJsonCodec } from '../../src/core/json-codec.ts';
import { nodeBase64 } from '../../src/net/base64.ts';
import { lineSocket, serveStdio } from '../../src/transports/stdio/stdio.ts';
import { serveRpc } from '../../src/transports/rpc/rpc.ts';
import { eventually } from '../kit/eventually.ts';
import { countingBytes, fakeCaller, type FakeTable, sha256 } from '../kit/fake-operations.ts';
import { type FakeSidecar, fakeToken, withFakeSidecar } from '../kit/fake-sidecar.ts';
import { linkToHub } from '../kit/linked-hub.ts';
import { dispatchDriver, type Driver, gathered, peerDriver } from '../kit/parity.ts';

const refuse = (): Promise<never> => Promise.reject(new OutriggerError('NO_OPERATION', 'Nothing is offered here.'));

function clientDriver(name: string, client: Client<FakeTable>): Driver {
  type Name = keyof FakeTable;
  return {
    name,
    call: (operation, input, options) => client.call(operation as Name, input as never, options),
    stream(operation, input, options) {
      const stream = client.stream(operation as Name, input as never, options);
      return { items: stream, end: stream.end };
    },
    upload: (operation, input, bytes, options) => client.upload(operation as Name, input as never, bytes, options),
    async download(operation, input, options) {
      const { output, bytes } = await client.download(operation as Name, input as never, options);
      return { output, bytes: await gathered(bytes) };
    },
  };
}

/** Every way in at once, on one set of fakes. */
async function withDrivers(run: (drivers: Driver[], sidecar: FakeSidecar) => Promise<void>): Promise<void> {
  await withFakeSidecar(async (sidecar) => {
    const { url, dispatch } = sidecar;
    const overHttp = createClient<FakeTable>({ url, token: fakeToken, webSocket: undefined });
    const overSocket = createClient<FakeTable>({ url, token: fakeToken });

    const toChild = new PassThrough();
    const fromChild = new PassThrough();
    const child = serveStdio({ dispatch, input: toChild, output: fromChild, caller: fakeCaller });
    const hostSocket = lineSocket(fromChild, toChild, { maxLineBytes: 1e8, drainMs: 0, idle: () => Promise.resolve() });
    const host = serveRpc(hostSocket, {
      dispatch: refuse,
      codec: createJsonCodec<WireError>(nodeBase64),
      caller: fakeCaller,
      transport: 'host',
      connectionId: 'host',
      idPrefix: 'h',
      limits: { maxFrameLength: 1e8 },
    });

    const linked = await linkToHub(dispatch);
    const drivers = [
      dispatchDriver(dispatch, fakeCaller),
      clientDriver('HTTP', overHttp),
      clientDriver('WebSocket RPC', overSocket),
      peerDriver('stdio', host),
      peerDriver('hub link, called in reverse', linked.peer),
    ];
    try {
      await run(drivers, sidecar);
    } finally {
      overHttp.close();
      overSocket.close();
      child.close();
      hostSocket.close(0, 'over');
      await linked.close();
    }
  });
}

/** What may differ between ways in: who calls, and the ids of requests. */
function plain(value: unknown): unknown {
  const { who: _, ...rest } = JSON.parse(JSON.stringify(value)) as { who?: string };
  return rest;
}

async function outcome(run: () => Promise<unknown>): Promise<unknown> {
  try {
    return { answer: plain(await run()) };
  } catch (error) {
    assert.ok(error instanceof OutriggerError, String(error));
    return {
      error: {
        code: error.code,
        reason: error.reason,
        message: error.message.replace(/request \S+/, 'request …'),
        details: error.details ?? null,
      },
    };
  }
}

async function same(run: (driver: Driver) => Promise<unknown>, expected: unknown): Promise<void> {
  await withDrivers(async (drivers) => {
    for (const driver of drivers) assert.deepEqual(await outcome(() => run(driver)), expected, driver.name);
  });
}

const known = { error: { code: 'not_found', reason: 'FILE_NOT_FOUND', message: 'There is no such file.', details: { path: 'a/b' } } };
const numbers = (count: number): { n: number; cursor: string }[] =>
  Array.from({ length: count }, (_, at) => ({ n: at + 1, cursor: String(at + 1) }));

describe('every way in gives', () => {
  test('the same answer', () =>
    same((driver) => driver.call('echo.unary', { text: 'häß', count: 3, names: ['a'] }), {
      answer: { text: 'häß', count: 3, names: ['a'] },
    }));

  test('the same large answer', () =>
    same(async (driver) => ({ length: ((await driver.call('big.output', { length: 1_300_000 })) as { text: string }).text.length }), {
      answer: { length: 1_300_000 },
    }));

  test('the same items, gathered', () =>
    same((driver) => driver.call('items.count', { to: 50 }), { answer: { total: 50, items: numbers(50) } }));

  test('the same items, streamed, and the same end', () =>
    same(
      async (driver) => {
        const { items, end } = driver.stream('items.count', { to: 500 });
        const all: unknown[] = [];
        for await (const item of items) all.push(item);
        return { items: all, end: await end };
      },
      { answer: { items: numbers(500), end: { total: 500 } } },
    ));

  test('the same items before the same failure', () =>
    same(async (driver) => {
      const { items, end } = driver.stream('fail.known', { after: 3 });
      const all: unknown[] = [];
      const reading = (async () => {
        for await (const item of items) all.push(item);
      })();
      await reading.catch(() => undefined);
      await end.catch(() => undefined);
      assert.deepEqual(all, [{ n: 1 }, { n: 2 }, { n: 3 }], driver.name);
      await end;
    }, known));

  const failures: [says: string, name: string, input: object, error: object][] = [
    ['error that the operation declares', 'fail.known', {}, known.error],
    [
      'error for what is not ours',
      'fail.unknown',
      {},
      { code: 'internal', reason: 'INTERNAL', message: 'Something failed inside; the log has it under request …', details: null },
    ],
    [
      'error for an unknown operation',
      'no.such',
      {},
      { code: 'unimplemented', reason: 'NO_OPERATION', message: 'There is no operation "no.such".', details: null },
    ],
    [
      'error for a stream that is not asked for as one',
      'items.endless',
      {},
      { code: 'invalid_argument', reason: 'STREAM_ONLY', message: 'items.endless is a stream without an end.', details: null },
    ],
    [
      'error for a bad input',
      'echo.unary',
      { count: 'x' },
      {
        code: 'invalid_argument',
        reason: 'BAD_INPUT',
        message: 'Bad input for echo.unary: count: Invalid input: expected number, received string.',
        details: { issues: [{ at: 'count', problem: 'Invalid input: expected number, received string' }] },
      },
    ],
    [
      'error for an answer over the limit',
      'big.output',
      { length: 9_000_000 },
      {
        code: 'resource_exhausted',
        reason: 'OUTPUT_TOO_LARGE',
        message: 'The answer of big.output is larger than 8388608 bytes.',
        details: null,
      },
    ],
  ];
  for (const [says, name, input, error] of failures) test(`the same ${says}`, () => same((driver) => driver.call(name, input), { error }));

  test('bytes the same room inwards', () => {
    const bytes = countingBytes(2_000_003);
    async function* chunks(): AsyncGenerator<Uint8Array, void> {
      for (let at = 0; at < bytes.length; at += 300_000) yield bytes.slice(at, at + 300_000);
    }
    return same((driver) => driver.upload('bytes.in', { path: 'a', tag: 't' }, chunks()), {
      answer: { path: 'a', tag: 't', length: bytes.length, hash: sha256(bytes), created: true },
    });
  });

  test('the same refusal of bytes', () => {
    async function* chunks(): AsyncGenerator<Uint8Array, void> {
      yield countingBytes(10);
    }
    return same((driver) => driver.upload('bytes.in', { path: 'a', refuse: true }, chunks()), {
      error: { code: 'failed_precondition', reason: 'ETAG_MISMATCH', message: 'The file changed meanwhile.', details: null },
    });
  });

  test('the same bytes outwards', () =>
    same(
      async (driver) => {
        const { output, bytes } = await driver.download('bytes.out', { path: 'a', length: 1_500_001 });
        return { output, hash: sha256(bytes) };
      },
      {
        answer: {
          output: { path: 'a', length: 1_500_001, mimeType: 'application/x-counting', unchanged: false },
          hash: sha256(countingBytes(1_500_001)),
        },
      },
    ));

  test('the same error in place of bytes', () =>
    same((driver) => driver.download('bytes.out', { path: 'missing' }), { error: { ...known.error, details: null } }));
});

describe('over every way in', () => {
  test('a canceled call reaches the handler', async () => {
    await withDrivers(async (drivers, { seen }) => {
      for (const driver of drivers) {
        const controller = new AbortController();
        const call = outcome(() => driver.call('slow.wait', { mark: driver.name }, { signal: controller.signal }));
        await eventually(() => seen.running === 1);
        controller.abort();
        const { error } = (await call) as { error: { reason: string } };
        assert.equal(error.reason, 'CANCELED', driver.name);
        await eventually(() => seen.running === 0);
        assert.equal(seen.aborted.at(-1)?.mark, driver.name);
      }
    });
  });

  test('a reader that leaves a stream ends it', async () => {
    await withDrivers(async (drivers, { seen }) => {
      for (const driver of drivers) {
        const { items, end } = driver.stream('items.endless', {});
        end.catch(() => undefined);
        let count = 0;
        for await (const item of items) {
          assert.equal((item as { n: number }).n, ++count, driver.name);
          if (count === 20) break;
        }
        await eventually(() => seen.running === 0);
        assert.equal(seen.aborted.length, drivers.indexOf(driver) + 1, driver.name);
      }
    });
  });
});
