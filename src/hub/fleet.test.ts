// Who gets what, and who is let in, where connections come and go at bad moments: the real fleet and store, with sockets that only write down.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { eventually } from '../../test/kit/eventually.ts';
import { taskRequest } from '../../test/kit/task-request.ts';
import type { AgentFrames } from '../contract/hub.ts';
import { nodeTimers } from '../net/timers.ts';
import { AgentRegistry } from './agent-registry.ts';
import type { AgentSession } from './agent-session.ts';
import { InProcessBus } from './bus.ts';
import { Fleet } from './fleet.ts';
import { SqliteTaskStore } from './sqlite-task-store.ts';
import { TaskLogs } from './task-logs.ts';

interface Joined {
  session: AgentSession | undefined;
  frames: { type: string; [more: string]: unknown }[];
  closed: () => number | undefined;
  say: (frame: object) => void;
}

/** A bus that loses what it is told to lose. */
class LossyBus extends InProcessBus {
  loses: string | undefined;

  override publish(subject: string, message: unknown): void {
    if (subject === this.loses) this.loses = undefined;
    else super.publish(subject, message);
  }
}

class Scene {
  readonly registry = new AgentRegistry({ file: ':memory:', now: Date.now });
  readonly store = new SqliteTaskStore({ file: ':memory:', now: Date.now, random: Math.random, acceptMs: 60_000 });
  readonly bus = new LossyBus(nodeTimers);
  readonly fleet = new Fleet(
    {
      store: this.store,
      bus: this.bus,
      registry: this.registry,
      logs: new TaskLogs(this.bus),
      timers: nodeTimers,
      now: Date.now,
      log: () => {},
      dispatch: () => Promise.reject(new Error('Agents call nothing.')),
    },
    { heartbeatMs: 30_000, pongTimeoutMs: 10_000, leaseMs: 60_000, plainLeaseMs: 600_000 },
  );
  readonly #secrets = new Map<string, string>();

  async join(agent: string, more: Partial<AgentFrames['identify']> = {}): Promise<Joined> {
    const token = this.#secrets.get(agent) ?? this.registry.register(agent);
    this.#secrets.set(agent, token);
    const frames: Joined['frames'] = [];
    let closed: number | undefined;
    const none = (): void => {};
    const socket = {
      send: (text: string) => void frames.push(JSON.parse(text) as Joined['frames'][number]),
      buffered: 0,
      onDrain: none,
      onText: none,
      onBad: none,
      onClose: none,
      pause: none,
      resume: none,
      close: (code: number) => void (closed ??= code),
    };
    const identify = { agent_id: agent, token, features: ['leases', 'held', 'refusals'], credit: 1, held: [], ...more };
    const session = await this.fleet.admit(identify as unknown as AgentFrames['identify'], socket, null);
    return { session, frames, closed: () => closed, say: (frame) => session?.receive(JSON.stringify(frame)) };
  }

  async create(id: string, more: Parameters<typeof taskRequest>[0] = {}): Promise<void> {
    for (const { task } of await this.store.enqueue([{ id, request: taskRequest(more), by: 'me' }])) this.fleet.changed(task);
    this.fleet.wake();
  }

  is(id: string, state: string): Promise<void> {
    return eventually(() => assert.equal(this.store.get(id)?.state, state), 2000);
  }
}

async function scene(run: (scene: Scene) => Promise<void>): Promise<void> {
  const made = new Scene();
  made.fleet.start();
  try {
    await run(made);
  } finally {
    made.fleet.stop(1);
    made.bus.close();
    await made.store.close();
    made.registry.close();
  }
}

test('what an agent that comes back has lost goes to another one that has room, at once', () =>
  scene(async (hub) => {
    const first = await hub.join('first');
    await hub.create('t');
    await hub.is('t', 'offered');
    first.say({ type: 'task_accepted', task_id: 't', generation: 1 });
    await hub.is('t', 'running');
    const second = await hub.join('second');
    await hub.join('first', { credit: 0 });
    await eventually(() => assert.equal(second.frames.at(-1)?.type, 'task_assign'), 2000);
  }));

test('a word on the bus that is lost is only later: the next one is heard', () =>
  scene(async (hub) => {
    await hub.join('one', { credit: 3 });
    await delay(20);
    hub.bus.loses = 'ready';
    await hub.create('t');
    await delay(20);
    assert.equal(hub.store.get('t')?.state, 'ready');
    await hub.create('u');
    await hub.is('t', 'offered');
    await hub.is('u', 'offered');
  }));

test('where the store fails work is given out when it is well again, though nobody says anything', () =>
  scene(async (hub) => {
    await hub.join('one');
    const claim = hub.store.claim.bind(hub.store);
    hub.store.claim = () => {
      hub.store.claim = claim;
      return Promise.reject(new Error('full'));
    };
    await hub.create('t');
    await hub.is('t', 'offered');
  }));

test('an older connection does not throw out a newer one, whatever was replaced before', () =>
  scene(async (hub) => {
    await hub.join('one', { epoch: 1 });
    const newest = await hub.join('one', { epoch: 3 });
    const late = await hub.join('one', { epoch: 2 });
    assert.deepEqual([newest.closed(), late.closed()], [undefined, 4003]);
  }));

test('who is revoked while it is let in is not let in', () =>
  scene(async (hub) => {
    await hub.join('one').then(({ session }) => hub.fleet.left(session as AgentSession));
    await hub.create('t', { agent: 'one' });
    const joining = hub.join('one');
    hub.registry.revoke('one');
    assert.equal(await hub.fleet.cut('one', 4001, 'token_revoked'), false);
    const { closed } = await joining;
    assert.deepEqual([closed(), hub.fleet.online], [4001, 0]);
  }));

test('an offer that went down with a connection is not held by who has more than it can name', () =>
  scene(async (hub) => {
    const first = await hub.join('one');
    await hub.create('t');
    await hub.is('t', 'offered');
    hub.fleet.left(first.session as AgentSession);
    const back = await hub.join('one', { credit: 0, held_more: true });
    back.say({ type: 'ping', credit: 0, held: [], held_more: true });
    await eventually(() => assert.equal(back.frames.at(-1)?.type, 'pong'));
    assert.equal(hub.store.get('t')?.state, 'offered');
  }));

test('what is said of an older grant leaves the newer one of the same task as it is', () =>
  scene(async (hub) => {
    const agent = await hub.join('one', { credit: 1 });
    await hub.create('t');
    await hub.is('t', 'offered');
    agent.say({ type: 'task_rejected', task_id: 't', reason: 'busy', generation: 1 });
    await hub.is('t', 'ready');
    agent.say({ type: 'ping', credit: 1, held: [] });
    await eventually(() => assert.equal(agent.frames.at(-1)?.['generation'], 2));
    agent.say({ type: 'task_accepted', task_id: 't', generation: 2 });
    await hub.is('t', 'running');
    agent.say({ type: 'task_failed', task_id: 't', generation: 1, reason: 'late' });
    agent.say({ type: 'ping', held: [{ task_id: 't', generation: 1 }] });
    await eventually(() => assert.equal(agent.frames.at(-1)?.type, 'pong'));
    assert.equal(agent.session?.credit, 0);
  }));
