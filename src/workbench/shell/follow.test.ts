import assert from 'node:assert/strict';
import { test } from 'node:test';
import { signal } from '@preact/signals';
import { actorNamed } from '../actor.ts';
import { Follow } from './follow.ts';
import type { Here } from './presence-store.ts';

const ben = actorNamed('Ben', 'person');
const at = (...paths: string[]): Here[] => [{ actor: ben, clients: [1], paths }];

function begin(others: Here[]) {
  const here = signal<readonly Here[]>(others);
  const shown = signal<string | undefined>(undefined);
  const follow = new Follow({ others: here, shown, open: (path) => (shown.value = path) });
  return { here, shown, follow };
}

test('the page goes where the other goes, waits while they are nowhere, and stays while they are in two', () => {
  const { here, shown, follow } = begin(at('a.py'));
  follow.start(ben);
  assert.equal(shown.value, 'a.py');
  here.value = at('a.py', 'b.py');
  assert.equal(shown.value, 'a.py');
  here.value = at('b.py');
  assert.equal(shown.value, 'b.py');
  here.value = [];
  assert.equal(follow.who.value, ben);
  here.value = at('c.py');
  assert.equal(shown.value, 'c.py');
});

test('who goes elsewhere follows no more; who began elsewhere does', () => {
  const { here, shown, follow } = begin([]);
  shown.value = 'mine.py';
  follow.start(ben);
  assert.equal(shown.value, 'mine.py');
  here.value = at('a.py');
  assert.equal(shown.value, 'a.py');
  shown.value = undefined;
  assert.equal(follow.who.value, undefined);
  here.value = at('b.py');
  assert.equal(shown.value, undefined);
});

test('a document that is renamed is still the one that was gone to', () => {
  const { here, shown, follow } = begin(at('old/a.py'));
  follow.start(ben);
  follow.moved('old', 'new');
  shown.value = 'new/a.py';
  here.value = at('new/a.py');
  assert.equal(follow.who.value, ben);
  assert.equal(shown.value, 'new/a.py');
});
