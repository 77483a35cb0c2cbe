import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { describe, test } from 'node:test';
import { fails, losing, names, withRepository } from '../../../test/kit/git-world.ts';
import { longestTurn } from '../../../test/kit/loop-hold.ts';
import { requireTool } from '../../../test/kit/require-tools.ts';
import { checkout } from './branches.ts';
import { stash, stashes, untrackedInTheWay } from './stash.ts';

const push = { action: 'push', untracked: true, keepIndex: false } as const;
const bring = { untracked: true, keepIndex: false };

describe('stashes', { skip: requireTool('git') }, () => {
  test('changes are put aside and brought back, staged as they were, and a stash is named by its hash', async () => {
    await withRepository(async ({ git, put, save, file }) => {
      put('a', 'one\n');
      put('b', 'one\n');
      save('base');
      assert.deepEqual(await stash(git, push), { outcome: 'nothing', stashes: 0, conflicts: [] });
      put('a', 'two\n');
      put('fresh');
      assert.deepEqual(await stash(git, { ...push, message: '-m "first" $(id)' }), { outcome: 'done', stashes: 1, conflicts: [] });
      assert.deepEqual(await names(git), []);
      put('b', 'two\n');
      await stash(git, push);
      const { stashes: found, truncated } = await stashes(git, 10);
      assert.deepEqual([found.map(({ name }) => name), truncated], [['stash@{0}', 'stash@{1}'], false]);
      assert.match(found[1]?.subject ?? '', /-m "first" \$\(id\)$/);
      assert.equal((await stashes(git, 1)).truncated, true);
      assert.deepEqual(await stash(git, { ...bring, action: 'pop', hash: found[1]?.hash }), { outcome: 'done', stashes: 1, conflicts: [] });
      assert.deepEqual([file('a'), file('b'), await names(git)], ['two\n', 'one\n', ['- modified a', '- untracked fresh']]);
      assert.equal((await stash(git, { ...bring, action: 'drop' })).stashes, 0);
      assert.equal((await stash(git, { ...bring, action: 'apply' })).outcome, 'nothing');
      await assert.rejects(stash(git, { ...bring, action: 'apply', hash: found[1]?.hash }), fails('GIT_FAILED', /no stash/));
    });
  });

  test('a file that somebody is about to rename into place is not put aside', async () => {
    await withRepository(async ({ git, put, save, run, file }) => {
      put('a b/one', 'one\n');
      save('base');
      put('a b/one', 'two\n');
      put('fresh');
      const temporary = 'a b/.outrigger-0123456789ab.tmp';
      put(temporary, 'to be renamed\n');
      put('a b/.nfs000000000000000300000001', 'removed while it is open\n');
      assert.equal((await stash(git, push)).outcome, 'done');
      assert.deepEqual([file(temporary), file('a b/one'), await names(git)], ['to be renamed\n', 'one\n', []]);
      assert.deepEqual(run('ls-tree', '-r', '--name-only', 'stash@{0}^3'), 'fresh');
      assert.equal((await stash(git, { ...bring, action: 'pop' })).outcome, 'done');
      assert.deepEqual([file('a b/one'), file('fresh')], ['two\n', 'fresh\n']);
    });
  });

  test('a lock that lies there is named when changes are put aside or brought back, which git does not do, and all stays as it is', async () => {
    await withRepository(async ({ git, put, save, run, root, file }) => {
      put('a', 'one\n');
      save('one');
      run('branch', 'side');
      put('a', 'aside\n');
      await stash(git, push);
      put('b', 'typed\n');
      const lock = path.join(root, '.git/index.lock');
      fs.writeFileSync(lock, '');
      for (const call of [
        () => stash(git, push),
        () => stash(git, { ...push, action: 'pop' }),
        () => checkout(git, { to: 'side', create: false, changes: 'stash' }),
      ])
        await assert.rejects(call(), fails('GIT_LOCKED', /index\.lock/));
      assert.deepEqual([file('a'), file('b'), run('stash', 'list').split('\n').length], ['one\n', 'typed\n', 1]);
      fs.rmSync(lock);
      assert.equal((await stash(git, push)).outcome, 'done');
    });
  });

  test('a stash that fits no more stops with conflicts and is kept; what would be lost is refused', async () => {
    await withRepository(async ({ git, put, save, run, file }) => {
      put('a', 'one\n');
      save('base');
      put('a', 'two\n');
      run('add', 'a');
      await stash(git, push);
      assert.deepEqual([(await stash(git, { ...bring, action: 'apply' })).outcome, await names(git)], ['done', ['modified - a']]);
      run('reset', '-q', '--hard');
      put('a', 'typed\n');
      await assert.rejects(stash(git, { ...bring, action: 'pop' }), losing('a'));
      assert.equal(file('a'), 'typed\n');
      save('three');
      assert.deepEqual(await stash(git, { ...bring, action: 'pop' }), {
        outcome: 'conflicts',
        stashes: 1,
        conflicts: [{ path: 'a', kind: 'both-modified' }],
      });
    });
  });

  test('conflicts that git settles as they were settled before are an answer, and the stash is kept', async () => {
    await withRepository(async ({ git, put, save, run, file }) => {
      run('config', 'rerere.enabled', 'true');
      run('config', 'rerere.autoUpdate', 'true');
      put('a', 'base\n');
      save('base');
      put('a', 'aside\n');
      await stash(git, push);
      put('a', 'here\n');
      const here = save('here');
      const settled = { outcome: 'conflicts', stashes: 1, conflicts: [] };
      assert.equal((await stash(git, { ...bring, action: 'apply' })).conflicts.length, 1);
      put('a', 'both\n');
      save('both');
      run('reset', '-q', '--hard', here);
      assert.deepEqual(await stash(git, { ...bring, action: 'pop' }), settled);
      assert.equal(file('a'), 'both\n');
    });
  });

  test('a stash that is refused for a file that changed here brings none of its new files', async () => {
    await withRepository(async ({ git, put, save, run, file, root }) => {
      for (const name of ['a', 'b', 'c']) put(name, 'one\n');
      save('base');
      for (const name of ['a', 'b', 'c', 'fresh']) put(name, 'two\n');
      put('added', 'two\n');
      run('add', 'added');
      await stash(git, push);
      for (const name of ['a', 'added']) put(name, 'mine\n');
      put('b', 'two\n');
      run('add', 'b');
      fs.rmSync(path.join(root, 'c'));
      for (const action of ['apply', 'pop'] as const) {
        await assert.rejects(stash(git, { ...bring, action }), losing('a', 'added'));
        assert.deepEqual(fs.readdirSync(root).toSorted(), ['.git', 'a', 'added', 'b']);
      }
      put('a', 'one\n');
      fs.rmSync(path.join(root, 'added'));
      // What the index has as the stash has it, and what is not there, is in the way of nothing.
      put('b', 'three\n');
      assert.deepEqual(await stash(git, { ...bring, action: 'pop' }), { outcome: 'done', stashes: 0, conflicts: [] });
      assert.deepEqual(
        ['a', 'added', 'b', 'c', 'fresh'].map((name) => file(name)),
        ['two\n', 'two\n', 'three\n', 'two\n', 'two\n'],
      );
    });
  });

  test('a stash one of whose new files is in the way is refused whole, with the files', async () => {
    await withRepository(async ({ git, put, save, file, root, run }) => {
      put('a', 'one\n');
      put('folder');
      save('base');
      put('a', 'two\n');
      put('fresh', 'stashed\n');
      put('new/b');
      run('rm', '-q', 'folder');
      put('folder/inside');
      await stash(git, push);
      put('fresh', 'mine\n');
      put('new', 'a file now\n');
      for (const action of ['apply', 'pop'] as const) await assert.rejects(stash(git, { ...bring, action }), losing('fresh', 'new'));
      assert.deepEqual([file('a'), file('fresh'), await names(git)], ['one\n', 'mine\n', ['- untracked fresh', '- untracked new']]);
      for (const name of ['fresh', 'new']) fs.rmSync(path.join(root, name));
      assert.deepEqual(await stash(git, { ...bring, action: 'pop' }), { outcome: 'done', stashes: 0, conflicts: [] });
      assert.deepEqual([file('fresh'), file('folder/inside'), run('stash', 'list')], ['stashed\n', 'folder/inside\n', '']);
    });
  });

  test('what is in the way of a stash of tens of thousands of new files is looked for in slices', async () => {
    await withRepository(async ({ git, put, save, run, root }) => {
      const paths = Array.from({ length: 40_000 }, (_, at) => `packages/part${at % 100}/src/file${at}`);
      const hash = run('hash-object', '-w', put('a'));
      const base = save('base');
      const options = { cwd: root, env: { ...process.env, GIT_INDEX_FILE: path.join(root, '.git/other') } };
      execFileSync('git', ['update-index', '--index-info'], {
        ...options,
        input: paths.map((name) => `100644 ${hash}\t${name}\n`).join(''),
      });
      const tree = execFileSync('git', ['write-tree'], { ...options, encoding: 'utf8' }).trim();
      const [index, untracked] = ['index', 'untracked'].map((said) => run('commit-tree', tree, '-m', said)) as [string, string];
      const made = run('commit-tree', `${base}^{tree}`, '-m', 'stash', '-p', base, '-p', index, '-p', untracked);
      put('packages/part7/src', 'a file here');
      const repository = await git.repository(undefined);
      let found: string[] = [];
      const longest = await longestTurn(async () => (found = await untrackedInTheWay(git, repository, made, undefined)));
      assert.deepEqual(found, ['packages/part7/src']);
      assert.ok(longest < 300, `${longest} ms`);
    });
  });
});
