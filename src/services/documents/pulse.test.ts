import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { Pulse, type Pulsed } from './pulse.ts';

function setup() {
  const done: string[] = [];
  const pulse = new Pulse(
    () => done.push('log'),
    (error) => done.push(`failed: ${(error as Error).message}`),
  );
  const room = (name: string): Pulsed => ({
    take: () => {
      done.push(`${name} taken`);
      return 1;
    },
    passOn: () => done.push(`${name} passed on`),
  });
  return { done, pulse, room };
}

/** What was to be done at the end of the turn is done; a timer may come before that where the machine is busy. */
const turnIsOver = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** How long after a beat that took so long, with so many messages of one room, the next one came, ms. */
async function restAfter(tookMs: number, messages: number): Promise<number> {
  const beats: number[] = [];
  const pulse = new Pulse(
    () => undefined,
    () => undefined,
  );
  const room: Pulsed = {
    // As near to its begin as can be seen: a busy machine may do something else before it is passed on.
    take: () => {
      beats.push(performance.now());
      return messages;
    },
    passOn: () => {
      while (performance.now() < (beats[0] ?? 0) + tookMs);
    },
  };
  pulse.schedule(room);
  while (beats.length === 0) await turnIsOver();
  pulse.schedule(room);
  while (beats.length === 1) await sleep(1);
  return (beats[1] ?? 0) - (beats[0] ?? 0);
}

test('what comes in one turn, in whichever rooms, is in the log before any of it is passed on', async () => {
  const { done, pulse, room } = setup();
  const [one, two] = [room('one'), room('two')];
  pulse.schedule(one);
  pulse.schedule(two);
  pulse.schedule(one);
  assert.deepEqual(done, []);
  await turnIsOver();
  assert.deepEqual(done, ['one taken', 'two taken', 'log', 'one passed on', 'two passed on']);
});

test('what follows within milliseconds is gathered; a flush takes one room out of turn', async () => {
  const { done, pulse, room } = setup();
  const [one, two] = [room('one'), room('two')];
  pulse.schedule(one);
  while (done.length === 0) await turnIsOver();
  done.length = 0;
  pulse.schedule(one);
  pulse.schedule(two);
  await turnIsOver();
  assert.deepEqual(done, []);
  pulse.flush(one);
  assert.deepEqual(done, ['one taken', 'log', 'one passed on']);
  await sleep(30);
  assert.deepEqual(done.slice(3), ['two taken', 'log', 'two passed on']);
});

test('a room that fails does not keep the others waiting', async () => {
  const { done, pulse, room } = setup();
  pulse.schedule({
    take: () => {
      throw new Error('broken');
    },
    passOn: () => undefined,
  });
  pulse.schedule(room('one'));
  await turnIsOver();
  assert.deepEqual(done, ['failed: broken', 'one taken', 'log', 'one passed on']);
});

test('the more a beat costs, the later is the next: within a frame of the screen, and within two where several messages came in one', async () => {
  // Timers may be early by two milliseconds, and late by any; that it is no longer is shown by the quickest of some.
  const rests = async (tookMs: number, messages: number): Promise<number> => {
    let least = Number.POSITIVE_INFINITY;
    for (let round = 0; round < 10; round++) least = Math.min(least, await restAfter(tookMs, messages));
    return least;
  };
  const [cheap, dear, gathered, many] = [await rests(0, 5), await rests(2, 1), await rests(2, 1.5), await rests(2, 9)];
  assert.ok(cheap >= 2 && cheap < 12, `cheap: ${cheap}`);
  assert.ok(dear >= 14 && dear < 22, `dear: ${dear}`);
  assert.ok(gathered >= 22 && gathered < 30, `gathered: ${gathered}`);
  assert.ok(many >= 30 && many < 40, `many: ${many}`);
});

test('what goes wrong in one room is told, also where that passes on at once, and who asked for it goes on', () => {
  const { done, pulse, room } = setup();
  const broken: Pulsed = {
    ...room('a'),
    passOn: () => {
      throw new Error('broken');
    },
  };
  pulse.flush(broken);
  pulse.flush(room('b'));
  assert.deepEqual(done, ['a taken', 'log', 'failed: broken', 'b taken', 'log', 'b passed on']);
});
