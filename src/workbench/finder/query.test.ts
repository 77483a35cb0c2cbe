import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseQuery } from './query.ts';

test('what is typed first says what is looked for', () => {
  assert.deepEqual(parseQuery('> rev'), { kind: 'command', text: 'rev' });
  assert.deepEqual(parseQuery('@due'), { kind: 'symbol', scope: 'document', text: 'due' });
  assert.deepEqual(parseQuery('@@ Loan'), { kind: 'symbol', scope: 'workspace', text: 'Loan' });
  assert.deepEqual(parseQuery('#due date'), { kind: 'text', text: 'due date' });
  assert.deepEqual(parseQuery(':39'), { kind: 'line', text: '', line: 39, column: undefined });
  assert.deepEqual(parseQuery(':'), { kind: 'line', text: '', line: undefined, column: undefined });
  assert.deepEqual(parseQuery('loan.py:39:4'), { kind: 'file', text: 'loan.py', line: 39, column: 4 });
  assert.deepEqual(parseQuery('loan.py:'), { kind: 'file', text: 'loan.py', line: undefined, column: undefined });
});
