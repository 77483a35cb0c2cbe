// What lies in git folders is found where it is asked for by its path, and nowhere else: a replacement there would break the repository.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import type { Asked } from '../../src/contract/operation.ts';
import type { Operations } from '../../src/contract/operations.ts';
import { requireTool } from '../kit/require-tools.ts';
import { type RunningSidecar, withSidecar } from '../kit/sidecar.ts';

const skip = requireTool('git');

type Walk = Pick<Asked<Operations['search.text']>, 'path' | 'include' | 'exclude' | 'hidden' | 'ignored'>;

const engines: [name: string, config: Record<string, string | boolean>][] = [
  ['the index', {}],
  ['a walk', { 'search.index': false }],
  ['no ripgrep', { 'search.ripgrep': '/nowhere/rg' }],
];

/** A repository with another in it, the folder of a worktree, and rules that would let .git be seen. */
function withRepositories(run: (running: RunningSidecar) => Promise<void>, config: Record<string, string | boolean>): Promise<void> {
  return withSidecar(
    async (running) => {
      await running.client.call('index.wait', {});
      await run(running);
    },
    {
      config,
      prepare: (root) => {
        for (const folder of ['', 'nested']) {
          const at = path.join(root, folder);
          fs.mkdirSync(at, { recursive: true });
          fs.writeFileSync(path.join(at, 'a.txt'), 'the main branch\n');
          execFileSync('git', ['init', '-q', '-b', 'main'], { cwd: at });
        }
        fs.mkdirSync(path.join(root, 'worktree'));
        fs.writeFileSync(path.join(root, 'worktree/.git'), 'gitdir: /elsewhere/main\n');
        fs.writeFileSync(path.join(root, 'worktree/b.txt'), 'main\n');
        fs.writeFileSync(path.join(root, '.ignore'), '!.git\n!.*\n');
      },
    },
  );
}

async function found({ client }: RunningSidecar, walk: Walk): Promise<{ texts: string[]; names: string[] }> {
  const { items } = await client.call('search.text', { pattern: 'main', ...walk });
  const { files } = await client.call('search.files', walk);
  return { texts: items.map((file) => file.path).sort(), names: files.map((file) => file.path).sort() };
}

for (const [engine, config] of engines)
  test(`no glob leads into a git folder, and a path does, with ${engine}${engine === 'the index' ? '' : ' (long form)'}`, { skip }, () =>
    withRepositories(async (running) => {
      const everywhere = ['a.txt', 'nested/a.txt', 'worktree/b.txt'];
      for (const walk of [
        {},
        { include: ['*'] },
        { include: ['**'] },
        { include: ['**'], hidden: true },
        { hidden: true, ignored: true },
        { ignored: true },
        { include: ['**/*', '.git', '.git/**', '.[g]it', 'nested/.git/**'], ignored: true },
      ])
        for (let round = 0; round < 2; round++) {
          const { texts, names } = await found(running, walk);
          assert.deepEqual(texts, everywhere, JSON.stringify(walk));
          assert.deepEqual(
            names.filter((name) => /(^|\/)\.git(\/|$)/.test(name)),
            [],
            JSON.stringify(walk),
          );
        }
      for (const include of [['.git/**'], ['.git', '.git/HEAD'], ['**/.git']])
        assert.deepEqual(await found(running, { include }), { texts: [], names: [] }, include.join(' '));
      for (const place of ['.git', 'nested/.git']) {
        for (const hidden of [false, true]) {
          const { texts, names } = await found(running, { path: place, hidden });
          assert.ok(texts.includes(`${place}/HEAD`), place);
          assert.ok(names.includes(`${place}/info/exclude`), place);
        }
        assert.deepEqual(await found(running, { path: place, include: ['HEAD'] }), { texts: [`${place}/HEAD`], names: [`${place}/HEAD`] });
        assert.deepEqual(await found(running, { path: `${place}/HEAD` }), { texts: [`${place}/HEAD`], names: [`${place}/HEAD`] });
      }
      assert.deepEqual((await found(running, { path: 'worktree/.git' })).texts, ['worktree/.git']);
    }, config),
  );

for (const index of [true, false])
  test(`a replacement in all files leaves the repository as it is, ${index ? 'with' : 'without'} the index`, { skip }, () =>
    withRepositories(
      async ({ client, root, file }) => {
        for (const include of [['*'], ['**']]) {
          const done = await client.call('search.replace', { pattern: 'main', replace: 'trunk', include });
          assert.equal(done.files.filter(({ path: name }) => name.includes('.git')).length, 0);
        }
        assert.equal(file('a.txt'), 'the trunk branch\n');
        assert.equal(file('.git/HEAD'), 'ref: refs/heads/main\n');
        assert.equal(file('worktree/.git'), 'gitdir: /elsewhere/main\n');
        assert.match(execFileSync('git', ['status', '--short', '--branch'], { cwd: root, encoding: 'utf8' }), /main/);
      },
      { 'search.index': index },
    ),
  );
