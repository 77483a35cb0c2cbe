import assert from 'node:assert/strict';
import { test } from 'node:test';
import { eventually } from '../../../test/kit/eventually.ts';
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
