// What a hub reads and builds for one call: no more than is shown, and never all at once.
import assert from 'node:assert/strict';
import { describe, mock, test } from 'node:test';
import { eventually } from '../../test/kit/eventually.ts';
import { longestTurn, threadMs } from '../../test/kit/loop-hold.ts';
import { taskRequest } from '../../test/kit/task-request.ts';
import { call } from '../../test/kit/workspace-harness.ts';
import type { HubOperations } from '../contract/hub-operations.ts';
import type { Implementations } from '../contract/operation.ts';
import { nodeTimers } from '../net/timers.ts';
import { AgentRegistry } from './agent-registry.ts';
import { InProcessBus } from './bus.ts';
import { Fleet, type FleetNews } from './fleet.ts';
import { hubDefaults } from './hub.ts';
import { implementHub } from './operations.ts';
import { SqliteTaskStore } from './sqlite-task-store.ts';
import { TaskLogs } from './task-logs.ts';

const MEGABYTE = 1_000_000;

interface Scene {
  registry: AgentRegistry;
  fleet: Fleet;
  store: SqliteTaskStore;
  bus: InProcessBus;
  operations: Implementations<HubOperations>;
  /** Adds a task, and ends it with this result. */
  done: (id: string, result: Record<string, unknown>) => Promise<void>;
}

async function scene(run: (scene: Scene) => Promise<void>): Promise<void> {
  const now = (): number => 1_000_000;
  const store = new SqliteTaskStore({ file: ':memory:', now, random: () => 0.5 });
  const registry = new AgentRegistry({ file: ':memory:', now });
  const bus = new InProcessBus(nodeTimers);
  const logs = new TaskLogs(bus);
  const dispatch = (): Promise<never> => Promise.reject(new Error('Agents call nothing.'));
  const fleet = new Fleet({ store, bus, registry, logs, timers: nodeTimers, now, monotonic: now, log: () => {}, dispatch }, hubDefaults);
  const operations = implementHub({ store, registry, fleet, logs, now, monotonic: now, version: 'test' });
  const done: Scene['done'] = async (id, result) => {
    await store.enqueue([{ id, request: taskRequest({ agent: `for-${id}` }), by: 'x' }]);
    await store.claim([{ agent: `for-${id}`, capabilities: [], credit: 1 }]);
    await store.apply([{ task: id, event: { type: 'complete', agent: `for-${id}`, fence: 1, result, report: null } }]);
  };
  try {
    await run({ registry, fleet, store, bus, operations, done });
  } finally {
    fleet.stop(1);
    bus.close();
    await store.close();
    registry.close();
  }
}

/** How many characters of JSON were parsed meanwhile, and what it gave. */
async function parsedBy<T>(work: () => T | Promise<T>): Promise<{ parsed: number; value: T }> {
  const { parse } = JSON;
  let parsed = 0;
  const counted = mock.method(JSON, 'parse', (text: string, reviver?: (key: string, value: unknown) => unknown): unknown => {
    parsed += text.length;
    return parse(text, reviver);
  });
  try {
    const value = await work();
    return { parsed, value };
  } finally {
    counted.mock.restore();
  }
}

/** As it comes from the contract. */
const askedAfter = (...after: string[]): Parameters<Implementations<HubOperations>['tasks.create']>[0]['tasks'][number] => ({
  ...{ description: 'x', metadata: {}, priority: 'normal', needs: [], maxAttempts: 3, backoffMs: 1, backoffMaxMs: 1, atOnce: 1 },
  ...{ fileHints: [], successCriteria: [], verificationSteps: [], skipVerification: false, after },
});

test('to come after tasks with large results reads nothing of these results', () =>
  scene(async ({ operations, done }) => {
    const ids = ['a', 'b', 'c'];
    for (const id of ids) await done(id, { text: 'x'.repeat(MEGABYTE) });
    const tasks = Array.from({ length: 100 }, () => askedAfter(...ids));
    const { parsed, value } = await parsedBy(() => operations['tasks.create']({ tasks }, call()));
    assert.deepEqual([...new Set(value.tasks.map(({ state }) => state))], ['ready']);
    assert.ok(parsed < 100_000, `${parsed} characters were parsed`);
    const unknown = operations['tasks.create']({ tasks: [askedAfter('a', 'nobody')] }, call());
    await assert.rejects(async () => unknown, { reason: 'NOT_FOUND', message: 'There is no task nobody.' });
  }));

test('a list of tasks with large results parses nothing of these results, however deep they are', () =>
  scene(async ({ operations, done, store }) => {
    for (const id of ['a', 'b', 'c']) await done(id, { text: 'x'.repeat(MEGABYTE) });
    await store.enqueue([{ id: 'large', request: taskRequest({ metadata: { text: 'x'.repeat(MEGABYTE) }, key: 'k' }), by: 'me' }]);
    const { parsed, value } = await parsedBy(() => operations['tasks.list']({ limit: 9 }, call()));
    assert.deepEqual(
      value.tasks.map(({ id, state, key, createdBy }) => [id, state, key, createdBy]),
      [
        ['large', 'ready', 'k', 'me'],
        ['c', 'succeeded', null, 'x'],
        ['b', 'succeeded', null, 'x'],
        ['a', 'succeeded', null, 'x'],
      ],
    );
    assert.ok(parsed < 100_000, `${parsed} characters were parsed`);
    // SQLite itself reads no JSON that is deeper than a thousand.
    const deep = JSON.parse('['.repeat(1500) + ']'.repeat(1500)) as unknown;
    await done('deep', { deep });
    assert.equal((await operations['tasks.list']({ limit: 1 }, call())).tasks[0]?.id, 'deep');
  }));

test('of tasks with long reasons a list reads a few in a turn of the event loop, and is whole', () =>
  scene(async ({ operations, store }) => {
    const reason = 'x'.repeat(MEGABYTE);
    const ids = Array.from({ length: 20 }, (_, n) => `t${n}`);
    for (const id of ids) {
      await store.enqueue([{ id, request: taskRequest(), by: 'me' }]);
      await store.apply([{ task: id, event: { type: 'cancel', by: 'me', reason, cancelBy: 0 } }]);
    }
    let turns = 0;
    const counted = { isRunning: true };
    const turn = (): void => {
      turns++;
      if (counted.isRunning) setImmediate(turn);
    };
    setImmediate(turn);
    const { tasks, more } = await operations['tasks.list']({ limit: 100 }, call());
    counted.isRunning = false;
    assert.deepEqual([tasks.map(({ id }) => id), more], [ids.toReversed(), false]);
    assert.ok(tasks.every((task) => task.reason === reason));
    assert.ok(turns >= 4, `${turns} turns`);
  }));

test('a list that is longer than an answer may be ends before, says that there is more, and goes on where it ended (long form)', () =>
  scene(async ({ operations, store }) => {
    const description = 'x'.repeat(4 * MEGABYTE);
    const ids = Array.from({ length: 20 }, (_, n) => `t${n}`);
    for (const id of ids) await store.enqueue([{ id, request: taskRequest({ description }), by: 'me' }]);
    const listed: string[][] = [];
    for (let more = true; more; ) {
      const before = listed.at(-1)?.at(-1);
      const page = await operations['tasks.list']({ limit: 1000, ...(before === undefined ? {} : { before }) }, call());
      listed.push(page.tasks.map(({ id }) => id));
      ({ more } = page);
    }
    assert.ok(
      listed.every(({ length }) => length > 0 && length <= 8),
      listed.map(({ length }) => length).join(),
    );
    assert.deepEqual(listed.flat(), ids.reverse());
  }));

test('an audit that is longer than an answer may be ends before, and goes on at `next` (long form)', () =>
  scene(async ({ operations, store, done }) => {
    for (let count = 0; count < 20; count++) await done(`t${count}`, { text: 'x'.repeat(4 * MEGABYTE) });
    const sequences: number[] = [];
    for (let next = 0, before = -1; next > before; ) {
      before = next;
      const { parsed, value } = await parsedBy(() => operations['tasks.audit']({ after: next, limit: 10_000 }, call()));
      assert.ok(parsed < 45 * MEGABYTE, `${parsed} characters were parsed for one answer`);
      sequences.push(...value.entries.map(({ sequence }) => sequence));
      ({ next } = value);
    }
    assert.deepEqual(
      sequences,
      store.audit(0, 10_000).map(({ sequence }) => sequence),
    );
  }));

test('who looks on hears of very much at once in pieces, each of which an answer can be', () =>
  scene(async ({ operations, bus, store }) => {
    const description = 'x'.repeat(MEGABYTE);
    const [added] = await store.enqueue([{ id: 't', request: taskRequest({ description }), by: 'x' }]);
    const tasks = Array.from({ length: 1500 }, (_, n) => ({ ...added?.task, id: `t${n}`, description: n < 10 ? description : 'x' }));
    const agents = Array.from({ length: 1500 }, (_, n) => ({ id: `a${n}` }));
    const gone = new AbortController();
    const heard: FleetNews[] = [];
    let turns = 0;
    const turn = (): void => {
      turns++;
      if (!gone.signal.aborted) setImmediate(turn);
    };
    const emit = (news: unknown): void => void heard.push(news as FleetNews);
    const followed = assert.rejects(async () => operations['hub.follow']({}, call({ signal: gone.signal, emit })), /enough/);
    bus.publish('news', { agents, tasks });
    bus.publish('news', { agents: [], tasks: tasks.slice(0, 1) });
    turn();
    try {
      while (heard.reduce((sum, news) => sum + news.tasks.length, 0) < 1501) await new Promise(setImmediate);
    } finally {
      gone.abort(new Error('enough'));
      await followed;
    }
    assert.deepEqual(
      heard.flatMap((news) => news.agents),
      agents,
    );
    assert.deepEqual(
      heard.flatMap((news) => news.tasks.map(({ id }) => id)),
      [...tasks.map(({ id }) => id), 't0'],
    );
    for (const news of heard) assert.ok(JSON.stringify(news).length < 3 * MEGABYTE && news.tasks.length + news.agents.length <= 500);
    assert.ok(turns >= heard.length - 1, `${turns} turns for ${heard.length} pieces`);
  }));

describe('of a fleet of thousands', () => {
  const COUNT = 5000;
  const ids = Array.from({ length: COUNT }, (_, at) => `agent-${String(at).padStart(5, '0')}`);

  const withFleet = (run: (scene: Scene) => Promise<void>): Promise<void> =>
    scene(async (made) => {
      for (const id of ids) made.registry.register(id);
      await run(made);
    });

  test('a list is whole, and holds nobody up', () =>
    withFleet(async ({ operations }) => {
      let agents: { id: string; secrets: number }[] = [];
      const longest = await longestTurn(async () => ({ agents } = await operations['agents.list']({}, call())));
      assert.deepEqual(
        agents.map(({ id }) => id),
        ids,
      );
      assert.ok(agents.every(({ secrets }) => secrets === 1));
      assert.ok(longest < 50, `${longest} ms`);
    }));

  test('the number is known without going through them', () =>
    withFleet(async ({ operations }) => {
      const at = threadMs();
      const { agents } = await operations['hub.info']({}, call());
      assert.deepEqual(agents, { known: COUNT, online: 0 });
      const took = threadMs() - at;
      assert.ok(took < 20, `${took} ms`);
    }));

  test('who looks on hears of all that change at once, and others have their turn in between', () =>
    withFleet(async ({ fleet }) => {
      const heard: string[] = [];
      const stop = fleet.follow(({ agents }) => heard.push(...agents.map(({ id }) => id)));
      try {
        const longest = await longestTurn(async () => {
          for (const id of ids) fleet.agentChanged(id);
          await eventually(() => assert.equal(heard.length, COUNT));
        });
        assert.deepEqual(heard, ids);
        assert.ok(longest < 50, `${longest} ms`);
      } finally {
        stop();
      }
    }));
});
