import type { GitDialog } from '../changes/git-dialog.ts';
import type { WorkbenchClient } from '../client-port.ts';
import type { Toasts } from '../shell/toasts.ts';
import { taskTitle } from './task-text.ts';

export interface TaskActionsDependencies {
  client: WorkbenchClient;
  toasts: Toasts;
  ask: (dialog: GitDialog | undefined) => void;
}

/** What a person does with tasks. Each says what it did, or why it did not; none throws. */
export class TaskActions {
  readonly #dependencies: TaskActionsDependencies;

  constructor(dependencies: TaskActionsDependencies) {
    this.#dependencies = dependencies;
  }

  askToCancel(id: string, description: string): void {
    this.#dependencies.ask({
      kind: 'question',
      title: `Cancel “${taskTitle({ id, description })}”?`,
      text: 'Its program and all that this started are ended, and the hub is told that it failed, for good. What it changed in the folder stays.',
      choices: [{ label: 'Cancel the task', tone: 'bad', run: () => void this.cancel(id, description) }],
      dismiss: 'Let it go on',
    });
  }

  async cancel(id: string, description: string): Promise<void> {
    const { client, toasts } = this.#dependencies;
    try {
      await client.call('tasks.cancel', { id });
      toasts.say('Cancelled', { text: taskTitle({ id, description }) });
    } catch (error) {
      toasts.fail(`Not cancelled: ${taskTitle({ id, description })}`, error);
    }
  }
}
