import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decideRecovery, type StepFact } from './edit-recovery.ts';

const done: StepFact = { now: 'after', canGoOn: false };
const waiting: StepFact = { now: 'before', canGoOn: true };
const lost: StepFact = { now: 'before', canGoOn: false };
const foreign: StepFact = { now: 'other', canGoOn: true };

test('a batch is finished when it was decided and every file can get there, else undone', () => {
  assert.equal(decideRecovery('forward', [done, waiting]), 'finished');
  assert.equal(decideRecovery('forward', [done, done]), 'finished');
  assert.equal(decideRecovery('forward', [done, lost]), 'undone');
  assert.equal(decideRecovery('forward', [done, foreign]), 'undone');
  assert.equal(decideRecovery('staging', [waiting, waiting]), 'undone');
  assert.equal(decideRecovery('back', [done, waiting]), 'undone');
});
