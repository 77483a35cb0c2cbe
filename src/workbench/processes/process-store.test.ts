import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ProcessInfo } from '../../contract/processes.ts';
import type { WorkbenchClient } from '../client-port.ts';
import { ProcessStore } from './process-store.ts';

test('what waits for the list goes on when all of it is there, and at once from then on', async () => {
  const gate = Promise.withResolvers<void>();
  const stream = async function* (): AsyncGenerator<object> {
    yield { type: 'process', process: { id: 'p-1', state: 'running', startedAt: 1, terminal: true } as ProcessInfo };
    await gate.promise;
    yield { type: 'ready' };
    await new Promise(() => {});
  };
  const store = new ProcessStore({ client: { stream } as unknown as WorkbenchClient, now: () => 0 });
  let known = false;
  const waiting = store.known().then(() => {
    known = true;
  });
  store.start();
  await new Promise(setImmediate);
  assert.equal(known, false);
  gate.resolve();
  await waiting;
  assert.deepEqual(
    store.terminals.value.map(({ id }) => id),
    ['p-1'],
  );
  await store.known();
});

test('who may see none is not asked for again', async () => {
  let asked = 0;
  const stream = async function* (): AsyncGenerator<object> {
    asked++;
    yield* [];
    throw Object.assign(new Error('"" is outside.'), { reason: 'OUT_OF_SCOPE' });
  };
  const store = new ProcessStore({ client: { stream } as unknown as WorkbenchClient, now: () => 0 });
  store.start();
  await store.known();
  assert.deepEqual([store.all.value, store.absent.value?.message], [[], '"" is outside.']);
  await new Promise((resolve) => setTimeout(resolve, 1200));
  assert.equal(asked, 1);
});
