import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { taskRequest } from '../../test/kit/task-request.ts';
import type { TaskEvent, TaskRecord, TaskState } from './task-store.ts';
import { newTask, nextTimeOf, transition, type Outcome } from './transition.ts';

const now = 1_000_000;
const half = () => 0.5;
const neverDrawn = () => assert.fail('no wait was to be drawn');

const ready = newTask('t', taskRequest(), 'tester', [], now);
const offer: TaskEvent = { type: 'offer', agent: 'a', acceptBy: now + 100 };
const offered = ok(transition(ready, offer, now, neverDrawn));
const running = ok(transition(offered, { type: 'accept', agent: 'a', fence: 1, leaseUntil: now + 1000 }, now, neverDrawn));
const by = { agent: 'a', fence: 1 };
const complete = { type: 'complete', ...by, result: { n: 1 }, report: null } as const;
const fail = { type: 'fail', ...by, reason: 'no', retryable: true, report: null } as const;
const cancel = { type: 'cancel', by: 'u', reason: 'not wanted', cancelBy: now + 50 } as const;
const cancelling = ok(transition(running, cancel, now, neverDrawn));
const succeeded = ok(transition(running, complete, now, neverDrawn));
const failedOnce = ok(transition(running, fail, now, half));
const lapsed = ok(transition(running, { type: 'tick' }, now + 1000, half));

function ok(outcome: Outcome): TaskRecord {
  assert.ok(outcome.ok);
  return outcome.task;
}

function states(task: TaskRecord, events: readonly TaskEvent[], at = now): (TaskState | string)[] {
  let state = task;
  return events.map((event) => {
    const outcome = transition(state, event, at, half);
    state = outcome.task;
    return outcome.ok ? (outcome.again ? `again ${state.state}` : state.state) : outcome.refusal;
  });
}

const table: { says: string; task: TaskRecord; event: TaskEvent; at?: number; expect: Partial<TaskRecord> | string }[] = [
  {
    says: 'an offer is a grant under the next fence',
    task: ready,
    event: offer,
    expect: { state: 'offered', fence: 1, attempt: 1, holder: 'a' },
  },
  { says: 'what is offered is not offered to another', task: offered, event: { ...offer, agent: 'b' }, expect: 'invalid_state' },
  {
    says: 'accepting takes the lease',
    task: offered,
    event: { type: 'accept', ...by, leaseUntil: now + 5 },
    expect: { state: 'running', leaseUntil: now + 5, acceptBy: null },
  },
  {
    says: 'another agent can not accept',
    task: offered,
    event: { type: 'accept', agent: 'b', fence: 1, leaseUntil: 0 },
    expect: 'stale_generation',
  },
  {
    says: 'an older fence can not accept',
    task: offered,
    event: { type: 'accept', agent: 'a', fence: 0, leaseUntil: 0 },
    expect: 'stale_generation',
  },
  {
    says: 'a fence that never was can not accept',
    task: offered,
    event: { type: 'accept', agent: 'a', fence: 2, leaseUntil: 0 },
    expect: 'stale_generation',
  },
  {
    says: 'accepting comes too late after the end',
    task: succeeded,
    event: { type: 'accept', ...by, leaseUntil: 0 },
    expect: 'invalid_state',
  },
  {
    says: 'accepting comes too late after the lease',
    task: lapsed,
    event: { type: 'accept', ...by, leaseUntil: now + 9999 },
    expect: 'invalid_state',
  },
  {
    says: 'a renewal sets the lease',
    task: running,
    event: { type: 'renew', ...by, leaseUntil: now + 2000 },
    expect: { leaseUntil: now + 2000 },
  },
  {
    says: 'a renewal never shortens the lease',
    task: running,
    event: { type: 'renew', ...by, leaseUntil: now + 10 },
    expect: { leaseUntil: now + 1000 },
  },
  {
    says: 'a renewal of an offer is an acceptance whose frame got lost',
    task: offered,
    event: { type: 'renew', ...by, leaseUntil: now + 7 },
    expect: { state: 'running', leaseUntil: now + 7 },
  },
  {
    says: 'a renewal by another agent is refused',
    task: running,
    event: { type: 'renew', agent: 'b', fence: 1, leaseUntil: now + 2000 },
    expect: 'stale_generation',
  },
  {
    says: 'a renewal of what was taken away is refused',
    task: lapsed,
    event: { type: 'renew', ...by, leaseUntil: now + 2000 },
    expect: 'invalid_state',
  },
  {
    says: 'a lease that ran out and that nobody saw to is renewed',
    task: running,
    event: { type: 'renew', ...by, leaseUntil: now + 3000 },
    at: now + 2000,
    expect: { state: 'running', leaseUntil: now + 3000 },
  },
  {
    says: 'progress is kept',
    task: running,
    event: { type: 'progress', ...by, percent: 10, text: 'x' },
    expect: { progress: { percent: 10, text: 'x', at: now } },
  },
  {
    says: 'progress under an older fence is refused',
    task: running,
    event: { type: 'progress', agent: 'a', fence: 0, percent: 1, text: null },
    expect: 'stale_generation',
  },
  {
    says: 'a refused offer gives the attempt back and waits a moment',
    task: offered,
    event: { type: 'refuse', ...by, reason: 'busy' },
    expect: { state: 'scheduled', attempt: 0, runAt: now + 500, reason: 'busy' },
  },
  {
    says: 'a refusal of what runs is a failed attempt',
    task: running,
    event: { type: 'refuse', ...by, reason: 'busy' },
    expect: { state: 'scheduled', attempt: 1, runAt: now + 1000 },
  },
  {
    says: 'a disowned offer is ready at once and costs nothing',
    task: offered,
    event: { type: 'disown', ...by },
    expect: { state: 'ready', attempt: 0 },
  },
  {
    says: 'a disowned running task is ready at once and costs the attempt',
    task: running,
    event: { type: 'disown', ...by },
    expect: { state: 'ready', attempt: 1 },
  },
  {
    says: 'a disowned last attempt is dead',
    task: { ...running, maxAttempts: 1 },
    event: { type: 'disown', ...by },
    expect: { state: 'dead' },
  },
  {
    says: 'an offer to one who went is ready at once',
    task: offered,
    event: { type: 'disown', ...by, offered: true },
    expect: { state: 'ready', attempt: 0 },
  },
  {
    says: 'what one who went had accepted stays its own',
    task: running,
    event: { type: 'disown', ...by, offered: true },
    expect: { state: 'running', attempt: 1, leaseUntil: running.leaseUntil },
  },
  {
    says: 'a disowned task that was to be cancelled is',
    task: cancelling,
    event: { type: 'disown', ...by },
    expect: { state: 'cancelled', reason: 'not wanted' },
  },
  {
    says: 'a result ends the task',
    task: running,
    event: complete,
    expect: { state: 'succeeded', result: { n: 1 }, leaseUntil: null, settled: 1 },
  },
  { says: 'a result counts though the acceptance never came', task: offered, event: complete, expect: { state: 'succeeded' } },
  { says: 'a result counts after the lease while nobody else has the task', task: lapsed, event: complete, expect: { state: 'succeeded' } },
  { says: 'a result that comes before the cancellation counts', task: cancelling, event: complete, expect: { state: 'succeeded' } },
  { says: 'a result of another agent is refused', task: running, event: { ...complete, agent: 'b' }, expect: 'stale_generation' },
  {
    says: 'a passing report lets the result count',
    task: running,
    event: { ...complete, report: { status: 'auto_pass' } },
    expect: { state: 'succeeded', report: { status: 'auto_pass' } },
  },
  {
    says: 'a failing report never counts as success',
    task: running,
    event: { ...complete, report: { status: 'fail' } },
    expect: { state: 'scheduled', reason: 'The verification of the result says "fail".', report: { status: 'fail' } },
  },
  {
    says: 'a report without a status never counts as success',
    task: running,
    event: { ...complete, report: {} },
    expect: { state: 'scheduled', reason: 'The verification of the result says null.' },
  },
  {
    says: 'a failing report of the last attempt is the end',
    task: { ...running, maxAttempts: 1 },
    event: { ...complete, report: { status: 'timeout' } },
    expect: { state: 'dead' },
  },
  {
    says: 'a failure waits below the backoff',
    task: running,
    event: fail,
    expect: { state: 'scheduled', runAt: now + 1000, reason: 'no', settled: 1 },
  },
  {
    says: 'a failure of the last attempt is dead',
    task: { ...running, maxAttempts: 1 },
    event: fail,
    expect: { state: 'dead', reason: 'no' },
  },
  {
    says: 'a failure that is not to be retried is the end',
    task: running,
    event: { ...fail, retryable: false },
    expect: { state: 'failed', reason: 'no' },
  },
  {
    says: 'a failure of what was to be cancelled is its cancellation',
    task: cancelling,
    event: fail,
    expect: { state: 'cancelled', reason: 'not wanted' },
  },
  {
    says: 'a failure after the lease says why, and costs nothing more',
    task: lapsed,
    event: fail,
    expect: { state: 'scheduled', reason: 'no', attempt: 1, runAt: lapsed.runAt },
  },
  { says: 'a final failure after the lease is the end', task: lapsed, event: { ...fail, retryable: false }, expect: { state: 'failed' } },
  { says: 'a waiting task is cancelled at once', task: ready, event: cancel, expect: { state: 'cancelled', reason: 'not wanted' } },
  {
    says: 'a running task is asked to end',
    task: running,
    event: cancel,
    expect: { state: 'running', cancelBy: now + 50, reason: 'not wanted' },
  },
  {
    says: 'a running task is cancelled at once where no time is given',
    task: running,
    event: { ...cancel, cancelBy: now },
    expect: { state: 'cancelled' },
  },
  {
    says: 'a second cancellation does not put off the first',
    task: cancelling,
    event: { ...cancel, cancelBy: now + 5000 },
    expect: { cancelBy: now + 50 },
  },
  {
    says: 'a second cancellation at once is at once, for the first reason',
    task: cancelling,
    event: { ...cancel, reason: 'x', cancelBy: now },
    expect: { state: 'cancelled', reason: 'not wanted' },
  },
  { says: 'what succeeded is not cancelled', task: succeeded, event: cancel, expect: 'invalid_state' },
  {
    says: 'a cancellation is over at its hard end, whatever the agent says',
    task: cancelling,
    event: { type: 'tick' },
    at: now + 50,
    expect: { state: 'cancelled', reason: 'not wanted' },
  },
  { says: 'what succeeded is not retried', task: succeeded, event: { type: 'retry', by: 'u' }, expect: 'invalid_state' },
  { says: 'what runs is not retried', task: running, event: { type: 'retry', by: 'u' }, expect: 'invalid_state' },
  {
    says: 'a retry begins with all attempts',
    task: { ...running, state: 'dead', leaseUntil: null },
    event: { type: 'retry', by: 'u' },
    expect: { state: 'ready', attempt: 0, reason: null },
  },
  {
    says: 'a retry forgets a deadline that is over',
    task: { ...ready, state: 'failed', deadline: now - 1 },
    event: { type: 'retry', by: 'u' },
    expect: { state: 'ready', deadline: null },
  },
  {
    says: 'a retry waits for the lease that somebody may still work under',
    task: { ...running, state: 'cancelled' },
    event: { type: 'retry', by: 'u' },
    expect: { state: 'scheduled', runAt: now + 1000 },
  },
  {
    says: 'an offer that nobody accepted is ready and costs nothing',
    task: offered,
    event: { type: 'tick' },
    at: now + 100,
    expect: { state: 'ready', attempt: 0, fence: 1 },
  },
  { says: 'an offer waits to be accepted', task: offered, event: { type: 'tick' }, at: now + 99, expect: { state: 'offered' } },
  {
    says: 'a lease that ran out costs the attempt and waits',
    task: running,
    event: { type: 'tick' },
    at: now + 1000,
    expect: { state: 'scheduled', attempt: 1, runAt: now + 2000 },
  },
  {
    says: 'a lease that ran out on the last attempt is dead',
    task: { ...running, maxAttempts: 1 },
    event: { type: 'tick' },
    at: now + 1000,
    expect: { state: 'dead' },
  },
  {
    says: 'a deadline ends what waits',
    task: { ...ready, deadline: now + 5 },
    event: { type: 'tick' },
    at: now + 5,
    expect: { state: 'failed', reason: 'Its deadline is over.' },
  },
  {
    says: 'a deadline ends what runs',
    task: { ...running, deadline: now + 5 },
    event: { type: 'tick' },
    at: now + 5,
    expect: { state: 'failed', leaseUntil: now + 1000 },
  },
  {
    says: 'a deadline ends what waits for another',
    task: { ...ready, state: 'scheduled', waitsFor: ['d'], deadline: now },
    event: { type: 'tick' },
    expect: { state: 'failed' },
  },
  {
    says: 'its time makes a task ready',
    task: { ...ready, state: 'scheduled', runAt: now + 5 },
    event: { type: 'tick' },
    at: now + 5,
    expect: { state: 'ready' },
  },
  {
    says: 'time alone does not make a task ready that waits for another',
    task: { ...ready, state: 'scheduled', waitsFor: ['d'] },
    event: { type: 'tick' },
    expect: { state: 'scheduled' },
  },
  {
    says: 'the last one that it waited for makes a task ready',
    task: { ...ready, state: 'scheduled', waitsFor: ['d'] },
    event: { type: 'released', dependency: 'd' },
    expect: { state: 'ready', waitsFor: [] },
  },
  {
    says: 'one of two that it waited for does not',
    task: { ...ready, state: 'scheduled', waitsFor: ['d', 'e'] },
    event: { type: 'released', dependency: 'd' },
    expect: { state: 'scheduled', waitsFor: ['e'] },
  },
  {
    says: 'a released task still waits for its time',
    task: { ...ready, state: 'scheduled', runAt: now + 9, waitsFor: ['d'] },
    event: { type: 'released', dependency: 'd' },
    expect: { state: 'scheduled', waitsFor: [] },
  },
  {
    says: 'what was offered has as long to be accepted when the clock was set',
    task: offered,
    event: { type: 'clock', byMs: 5000 },
    at: now + 5000,
    expect: { state: 'offered', acceptBy: now + 5100, leaseUntil: null },
  },
  {
    says: 'a lease holds as long, and so does the time to end what is cancelled, when the clock was set; a deadline is by the clock',
    task: { ...cancelling, deadline: now + 9 },
    event: { type: 'clock', byMs: -5000 },
    at: now - 5000,
    expect: { state: 'running', leaseUntil: now - 4000, cancelBy: now - 4950, deadline: now + 9, runAt: running.runAt },
  },
  {
    says: 'a retry still waits for a lease that outlives its task when the clock was set',
    task: { ...running, state: 'failed' },
    event: { type: 'clock', byMs: 5000 },
    at: now + 5000,
    expect: { state: 'failed', leaseUntil: now + 6000 },
  },
  {
    says: 'a wait between two attempts is as long when the clock was set',
    task: failedOnce,
    event: { type: 'clock', byMs: -5000 },
    at: now - 5000,
    expect: { state: 'scheduled', runAt: failedOnce.runAt - 5000 },
  },
  {
    says: 'the time for which a task was asked is by the clock',
    task: { ...ready, state: 'scheduled', runAt: now + 9 },
    event: { type: 'clock', byMs: -5000 },
    at: now - 5000,
    expect: { state: 'scheduled', runAt: now + 9, updatedAt: now },
  },
  {
    says: 'a time that had come has come when the clock was set back',
    task: { ...ready, state: 'scheduled', waitsFor: ['d'] },
    event: { type: 'clock', byMs: -5000 },
    at: now - 5000,
    expect: { state: 'scheduled', runAt: ready.runAt - 5000 },
  },
  {
    says: 'what is over stays as it is when the clock was set',
    task: succeeded,
    event: { type: 'clock', byMs: 5000 },
    at: now + 5000,
    expect: { updatedAt: now },
  },
];

describe('the task machine', () => {
  for (const { says, task, event, at, expect } of table) {
    test(says, () => {
      const outcome = transition(task, event, at ?? now, half);
      if (typeof expect === 'string') {
        assert.ok(!outcome.ok);
        assert.equal(outcome.refusal, expect);
        return;
      }
      assert.ok(outcome.ok, outcome.ok ? '' : outcome.refusal);
      for (const key of Object.keys(expect) as (keyof TaskRecord)[]) assert.deepEqual(outcome.task[key], expect[key], key);
    });
  }

  test('the same end said again counts no more and changes nothing', () => {
    for (const [task, event] of [
      [succeeded, complete],
      [failedOnce, fail],
    ] as const) {
      const outcome = transition(task, event, now + 1, neverDrawn);
      assert.deepEqual([outcome.ok && outcome.again, outcome.task === task], [true, true]);
    }
    const next = ok(transition(ok(transition(failedOnce, { type: 'tick' }, now + 1000, half)), { ...offer, agent: 'b' }, now + 1000, half));
    assert.deepEqual(states(next, [fail, { ...fail, agent: 'b', fence: 2 }]), ['again offered', 'scheduled']);
  });

  test('a result under an older fence is refused, and kept for an operator: the newest five', () => {
    let task: TaskRecord = { ...running, fence: 10, settled: 0 };
    for (let fence = 1; fence <= 7; fence++) {
      const outcome = transition(task, { ...complete, fence, result: { fence } }, now + fence, neverDrawn);
      assert.ok(!outcome.ok && outcome.refusal === 'stale_generation');
      const again = transition(outcome.task, { ...complete, fence, result: { fence } }, now + fence, neverDrawn);
      assert.equal(again.task, outcome.task, 'and once');
      task = outcome.task;
    }
    assert.deepEqual(
      task.late.map(({ result }) => result?.['fence']),
      [3, 4, 5, 6, 7],
    );
    assert.equal(task.state, 'running');
  });

  test('a result after the deadline is refused, and kept as any other that comes after the end', () => {
    const over = ok(transition({ ...running, deadline: now + 5 }, { type: 'tick' }, now + 5, neverDrawn));
    const outcome = transition(over, complete, now + 6, neverDrawn);
    assert.ok(!outcome.ok && outcome.refusal === 'invalid_state');
    assert.deepEqual([outcome.task.state, outcome.task.result, outcome.task.late.at(-1)?.result], ['failed', null, complete.result]);
  });

  test('what came late of one grant is kept once, also when it has made room for what came of newer ones', () => {
    let task: TaskRecord = { ...running, fence: 10, settled: 0 };
    const say = (fence: number): Outcome => transition(task, { ...complete, fence }, now + fence, neverDrawn);
    for (let fence = 1; fence <= 7; fence++) task = say(fence).task;
    for (let fence = 1; fence <= 7; fence++) assert.equal(say(fence).task, task, `${fence}`);
    assert.deepEqual(
      say(9).task.late.map(({ fence }) => fence),
      [4, 5, 6, 7, 9],
    );
  });

  test('of late results that take more than four megabytes the newest are kept, and of older ones that they came', () => {
    let task: TaskRecord = { ...running, fence: 10, settled: 0 };
    const text = 'x'.repeat(1_500_000);
    for (const fence of [1, 2, 3, 4]) task = transition(task, { ...complete, fence, result: { text } }, now, neverDrawn).task;
    assert.deepEqual(
      task.late.map(({ fence, result, reason }) => [fence, result?.['text'] === text, reason]),
      [
        [1, false, 'Its result made room for later ones.'],
        [2, false, 'Its result made room for later ones.'],
        [3, true, null],
        [4, true, null],
      ],
    );
    const huge = { text: 'x'.repeat(4 * 1024 * 1024) };
    task = transition(task, { ...complete, fence: 5, result: huge }, now, neverDrawn).task;
    assert.deepEqual(
      task.late.map(({ result }) => result),
      [null, null, null, null, huge],
    );
  });

  test('a result after the end is kept, and one under a fence that never was is not', () => {
    const over = ok(transition(cancelling, { type: 'tick' }, now + 50, half));
    const outcome = transition(over, complete, now + 60, neverDrawn);
    assert.ok(!outcome.ok);
    assert.deepEqual([outcome.refusal, outcome.task.state, outcome.task.late.length], ['invalid_state', 'cancelled', 1]);
    assert.equal(transition(ready, { ...complete, fence: 0 }, now, neverDrawn).task, ready);
    assert.equal(transition(running, { ...complete, fence: 9 }, now, neverDrawn).task, running);
  });

  test('waits double, are drawn below the bound, and have a longest', () => {
    const waits = Array.from({ length: 8 }, (_, index) => {
      const task = { ...running, attempt: index + 1, maxAttempts: 99 };
      return [0, 0.5, 1 - Number.EPSILON].map((chance) => ok(transition(task, fail, now, () => chance)).runAt - now);
    });
    assert.deepEqual(waits.slice(0, 3), [
      [1, 1000, 2000],
      [1, 2000, 4000],
      [1, 4000, 8000],
    ]);
    assert.deepEqual(waits.at(-1), [1, 30_000, 60_000]);
  });

  test('what was refused waits no longer than a second, however often that was and whatever its backoff is', () => {
    let task: TaskRecord = { ...offered, backoffMs: 60_000, fence: 20, attempt: 9, maxAttempts: 99 };
    for (const [chance, waitMs] of [
      [0, 1],
      [0.5, 500],
      [1 - Number.EPSILON, 1000],
    ] as const) {
      const refused = ok(transition(task, { type: 'refuse', agent: 'a', fence: task.fence, reason: 'busy' }, now, () => chance));
      assert.deepEqual([refused.state, refused.runAt - now], ['scheduled', waitMs]);
      const due = ok(transition(refused, { type: 'tick' }, now + waitMs, neverDrawn));
      task = ok(transition(due, offer, now + waitMs, neverDrawn));
      assert.equal(task.state, 'offered');
    }
  });

  test('the next time is the earliest at which time alone changes the task', () => {
    assert.equal(nextTimeOf(ready), null);
    assert.equal(nextTimeOf(offered), now + 100);
    assert.equal(nextTimeOf(running), now + 1000);
    assert.equal(nextTimeOf(cancelling), now + 50);
    assert.equal(nextTimeOf({ ...running, deadline: now + 7 }), now + 7);
    assert.equal(nextTimeOf({ ...ready, state: 'scheduled', runAt: now + 3 }), now + 3);
    assert.equal(nextTimeOf({ ...ready, state: 'scheduled', runAt: now + 3, waitsFor: ['d'] }), null);
    assert.equal(nextTimeOf({ ...succeeded, deadline: now + 7 }), null);
  });
});
