import assert from 'node:assert/strict';
import os from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { defaultJournalFolder } from './edit-journal.ts';

test('journals lie in the state of the user, and never where the program happens to stand', () => {
  const own = path.join(os.homedir(), '.local', 'state', 'outrigger', 'edits');
  assert.equal(defaultJournalFolder({}), own);
  assert.equal(defaultJournalFolder({ XDG_STATE_HOME: '', LOCALAPPDATA: '' }), own);
  assert.equal(defaultJournalFolder({ XDG_STATE_HOME: '/state' }), path.join('/state', 'outrigger', 'edits'));
});
