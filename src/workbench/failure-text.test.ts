import assert from 'node:assert/strict';
import { test } from 'node:test';
import { errorTable, OutriggerError } from '../contract/errors.ts';
import { failureText } from './failure-text.ts';

test('a person is told what happened, and what to do about it, never of operations and fields', () => {
  const told = (reason: keyof typeof errorTable, message: string): string => failureText(new OutriggerError(reason, message));
  assert.equal(
    told('GIT_FAILED', 'merge: a is in conflict already: resolve and stage it first.'),
    'merge: a is in conflict already: resolve and stage it first.',
  );
  assert.equal(told('FILE_NOT_FOUND', 'c.txt is not there.'), 'c.txt is not there.');
  assert.equal(told('ETAG_MISMATCH', 'a is not as you last read it.'), 'a is not as you last read it.');
  assert.match(told('DISK_FULL', 'The disk has no room for a: ENOSPC.'), /^The disk has no room for a: ENOSPC\. Free space on the disk/);
  assert.match(told('CONNECTION_LOST', 'The connection ended before the answer.'), /may or may not have run/);
  assert.equal(told('PART_OFF', 'git.status belongs to a part that is switched off here.'), 'This part is switched off here.');
  assert.equal(told('PART_OFF', 'Checkpoints are switched off here.'), 'Checkpoints are switched off here.');
  assert.equal(
    told('OUT_OF_SCOPE', 'git.commit touches the whole workspace; ci is limited to src.'),
    'This touches the whole workspace; ci is limited to src.',
  );
  assert.equal(failureText(new Error('odd')), 'odd');
  assert.equal(failureText('odd'), 'odd');
  for (const reason of Object.keys(errorTable) as (keyof typeof errorTable)[])
    assert.doesNotMatch(
      told(reason, 'It failed.'),
      /\b(?:files|git|processes|code|tasks|deploy|checkpoints|system)\.[a-z]|"\w+":|openapi|The details/,
      reason,
    );
});
