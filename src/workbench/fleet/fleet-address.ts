/** What of the page stands in its address, so that it can be sent to somebody. */
export interface FleetAddress {
  agents: string;
  tasks: string;
  task: string | undefined;
}

/** `search` is that of a location. */
export function readAddress(search: string): FleetAddress {
  const query = new URLSearchParams(search);
  return { agents: query.get('agents') ?? '', tasks: query.get('tasks') ?? '', task: query.get('task') ?? undefined };
}

/** The search of a location; empty where all is as it is at first. */
export function writeAddress({ agents, tasks, task }: FleetAddress): string {
  const query = new URLSearchParams();
  if (agents.trim() !== '') query.set('agents', agents.trim());
  if (tasks.trim() !== '') query.set('tasks', tasks.trim());
  if (task !== undefined) query.set('task', task);
  // Colons are words of the filter's own, and read better as they are.
  const text = query.toString().replaceAll('%3A', ':');
  return text === '' ? '' : `?${text}`;
}
