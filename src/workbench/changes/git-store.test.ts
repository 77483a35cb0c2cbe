import assert from 'node:assert/strict';
import { test } from 'node:test';
import { eventually } from '../../../test/kit/eventually.ts';
import { OutriggerError } from '../../contract/errors.ts';
import type { WorkbenchClient } from '../client-port.ts';
import { GitStore } from './git-store.ts';

test('where git is a part that is switched off, that is said without the name of an operation', async () => {
  const call = (): Promise<never> =>
    Promise.reject(new OutriggerError('PART_OFF', 'git.status belongs to a part that is switched off here.'));
  const store = new GitStore({ call } as unknown as WorkbenchClient);
  await store.refresh();
  assert.deepEqual([store.problem.value, store.missing.value], ['This part is switched off here.', false]);
});

test('that the sidecar stops is no failure of git: it is asked when the link is back', async () => {
  const call = (): Promise<never> => Promise.reject(new OutriggerError('STOPPING', 'The sidecar is stopping.'));
  const store = new GitStore({ call } as unknown as WorkbenchClient);
  await store.refresh();
  assert.equal(store.problem.value, undefined);
});

test('where HEAD has moved, what it is now is shown with its commits, and not beside those of before', async () => {
  let head = 'a';
  const asked: ((answer: { commits: { hash: string }[]; more: boolean }) => void)[] = [];
  const answers: Record<string, () => unknown> = {
    'git.status': () => ({ repository: true, head, branch: 'main', changes: [], conflicts: [], stashes: 0 }),
    'git.hunks': () => ({ files: [] }),
    'git.log': () => new Promise((resolve) => asked.push(resolve)),
  };
  const call = (name: string): Promise<unknown> => Promise.resolve(answers[name]?.());
  const store = new GitStore({ call } as unknown as WorkbenchClient);
  const shown = (): [string | null | undefined, string | undefined] => [store.status.value?.head, store.log.value[0]?.hash];
  const answer = async (hash: string): Promise<void> => {
    await eventually(() => assert.equal(asked.length, 1));
    asked.pop()?.({ commits: [{ hash }], more: false });
  };
  store.wantDetails();
  // The first time nothing else is there: how the folder is does not wait for its history.
  await eventually(() => assert.deepEqual(shown(), ['a', undefined]));
  assert.equal(store.logKnown.value, false, 'nobody says that there are no commits');
  await answer('a');
  await eventually(() => assert.deepEqual(shown(), ['a', 'a']));
  assert.equal(store.logKnown.value, true);
  head = 'b';
  const refreshed = store.refresh();
  await eventually(() => assert.equal(asked.length, 1));
  assert.deepEqual(shown(), ['a', 'a']);
  await answer('b');
  await refreshed;
  assert.deepEqual(shown(), ['b', 'b']);
  const listed = store.showLogOf('a.txt');
  assert.equal(store.logKnown.value, false);
  await answer('c');
  await listed;
  assert.equal(store.logKnown.value, true);
});

test('of who is limited to some paths the status follows HEAD, and it is said why there are no commits of the whole', async () => {
  let head = 'a';
  const beyond = (name: string): OutriggerError => new OutriggerError('OUT_OF_SCOPE', `${name}: "" is outside.`);
  const call = async (name: string, input: { path?: string }): Promise<unknown> => {
    if (name === 'git.status') return { repository: true, head, branch: 'main', changes: [], conflicts: [], stashes: 1 };
    if (name === 'git.log' && input.path === 'src/a.txt') return { commits: [{ hash: 'a' }], more: false };
    throw beyond(name);
  };
  const store = new GitStore({ call } as unknown as WorkbenchClient);
  store.wantDetails();
  await store.refresh();
  const shown = (): unknown => [store.status.value?.head, store.problem.value, store.logKnown.value, store.log.value.length];
  assert.deepEqual(shown(), ['a', undefined, true, 0]);
  assert.match(store.logProblem.value ?? '', /limited to some paths/);
  head = 'b';
  await store.refresh();
  assert.deepEqual(shown(), ['b', undefined, true, 0]);
  await store.showLogOf('src/a.txt');
  assert.deepEqual([shown(), store.logProblem.value], [['b', undefined, true, 1], undefined]);
});

test('what changes while a look at the status fails is looked at after it', async () => {
  const asked: ((answer: unknown) => void)[] = [];
  const call = (): Promise<unknown> => new Promise((resolve) => asked.push(resolve));
  const store = new GitStore({ call } as unknown as WorkbenchClient);
  const refreshed = store.refresh();
  await store.refresh();
  asked.shift()?.(Promise.reject(new OutriggerError('GIT_FAILED', 'fatal: bad object HEAD')));
  await refreshed;
  assert.notEqual(store.problem.value, undefined);
  await eventually(() => assert.equal(asked.length, 1));
  asked.shift()?.({ repository: true, head: 'a', branch: 'main', changes: [], conflicts: [], stashes: 0 });
  await eventually(() => assert.deepEqual([store.problem.value, store.status.value?.head], [undefined, 'a']));
});
