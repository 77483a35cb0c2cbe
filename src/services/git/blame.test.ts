import assert from 'node:assert/strict';
import { test } from 'node:test';
import { withRepository } from '../../../test/kit/git-world.ts';
import { requireTool } from '../../../test/kit/require-tools.ts';
import { blame } from './blame.ts';

test('where a line came from is not named to who may not see that file, nor what lies outside of the workspace', {
  skip: requireTool('git'),
}, async () => {
  await withRepository(
    async ({ git, folder, put, save, run }) => {
      const path = 'open/a';
      for (const [at, from] of ['../outside', 'secret/was', path].entries()) {
        if (at === 0) put(from, 'one\ntwo\nthree\nfour\n');
        else run('mv', ['../outside', 'secret/was'][at - 1] ?? '', from);
        put(from, ['one\ntwo\nthree\nfour\n', 'ONE\ntwo\nthree\nfour\n', 'ONE\ntwo\nthree\nFOUR\n'][at]);
        put('open/b', `${at}`);
        put('secret/b', `${at}`);
        save(from);
      }
      const names = async (visible?: (name: string) => boolean) =>
        (await blame(git, { path, visible })).runs.map((one) => one.originalPath);
      assert.deepEqual(await names(), ['sub/secret/was', '', 'sub/open/a'], folder);
      assert.deepEqual(await names((name) => name.startsWith('open/')), ['', '', 'sub/open/a']);
    },
    { below: 'sub' },
  );
});
