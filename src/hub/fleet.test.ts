// Who gets what, and who is let in, where connections come and go at bad moments.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { eventually } from '../../test/kit/eventually.ts';
import { type Joined, scene } from '../../test/kit/fleet-scene.ts';
import { FakeClock, settled } from '../../test/kit/link-harness.ts';
import { taskRequest } from '../../test/kit/task-request.ts';
import type { AgentSession } from './agent-session.ts';
import { hubDefaults } from './hub.ts';
import type { TaskRecord } from './task-store.ts';

test('what an agent that comes back has lost goes to another one that has room, at once', () =>
  scene(async (hub) => {
    const first = await hub.join('first');
    await hub.begin(first);
    const second = await hub.join('second');
    await hub.join('first', { credit: 0 });
    await eventually(() => assert.equal(second.frames.at(-1)?.type, 'task_assign'), 2000);
  }));

test('what an agent was offered that goes before it accepts is another one’s at once', () =>
  scene(async (hub) => {
    const first = await hub.join('first', { credit: 2 });
    await hub.create('t');
    await hub.create('u');
    await hub.is('u', 'offered');
    // Its acknowledgement may be lost: the agent may be at work.
    first.say({ type: 'task_accepted', task_id: 't', generation: 1 });
    const second = await hub.join('second', { credit: 2 });
    hub.fleet.left(first.session as AgentSession);
    await eventually(() => assert.equal(second.frames.at(-1)?.['task_id'], 'u'), 2000);
    const of = (id: string): unknown[] => [hub.store.get(id)?.holder, hub.store.get(id)?.state, hub.store.get(id)?.attempt];
    assert.deepEqual(
      [of('t'), of('u')],
      [
        ['first', 'running', 1],
        ['second', 'offered', 1],
      ],
    );
  }));

test('an agent that refuses at great length again and again does not make the hub grow by that', () =>
  scene(async (hub) => {
    const agent = await hub.join('first');
    await hub.create('t');
    for (let generation = 1; generation <= 3; generation++) {
      await eventually(() => assert.deepEqual([hub.store.get('t')?.state, hub.store.get('t')?.fence], ['offered', generation]), 5000);
      agent.say({ type: 'task_rejected', task_id: 't', generation, reason: '😀'.repeat(500_000) });
      await eventually(() => assert.notEqual(hub.store.get('t')?.state, 'offered'), 2000);
      agent.say({ type: 'ping', credit: 1, held: [] });
    }
    assert.ok(JSON.stringify(hub.store.audit(0, 99)).length < 30_000);
    assert.match(hub.store.get('t')?.reason ?? '', /^(😀){1000}$/u);
  }));

test('what an agent says of its progress at great length is cut between characters', () =>
  scene(async (hub) => {
    const agent = await hub.join('first');
    await hub.begin(agent);
    agent.say({ type: 'task_progress', task_id: 't', generation: 1, execution_event: { text: `x${'😀'.repeat(1000)}` } });
    await eventually(() => assert.ok(hub.store.get('t')?.progress), 2000);
    const text = hub.store.get('t')?.progress?.text ?? '';
    assert.deepEqual([text.length, text.isWellFormed()], [1000, true]);
  }));

test('what is granted to an agent while it goes is another one’s at once', () =>
  scene(async (hub) => {
    const first = await hub.join('first');
    const claim = hub.store.claim.bind(hub.store);
    hub.store.claim = async (claims) => {
      const granted = await claim(claims);
      if (granted.length > 0) hub.fleet.left(first.session as AgentSession);
      return granted;
    };
    await hub.create('t');
    await eventually(() => assert.equal(hub.store.get('t')?.fence, 1), 2000);
    const second = await hub.join('second');
    await eventually(() => assert.equal(second.frames.at(-1)?.['task_id'], 't'), 2000);
  }));

test('an offer stays with an agent whose next connection takes the place of this one', () =>
  scene(async (hub) => {
    await hub.join('one');
    await hub.create('t');
    await hub.is('t', 'offered');
    await hub.join('one', { credit: 0, held: [{ task_id: 't', generation: 1, state: undefined }] });
    await hub.is('t', 'running');
    assert.equal(hub.store.get('t')?.fence, 1);
  }));

test('a plain sidecar that goes keeps what it was offered: it may have begun', () =>
  scene(async (hub) => {
    const plain = await hub.join('plain', { features: [], credit: undefined, held: undefined });
    await hub.create('t');
    await hub.is('t', 'offered');
    hub.fleet.left(plain.session as AgentSession);
    await delay(50);
    assert.equal(hub.store.get('t')?.state, 'offered');
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
    assert.deepEqual([newest.closed(), late.closed()], [undefined, 1012]);
    // Where the newer one was a dead one of a machine whose clock was set back, it is let in as soon as that is known.
    hub.fleet.left(newest.session as AgentSession);
    const again = await hub.join('one', { epoch: 2 });
    assert.deepEqual([again.closed(), again.frames[0]?.type], [undefined, 'identified']);
  }));

test('a connection that could not be let in keeps no later one out, also from a machine whose clock is behind', () =>
  scene(async (hub) => {
    const arrived = hub.registry.arrived.bind(hub.registry);
    hub.registry.arrived = () => {
      hub.registry.arrived = arrived;
      throw new Error('full');
    };
    await assert.rejects(hub.join('one', { epoch: 3_600_000 }), /full/);
    const { closed, frames } = await hub.join('one', { epoch: 1 });
    assert.deepEqual([closed(), frames[0]?.type], [undefined, 'identified']);
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
    await hub.join('one');
    await hub.create('t');
    await hub.is('t', 'offered');
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

test('what an agent told a later hub of is offered to it again within a second, until the fence is beyond what it knows', () => {
  const clock = new FakeClock();
  return scene(async (hub) => {
    const agent = await hub.join('one', { credit: 1 });
    await hub.create('t');
    for (let generation = 1; generation <= 20; generation++) {
      await clock.advance(1000);
      const { type, generation: offered } = agent.frames.at(-1) as { type: string; generation: number };
      assert.deepEqual([type, offered], ['task_assign', generation]);
      agent.say({ type: 'task_rejected', task_id: 't', reason: 'told-again', generation });
    }
    await clock.advance(1000);
    agent.say({ type: 'task_accepted', task_id: 't', generation: 21 });
    await clock.advance(0);
    assert.equal(hub.store.get('t')?.state, 'running');
  }, clock);
});

test('who asks whether it may go on as its task is taken from it hears that it may not', () =>
  scene(async (hub) => {
    const agent = await hub.join('one');
    await hub.begin(agent);
    // What was asked of the store before it in the same turn of the event loop counts.
    const taken = hub.store.apply([{ task: 't', event: { type: 'cancel', by: 'me', reason: '', cancelBy: 0 } }]);
    agent.say({ type: 'task_recovering', task_id: 't', generation: 1 });
    assert.deepEqual(
      (await taken).map(({ ok }) => ok),
      [true],
    );
    await eventually(() => assert.equal(agent.frames.filter(({ type }) => type === 'task_reassign').length, 1), 2000);
    assert.equal(agent.frames.filter(({ type }) => type === 'task_continue').length, 0);
    // Its place is free again.
    await hub.create('u');
    await hub.is('u', 'offered');
  }));

test('of an agent of which a thousand frames wait for the disk nothing is read until one of them is stored', () =>
  scene(async (hub) => {
    const agent = await hub.join('one');
    const apply = hub.store.apply.bind(hub.store);
    const disk = Promise.withResolvers<void>();
    hub.store.apply = (events) => disk.promise.then(() => apply(events));
    const complete = { type: 'task_complete', task_id: 'none', generation: 1 };
    for (let count = 1; count < 1000; count++) agent.say(complete);
    assert.equal(agent.paused(), false);
    agent.say(complete);
    assert.equal(agent.paused(), true);
    disk.resolve();
    await eventually(() => assert.equal(agent.paused(), false));
    await eventually(() => assert.equal(agent.frames.filter(({ type }) => type === 'error').length, 1000));
  }));

test('of an agent of which frames of eight megabytes wait for the disk nothing is read until one of them is stored', () =>
  scene(async (hub) => {
    const agent = await hub.join('one');
    const apply = hub.store.apply.bind(hub.store);
    const disk = Promise.withResolvers<void>();
    hub.store.apply = (events) => disk.promise.then(() => apply(events));
    const complete = { type: 'task_complete', task_id: 'none', generation: 1, result: { output: 'x'.repeat(4_190_000) } };
    for (let count = 1; count <= 2; count++) agent.say(complete);
    assert.equal(agent.paused(), false);
    agent.say(complete);
    assert.equal(agent.paused(), true);
    disk.resolve();
    await eventually(() => assert.equal(agent.paused(), false));
    await eventually(() => assert.equal(agent.frames.filter(({ type }) => type === 'error').length, 3));
  }));

test('where a word of an agent can not be stored its connection ends, and what it says again on the next one counts', () =>
  scene(async (hub) => {
    const apply = hub.store.apply.bind(hub.store);
    const failOnce = (): void => {
      hub.store.apply = () => {
        hub.store.apply = apply;
        return Promise.reject(new Error('full'));
      };
    };
    const held = [{ task_id: 't', generation: 1, state: undefined }];
    const words = [
      { type: 'task_accepted', task_id: 't', generation: 1 },
      { type: 'ping', credit: 0, held },
      { type: 'task_complete', task_id: 't', generation: 1, result: {} },
    ];
    let agent = await hub.join('one');
    await hub.create('t');
    await hub.is('t', 'offered');
    for (const word of words) {
      failOnce();
      agent.say(word);
      await eventually(() => assert.equal(agent.closed(), 1012));
      assert.deepEqual(
        agent.frames.filter(({ type }) => type === 'error'),
        [],
      );
      agent = await hub.join('one', { credit: 0, held });
      agent.say(word);
      await eventually(() => assert.match(String(agent.frames.at(-1)?.type), /^(task_ack|pong)$/));
    }
    assert.equal(hub.store.get('t')?.state, 'succeeded');
  }));

test('a task of an older hub that fits into no frame has failed for good, and its agent gets the next one', () =>
  scene(async (hub) => {
    await hub.create('big', { metadata: { text: 'ä'.repeat(2 * 1024 * 1024) } });
    await hub.create('after', { after: ['big'] });
    await hub.create('small');
    const agent = await hub.join('one');
    await hub.is('big', 'failed');
    await hub.is('small', 'offered');
    assert.deepEqual(
      agent.frames.map(({ type, task_id: id }) => [type, id]),
      [
        ['identified', undefined],
        ['task_assign', 'small'],
      ],
    );
    assert.equal(agent.closed(), undefined);
    assert.match(hub.store.get('big')?.reason ?? '', /^It is too large for an agent: 4194\d{3} bytes, where a frame holds 4194304\.$/);
    assert.equal(hub.store.get('after')?.state, 'cancelled');
  }));

test('a task of an older hub that fits into no frame is ended by its next offer where the store failed at this one', () => {
  const clock = new FakeClock();
  return scene(async (hub) => {
    const apply = hub.store.apply.bind(hub.store);
    hub.store.apply = () => Promise.reject(new Error('full'));
    const agent = await hub.join('one');
    await hub.create('big', { metadata: { text: 'x'.repeat(5 * 1024 * 1024) } });
    await clock.advance(0);
    assert.deepEqual([hub.store.get('big')?.state, agent.session?.credit], ['offered', 1]);
    hub.store.apply = apply;
    await clock.advance(hubDefaults.acceptWithinMs + 200);
    assert.deepEqual([hub.store.get('big')?.state, agent.session?.credit, agent.closed()], ['failed', 1, undefined]);
  }, clock);
});

test('tasks wait for an agent that has much to read, and go out when it has read it, but for those that it has no more', () => {
  const clock = new FakeClock();
  return scene(async (hub) => {
    const agent = await hub.join('one', { credit: 4 });
    const told = (): unknown[] => agent.frames.slice(1).map(({ type, task_id: id }) => [type, id]);
    agent.unread(2 * 1024 * 1024);
    await Promise.all(['t', 'cancelled', 'u'].map((id) => hub.create(id)));
    await clock.advance(0);
    assert.deepEqual([hub.store.get('u')?.state, told(), agent.session?.credit], ['offered', [], 0]);
    const [cancelled] = await hub.store.apply([{ task: 'cancelled', event: { type: 'cancel', by: 'me', reason: '', cancelBy: 9999 } }]);
    hub.fleet.cancelled(cancelled?.task as TaskRecord);
    await hub.create('v');
    // It reads, slowly.
    for (const left of [1.9, 1.5, 1.2]) {
      agent.unread(left * 1024 * 1024);
      await clock.advance(15_000);
    }
    assert.deepEqual([told(), agent.closed(), hub.store.get('v')?.state], [[], undefined, 'ready']);
    agent.unread(0);
    assert.deepEqual(told(), [
      ['task_assign', 't'],
      ['task_assign', 'u'],
    ]);
    await clock.advance(0);
    assert.deepEqual(told().slice(2), [['task_assign', 'v']]);
  }, clock);
});

test('an agent that has room for many large tasks gets them all, a few in a turn of the event loop', () =>
  scene(async (hub) => {
    const text = 'x'.repeat(2 * 1024 * 1024);
    const ids = Array.from({ length: 9 }, (_, n) => `t${n}`);
    for (const id of ids) await hub.create(id, { metadata: { text } });
    const agent = await hub.join('one', { credit: 9 });
    const told = (): unknown[] => agent.frames.filter(({ type }) => type === 'task_assign').map(({ task_id: id }) => id);
    const turns: number[] = [];
    while (told().length < ids.length && turns.length < 1000) {
      await new Promise((resolve) => setImmediate(resolve));
      turns.push(told().length);
    }
    assert.deepEqual(told(), ids);
    const most = Math.max(...turns.map((count, at) => count - (turns[at - 1] ?? 0)));
    assert.ok(most <= 2, `${most} in one turn`);
  }));

test('agents that have room for thousands of tasks get them all, some hundreds in a turn of the event loop', () =>
  scene(async (hub) => {
    const ids = Array.from({ length: 1200 }, (_, n) => `t${n}`);
    await hub.store.enqueue(ids.map((id) => ({ id, request: taskRequest(), by: 'me' })));
    const agents = await Promise.all(['one', 'other'].map((id) => hub.join(id, { credit: 600 })));
    const told = (): unknown[] =>
      agents.flatMap(({ frames }) => frames.filter(({ type }) => type === 'task_assign').map(({ task_id: id }) => id));
    const turns: number[] = [];
    while (told().length < ids.length && turns.length < 1000) {
      await new Promise((resolve) => setImmediate(resolve));
      turns.push(told().length);
    }
    assert.deepEqual([told().length, new Set(told())], [ids.length, new Set(ids)]);
    const most = Math.max(...turns.map((count, at) => count - (turns[at - 1] ?? 0)));
    assert.ok(most <= 500, `${most} in one turn`);
  }));

test('of many large tasks one agent after the other gets one, and who has most room is not served before them all', () =>
  scene(async (hub) => {
    const text = 'x'.repeat(2 * 1024 * 1024);
    const agents = await Promise.all([6, 5, 1].map((credit) => hub.join(`has-${credit}`, { credit })));
    // They become ready together.
    await hub.create('first');
    await hub.create('waits', { after: ['first'], metadata: { text } });
    await eventually(() => assert.equal(hub.store.get('first')?.state, 'offered'), 2000);
    const holder = agents.find(({ frames }) => frames.some(({ type }) => type === 'task_assign')) as Joined;
    for (let n = 0; n < 9; n++) await hub.create(`t${n}`, { after: ['first'], metadata: { text } });
    const told: string[] = [];
    for (const agent of agents) {
      const { push } = agent.frames;
      agent.frames.push = (...frames) => {
        for (const { type } of frames) if (type === 'task_assign') told.push(agent.session?.facts.id ?? '');
        return push.apply(agent.frames, frames);
      };
    }
    holder.say({ type: 'task_complete', task_id: 'first', generation: 1, result: {} });
    await eventually(() => assert.equal(told.length, 10), 5000);
    assert.deepEqual(told.slice(0, 3).toSorted(), ['has-1', 'has-5', 'has-6']);
  }));

test('an agent that reads nothing for fifteen seconds while tasks wait for it is closed, and they are another one’s at once', () => {
  const clock = new FakeClock();
  return scene(async (hub) => {
    const agent = await hub.join('deaf', { credit: 2 });
    agent.unread(2 * 1024 * 1024);
    await hub.create('t');
    await hub.create('u');
    await clock.advance(14_900);
    const other = await hub.join('other', { credit: 2 });
    assert.deepEqual([agent.closed(), other.frames.length], [undefined, 1]);
    await clock.advance(200);
    assert.equal(agent.closed(), 4004);
    assert.deepEqual(
      other.frames.slice(1).map(({ type, task_id: id, attempt }) => [type, id, attempt]),
      [
        ['task_assign', 't', 1],
        ['task_assign', 'u', 1],
      ],
    );
  }, clock);
});

test('an agent that has not read eight megabytes of answers is closed', () =>
  scene(async (hub) => {
    const agent = await hub.join('one');
    for (const [unread, closed] of [
      [8, undefined],
      [8.1, 4004],
    ] as const) {
      agent.unread(unread * 1024 * 1024);
      agent.say({ type: 'ping' });
      await settled();
      assert.equal(agent.closed(), closed);
    }
  }));

test('AgentCom’s sidecar that was busy is left in peace for half a minute, and offered work again then', () => {
  const clock = new FakeClock();
  return scene(async (hub) => {
    const agent = await hub.join('plain', { features: [], credit: undefined, held: undefined });
    const offers = (): number => agent.frames.filter(({ type }) => type === 'task_assign').length;
    await hub.create('t');
    await clock.advance(0);
    assert.equal(offers(), 1);
    agent.say({ type: 'task_rejected', task_id: 't', reason: 'busy' });
    await clock.advance(29_999);
    assert.deepEqual([offers(), hub.store.get('t')?.state], [1, 'ready']);
    await clock.advance(2);
    assert.deepEqual([offers(), hub.store.get('t')?.state], [2, 'offered']);
  }, clock);
});

test('it is left in peace no longer where the clock is set back meanwhile, and no shorter where it is set ahead', async () => {
  for (const step of [-3_600_000, 3_600_000]) {
    const clock = new FakeClock();
    let setBy = 10_000_000;
    await scene(
      async (hub) => {
        const agent = await hub.join('plain', { features: [], credit: undefined, held: undefined });
        const offers = (): number => agent.frames.filter(({ type }) => type === 'task_assign').length;
        await hub.create('t');
        await clock.advance(0);
        agent.say({ type: 'task_rejected', task_id: 't', reason: 'busy' });
        await clock.advance(0);
        setBy += step;
        await hub.create('u');
        await clock.advance(29_999);
        assert.equal(offers(), 1);
        await clock.advance(2);
        assert.equal(offers(), 2);
      },
      clock,
      () => setBy,
    );
  }
});

test('an agent that renews keeps its task, and a dead one loses it after a lease, also where the clock is set ahead or back', async () => {
  for (const step of [-3_600_000, 3_600_000]) {
    const clock = new FakeClock();
    let setBy = 10_000_000;
    await scene(
      async (hub) => {
        const living = await hub.join('living');
        const dead = await hub.join('dead');
        for (const [id, agent] of [
          ['kept', living],
          ['lost', dead],
        ] as const) {
          await hub.create(id, { agent: agent.session?.facts.id ?? '', backoffMs: 0 });
          await clock.advance(0);
          agent.say({ type: 'task_accepted', task_id: id, generation: 1 });
          await clock.advance(0);
        }
        setBy += step;
        // With nothing asked of it the hub looks at the time all the same.
        await clock.advance(29_000);
        const held = [{ task_id: 'kept', generation: 1 }];
        const states = (): unknown[] => ['kept', 'lost'].map((id) => [hub.store.get(id)?.state, hub.store.get(id)?.fence]);
        assert.deepEqual(
          states(),
          [
            ['running', 1],
            ['running', 1],
          ],
          `${step}`,
        );
        living.say({ type: 'ping', credit: 0, held });
        await clock.advance(30_900);
        assert.deepEqual([dead.frames.at(-1)?.type, ...states()], ['task_ack', ['running', 1], ['running', 1]], `${step}`);
        const { fleet } = hub;
        assert.deepEqual(
          fleet.agents().map(({ id, state }) => [id, state]),
          [
            ['dead', 'stale'],
            ['living', 'online'],
          ],
        );
        await clock.advance(200);
        assert.deepEqual([states()[0], dead.frames.at(-1)?.type], [['running', 1], 'task_reassign'], `${step}`);
      },
      clock,
      () => setBy,
    );
  }
});

test('a task of AgentCom’s sidecar that falls silent for ten minutes is granted anew under the next fence', () => {
  const clock = new FakeClock();
  return scene(async (hub) => {
    const silent = await hub.join('silent', { features: [], credit: undefined, held: undefined });
    await hub.create('t', { backoffMs: 0 });
    await clock.advance(0);
    silent.say({ type: 'task_accepted', task_id: 't' });
    await clock.advance(0);
    const other = await hub.join('other', { features: [], credit: undefined, held: undefined });
    await clock.advance(599_900);
    assert.deepEqual([hub.store.get('t')?.state, other.frames.length], ['running', 1]);
    await clock.advance(300);
    const { state, holder, fence } = hub.store.get('t') ?? {};
    assert.deepEqual([state, holder, fence, other.frames.at(-1)?.type], ['offered', 'other', 2, 'task_assign']);
    assert.equal(silent.frames.at(-1)?.type, 'task_reassign');
  }, clock);
});

test('agents are told to speak so often that a lease outlives a connection that dies', async () => {
  for (const [options, heartbeatMs, pongTimeoutMs] of [
    [{}, 30_000, 10_000],
    [{ leaseMs: 30_000 }, 15_000, 5000],
    [{ leaseMs: 3001 }, 1500, 500],
    [{ leaseMs: 600_000 }, 30_000, 10_000],
    [{ leaseMs: 30_000, heartbeatMs: 1000, pongTimeoutMs: 900 }, 1000, 900],
  ] as const)
    await scene(
      async (hub) => {
        const [identified] = (await hub.join('one')).frames;
        assert.deepEqual([identified?.['heartbeat_ms'], identified?.['pong_timeout_ms']], [heartbeatMs, pongTimeoutMs]);
      },
      undefined,
      undefined,
      options,
    );
});
