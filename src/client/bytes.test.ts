// Uploads and downloads: what they are read from, and that it is let go of when they are over.
import assert from 'node:assert/strict';
import { Readable } from 'node:stream';
import { test } from 'node:test';
import { eventually } from '../../test/kit/eventually.ts';
import { reason, withClient } from '../../test/kit/client.ts';
import { countingBytes, type FakeTable, sha256 } from '../../test/kit/fake-operations.ts';
import { withFakeSidecar } from '../../test/kit/fake-sidecar.ts';
import type { Client } from './client.ts';

test('bytes go up and down raw', async () => {
  await withFakeSidecar(async ({ url, seen }) => {
    await withClient(url, async (client) => {
      const bytes = countingBytes(300_000);
      const answer = await client.upload('bytes.in', { path: 'a b/ü', tag: '7' }, bytes);
      assert.deepEqual([answer.path, answer.tag, answer.hash], ['a b/ü', '7', sha256(bytes)]);
      assert.equal((await client.upload('bytes.in', { path: 'x' }, new Blob([bytes as Uint8Array<ArrayBuffer>]))).hash, sha256(bytes));
      const { output, bytes: down } = await client.download('bytes.out', { path: 'a', length: 1_000_000 });
      assert.equal(output.length, 1_000_000);
      let length = 0;
      for await (const chunk of down) length += chunk.length;
      assert.equal(length, 1_000_000);
      const { bytes: left } = await client.download('bytes.out', { path: 'a', length: 500_000_000 });
      for await (const chunk of left) {
        assert.ok(chunk.length > 0);
        break;
      }
      await eventually(() => seen.running === 0);
      assert.equal(await reason(client.download('bytes.out', { path: 'missing' })), 'FILE_NOT_FOUND');
    });
  });
});

for (const [way, options] of [
  ['the WebSocket', {}],
  ['HTTP alone', { webSocket: undefined }],
] as const) {
  test(`an operation with bytes answers calls and streams with its facts alone, over ${way}`, async () => {
    await withFakeSidecar(async ({ url, seen }) => {
      await withClient(
        url,
        async (client) => {
          await client.call('echo.unary', {});
          for (const [length, unchanged] of [
            [0, false],
            [10, false],
            [3_000_000, false],
            [10, true],
          ] as const) {
            const facts = { path: 'häuser', length, mimeType: 'application/x-counting', unchanged };
            const input = { path: 'häuser', length, unchanged };
            assert.deepEqual(await client.call('bytes.out', input), facts);
            const stream = client.stream('bytes.out', input);
            const items: unknown[] = [];
            for await (const item of stream) items.push(item);
            assert.deepEqual([items, await stream.end], [[], facts]);
            assert.deepEqual((await client.download('bytes.out', input)).output, facts);
          }
          const missing = client.stream('bytes.out', { path: 'missing' });
          assert.equal(await reason(missing[Symbol.asyncIterator]().next()), 'FILE_NOT_FOUND');
          assert.equal(await reason(client.call('bytes.out', { path: 'missing' })), 'FILE_NOT_FOUND');
          await eventually(() => seen.running === 0);
        },
        options,
      );
    });
  });
}

function streamFrom(bytes: AsyncGenerator<Uint8Array>): ReadableStream<Uint8Array> {
  return new ReadableStream({
    async pull(controller) {
      const step = await bytes.next();
      if (step.done !== true) controller.enqueue(step.value);
    },
  });
}

test('bytes in whatever memory are sent as they are', async () => {
  await withFakeSidecar(async ({ url }) => {
    await withClient(url, async (client) => {
      const bytes = countingBytes(3000);
      const shared = new Uint8Array(new SharedArrayBuffer(5000), 1000, 3000);
      shared.set(bytes);
      const whole = bytes.slice().buffer;
      for (const body of [shared, Buffer.from(shared.buffer, 1000, 3000), whole, bytes.subarray(0)])
        assert.equal((await client.upload('bytes.in', { path: 'a' }, body)).hash, sha256(bytes));
      assert.equal((await client.upload('bytes.in', { path: 'a' }, bytes.subarray(10, 20))).hash, sha256(countingBytes(10, 10)));
    });
  });
});

test('what goes wrong where an upload comes from is said as it is', async () => {
  await withFakeSidecar(async ({ url }) => {
    await withClient(url, async (client) => {
      const broken = async function* (): AsyncGenerator<Uint8Array> {
        yield countingBytes(100);
        throw new RangeError('the disk is gone');
      };
      await assert.rejects(client.upload('bytes.in', { path: 'a' }, broken()), new RangeError('the disk is gone'));
      await assert.rejects(client.upload('bytes.in', { path: 'a' }, streamFrom(broken())), new RangeError('the disk is gone'));
    });
  });
});

/** A source that has more for a long time. */
class LongSource implements AsyncIterable<Uint8Array> {
  static readonly most = 200_000;
  asked = 0;
  left = false;
  readonly #rests: boolean;

  /** `rests`: others get their turn after each piece. */
  constructor(rests: boolean) {
    this.#rests = rests;
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array> {
    try {
      while (this.asked++ < LongSource.most) {
        yield countingBytes(1000);
        if (this.#rests) await new Promise((resolve) => setImmediate(resolve));
      }
    } finally {
      this.left = true;
    }
  }
}

type UploadEnd = [expected: string, upload: (client: Client<FakeTable>, source: LongSource) => Promise<unknown>];

const endsOfUploads: UploadEnd[] = [
  ['DEADLINE', (client, source) => client.upload('bytes.in', { path: 'a' }, source, { timeoutMs: 50 })],
  ['CANCELED', (client, source) => client.upload('bytes.in', { path: 'a' }, source, { signal: AbortSignal.timeout(50) })],
  [
    'CONNECTION_LOST',
    (client, source) => {
      setTimeout(() => client.close(), 50);
      return client.upload('bytes.in', { path: 'a' }, source);
    },
  ],
];

async function readsNoFurther(url: string, rests: boolean, [expected, upload]: UploadEnd): Promise<void> {
  const source = new LongSource(rests);
  await withClient(url, async (client) => {
    assert.equal(await reason(upload(client, source)), expected);
    await eventually(() => source.left);
    assert.ok(source.asked < LongSource.most, `${expected}: asked for all`);
  });
}

for (const rests of [true, false]) {
  test(`the source of an upload that is over is read no further, and left; it ${rests ? 'rests' : 'never rests (long form)'}`, async () => {
    await withFakeSidecar(async ({ url }) => {
      for (const end of endsOfUploads) await readsNoFurther(url, rests, end);
      const refused: UploadEnd[1] = (client, source) => client.upload('bytes.in', { path: 'a', refuse: true }, source);
      await readsNoFurther(url, rests, ['ETAG_MISMATCH', refused]);
    });
  });
}

test('what an upload is read from is left also while its next piece is waited for, and is what a body that is none fails with', async () => {
  await withFakeSidecar(async ({ url }) => {
    await withClient(url, async (client) => {
      let canceled = 0;
      const stream = new ReadableStream<Uint8Array>({ pull: () => new Promise(() => undefined), cancel: () => void canceled++ });
      const readable = new Readable({ read: () => undefined });
      for (const source of [stream, readable])
        assert.equal(await reason(client.upload('bytes.in', { path: 'a' }, source, { timeoutMs: 50 })), 'DEADLINE');
      await eventually(() => assert.deepEqual([canceled, readable.destroyed], [1, true]));
      const locked = new Blob(['x']).stream();
      locked.getReader();
      const thrower = {
        [Symbol.asyncIterator]: (): never => {
          throw new RangeError('mine');
        },
      };
      await assert.rejects(client.upload('bytes.in', { path: 'a' }, locked), { name: 'TypeError' });
      await assert.rejects(client.upload('bytes.in', { path: 'a' }, thrower), { name: 'RangeError', message: 'mine' });
    });
  });
});

test('in a worker of a browser too an upload that is over reads no further', async () => {
  await withFakeSidecar(async ({ url }) => {
    Object.assign(globalThis, { WorkerGlobalScope: class {} });
    try {
      for (const end of endsOfUploads) await readsNoFurther(url, true, end);
    } finally {
      Reflect.deleteProperty(globalThis, 'WorkerGlobalScope');
    }
  });
});

test('in a worker of a browser, whose fetch takes no streams, they are gathered', async () => {
  const inWorker = { WorkerGlobalScope: class {} };
  await withFakeSidecar(async ({ url }) => {
    const noStreams: typeof fetch = (at, init) =>
      init?.body instanceof ReadableStream ? Promise.reject(new TypeError('Failed to fetch')) : fetch(at, init);
    await withClient(
      url,
      async (client) => {
        const bytes = countingBytes(3000);
        const stream = (): ReadableStream<Uint8Array> => new Blob([bytes as Uint8Array<ArrayBuffer>]).stream();
        Object.assign(globalThis, inWorker);
        try {
          assert.equal((await client.upload('bytes.in', { path: 'a' }, stream())).hash, sha256(bytes));
        } finally {
          Reflect.deleteProperty(globalThis, 'WorkerGlobalScope');
        }
        assert.equal(await reason(client.upload('bytes.in', { path: 'a' }, stream())), 'CONNECTION_LOST');
      },
      { fetch: noStreams },
    );
  });
});
