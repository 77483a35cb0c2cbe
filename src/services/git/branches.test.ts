import assert from 'node:assert/strict';
import path from 'node:path';
import { describe, test } from 'node:test';
import { diverge, fails, hook, losing, names, slowly, withRepository } from '../../../test/kit/git-world.ts';
import { requireTool } from '../../../test/kit/require-tools.ts';
import { branch, branches, checkout, tags } from './branches.ts';
import { stashes } from './stash.ts';
import { status } from './status.ts';
import { tag } from './tagging.ts';

const to = { create: false, changes: 'keep' } as const;

describe('branches', { skip: requireTool('git') }, () => {
  test('are listed with upstream, ahead and behind, and last commit', async () => {
    await withRepository(async (world) => {
      const { git, run, runIn, folder, root, put, save } = world;
      assert.deepEqual(await branches(git, { remote: true, limit: 10 }), { current: 'main', branches: [], truncated: false });
      diverge(world);
      const copy = path.join(folder, 'copy.git');
      runIn(folder, 'clone', '-q', '--bare', root, copy);
      run('remote', 'add', 'origin', copy);
      run('fetch', '-q', 'origin');
      run('branch', '-q', '--set-upstream-to=origin/side', 'main');
      run('checkout', '-qb', 'gone', '--track', 'origin/side');
      run('update-ref', '-d', 'refs/remotes/origin/side');
      run('branch', '-q', '--set-upstream-to=origin/main', 'main');
      run('checkout', '-q', 'main');
      put('more');
      save('more 🎉 "quoted"');
      const { current, branches: found } = await branches(git, { remote: true, limit: 10 });
      const byName = Object.fromEntries(found.map((one) => [one.name, one]));
      assert.equal(current, 'main');
      assert.deepEqual(Object.keys(byName).toSorted(), ['gone', 'main', 'origin/main', 'side']);
      const { main } = byName;
      assert.deepEqual(
        [main?.current, main?.remote, main?.upstream, main?.ahead, main?.behind, main?.subject, main?.author],
        [true, false, 'origin/main', 1, 0, 'more 🎉 "quoted"', 'Uma User'],
      );
      assert.deepEqual([byName['gone']?.gone, byName['origin/main']?.remote, byName['side']?.upstream], [true, true, undefined]);
      assert.deepEqual((await branches(git, { remote: false, limit: 2 })).truncated, true);
      run('checkout', '-q', '--detach');
      assert.equal((await branches(git, { remote: false, limit: 9 })).current, null);
    });
  });

  test('have their own names where tags have the same', async () => {
    await withRepository(async (world) => {
      const { git, run, put, save, folder } = world;
      put('a');
      const head = save('one');
      run('branch', 'other');
      run('clone', '-q', '--bare', '.', path.join(folder, 'copy.git'));
      run('remote', 'add', 'origin', path.join(folder, 'copy.git'));
      run('fetch', '-q', 'origin');
      run('branch', '-q', '--set-upstream-to=origin/main', 'main');
      for (const name of ['main', 'other', 'origin/main']) run('tag', name);
      const { current, branches: found } = await branches(git, { remote: false, limit: 10 });
      assert.equal(current, 'main');
      assert.deepEqual(found.find(({ name }) => name === 'main')?.upstream, 'origin/main');
      assert.deepEqual(await checkout(git, { ...to, to: 'other' }), { branch: 'other', head, stashed: false });
      assert.equal((await status(git, false))?.branch, 'other');
    });
  });

  test('are created, renamed and deleted; one whose commits are nowhere else only by force', async () => {
    await withRepository(async (world) => {
      const { git, run } = world;
      const { base, side } = diverge(world);
      const ask = (request: Partial<Parameters<typeof branch>[1]> & { name: string }): ReturnType<typeof branch> =>
        branch(git, { action: 'create', force: false, ...request });
      assert.deepEqual(await ask({ name: 'feature/ü', from: base }), { name: 'feature/ü', hash: base });
      assert.equal(run('rev-parse', 'feature/ü'), base);
      await assert.rejects(ask({ name: 'side' }), fails('GIT_FAILED', /already exists/));
      assert.deepEqual(await ask({ action: 'rename', name: 'feature/ü', to: 'new' }), { name: 'new', hash: base });
      await assert.rejects(ask({ action: 'delete', name: 'side' }), fails('GIT_FAILED', /not fully merged/));
      assert.deepEqual(await ask({ action: 'delete', name: 'side', force: true }), { name: 'side', hash: side });
      await assert.rejects(ask({ action: 'delete', name: 'main', force: true }), fails('GIT_FAILED', /main/));
      await assert.rejects(ask({ action: 'delete', name: 'nope' }), fails('GIT_FAILED', /branch nope/));
      for (const bad of ['-D', '--force', '', 'a b', 'a\nb', 'a;b c', 'a..b', 'a~1', 'x.lock', '@{-1}', 'a:b', '*'])
        await assert.rejects(ask({ name: bad }), fails('BAD_INPUT'), bad);
      // What a shell would run is a name like another.
      const odd = '$(touch${IFS}x);`id`';
      assert.equal((await ask({ name: odd })).name, odd);
      assert.equal(run('branch', '--list', odd), odd);
    });
  });

  test('checkout takes changes along, and refuses with the files where they would be lost', async () => {
    await withRepository(async (world) => {
      const { git, put, run, file } = world;
      const { base, side } = diverge(world);
      put('fresh');
      assert.deepEqual(await checkout(git, { ...to, to: 'side' }), { branch: 'side', head: side, stashed: false });
      assert.deepEqual(await names(git), ['- untracked fresh']);
      put('a', 'typed\n');
      put('of-main', 'mine\n');
      await assert.rejects(checkout(git, { ...to, to: 'main' }), losing('a', 'of-main'));
      assert.deepEqual([run('branch', '--show-current'), file('a'), file('of-main')], ['side', 'typed\n', 'mine\n']);
      const stashed = await checkout(git, { ...to, to: 'main', changes: 'stash' });
      assert.deepEqual([stashed.branch, stashed.stashed, file('a')], ['main', true, 'main\n']);
      assert.equal((await status(git, false))?.stashes, 1);
      put('a', 'typed\n');
      assert.equal((await checkout(git, { ...to, to: 'side', changes: 'discard' })).stashed, false);
      assert.equal(file('a'), 'side\n');
      assert.deepEqual(await checkout(git, { ...to, to: base }), { branch: null, head: base, stashed: false });
      assert.deepEqual(await checkout(git, { ...to, to: 'next', create: true, from: 'main' }), {
        branch: 'next',
        head: run('rev-parse', 'main'),
        stashed: false,
      });
      await assert.rejects(checkout(git, { ...to, to: 'a' }), fails('GIT_FAILED'), 'a file is no revision');
      await assert.rejects(checkout(git, { ...to, to: '--orphan=x' }), fails('BAD_INPUT'));
      await assert.rejects(checkout(git, { ...to, to: 'nope' }), fails('GIT_FAILED', /nope/));
    });
  });

  test('changes that were put aside for a checkout that fails are brought back, staged as they were', async () => {
    await withRepository(async (world) => {
      const { git, put, run, file } = world;
      diverge(world);
      put('a', 'staged\n');
      run('add', 'a');
      put('a', 'typed\n');
      put('fresh');
      for (const target of ['nope', 'a']) await assert.rejects(checkout(git, { ...to, to: target, changes: 'stash' }), fails('GIT_FAILED'));
      await assert.rejects(checkout(git, { ...to, to: 'side', create: true, changes: 'stash' }), fails('GIT_FAILED', /already exists/));
      assert.deepEqual([run('branch', '--show-current'), file('a'), run('show', ':a')], ['main', 'typed\n', 'staged']);
      assert.deepEqual(await names(git), ['modified modified a', '- untracked fresh']);
      assert.equal((await status(git, false))?.stashes, 0);
    });
  });

  test('changes that can not be brought back after a checkout that failed are kept, and it is said where', async () => {
    await withRepository(async (world) => {
      const { make, processes, put, file, git } = world;
      diverge(world);
      put('a', 'typed\n');
      put('fresh', 'mine\n');
      const disturbed = make(
        {},
        {
          processes: {
            open: processes.open.bind(processes),
            run: (request) => {
              if (request.argv.includes('checkout')) put('fresh', 'of another program\n');
              return processes.run(request);
            },
          },
        },
      );
      const failing = checkout(disturbed, { ...to, to: 'nope', changes: 'stash' });
      await assert.rejects(failing, fails('GIT_FAILED', /nope.*newest stash/s));
      assert.deepEqual([file('a'), file('fresh')], ['main\n', 'of another program\n'], 'nothing is brought in part');
      assert.equal((await stashes(git, 10)).stashes.length, 1);
    });
  });

  test('a checkout that a hook complains of is done, whatever the hook ends with', async () => {
    await withRepository(async (world) => {
      const { git, put, run } = world;
      const { side } = diverge(world);
      put('a', 'typed\n');
      hook(world, 'post-checkout', 'echo "git-lfs was not found" >&2; exit 2');
      assert.deepEqual(await checkout(git, { ...to, to: 'side', changes: 'stash' }), { branch: 'side', head: side, stashed: true });
      assert.deepEqual([await names(git), (await status(git, false))?.stashes], [[], 1]);
      assert.deepEqual(await checkout(git, { ...to, to: 'next', create: true }), { branch: 'next', head: side, stashed: false });
      assert.equal(run('branch', '--show-current'), 'next');
    });
  });

  test('a checkout that takes too long is undone, and changes that were put aside for it are back (long form)', async () => {
    await withRepository(async (world) => {
      const { make, put, run, save, file } = world;
      slowly(world);
      put('a', 'base\n');
      save('base');
      run('checkout', '-qb', 'side');
      for (const name of ['a', 'added', 'slow/a']) put(name, 'side\n');
      save('side');
      // As the slow files are not there yet, git writes none of them.
      run('checkout', '-q', 'main');
      put('a', 'typed\n');
      put('fresh');
      const git = make({ networkTimeoutMs: 1000 });
      await assert.rejects(checkout(git, { ...to, to: 'side', changes: 'stash' }), fails('PROCESS_TIMEOUT', /was ended\.$/));
      assert.deepEqual(
        [run('branch', '--show-current'), file('a'), await names(git)],
        ['main', 'typed\n', ['- modified a', '- untracked fresh']],
      );
      assert.equal((await status(git, false))?.stashes, 0);
      run('checkout', '-q', 'a');
      await assert.rejects(checkout(git, { ...to, to: 'side' }), fails('PROCESS_TIMEOUT', /still there: see git\.status/));
    });
  });

  test('a branch of a remote is checked out as one of our own', async () => {
    await withRepository(async (world) => {
      const { make, runIn, folder, root } = world;
      diverge(world);
      const copy = path.join(folder, 'copy');
      runIn(folder, 'clone', '-q', root, copy);
      assert.equal((await checkout(make({ root: copy }), { ...to, to: 'side' })).branch, 'side');
      assert.equal(runIn(copy, 'rev-parse', '--abbrev-ref', 'side@{upstream}'), 'origin/side');
    });
  });

  test('a branch that is made from one of a remote does not follow that one', async () => {
    await withRepository(async (world) => {
      const { make, runIn, folder, root } = world;
      diverge(world);
      const copy = path.join(folder, 'copy');
      runIn(folder, 'clone', '-q', root, copy);
      assert.equal((await checkout(make({ root: copy }), { ...to, to: 'feature', create: true, from: 'origin/side' })).branch, 'feature');
      assert.equal(runIn(copy, 'for-each-ref', '--format=%(upstream)', 'refs/heads/feature'), '');
    });
  });

  test('tags are made, annotated or not, listed and deleted', async () => {
    await withRepository(async (world) => {
      const { git, run, put, save } = world;
      put('a');
      const first = save('first');
      put('a', 'two');
      const second = save('second');
      assert.deepEqual(await tag(git, { action: 'create', name: 'v1', at: first }), { name: 'v1', hash: first });
      await tag(git, { action: 'create', name: 'v2', at: 'HEAD', message: 'Second 🎉\n\n# a line' });
      assert.equal(run('tag', '-l', '--format=%(contents)', 'v2').trim(), 'Second 🎉\n\n# a line');
      const found = (await tags(git, 10)).tags.toSorted((one, other) => (one.name < other.name ? -1 : 1));
      assert.deepEqual(
        found.map(({ name, hash, annotated, subject }) => [name, hash, annotated, subject]),
        [
          ['v1', first, false, 'first'],
          ['v2', second, true, 'Second 🎉'],
        ],
      );
      await assert.rejects(tag(git, { action: 'create', name: 'v1', at: 'HEAD' }), fails('GIT_FAILED', /exists/));
      await assert.rejects(tag(git, { action: 'create', name: '-d', at: 'HEAD' }), fails('BAD_INPUT'));
      await tag(git, { action: 'delete', name: 'v1', at: 'HEAD' });
      assert.equal(run('tag'), 'v2');
    });
  });
});
