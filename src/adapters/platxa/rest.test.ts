import assert from 'node:assert/strict';
import { test } from 'node:test';
import { bearer, withFakeSidecar } from '../../../test/kit/fake-sidecar.ts';
import type { Caller } from '../../contract/access.ts';
import type { Dispatch } from '../../contract/dispatch.ts';
import { registerPlatxaRoutes } from './rest.ts';

/** Folders that hold so many files each. */
function folders(count: number): Dispatch {
  return async ({ name, input, emit }) => {
    assert.equal(name, 'files.list');
    const { path, limit } = input as { path: string; limit: number };
    for (let number = 0; number < Math.min(count, limit); number++) void emit?.({ path: `${path}/${number}` });
    return { output: { truncated: count > limit } };
  };
}

test('100,000 entries are listed and no more, in one folder or in several, and it is said that there are more', async () => {
  const list = async (count: number, paths: string[]): Promise<[number, boolean]> => {
    const caller: Caller = { id: 'a', name: 'A', kind: 'agent', access: 'read', paths };
    let answer: { files: string[]; truncated?: boolean } = { files: [] };
    await withFakeSidecar(
      async ({ url }) => {
        answer = (await (await fetch(`${url}/files`, { headers: bearer })).json()) as typeof answer;
      },
      {
        prepare: ({ app }) =>
          registerPlatxaRoutes(
            app,
            { dispatch: folders(count), authenticate: () => caller, onError: (error) => assert.fail(String(error)) },
            { cookieName: 'outrigger_test', anonymous: 'none' },
          ),
      },
    );
    return [answer.files.length, answer.truncated ?? false];
  };
  assert.deepEqual(await list(100_000, ['a']), [100_000, false]);
  assert.deepEqual(await list(100_001, ['a']), [100_000, true]);
  assert.deepEqual(await list(50_000, ['a', 'b']), [100_000, false]);
  assert.deepEqual(await list(50_000, ['a', 'b', 'c']), [100_000, true]);
});

test('a commit of a time that no date holds is in the log, without one', async () => {
  const commit = { hash: 'a'.repeat(40), subject: 'far', body: '', refs: [], author: { name: 'A', email: 'a@b' } };
  const dispatch: Dispatch = async () => ({ output: { commits: [1e17, 0].map((at) => ({ ...commit, at })), truncated: false } });
  await withFakeSidecar(
    async ({ url }) => {
      const answer = await fetch(`${url}/git/log`, { headers: bearer });
      assert.equal(answer.status, 200);
      const { commits } = (await answer.json()) as { commits: { date: string }[] };
      assert.deepEqual(
        commits.map(({ date }) => date),
        ['', '1970-01-01T00:00:00.000Z'],
      );
    },
    {
      prepare: ({ app }) =>
        registerPlatxaRoutes(
          app,
          { dispatch, authenticate: () => ({ id: 'a', name: 'A', kind: 'agent', access: 'read' }), onError: () => {} },
          { cookieName: 'outrigger_test', anonymous: 'none' },
        ),
    },
  );
});
