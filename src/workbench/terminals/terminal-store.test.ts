import assert from 'node:assert/strict';
import { test } from 'node:test';
import { signal } from '@preact/signals';
import type { WorkbenchClient } from '../client-port.ts';
import type { ProcessStore } from '../processes/process-store.ts';
import { Toasts } from '../shell/toasts.ts';
import { TerminalStore } from './terminal-store.ts';

test('a terminal is closed once, and started again once, though the button is pressed again before the answer', async () => {
  const asked: string[] = [];
  const call = async (name: string, { id }: { id: string }): Promise<unknown> => asked.push(`${name} ${id}`);
  const client = { call } as unknown as WorkbenchClient;
  const processes = { terminals: signal([]) } as unknown as ProcessStore;
  const terminals = new TerminalStore({ client, processes, toasts: new Toasts() });
  await Promise.all([terminals.restart('1'), terminals.restart('1')]);
  assert.deepEqual(await Promise.all([terminals.close('1'), terminals.close('1'), terminals.close('2')]), [true, false, true]);
  assert.deepEqual(asked, ['processes.restart 1', 'terminals.close 1', 'terminals.close 2']);
});
