import type { HubTaskInfo } from '../../contract/hub-operations.ts';
import type { Fleet } from './fleet.ts';
import { isOver } from './task-words.ts';

export async function cancelTask(fleet: Fleet, id: string): Promise<void> {
  try {
    const task = await fleet.client.call('tasks.cancel', { id });
    fleet.take([], [task]);
    const retry = { label: 'Queue it again', run: () => void retryTask(fleet, id) };
    if (isOver(task)) fleet.toasts.say('Cancelled', { actions: [retry] });
    else fleet.toasts.say('Asked to stop', { text: `${task.holder ?? 'Its agent'} has some seconds to end it.` });
  } catch (error) {
    fleet.toasts.fail('Not cancelled', error);
  }
}

export async function retryTask(fleet: Fleet, id: string): Promise<void> {
  try {
    const task = await fleet.client.call('tasks.retry', { id });
    fleet.take([], [task]);
    fleet.toasts.say('Queued again', { text: 'It has all its attempts again.' });
  } catch (error) {
    fleet.toasts.fail('Not queued again', error);
  }
}

export async function rotateSecret(fleet: Fleet, agent: string): Promise<void> {
  try {
    const { token, delivered } = await fleet.client.call('agents.rotate', { agent });
    if (delivered)
      fleet.toasts.say(`${agent} has a new secret`, { text: 'It got it over its connection. The old one ends when it uses the new one.' });
    else fleet.dialog.value = { name: 'secret', agent, token };
    await fleet.loadAgents();
  } catch (error) {
    fleet.toasts.fail(`No new secret for ${agent}`, error);
  }
}

export async function revokeAgent(fleet: Fleet, agent: string): Promise<void> {
  try {
    const { connected } = await fleet.client.call('agents.revoke', { agent });
    fleet.toasts.say(`Revoked ${agent}`, {
      text: connected ? 'Its connection was ended, and its tasks are given to others.' : 'It can not come back.',
    });
    await fleet.loadAgents();
  } catch (error) {
    fleet.toasts.fail(`${agent} was not revoked`, error);
  }
}

/** Queues a task and shows it. Throws what the call throws. */
export async function addTask(
  fleet: Fleet,
  task: {
    description: string;
    needs: string[];
    priority: HubTaskInfo['priority'];
    agent: string | undefined;
    key: string;
  },
): Promise<void> {
  const { agent, ...rest } = task;
  const { tasks } = await fleet.client.call('tasks.create', { tasks: [{ ...rest, ...(agent === undefined ? {} : { agent }) }] });
  const id = tasks[0]?.id;
  if (id !== undefined) fleet.show(id);
}
