import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Toasts } from './toasts.ts';

const undo = { actions: [{ label: 'Undo', run: () => {} }] };
const titles = (toasts: Toasts): string[] => toasts.shown.value.map(({ title }) => title);

test('the same words twice are shown once, but not where something can be done with each', (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const toasts = new Toasts();
  toasts.say('Copied');
  toasts.say('Copied');
  assert.deepEqual(titles(toasts), ['Copied']);
  const first = toasts.say('Moved index.ts', undo);
  const second = toasts.say('Moved index.ts', undo);
  assert.deepEqual([toasts.has(first), toasts.has(second)], [true, true]);
  t.mock.timers.tick(6000);
  assert.deepEqual(titles(toasts), ['Moved index.ts', 'Moved index.ts'], 'there is time to undo it');
  t.mock.timers.tick(14_000);
  assert.deepEqual([titles(toasts), toasts.has(first)], [[], false]);
});

test('of more than three, those go first with which nothing can be done', () => {
  const toasts = new Toasts();
  toasts.say('Deleted a', undo);
  for (const title of ['one', 'two', 'three']) toasts.say(title);
  assert.deepEqual(titles(toasts), ['Deleted a', 'two', 'three']);
  for (const title of ['Deleted b', 'Deleted c', 'Deleted d']) toasts.say(title, undo);
  assert.deepEqual(titles(toasts), ['Deleted b', 'Deleted c', 'Deleted d']);
  for (const { id } of toasts.shown.value) toasts.dismiss(id);
});
