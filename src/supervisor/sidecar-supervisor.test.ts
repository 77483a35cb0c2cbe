import assert from 'node:assert/strict';
import { PassThrough } from 'node:stream';
import { describe, test } from 'node:test';
import { eventually } from '../../test/kit/eventually.ts';
import type { PeerTimers } from '../core/peer.ts';
import type { ChildCommand, ChildEnd, ChildHandle } from './child-link.ts';
import { Supervisor, type SupervisorOptions } from './sidecar-supervisor.ts';

/** Timers that go on only when told to. */
class FakeTimers implements PeerTimers {
  now = 0;
  #waiting: { at: number; run: () => void }[] = [];

  set(run: () => void, ms: number): unknown {
    const timer = { at: this.now + ms, run };
    this.#waiting.push(timer);
    return timer;
  }

  clear(timer: unknown): void {
    this.#waiting = this.#waiting.filter((one) => one !== timer);
  }

  soon(run: () => void): void {
    setImmediate(run);
  }

  get waiting(): number {
    return this.#waiting.length;
  }

  advance(ms: number): void {
    this.now += ms;
    for (const timer of this.#waiting.filter(({ at }) => at <= this.now)) {
      this.clear(timer);
      timer.run();
    }
  }
}

/** A child in this process that answers pings, until it is told to end. */
class FakeChild implements ChildHandle {
  readonly pid = 4242;
  readonly stdin = new PassThrough();
  readonly stdout = new PassThrough();
  readonly stderr = new PassThrough();
  readonly signals: string[] = [];
  #onEnd: ((end: ChildEnd) => void) | undefined;

  constructor() {
    this.stdin.on('data', (chunk: Buffer) => {
      for (const line of chunk.toString().split('\n').filter(Boolean)) {
        const { id, method } = JSON.parse(line) as { id: string; method?: string };
        if (method === 'ping') this.stdout.write(`${JSON.stringify({ id, ok: true, result: { version: '1' } })}\n`);
      }
    });
  }

  onEnd(listener: (end: ChildEnd) => void): void {
    this.#onEnd = listener;
  }

  kill(signal: string): void {
    this.signals.push(signal);
    this.end({ code: null, signal });
  }

  end(end: ChildEnd): void {
    this.#onEnd?.(end);
  }
}

function setup(options: Partial<SupervisorOptions> = {}) {
  const timers = new FakeTimers();
  const children: FakeChild[] = [];
  const commands: ChildCommand[] = [];
  const supervisor = new Supervisor({
    binary: { command: 'sidecar', args: ['first'], env: { ADDED: '1' }, source: 'test' },
    env: { GIVEN: '2' },
    timers,
    random: () => 0.5,
    backoff: { baseMs: 1000, maxMs: 8000 },
    launch: (command) => {
      commands.push(command);
      const child = new FakeChild();
      children.push(child);
      return child;
    },
    ...options,
  });
  return { supervisor, timers, children, commands };
}

test('the child gets the folder as its arguments and an environment made of both', async () => {
  const { supervisor, commands } = setup();
  await supervisor.start('/work');
  assert.deepEqual(commands, [
    { command: 'sidecar', args: ['first', 'stdio', '--root', '/work'], env: { GIVEN: '2', ADDED: '1' }, cwd: undefined },
  ]);
  await supervisor.stop();
});

test('a line of the log of the child is shown up to 8 KiB; in place of a longer one stands a note', async () => {
  const log: string[] = [];
  const { supervisor, children } = setup({ onLog: (line) => log.push(line) });
  await supervisor.start('/work');
  for (const length of [8192, 8193, 1]) children[0]?.stderr.write(`${'x'.repeat(length)}\n`);
  await eventually(() => assert.deepEqual(log, ['x'.repeat(8192), '(a line longer than 8192 bytes)', 'x']));
  await supervisor.stop();
});

test('delays double to their bound, and begin anew after a stable run', async () => {
  const { supervisor, timers, children } = setup({ maxRestarts: 10, stableMs: 60_000 });
  await supervisor.start('/work');
  const crash = async (): Promise<number> => {
    (children.at(-1) as FakeChild).end({ code: 1, signal: null });
    await eventually(() => supervisor.state.name === 'waiting');
    const delayMs = supervisor.state.name === 'waiting' ? supervisor.state.delayMs : -1;
    timers.advance(delayMs - 1);
    assert.equal(supervisor.state.name, 'waiting', 'not a millisecond early');
    timers.advance(1);
    await eventually(() => supervisor.state.name === 'ready');
    return delayMs;
  };
  const delays: number[] = [];
  for (let n = 0; n < 5; n++) delays.push(await crash());
  assert.deepEqual(delays, [500, 1000, 2000, 4000, 4000]);
  timers.advance(60_000);
  assert.equal(await crash(), 500);
  assert.ok(supervisor.state.name === 'ready' && supervisor.state.restarts === 1);
  await supervisor.stop();
});

test('after the last restart it is left alone until it is started by hand', async () => {
  const { supervisor, timers, children } = setup({ maxRestarts: 2 });
  await supervisor.start('/work');
  for (let n = 0; n < 2; n++) {
    (children.at(-1) as FakeChild).end({ code: 1, signal: null });
    await eventually(() => supervisor.state.name === 'waiting');
    timers.advance(10_000);
    await eventually(() => supervisor.state.name === 'ready');
  }
  (children.at(-1) as FakeChild).end({ code: 7, signal: null });
  await eventually(() => supervisor.state.name === 'failed');
  timers.advance(1e9);
  assert.equal(children.length, 3);
  await assert.rejects(supervisor.request('x', {}), { reason: 'CONNECTION_LOST', message: /exit code 7.*Nothing more is tried/ });
  await supervisor.start('/work');
  assert.equal(children.length, 4);
  await supervisor.stop();
});

test('Windows, where every signal kills, is asked by the end of its input alone', async () => {
  for (const [platform, signals] of [
    ['win32', ['SIGKILL']],
    ['linux', ['SIGTERM']],
  ] as const) {
    const { supervisor, timers, children } = setup({ platform });
    await supervisor.start('/work');
    const child = children[0] as FakeChild;
    const stopped = supervisor.stop();
    assert.ok(child.stdin.writableEnded);
    if (platform === 'win32') assert.deepEqual(child.signals, []);
    timers.advance(5000);
    await stopped;
    assert.deepEqual(child.signals, signals);
  }
});

describe('a stop ends a start', () => {
  const stopped = { reason: 'STOPPING', message: /was stopped while it started/ };

  test('of the same turn: nothing is started', async () => {
    const { supervisor, children } = setup();
    const started = assert.rejects(supervisor.start('/work'), stopped);
    await supervisor.stop();
    await started;
    assert.deepEqual([supervisor.state.name, children.length], ['stopped', 0]);
  });

  test('that waits for the stop before it: nothing is started', async () => {
    const { supervisor, children } = setup();
    await supervisor.start('/work');
    const first = supervisor.stop();
    const started = assert.rejects(supervisor.start('/work'), stopped);
    await Promise.all([first, supervisor.stop()]);
    await started;
    assert.deepEqual([supervisor.state.name, children.length], ['stopped', 1]);
  });

  test('of the same turn as the end of the stop before it', async () => {
    const { supervisor, children } = setup();
    await supervisor.start('/work');
    let started: Promise<void> | undefined;
    let again: Promise<void> | undefined;
    supervisor.onState(({ name }) => {
      if (name !== 'stopped' || started !== undefined) return;
      started = assert.rejects(supervisor.start('/work'), stopped);
      again = supervisor.stop();
    });
    await supervisor.stop();
    await Promise.all([started, again]);
    assert.deepEqual([supervisor.state.name, children.length], ['stopped', 1]);
  });

  for (const [heard, started] of [
    ['starting', 0],
    ['ready', 1],
  ] as const) {
    test(`when it comes from a listener that hears of the state "${heard}"`, async () => {
      const { supervisor, timers, children } = setup();
      const stops: Promise<void>[] = [];
      supervisor.onState(({ name }) => {
        if (name === heard) stops.push(supervisor.stop());
      });
      await assert.rejects(supervisor.start('/work'), stopped);
      await Promise.all(stops);
      assert.deepEqual([supervisor.state.name, children.length, timers.waiting], ['stopped', started, 0]);
    });
  }

  test('that is a restart, and the one that follows is a start of its own', async () => {
    const { supervisor, timers, children } = setup();
    await supervisor.start('/work');
    let again: Promise<void> | undefined;
    supervisor.onState((state) => {
      if (state.name !== 'starting' || again !== undefined) return;
      void supervisor.stop();
      again = supervisor.start('/work');
    });
    (children[0] as FakeChild).end({ code: 1, signal: null });
    await eventually(() => supervisor.state.name === 'waiting');
    timers.advance(10_000);
    await again;
    timers.advance(10_000);
    assert.deepEqual([supervisor.state.name, children.length], ['ready', 2]);
    await supervisor.stop();
  });

  test('that waits for its first answer: the child is asked to end before it is killed', async () => {
    const child = new FakeChild();
    child.stdin.removeAllListeners('data');
    const { supervisor, timers } = setup({ platform: 'win32', launch: () => child });
    const started = assert.rejects(supervisor.start('/work'), { reason: 'STOPPING' });
    await eventually(() => supervisor.state.name === 'starting');
    const end = supervisor.stop();
    await started;
    assert.deepEqual([child.stdin.writableEnded, child.signals], [true, []]);
    timers.advance(5000);
    await end;
    assert.deepEqual(child.signals, ['SIGKILL']);
  });
});

test('a start from a listener that hears of a stop comes after it', async () => {
  const { supervisor, children } = setup();
  await supervisor.start('/work');
  let again: Promise<void> | undefined;
  supervisor.onState(({ name }) => {
    if (name === 'stopping') again ??= supervisor.start('/work');
  });
  await supervisor.stop();
  await again;
  assert.deepEqual([supervisor.state.name, children.map(({ signals }) => signals)], ['ready', [['SIGTERM'], []]]);
  await supervisor.stop();
});

test('a launch that throws fails the start, and a listener that throws harms nothing', async () => {
  const { supervisor } = setup({
    launch: () => {
      throw new Error('no descriptors');
    },
  });
  supervisor.onState(() => {
    throw new Error('a listener');
  });
  await assert.rejects(supervisor.start('/work'), { reason: 'TOOL_MISSING', message: /no descriptors/ });
  assert.equal(supervisor.state.name, 'failed');
  await supervisor.stop();
});

test('the output of a child is read also while it takes none of what is asked, as it may wait for that', async () => {
  const { supervisor, children } = setup();
  await supervisor.start('/folder');
  const [child] = children as [FakeChild];
  child.stdin.removeAllListeners('data').pause();
  const asked = Array.from({ length: 4 }, (_, at) => supervisor.request('readFile', { path: `${at}`.padEnd(600_000, 'x') }));
  const rest = Promise.allSettled(asked.slice(1));
  await new Promise(setImmediate);
  const [, id] = /^\{"id":"(h\d+)"/.exec((child.stdin.read() as Buffer).toString()) ?? [];
  // More than is queued before streams wait.
  assert.ok(child.stdin.writableLength + child.stdin.readableLength > 1024 * 1024);
  child.stdout.write(`${JSON.stringify({ id, ok: true, result: { read: 1 } })}\n`);
  assert.deepEqual(await asked[0], { read: 1 });
  child.end({ code: 1, signal: null });
  await rest;
  await supervisor.stop();
});
