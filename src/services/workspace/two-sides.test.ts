import assert from 'node:assert/strict';
import { setImmediate as turn } from 'node:timers/promises';
import { test } from 'node:test';
import { TwoSides } from './two-sides.ts';

test('many of one side are in at once, the other waits, and all come in their order', async () => {
  const sides = new TwoSides();
  const log: string[] = [];
  const enter = async (side: 'looking' | 'putting', name: string): Promise<() => void> => {
    const leave = await sides.enter(side);
    log.push(name);
    return leave;
  };
  const leaves = [await enter('looking', 'a'), await enter('looking', 'b')];
  const later = [enter('putting', 'c'), enter('putting', 'd'), enter('looking', 'e')];
  await turn();
  assert.deepEqual(log, ['a', 'b']);
  leaves[0]?.();
  leaves[0]?.();
  await turn();
  assert.deepEqual(log, ['a', 'b'], 'left twice is left once');
  leaves[1]?.();
  await turn();
  assert.deepEqual(log, ['a', 'b', 'c', 'd']);
  (await later[0])?.();
  (await later[1])?.();
  await turn();
  assert.deepEqual(log, ['a', 'b', 'c', 'd', 'e']);
  (await later[2])?.();
  assert.deepEqual([await enter('putting', 'f'), log.at(-1)].at(1), 'f');
});

test('who waits gives up in time or when it is aborted, and those behind do not wait for who is gone', async () => {
  const sides = new TwoSides();
  const leave = await sides.enter('looking');
  await assert.rejects(sides.enter('putting', { withinMs: 10 }), { reason: 'BUSY_FILE' });
  const abort = new AbortController();
  const aborted = sides.enter('putting', { signal: abort.signal });
  const behind = sides.enter('looking');
  abort.abort(new Error('gone'));
  await assert.rejects(aborted, /gone/);
  (await behind)();
  await assert.rejects(sides.enter('putting', { signal: abort.signal }), /gone/);
  leave();
  (await sides.enter('putting'))();
});
