import assert from 'node:assert/strict';
import { test } from 'node:test';
import { eventually } from '../../../../test/kit/eventually.ts';
import type { Sandbox, SandboxEnd, SandboxRequest } from '../isolation/sandbox.ts';
import { languageNamed, type Language } from '../languages.ts';
import { defaultLimits } from '../limits.ts';
import type { Sessions } from '../sessions.ts';
import { Toolchains } from '../toolchains.ts';
import { WarmPool } from './warm-pool.ts';

const js = languageNamed('js') as Language;

interface Kit {
  pool: WarmPool;
  /** Those that run, each with the way to let it die. */
  running: Map<string, () => void>;
  /** Folders that are there. */
  folders: Set<string>;
  started: () => number;
  /** How many were in the middle of their start at a time. */
  mostAtOnce: () => number;
  /** From now on none starts. */
  refuse: () => void;
}

/** A pool of programs that are none, which end when they are told to. */
function pooled(size: number, hasSpareProcessor = false, toolchains = new Toolchains()): Kit {
  const running = new Map<string, () => void>();
  const folders = new Set<string>();
  let started = 0;
  let atOnce = 0;
  let mostAtOnce = 0;
  let refused = false;
  const sandbox = {
    seenAt: (folder: string) => folder,
    fork: async () => undefined,
    start: async ({ folder, signal }: SandboxRequest) => {
      mostAtOnce = Math.max(mostAtOnce, ++atOnce);
      await new Promise(setImmediate);
      atOnce--;
      if (refused) throw new Error('refused');
      started++;
      const { promise, resolve } = Promise.withResolvers<SandboxEnd>();
      const end = (): void => {
        running.delete(folder);
        setImmediate(() => resolve({} as SandboxEnd));
      };
      running.set(folder, end);
      signal.addEventListener('abort', end, { once: true });
      return { over: promise.then(() => undefined), end: promise };
    },
  } as unknown as Sandbox;
  let count = 0;
  const sessions = {
    prepare: () => {
      const folder = `/folder-${++count}`;
      folders.add(folder);
      return { id: String(count), folder, spare: '.outrigger-spare' };
    },
    discard: ({ folder }: { folder: string }) => folders.delete(folder),
  } as unknown as Sessions;
  const pool = new WarmPool({ sandbox, sessions, toolchains }, { size, hasSpareProcessor: () => hasSpareProcessor });
  return { pool, running, folders, started: () => started, mostAtOnce: () => mostAtOnce, refuse: () => void (refused = true) };
}

test('after the first run some wait for the next ones, each is given once, and others take their place', async () => {
  const { pool, running, folders } = pooled(2);
  assert.equal(pool.take(js, defaultLimits), undefined);
  await eventually(() => assert.equal(running.size, 2));
  const [one, two, none] = [pool.take(js, defaultLimits), pool.take(js, { ...defaultLimits, wallMs: 5 }), pool.take(js, defaultLimits)];
  assert.notEqual(one?.prepared.id, two?.prepared.id);
  assert.equal(none, undefined);
  await eventually(() => assert.equal(running.size, 4));
  await pool.end(one as never);
  assert.ok(!folders.has(one?.prepared.folder ?? ''));
  await pool.stop();
  // The one that was taken is its taker's.
  assert.deepEqual([...running.keys()], [two?.prepared.folder]);
  assert.deepEqual([...folders], [two?.prepared.folder]);
});

test('of Python twice as many wait; they are started one after the other, as the first is wanted soonest', async () => {
  const everywhere = { find: (program: string) => ({ file: `/usr/bin/${program}`, readable: [], mark: '' }) } as unknown as Toolchains;
  const { pool, running, mostAtOnce } = pooled(2, true, everywhere);
  pool.take(languageNamed('py') as Language, defaultLimits);
  await eventually(() => assert.equal(running.size, 4));
  pool.take(js, defaultLimits);
  await eventually(() => assert.equal(running.size, 6));
  await new Promise((resolve) => setTimeout(resolve, 50));
  assert.deepEqual([running.size, mostAtOnce()], [6, 1]);
  await pool.stop();
});

test('others are started when the run is over, and not at its cost', async () => {
  const { pool, started } = pooled(1);
  pool.take(js, defaultLimits);
  await new Promise((resolve) => setTimeout(resolve, 100));
  assert.equal(started(), 0);
  pool.over(js, defaultLimits);
  await new Promise((resolve) => setTimeout(resolve, 100));
  assert.equal(started(), 1);
  pool.over(js, defaultLimits);
  await new Promise((resolve) => setTimeout(resolve, 50));
  assert.equal(started(), 1);
  await pool.stop();
});

test('where a processor has nothing to do, the next one is started beside the run that took the last one, and not before', async () => {
  const { pool, started } = pooled(2, true);
  pool.take(js, defaultLimits);
  await eventually(() => assert.equal(started(), 2));
  assert.ok(pool.take(js, defaultLimits) !== undefined);
  await new Promise((resolve) => setTimeout(resolve, 100));
  assert.equal(started(), 2);
  assert.ok(pool.take(js, defaultLimits) !== undefined);
  await new Promise((resolve) => setTimeout(resolve, 100));
  assert.equal(started(), 4);
  await pool.stop();
});

test('one that dies while it waits is not given, and its folder goes', async () => {
  const { pool, running, folders } = pooled(1);
  pool.take(js, defaultLimits);
  await eventually(() => assert.equal(running.size, 1));
  for (const die of running.values()) die();
  await eventually(() => assert.equal(folders.size, 0));
  assert.equal(pool.take(js, defaultLimits), undefined);
  await eventually(() => assert.equal(running.size, 1));
  // One that dies after it was given is known as dead.
  const taken = pool.take(js, defaultLimits);
  running.get(taken?.prepared.folder ?? '')?.();
  await eventually(() => assert.equal(taken?.isOver, true));
  assert.ok(folders.has(taken?.prepared.folder ?? ''));
  await pool.stop();
});

test('other limits that come again get other ones, those before them go, and none that can not be started leaves a folder', async () => {
  const { pool, running, folders, refuse, started } = pooled(2);
  pool.take(js, defaultLimits);
  await eventually(() => assert.equal(running.size, 2));
  const first = [...running.keys()];
  assert.equal(pool.take(js, { ...defaultLimits, memoryBytes: 1 }), undefined);
  await new Promise((resolve) => setTimeout(resolve, 50));
  assert.equal(started(), 2);
  assert.equal(pool.take(js, { ...defaultLimits, memoryBytes: 1 }), undefined);
  await eventually(() => assert.ok(started() === 4 && running.size === 2 && first.every((folder) => !running.has(folder))));
  await eventually(() => assert.equal(folders.size, 2));
  refuse();
  for (let asked = 0; asked < 2; asked++) pool.take(js, { ...defaultLimits, memoryBytes: 2 });
  await eventually(() => assert.equal(folders.size, 0));
  await pool.stop();
});

test('a stop waits for those that are on their way, and nothing starts after it', async () => {
  const { pool, running, folders, started } = pooled(2);
  pool.take(js, defaultLimits);
  await eventually(() => assert.equal(folders.size, 2));
  await pool.stop();
  assert.deepEqual([running.size, folders.size], [0, 0]);
  const before = started();
  assert.equal(pool.take(js, defaultLimits), undefined);
  await new Promise((resolve) => setTimeout(resolve, 20));
  assert.equal(started(), before);
  assert.equal(pooled(0).pool.take(js, defaultLimits), undefined);
});
