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
