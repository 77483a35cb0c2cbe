import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { WorkbenchClient } from '../client-port.ts';
import { Toasts } from '../shell/toasts.ts';
import { ProcessActions } from './process-actions.ts';
import type { ProcessStore } from './process-store.ts';

test('a program is started again once, and removed once, though the button is pressed again before the answer', async () => {
  const asked: string[] = [];
  const call = async (name: string, { id }: { id: string }): Promise<unknown> => asked.push(`${name} ${id}`);
  const client = { call } as unknown as WorkbenchClient;
  const actions = new ProcessActions({ client, processes: {} as ProcessStore, toasts: new Toasts() });
  await Promise.all([actions.restart('1'), actions.restart('1'), actions.restart('2')]);
  await actions.restart('1');
  await Promise.all([actions.remove('1'), actions.remove('1')]);
  assert.deepEqual(asked, ['processes.restart 1', 'processes.restart 2', 'processes.restart 1', 'processes.remove 1']);
});
