import assert from 'node:assert/strict';
import { test } from 'node:test';
import { eventually } from '../../../test/kit/eventually.ts';
import type { HubAgentInfo, HubTaskInfo } from '../../contract/hub-operations.ts';
import type { ConnectionState } from '../client-port.ts';
import { Fleet } from './fleet.ts';
import type { HubClient } from './hub-client.ts';

interface News {
  agents: HubAgentInfo[];
  tasks: HubTaskInfo[];
  resync?: string;
}

/** A hub whose streams of news end as they are told to. */
class FakeHub {
  readonly asked: string[] = [];
  end: ((reason: string) => void) | undefined;
  tell: ((news: News) => void) | undefined;
  readonly #news: News;
  #listener: (state: ConnectionState) => void = () => {};

  constructor(news: News) {
    this.#news = news;
  }

  readonly client = {
    connection: {
      state: { name: 'connecting' },
      on: (_event: string, listener: (state: ConnectionState) => void) => {
        this.#listener = listener;
        return () => {};
      },
      tryNow: () => {},
    },
    call: (name: string) => {
      this.asked.push(name);
      return Promise.resolve({ version: '1', tasks: name === 'tasks.list' ? [] : { ready: 1 }, agents: [], more: false });
    },
    stream: (name: string) => {
      this.asked.push(name);
      return this.#stream();
    },
  } as unknown as HubClient;

  is(name: string): void {
    this.#listener({ name } as unknown as ConnectionState);
  }

  async *#stream(): AsyncGenerator<News> {
    yield this.#news;
    for (;;) {
      const { promise, resolve, reject } = Promise.withResolvers<News>();
      this.tell = resolve;
      this.end = (reason) => reject(Object.assign(new Error(reason), { reason }));
      yield await promise;
    }
  }
}

const settled = async (): Promise<void> => {
  for (let turn = 0; turn < 20; turn++) await new Promise(setImmediate);
};

function fleetOf(hub: FakeHub): Fleet {
  return new Fleet({
    client: hub.client,
    keep: { getItem: () => null, setItem: () => {}, removeItem: () => {} },
    now: () => 0,
    clockAhead: () => Promise.resolve(0),
    hubAddress: 'http://localhost:4000',
    address: { read: () => '', write: () => {} },
  });
}

test('when the news end they begin again, with a look at all of it; not where the link is lost, nor where there can be none', async (context) => {
  context.mock.timers.enable({ apis: ['setTimeout'] });
  const task = { id: 't', state: 'ready', createdAt: 1 } as HubTaskInfo;
  const hub = new FakeHub({ agents: [], tasks: [task] });
  const fleet = fleetOf(hub);
  const after = async (ms: number): Promise<string[]> => {
    await settled();
    context.mock.timers.tick(ms);
    await settled();
    return hub.asked.splice(0);
  };
  const all = ['hub.follow', 'hub.info', 'agents.list', 'tasks.list', 'tasks.list'];
  fleet.start();
  hub.is('live');
  assert.deepEqual(await after(0), all);
  assert.deepEqual([...(fleet.tasks.value?.keys() ?? [])], ['t']);
  hub.end?.('OUTPUT_TOO_LARGE');
  assert.deepEqual(await after(0), []);
  assert.deepEqual(
    fleet.toasts.shown.value.map(({ title }) => title),
    ['News of the hub ended'],
  );
  assert.deepEqual(await after(5000), all);
  hub.end?.('CONNECTION_LOST');
  assert.deepEqual(await after(5000), []);
  hub.is('live');
  assert.deepEqual(await after(0), all);
  hub.end?.('ACCESS_DENIED');
  assert.deepEqual(await after(5000), []);
  fleet.stop();
});

test('what is told while all of it is read is not put back to what it was when that was asked for', async () => {
  const hub = new FakeHub({ agents: [], tasks: [] });
  const fleet = fleetOf(hub);
  const isRead = Promise.withResolvers<void>();
  const isTold = Promise.withResolvers<void>();
  Object.assign(hub.client, {
    call: async (name: string) => {
      isRead.resolve();
      await isTold.promise;
      if (name === 'hub.info') return { version: '1', tasks: { ready: 2 } };
      if (name === 'agents.list') return { agents: ['a', 'b'].map((id) => ({ id, state: 'online' })) };
      return { tasks: ['t', 'u'].map((id) => ({ id, state: 'ready', createdAt: 1 })), more: false };
    },
    stream: async function* () {
      await isRead.promise;
      yield { agents: [{ id: 'a', state: 'draining' }], tasks: [{ id: 't', state: 'running', createdAt: 1 }] };
      isTold.resolve();
      await new Promise(() => {});
    },
  });
  fleet.start();
  hub.is('live');
  await isTold.promise;
  await settled();
  fleet.stop();
  const known = [...(fleet.agents.value?.values() ?? []), ...(fleet.tasks.value?.values() ?? [])];
  assert.deepEqual(known.map(({ id, state }) => `${id} ${state}`).sort(), ['a draining', 'b online', 't running', 'u ready']);
  assert.equal(fleet.total.value, 2);
});

test('the end of a task that is told while what is held is looked at is not put back to running', async (context) => {
  context.mock.timers.enable({ apis: ['setInterval'] });
  context.after(() => Reflect.deleteProperty(globalThis, 'document'));
  Object.assign(globalThis, { document: { hidden: false } });
  const task = (state: string): HubTaskInfo => ({ id: 't', state, createdAt: 1 }) as HubTaskInfo;
  const hub = new FakeHub({ agents: [], tasks: [task('running')] });
  const fleet = fleetOf(hub);
  const isTold = Promise.withResolvers<void>();
  fleet.start();
  hub.is('live');
  await eventually(() => assert.equal(fleet.tasks.value?.get('t')?.state, 'running'));
  await settled();
  Object.assign(hub.client, {
    call: async (name: string) => {
      await isTold.promise;
      return { tasks: name === 'hub.info' ? { running: 1 } : [task('running')], agents: [], more: false };
    },
  });
  context.mock.timers.tick(10_000);
  hub.tell?.({ agents: [], tasks: [task('completed')] });
  await settled();
  isTold.resolve();
  await settled();
  fleet.stop();
  assert.equal(fleet.tasks.value?.get('t')?.state, 'completed');
});

test('where not all news were told, all of it is looked at again', async () => {
  const hub = new FakeHub({ agents: [], tasks: [], resync: 'More changed than waits.' });
  const fleet = fleetOf(hub);
  fleet.start();
  hub.is('live');
  const listed = (): number => hub.asked.filter((name) => name === 'agents.list').length;
  for (let turn = 0; turn < 100 && listed() < 2; turn++) await new Promise((resolve) => setTimeout(resolve, 5));
  fleet.stop();
  assert.deepEqual([listed(), hub.asked.filter((name) => name === 'hub.follow').length], [2, 1]);
});
