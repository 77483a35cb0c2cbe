import assert from 'node:assert/strict';
import { test } from 'node:test';
import { namedPerson } from './named-person.ts';

test('who it is stands under "user", or at the top', () => {
  const ann = { name: 'Ann', kind: 'agent', color: '#f00' };
  assert.deepEqual(namedPerson({ user: ann, cursor: null }), ann);
  assert.deepEqual(namedPerson(ann), ann);
  assert.deepEqual(namedPerson({ user: 'Ben', name: 'Ann' }), { name: 'Ann', kind: 'person' });
});

test('of any other shape it is someone, and names end', () => {
  const someone = { name: 'someone', kind: 'person' };
  for (const state of [null, 5, 'Ann', [], {}, { user: null }, { user: { name: { toString: 1 }, color: 5, kind: {} } }, { name: ' \t' }])
    assert.deepEqual(namedPerson(state), someone);
  assert.deepEqual(namedPerson({ name: 'A'.repeat(81), color: 'c'.repeat(81) }), {
    name: 'A'.repeat(80),
    kind: 'person',
    color: 'c'.repeat(80),
  });
});
