import assert from 'node:assert/strict';
import { test } from 'node:test';
import { eventually } from '../../../test/kit/eventually.ts';
import { Layout } from '../shell/layout.ts';
import type { Workbench } from '../workbench.ts';
import { toggleTerminal } from './terminal-actions.ts';

test('the key that shows a terminal, pressed again before one is there, opens no second one, and one stays where one is', async (t) => {
  Object.assign(globalThis, { document: { querySelector: () => null } });
  t.after(() => Reflect.deleteProperty(globalThis, 'document'));
  const ids: string[] = [];
  const shown: unknown[][] = [];
  const layout = new Layout({ getItem: () => null, setItem: () => {}, removeItem: () => {} });
  const opening = Promise.withResolvers<string>();
  const workbench = {
    layout,
    canExecute: { value: true },
    processes: { known: () => Promise.resolve(), terminals: { value: [] as { id: string }[] } },
    bottom: { tab: { value: 'run' }, show: (...args: unknown[]) => shown.push(args) },
    terminals: {
      open: () => {
        ids.push(`t${ids.length}`);
        return opening.promise;
      },
    },
  };
  const press = () => toggleTerminal(workbench as unknown as Workbench);
  const first = press();
  await eventually(() => ids.length > 0);
  const second = press();
  opening.resolve('t0');
  await Promise.all([first, second]);
  assert.deepEqual([ids, shown], [['t0'], [['terminal:t0', false]]]);
  workbench.processes.terminals.value = [{ id: 't0' }];
  await press();
  assert.deepEqual(shown.at(-1), ['terminal:t0', true]);
});
