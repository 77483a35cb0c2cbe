import type { TaskAssignment } from '../../contract/hub.ts';

const PLACEHOLDER = /\$\{(TASK_ID|TASK_JSON|TASK_DESCRIPTION)\}/g;

/**
 * The arguments of a wake command for one task. Each value goes into its place as it is, once: no shell reads it, and what looks like a
 * placeholder in a description is none.
 */
export function wakeArgv(command: readonly [string, ...string[]], task: TaskAssignment): [string, ...string[]] {
  const values: Readonly<Record<string, () => string>> = {
    TASK_ID: () => task.task_id,
    TASK_JSON: () => JSON.stringify(task),
    TASK_DESCRIPTION: () => task.description,
  };
  const [program, ...rest] = command.map((argument) => argument.replace(PLACEHOLDER, (_whole, name: string) => values[name]?.() ?? ''));
  return [program as string, ...rest];
}
