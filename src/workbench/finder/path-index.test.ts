import assert from 'node:assert/strict';
import { test } from 'node:test';
import { eventually } from '../../../test/kit/eventually.ts';
import type { Change } from '../../contract/events.ts';
import type { WorkbenchClient } from '../client-port.ts';
import { PathIndex } from './path-index.ts';

test('a list that is asked for while one comes in is made anew after it, and whole', async () => {
  const lists = [['a', 'b'], ['c']];
  const gate = Promise.withResolvers<void>();
  const stream = (): unknown => {
    const paths = lists.shift() ?? [];
    const items = (async function* () {
      for (const path of paths) {
        yield { path, kind: 'file' };
        await gate.promise;
      }
    })();
    return Object.assign(items, { end: Promise.resolve({ truncated: false }) });
  };
  const index = new PathIndex({ stream } as unknown as WorkbenchClient);
  const loading = index.load();
  await eventually(() => assert.equal(index.files.size, 1));
  index.reload();
  gate.resolve();
  await loading;
  await eventually(() => assert.deepEqual([...index.files.keys()], ['c']));
  assert.deepEqual([index.entries.value, index.loading.value, lists], [1, false, []]);
});

/** Of which the files of `later` are sent after `told`. */
async function afterChanges(told: readonly Partial<Change>[], now: readonly string[], later: readonly string[], then = [...now, ...later]) {
  const gate = Promise.withResolvers<void>();
  const listed = (async function* () {
    for (const path of now) yield { path, kind: 'file' };
    await gate.promise;
    for (const path of later) yield { path, kind: 'file' };
  })();
  const again = (async function* () {
    for (const path of then) yield { path, kind: 'file' };
  })();
  const lists = [listed, again];
  const stream = (): unknown => Object.assign(lists.shift() ?? [], { end: Promise.resolve({ truncated: false }) });
  const index = new PathIndex({ stream } as unknown as WorkbenchClient);
  const loading = index.load();
  await eventually(() => assert.equal(index.files.size, now.length));
  for (const change of told) index.apply({ kind: 'file', ...change } as Change);
  gate.resolve();
  await loading;
  await eventually(() => assert.equal(index.loading.value, false));
  return [...index.files.keys()].sort();
}

test('a file that is told to be gone, and that the list had before that, is not found', async () => {
  assert.deepEqual(await afterChanges([{ what: 'removed', path: 'b' }], ['a'], ['b', 'c']), ['a', 'c']);
  assert.deepEqual(await afterChanges([{ what: 'removed', path: 'd', kind: 'directory' }], ['a'], ['d/b', 'd/c/e', 'df']), ['a', 'df']);
  const made = { what: 'created', path: 'b' } as const;
  assert.deepEqual(await afterChanges([{ what: 'removed', path: 'b' }, made], ['a'], ['b']), ['a', 'b']);
});

test('a file that is moved while the list comes in is found by its new name, wherever the list was', async () => {
  const moved = { what: 'moved', from: 'z', path: 'b' } as const;
  assert.deepEqual(await afterChanges([moved], ['a', 'c'], ['y']), ['a', 'b', 'c', 'y']);
  assert.deepEqual(await afterChanges([moved], ['a', 'c'], ['y', 'z']), ['a', 'b', 'c', 'y']);
});

test('what is in a folder that is moved while the list comes in is found', async () => {
  const moved = { what: 'moved', from: 'z', path: 'b', kind: 'directory' } as const;
  assert.deepEqual(await afterChanges([moved], ['a'], ['y'], ['a', 'b/f', 'y']), ['a', 'b/f', 'y']);
});
