import { type HubTaskDetail, type HubTaskInfo, taskPriorities } from '../contract/hub-operations.ts';
import type { TaskRecord, TaskSummary } from './task-store.ts';

/** Of one task in its `task_assign`. The rest of a frame is for the numbers of a grant, and for an agent that says again what it has. */
export const MAX_TASK_BYTES = 4_000_000;

/** What an agent is told of a task that it gets. `leaseMs`: for agents that renew. */
export function assignFrame(task: TaskRecord, now: number, leaseMs: number | undefined): Record<string, unknown> & { type: string } {
  const optional = {
    repo: task.repo,
    branch: task.branch,
    file_hints: task.fileHints.length > 0 ? task.fileHints : null,
    success_criteria: task.successCriteria.length > 0 ? task.successCriteria : null,
    verification_steps: task.verificationSteps.length > 0 ? task.verificationSteps : null,
    skip_verification: task.skipVerification ? true : null,
    verification_timeout_ms: task.verificationTimeoutMs,
    max_verification_retries: task.maxVerificationRetries,
    ...(leaseMs === undefined ? {} : { lease_ms: leaseMs, attempt: task.attempt, deadline: task.deadline }),
  };
  return {
    type: 'task_assign',
    task_id: task.id,
    description: task.description,
    metadata: task.metadata,
    generation: task.fence,
    assigned_at: now,
    ...Object.fromEntries(Object.entries(optional).filter(([, value]) => value !== null)),
  };
}

export function infoOf(task: TaskSummary): HubTaskInfo {
  return {
    id: task.id,
    description: task.description,
    state: task.state,
    priority: taskPriorities[task.priority] ?? 'normal',
    needs: [...task.needs],
    generation: task.fence,
    attempt: task.attempt,
    maxAttempts: task.maxAttempts,
    holder: task.holder,
    runAt: task.runAt,
    deadline: task.deadline,
    leaseUntil: task.leaseUntil,
    cancelBy: task.cancelBy,
    progress: task.progress,
    after: [...task.after],
    group: task.group,
    key: task.key,
    reason: task.reason,
    createdBy: task.createdBy,
    createdAt: task.createdAt,
    updatedAt: task.updatedAt,
  };
}

export function detailOf(task: TaskRecord): HubTaskDetail {
  const { metadata, result, report, late } = task;
  return { ...infoOf(task), metadata, result, report: report as Record<string, unknown> | null, late: [...late] };
}
