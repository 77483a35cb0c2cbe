import { type TaskAssignment, taskAssignment } from '../../contract/hub.ts';
import { type HeldRecord, type HeldState, heldStates } from './task-machine.ts';

/**
 * The queue of AgentCom's sidecar, `{active, recovering}`: one task each, or null, with the fields of its assignment beside `status` and
 * `wake_attempts`. What is no task is left out.
 */
export function importedRecords(file: Record<string, unknown>, now: number): HeldRecord[] {
  return [file['active'], file['recovering']].flatMap((entry) => {
    const parsed = taskAssignment().safeParse(entry);
    if (!parsed.success) return [];
    const { status, wake_attempts: attempts } = entry as { status?: unknown; wake_attempts?: unknown };
    const state = heldStates.find((known) => known === status) ?? 'accepted';
    const record: HeldRecord = {
      id: parsed.data.task_id,
      generation: parsed.data.generation,
      // A verification is done again from the result, which that sidecar kept in its file.
      state: state === 'verifying' ? 'working' : state,
      assignment: parsed.data,
      attempts: typeof attempts === 'number' ? attempts : 0,
      reports: [],
      acceptedAt: parsed.data.assigned_at ?? now,
    };
    return [record];
  });
}

/** The other way; that sidecar holds one task, so more are beside it under `others`. */
export function exportQueue(records: readonly HeldRecord[], recovering: ReadonlySet<string>): Record<string, unknown> {
  const entries = records.map((record) => ({
    ...entryOf(record.assignment, record.state),
    wake_attempts: record.attempts,
    generation: record.generation,
  }));
  const isRecovering = ({ task_id: id }: { task_id: string }): boolean => recovering.has(id);
  const active = entries.find((entry) => !isRecovering(entry)) ?? null;
  const waiting = entries.find(isRecovering) ?? null;
  const others = entries.filter((entry) => entry !== active && entry !== waiting);
  return { active, recovering: waiting, ...(others.length === 0 ? {} : { others }) };
}

function entryOf(assignment: TaskAssignment, state: HeldState): TaskAssignment & { status: HeldState } {
  return { ...assignment, status: state };
}
