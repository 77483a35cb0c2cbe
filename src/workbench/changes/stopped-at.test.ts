import assert from 'node:assert/strict';
import { test } from 'node:test';
import { stoppedAt } from './stopped-at.ts';

test('what stopped at conflicts names them; where git settled all of them it says so', () => {
  const [one, other] = ['a.ts', 'dir/b.ts'].map((path) => ({ path, kind: 'both-modified' }) as const);
  assert.ok(one !== undefined && other !== undefined);
  assert.deepEqual(stoppedAt([one]), { at: '1 conflict', text: 'a.ts' });
  assert.deepEqual(stoppedAt([one, other]), { at: '2 conflicts', text: 'a.ts and b.ts' });
  const settled = stoppedAt([]);
  assert.equal(settled.at, 'conflicts');
  assert.match(settled.text, /settled before/);
});
