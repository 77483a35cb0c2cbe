import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { ManualTimers, peerPair, reasonOf, rejection } from '../../test/kit/peer-pair.ts';
import { anyFrames, lostPieces, mixedCalls } from '../../test/kit/peer-properties.ts';
import { testSeed } from '../../test/kit/seed.ts';
import { OutriggerError, type WireError } from '../contract/errors.ts';
import type { Codec, Frame } from '../contract/wire.ts';
import { createJsonCodec } from './json-codec.ts';
import type { PeerRequest } from './peer.ts';
import type { PeerCodec } from './peer-frame.ts';
import { maxBytesLength, windowFrames } from './peer-stream.ts';

const seed = testSeed();
const never = new Promise<never>(() => undefined);
const aborted = (signal: AbortSignal): Promise<void> =>
  new Promise((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));

async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const item of items) all.push(item);
  return all;
}

const takeAll = async (request: PeerRequest): Promise<unknown> => {
  for await (const chunk of request.body ?? []) void chunk;
  return 'whole';
};
/** The ends of calls that were sent. */
const ends = (sent: readonly Record<string, unknown>[]): string[] =>
  sent
    .filter((frame) => 'ok' in frame)
    .map((frame) => `${String(frame['id'])} ${(frame['error'] as WireError | undefined)?.reason ?? 'ok'}`);

describe('a call', () => {
  test('is answered in either direction over one connection', async () => {
    const echo = (side: string) => async (request: PeerRequest) => ({ side, method: request.method, params: request.params });
    const { left, right } = peerPair({ left: echo('left'), right: echo('right') });
    assert.deepEqual(await left.peer.call('a', { n: 1 }).result, { side: 'right', method: 'a', params: { n: 1 } });
    assert.deepEqual(await right.peer.call('b', null).result, { side: 'left', method: 'b', params: null });
    assert.equal(left.peer.waiting + right.peer.waiting + left.peer.running + right.peer.running, 0);
  });

  test('fails with what the handler threw, as the wire has it', async () => {
    const { left } = peerPair({
      right: () => Promise.reject(new OutriggerError('FILE_NOT_FOUND', 'No such file.', { details: { path: 'a' } })),
    });
    await assert.rejects(left.peer.call('a', {}).result, (error: OutriggerError) => {
      assert.equal(error.reason, 'FILE_NOT_FOUND');
      assert.equal(error.message, 'No such file.');
      assert.deepEqual(error.details, { path: 'a' });
      return true;
    });
  });

  test('whose handler throws what is not ours says nothing about it', async () => {
    const { left, right } = peerPair({ right: () => Promise.reject(new Error('secret')) });
    assert.equal(await rejection(left.peer.call('a', {}).result), 'INTERNAL');
    assert.ok(!JSON.stringify(right.sent).includes('secret'));
  });

  test('with an answer that JSON can not hold fails instead of hanging', async () => {
    const { left } = peerPair({ right: async () => ({ n: 10n }) });
    assert.equal(await rejection(left.peer.call('a', {}).result), 'INTERNAL');
  });

  test('that fails with what JSON can not hold fails all the same', async () => {
    const { left } = peerPair({
      right: () => Promise.reject(new OutriggerError('FILE_NOT_FOUND', 'No such file.', { details: { n: 10n } as never })),
    });
    assert.equal(await rejection(left.peer.call('a', {}).result), 'INTERNAL');
  });

  test('with an answer over the limit says so', async () => {
    const { left } = peerPair({ right: async () => 'x'.repeat(5000), limits: { maxSendLength: 4000 } });
    assert.equal(await rejection(left.peer.call('a', {}).result), 'OUTPUT_TOO_LARGE');
  });

  test('over the limit is refused before it is sent', async () => {
    const { left } = peerPair({ right: async () => 'ok', limits: { maxSendLength: 4000 } });
    assert.equal(await rejection(left.peer.call('a', 'x'.repeat(5000)).result), 'INPUT_TOO_LARGE');
    assert.equal(left.sent.length, 0);
  });

  test('beyond the number of requests in flight is refused', async () => {
    const { left, quiet } = peerPair({ right: () => never, limits: { maxRequests: 3 } });
    const calls = [1, 2, 3].map(() => left.peer.call('wait', {}));
    assert.equal(await rejection(left.peer.call('wait', {}).result), 'TOO_MANY');
    for (const call of calls) call.cancel();
    await quiet();
    // A handler that does not heed its signal still takes its place.
    assert.equal(await rejection(left.peer.call('wait', {}).result), 'TOO_MANY');
  });

  test('with an id in flight is refused, and the first one is answered all the same', async () => {
    let answer: (value: unknown) => void = () => undefined;
    const { right, quiet } = peerPair({ right: () => new Promise((resolve) => (answer = resolve)) });
    right.peer.receive('{"id":"x","method":"a","params":{}}');
    right.peer.receive('{"id":"x","method":"b","params":{}}');
    await quiet();
    assert.deepEqual(
      right.sent.map((frame) => [frame['id'], (frame['error'] as WireError | undefined)?.reason]),
      [['x', 'DUPLICATE_ID']],
    );
    answer('first');
    await quiet();
    assert.deepEqual(right.sent[1], { id: 'x', ok: true, result: 'first' });
  });

  test('may use an id again once its request has ended', async () => {
    const { right, quiet } = peerPair({ right: async (request) => request.method });
    right.peer.receive('{"id":"x","method":"a"}');
    await quiet();
    right.peer.receive('{"id":"x","method":"b"}');
    await quiet();
    assert.deepEqual(
      right.sent.map((frame) => frame['result']),
      ['a', 'b'],
    );
  });
});

describe('cancel', () => {
  test("reaches the handler's signal, and its late answer is dropped", async () => {
    let late: (value: unknown) => void = () => undefined;
    let reason: unknown;
    const { left, right, quiet } = peerPair({
      right: async (request) => {
        await aborted(request.signal);
        reason = request.signal.reason;
        return new Promise((resolve) => (late = resolve));
      },
    });
    const call = left.peer.call('wait', {});
    await quiet();
    call.cancel();
    assert.equal(await rejection(call.result), 'CANCELED');
    await quiet();
    assert.equal(reasonOf(reason), 'CANCELED');
    late('too late');
    await quiet();
    assert.equal(right.sent.length, 1, 'one end: the error');
    assert.equal(right.peer.running, 0);
  });

  test('by the abort of a signal, also of one aborted before', async () => {
    const { left } = peerPair({ right: () => never });
    const controller = new AbortController();
    const call = left.peer.call('wait', {}, { signal: controller.signal });
    controller.abort();
    assert.equal(await rejection(call.result), 'CANCELED');
    const count = left.sent.length;
    assert.equal(await rejection(left.peer.call('wait', {}, { signal: controller.signal }).result), 'CANCELED');
    assert.equal(left.sent.length, count);
  });

  test('by leaving a loop over items', async () => {
    let made = 0;
    const { left, quiet } = peerPair({
      right: async (request) => {
        while (!request.signal.aborted) {
          made++;
          await request.emit(made);
          await new Promise((resolve) => setImmediate(resolve));
        }
        return 'ended';
      },
    });
    const call = left.peer.call('count', {}, { stream: true });
    for await (const item of call.items) if (item === 5) break;
    assert.equal(await rejection(call.result), 'CANCELED');
    await quiet();
    const madeThen = made;
    await quiet();
    assert.equal(made, madeThen, 'the handler has stopped');
  });
});

describe('a deadline', () => {
  test('ends the call on both sides and aborts the handler', async () => {
    const timers = new ManualTimers();
    const reasons: string[] = [];
    const { left, right, quiet } = peerPair({
      timers,
      right: async (request) => {
        await aborted(request.signal);
        reasons.push(reasonOf(request.signal.reason));
        return 'too late';
      },
    });
    const call = left.peer.call('wait', {}, { timeoutMs: 500 });
    await quiet();
    timers.advance(499);
    assert.equal(left.peer.waiting, 1);
    timers.advance(2);
    assert.equal(await rejection(call.result), 'DEADLINE');
    await quiet();
    assert.deepEqual(reasons, ['DEADLINE']);
    assert.equal(right.sent.length, 1);
    assert.equal(timers.pending, 0);
  });

  test('that is over is not sent, and ends the call at once; one without an end is none', async () => {
    const timers = new ManualTimers();
    const { left, quiet } = peerPair({ timers, right: async () => 'answered' });
    for (const timeoutMs of [0, -1, Number.NaN]) assert.equal(await rejection(left.peer.call('a', {}, { timeoutMs }).result), 'DEADLINE');
    await quiet();
    assert.deepEqual([left.sent.length, left.peer.waiting], [0, 0]);
    const call = left.peer.call('a', {}, { timeoutMs: Number.POSITIVE_INFINITY });
    assert.equal(timers.pending, 0);
    assert.equal(await call.result, 'answered');
  });

  test('of the request alone is kept by the side that answers', async () => {
    const timers = new ManualTimers();
    const { right, quiet } = peerPair({ timers, right: () => never });
    right.peer.receive('{"id":"1","method":"wait","deadlineMs":50}');
    timers.advance(50);
    await quiet();
    assert.equal((right.sent[0]?.['error'] as WireError).reason, 'DEADLINE');
  });
});

describe('keepalives', () => {
  test('come while nothing else does, at most once a second, and end with the request', async () => {
    const timers = new ManualTimers();
    let finish: (value: unknown) => void = () => undefined;
    const { left, right, quiet } = peerPair({ timers, right: () => new Promise((resolve) => (finish = resolve)) });
    const call = left.peer.call('wait', {}, { keepaliveMs: 10 });
    await quiet();
    timers.advance(3500);
    assert.equal(right.sent.filter((frame) => frame['keepalive'] === true).length, 3);
    finish('done');
    assert.equal(await call.result, 'done');
    timers.advance(5000);
    assert.equal(right.sent.length, 4);
    assert.equal(timers.pending, 0);
  });
});

describe('a stream', () => {
  const count = async (request: PeerRequest): Promise<string> => {
    const { to, padding } = request.params as { to: number; padding: number };
    for (let n = 1; n <= to; n++) await request.emit({ n, padding: 'x'.repeat(padding) });
    return 'counted';
  };

  test('carries what is emitted together in one frame, of 64 KiB at most', async () => {
    const { left, right } = peerPair({ right: count });
    const call = left.peer.call('count', { to: 1000, padding: 200 }, { stream: true });
    const items = (await collect(call.items)) as { n: number }[];
    assert.deepEqual(
      items.map(({ n }) => n),
      Array.from({ length: 1000 }, (_, at) => at + 1),
    );
    assert.equal(await call.result, 'counted');
    const frames = right.sent.filter((frame) => 'items' in frame);
    assert.ok(frames.length >= 3 && frames.length <= 6, `${frames.length} frames`);
    for (const frame of frames) assert.ok(JSON.stringify(frame['items']).length <= 64 * 1024 + 2);
  });

  test('goes no further than its credit while nobody reads, and the handler waits', async () => {
    let made = 0;
    const { left, right, quiet } = peerPair({
      right: async (request) => {
        for (; made < 1000; made++) await request.emit('x'.repeat(60_000));
        return 'all';
      },
    });
    const call = left.peer.call('count', {}, { stream: true });
    await quiet();
    assert.equal(right.sent.length, windowFrames);
    assert.ok(made <= windowFrames + 2, `${made} items made`);
    const items = await collect(call.items);
    assert.equal(items.length, 1000);
    assert.equal(await call.result, 'all');
  });

  test('waits while the socket has too much queued, and reading is paused', async () => {
    const { left, right, quiet } = peerPair({ right: count, limits: { pauseAboveBytes: 1000 } });
    right.buffered = 5000;
    const call = left.peer.call('count', { to: 10, padding: 10 }, { stream: true });
    await quiet();
    assert.equal(right.sent.length, 0);
    right.peer.receive('{"id":"other","method":"count","params":{"to":0,"padding":0}}');
    await quiet();
    assert.equal(right.paused, true, 'an answer that is not read stops the reading of questions');
    right.buffered = 0;
    right.drain();
    assert.equal(right.paused, false);
    assert.equal((await collect(call.items)).length, 10);
  });

  test('sends what was emitted before a failure, then the failure', async () => {
    const { left } = peerPair({
      right: async (request) => {
        await request.emit(1);
        await request.emit(2);
        throw new OutriggerError('FILE_NOT_FOUND', 'Gone.');
      },
    });
    const call = left.peer.call('fail', {}, { stream: true });
    const seen: unknown[] = [];
    const reading = (async () => {
      for await (const item of call.items) seen.push(item);
    })();
    assert.equal(await rejection(reading), 'FILE_NOT_FOUND');
    assert.deepEqual(seen, [1, 2]);
  });

  test('of bytes is cut into frames of 64 KiB, in both directions', async () => {
    const { left, right } = peerPair({
      right: async (request) => {
        let length = 0;
        for await (const chunk of request.body ?? []) {
          length += chunk.length;
          await request.write(chunk);
        }
        return length;
      },
    });
    async function* body(): AsyncGenerator<Uint8Array, void> {
      for (let n = 0; n < 5; n++) yield new Uint8Array(700_000).fill(n);
    }
    const call = left.peer.call('bounce', {}, { stream: true, body: body() });
    let length = 0;
    for await (const chunk of call.bytes) {
      assert.ok(chunk.length <= maxBytesLength);
      assert.equal(chunk[0], Math.floor(length / 700_000));
      length += chunk.length;
    }
    assert.equal(await call.result, 3_500_000);
    assert.equal(length, 3_500_000);
    for (const frame of [...left.sent, ...right.sent]) if (typeof frame['bytes'] === 'string') assert.ok(frame['bytes'].length <= 87_400);
  });

  test('of a body that nobody reads stays within its credit, and ends with the answer', async () => {
    let answer: (value: unknown) => void = () => undefined;
    const { left, quiet } = peerPair({ right: () => new Promise((resolve) => (answer = resolve)) });
    let closed = false;
    async function* body(): AsyncGenerator<Uint8Array, void> {
      try {
        for (;;) yield new Uint8Array(64 * 1024);
      } finally {
        closed = true;
      }
    }
    const call = left.peer.call('ignore', {}, { body: body() });
    await quiet();
    assert.equal(left.sent.filter((frame) => 'bytes' in frame).length, windowFrames);
    answer('enough');
    assert.equal(await call.result, 'enough');
    await quiet();
    assert.equal(closed, true);
  });

  test('of a body that breaks cancels the call', async () => {
    const { left, right, quiet } = peerPair({
      right: async (request) => {
        for await (const chunk of request.body ?? []) void chunk;
        return 'whole';
      },
    });
    async function* body(): AsyncGenerator<Uint8Array, void> {
      yield new Uint8Array(10);
      throw new Error('the disk broke');
    }
    const call = left.peer.call('take', {}, { body: body() });
    await assert.rejects(call.result, /the disk broke/);
    await quiet();
    assert.equal((right.sent.at(-1)?.['error'] as WireError).reason, 'CANCELED');
  });

  test('sent beyond its credit ends the call that it belongs to', async () => {
    const { right, quiet } = peerPair({ right: () => never });
    right.peer.receive('{"id":"1","method":"take","body":true}');
    for (let n = 0; n <= windowFrames; n++) right.peer.receive('{"id":"1","bytes":"AAAA"}');
    await quiet();
    assert.equal((right.sent.at(-1)?.['error'] as WireError).reason, 'BAD_FRAME');

    const { left } = peerPair({});
    const call = left.peer.call('a', {}, { stream: true });
    for (let n = 0; n <= windowFrames; n++) left.peer.receive(`{"id":"${call.id}","items":[${n}]}`);
    assert.equal(await rejection(call.result), 'BAD_FRAME');
    assert.deepEqual(left.sent.at(-1), { id: call.id, cancel: true });
  });
});

describe('a body', () => {
  const request = '{"id":"u","method":"take","body":true}';

  test('of which a piece can not be read ends its call with that, and no other', async () => {
    const tooMuch = Buffer.alloc(maxBytesLength + 1).toString('base64');
    for (const piece of [
      `{"id":"u","bytes":"${tooMuch}"}`,
      '{"id":"u","bytes":"A*"}',
      '{"id":"u","bytes":null}',
      '{"id":"u","credit":0}',
    ]) {
      const { right, quiet } = peerPair({ right: takeAll });
      right.peer.receive('{"id":"v","method":"take","body":true}');
      for (const text of [request, '{"id":"u","bytes":"QUFB"}', piece, '{"id":"u","end":true}', '{"id":"v","end":true}'])
        right.peer.receive(text);
      await quiet();
      assert.deepEqual(ends(right.sent), ['u BAD_FRAME', 'v ok'], piece.slice(0, 60));
    }
  });

  test('ends when a message came that may have been a piece of it, and may not when its end came before', async () => {
    for (const junk of ['no JSON', '{"bytes":"QUFB"}', 'y'.repeat(1001), `{"id":"u","bytes":"${'A'.repeat(1000)}"}`]) {
      const { right, quiet } = peerPair({ right: takeAll, limits: { maxFrameLength: 1000 } });
      right.peer.receive('{"id":"v","method":"take","body":true}');
      for (const text of ['{"id":"v","end":true}', request, junk, '{"id":"u","end":true}']) right.peer.receive(text);
      await quiet();
      assert.deepEqual(
        ends(right.sent)
          .filter((end) => !end.startsWith('null'))
          .toSorted(),
        ['u BAD_FRAME', 'v ok'],
        junk.slice(0, 40),
      );
    }
  });

  test('of an answer ends its call in the same way, and the other side hears of it', async () => {
    for (const junk of ['{"id":"l1","bytes":7}', '{"id":"l1","items":7}', 'no JSON']) {
      const { left, right, quiet } = peerPair({ right: () => never });
      const call = left.peer.call('give', {}, { stream: true });
      await quiet();
      left.peer.receive(junk);
      left.peer.receive('{"id":"l1","ok":true,"result":{}}');
      assert.equal(await rejection(call.result), 'BAD_FRAME', junk);
      await quiet();
      assert.deepEqual(ends(right.sent), ['l1 CANCELED'], junk);
    }
  });
});

describe('the connection', () => {
  test('closed: calls fail, handlers are aborted, nothing is sent any more', async () => {
    const timers = new ManualTimers();
    let reason: unknown;
    const { left, right, quiet } = peerPair({
      timers,
      left: () => never,
      right: async (request) => {
        await aborted(request.signal);
        reason = request.signal.reason;
      },
    });
    const call = left.peer.call('wait', {}, { timeoutMs: 1000, keepaliveMs: 1000, stream: true });
    const reading = collect(call.items);
    await quiet();
    const error = new OutriggerError('CONNECTION_LOST', 'gone');
    right.peer.close(error);
    left.peer.close(error);
    assert.equal(await rejection(call.result), 'CONNECTION_LOST');
    assert.equal(await rejection(reading), 'CONNECTION_LOST');
    await quiet();
    assert.equal(reason, error);
    const sent = left.sent.length + right.sent.length;
    assert.equal(await rejection(left.peer.call('more', {}).result), 'CONNECTION_LOST');
    right.peer.receive('{"id":"1","method":"a"}');
    await quiet();
    assert.equal(left.sent.length + right.sent.length, sent);
    assert.equal(timers.pending, 0);
  });

  test('is given up after too much junk, each piece answered until then', () => {
    const { right } = peerPair({ right: async () => 'ok', limits: { maxBadFrames: 4, maxFrameLength: 100 } });
    for (const junk of ['no json', '[1]', '{"id":7,"method":"a"}', '"x"']) right.peer.receive(junk);
    assert.equal(right.closedWith, undefined);
    right.peer.receive('y'.repeat(101));
    assert.equal(reasonOf(right.closedWith), 'BAD_FRAME');
    assert.equal(right.peer.counts.bad, 5);
    for (const frame of right.sent)
      assert.deepEqual([frame['id'], frame['ok'], (frame['error'] as WireError).reason], [null, false, 'BAD_FRAME']);
  });

  test('a request that is almost good is refused under its own id', () => {
    const { right } = peerPair({ right: async () => 'ok' });
    right.peer.receive('{"id":"7","method":"a","deadlineMs":"soon"}');
    assert.deepEqual([right.sent[0]?.['id'], (right.sent[0]?.['error'] as WireError).reason], ['7', 'BAD_FRAME']);
  });

  test('passes over kinds it does not know and frames of calls that are over, and counts them', async () => {
    const { right, quiet } = peerPair({ right: async () => 'ok' });
    right.peer.receive('{"id":"1","wink":true}');
    right.peer.receive('{"hello":1}');
    for (const stray of ['"cancel":true', '"end":true', '"credit":5', '"bytes":"AA=="', '"items":[1]', '"ok":true', '"keepalive":true'])
      right.peer.receive(`{"id":"9",${stray}}`);
    await quiet();
    assert.deepEqual(right.peer.counts, { bad: 0, unknown: 2, stray: 7 });
    assert.equal(right.sent.length, 0);
  });

  test('is given up when the other side leaves too much unread', async () => {
    const { right, quiet } = peerPair({ right: async () => 'ok', limits: { maxBufferedBytes: 1000 } });
    right.buffered = 2000;
    right.peer.receive('{"id":"1","method":"a"}');
    await quiet();
    assert.equal(reasonOf(right.closedWith), 'CONNECTION_LOST');
  });

  test('carries events, but not to a side that does not read', async () => {
    const { left, right, quiet } = peerPair({ limits: { pauseAboveBytes: 10 } });
    assert.equal(left.peer.event('hello', { n: 1 }), true);
    await quiet();
    assert.deepEqual(right.events, [{ event: 'hello', data: { n: 1 } }]);
    left.buffered = 100;
    assert.equal(left.peer.event('hello', { n: 2 }), false);
  });
});

test('any mix of calls in both directions: one end each, items in order and whole, within credit, nothing left', () =>
  mixedCalls(seed, 12));

test('whatever arrives, the peer stands, answers good requests, and holds nothing', () => anyFrames(seed, 150));

test('a body that lost a piece never ends well, wherever that stood', () => lostPieces(seed, 150));

test('a frame survives the JSON codec', () => {
  const id = fc.string({ minLength: 1, maxLength: 20 });
  const json = fc.jsonValue();
  const frames: fc.Arbitrary<Frame> = fc.oneof(
    fc.record({
      kind: fc.constant('request' as const),
      id,
      method: fc.string(),
      params: json,
      stream: fc.boolean(),
      deadlineMs: fc.integer({ min: 1 }),
    }),
    fc.record({ kind: fc.constant('result' as const), id, result: json }),
    fc.record({ kind: fc.constant('items' as const), id, items: fc.array(json) }),
    fc.record({ kind: fc.constant('bytes' as const), id, bytes: fc.uint8Array() }),
    fc.record({ kind: fc.constantFrom('end' as const, 'cancel' as const, 'keepalive' as const), id }),
    fc.record({ kind: fc.constant('credit' as const), id, credit: fc.integer({ min: 1 }) }),
    fc.record({ kind: fc.constant('event' as const), event: fc.string(), data: json }),
  );
  // The core's frames and the contract's are the same: each codec does where the other is asked for.
  const codec: Codec = createJsonCodec<WireError>();
  const same: PeerCodec<WireError> = codec;
  fc.assert(
    fc.property(frames, (frame) => {
      const decoded = same.decode(codec.encode(frame));
      // JSON has no -0.
      assert.deepEqual(JSON.stringify(decoded), JSON.stringify(frame));
      if (frame.kind === 'bytes' && decoded?.kind === 'bytes') assert.deepEqual(new Uint8Array(decoded.bytes), frame.bytes);
    }),
    { seed },
  );
});
