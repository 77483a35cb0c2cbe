import { createContext } from 'preact';
import { useContext } from 'preact/hooks';
import { commandsKeys } from './shell/keys.ts';
import type { Workbench } from './workbench.ts';

export const WorkbenchContext = createContext<Workbench | undefined>(undefined);

export function useWorkbench(): Workbench {
  const workbench = useContext(WorkbenchContext);
  if (workbench === undefined) throw new Error('A view stands outside the workbench.');
  return workbench;
}

/** Command keys are written and read as this system does. */
export const apple = /Mac|iPhone|iPad/.test(globalThis.navigator?.platform ?? '');

/** As this browser leaves them to the page. */
export const keysOfCommands = commandsKeys(globalThis.navigator?.userAgent ?? '');
