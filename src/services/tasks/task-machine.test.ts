import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { VerificationReport } from '../../contract/hub.ts';
import { type HeldRecord, type HeldState, heldStates, stepTask, type TaskStep } from './task-machine.ts';

const rules = { retriesMs: [5000, 15_000, 30_000], hasWake: true };
const assignment = { task_id: 't', description: 'd', generation: 3 } as HeldRecord['assignment'];
const at = (state: HeldState, facts: Partial<HeldRecord> = {}): HeldRecord => ({
  id: 't',
  generation: 3,
  state,
  assignment,
  attempts: 1,
  reports: [],
  acceptedAt: 1,
  ...facts,
});
const report = (status: VerificationReport['status']): VerificationReport => ({
  task_id: 't',
  run_number: 1,
  status,
  started_at: 1,
  duration_ms: 1,
  timeout_ms: 1,
  checks: [],
  summary: { total: 0, passed: 0, failed: 0, errors: 0, timed_out: 0 },
});

// From each state, by each event: the state after it, the end, or `-` where nothing happens.
const table: [TaskStep, Record<HeldState, string>][] = [
  [{ type: 'begin' }, { accepted: 'waking', waking: '-', waking_confirmation: '-', working: '-', verifying: '-' }],
  [
    { type: 'exited', problem: undefined },
    {
      accepted: 'accepted',
      waking: 'waking_confirmation',
      waking_confirmation: 'waking_confirmation',
      working: 'working',
      verifying: 'verifying',
    },
  ],
  [
    { type: 'exited', problem: 'exit code 1' },
    { accepted: 'accepted', waking: 'waking', waking_confirmation: 'waking_confirmation', working: 'done', verifying: 'verifying' },
  ],
  [{ type: 'confirmed' }, { accepted: '-', waking: 'working', waking_confirmation: 'working', working: '-', verifying: '-' }],
  [{ type: 'unconfirmed' }, { accepted: '-', waking: 'done', waking_confirmation: 'done', working: '-', verifying: '-' }],
  [
    { type: 'result', result: {} },
    { accepted: 'verifying', waking: 'verifying', waking_confirmation: 'verifying', working: 'verifying', verifying: '-' },
  ],
  [
    { type: 'failed', reason: 'r', retryable: true },
    { accepted: 'done', waking: 'done', waking_confirmation: 'done', working: 'done', verifying: 'done' },
  ],
  [
    { type: 'verified', report: report('pass') },
    { accepted: '-', waking: '-', waking_confirmation: '-', working: '-', verifying: 'done' },
  ],
  [
    { type: 'verified', report: report('fail') },
    { accepted: '-', waking: '-', waking_confirmation: '-', working: '-', verifying: 'done' },
  ],
  [
    { type: 'continue', generation: 3, programEnded: false },
    { accepted: 'waking', waking: 'waking', waking_confirmation: 'waking_confirmation', working: 'working', verifying: 'verifying' },
  ],
  [
    { type: 'continue', generation: 3, programEnded: true },
    { accepted: 'waking', waking: 'waking', waking_confirmation: 'waking', working: 'waking', verifying: 'verifying' },
  ],
  [
    { type: 'end', as: 'cancelled', tell: undefined },
    { accepted: 'cancelled', waking: 'cancelled', waking_confirmation: 'cancelled', working: 'cancelled', verifying: 'cancelled' },
  ],
  [
    { type: 'end', as: 'abandoned', tell: undefined },
    { accepted: 'abandoned', waking: 'abandoned', waking_confirmation: 'abandoned', working: 'abandoned', verifying: 'abandoned' },
  ],
];

test('what each event does in each state', () => {
  for (const [step, states] of table)
    for (const state of heldStates) {
      const stepped = stepTask(at(state), step, rules);
      assert.equal(stepped === undefined ? '-' : (stepped.record?.state ?? stepped.end), states[state], `${step.type} in ${state}`);
    }
});

test('whatever is done has an outcome, and nothing else but what the hub is to hear of has', () => {
  for (const [step] of table)
    for (const state of heldStates) {
      const stepped = stepTask(at(state), step, rules);
      if (stepped !== undefined) assert.equal(stepped.outcome !== undefined, stepped.end === 'done', `${step.type} in ${state}`);
    }
  const told = stepTask(at('working'), { type: 'end', as: 'cancelled', tell: 'why' }, rules);
  assert.deepEqual(told?.outcome, { kind: 'failed', reason: 'why', retryable: false });
});

test('an agent that says it began while its program is being started runs in that; one that says so after its end runs elsewhere', () => {
  const program = (record: HeldRecord): HeldRecord['program'] => stepTask(record, { type: 'confirmed' }, rules)?.record?.program;
  assert.deepEqual(program(at('waking')), { pid: 0 });
  assert.deepEqual(program(at('waking', { program: { pid: 7 } })), { pid: 7 });
  assert.equal(program(at('waking_confirmation')), undefined);
});

test('a hub that lets a task go on begins nothing anew where its result is being verified', () => {
  const stepped = stepTask(at('verifying'), { type: 'continue', generation: 9, programEnded: true }, rules);
  assert.deepEqual([stepped?.record?.generation, stepped?.effects], [9, []]);
});

test('starts that fail are tried again after 5, 15 and 30 s, and then it has failed', () => {
  let record: HeldRecord | undefined = stepTask(at('accepted'), { type: 'begin' }, rules)?.record;
  const delays: (number | string | undefined)[] = [];
  while (record !== undefined) {
    const stepped = stepTask(record, { type: 'exited', problem: 'exit code 1' }, rules);
    const start = stepped?.effects.find((effect) => effect.do === 'start');
    delays.push(start?.do === 'start' ? start.afterMs : stepped?.end);
    record = stepped?.record;
  }
  assert.deepEqual(delays, [5000, 15_000, 30_000, 'done']);
});

test('a result that is not good enough is done again as often as the task allows, and never counts', () => {
  let record: HeldRecord | undefined = at('working', { assignment: { ...assignment, max_verification_retries: 2 } });
  for (const runs of [1, 2]) {
    record = stepTask(record as HeldRecord, { type: 'result', result: { runs } }, rules)?.record;
    const again = stepTask(record as HeldRecord, { type: 'verified', report: report('fail') }, rules);
    assert.deepEqual([again?.record?.state, again?.record?.reports.length, again?.record?.result], ['waking', runs, undefined]);
    record = again?.record;
  }
  record = stepTask(record as HeldRecord, { type: 'result', result: { runs: 3 } }, rules)?.record;
  for (const status of ['fail', 'error', 'timeout'] as const) {
    const outcome = stepTask(record as HeldRecord, { type: 'verified', report: report(status) }, rules)?.outcome;
    assert.deepEqual([outcome?.kind, outcome?.kind === 'failed' && outcome.reason], ['failed', 'verification_failed']);
  }
  for (const status of ['pass', 'skip', 'auto_pass'] as const)
    assert.equal(stepTask(record as HeldRecord, { type: 'verified', report: report(status) }, rules)?.outcome?.kind, 'complete');
});

test('a fence never becomes older', () => {
  const next = (generation: number | undefined): number | undefined =>
    stepTask(at('working'), { type: 'continue', generation, programEnded: false }, rules)?.record?.generation;
  assert.deepEqual([next(undefined), next(2), next(5)], [3, 3, 5]);
});
