import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { type FakeWorld, fakeWorld, settled } from '../../../test/kit/link-harness.ts';
import { OutriggerError } from '../../contract/errors.ts';
import { MAX_HUB_FRAME_BYTES } from '../../contract/hub.ts';

const identify =
  '{"type":"identify","agent_id":"probe","token":"t","name":"probe","status":"idle","capabilities":["code"],"client_type":"sidecar","protocol_version":1';
const state = ({ link }: FakeWorld): string => link.status().state;

/** Lets each of `count` dials fail; milliseconds between them. */
async function delays(world: FakeWorld, count: number): Promise<number[]> {
  world.link.start();
  for (let n = 0; n < count; n++) {
    world.dials.at(-1)?.fail();
    await world.clock.advance(0);
    const { nextAt = 0 } = world.link.status() as { nextAt?: number };
    await world.clock.advance(nextAt - 1_000_000 - world.clock.now);
  }
  return world.dials.slice(1).map(({ at }, index) => at - (world.dials[index]?.at ?? 0));
}

describe('delays', () => {
  test('without jitter they are 1, 2, 4, 8, 16, 32, 60 and 60 s, exactly', async () => {
    assert.deepEqual(
      await delays(fakeWorld({ jitter: 'none' }), 9),
      [1, 2, 4, 8, 16, 32, 60, 60, 60].map((s) => s * 1000),
    );
  });

  test('with jitter they are uniformly random below the same bounds, from the first on, and below twice the time that the hub was away', async () => {
    assert.deepEqual(await delays(fakeWorld(), 8), [500, 1000, 2000, 3500, 7000, 14_000, 28_000, 30_000]);
    assert.deepEqual(await delays(fakeWorld({}, { random: () => 0.001 }), 3), [1, 2, 4]);
  });

  test('they begin anew after a session of 10 s, and not after a shorter one', async () => {
    const world = fakeWorld({ jitter: 'none' });
    const after = async (sessionMs: number): Promise<number> => {
      const socket = await world.online();
      await world.clock.advance(sessionMs);
      socket.end(1006, '');
      const { nextAt = 0 } = world.link.status() as { nextAt?: number };
      const delay = nextAt - 1_000_000 - world.clock.now;
      await world.clock.advance(delay);
      return delay;
    };
    world.link.start();
    assert.deepEqual(
      [await after(0), await after(9999), await after(0), await after(10_000), await after(1)],
      [1000, 2000, 4000, 1000, 2000],
    );
  });

  test('a hub that accepts and never identifies us is left after 10 s, and its delays grow', async () => {
    const world = fakeWorld({ jitter: 'none' });
    world.link.start();
    for (const delay of [1000, 2000, 4000]) {
      const socket = await world.open();
      await world.clock.advance(10_000);
      assert.ok(socket.isCut);
      assert.equal(state(world), 'waiting');
      await world.clock.advance(delay - 1);
      assert.equal(state(world), 'waiting');
      await world.clock.advance(1);
      assert.equal(state(world), 'connecting');
    }
  });
});

describe('what the hub wishes', () => {
  const nextDelay = ({ link, clock }: FakeWorld): number => (link.status() as { nextAt: number }).nextAt - 1_000_000 - clock.now;

  test('goaway: we go, and come back in the window that it names', async () => {
    const world = fakeWorld();
    world.link.start();
    const socket = await world.online();
    socket.say({ type: 'goaway', reason: 'restart', retry_after_ms: 3000, window_ms: 20_000 });
    assert.deepEqual(socket.closed, { code: 1000, reason: 'goaway' });
    assert.deepEqual([state(world), nextDelay(world)], ['waiting', 13_000]);
  });

  test('503 with Retry-After, which leaves our own delays as they are', async () => {
    const world = fakeWorld({ jitter: 'none' });
    world.link.start();
    for (const retryAfterMs of [7000, 2000]) {
      world.dials.at(-1)?.fail(new OutriggerError('CONNECTION_LOST', '503', { details: { status: 503, retryAfterMs } }));
      await settled();
      assert.equal(nextDelay(world), retryAfterMs + 1000);
      await world.clock.advance(retryAfterMs + 1000);
    }
    world.dials.at(-1)?.fail();
    await settled();
    assert.equal(nextDelay(world), 1000);
  });

  test('a cool-down: the close says in how many seconds', async () => {
    const world = fakeWorld();
    world.link.start();
    (await world.open()).end(1008, 'cooldown active: retry in 27s');
    assert.equal(nextDelay(world), 27_500);
  });

  test('to come back at once, again and again: our own delays are the least, and grow', async () => {
    const world = fakeWorld({ jitter: 'none' });
    world.link.start();
    const waited: number[] = [];
    for (let n = 0; n < 3; n++) {
      (await world.online()).say({ type: 'goaway', retry_after_ms: 0, window_ms: 0 });
      waited.push(nextDelay(world));
      await world.clock.advance(nextDelay(world));
    }
    (await world.open()).end(1008, 'cooldown active: retry in 0s');
    waited.push(nextDelay(world));
    assert.deepEqual(waited, [1000, 2000, 4000, 1000]);
  });

  test('an endless wish is cut to an hour, so that no timer overflows', async () => {
    const world = fakeWorld();
    world.link.start();
    (await world.online()).say({ type: 'goaway', retry_after_ms: 1e15 });
    assert.equal(nextDelay(world), 3_600_500);
  });

  test('rate_limited: nothing is sent until it is over, then all in its order; tasks are told', async () => {
    const world = fakeWorld();
    world.link.start();
    const socket = await world.online();
    socket.say({ type: 'rate_limited', retry_after_ms: 40_000, tier: 'normal' });
    const before = socket.sent.length;
    assert.equal(world.tasks.session?.send({ type: 'task_accepted', task_id: 'one' }), true);
    assert.equal(world.tasks.session?.send({ type: 'task_accepted', task_id: 'two' }), true);
    await world.clock.advance(39_999);
    assert.equal(socket.sent.length, before);
    await world.clock.advance(1);
    assert.deepEqual(
      socket.frames.slice(before).map(({ task_id: id }) => id),
      ['one', 'two'],
    );
    assert.deepEqual(world.tasks.heard.at(-1), { type: 'rate_limited', retry_after_ms: 40_000, tier: 'normal' });
  });

  test('rate_limited, and no end of what we have to say: what finds no room is refused', async () => {
    const world = fakeWorld();
    world.link.start();
    (await world.online()).say({ type: 'rate_limited', retry_after_ms: 1000 });
    const sent = Array.from({ length: 1200 }, () => world.tasks.session?.send({ type: 'task_progress', task_id: 'x' }));
    assert.equal(sent.filter((one) => one === true).length, 1000);
  });

  test('heartbeat_ms and pong_timeout_ms', async () => {
    const world = fakeWorld();
    world.link.start();
    const socket = await world.online({ heartbeat_ms: 5000, pong_timeout_ms: 1000 });
    await world.clock.advance(5000);
    assert.equal(socket.sent.at(-1), '{"type":"ping","protocol_version":1}');
    await world.clock.advance(999);
    assert.equal(socket.isCut, false);
    await world.clock.advance(1);
    assert.equal(socket.isCut, true);
  });

  test('an endless heartbeat is cut to five minutes, and so is the time to answer it', async () => {
    const world = fakeWorld();
    world.link.start();
    const socket = await world.online({ heartbeat_ms: 1e15, pong_timeout_ms: 1e15 });
    await world.clock.advance(299_999);
    assert.equal(socket.sent.length, 1);
    await world.clock.advance(1);
    assert.equal(socket.frames.at(-1)?.['type'], 'ping');
    await world.clock.advance(299_999);
    assert.equal(socket.isCut, false);
    await world.clock.advance(1);
    assert.equal(socket.isCut, true);
  });

  test('an endless rate limit is cut to five minutes', async () => {
    const world = fakeWorld();
    world.link.start();
    const socket = await world.online({ heartbeat_ms: 300_000 });
    socket.say({ type: 'rate_limited', retry_after_ms: 1e15 });
    assert.equal(world.tasks.session?.send({ type: 'task_accepted', task_id: 'one' }), true);
    await world.clock.advance(299_999);
    assert.equal(socket.sent.length, 1);
    await world.clock.advance(1);
    assert.ok(socket.frames.some(({ task_id: id }) => id === 'one'));
  });

  test('another link has our id: we warn and stay away for minutes', async () => {
    const world = fakeWorld();
    world.link.start();
    (await world.online()).end(4003, 'replaced');
    assert.equal(nextDelay(world), 330_000);
    assert.deepEqual(
      world.log.filter(({ event }) => event === 'link.replaced').map(({ level }) => level),
      ['warn'],
    );
  });
});

describe('heartbeats', () => {
  test('a ping each 30 s; without anything for 10 s the socket is cut, not closed', async () => {
    const world = fakeWorld();
    world.link.start();
    const socket = await world.online();
    for (let n = 1; n <= 3; n++) {
      await world.clock.advance(29_999);
      assert.equal(socket.sent.length, n);
      await world.clock.advance(1);
      assert.equal(socket.sent.at(-1), '{"type":"ping","protocol_version":1}');
      if (n < 3) socket.say({ type: 'pong', timestamp: 1 });
    }
    await world.clock.advance(9999);
    assert.equal(state(world), 'online');
    await world.clock.advance(1);
    assert.deepEqual([state(world), socket.isCut, socket.closed], ['waiting', true, undefined]);
  });

  test('any frame is a sign of life, junk too', async () => {
    for (const frame of ['{"type":"task_ack","task_id":"x"}', '{"type":"agent_joined"}', 'junk']) {
      const world = fakeWorld();
      world.link.start();
      const socket = await world.online();
      await world.clock.advance(30_000 + 9999);
      socket.say(frame);
      await world.clock.advance(20_000);
      assert.equal(state(world), 'online', frame);
    }
  });

  test('pings renew what is held by a clock that began when they left, and pongs tell what is lost', async () => {
    const world = fakeWorld();
    world.tasks.holding = [{ task_id: 'one', generation: 2, state: 'working' }];
    world.link.start();
    const lost = [{ task_id: 'gone', generation: 1 }];
    const socket = await world.online({ features: ['leases'], lease_ms: 60_000, nack: lost });
    assert.deepEqual(world.tasks.heard, [{ lease: 60_000 }, { lost }, 'connected']);
    // At once, as what is held may be near its end.
    assert.equal(
      socket.sent[1],
      '{"type":"ping","protocol_version":1,"credit":1,"held":[{"task_id":"one","generation":2,"state":"working"}]}',
    );
    await world.clock.advance(700);
    socket.say({ type: 'pong', nack: lost });
    assert.deepEqual(world.tasks.heard.slice(3), [{ lost }, { renewedAt: 0 }]);
    await world.clock.advance(29_300 + 400);
    socket.say({ type: 'pong' });
    assert.deepEqual(world.tasks.heard.at(-1), { renewedAt: 30_000 });
  });

  test('tasks can have a ping leave at once: the next one is as long after it, and only a hub that knows leases gets it', async () => {
    for (const features of [['leases'], []]) {
      const world = fakeWorld();
      world.link.start();
      const socket = await world.online({ features });
      socket.say({ type: 'pong' });
      await world.clock.advance(20_000);
      const before = socket.sent.length;
      world.tasks.free = 0;
      world.tasks.session?.ping();
      socket.say({ type: 'pong' });
      assert.deepEqual(
        socket.sent.slice(before),
        features.length === 0 ? [] : ['{"type":"ping","protocol_version":1,"credit":0,"held":[]}'],
      );
      await world.clock.advance(29_999);
      assert.equal(socket.sent.length, before + 1);
      socket.say({ type: 'pong' });
      socket.end(1006, '');
      const waiting = world.clock.waiting;
      world.tasks.session?.ping();
      assert.equal(world.clock.waiting, waiting);
    }
  });

  test('a pong that was lost never makes a lease longer', async () => {
    const world = fakeWorld();
    world.link.start();
    const socket = await world.online({ features: ['leases'], heartbeat_ms: 1000, pong_timeout_ms: 500 });
    for (let n = 0; n < 40; n++) {
      await world.clock.advance(400);
      socket.say({ type: 'task_ack', task_id: 'x' });
      await world.clock.advance(600);
    }
    socket.say({ type: 'pong' });
    assert.deepEqual(world.tasks.heard.at(-1), { renewedAt: 0 });
  });
});

describe('identify', () => {
  test('is the recorded frame with what hubs of ours know behind it', async () => {
    const world = fakeWorld({ labels: { os: 'linux' }, allow: 'read' });
    world.link.start();
    world.tasks.holding = [{ task_id: 'x', generation: 1, state: 'done' }];
    const [frame = ''] = (await world.open()).sent;
    assert.equal(
      frame,
      `${identify},"features":["leases","held","refusals","long-reasons","logs","calls"],"labels":{"os":"linux"},"credit":1,"held":[{"task_id":"x","generation":1,"state":"done"}],"epoch":1000000}`,
    );
    assert.deepEqual(world.dials[0]?.options.headers, { authorization: 'Bearer t' });
    assert.equal(world.dials[0]?.options.maxPayload, MAX_HUB_FRAME_BYTES);
  });

  test('offers no calls where nothing is allowed', async () => {
    const world = fakeWorld();
    world.link.start();
    const socket = await world.open();
    assert.ok(!(socket.frames[0]?.['features'] as string[]).includes('calls'));
    socket.say({ type: 'identified', agent_id: 'probe', features: ['calls', 'leases', 'telepathy'] });
    assert.deepEqual(world.link.status().features, ['leases']);
    socket.say({ type: 'call', id: 'h1', method: 'echo.unary', params: {} });
    await settled();
    assert.deepEqual(world.link.status().odd, { 'unknown call': 1 });
  });

  for (const [says, act] of [
    ['invalid_token', (world) => world.open().then((socket) => socket.say({ type: 'error', error: 'invalid_token' }))],
    ['token_agent_mismatch', (world) => world.open().then((socket) => socket.say({ type: 'error', error: 'token_agent_mismatch' }))],
    ['close 4001', (world) => world.open().then((socket) => socket.end(4001, ''))],
    ['401', (world) => world.dials[0]?.fail(new OutriggerError('BAD_TOKEN', '401', { details: { status: 401 } }))],
    ['403', (world) => world.dials[0]?.fail(new OutriggerError('ACCESS_DENIED', '403', { details: { status: 403 } }))],
    ['invalid_token long after', (world) => world.online().then((socket) => socket.say({ type: 'error', error: 'invalid_token' }))],
  ] as [string, (world: FakeWorld) => unknown][]) {
    test(`a refusal (${says}) is final: the state says so, and nothing more is tried`, async () => {
      const world = fakeWorld();
      world.link.start();
      await act(world);
      await settled();
      assert.equal(state(world), 'refused');
      assert.deepEqual(
        world.log.filter(({ level }) => level === 'error').map(({ event }) => event),
        ['link.refused'],
      );
      await world.clock.advance(24 * 3_600_000);
      assert.equal(world.dials.length, 1);
      await world.link.stop();
      assert.deepEqual([state(world), world.clock.waiting], ['stopped', 0]);
    });
  }

  test('another error is not final', async () => {
    const world = fakeWorld();
    world.link.start();
    (await world.open()).say({ type: 'error', error: 'validation_failed', message_type: 'identify', errors: [{ field: 'name' }] });
    assert.equal(state(world), 'waiting');
  });

  test('a new token is stored before it is used, with the next identify', async () => {
    const stored: string[] = [];
    const world = fakeWorld({ jitter: 'none' }, { storeToken: (token) => void stored.push(token) });
    world.link.start();
    const socket = await world.online();
    socket.say({ type: 'token_rotated', token: 'new' });
    assert.deepEqual([stored, state(world)], [['new'], 'online']);
    socket.end(1006, '');
    await world.clock.advance(1000);
    assert.equal((await world.open()).frames[0]?.['token'], 'new');
    assert.deepEqual(world.dials[1]?.options.headers, { authorization: 'Bearer new' });
    assert.ok(!JSON.stringify(world.log).includes('new"'), 'the log has no token');
  });

  test('a new token that can not be stored is not used', async () => {
    const world = fakeWorld(
      { jitter: 'none' },
      {
        storeToken: () => {
          throw new Error('disk full');
        },
      },
    );
    world.link.start();
    const socket = await world.online();
    socket.say({ type: 'token_rotated', token: 'new' });
    socket.end(1006, '');
    await world.clock.advance(1000);
    assert.equal((await world.open()).frames[0]?.['token'], 't');
    assert.equal(world.log.find(({ level }) => level === 'error')?.event, 'link.token_not_stored');
  });

  test('a new token that no config file may hold, as no header takes it, is not stored, and the old one is used on', async () => {
    const stored: string[] = [];
    const world = fakeWorld({ jitter: 'none' }, { storeToken: (token) => void stored.push(token) });
    world.link.start();
    const socket = await world.online();
    for (const token of ['', 'of two\nlines', 'with a space', 'schlüssel-☃', 'x'.repeat(257)]) socket.say({ type: 'token_rotated', token });
    assert.deepEqual([stored, state(world)], [[], 'online']);
    assert.deepEqual(
      world.log.filter(({ event }) => event === 'link.bad_frame').map(({ facts }) => facts['type']),
      ['token_rotated'],
    );
    socket.end(1006, '');
    await world.clock.advance(1000);
    assert.deepEqual(world.dials[1]?.options.headers, { authorization: 'Bearer t' });
  });
});

describe('frames', () => {
  test('ours have protocol_version at their end, in the order in which tasks give them', async () => {
    const world = fakeWorld();
    world.link.start();
    const socket = await world.online();
    assert.equal(world.tasks.session?.send({ type: 'wake_result', task_id: 'task-1', status: 'success', attempt: 1 }), true);
    assert.equal(socket.sent.at(-1), '{"type":"wake_result","task_id":"task-1","status":"success","attempt":1,"protocol_version":1}');
  });

  test('unknown, broken, binary and early ones are counted each time, logged once, and survived', async () => {
    const world = fakeWorld();
    world.link.start();
    const socket = await world.open();
    socket.say({ type: 'task_assign', task_id: 'early', description: 'x' });
    socket.say({ type: 'identified', agent_id: 'probe' });
    for (let n = 0; n < 3; n++) {
      socket.say({ type: 'agent_joined', agent: {} });
      socket.say({ type: 'identified', agent_id: 'probe' });
      socket.say('junk');
      socket.say('null');
      socket.say('[1]');
      socket.say({ no: 'type' });
      socket.say({ type: 'task_assign', task_id: 7 });
      socket.sayBinary();
    }
    for (let n = 0; n < 500; n++) socket.say({ type: `made-up-${n}` });
    assert.equal(state(world), 'online');
    const { odd } = world.link.status();
    assert.deepEqual(
      [
        odd['out of order task_assign'],
        odd['unknown agent_joined'],
        odd['out of order identified'],
        odd['bad :invalid_json'],
        odd['bad :missing_type'],
      ],
      [1, 3, 3, 9, 3],
    );
    assert.deepEqual([odd['bad task_assign:validation_failed'], odd['bad binary']], [3, 3]);
    assert.ok(Object.keys(odd).length <= 101);
    assert.ok((odd['(others)'] ?? 0) > 400);
    const warned = world.log.filter(({ level }) => level === 'warn').map(({ event }) => event);
    assert.equal(warned.filter((event) => event === 'link.unknown_frame').length, 95);
    assert.equal(warned.filter((event) => event === 'link.bad_frame').length, 4);
    assert.deepEqual(world.tasks.heard, [{ lease: undefined }, 'connected']);
  });

  test('frames about tasks go to tasks, and what goes wrong there does not end the connection', async () => {
    const world = fakeWorld();
    world.link.start();
    const socket = await world.online();
    socket.say({ type: 'task_assign', task_id: 'one', description: 'x', generation: null, metadata: null });
    socket.say({ type: 'error', error: 'task_complete_failed: stale_generation' });
    assert.deepEqual(
      world.tasks.heard.slice(2).map((frame) => [(frame as { type: string }).type, (frame as { generation?: number }).generation]),
      [
        ['task_assign', 0],
        ['error', undefined],
      ],
    );
    world.tasks.receive = () => {
      throw new Error('a fault');
    };
    socket.say({ type: 'task_cancelled', task_id: 'one' });
    assert.equal(state(world), 'online');
    assert.equal(world.log.at(-1)?.event, 'link.tasks_failed');
  });

  test('where tasks can not say what they hold, nobody is told that they hold nothing', async () => {
    const world = fakeWorld();
    const { held } = world.tasks;
    const broken = (): never => {
      throw new Error('the disk is gone');
    };
    world.tasks.held = broken;
    world.link.start();
    const socket = await world.open();
    assert.deepEqual([socket.sent, socket.isCut, state(world)], [[], true, 'waiting']);
    world.tasks.held = held;
    await world.clock.advance(1000);
    const next = await world.online({ features: ['leases'] });
    next.say({ type: 'pong' });
    world.tasks.held = broken;
    await world.clock.advance(30_000);
    assert.equal(next.sent.at(-1), '{"type":"ping","protocol_version":1}');
    assert.equal(state(world), 'online');
  });

  test('one of ours that is over 4 MiB is not sent', async () => {
    const world = fakeWorld();
    world.link.start();
    const socket = await world.online();
    const before = socket.sent.length;
    assert.equal(world.tasks.session?.send({ type: 'task_failed', task_id: 'x', reason: 'ä'.repeat(MAX_HUB_FRAME_BYTES / 2) }), false);
    assert.equal(world.tasks.session?.send({ type: 'task_failed', task_id: 'x', reason: 'a'.repeat(MAX_HUB_FRAME_BYTES / 2) }), true);
    assert.equal(socket.sent.length, before + 1);
    assert.equal(world.log.at(-1)?.event, 'link.frame_too_large');
  });

  test('to a hub that has not read 64 MiB tasks send no more until it reads', async () => {
    const world = fakeWorld();
    world.link.start();
    const socket = await world.online();
    const send = (): boolean | undefined => world.tasks.session?.send({ type: 'task_accepted', task_id: 'x' });
    socket.buffered = 64 * 1024 * 1024;
    assert.deepEqual([send(), socket.sent.length], [true, 2]);
    socket.buffered++;
    assert.deepEqual([send(), socket.sent.length], [false, 2]);
    socket.drain();
    assert.deepEqual([send(), socket.sent.length], [true, 3]);
  });

  test('nothing is sent after the end, and tasks hear of it once', async () => {
    const world = fakeWorld();
    world.link.start();
    const socket = await world.online();
    const { session } = world.tasks;
    socket.end(1006, '');
    assert.equal(session?.send({ type: 'task_accepted', task_id: 'x' }), false);
    assert.deepEqual(world.tasks.heard.slice(1), ['connected', 'disconnected']);
  });
});

describe('stop', () => {
  const states: [says: string, arrange: (world: FakeWorld) => Promise<unknown> | undefined][] = [
    ['offline', () => undefined],
    ['connecting', async ({ link }) => link.start()],
    ['identifying', ({ link, open }) => (link.start(), open())],
    ['online', ({ link, online }) => (link.start(), online())],
    [
      'waiting',
      async ({ link, dials }) => {
        link.start();
        dials[0]?.fail();
        await settled();
      },
    ],
    ['refused', async ({ link, open }) => (link.start(), (await open()).end(4001, ''))],
    ['stopped', ({ link }) => link.stop()],
  ];
  for (const [says, arrange] of states) {
    test(`while ${says}: nothing is left, nothing begins again, and it may be asked twice`, async () => {
      const world = fakeWorld();
      await arrange(world);
      assert.equal(state(world), says);
      await Promise.all([world.link.stop(), world.link.stop()]);
      assert.equal(state(world), 'stopped');
      assert.equal(world.clock.waiting, 0);
      const dialled = world.dials.length;
      world.link.start();
      await world.clock.advance(3_600_000);
      assert.deepEqual([state(world), world.dials.length], ['stopped', dialled]);
    });
  }

  test('says goodbye with 1000 "shutdown", and waits a second for a hub that does not answer', async () => {
    const world = fakeWorld();
    world.link.start();
    const socket = await world.online();
    socket.answersClose = false;
    const stopped = world.link.stop();
    assert.deepEqual(socket.closed, { code: 1000, reason: 'shutdown' });
    assert.equal(world.tasks.heard.at(-1), 'disconnected');
    await world.clock.advance(999);
    assert.equal(socket.isCut, false);
    await world.clock.advance(1);
    assert.equal(socket.isCut, true);
    await stopped;
  });

  test('a handshake that succeeds after all is cut', async () => {
    const world = fakeWorld();
    world.link.start();
    const socket = world.dials[0]?.open();
    await world.link.stop();
    assert.equal(socket?.isCut, true);
    assert.deepEqual(socket?.sent, []);
  });
});

describe('status', () => {
  test('each new state is told, with when it began and what was tried', async () => {
    const world = fakeWorld({ jitter: 'none' });
    const told: string[] = [];
    const off = world.link.onStatus((status) =>
      told.push(`${status.state} ${status.since - 1_000_000} ${status.attempts} ${status.sessions}`),
    );
    world.link.start();
    world.dials[0]?.fail();
    await world.clock.advance(1000);
    await world.online();
    await world.link.stop();
    off();
    assert.deepEqual(told, [
      'connecting 0 1 0',
      'waiting 0 1 0',
      'connecting 1000 2 0',
      'identifying 1000 2 0',
      'online 1000 2 1',
      'stopped 1000 2 1',
    ]);
  });

  test('each line of the log has the agent, and what it is about', async () => {
    const world = fakeWorld({ jitter: 'none' });
    world.link.start();
    world.dials[0]?.fail(new OutriggerError('CONNECTION_LOST', 'no route'));
    await settled();
    assert.deepEqual(world.log, [
      { level: 'info', event: 'link.connecting', facts: { agentId: 'probe', attempt: 1 } },
      { level: 'warn', event: 'link.waiting', facts: { agentId: 'probe', reason: 'no route', delayMs: 1000, attempt: 1 } },
    ]);
  });
});
