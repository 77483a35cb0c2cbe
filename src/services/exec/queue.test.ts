import assert from 'node:assert/strict';
import { test } from 'node:test';
import { eventually } from '../../../test/kit/eventually.ts';
import { RunQueue, type Turn } from './queue.ts';

const never = new AbortController().signal;
const nobody = (): void => {};

/** Enters for callers named by a letter; gives who runs, in order, and how to end one. */
function entering(queue: RunQueue): {
  enter: (name: string, session?: string, signal?: AbortSignal) => Promise<void>;
  ran: string[];
  end: (name: string) => void;
  freeSlot: (name: string) => void;
} {
  const ran: string[] = [];
  const turns = new Map<string, Turn>();
  return {
    ran,
    enter: async (name, session, signal = never) => {
      const turn = await queue.enter(name[0] as string, session, signal, nobody);
      ran.push(name);
      turns.set(name, turn);
    },
    end: (name) => turns.get(name)?.end(),
    freeSlot: (name) => turns.get(name)?.freeSlot(),
  };
}

const turn = (): Promise<void> => new Promise(setImmediate);

test('callers take turns, however many runs one of them asks for', async () => {
  const { enter, ran, end } = entering(new RunQueue({ atOnce: 1, most: 10 }));
  const all = ['a1', 'a2', 'a3', 'b1', 'c1', 'b2'].map((name) => enter(name));
  for (let index = 0; index < 6; index++) {
    await turn();
    end(ran[index] as string);
  }
  await Promise.all(all);
  assert.deepEqual(ran, ['a1', 'a2', 'b1', 'c1', 'a3', 'b2']);
});

test('runs of one session come one after the other, and keep nobody else', async () => {
  const { enter, ran, end } = entering(new RunQueue({ atOnce: 3, most: 10 }));
  for (const [name, session] of [
    ['a1', 's'],
    ['a2', 's'],
    ['a3', 't'],
    ['b1', 's'],
  ] as const)
    void enter(name, session);
  await turn();
  assert.deepEqual(ran, ['a1', 'a3']);
  end('a1');
  end('a1');
  await turn();
  assert.deepEqual(ran, ['a1', 'a3', 'a2']);
  end('a2');
  await turn();
  assert.deepEqual(ran, ['a1', 'a3', 'a2', 'b1']);
});

test('a program that is over makes room for others, and its session is free when the run is', async () => {
  const { enter, ran, end, freeSlot } = entering(new RunQueue({ atOnce: 1, most: 10 }));
  for (const [name, session] of [
    ['a1', 's'],
    ['a2', 's'],
    ['b1', 't'],
    ['c1', undefined],
  ] as const)
    void enter(name, session);
  await turn();
  freeSlot('a1');
  freeSlot('a1');
  await turn();
  assert.deepEqual(ran, ['a1', 'b1']);
  end('b1');
  freeSlot('b1');
  await turn();
  assert.deepEqual(ran, ['a1', 'b1', 'c1']);
  end('a1');
  await turn();
  assert.deepEqual(ran, ['a1', 'b1', 'c1'], 'the slot was free before, once');
  end('c1');
  await turn();
  assert.deepEqual(ran, ['a1', 'b1', 'c1', 'a2']);
});

test('those that wait for their session keep nobody from a slot that is free, however many they are', async () => {
  const queue = new RunQueue({ atOnce: 3, most: 2 });
  const { enter, ran, end } = entering(queue);
  for (const name of ['a1', 'a2', 'a3']) void enter(name, 's');
  await turn();
  assert.deepEqual([ran, queue.waiting], [['a1'], 2]);
  await assert.rejects(enter('a4', 's'), { reason: 'TOO_MANY_RUNS' });
  await enter('b1', 't');
  await enter('c1');
  assert.deepEqual(ran, ['a1', 'b1', 'c1']);
  await assert.rejects(enter('d1', 'u'), { reason: 'TOO_MANY_RUNS' });
  end('a1');
  await turn();
  assert.deepEqual(ran, ['a1', 'b1', 'c1', 'a2']);
});

test('who waits hears how many are before it, one too many is refused, and who goes makes room', async () => {
  const queue = new RunQueue({ atOnce: 1, most: 2 });
  const { end: letGo } = await queue.enter('a', undefined, never, nobody);
  const heard: number[][] = [[], []];
  const going = new AbortController();
  const first = queue.enter('b', undefined, going.signal, (ahead) => heard[0]?.push(ahead));
  const second = queue.enter('c', undefined, never, (ahead) => heard[1]?.push(ahead));
  await assert.rejects(queue.enter('d', undefined, never, nobody), { reason: 'TOO_MANY_RUNS' });
  going.abort(new Error('gone'));
  await assert.rejects(first, /gone/);
  await eventually(() => assert.deepEqual(heard, [[0], [1, 0]]));
  letGo();
  (await second).end();
  assert.deepEqual([queue.running, queue.waiting], [0, 0]);
});

test('of runs that end one after the other those that wait hear now and then, and where they stand in the end', async () => {
  const queue = new RunQueue({ atOnce: 1, most: 100 });
  const { end: letGo } = await queue.enter('a', undefined, never, nobody);
  const heard: number[] = [];
  const others = Array.from({ length: 50 }, () => queue.enter('a', undefined, never, nobody));
  void queue.enter('a', undefined, never, (ahead) => heard.push(ahead));
  letGo();
  for (const other of others.slice(0, 30)) (await other).end();
  assert.deepEqual(heard, [50]);
  await eventually(() => assert.deepEqual(heard, [50, 19]));
});
