import { isRunning } from '../processes/process-words.ts';
import { sharing } from '../terminals/terminal-words.ts';
import type { Workbench } from '../workbench.ts';
import { terminalOf, terminalTab } from './bottom-store.ts';

/** Pages in which the key was pressed, and no terminal is there yet. */
const waiting = new WeakSet<Workbench>();

export function newTerminal(workbench: Workbench): Promise<void> {
  workbench.layout.wantsFocus.value = 'coming';
  return openTerminal(workbench);
}

async function openTerminal(workbench: Workbench): Promise<void> {
  const { bottom, terminals, layout } = workbench;
  const id = await terminals.open();
  if (id !== undefined) bottom.show(terminalTab(id), layout.wantsFocus.value === 'coming');
  layout.leave('coming');
}

/** Ends its program. Where others look on it asks first: it is theirs too. */
export async function closeTerminal(workbench: Workbench, id: string): Promise<void> {
  const { terminals, processes, toasts, caller } = workbench;
  await terminals.refresh();
  const process = processes.get(id);
  const { text } = sharing(terminals.facts.value.get(id)?.viewers ?? [], caller.value);
  const shownHere = terminalOf(workbench.bottom.tab.value) === id;
  const shared = shownHere ? text !== '' : (terminals.facts.value.get(id)?.viewers.length ?? 0) > 0;
  if (process === undefined || !isRunning(process) || !shared) return void terminals.close(id);
  toasts.say('Close it for all?', {
    text: `${terminals.title(process)} is ${text === '' ? 'looked at by others' : text.replace(/^S/, 's')}. Its program ends.`,
    actions: [{ label: 'Close for all', run: () => void terminals.close(id) }],
  });
}

/** The terminal that was shown last, or a new one; from a terminal, back to the editor. */
export async function toggleTerminal(workbench: Workbench): Promise<void> {
  const { bottom, processes, canExecute, layout } = workbench;
  if (isFocusIn('.bot .term')) {
    if (workbench.phone.value) bottom.hide();
    return workbench.focusMain();
  }
  // Pressed again before it is there: one stays where one is.
  if (waiting.has(workbench)) return layout.leave('coming');
  waiting.add(workbench);
  layout.wantsFocus.value = 'coming';
  try {
    await processes.known();
    const here = terminalOf(bottom.tab.value);
    const shown = processes.terminals.value.find(({ id }) => id === here) ?? processes.terminals.value[0];
    if (shown === undefined && canExecute.value) await openTerminal(workbench);
    else bottom.show(shown === undefined ? 'processes' : terminalTab(shown.id), layout.wantsFocus.value === 'coming');
  } finally {
    waiting.delete(workbench);
  }
}

export function toggleBottom(workbench: Workbench): void {
  if (workbench.bottom.shown.value) hideBottom(workbench);
  else workbench.bottom.show();
}

/** The focus does not stay in what is gone. */
export function hideBottom(workbench: Workbench): void {
  const inside = isFocusIn('.bot');
  workbench.bottom.hide();
  if (inside) workbench.focusMain();
}

function isFocusIn(selector: string): boolean {
  return document.querySelector(selector)?.contains(document.activeElement) === true;
}
