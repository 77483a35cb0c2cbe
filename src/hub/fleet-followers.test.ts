// What those who look on at a hub hear.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { eventually } from '../../test/kit/eventually.ts';
import { type Joined, type Scene, scene } from '../../test/kit/fleet-scene.ts';
import { FakeClock, settled } from '../../test/kit/link-harness.ts';
import { livingBytes } from '../../test/kit/living-bytes.ts';
import { taskRequest } from '../../test/kit/task-request.ts';
import { call } from '../../test/kit/workspace-harness.ts';
import type { FleetNews } from './fleet.ts';
import { implementHub } from './operations.ts';
import type { TaskRecord } from './task-store.ts';

/** An agent runs the task `t`. `told`: its states of which somebody hears who comes after that. */
async function atWork(hub: Scene, clock: FakeClock): Promise<{ agent: Joined; told: string[] }> {
  const agent = await hub.join('one');
  await hub.create('t');
  await clock.advance(0);
  agent.say({ type: 'task_accepted', task_id: 't', generation: 1 });
  await clock.advance(1000);
  const told: string[] = [];
  hub.fleet.follow(({ tasks }) => told.push(...tasks.map(({ state }) => state)));
  return { agent, told };
}

test('who looks on hears that an agent takes nothing more, and that it has more room, though no task changes', () => {
  const clock = new FakeClock();
  return scene(async (hub) => {
    const agent = await hub.join('one');
    await clock.advance(1000);
    const told: unknown[] = [];
    hub.fleet.follow(({ agents }) => told.push(...agents.map(({ state, credit }) => [state, credit])));
    agent.say({ type: 'ping', credit: 3, held: [] });
    await clock.advance(1000);
    agent.say({ type: 'ping', credit: 3, held: [] });
    await clock.advance(1000);
    agent.say({ type: 'agent_restarting' });
    await clock.advance(1000);
    assert.deepEqual(told, [
      ['online', 3],
      ['draining', 0],
    ]);
  }, clock);
});

test('who looks on hears last how a task stands last, also where a report that is refused comes right before the one that counts', () => {
  const clock = new FakeClock();
  return scene(async (hub) => {
    const { agent, told } = await atWork(hub, clock);
    for (const generation of [0, 1]) agent.say({ type: 'task_complete', task_id: 't', generation, result: {} });
    await clock.advance(1000);
    assert.deepEqual(told, ['succeeded']);
  }, clock);
});

test('who looks on hears last how a task stands last, also where it is cancelled right before its agent is done with it', () => {
  const clock = new FakeClock();
  return scene(async (hub) => {
    const { agent, told } = await atWork(hub, clock);
    const { 'tasks.cancel': cancel } = implementHub({ ...hub, now: () => clock.now, monotonic: () => clock.now, version: 'test' });
    const canceled = cancel({ id: 't', reason: 'enough' }, call());
    agent.say({ type: 'task_complete', task_id: 't', generation: 1, result: {} });
    await canceled;
    await clock.advance(1000);
    assert.deepEqual(told, ['succeeded']);
  }, clock);
});

test('who looks on hears last how a task stands last, also where it is cancelled while thousands of others become due', () => {
  const clock = new FakeClock();
  return scene(async (hub) => {
    const told = new Map<string, string>();
    hub.fleet.follow(({ tasks }) => {
      for (const { id, state } of tasks) told.set(id, state);
    });
    const request = { ...taskRequest(), runAt: clock.now + 1000 };
    const ids = Array.from({ length: 4000 }, (_, index) => `t${index}`);
    for (const { task } of await hub.store.enqueue(ids.map((id) => ({ id, request, by: 'me' })))) hub.fleet.changed(task);
    const { 'tasks.cancel': cancel } = implementHub({ ...hub, now: () => clock.now, monotonic: () => clock.now, version: 'test' });
    const states = (): (string | undefined)[] => ['t0', 't3999'].map((id) => hub.store.get(id)?.state);
    const due = clock.advance(2000);
    while (states()[0] === 'scheduled') await new Promise(setImmediate);
    assert.deepEqual(states(), ['ready', 'scheduled']);
    await cancel({ id: 't0', reason: 'enough' }, call());
    await due;
    await eventually(() => assert.deepEqual(states(), ['cancelled', 'ready']));
    await settled();
    await clock.advance(1000);
    assert.deepEqual(
      ['t0', 't3999'].map((id) => told.get(id)),
      ['cancelled', 'ready'],
    );
  }, clock);
});

test('who looks on hears of an agent that is made known, gets a new secret, or loses all of them, though it is not connected', () => {
  const clock = new FakeClock();
  return scene(async (hub) => {
    const told: unknown[] = [];
    hub.fleet.follow(({ agents }) => told.push(...agents.map(({ id, secrets }) => [id, secrets])));
    const operations = implementHub({ ...hub, now: () => clock.now, monotonic: () => clock.now, version: 'test' });
    await operations['agents.register']({ agent: 'far' }, call());
    await clock.advance(1000);
    await operations['agents.rotate']({ agent: 'far' }, call());
    await clock.advance(1000);
    await operations['agents.revoke']({ agent: 'far' }, call());
    await clock.advance(1000);
    assert.deepEqual(told, [
      ['far', 1],
      ['far', 2],
      ['far', 0],
    ]);
  }, clock);
});

test('who looks on and takes nothing hears of the newest hundred changes when he does', () =>
  scene(async (hub) => {
    const told: unknown[] = [];
    const taken = Promise.withResolvers<void>();
    const gone = new AbortController();
    const emit = async (news: unknown): Promise<void> => {
      told.push(...(news as FleetNews).agents);
      await taken.promise;
    };
    const { 'hub.follow': follow } = implementHub({ ...hub, now: Date.now, monotonic: Date.now, version: 'test' });
    const followed = assert.rejects(async () => follow({}, call({ signal: gone.signal, emit })), /enough/);
    hub.bus.publish('news', { agents: [0], tasks: [] });
    await eventually(() => assert.deepEqual(told, [0]));
    for (let news = 1; news <= 150; news++) hub.bus.publish('news', { agents: [news], tasks: [] });
    await settled();
    taken.resolve();
    await eventually(() => assert.equal(told.at(-1), 150));
    assert.deepEqual(told, [0, ...Array.from({ length: 100 }, (_, at) => 51 + at)]);
    gone.abort(new Error('enough'));
    await followed;
  }));

test('what waits for one who looks on and takes nothing is some megabytes, and he hears that there was more', () => {
  const clock = new FakeClock();
  return scene(async (hub) => {
    const told: (FleetNews & { resync?: string })[] = [];
    const taken = Promise.withResolvers<void>();
    const gone = new AbortController();
    const emit = async (news: unknown): Promise<void> => {
      told.push(news as FleetNews);
      await taken.promise;
    };
    const { 'hub.follow': follow } = implementHub({ ...hub, now: Date.now, monotonic: Date.now, version: 'test' });
    await hub.create('t');
    const followed = assert.rejects(async () => follow({}, call({ signal: gone.signal, emit })), /enough/);
    const task = hub.store.get('t') as TaskRecord;
    const megabytes = (count: number): string => Buffer.alloc(count * 1024 * 1024, 'x').toString('latin1');
    const before = livingBytes();
    for (let count = 0; count < 90; count++) {
      const changed: TaskRecord = { ...task, id: `t${count}`, description: megabytes(1), metadata: { text: megabytes(4) } };
      hub.fleet.changed(changed);
      await clock.advance(250);
    }
    const grown = Math.round((livingBytes() - before) / 1024 / 1024);
    assert.ok(grown < 40, `${grown} MiB are kept`);
    taken.resolve();
    await eventually(() => assert.equal(told.at(-1)?.tasks.at(-1)?.id, 't89'));
    const [first, second, third] = told;
    assert.deepEqual([first?.resync, typeof second?.resync, third?.resync], [undefined, 'string', undefined]);
    const ids = told.slice(1).flatMap(({ tasks }) => tasks.map(({ id }) => Number(id.slice(1))));
    assert.ok(ids.length > 10 && ids.length <= 16, `${ids.length} were told`);
    assert.deepEqual(
      ids,
      ids.map((_, at) => 90 - ids.length + at),
    );
    gone.abort(new Error('enough'));
    await followed;
  }, clock);
});
