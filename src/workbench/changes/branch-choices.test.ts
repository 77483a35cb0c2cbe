import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Branch } from './branch-actions.ts';
import { branchChoices, localName, sayApart } from './branch-choices.ts';

const branch = (name: string, at: number, facts: Partial<Branch> = {}): Branch => ({
  name,
  remote: name.startsWith('origin/'),
  current: false,
  hash: '1234567',
  at,
  author: 'Lead',
  subject: 'x',
  ...facts,
});

test('the current branch leads, local ones stand before those of remotes, and a new name can be made', () => {
  const branches = [branch('feat/report', 5), branch('origin/main', 9), branch('main', 1, { current: true }), branch('feat/due', 7)];
  const said = (typed: string, canCreate = true) =>
    branchChoices(branches, typed, canCreate).map((choice) => (choice.kind === 'create' ? `new ${choice.name}` : choice.branch.name));
  assert.deepEqual(said(''), ['main', 'feat/due', 'feat/report', 'origin/main']);
  assert.deepEqual(said('due feat'), ['feat/due', 'new due-feat']);
  assert.deepEqual(said('feat/due'), ['feat/due']);
  assert.deepEqual(said('Überfällig'), ['new Überfällig']);
  assert.deepEqual(said('nothing', false), []);
});

test('a branch of a remote has its name without the remote here; what is apart is said short', () => {
  assert.equal(localName({ name: 'origin/feat/due', remote: true }), 'feat/due');
  assert.equal(localName({ name: 'feat/due', remote: false }), 'feat/due');
  assert.equal(sayApart({ ahead: 2, behind: 1 }), '↑2 ↓1');
  assert.equal(sayApart({ behind: 3 }), '↓3');
  assert.equal(sayApart({}), '');
});
