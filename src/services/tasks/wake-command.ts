import { OutriggerError } from '../../contract/errors.ts';
import type { TaskAssignment } from '../../contract/hub.ts';

const PLACEHOLDER = /\$\{(TASK_ID|TASK_JSON|TASK_DESCRIPTION)\}/g;

/**
 * The arguments of a wake command for one task. Each value goes into its place as it is, once: no shell reads it, and what looks like a
 * placeholder in a description is none. Throws BAD_INPUT where one can't be an argument.
 */
export function wakeArgv(command: readonly [string, ...string[]], task: TaskAssignment): [string, ...string[]] {
  const values: Readonly<Record<string, () => string>> = {
    TASK_ID: () => task.task_id,
    TASK_JSON: () => JSON.stringify(task),
    TASK_DESCRIPTION: () => {
      if (!task.description.includes('\0')) return task.description;
      const hint = 'Leave ${TASK_DESCRIPTION} out of the wake command and read the file that OUTRIGGER_TASK_FILE names.';
      throw new OutriggerError('BAD_INPUT', `The description of the task holds a NUL, and no argument of a program can. ${hint}`);
    },
  };
  const [program, ...rest] = command.map((argument) => argument.replace(PLACEHOLDER, (_whole, name: string) => values[name]?.() ?? ''));
  return [program as string, ...rest];
}
