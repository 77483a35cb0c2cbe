import assert from 'node:assert/strict';
import { test } from 'node:test';
import { errorTable, fromWireError, OutriggerError, toWireError } from './errors.ts';

test("an error's hint is that of the table, or its own, which the client of a peer is given too", () => {
  const own = new OutriggerError('DISK_FULL', 'It is full.', { hint: 'Free space elsewhere.' });
  assert.equal(fromWireError(toWireError(own)).hint, 'Free space elsewhere.');
  assert.equal(fromWireError({ reason: 'DISK_FULL' }).hint, errorTable.DISK_FULL.hint);
});
