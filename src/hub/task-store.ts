import type { VerificationReport, VerificationStep } from '../contract/hub.ts';

/**
 * scheduled: its time, or a task that it depends on, has not come. offered: granted, and not accepted yet. running: held under a lease.
 * dead: no attempt is left. The last four are ends; `dead` and `failed` can be retried by an operator.
 */
export const taskStates = ['scheduled', 'ready', 'offered', 'running', 'succeeded', 'failed', 'cancelled', 'dead'] as const;
export type TaskState = (typeof taskStates)[number];

/** What is asked for; all of it is told to the agent but what says who may have it, and when. Times are milliseconds since 1970. */
export interface TaskRequest {
  description: string;
  metadata: Record<string, unknown>;
  /** 0 urgent … 3 low. */
  priority: number;
  /** Capabilities that an agent must have, all of them. */
  needs: readonly string[];
  /** The only agent that may have it. */
  agent: string | null;
  runAt: number;
  deadline: number | null;
  maxAttempts: number;
  /** Before attempt n + 1 it waits uniformly random in (0, backoffMs · 2^n), at most backoffMaxMs. */
  backoffMs: number;
  backoffMaxMs: number;
  /** Two requests with one key are one task. */
  key: string | null;
  /** Ids of tasks that must have succeeded before. Where one ends otherwise, this one is cancelled. */
  after: readonly string[];
  /** At most `atOnce` of all tasks with this group run at a time. */
  group: string | null;
  atOnce: number;
  repo: string | null;
  branch: string | null;
  fileHints: readonly { path: string; [more: string]: unknown }[];
  successCriteria: readonly string[];
  verificationSteps: readonly VerificationStep[];
  skipVerification: boolean;
  verificationTimeoutMs: number | null;
  maxVerificationRetries: number | null;
}

export interface TaskRecord extends TaskRequest {
  id: string;
  state: TaskState;
  /** Grows with each grant; 0 before the first. */
  fence: number;
  /** Attempts that were granted. */
  attempt: number;
  /** Who has it now, or had it last. */
  holder: string | null;
  acceptBy: number | null;
  leaseUntil: number | null;
  /** A cancellation is under way; it is over then, whatever the agent says. */
  cancelBy: number | null;
  /** Of `after`, those that have not succeeded. While there is one, it stays scheduled. */
  waitsFor: readonly string[];
  /** The newest fence whose agent said how it ended; 0 before. The same said again counts no more. */
  settled: number;
  progress: { percent: number | null; text: string | null; at: number } | null;
  result: Record<string, unknown> | null;
  report: VerificationReport | Record<string, unknown> | null;
  reason: string | null;
  /** Results under an older fence, or after an end, kept for an operator: those of the newest few grants, by their fence. */
  late: readonly { fence: number; agent: string; at: number; result: Record<string, unknown> | null; reason: string | null }[];
  createdBy: string;
  createdAt: number;
  updatedAt: number;
}

/** What can be large of a request. Nothing is decided by it. */
export type LargeParts = Pick<TaskRequest, 'metadata' | 'fileHints' | 'successCriteria' | 'verificationSteps'>;

/** A task as decisions need it. */
export type TaskBrief = Omit<TaskRecord, keyof LargeParts>;

/** A task without what can be large and is seldom looked at. */
export type TaskSummary = Omit<TaskBrief, 'result' | 'report' | 'late'>;

/** What happens to a task. `agent` and `fence` say under which grant; one that is not the newest is refused. */
export type TaskEvent =
  | { type: 'offer'; agent: string; acceptBy: number }
  | { type: 'accept'; agent: string; fence: number; leaseUntil: number }
  | { type: 'refuse'; agent: string; fence: number; reason: string }
  | { type: 'renew'; agent: string; fence: number; leaseUntil: number }
  | { type: 'progress'; agent: string; fence: number; percent: number | null; text: string | null }
  | { type: 'complete'; agent: string; fence: number; result: Record<string, unknown> | null; report: Record<string, unknown> | null }
  | { type: 'fail'; agent: string; fence: number; reason: string; retryable: boolean; report: Record<string, unknown> | null }
  /** On connecting, its holder neither holds it nor has a result of it. `offered`: its holder went, and only what it had not accepted is meant. */
  | { type: 'disown'; agent: string; fence: number; offered?: true }
  | { type: 'cancel'; by: string; reason: string; cancelBy: number }
  | { type: 'retry'; by: string }
  /** One that it depends on has succeeded. */
  | { type: 'released'; dependency: string }
  /** Time went on: offers, leases, deadlines and cancellations end, and what was scheduled is ready. */
  | { type: 'tick' }
  /** The wall clock was set, ahead by so many milliseconds, or back where it is less than 0: what the hub gave time for has as much left as before. */
  | { type: 'clock'; byMs: number };

/** never_held: the agent that says how it ended had no such grant. */
export type Refusal = 'not_found' | 'stale_generation' | 'invalid_state' | 'never_held';

export type Applied =
  | { ok: true; task: TaskBrief /** The same was said before, and counted then. */; again: boolean }
  | { ok: false; refusal: Refusal; task: TaskBrief | undefined };

export interface AuditEntry {
  /** From 1, without a gap but where tasks were forgotten: the entry of type `forget`, of which there is one at most, counts what is missing before it. */
  sequence: number;
  at: number;
  task: string;
  /** `forget` is about the task that went last; `tasks` and `entries` count all that ever went, earlier entries of this type included. */
  event: TaskEvent | { type: 'create'; task: TaskRecord } | { type: 'forget'; tasks: number; entries: number };
  /** The number in [0, 1) that was drawn for a wait. */
  chance: number | null;
  /** The task after it. */
  state: TaskState;
  fence: number;
}

export interface TaskQuery {
  states?: readonly TaskState[];
  priority?: number;
  holder?: string;
  /** Those created before this one, newest first; where it was forgotten, those before the next one by id, as ids of a hub sort by age. */
  before?: string;
  limit: number;
  /** No more is read once descriptions and reasons take so many characters: at least one task, where there is one. */
  length?: number;
}

/**
 * Where tasks are truth. All methods take lists and are one group commit with whatever else is asked in the same turn of the event loop;
 * they resolve when that is on the disk (fsync). Each write checks the fence in its own transaction and adds one
 * entry of audit; renewals, or progress, that follow one another are one entry, the newest. Rejects with
 * OutriggerError STORAGE_FAILED where nothing was stored. How a task ended is heard from agents alone that had the grant of which they say it. What is asked of a task that was forgotten is answered as for one that never was.
 */
export interface TaskStore {
  enqueue(requests: readonly { id: string; request: TaskRequest; by: string }[]): Promise<{ task: TaskBrief; existed: boolean }[]>;
  /**
   * Grants what is ready, by priority and then age, to those who may have it: at most `credit` each. Of large tasks a few are granted at a time, one
   * at least where there is one, and `more` is called where there may be more for these claims.
   */
  claim(
    claims: readonly { agent: string; capabilities: readonly string[]; credit: number }[],
    more?: () => void,
  ): Promise<{ agent: string; task: TaskBrief }[]>;
  apply(events: readonly { task: string; event: TaskEvent }[]): Promise<Applied[]>;
  /** Applies `tick` to all whose time has come; gives those that changed. `stored` hears of those of each commit right after it, and before what comes of a later one. */
  reap(stored?: (changed: readonly TaskSummary[]) => void): Promise<TaskSummary[]>;
  /**
   * Removes some of the tasks whose time is over, and all there is of them; their ids. A task stays while one that is not over comes after it,
   * or one that was cancelled for its sake is known. Where there is more to do, `nextTime` is not later than now.
   */
  forget(): Promise<string[]>;
  /** When `reap` or `forget` has something to do next; null: never. */
  nextTime(): number | null;
  heldBy(agent: string): TaskSummary[];
  get(id: string): TaskRecord | undefined;
  /** The states of those of them that are known, without reading what else there is of them. */
  states(ids: Iterable<string>): Map<string, TaskState>;
  list(query: TaskQuery): TaskSummary[];
  counts(): Record<TaskState, number>;
  /** With `task`, what happened to that one alone. No more is read once the events take so many `bytes`: at least one entry, where there is one. */
  audit(after: number, limit: number, task?: string, bytes?: number): AuditEntry[];
  close(): Promise<void>;
}
