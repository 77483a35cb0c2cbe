import assert from 'node:assert/strict';
import { test } from 'node:test';
import { withRepository } from '../../../test/kit/git-world.ts';
import { longestTurn } from '../../../test/kit/loop-hold.ts';
import { requireTool } from '../../../test/kit/require-tools.ts';
import type { OutriggerError } from '../../contract/errors.ts';
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
      const isOpen = (name: string): boolean => name.startsWith('open/');
      assert.deepEqual(await names(isOpen), ['', '', 'sub/open/a']);
      const own = await blame(git, { path, visible: isOpen, follow: false });
      assert.deepEqual([own.runs.map((one) => one.originalPath), Object.keys(own.commits).length], [['sub/open/a'], 1]);
    },
    { below: 'sub' },
  );
});

test('of a file that the config takes for a list of commits, and that is none, nothing is told', { skip: requireTool('git') }, () =>
  withRepository(async ({ git, put, save, run }) => {
    put('a', 'one\n');
    put('secret', 'TOPSECRET\n');
    save('first');
    for (const file of ['secret', 'missing']) {
      run('config', 'blame.ignoreRevsFile', file);
      await assert.rejects(blame(git, { path: 'a' }), ({ message, details }: OutriggerError) => {
        assert.doesNotMatch(`${message}${JSON.stringify(details)}`, /TOPSECRET/);
        assert.match(message, /ignoreRevsFile/);
        return true;
      });
    }
  }),
);

test('of a file of very many lines it is told who wrote each, and others are served meanwhile', { skip: requireTool('git') }, () =>
  withRepository(async ({ put, save, make }) => {
    const lines = Array.from({ length: 180_000 }, (_, at) => `${at}\n`);
    put('a', lines.join(''));
    save('first');
    put('a', lines.map((line, at) => (at % 3 === 0 ? `typed ${line}` : line)).join(''));
    const git = make({ maxTextBytes: 32 * 1024 * 1024 });
    let told: Awaited<ReturnType<typeof blame>> | undefined;
    const heldMs = await longestTurn(async () => {
      told = await blame(git, { path: 'a' });
    });
    assert.deepEqual([told?.runs.length, told?.runs.at(-1)?.start, told?.truncated], [120_000, 179_999, false]);
    assert.ok(heldMs < 100, `the loop was held for ${Math.round(heldMs)} ms`);
  }),
);
