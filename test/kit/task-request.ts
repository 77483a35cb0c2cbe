import type { TaskRequest } from '../../src/hub/task-store.ts';

/** A request for a task of a test: anybody may have it, at once. */
export function taskRequest(changes: Partial<TaskRequest> = {}): TaskRequest {
  return {
    description: 'do it',
    metadata: {},
    priority: 2,
    needs: [],
    agent: null,
    runAt: 0,
    deadline: null,
    maxAttempts: 3,
    backoffMs: 1000,
    backoffMaxMs: 60_000,
    key: null,
    after: [],
    group: null,
    atOnce: 1,
    repo: null,
    branch: null,
    fileHints: [],
    successCriteria: [],
    verificationSteps: [],
    skipVerification: false,
    verificationTimeoutMs: null,
    maxVerificationRetries: null,
    ...changes,
  };
}
