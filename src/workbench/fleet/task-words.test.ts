import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { HubTaskInfo } from '../../contract/hub-operations.ts';
import { leaseWords, minutes, nextWords, soon, taskSign } from './task-words.ts';

const now = new Date(2026, 10, 20, 10, 38).getTime();

function taskOf(more: Partial<HubTaskInfo>): HubTaskInfo {
  return {
    id: 'task-0mwpnjf2158a0e51277248339',
    description: 'Make the report read the CSV',
    state: 'ready',
    priority: 'normal',
    needs: [],
    generation: 0,
    attempt: 0,
    maxAttempts: 3,
    holder: null,
    runAt: now,
    deadline: null,
    leaseUntil: null,
    cancelBy: null,
    progress: null,
    after: [],
    group: null,
    key: null,
    reason: null,
    createdBy: 'owner',
    createdAt: now,
    updatedAt: now,
    ...more,
  };
}

test('each state has its word and its shape, and what comes next', () => {
  const says = (more: Partial<HubTaskInfo>): [string, string, string] => {
    const task = taskOf(more);
    const { word, tone } = taskSign(task);
    return [word, tone, nextWords(task, now)];
  };
  assert.deepEqual(says({}), ['Queued', 'queued', 'waits for a free agent']);
  assert.deepEqual(says({ needs: ['fr', 'python'] }), ['Queued', 'queued', 'needs fr, python']);
  assert.deepEqual(says({ state: 'scheduled', runAt: now + 41_000 }), ['Scheduled', 'queued', 'starts in 0:41']);
  assert.deepEqual(says({ state: 'scheduled', after: ['a', 'b'] }), ['Waiting', 'queued', 'waits for 2 tasks']);
  assert.deepEqual(says({ state: 'scheduled', attempt: 1, runAt: now + 41_000 }), ['Retry', 'retry', 'again in 0:41']);
  assert.deepEqual(says({ state: 'offered', attempt: 1 }), ['Offered', 'offered', 'not accepted yet']);
  assert.deepEqual(says({ state: 'running', leaseUntil: now + 17_500 }), ['Running', 'running', '0:18 left']);
  assert.deepEqual(says({ state: 'running', leaseUntil: now - 1, progress: { percent: 41.6, text: null, at: now } }), [
    'Running',
    'running',
    '42 % · lease ran out',
  ]);
  assert.deepEqual(says({ state: 'running', leaseUntil: now, cancelBy: now + 9000 }), ['Stopping', 'offered', 'stops in 0:09']);
  assert.deepEqual(says({ state: 'succeeded', updatedAt: now + 125_000 }), ['Done', 'done', 'after 2 min 5 s']);
  assert.deepEqual(says({ state: 'failed', reason: '\nexit 1\nmore' }), ['Failed', 'failed', 'exit 1']);
  assert.deepEqual(says({ state: 'dead' }), ['Gave up', 'dead', '']);
  assert.deepEqual(says({ state: 'cancelled', reason: 'not needed' }), ['Cancelled', 'cancelled', 'not needed']);
});

test('times to come are told the finer the nearer they are', () => {
  assert.equal(soon(now + 5000, now), 'in 0:05');
  assert.equal(soon(now - 5000, now), 'in 0:00');
  assert.equal(soon(new Date(2026, 10, 21, 2, 0).getTime(), now), 'at 02:00');
  assert.equal(soon(new Date(2026, 10, 24, 2, 0).getTime(), now), 'Nov 24 at 02:00');
  assert.deepEqual([minutes(0), minutes(1), minutes(60_000), minutes(3_661_000)], ['0:00', '0:01', '1:00', '61:01']);
  assert.equal(leaseWords(now, now), 'lease ran out');
});
