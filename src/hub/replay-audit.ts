import type { AuditEntry, TaskRecord } from './task-store.ts';
import { transition } from './transition.ts';

/**
 * The table of tasks, by id, as the audit alone tells it: all entries from the first on. Throws where one is missing, or where what it
 * says does not follow from those before.
 */
export function replayAudit(entries: Iterable<AuditEntry>): Map<string, TaskRecord> {
  const tasks = new Map<string, TaskRecord>();
  let sequence = 0;
  for (const entry of entries) {
    if (entry.sequence !== ++sequence) throw new Error(`The audit has entry ${entry.sequence} where ${sequence} should be.`);
    const task = replayed(entry, tasks.get(entry.task));
    if (task.state !== entry.state || task.fence !== entry.fence) {
      throw new Error(
        `Entry ${sequence} leaves ${entry.task} ${task.state} under ${task.fence}, and says ${entry.state} under ${entry.fence}.`,
      );
    }
    tasks.set(entry.task, task);
  }
  return tasks;
}

function replayed({ sequence, at, task, event, chance }: AuditEntry, before: TaskRecord | undefined): TaskRecord {
  if (event.type === 'create') {
    if (before !== undefined) throw new Error(`Entry ${sequence} creates ${task} again.`);
    return event.task;
  }
  if (before === undefined) throw new Error(`Entry ${sequence} is about ${task}, which was never created.`);
  return transition(before, event, at, () => {
    if (chance === null) throw new Error(`Entry ${sequence} needs a number by chance that it does not have.`);
    return chance;
  }).task;
}
