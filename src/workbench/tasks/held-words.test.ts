import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { HeldTaskInfo, PastTask } from '../../contract/tasks.ts';
import { awayWords, heldNote, heldSentence, heldSign, hubWords, pastNote, pastSentence, pastSign, progressWords } from './held-words.ts';
import type { HubFacts } from './task-store.ts';

const now = new Date(2026, 10, 20, 10, 38).getTime();
const minuteMs = 60_000;
const away: HubFacts = { agent: 'fixer-01', connected: false, refused: null, waiting: 0 };

function heldOf(more: Partial<HeldTaskInfo>): HeldTaskInfo {
  return {
    id: 't',
    generation: 1,
    state: 'working',
    recovering: false,
    description: 'Read the CSV',
    attempts: 1,
    acceptedAt: now - 4 * minuteMs,
    ...more,
  };
}

function pastOf(more: Partial<PastTask>): PastTask {
  return { id: 't', generation: 1, end: 'done', at: now - 4 * minuteMs, description: 'Read the CSV', waits: false, ...more };
}

test('each state of a task that is held has its word, its shape and a sentence; recovering goes before all', () => {
  const says = (more: Partial<HeldTaskInfo>): [string, string] => {
    const task = heldOf(more);
    assert.match(heldSentence(task), /^[A-Z].*\.$/);
    const { word, tone } = heldSign(task);
    return [word, tone];
  };
  assert.deepEqual(says({ state: 'accepted' }), ['Accepted', 'offered']);
  assert.deepEqual(says({ state: 'waking' }), ['Waking', 'running']);
  assert.deepEqual(says({ state: 'waking_confirmation' }), ['Woken', 'running']);
  assert.deepEqual(says({}), ['Working', 'running']);
  assert.deepEqual(says({ state: 'verifying' }), ['Verifying', 'running']);
  assert.deepEqual(says({ state: 'working', recovering: true }), ['Waits for the hub', 'retry']);
  assert.match(heldSentence(heldOf({ recovering: true })), /goes on when the hub says so/);
});

test('beside it stand how far it is, the attempt and the age, as far as they are known', () => {
  assert.equal(heldNote(heldOf({}), now), 'attempt 1 · 4 min');
  assert.equal(heldNote(heldOf({ attempts: 0, acceptedAt: now - 5000 }), now), '5 s');
  assert.equal(heldNote(heldOf({ attempts: 2, progress: { percent: 41.6, at: now } }), now), '42 % · attempt 2 · 4 min');
  assert.equal(progressWords(heldOf({})), '');
  assert.equal(progressWords(heldOf({ progress: { percent: 41.6, text: '\nediting\nmore', at: now } })), '42 % · editing');
  assert.equal(progressWords(heldOf({ progress: { text: 'editing', at: now } })), 'editing');
});

test('what became of a task is told, and whether the hub knows', () => {
  const says = (more: Partial<PastTask>): [string, string, string] => {
    const past = pastOf(more);
    const { word, tone } = pastSign(past);
    return [word, tone, pastNote(past, now)];
  };
  assert.deepEqual(says({}), ['Done', 'done', '4 min']);
  assert.deepEqual(says({ verification: { status: 'pass', passed: 1, total: 1 } }), ['Done', 'done', '1 of 1 check passed · 4 min']);
  assert.deepEqual(says({ reason: 'exit 1\nmore' }), ['Failed', 'failed', 'exit 1 · 4 min']);
  assert.deepEqual(says({ waits: true }), ['Done', 'done', 'not told yet · 4 min']);
  assert.deepEqual(says({ end: 'cancelled', reason: 'cancelled by Ada' }), ['Cancelled', 'cancelled', 'cancelled by Ada · 4 min']);
  assert.deepEqual(says({ end: 'abandoned' }), ['Given away', 'queued', '4 min']);
  assert.match(pastSentence(pastOf({ waits: true })), /on the disk/);
  assert.equal(pastSentence(pastOf({})), 'The hub has its result.');
  assert.equal(pastSentence(pastOf({ reason: 'exit 1' })), 'The hub knows that it failed.');
  assert.equal(pastSentence(pastOf({ end: 'cancelled' })), 'The hub took it back.');
  assert.match(pastSentence(pastOf({ end: 'abandoned' })), /somebody else/);
});

test('the foot says whose tasks they are, whether the hub is there, and what waits for it', () => {
  const says = (more: Partial<HubFacts>): string => hubWords({ ...away, ...more });
  assert.equal(says({ connected: true }), 'From the hub, as fixer-01');
  assert.equal(says({ waiting: 1 }), 'The hub is away from fixer-01 · 1 result waits');
  assert.equal(says({ refused: 'invalid_token' }), 'The hub refuses fixer-01');
  assert.equal(says({ connected: true, waiting: 1200 }), 'From the hub, as fixer-01 · 1,200 results wait');
});

test('of a hub that is not there is said what goes on, and when; of one that refuses, why and what is to be done', () => {
  assert.equal(awayWords(away, false), 'The hub is not reached. Programs go on as long as their lease lasts.');
  assert.equal(
    awayWords({ ...away, waiting: 1 }, true),
    'The hub is not reached. What waits for its word goes on when it is back. 1 result waits on the disk, and is told when it is back.',
  );
  assert.equal(
    awayWords({ ...away, refused: 'invalid_token', waiting: 2 }, true),
    'The hub refuses fixer-01 (invalid_token) and is not asked again: put a token that holds into the config of the link, and start the' +
      ' sidecar again. What waits for its word goes on after that. 2 results wait on the disk, and are told after that.',
  );
});
