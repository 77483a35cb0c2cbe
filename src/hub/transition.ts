import type { Refusal, TaskBrief, TaskEvent, TaskRecord, TaskRequest, TaskState } from './task-store.ts';

/** Of results that came too late, so many are kept: those of the newest grants. */
const KEPT_LATE = 5;
/** So much they may take together, characters of JSON, before older ones are only known to have come; the newest is kept whole. */
const MAX_LATE_LENGTH = 4 * 1024 * 1024;
/** What an agent refused is offered again after less than this, so that two do not hand it to and fro without a pause. */
const REFUSED_WAIT_MS = 1000;
/** Of a verification report, what lets a result count. */
const passing: readonly unknown[] = ['pass', 'skip', 'auto_pass'];

/** Where an event is refused the task is the same one, but for a late result that was kept. */
export type Outcome<Task extends TaskBrief = TaskRecord> =
  | { ok: true; task: Task; again: boolean }
  | { ok: false; refusal: Refusal; task: Task };

type Settling = Extract<TaskEvent, { type: 'complete' | 'fail' }>;

export function isEnded(state: TaskState): boolean {
  return state === 'succeeded' || state === 'failed' || state === 'cancelled' || state === 'dead';
}

export function isHeld(state: TaskState): boolean {
  return state === 'offered' || state === 'running';
}

/** A task as it begins. `waitsFor`: of those that it depends on, the ones that have not succeeded. `now` is milliseconds since 1970. */
export function newTask(id: string, request: TaskRequest, by: string, waitsFor: readonly string[], now: number): TaskRecord {
  return {
    ...request,
    id,
    state: waitingState(request.runAt, waitsFor, now),
    fence: 0,
    attempt: 0,
    holder: null,
    acceptBy: null,
    leaseUntil: null,
    cancelBy: null,
    waitsFor,
    settled: 0,
    progress: null,
    result: null,
    report: null,
    reason: null,
    late: [],
    createdBy: by,
    createdAt: now,
    updatedAt: now,
  };
}

/** When `tick` changes the task next, milliseconds since 1970; null: time alone never does. */
export function nextTimeOf(task: TaskBrief): number | null {
  if (isEnded(task.state)) return null;
  const times = [task.deadline, task.cancelBy];
  if (task.state === 'offered') times.push(task.acceptBy);
  if (task.state === 'running') times.push(task.leaseUntil);
  if (task.state === 'scheduled' && task.waitsFor.length === 0) times.push(task.runAt);
  const set = times.filter((time) => time !== null);
  return set.length === 0 ? null : Math.min(...set);
}

/**
 * What an event makes of a task. Pure: `now` is milliseconds since 1970, `random` gives one number in [0, 1) for a wait. Where nothing
 * changes, the answer has the very same object.
 *
 * What counts as an attempt: a grant that was accepted. An offer that was refused, not accepted in time or disowned before that gives its
 * attempt back; a lease that ran out and a running task that was disowned do not, as work may have begun (else a task that kills its agents
 * would be granted for ever).
 *
 * Who holds a lease may work until its end, whatever is decided here, so a task that a deadline or a cancellation took away keeps
 * `leaseUntil`: an operator's retry waits for it.
 */
export function transition<Task extends TaskBrief>(task: Task, event: TaskEvent, now: number, random: () => number): Outcome<Task> {
  switch (event.type) {
    case 'offer':
      if (task.state !== 'ready') return { ok: false, refusal: 'invalid_state', task };
      return changed(task, now, {
        state: 'offered',
        fence: task.fence + 1,
        attempt: task.attempt + 1,
        holder: event.agent,
        acceptBy: event.acceptBy,
        leaseUntil: null,
        progress: null,
      });
    case 'complete':
    case 'fail':
      return settle(task, event, now, random);
    case 'cancel':
      return cancel(task, event, now);
    case 'retry':
      return retry(task, now);
    case 'released': {
      if (!task.waitsFor.includes(event.dependency)) return same(task);
      const waitsFor = task.waitsFor.filter((id) => id !== event.dependency);
      return changed(task, now, { waitsFor, state: task.state === 'scheduled' ? waitingState(task.runAt, waitsFor, now) : task.state });
    }
    case 'tick':
      return tick(task, now, random);
    case 'clock':
      return clockSet(task, event.byMs, now);
    default:
  }
  // Only the newest grant says anything, and only while it lasts.
  if (event.fence !== task.fence || event.agent !== task.holder) return { ok: false, refusal: 'stale_generation', task };
  if (!isHeld(task.state)) return { ok: false, refusal: 'invalid_state', task };
  switch (event.type) {
    case 'accept':
    case 'renew': {
      // A renewal of what is only offered: the acceptance got lost on its way.
      if (task.state === 'offered') return changed(task, now, { state: 'running', acceptBy: null, leaseUntil: event.leaseUntil });
      const again = event.type === 'accept';
      if (task.leaseUntil !== null && event.leaseUntil <= task.leaseUntil) return { ok: true, task, again };
      return { ok: true, task: { ...task, leaseUntil: event.leaseUntil, updatedAt: now }, again };
    }
    case 'progress':
      return changed(task, now, { progress: { percent: event.percent, text: event.text, at: now } });
    case 'refuse':
      if (task.state === 'running') return attemptEnded(task, event.reason, now, waitMs(task, random));
      return offerEnded(task, event.reason, now, jittered(REFUSED_WAIT_MS, random));
    case 'disown':
      if (task.state === 'running' && event.offered === true) return same(task);
      if (task.state === 'running') return attemptEnded(task, 'Its agent lost it.', now, 0);
      return offerEnded(task, task.reason, now, 0);
  }
}

function settle<Task extends TaskBrief>(task: Task, event: Settling, now: number, random: () => number): Outcome<Task> {
  const granted = event.fence > 0 && event.fence <= task.fence;
  const newest = event.fence === task.fence && event.agent === task.holder;
  if (granted && event.fence === task.settled && (newest || event.fence < task.fence)) return same(task);
  if (!newest) return granted && event.fence < task.fence ? late(task, event, 'stale_generation', now) : refused(task, 'stale_generation');
  if (isEnded(task.state)) return late(task, event, 'invalid_state', now);

  const told = { settled: event.fence, report: event.report, ...(event.type === 'complete' && { result: event.result }) };
  const status = event.report?.['status'];
  if (event.type === 'complete' && (event.report === null || passing.includes(status))) {
    // Also where its lease had run out, and where it was to be cancelled: nobody else has it, and it is done.
    return changed(task, now, { ...told, ...free, state: 'succeeded', reason: null });
  }
  const reason = event.type === 'fail' ? event.reason : `The verification of the result says ${JSON.stringify(status ?? null)}.`;
  const retryable = event.type === 'complete' || event.retryable;
  const failed = { ...task, ...told };
  if (isHeld(task.state)) return attemptEnded(failed, reason, now, retryable ? waitMs(task, random) : null);
  // The attempt was given up before: only what it came to is new.
  return retryable ? changed(failed, now, { reason }) : changed(failed, now, { ...free, state: 'failed', reason });
}

function late<Task extends TaskBrief>(task: Task, event: Settling, refusal: Refusal, now: number): Outcome<Task> {
  const { fence, agent } = event;
  // Once of each grant: what made room for others does not come again.
  const isOlder = task.late.length === KEPT_LATE && fence < (task.late[0]?.fence ?? 0);
  if (isOlder || task.late.some((entry) => entry.fence === fence)) return refused(task, refusal);
  const result = event.type === 'complete' ? event.result : null;
  const entry = { fence, agent, at: now, result, reason: event.type === 'fail' ? event.reason : null };
  const kept = [...task.late, entry].sort((a, b) => a.fence - b.fence).slice(-KEPT_LATE);
  return { ok: false, refusal, task: { ...task, late: withinLength(kept), updatedAt: now } };
}

/** Oldest first; what is too much loses what is large in it. */
function withinLength(late: TaskRecord['late']): TaskRecord['late'] {
  let length = 0;
  return late
    .toReversed()
    .map((entry, at) => {
      length += JSON.stringify([entry.result, entry.reason]).length;
      return at === 0 || length <= MAX_LATE_LENGTH ? entry : { ...entry, result: null, reason: 'Its result made room for later ones.' };
    })
    .reverse();
}

function cancel<Task extends TaskBrief>(task: Task, event: Extract<TaskEvent, { type: 'cancel' }>, now: number): Outcome<Task> {
  if (task.state === 'cancelled') return same(task);
  if (isEnded(task.state)) return refused(task, 'invalid_state');
  if (!isHeld(task.state) || event.cancelBy <= now)
    return taken(task, 'cancelled', task.cancelBy === null ? event.reason : task.reason, now);
  if (task.cancelBy !== null) return same(task);
  return changed(task, now, { cancelBy: event.cancelBy, reason: event.reason });
}

function retry<Task extends TaskBrief>(task: Task, now: number): Outcome<Task> {
  if (!isEnded(task.state) || task.state === 'succeeded') return refused(task, 'invalid_state');
  const runAt = Math.max(now, task.leaseUntil ?? 0);
  return changed(task, now, {
    state: waitingState(runAt, task.waitsFor, now),
    runAt,
    attempt: 0,
    // A deadline that is over would end it at once.
    deadline: task.deadline !== null && task.deadline <= runAt ? null : task.deadline,
    progress: null,
    reason: null,
  });
}

function tick<Task extends TaskBrief>(task: Task, now: number, random: () => number): Outcome<Task> {
  const due = nextTimeOf(task);
  if (due === null || due > now) return same(task);
  if (isOver(task.cancelBy, now)) return taken(task, 'cancelled', task.reason, now);
  if (isOver(task.deadline, now)) return taken(task, task.cancelBy === null ? 'failed' : 'cancelled', 'Its deadline is over.', now);
  if (task.state === 'offered') return offerEnded(task, task.reason, now, 0);
  if (task.state === 'running') return attemptEnded(task, 'Its agent fell silent, and the lease ran out.', now, waitMs(task, random));
  return changed(task, now, { state: 'ready' });
}

/** `now` is as the clock says since it was set. Times that were asked for stay: they are of the wall clock. What has come stays so. */
function clockSet<Task extends TaskBrief>(task: Task, byMs: number, now: number): Outcome<Task> {
  const moved = (time: number | null): number | null => (time === null ? null : time + byMs);
  const acceptBy = moved(task.acceptBy);
  const leaseUntil = moved(task.leaseUntil);
  const cancelBy = moved(task.cancelBy);
  // Before the first grant it is what was asked for, and after that a wait of the hub's.
  const isWait = task.fence > 0 || (byMs < 0 && task.runAt <= now - byMs);
  const runAt = task.state === 'scheduled' && isWait ? task.runAt + byMs : task.runAt;
  if (acceptBy === null && leaseUntil === null && cancelBy === null && runAt === task.runAt) return same(task);
  return changed(task, now, { acceptBy, leaseUntil, cancelBy, runAt });
}

/** After a grant under which work may have begun. `wait` is milliseconds before the next one; null: there is to be none. */
function attemptEnded<Task extends TaskBrief>(task: Task, reason: string, now: number, wait: number | null): Outcome<Task> {
  if (task.cancelBy !== null) return changed(task, now, { ...free, state: 'cancelled' });
  if (wait === null) return changed(task, now, { ...free, state: 'failed', reason });
  if (task.attempt >= task.maxAttempts) return changed(task, now, { ...free, state: 'dead', reason });
  return changed(task, now, { ...free, state: waitingState(now + wait, task.waitsFor, now), runAt: now + wait, reason });
}

/** After a grant under which nothing was begun. */
function offerEnded<Task extends TaskBrief>(task: Task, reason: string | null, now: number, wait: number): Outcome<Task> {
  if (task.cancelBy !== null) return changed(task, now, { ...free, state: 'cancelled' });
  const runAt = now + wait;
  return changed(task, now, { ...free, state: waitingState(runAt, task.waitsFor, now), runAt, attempt: task.attempt - 1, reason });
}

/** Ended over the head of who has it, if somebody has. */
function taken<Task extends TaskBrief>(task: Task, state: 'cancelled' | 'failed', reason: string | null, now: number): Outcome<Task> {
  return changed(task, now, { ...free, leaseUntil: task.leaseUntil, state, reason: task.cancelBy === null ? reason : task.reason });
}

const free = { acceptBy: null, leaseUntil: null, cancelBy: null } as const;

function changed<Task extends TaskBrief>(task: Task, now: number, change: Partial<TaskBrief>): Outcome<Task> {
  return { ok: true, again: false, task: { ...task, ...change, updatedAt: now } };
}

function same<Task extends TaskBrief>(task: Task): Outcome<Task> {
  return { ok: true, again: true, task };
}

function refused<Task extends TaskBrief>(task: Task, refusal: Refusal): Outcome<Task> {
  return { ok: false, refusal, task };
}

function waitingState(runAt: number, waitsFor: readonly string[], now: number): 'ready' | 'scheduled' {
  return runAt <= now && waitsFor.length === 0 ? 'ready' : 'scheduled';
}

function isOver(time: number | null, now: number): boolean {
  return time !== null && time <= now;
}

function waitMs(task: TaskBrief, random: () => number): number {
  // Past 2^30 the longest wait is reached anyway.
  return jittered(Math.min(task.backoffMaxMs, task.backoffMs * 2 ** Math.min(task.attempt, 30)), random);
}

/** Whole milliseconds in (0, bound]. */
function jittered(bound: number, random: () => number): number {
  return bound <= 0 ? 0 : Math.max(1, Math.ceil(random() * bound));
}
