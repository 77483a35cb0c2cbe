import assert from 'node:assert/strict';
import fc from 'fast-check';
import { OutriggerError, type WireError } from '../../src/contract/errors.ts';
import type { PeerRequest } from '../../src/core/peer.ts';
import { windowFrames } from '../../src/core/peer-stream.ts';
import { ManualTimers, peerPair, rejection } from './peer-pair.ts';

// Whatever both sides do at once, every request has exactly one end and nothing is left.
interface Plan {
  from: 'left' | 'right';
  items: number;
  size: number;
  /** After so many items the handler fails. */
  failAfter: number | undefined;
  body: number | undefined;
  echo: boolean;
  /** The caller cancels after so many items, or before reading any. */
  cancelAfter: number | undefined;
}

const plan: fc.Arbitrary<Plan> = fc.record({
  from: fc.constantFrom('left', 'right'),
  items: fc.nat(60),
  size: fc.constantFrom(1, 100, 30_000, 70_000),
  failAfter: fc.option(fc.nat(40), { nil: undefined, freq: 4 }),
  body: fc.option(fc.integer({ min: 0, max: 400_000 }), { nil: undefined }),
  echo: fc.boolean(),
  cancelAfter: fc.option(fc.nat(30), { nil: undefined, freq: 4 }),
});

/** Any mix of calls in both directions: one end each, items in order and whole, within credit, nothing left. */
export async function mixedCalls(seed: number, numRuns: number): Promise<void> {
  await fc.assert(
    fc.asyncProperty(fc.array(plan, { minLength: 1, maxLength: 12 }), async (plans) => {
      const handle = async (request: PeerRequest): Promise<unknown> => {
        const { items, size, failAfter, echo } = request.params as Plan;
        let bytes = 0;
        const takeBody = async (): Promise<void> => {
          for await (const chunk of request.body ?? []) {
            bytes += chunk.length;
            if (echo) await request.write(chunk);
          }
        };
        const makeItems = async (): Promise<void> => {
          for (let n = 0; n < items && !request.signal.aborted; n++) {
            if (n === failAfter) throw new OutriggerError('BUSY_FILE', 'planned');
            await request.emit({ n, padding: 'x'.repeat(size) });
            if (n % 7 === 0) await new Promise((resolve) => setImmediate(resolve));
          }
        };
        await Promise.all([takeBody(), makeItems()]);
        return { items, bytes };
      };
      const timers = new ManualTimers();
      const { left, right, quiet } = peerPair({ left: handle, right: handle, timers });
      await Promise.all(
        plans.map(async (one) => {
          const { peer } = one.from === 'left' ? left : right;
          async function* body(): AsyncGenerator<Uint8Array, void> {
            for (let at = 0; at < (one.body ?? 0); at += 90_000) yield new Uint8Array(Math.min(90_000, (one.body ?? 0) - at));
          }
          const call = peer.call('do', one, { stream: true, timeoutMs: 60_000, ...(one.body === undefined ? {} : { body: body() }) });
          let next = 0;
          const readItems = async (): Promise<void> => {
            if (one.cancelAfter === 0) return call.cancel();
            for await (const item of call.items) {
              assert.equal((item as { n: number }).n, next++);
              if (next === one.cancelAfter) break;
            }
          };
          let echoed = 0;
          const readBytes = async (): Promise<void> => {
            for await (const chunk of call.bytes) echoed += chunk.length;
          };
          const ends = await Promise.all([readItems(), readBytes(), call.result].map((end) => rejection(Promise.resolve(end))));
          const outcome = ends[2];
          const fails = one.failAfter !== undefined && one.failAfter < one.items;
          if (outcome === 'no error') {
            assert.ok(!fails, 'a planned failure came through');
            assert.deepEqual(await call.result, { items: one.items, bytes: one.body ?? 0 });
            // A cancel that comes after the end changes nothing.
            if (one.cancelAfter === undefined) assert.equal(next, one.items);
            if (one.echo) assert.equal(echoed, one.body ?? 0);
          } else if (outcome === 'BUSY_FILE') assert.ok(fails);
          else assert.ok(outcome === 'CANCELED' && one.cancelAfter !== undefined, `unexpected ${outcome}`);
        }),
      );
      await quiet();
      for (const [asks, answers] of [
        [left, right],
        [right, left],
      ] as const) {
        const ids = asks.sent.filter((frame) => 'method' in frame).map((frame) => frame['id'] as string);
        for (const id of ids) {
          assert.equal(answers.sent.filter((frame) => frame['id'] === id && 'ok' in frame).length, 1, `one end of ${id}`);
          const granted = asks.sent
            .filter((frame) => frame['id'] === id && 'credit' in frame)
            .reduce((sum, frame) => sum + (frame['credit'] as number), windowFrames);
          assert.ok(answers.sent.filter((frame) => frame['id'] === id && ('items' in frame || 'bytes' in frame)).length <= granted);
        }
        assert.equal(asks.peer.running + asks.peer.waiting, 0);
        assert.equal(asks.peer.counts.bad, 0);
      }
      assert.equal(timers.pending, 0);
    }),
    { seed, numRuns },
  );
}

/** Pieces of bodies, one of which can't be read: that call has one end, which is BAD_FRAME, and calls of others end well unless it named none. */
export async function lostPieces(seed: number, numRuns: number): Promise<void> {
  const all = ['1', '2', '3'];
  const ids = fc.constantFrom(...all);
  const good = ids.map((id) => `{"id":"${id}","bytes":"QUFB"}`);
  const bad = fc.oneof(
    ids.map((id) => ({ lost: [id], text: `{"id":"${id}","bytes":null}` })),
    ids.map((id) => ({ lost: [id], text: `{"id":"${id}","bytes":"${'A'.repeat(5000)}"}` })),
    fc.constantFrom('no JSON', '{"bytes":"QUFB"}', 'y'.repeat(5000)).map((text) => ({ lost: all, text })),
  );
  await fc.assert(
    fc.asyncProperty(fc.array(good, { maxLength: 15 }), bad, fc.nat(15), fc.boolean(), async (pieces, { lost, text }, at, slow) => {
      const { right, quiet } = peerPair({
        right: async (request) => {
          for await (const chunk of request.body ?? []) void chunk;
          return 'whole';
        },
        limits: { maxFrameLength: 1000 },
      });
      const texts = all.map((id) => `{"id":"${id}","method":"take","body":true}`);
      texts.push(...pieces.toSpliced(at, 0, text), ...all.map((id) => `{"id":"${id}","end":true}`));
      for (const one of texts) {
        right.peer.receive(one);
        if (slow) await quiet();
      }
      await quiet();
      for (const id of all) {
        const ends = right.sent.filter((frame) => frame['id'] === id && 'ok' in frame);
        const reasons = ends.map((frame) => (frame['error'] as WireError | undefined)?.reason);
        assert.deepEqual(reasons, [lost.includes(id) ? 'BAD_FRAME' : undefined], id);
      }
    }),
    { seed, numRuns },
  );
}

/** Whatever arrives, the peer stands, answers good requests, and holds nothing. */
export async function anyFrames(seed: number, numRuns: number): Promise<void> {
  const field = fc.constantFrom(
    'id',
    'method',
    'params',
    'ok',
    'result',
    'error',
    'items',
    'bytes',
    'end',
    'cancel',
    'credit',
    'keepalive',
    'event',
    'stream',
    'body',
    'deadlineMs',
  );
  const value = fc.oneof(fc.constantFrom<unknown>('1', '2', 'r1', true, false, null, 1, -1, 1e99, 'AAAA', [], {}), fc.jsonValue());
  const frame = fc.dictionary(field, value, { maxKeys: 5 }).map((fields) => JSON.stringify(fields));
  const near = fc
    .record({ id: fc.constantFrom('1', '2', 'r1'), method: fc.constant('a'), body: fc.boolean(), stream: fc.boolean() })
    .map((fields) => JSON.stringify(fields));
  await fc.assert(
    fc.asyncProperty(fc.array(fc.oneof(frame, near, fc.string(), fc.json()), { maxLength: 60 }), async (texts) => {
      const timers = new ManualTimers();
      const { right, left, quiet } = peerPair({
        timers,
        right: async (request) => {
          if (request.method === 'good') return 'good';
          for await (const chunk of request.body ?? []) void chunk;
          return 'read';
        },
        limits: { maxBadFrames: 1000, maxRequests: 8 },
      });
      const own = right.peer.call('ask', {});
      for (const text of texts) right.peer.receive(text);
      await quiet();
      assert.ok(right.peer.running <= 8);
      right.peer.receive('{"id":"q-good","method":"good"}');
      await quiet();
      const answer = right.sent.find((sent) => sent['id'] === 'q-good');
      assert.ok(answer?.['result'] === 'good' || (answer?.['error'] as WireError | undefined)?.reason === 'TOO_MANY');
      own.cancel();
      const error = new OutriggerError('CONNECTION_LOST', 'over');
      right.peer.close(error);
      left.peer.close(error);
      await right.peer.idle();
      assert.equal(timers.pending, 0);
      assert.equal(right.peer.running + right.peer.waiting, 0);
    }),
    { seed, numRuns },
  );
}
