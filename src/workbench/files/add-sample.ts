import type { WorkbenchClient } from '../client-port.ts';
import { loadCode } from '../late-code.ts';
import type { Toasts } from '../shell/toasts.ts';
import { count } from '../words.ts';

/** Writes the sample project into the folder, all of it or nothing: false where something stands there by now. */
export async function addSample(client: WorkbenchClient, toasts: Toasts): Promise<boolean> {
  try {
    const { sampleFiles } = await loadCode(() => import('./sample-project.ts'));
    const changes = sampleFiles.map((file) => ({ op: 'write' as const, ifNoneMatch: '*', ...file }));
    const { undo } = await client.call('files.batch', { changes, returnBefore: true });
    const takeBack = async (): Promise<void> => {
      try {
        if (undo !== undefined) await client.call('files.batch', { changes: undo });
      } catch (error) {
        toasts.fail('Not taken out again: the sample project', error);
      }
    };
    toasts.say('Added the sample project', {
      text: `${count(changes.length, 'file')}, of an Odoo module and a TypeScript package.`,
      actions: undo === undefined ? [] : [{ label: 'Undo', run: () => void takeBack() }],
    });
    return true;
  } catch (error) {
    toasts.fail('Not added: the sample project', error);
    return false;
  }
}
