import assert from 'node:assert/strict';
import path from 'node:path';
import { test } from 'node:test';
import { withWorkspace } from '../../../test/kit/workspace-harness.ts';
import { DocumentStore } from './document-store.ts';
import { firstState } from './lineage.ts';

test('of 5,000 documents the history is kept; of more, the one used longest ago is forgotten, and its file stays', () =>
  withWorkspace(async ({ state, stateFolder, put, read }) => {
    let time = 0;
    const options = { folder: path.join(stateFolder, 'documents'), textName: 'content' };
    const store = new DocumentStore({ state, now: () => time++ }, options);
    const content = firstState('text', 'content');
    const create = (name: string): number => store.create(name, 1, content, '', 'text');
    const isKept = (...names: string[]): boolean[] => names.map((name) => store.load(name) !== undefined);
    put('0');
    state.transaction(() => {
      for (let n = 0; n < 5000; n++) create(`${n}`);
    });
    store.compact(() => undefined);
    assert.deepEqual(isKept('0', '1', '4999'), [true, true, true]);
    create('5000');
    store.compact(() => undefined);
    assert.deepEqual(isKept('0', '1', '4999', '5000'), [false, true, true, true]);
    assert.equal(read('0'), '0');
    await store.close({ forgets: false });
  }));
