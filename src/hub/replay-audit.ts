import type { AuditEntry, TaskRecord } from './task-store.ts';
import { transition } from './transition.ts';

/**
 * The table of tasks, by id, as the audit alone tells it: all entries from the first on. Throws where one is missing that was not
 * forgotten with its task, or where what it says does not follow from those before by `machine`.
 */
export function replayAudit(entries: Iterable<AuditEntry>, machine = transition): Map<string, TaskRecord> {
  const all = [...entries];
  const tasks = new Map<string, TaskRecord>();
  // Whatever was forgotten had its numbers before the entry that counts it; behind that one nothing is missing.
  const forgets = all.findIndex(({ event }) => event.type === 'forget');
  let missing = 0;
  let sequence = 0;
  for (const [at, entry] of all.entries()) {
    const skipped = entry.sequence - sequence - 1;
    if (skipped < 0 || (skipped > 0 && at > forgets))
      throw new Error(`The audit has entry ${entry.sequence} where ${sequence + 1} should be.`);
    missing += skipped;
    sequence = entry.sequence;
    if (entry.event.type === 'forget') {
      if (at !== forgets) throw new Error(`Entry ${sequence} counts what was forgotten, and so does one before it.`);
      if (missing !== entry.event.entries) throw new Error(`${missing} entries are missing, and ${entry.event.entries} were forgotten.`);
      continue;
    }
    const task = replayed(entry, entry.event, tasks.get(entry.task), machine);
    if (task.state !== entry.state || task.fence !== entry.fence) {
      throw new Error(
        `Entry ${sequence} leaves ${entry.task} ${task.state} under ${task.fence}, and says ${entry.state} under ${entry.fence}.`,
      );
    }
    tasks.set(entry.task, task);
  }
  return tasks;
}

type OfTask = Exclude<AuditEntry['event'], { type: 'forget' }>;

function replayed(
  { sequence, at, task, chance }: AuditEntry,
  event: OfTask,
  before: TaskRecord | undefined,
  machine: typeof transition,
): TaskRecord {
  if (event.type === 'create') {
    if (before !== undefined) throw new Error(`Entry ${sequence} creates ${task} again.`);
    return event.task;
  }
  if (before === undefined) throw new Error(`Entry ${sequence} is about ${task}, which was never created.`);
  return machine(before, event, at, () => {
    if (chance === null) throw new Error(`Entry ${sequence} needs a number by chance that it does not have.`);
    return chance;
  }).task;
}
