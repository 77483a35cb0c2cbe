import assert from 'node:assert/strict';
import { test } from 'node:test';
import { sharing } from './terminal-words.ts';

const me = { name: 'owner', kind: 'person' };

test('with whom a terminal is shared is said, oneself left out', () => {
  assert.equal(sharing([], me).text, '');
  assert.equal(sharing([me], me).text, '');
  assert.equal(sharing([me, me], me).text, 'Shared with another window');
  assert.equal(sharing([me, me, me], me).text, 'Shared with 2 other windows');
  const shared = sharing([me, { name: 'guest', kind: 'person' }, { name: 'fixer', kind: 'agent' }, { name: 'guest', kind: 'person' }], me);
  assert.equal(shared.text, 'Shared with guest and agent: fixer');
  assert.deepEqual(
    shared.others.map(({ key }) => key),
    ['person:guest', 'agent:fixer'],
  );
});
