import assert from 'node:assert/strict';
import { connect, createServer, type Socket } from 'node:net';
import { test } from 'node:test';
import { eventually } from '../../test/kit/eventually.ts';
import { withClient } from '../../test/kit/client.ts';
import { fakeTable } from '../../test/kit/fake-operations.ts';
import { type FakeSidecar, withFakeSidecar } from '../../test/kit/fake-sidecar.ts';
import type { DispatchRequest } from '../contract/dispatch.ts';
import { OutriggerError } from '../contract/errors.ts';
import type { Change, FeedItem } from '../contract/events.ts';
import { operations } from '../contract/operations.ts';
import { commonTimers } from './client-options.ts';

const table = { ...fakeTable, 'changes.watch': operations['changes.watch'] };

/** A feed that tells that it is there, and then nothing. */
const quiet = async (request: DispatchRequest): Promise<{ output: object }> => {
  await request.emit?.({ type: 'ready', cursor: 'e-1' });
  await new Promise<void>((resolve) => request.signal.addEventListener('abort', () => resolve()));
  return { output: {} };
};

/** A TCP relay that cuts its first connection after the first byte that comes down, the next one after two, and so on by `step` bytes each. */
async function withCuttingRelay(
  port: number,
  step: number,
  run: (relay: { url: string; made: () => number }) => Promise<void>,
): Promise<void> {
  const sockets = new Set<Socket>();
  let made = 0;
  const server = createServer((from) => {
    const to = connect(port, '127.0.0.1');
    let left = made++ * step + 1;
    for (const socket of [from, to]) sockets.add(socket.on('error', () => undefined));
    from.on('close', () => to.destroy());
    to.on('close', () => from.destroy());
    from.on('data', (chunk) => to.write(chunk));
    to.on('data', (chunk) => {
      const now = chunk.subarray(0, Math.min(left, chunk.length));
      left -= now.length;
      if (left > 0) from.write(now);
      else from.end(now, () => to.destroy());
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  try {
    await run({ url: `http://127.0.0.1:${(server.address() as { port: number }).port}`, made: () => made });
  } finally {
    for (const socket of sockets) socket.destroy();
    await new Promise((resolve) => server.close(resolve));
  }
}

function changeOf(revision: number, epoch = 'e'): Change {
  const cursor = `${epoch}-${revision}`;
  return {
    type: 'change',
    revision,
    cursor,
    path: 'a',
    kind: 'file',
    what: 'changed',
    before: null,
    after: null,
    cause: { kind: 'outside' },
    at: 0,
  };
}

/** A feed of revisions as the sidecar's, on demand unkind: after a reconnect it repeats what the cursor already covers. */
function feed(
  request: DispatchRequest,
  state: { asked: (string | undefined)[]; revision: number; epoch: string; sidecar: FakeSidecar | undefined },
): Promise<never> {
  const { cursor } = request.input as { cursor?: string };
  state.asked.push(cursor);
  return (async () => {
    const known = cursor?.startsWith(`${state.epoch}-`) ?? true;
    if (!known) await request.emit?.({ type: 'resync', cursor: `${state.epoch}-${state.revision}`, reason: 'another epoch' });
    for (let revision = Math.max(1, state.revision - 2); revision <= state.revision; revision++)
      await request.emit?.(changeOf(revision, state.epoch));
    await request.emit?.({ type: 'ready', cursor: `${state.epoch}-${state.revision}` });
    for (;;) {
      if (request.signal.aborted) throw request.signal.reason;
      await request.emit?.(changeOf(++state.revision, state.epoch));
      if (state.revision % 5 === 0) state.sidecar?.rpc.close();
      await new Promise((resolve) => setImmediate(resolve));
    }
  })();
}

test('watchChanges tells each change once over many connections, and a resync as such', async () => {
  const state = { asked: [] as (string | undefined)[], revision: 0, epoch: 'e1', sidecar: undefined as FakeSidecar | undefined };
  await withFakeSidecar(
    async (sidecar) => {
      state.sidecar = sidecar;
      await withClient(sidecar.url, async (client) => {
        const controller = new AbortController();
        const revisions: number[] = [];
        let resyncs = 0;
        for await (const item of client.watchChanges(undefined, { signal: controller.signal })) {
          if (item.type === 'resync') {
            resyncs++;
            controller.abort();
          }
          if (item.type !== 'change') continue;
          revisions.push(item.revision);
          // A new epoch: the sidecar lost its history meanwhile.
          if (item.revision === 23) state.epoch = 'e2';
        }
        assert.equal(resyncs, 1);
        const firstEpoch = revisions.slice(0, 23);
        assert.deepEqual(
          firstEpoch,
          Array.from({ length: 23 }, (_, at) => at + 1),
        );
        assert.ok(state.asked.length > 4);
        assert.equal(state.asked[0], undefined);
        assert.ok(state.asked.slice(1).every((cursor) => cursor !== undefined));
      });
    },
    { dispatch: (fakes) => (request) => (request.name === 'changes.watch' ? feed(request, state) : fakes(request)) },
  );
});

/** What a client over HTTP alone hears of the changes that `answer` tells, in words, until there are so many of them. */
async function hearOverHttp(
  answer: (request: DispatchRequest) => Promise<{ output: object }>,
  say: (item: FeedItem) => string | undefined,
  most: number,
): Promise<string[]> {
  const told: string[] = [];
  await withFakeSidecar(
    ({ url }) =>
      withClient(
        url,
        async (client) => {
          const leaving = new AbortController();
          const signal = AbortSignal.any([leaving.signal, AbortSignal.timeout(5000)]);
          for await (const item of client.watchChanges(undefined, { signal })) {
            const words = say(item);
            if (words !== undefined) told.push(words);
            if (told.length === most) leaving.abort();
          }
        },
        { webSocket: undefined },
      ),
    { table, dispatch: (fakes) => (request) => (request.name === 'changes.watch' ? answer(request) : fakes(request)) },
  );
  return told;
}

test('watchChanges tells each part of one change, as a caller limited to some paths sees a move, and none twice where it is cut in between', async () => {
  const part = (revision: number, path: string, what: 'created' | 'removed', cursor: string): Change => ({
    ...changeOf(revision),
    cursor,
    path,
    what,
  });
  // Only the last part has the cursor of the change: who goes on after another hears them all again.
  const parts = [
    part(2, 'a', 'removed', 'e-1'),
    part(2, 'b', 'created', 'e-2'),
    part(3, 'b', 'removed', 'e-2'),
    part(3, 'c', 'created', 'e-3'),
  ];
  const asked: (string | undefined)[] = [];
  const answer = async (request: DispatchRequest): Promise<{ output: object }> => {
    const { cursor = 'e-1' } = request.input as { cursor?: string };
    asked.push(cursor);
    if (asked.length === 1) await request.emit?.({ type: 'ready', cursor: 'e-1' });
    for (const item of parts.filter(({ revision }) => revision > Number(cursor.slice(2)))) {
      await request.emit?.(item);
      if ((asked.length === 1 && item === parts[0]) || (asked.length === 2 && item === parts[2]))
        throw new OutriggerError('CONNECTION_LOST', 'Cut.');
    }
    await new Promise<void>((resolve) => request.signal.addEventListener('abort', () => resolve()));
    return { output: {} };
  };
  const told = await hearOverHttp(answer, (item) => (item.type === 'change' ? `${item.what} ${item.path}` : undefined), 4);
  assert.deepEqual(told, ['removed a', 'created b', 'removed b', 'created c']);
  assert.deepEqual(asked, ['e-1', 'e-1', 'e-2']);
});

test('watchChanges tells what another epoch numbers as a part that came just before the connection was lost', async () => {
  const part = (epoch: string): Change => ({ ...changeOf(2), cursor: `${epoch}-1` });
  let asked = 0;
  const answer = async (request: DispatchRequest): Promise<{ output: object }> => {
    const epoch = ++asked === 1 ? 'e' : 'f';
    await request.emit?.(asked === 1 ? { type: 'ready', cursor: 'e-1' } : { type: 'resync', cursor: 'f-1', reason: 'another epoch' });
    await request.emit?.(part(epoch));
    if (asked === 1) throw new OutriggerError('CONNECTION_LOST', 'Cut.');
    await new Promise<void>((resolve) => request.signal.addEventListener('abort', () => resolve()));
    return { output: {} };
  };
  const told = await hearOverHttp(answer, (item) => (item.type === 'change' ? item.cursor : item.type), 4);
  assert.deepEqual(told, ['ready', 'e-1', 'resync', 'f-1']);
});

test('watchChanges goes on after a sidecar that stops in order: it asks the next one, and not the one that stops again and again', async () => {
  let asked = 0;
  let stopping = true;
  const answer = async (request: DispatchRequest): Promise<{ output: object }> => {
    asked++;
    if (!stopping) await request.emit?.({ type: 'ready', cursor: 'e-1' });
    else throw new OutriggerError('STOPPING', 'The sidecar is stopping.');
    await new Promise<void>((resolve) => request.signal.addEventListener('abort', () => resolve()));
    return { output: {} };
  };
  await withFakeSidecar(
    async ({ url, rpc }) => {
      await withClient(url, async (client) => {
        const controller = new AbortController();
        const reading = (async () => {
          for await (const item of client.watchChanges(undefined, { signal: controller.signal }))
            if (item.type === 'ready') controller.abort();
        })();
        await eventually(() => asked === 1);
        await new Promise((resolve) => setTimeout(resolve, 200));
        assert.equal(asked, 1);
        stopping = false;
        rpc.close();
        await reading;
        assert.equal(asked, 2);
      });
    },
    { dispatch: (fakes) => (request) => (request.name === 'changes.watch' ? answer(request) : fakes(request)) },
  );
});

test('a stream that is refused on a connection that lives, as one that is busy, is asked for again, and not at every turn', async () => {
  const reasons = ['CONNECTION_LOST', 'TOO_MANY'] as const;
  const pauses: number[] = [];
  let asked = 0;
  await withFakeSidecar(
    async ({ url, rpc }) => {
      await withClient(
        url,
        async (client) => {
          const leaving = new AbortController();
          for await (const _ of client.watchChanges(undefined, { signal: leaving.signal })) leaving.abort();
          assert.deepEqual([asked, rpc.connections, pauses], [3, 1, [1000, 1000]]);
        },
        {
          timers: {
            ...commonTimers,
            set: (run, ms) => {
              if (ms !== 1000) return commonTimers.set(run, ms);
              pauses.push(ms);
              return commonTimers.set(run, 1);
            },
          },
        },
      );
    },
    {
      dispatch: (fakes) => async (request) => {
        if (request.name !== 'changes.watch') return await fakes(request);
        const refusal = reasons[asked++];
        if (refusal !== undefined) throw new OutriggerError(refusal, 'Not now.');
        return await quiet(request);
      },
    },
  );
});

for (const [way, options] of [
  ['the WebSocket', {}],
  ['HTTP alone', { webSocket: undefined }],
] as const) {
  test(`whoever leaves while the next item is awaited is done at once, and the call is canceled, over ${way}`, async () => {
    let running = 0;
    await withFakeSidecar(
      async ({ url }) => {
        await withClient(
          url,
          async (client) => {
            for (const feed of [client.stream('changes.watch' as 'items.endless', {}), client.watchChanges()]) {
              const items = feed[Symbol.asyncIterator]();
              assert.equal((await items.next()).done, false);
              const waiting = items.next();
              assert.equal(running, 1);
              await items.return?.();
              assert.deepEqual(await waiting, { done: true, value: undefined });
              await eventually(() => running === 0);
            }
          },
          options,
        );
      },
      {
        table,
        dispatch: (fakes) => async (request) => {
          if (request.name !== 'changes.watch') return await fakes(request);
          running++;
          return await quiet(request).finally(() => running--);
        },
      },
    );
  });
}

test('watchChanges goes on over HTTP alone, and asks to hear something also while nothing changes', async () => {
  const asked: (string | undefined)[] = [];
  const keepalives: (string | null)[] = [];
  const answer = async (request: DispatchRequest): Promise<{ output: object }> => {
    asked.push((request.input as { cursor?: string }).cursor);
    if (asked.length === 2) throw new OutriggerError('STOPPING', 'The sidecar is stopping.');
    if (asked.length > 1) return await quiet(request);
    await request.emit?.({ type: 'ready', cursor: 'e-1' });
    throw new OutriggerError('CONNECTION_LOST', 'Cut.');
  };
  await withFakeSidecar(
    async ({ url }) => {
      await withClient(
        url,
        async (client) => {
          const controller = new AbortController();
          let ready = 0;
          for await (const item of client.watchChanges(undefined, { signal: controller.signal }))
            if (item.type === 'ready' && ++ready === 2) controller.abort();
        },
        {
          webSocket: undefined,
          fetch: (at, init) => {
            keepalives.push(new Headers(init?.headers).get('keepalive-interval'));
            return fetch(at, init);
          },
        },
      );
    },
    { table, dispatch: (fakes) => (request) => (request.name === 'changes.watch' ? answer(request) : fakes(request)) },
  );
  assert.deepEqual(asked, [undefined, 'e-1', 'e-1']);
  assert.deepEqual(keepalives, ['25', '25', '25']);
});

for (const [way, options] of [
  ['the WebSocket', {}],
  ['HTTP alone', { webSocket: undefined }],
] as const)
  test(`watchChanges tells each change once, and none is missing, wherever its connections are cut, over ${way}`, async () => {
    const answer = async (request: DispatchRequest): Promise<never> => {
      const { cursor = 'e-0' } = request.input as { cursor?: string };
      for (let revision = Number(cursor.slice(2)) + 1; ; revision++) {
        if (request.signal.aborted) throw request.signal.reason;
        await request.emit?.({ ...changeOf(revision), path: 'é'.repeat(revision % 5) });
        if (revision % 3 === 0) await new Promise((resolve) => setTimeout(resolve, 1));
      }
    };
    await withFakeSidecar(
      async ({ port }) => {
        await withCuttingRelay(port, 4, async ({ url, made }) => {
          await withClient(
            url,
            async (client) => {
              const leaving = new AbortController();
              const told: number[] = [];
              const signal = AbortSignal.any([leaving.signal, AbortSignal.timeout(20_000)]);
              for await (const item of client.watchChanges(undefined, { signal, git: false })) {
                if (item.type === 'change') told.push(item.revision);
                if (made() > 250) leaving.abort();
              }
              assert.ok(told.length > 50 && leaving.signal.aborted, `${told.length} changes over ${made()} connections`);
              assert.deepEqual(
                told,
                Array.from(told, (_, at) => at + 1),
              );
            },
            { ...options, backoff: { baseMs: 1, maxMs: 1 } },
          );
        });
      },
      { table, dispatch: (fakes) => (request) => (request.name === 'changes.watch' ? answer(request) : fakes(request)) },
    );
  });

test('watchChanges says that the repository may have changed, once after each lost connection: nobody keeps that', async () => {
  let asked = 0;
  const answer = async (request: DispatchRequest): Promise<{ output: object }> => {
    asked++;
    if (asked === 2) throw new OutriggerError('CONNECTION_LOST', 'Cut.');
    await request.emit?.({ type: 'ready', cursor: `e-${asked}` });
    if (asked < 4) throw new OutriggerError('CONNECTION_LOST', 'Cut.');
    await request.emit?.({ type: 'git', cursor: 'e-5', what: 'repository', at: 1 });
    await new Promise<void>((resolve) => request.signal.addEventListener('abort', () => resolve()));
    return { output: {} };
  };
  await withFakeSidecar(
    async ({ url }) => {
      for (const [git, expected] of [
        [undefined, ['ready e-1', 'ready e-3', 'git e-3', 'ready e-4', 'git e-4', 'git e-5']],
        [false, ['ready e-1', 'ready e-3', 'ready e-4', 'git e-5']],
      ] as const)
        await withClient(
          url,
          async (client) => {
            asked = 0;
            const leaving = new AbortController();
            const told: string[] = [];
            const signal = AbortSignal.any([leaving.signal, AbortSignal.timeout(5000)]);
            for await (const { type, cursor } of client.watchChanges(undefined, { signal, ...(git === undefined ? {} : { git }) })) {
              told.push(`${type} ${cursor}`);
              if (cursor === 'e-5') leaving.abort();
            }
            assert.deepEqual(told, expected);
          },
          { webSocket: undefined },
        );
    },
    { table, dispatch: (fakes) => (request) => (request.name === 'changes.watch' ? answer(request) : fakes(request)) },
  );
});
