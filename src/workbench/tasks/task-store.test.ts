import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Item } from '../../contract/operation.ts';
import type { Operations } from '../../contract/operations.ts';
import type { HeldTaskInfo, PastTask } from '../../contract/tasks.ts';
import { eventually } from '../../../test/kit/eventually.ts';
import type { WorkbenchClient } from '../client-port.ts';
import { TaskStore } from './task-store.ts';

type News = Item<Operations['tasks.watch']>;

const task = (id: string, more: Partial<HeldTaskInfo> = {}): News => ({
  type: 'task',
  task: { id, generation: 1, state: 'working', recovering: false, description: id, attempts: 1, acceptedAt: 1, ...more },
});
const past = (id: string, more: Partial<PastTask> = {}): News => ({
  type: 'past',
  past: { id, generation: 1, end: 'done', at: 1, description: id, waits: false, ...more },
});
const hub: News = { type: 'hub', agent: 'fixer-01', connected: true, refused: null, waiting: 0 };

/** A sidecar that answers as it is told: each stream begins with the next of `feeds`, or fails as that says. */
function fakeClient(feeds: (News[] | { reason: string })[]): { client: WorkbenchClient; asked: string[]; resume: () => void } {
  const asked: string[] = [];
  let cut: () => void = () => {};
  const stream = (name: string, _input: object, { onResume, signal }: { onResume?: () => unknown; signal?: AbortSignal } = {}) =>
    (async function* () {
      asked.push(name);
      if (name === 'tasks.follow') {
        yield { stream: 'stdout', offset: 0, text: 'one\n' };
        await new Promise((resolve) => signal?.addEventListener('abort', resolve));
        return;
      }
      for (;;) {
        const feed = feeds.shift() ?? [];
        if (!Array.isArray(feed)) throw Object.assign(new Error(feed.reason), feed);
        yield* feed;
        await new Promise<void>((resolve) => (cut = resolve));
        onResume?.();
      }
    })();
  const call = (name: string): Promise<unknown> => {
    asked.push(name);
    return Promise.resolve({ reports: [] });
  };
  return { client: { stream, call } as unknown as WorkbenchClient, asked, resume: () => cut() };
}

const storeOn = (client: WorkbenchClient): TaskStore => new TaskStore({ client, drawn: () => Promise.resolve() });
const ids = (store: TaskStore): [string[], string[]] => [store.held.value.map(({ id }) => id), store.past.value.map(({ id }) => id)];

test('tasks are known when all there was is told, newest first, and change with the news', async () => {
  const store = storeOn(fakeClient([]).client);
  store.take(hub);
  store.take(task('a'));
  store.take(task('b', { acceptedAt: 2 }));
  store.take(past('y'));
  store.take(past('z', { at: 2, waits: true }));
  store.take({ type: 'ready' });
  assert.deepEqual(
    [ids(store), store.hub.value?.agent],
    [
      [
        ['b', 'a'],
        ['z', 'y'],
      ],
      'fixer-01',
    ],
  );
  store.take(task('a', { state: 'verifying' }));
  store.take({ type: 'released', id: 'b' });
  store.take(past('z', { at: 2, waits: false }));
  store.take(past('b', { at: 3 }));
  assert.deepEqual(ids(store), [['a'], ['b', 'z', 'y']]);
  assert.deepEqual([store.get('a')?.state, store.pastOf('z')?.waits, store.get('b')], ['verifying', false, undefined]);
  for (let at = 10; at < 200; at++) store.take(past(`p${at}`, { at }));
  assert.deepEqual([store.past.value.length, store.past.value[0]?.id], [100, 'p199']);
});

test('after a lost link all is told anew, and what was is shown until then', async () => {
  const { client, resume } = fakeClient([
    [task('a'), past('z'), { type: 'ready' }],
    [task('b'), { type: 'ready' }],
  ]);
  const store = storeOn(client);
  assert.equal(store.present.value, undefined);
  store.start(true);
  store.start(true);
  await eventually(() => assert.deepEqual(ids(store), [['a'], ['z']]));
  assert.equal(store.present.value, true);
  resume();
  await eventually(() => assert.deepEqual(ids(store), [['b'], []]));
});

test('where there is no link to a hub there are no tasks, until the sidecar is started with one', async () => {
  const { client, asked } = fakeClient([{ reason: 'ACCESS_DENIED' }, [task('a'), { type: 'ready' }]]);
  const store = storeOn(client);
  store.start(false);
  assert.deepEqual([store.present.value, asked], [false, []]);
  store.start(true);
  await eventually(() => assert.deepEqual(asked, ['tasks.watch']));
  await eventually(() => assert.equal(store.present.value, false));
  store.start(true);
  await eventually(() => assert.deepEqual([store.present.value, ids(store)[0]], [true, ['a']]));
});

test('one that is open is read and its log followed, again when something of it changes, and not when nothing does', async () => {
  const { client, asked } = fakeClient([]);
  const store = storeOn(client);
  const news = (more: Partial<HeldTaskInfo>): void => store.take(task('a', more));
  news({});
  store.take({ type: 'ready' });
  const reading = store.open('a');
  assert.equal(store.open('a'), reading);
  await eventually(() => assert.equal(reading.lines.lines[0]?.text, 'one'));
  assert.deepEqual(asked, ['tasks.follow', 'tasks.get']);
  store.take(task('b'));
  news({ attempts: 2 });
  await eventually(() => assert.deepEqual(asked, ['tasks.follow', 'tasks.get', 'tasks.get']));
  store.close('a');
  await eventually(() => assert.equal(reading.isFollowing.value, false));
  news({ attempts: 3 });
  assert.equal(asked.length, 3);
});
