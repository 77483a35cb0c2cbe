import type { HubAgentInfo, HubTaskInfo } from '../../contract/hub-operations.ts';
import { agentLabels, agentSign, isConnected } from './agent-words.ts';
import { taskSign } from './task-words.ts';

/** What a filter asks: words that must all be found, and `name:value` pairs. */
export interface Filter {
  words: readonly string[];
  pairs: readonly { name: string; value: string }[];
}

export interface Shortcut {
  label: string;
  /** Its text in the filter; empty: all. */
  text: string;
}

/** Characters of an id that a row shows. */
const SHOWN_ID = 6;
const taskPairs = ['state', 'agent', 'needs', 'priority', 'by', 'group'];
const agentPairs = ['state', 'label'];

/** Of words that people use for several states. */
const stateGroups: Readonly<Record<string, readonly HubTaskInfo['state'][]>> = {
  queued: ['scheduled', 'ready'],
  running: ['offered', 'running'],
  done: ['succeeded'],
  failed: ['failed', 'dead'],
};

export const taskShortcuts: readonly Shortcut[] = [
  { label: 'All', text: '' },
  { label: 'Running', text: 'state:running' },
  { label: 'Queued', text: 'state:queued' },
  { label: 'Retry', text: 'state:retry' },
  { label: 'Done', text: 'state:done' },
  { label: 'Failed', text: 'state:failed' },
  { label: 'Cancelled', text: 'state:cancelled' },
];

export const agentShortcuts: readonly Shortcut[] = [
  { label: 'All', text: '' },
  { label: 'Connected', text: 'state:connected' },
  { label: 'Offline', text: 'state:offline' },
];

/** A pair with another name is a word like others: `http://x` is one. */
function readFilter(text: string, names: readonly string[]): Filter {
  const words: string[] = [];
  const pairs: { name: string; value: string }[] = [];
  for (const part of text.toLowerCase().split(/\s+/)) {
    const cut = part.indexOf(':');
    const name = part.slice(0, Math.max(0, cut));
    if (names.includes(name)) {
      // While it is being typed it asks nothing yet.
      if (cut < part.length - 1) pairs.push({ name, value: part.slice(cut + 1) });
    } else if (part !== '') words.push(part);
  }
  return { words, pairs };
}

/** Whether a task is one of those that `text` asks for. Pure; made once for each text. */
export function taskFilter(text: string): (task: HubTaskInfo) => boolean {
  const { words, pairs } = readFilter(text, taskPairs);
  return (task) => pairs.every((pair) => taskHas(task, pair)) && words.every((word) => taskSays(task, word));
}

export function agentFilter(text: string): (agent: HubAgentInfo) => boolean {
  const { words, pairs } = readFilter(text, agentPairs);
  return (agent) => pairs.every((pair) => agentHas(agent, pair)) && words.every((word) => agentSays(agent, word));
}

function taskHas(task: HubTaskInfo, { name, value }: { name: string; value: string }): boolean {
  switch (name) {
    case 'state': {
      if (task.state === value || stateGroups[value]?.includes(task.state) === true) return true;
      return taskSign(task).word.toLowerCase() === value;
    }
    case 'agent':
      return task.holder?.toLowerCase() === value;
    case 'needs':
      return task.needs.some((need) => need.toLowerCase() === value);
    case 'priority':
      return task.priority === value;
    case 'by':
      return task.createdBy.toLowerCase() === value;
    default:
      return task.group?.toLowerCase() === value;
  }
}

function taskSays({ description, id, holder, reason }: HubTaskInfo, word: string): boolean {
  // Of ids the end is shown; parts of them would be found by any number.
  if (word.length >= SHOWN_ID && id.endsWith(word)) return true;
  return id === word || [description, holder ?? '', reason ?? ''].some((text) => text.toLowerCase().includes(word));
}

function agentHas(agent: HubAgentInfo, { name, value }: { name: string; value: string }): boolean {
  if (name === 'label') return agentLabels(agent).some((label) => label.toLowerCase() === value);
  if (value === 'connected') return isConnected(agent);
  return agent.state === value || agentSign(agent).word.toLowerCase() === value;
}

function agentSays(agent: HubAgentInfo, word: string): boolean {
  return [agent.id, agent.name, ...agentLabels(agent)].some((text) => text.toLowerCase().includes(word));
}

/** The text with this state in place of the one that it asks for; other words stay. */
export function withState(text: string, shortcut: string): string {
  const rest = text.split(/\s+/).filter((part) => part !== '' && !part.toLowerCase().startsWith('state:'));
  return [shortcut, ...rest].filter((part) => part !== '').join(' ');
}

/** Which shortcut a text is: by its state alone. */
export function shortcutOf(text: string, shortcuts: readonly Shortcut[]): Shortcut | undefined {
  const state = text.split(/\s+/).find((part) => part.toLowerCase().startsWith('state:')) ?? '';
  return shortcuts.find((shortcut) => shortcut.text === state.toLowerCase());
}
