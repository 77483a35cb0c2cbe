import type { TaskAssignment, VerificationReport } from '../../contract/hub.ts';

/**
 * What becomes of a task that is held: accepted → waking → waking_confirmation → working → verifying, and then it is over: its outcome waits
 * in the outbox (`done`), or somebody took it back (`cancelled`, `abandoned`). Pure: the table of what follows what.
 */
export const heldStates = ['accepted', 'waking', 'waking_confirmation', 'working', 'verifying'] as const;
export type HeldState = (typeof heldStates)[number];
export type TaskEnd = 'done' | 'cancelled' | 'abandoned';

/** A task that is held, as it is kept on the disk. Times are milliseconds since 1970. */
export interface HeldRecord {
  id: string;
  /** The fence: it is said with each result. */
  generation: number;
  state: HeldState;
  assignment: TaskAssignment;
  /** Starts of the wake program since it was to run (again). */
  attempts: number;
  /** What verifications came to, oldest first. */
  reports: VerificationReport[];
  /** What the agent gave; verified before it counts. */
  result?: Record<string, unknown>;
  /** The wake program runs, as far as is known; it may be just being started, and `pid` is 0. */
  program?: { pid: number };
  branch?: string;
  /** How often a sidecar found it as another one left it; stored with what came next. */
  restarts?: number;
  acceptedAt: number;
}

export type Outcome =
  | { kind: 'complete'; result: Record<string, unknown>; report: VerificationReport; reports: VerificationReport[] }
  | {
      kind: 'failed';
      reason: string;
      retryable: boolean;
      /** Where a verification failed: what was not good enough. */
      refused?: { result: Record<string, unknown>; report: VerificationReport; reports: VerificationReport[] };
    };

export type TaskStep =
  /** Everything is ready for the agent. */
  | { type: 'begin'; branch?: string | undefined }
  | { type: 'started'; pid: number }
  /** The wake program ended, or could not be started. `problem` is undefined where it ended with exit code 0. */
  | { type: 'exited'; problem: string | undefined }
  /** The agent said that it has begun. */
  | { type: 'confirmed' }
  | { type: 'unconfirmed' }
  | { type: 'result'; result: Record<string, unknown> }
  | { type: 'failed'; reason: string; retryable: boolean }
  /** `facts` are added to the result, such as the branch. */
  | { type: 'verified'; report: VerificationReport; facts?: Record<string, unknown> | undefined }
  /** The hub lets it go on after a restart; `programEnded`: what ran for it was ended with this sidecar's predecessor. */
  | { type: 'continue'; generation: number | undefined; programEnded: boolean }
  | { type: 'end'; as: 'cancelled' | 'abandoned'; tell: string | undefined };

/** What an agent itself may say. */
export type AgentWord = Extract<TaskStep, { type: 'confirmed' | 'result' | 'failed' }>;

export type TaskEffect =
  | { do: 'start'; afterMs: number }
  | { do: 'await-confirmation' }
  | { do: 'verify' }
  | { do: 'end-program' }
  | { do: 'wake-result'; status: 'success' | 'failed' | 'timeout'; attempt?: number; error?: string; reason?: string };

export interface MachineRules {
  /** Delays before the second start and those after it, milliseconds. */
  retriesMs: readonly number[];
  hasWake: boolean;
}

export interface Stepped {
  /** Undefined: it is not held any more. */
  record: HeldRecord | undefined;
  end?: TaskEnd;
  /** For the outbox, in the same transaction. */
  outcome?: Outcome;
  effects: TaskEffect[];
}

/** What an event does to a task; undefined where it does nothing. */
export function stepTask(record: HeldRecord, step: TaskStep, rules: MachineRules): Stepped | undefined {
  const { state } = record;
  const isWaking = state === 'waking' || state === 'waking_confirmation';
  switch (step.type) {
    case 'begin':
      if (state !== 'accepted') return undefined;
      return woken(step.branch === undefined ? record : { ...record, branch: step.branch }, rules);
    case 'started':
      return { record: { ...record, program: { pid: step.pid } }, effects: [] };
    case 'exited':
      return exited(withoutProgram(record), step.problem, rules);
    case 'confirmed':
      if (!isWaking) return undefined;
      // Of a program that ended well the state is another one; while it runs, nobody was told yet that it could be started.
      return {
        record: { ...record, state: 'working', ...(state === 'waking' ? { program: record.program ?? { pid: 0 } } : {}) },
        effects: state === 'waking' ? [{ do: 'wake-result', status: 'success', attempt: record.attempts }] : [],
      };
    case 'unconfirmed':
      if (!isWaking) return undefined;
      return over('confirmation_timeout', true, [{ do: 'wake-result', status: 'timeout', reason: 'confirmation_timeout' }]);
    case 'result':
      if (state === 'verifying') return undefined;
      return {
        record: { ...record, state: 'verifying', result: step.result },
        effects: [
          ...(state === 'waking' ? [{ do: 'wake-result', status: 'success', attempt: record.attempts } as const] : []),
          { do: 'verify' },
        ],
      };
    case 'failed':
      return over(step.reason, step.retryable, []);
    case 'verified':
      return state === 'verifying' ? verified(record, step.report, step.facts, rules) : undefined;
    case 'continue':
      return continued(record, step.generation, step.programEnded, rules);
    case 'end':
      return {
        record: undefined,
        end: step.as,
        effects: [{ do: 'end-program' }],
        ...(step.tell === undefined ? {} : { outcome: { kind: 'failed', reason: step.tell, retryable: false } }),
      };
  }
}

/** Whether a report lets a result count. */
export function passes({ status }: Pick<VerificationReport, 'status'>): boolean {
  return status === 'pass' || status === 'skip' || status === 'auto_pass';
}

function woken(record: HeldRecord, rules: MachineRules): Stepped {
  if (!rules.hasWake) return over('no_wake_command_configured', false, []);
  return { record: { ...record, state: 'waking', attempts: 1 }, effects: [{ do: 'start', afterMs: 0 }] };
}

function exited(record: HeldRecord, problem: string | undefined, { retriesMs }: MachineRules): Stepped | undefined {
  const { state, attempts } = record;
  if (state === 'working' && problem !== undefined) return over(`agent_exited: ${problem}`, true, []);
  if (state !== 'waking') return { record, effects: [] };
  if (problem === undefined)
    return {
      record: { ...record, state: 'waking_confirmation' },
      effects: [{ do: 'wake-result', status: 'success', attempt: attempts }, { do: 'await-confirmation' }],
    };
  const told = { do: 'wake-result', status: 'failed', attempt: attempts, error: problem } as const;
  const afterMs = retriesMs[attempts - 1];
  if (afterMs === undefined) return over(`wake_failed: ${problem}`, true, [told]);
  // What a failed start left behind must not meet the next one.
  return { record: { ...record, attempts: attempts + 1 }, effects: [told, { do: 'end-program' }, { do: 'start', afterMs }] };
}

function verified(record: HeldRecord, report: VerificationReport, facts: Record<string, unknown> = {}, rules: MachineRules): Stepped {
  const reports = [...record.reports, report];
  const { assignment } = record;
  const result = { ...record.result, ...facts };
  if (passes(report))
    return { record: undefined, end: 'done', outcome: { kind: 'complete', result, report, reports }, effects: [{ do: 'end-program' }] };
  if (reports.length <= (assignment.max_verification_retries ?? 0) && rules.hasWake) {
    const { result: _refused, ...rest } = record;
    return { record: { ...rest, state: 'waking', attempts: 1, reports }, effects: [{ do: 'end-program' }, { do: 'start', afterMs: 0 }] };
  }
  return {
    record: undefined,
    end: 'done',
    outcome: { kind: 'failed', reason: 'verification_failed', retryable: true, refused: { result, report, reports } },
    effects: [{ do: 'end-program' }],
  };
}

function continued(held: HeldRecord, generation: number | undefined, programEnded: boolean, rules: MachineRules): Stepped | undefined {
  const record = { ...held, generation: Math.max(held.generation, generation ?? 0) };
  switch (record.state) {
    case 'accepted':
    case 'waking':
      return woken(withoutProgram(record), rules);
    case 'waking_confirmation':
      return programEnded ? woken(withoutProgram(record), rules) : { record, effects: [{ do: 'await-confirmation' }] };
    case 'working':
      // An agent that was only told of it, and runs elsewhere, goes on.
      return programEnded ? woken(withoutProgram(record), rules) : { record, effects: [] };
    case 'verifying':
      // That is under way already, since the result came or since the restart.
      return { record, effects: [] };
  }
}

function over(reason: string, retryable: boolean, effects: TaskEffect[]): Stepped {
  return { record: undefined, end: 'done', outcome: { kind: 'failed', reason, retryable }, effects: [...effects, { do: 'end-program' }] };
}

function withoutProgram({ program: _gone, ...record }: HeldRecord): HeldRecord {
  return record;
}
