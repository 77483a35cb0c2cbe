import assert from 'node:assert/strict';
import { test } from 'node:test';
import { hunkAt, hunkLines } from './hunk-lines.ts';

const line = (kind: 'context' | 'added' | 'removed') => ({ kind, text: '' });

test('a line belongs to the hunk around it; what was taken out at the end belongs to the last', () => {
  const hunks = hunkLines([
    { id: 'a', newStart: 1, newLines: 4, lines: [line('context'), line('context'), line('added'), line('context')] },
    { id: 'b', newStart: 20, newLines: 3, lines: [line('context'), line('context'), line('context'), line('removed')] },
    { id: 'c', newStart: 0, newLines: 0, lines: [line('removed')] },
  ]);
  assert.deepEqual(hunks, [
    { id: 'a', from: 1, to: 4, first: 3 },
    { id: 'b', from: 20, to: 22, first: 23 },
    { id: 'c', from: 1, to: 1, first: 1 },
  ]);
  assert.equal(hunkAt(hunks, 2)?.id, 'a');
  assert.equal(hunkAt(hunks, 23)?.id, 'b');
  assert.equal(hunkAt(hunks, 10), undefined);
});
