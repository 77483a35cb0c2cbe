import assert from 'node:assert/strict';
import { test } from 'node:test';
import { signal } from '@preact/signals';
import { eventually } from '../../../test/kit/eventually.ts';
import type { WorkbenchClient } from '../client-port.ts';
import { IndexWatch } from './index-watch.ts';

type State = { state: 'off' | 'building' | 'ready' | 'failed'; problem?: string; revision: number; files: number };

/** An index that reaches a revision when it is told to. */
function make(first: State) {
  const revision = signal(first.revision);
  const live = signal(true);
  const now = { ...first };
  const asked: string[] = [];
  let reached: (() => void) | undefined;
  const call = async (name: string, input: { revision?: number }): Promise<unknown> => {
    asked.push(name);
    if (!live.value) throw Object.assign(new Error('The link is away.'), { reason: 'CONNECTION_LOST' });
    if (name === 'index.status') return { ...now };
    await new Promise<void>((resolve) => (reached = resolve));
    now.revision = input.revision ?? 0;
    return { revision: now.revision };
  };
  const watch = new IndexWatch({ client: { call } as unknown as WorkbenchClient, revision, live });
  return { watch, revision, live, now, asked, reach: () => reached?.() };
}

test('an index that is behind says so until it has what was changed', async () => {
  const { watch, revision, reach } = make({ state: 'ready', revision: 4, files: 7 });
  watch.start();
  await eventually(() => assert.deepEqual(watch.state.value, { name: 'fresh', revision: 4, files: 7 }));
  revision.value = 6;
  await eventually(() => assert.deepEqual(watch.state.value, { name: 'behind', revision: 4, files: 7 }));
  reach();
  await eventually(() => assert.deepEqual(watch.state.value, { name: 'fresh', revision: 6, files: 7 }));
});

test('one that is built is waited for; one that failed says why; without one nothing is said', async () => {
  const { watch, revision, now } = make({ state: 'building', revision: 0, files: 0 });
  watch.start();
  await eventually(() => assert.deepEqual(watch.state.value, { name: 'building' }));
  Object.assign(now, { state: 'failed', problem: 'The disk is full.' });
  await eventually(() => assert.deepEqual(watch.state.value, { name: 'failed', problem: 'The disk is full.' }));
  now.state = 'off';
  revision.value += 1;
  await eventually(() => assert.equal(watch.state.value, undefined));
});

test('nothing is asked while nothing changes, or the link is away', async () => {
  const { watch, revision, live, now, asked } = make({ state: 'ready', revision: 1, files: 1 });
  watch.start();
  await eventually(() => assert.equal(watch.state.value?.name, 'fresh'));
  live.value = false;
  await new Promise((resolve) => setTimeout(resolve, 1_500));
  assert.deepEqual(asked, ['index.status']);
  now.revision = 2;
  revision.value = 2;
  live.value = true;
  await eventually(() => assert.deepEqual(watch.state.value, { name: 'fresh', revision: 2, files: 1 }));
});
