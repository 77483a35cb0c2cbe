import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Draft } from './draft.ts';

const newDraft = (): Draft => new Draft({ remember: () => undefined, recall: () => null });

test('what was committed is cleared', () => {
  const draft = newDraft();
  draft.message.value = 'First';
  draft.amend.value = true;
  draft.committed({ message: 'First', amend: true });
  assert.deepEqual([draft.message.value, draft.amend.value], ['', false]);
});

test('what was typed or chosen while a commit was made stays', () => {
  const draft = newDraft();
  draft.message.value = 'A second message';
  draft.amend.value = true;
  draft.committed({ message: 'First', amend: false });
  assert.deepEqual([draft.message.value, draft.amend.value], ['A second message', true]);
});
