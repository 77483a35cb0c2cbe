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
    take: () => done.push(`${name} taken`),
    passOn: () => done.push(`${name} passed on`),
  });
  return { done, pulse, room };
}

test('what comes in one turn, in whichever rooms, is in the log before any of it is passed on', async () => {
  const { done, pulse, room } = setup();
  const [one, two] = [room('one'), room('two')];
  pulse.schedule(one);
  pulse.schedule(two);
  pulse.schedule(one);
  assert.deepEqual(done, []);
  await sleep(5);
  assert.deepEqual(done, ['one taken', 'two taken', 'log', 'one passed on', 'two passed on']);
});

test('what follows within milliseconds is gathered; a flush takes one room out of turn', async () => {
  const { done, pulse, room } = setup();
  const [one, two] = [room('one'), room('two')];
  pulse.schedule(one);
  await sleep(5);
  done.length = 0;
  pulse.schedule(one);
  pulse.schedule(two);
  await new Promise((resolve) => setImmediate(resolve));
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
  await sleep(5);
  assert.deepEqual(done, ['failed: broken', 'one taken', 'log', 'one passed on']);
});
