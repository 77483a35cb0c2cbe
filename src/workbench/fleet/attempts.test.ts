import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { HubAuditEntry } from '../../contract/hub-operations.ts';
import { happenings, leaseLength } from './attempts.ts';

const begin = 1_795_000_000_000;
const task = { maxAttempts: 3 };

/** Entries a second apart. */
function audit(
  ...entries: [event: { type: string; [more: string]: unknown }, state: HubAuditEntry['state'], generation: number][]
): HubAuditEntry[] {
  return entries.map(([event, state, generation], index) => ({
    sequence: index + 1,
    at: begin + index * 1000,
    task: 't',
    event,
    state,
    generation,
  }));
}

function told(entries: HubAuditEntry[]): [string, string, string][] {
  return happenings(entries, task).map(({ title, tone, text }) => [title, tone, text]);
}

const create = { type: 'create', by: 'lead' };
const by = { agent: 'fixer', fence: 1 };

test('of each grant one line stays, from the offer to how it ended, the newest first', () => {
  const entries = audit(
    [create, 'ready', 0],
    [{ type: 'offer', agent: 'fixer', acceptBy: 0 }, 'offered', 1],
    [{ type: 'accept', ...by, leaseUntil: begin + 62_000 }, 'running', 1],
    [{ type: 'tick' }, 'scheduled', 1],
    [{ type: 'tick' }, 'ready', 1],
    [{ type: 'offer', agent: 'other', acceptBy: 0 }, 'offered', 2],
    [{ type: 'accept', agent: 'other', fence: 2, leaseUntil: begin + 66_000 }, 'running', 2],
    [{ type: 'complete', ...by, result: {} }, 'running', 2],
    [{ type: 'progress', agent: 'other', fence: 2, percent: 40, text: 'editing' }, 'running', 2],
  );
  assert.deepEqual(told(entries), [
    ['Late report of fixer refused', 'warn', 'Its result is kept below; fence 1 < 2.'],
    ['Attempt 2 on other, fence 2', 'running', '40 % · editing'],
    ['Back in the queue', 'plain', ''],
    ['Attempt 1 on fixer, fence 1, lost', 'bad', 'The agent fell silent, and the lease ran out.'],
    ['Queued by lead', 'plain', '3 attempts'],
  ]);
  assert.equal(leaseLength(entries), 60_000);
});

test('results, failures, refusals and cancellations are told as what they are', () => {
  const offer = { type: 'offer', agent: 'fixer', acceptBy: 0 };
  const accept = { type: 'accept', ...by, leaseUntil: begin };
  const last = (...more: Parameters<typeof audit>): [string, string, string] | undefined =>
    told(audit([create, 'ready', 0], [offer, 'offered', 1], ...more))[0];
  assert.deepEqual(last([accept, 'running', 1], [{ type: 'complete', ...by }, 'succeeded', 1]), [
    'Attempt 1 on fixer, fence 1, done',
    'good',
    'Its result was taken after 2 s.',
  ]);
  assert.deepEqual(last([accept, 'running', 1], [{ type: 'complete', ...by }, 'scheduled', 1]), [
    'Attempt 1 on fixer, fence 1, not taken',
    'bad',
    'Its verification report does not pass.',
  ]);
  assert.deepEqual(last([accept, 'running', 1], [{ type: 'fail', ...by, reason: 'exit 1\nmore' }, 'dead', 1])?.[2], 'exit 1');
  assert.deepEqual(last([{ type: 'refuse', ...by, reason: 'busy' }, 'scheduled', 1]), ['Offer to fixer, refused', 'warn', 'busy']);
  assert.deepEqual(last([{ type: 'tick' }, 'ready', 1]), ['Offer to fixer, not accepted', 'warn', 'No answer came in time.']);
  assert.deepEqual(last([accept, 'running', 1], [{ type: 'disown', ...by }, 'ready', 1])?.[0], 'Attempt 1 on fixer, fence 1, lost');
  const cancel = { type: 'cancel', by: 'lead', reason: 'not needed' };
  assert.deepEqual(
    told(
      audit(
        [create, 'ready', 0],
        [offer, 'offered', 1],
        [accept, 'running', 1],
        [cancel, 'running', 1],
        [{ type: 'tick' }, 'cancelled', 1],
      ),
    ).slice(0, 2),
    [
      ['Cancellation asked by lead', 'warn', 'not needed'],
      ['Attempt 1 on fixer, fence 1, cancelled', 'warn', 'It was asked to stop, and its time to do so ran out.'],
    ],
  );
  assert.deepEqual(told(audit([create, 'ready', 0], [cancel, 'cancelled', 0], [{ type: 'retry', by: 'lead' }, 'ready', 0])), [
    ['Queued again by lead', 'plain', 'With all 3 attempts again.'],
    ['Cancelled by lead', 'warn', 'not needed'],
    ['Queued by lead', 'plain', '3 attempts'],
  ]);
  // The same agent says more after the end.
  assert.deepEqual(
    last([accept, 'running', 1], [{ type: 'complete', ...by }, 'succeeded', 1], [{ type: 'fail', ...by, reason: 'no' }, 'succeeded', 1]),
    ['Late report of fixer refused', 'warn', 'It says: no; it was over by then.'],
  );
});

test('an event of a newer hub does not break the list', () => {
  assert.deepEqual(told(audit([create, 'ready', 0], [{ type: 'blessed' }, 'ready', 0])).length, 1);
  assert.equal(leaseLength([]), undefined);
});

test('what ends while nobody has it begins with a capital letter as all else', () => {
  assert.deepEqual(told(audit([create, 'ready', 0], [{ type: 'tick' }, 'failed', 0]))[0], ['Failed', 'bad', 'Its deadline is over.']);
});
