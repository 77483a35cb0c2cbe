import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { WorkbenchClient } from '../client-port.ts';
import { Toasts } from '../shell/toasts.ts';
import { BranchActions } from './branch-actions.ts';
import type { GitStore, Stash } from './git-store.ts';

test('what is being brought back or dropped is left to that by the button that is pressed again', async (t) => {
  const aside = new Set(['1', '2']);
  const toasts = new Toasts();
  t.after(() => toasts.hold());
  const actions = new BranchActions({
    client: {
      call: async (_name: string, { hash }: { hash: string }) => {
        if (!aside.delete(hash)) throw new Error(`There is no stash ${hash}.`);
        return { outcome: 'done', conflicts: [] };
      },
    } as unknown as WorkbenchClient,
    git: { refresh: () => Promise.resolve() } as unknown as GitStore,
    toasts,
    ask: () => undefined,
  });
  const [one, other] = ['1', '2'].map((hash) => ({ hash }) as Stash);
  await Promise.all([actions.stash('pop', one), actions.stash('pop', one), actions.stash('drop', one), actions.stash('drop', other)]);
  const titles = toasts.shown.value.map(({ title }) => title);
  assert.deepEqual(titles, ['Brought your changes back', 'Dropped what was put aside']);
  await actions.stash('pop', one);
  assert.equal(toasts.shown.value.at(-1)?.title, 'Not brought back');
});
