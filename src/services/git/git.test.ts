import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { describe, test } from 'node:test';
import { eventually } from '../../../test/kit/eventually.ts';
import { fails, isAlive, names, withRepository } from '../../../test/kit/git-world.ts';
import { requireTool } from '../../../test/kit/require-tools.ts';
import { OutriggerError } from '../../contract/errors.ts';
import { git as contract } from '../../contract/git.ts';
import type { Call } from '../../contract/operation.ts';
import { Processes } from '../processes/processes.ts';
import { tags } from './branches.ts';
import { commitInfo } from './commit-info.ts';
import { type CommitRequest, commit } from './committing.ts';
import { hunks } from './hunks.ts';
import { cherryPick, reset, revert } from './integrating.ts';
import { gitOperations } from './operations.ts';
import { diff, log, show } from './reading.ts';
import { restore } from './staging.ts';
import { stashes } from './stash.ts';
import { status } from './status.ts';

const all: Omit<CommitRequest, 'message'> = { paths: undefined, all: true, author: undefined };
const diffOf = { staged: false, context: 3 };

/** Makes a program that hangs, and what it starts with it; answers the file in which it says which the two are. */
function hanging(program: string, folder: string): string {
  const pids = path.join(folder, 'pids');
  fs.writeFileSync(program, `#!/bin/sh\nsleep 60 & echo $! > '${pids}'; echo $$ >> '${pids}'; wait\n`, { mode: 0o755 });
  return pids;
}

/** Both have ended, and git holds nothing back. */
async function bothEnd(pids: string, root: string): Promise<void> {
  const running = fs.readFileSync(pids, 'utf8').trim().split('\n').map(Number);
  assert.equal(running.length, 2);
  await eventually(() => running.every((pid) => !isAlive(pid)));
  assert.ok(!fs.existsSync(path.join(root, '.git/index.lock')));
}

describe('git', { skip: requireTool('git') }, () => {
  test('a folder without a repository has no status, and everything else says so', async () => {
    await withRepository(
      async ({ git, root }) => {
        assert.equal(await status(git, false), undefined);
        await assert.rejects(diff(git, diffOf), fails('NO_REPOSITORY'));
        await assert.rejects(log(git, { count: 1, skip: 0 }), fails('NO_REPOSITORY'));
        await assert.rejects(show(git, { path: 'a', revision: 'HEAD' }), fails('NO_REPOSITORY'));
        await assert.rejects(commit(git, { ...all, message: 'x' }), fails('NO_REPOSITORY'));
        assert.deepEqual(fs.readdirSync(root), []);
      },
      { init: false },
    );
  });

  test('with git.init the first commit makes the repository; nobody is named in its config', async () => {
    await withRepository(
      async ({ make, put, run, root }) => {
        put('a.txt');
        const answer = await commit(make({ init: true }), { ...all, message: 'First\n\n#1 is no comment' });
        assert.equal(answer.committed, true);
        assert.equal(answer.files, 1);
        assert.equal(answer.hash, run('rev-parse', 'HEAD'));
        assert.match(answer.summary, /1 file changed/);
        assert.equal(
          run('log', '--format=%an <%ae> %cn <%ce>|%B'),
          'Side Car <sidecar@example.org> Side Car <sidecar@example.org>|First\n\n#1 is no comment',
        );
        assert.doesNotMatch(fs.readFileSync(path.join(root, '.git/config'), 'utf8'), /user/);
      },
      { init: false, identity: false },
    );
  });

  test('the user stays who they are; an author of the call is committed by the user', async () => {
    await withRepository(async ({ git, put, run }) => {
      put('a');
      await commit(git, { ...all, message: 'one' });
      put('a', 'two');
      await commit(git, { ...all, message: 'two', author: { name: 'Ann "A" Émile', email: 'ann@example.org' } });
      assert.equal(
        run('log', '--format=%an <%ae> by %cn'),
        'Ann "A" Émile <ann@example.org> by Uma User\nUma User <uma@example.org> by Uma User',
      );
    });
  });

  test('an empty repository can be asked everything', async () => {
    await withRepository(async ({ git, put, run }) => {
      assert.deepEqual(
        { ...(await status(git, false)), entries: 0 },
        { branch: 'main', head: null, stashes: 0, entries: 0, underWay: undefined, lockAgeMs: undefined, cut: false },
      );
      assert.deepEqual(await log(git, { count: 5, skip: 0 }), { commits: [], more: false });
      assert.equal((await show(git, { path: 'a', revision: 'HEAD' })).exists, false);
      assert.deepEqual(await commit(git, { ...all, message: 'x' }), {
        committed: false,
        hash: null,
        files: 0,
        summary: 'Nothing changed since the last commit.',
      });
      put('a');
      run('add', 'a');
      assert.match((await diff(git, { ...diffOf, staged: true })).diff, /^\+a$/m);
      assert.match((await diff(git, { ...diffOf, from: 'HEAD' })).diff, /^\+a$/m);
    });
  });

  test('nothing to commit is an answer, and runs no hook', async () => {
    await withRepository(async ({ git, put, root, folder }) => {
      put('a');
      await commit(git, { ...all, message: 'one' });
      fs.writeFileSync(path.join(root, '.git/hooks/pre-commit'), `#!/bin/sh\ntouch '${folder}/hooked'\n`, { mode: 0o755 });
      assert.equal((await commit(git, { ...all, message: 'two' })).committed, false);
      assert.equal((await commit(git, { ...all, paths: ['a', 'missing'], message: 'two' })).committed, false);
      fs.utimesSync(path.join(root, 'a'), 1, 1);
      assert.equal((await commit(git, { ...all, message: 'two' })).committed, false, 'touched, not changed');
      assert.ok(!fs.existsSync(path.join(folder, 'hooked')));
      await assert.rejects(commit(git, { ...all, message: ' \n' }), fails('BAD_INPUT'));
    });
  });

  test('any name can be shown, compared and committed', async () => {
    await withRepository(async ({ git, put, run, root }) => {
      const odd = [
        'with space',
        ' lead',
        'tab\there',
        'new\nline',
        '"quoted"',
        "it's",
        'back\\slash',
        '-rf',
        '--all',
        ':(top)x',
        '*',
        '[a]',
        '#x',
        '🎉.txt',
        'é/ü',
        '{x}',
        '$HOME',
        'a'.repeat(200),
      ];
      for (const name of odd) put(name, 'one\n');
      const bytes = Buffer.concat([Buffer.from(`${root}/`), Buffer.of(0x63, 0x61, 0x66, 0xe9)]);
      fs.writeFileSync(bytes, 'one\n');
      const shown = await names(git);
      assert.deepEqual(shown.toSorted(), [...odd, 'caf\\xe9'].map((name) => `- untracked ${name}`).toSorted());
      const one = await commit(git, { ...all, paths: ['*'], message: 'star' });
      assert.equal(one.files, 1);
      assert.equal(run('ls-tree', '-r', '--name-only', 'HEAD'), '*', 'a star is a name, not a pattern');
      assert.equal((await commit(git, { ...all, message: 'rest' })).files, odd.length);
      assert.deepEqual(await names(git), []);
      for (const name of odd) {
        put(name, 'two\n');
        assert.equal((await show(git, { path: name, revision: 'HEAD' })).text, 'one\n', name);
        assert.match((await diff(git, { ...diffOf, path: name })).diff, /^-one\n\+two$/m, name);
        assert.equal((await log(git, { path: name, count: 5, skip: 0 })).commits.length, 1, name);
      }
      assert.equal((await commit(git, { ...all, paths: odd, message: 'again' })).files, odd.length);
    });
  });

  test('only what was chosen is committed; what else is staged stays staged', async () => {
    await withRepository(async ({ git, put, run, root }) => {
      for (const name of ['a', 'b', 'c', 'gone', 'dir/x', 'dir/y']) put(name);
      await commit(git, { ...all, message: 'base' });
      for (const name of ['a', 'b', 'c']) put(name, 'changed');
      run('add', 'a');
      put('dir/new');
      fs.rmSync(path.join(root, 'dir/x'));
      run('rm', '-q', 'gone');
      assert.equal((await commit(git, { ...all, all: false, paths: ['b', 'dir', 'gone'], message: 'some' })).files, 4);
      assert.equal(run('show', '--name-status', '--format=', '--no-renames', 'HEAD'), 'M\tb\nA\tdir/new\nD\tdir/x\nD\tgone');
      assert.deepEqual(await names(git), ['modified - a', '- modified c']);
      assert.equal((await commit(git, { ...all, all: false, message: 'staged' })).files, 1);
      assert.equal(run('show', '--name-only', '--format=', 'HEAD'), 'a');
      assert.deepEqual(await names(git), ['- modified c']);
      assert.equal((await commit(git, { ...all, all: false, message: 'none' })).committed, false);
    });
  });

  test('renames are told with both names, and a file may become a folder', async () => {
    await withRepository(async ({ git, put, run, root }) => {
      put('old', 'the same content in both\n');
      put('thing');
      await commit(git, { ...all, message: 'base' });
      run('mv', 'old', 'new');
      const found = await status(git, false);
      assert.deepEqual(
        found?.entries.map(({ path: { shown }, from, staged }) => [shown, from?.shown, staged]),
        [['new', 'old', 'renamed']],
      );
      fs.rmSync(path.join(root, 'thing'));
      put('thing/inside');
      assert.equal((await commit(git, { ...all, message: 'moved' })).committed, true);
      assert.equal(run('ls-tree', '-r', '--name-only', 'HEAD'), 'new\nthing/inside');
      assert.deepEqual(await names(git), []);
    });
  });

  test('a workspace inside of a larger repository shows and commits only itself', async () => {
    await withRepository(
      async ({ git, put, run, runIn, root }) => {
        const top = path.dirname(path.dirname(root));
        fs.writeFileSync(path.join(top, 'outer'), 'one\n');
        put('in ner', 'one\n');
        runIn(top, 'add', '.');
        runIn(top, 'commit', '-qm', 'base');
        fs.writeFileSync(path.join(top, 'outer'), 'two\n');
        runIn(top, 'commit', '-qam', 'outside only');
        fs.writeFileSync(path.join(top, 'outer'), 'three\n');
        put('in ner', 'two\n');
        put('fresh');
        assert.deepEqual(await names(git), ['- modified in ner', '- untracked fresh']);
        const patch = (await diff(git, { ...diffOf, from: 'HEAD' })).diff;
        assert.match(patch, /^diff --git a\/in ner b\/in ner$/m);
        assert.doesNotMatch(patch, /outer/);
        assert.deepEqual(await show(git, { path: 'in ner', revision: 'HEAD' }), { exists: true, text: 'one\n', binary: false, size: 4 });
        assert.equal((await show(git, { path: 'in ner', revision: ':' })).text, 'one\n');
        assert.deepEqual(
          (await log(git, { count: 5, skip: 0 })).commits.map(({ subject }) => subject),
          ['base'],
        );
        runIn(top, 'add', 'outer');
        assert.equal((await commit(git, { ...all, all: false, message: 'x' })).committed, false, 'what is staged elsewhere is not ours');
        run('add', 'in ner');
        await assert.rejects(commit(git, { ...all, all: false, message: 'x' }), fails('GIT_FAILED', /outer/));
        assert.equal((await commit(git, { ...all, message: 'inner' })).files, 2);
        assert.equal(run('show', '--name-only', '--format=', 'HEAD').split('\n').toSorted().join(), 'deep/ws/fresh,deep/ws/in ner');
        assert.equal(runIn(top, 'diff', '--cached', '--name-only'), 'outer', 'what others staged is as it was');
      },
      { below: 'deep/ws' },
    );
  });

  test('a detached head, a worktree, a submodule and a shallow clone are repositories like others', async () => {
    await withRepository(async ({ git, put, run, runIn, make, folder, root }) => {
      put('a');
      await commit(git, { ...all, message: 'one' });
      put('a', 'two');
      await commit(git, { ...all, message: 'two' });
      run('checkout', '-q', '--detach');
      const head = run('rev-parse', 'HEAD');
      const detached = await status(git, false);
      assert.deepEqual([detached?.branch, detached?.head], [null, head]);
      run('checkout', '-q', 'main');

      const tree = path.join(folder, 'tree');
      run('worktree', 'add', '-q', '-b', 'side', tree);
      const side = make({ root: tree });
      fs.writeFileSync(path.join(tree, 'b'), 'b');
      assert.equal((await commit(side, { ...all, message: 'in the worktree' })).committed, true);
      assert.equal((await status(side, false))?.branch, 'side');
      assert.equal(run('log', '-1', '--format=%s', 'side'), 'in the worktree');

      const shallow = path.join(folder, 'shallow');
      runIn(folder, 'clone', '-q', '--depth', '1', `file://${root}`, shallow);
      const found = await log(make({ root: shallow }), { count: 10, skip: 0 });
      assert.deepEqual(
        found.commits.map(({ subject, parents, refs }) => [subject, parents.length, refs]),
        [['two', 0, ['grafted', 'HEAD -> main', 'origin/main', 'origin/HEAD']]],
      );

      run('-c', 'protocol.file.allow=always', 'submodule', '--quiet', 'add', shallow, 'lib');
      await commit(git, { ...all, message: 'with a submodule' });
      const lib = path.join(root, 'lib');
      fs.writeFileSync(path.join(lib, 'a'), 'changed inside');
      assert.deepEqual(await names(git), [], 'what is not committed there can not be committed here');
      runIn(lib, 'commit', '-qam', 'inside');
      const entries = (await status(git, false))?.entries ?? [];
      assert.deepEqual(
        entries.map(({ path: { shown }, submodule, unstaged }) => [shown, submodule, unstaged]),
        [['lib', true, 'modified']],
      );
      await assert.rejects(show(git, { path: 'lib', revision: 'HEAD' }), fails('BAD_INPUT', /submodule/));
      put('a', 'not committed');
      const both = [{ path: 'a' }, { path: 'lib' }];
      await assert.rejects(restore(git, { files: both }), fails('BAD_INPUT', /lib is a submodule/));
      assert.equal(fs.readFileSync(path.join(root, 'a'), 'utf8'), 'not committed');
      assert.deepEqual(await restore(git, { files: [{ path: 'a' }] }), { files: 1 });
      assert.equal((await commit(git, { ...all, message: 'newer' })).files, 1);
      assert.deepEqual(
        (await log(make({ root: lib }), { count: 1, skip: 0 })).commits.map(({ subject }) => subject),
        ['inside'],
      );
    });
  });

  test('a partial clone shows what is there; of what is not, it is said that it was left out, and how it comes', async () => {
    await withRepository(async ({ git, run, runIn, put, save, folder, root }) => {
      put('a', 'one\n');
      const first = save('one');
      put('a', 'two\n');
      save('two');
      run('config', 'uploadpack.allowFilter', 'true');
      const whole = path.join(folder, 'whole');
      fs.renameSync(root, whole);
      runIn(folder, '-c', 'protocol.file.allow=always', 'clone', '-q', '--filter=blob:none', `file://${whole}`, root);
      assert.deepEqual(await names(git), []);
      assert.equal((await log(git, { path: 'a', count: 5, skip: 0 })).commits.length, 2);
      const lacking = fails('GIT_FAILED', /^show: this clone is partial.* `git fetch --refetch --no-filter` brings all of it\.$/);
      await assert.rejects(show(git, { path: 'a', revision: first }), lacking);
      runIn(root, 'fetch', '-q', '--refetch', '--no-filter');
      assert.equal((await show(git, { path: 'a', revision: first })).text, 'one\n');
    });
  });

  test('a conflict is told, not committed with its marks, and committed when they are gone', async () => {
    await withRepository(async ({ git, put, run }) => {
      put('a', 'base\n');
      put('b', 'base\n');
      await commit(git, { ...all, message: 'base' });
      run('checkout', '-qb', 'side');
      put('a', 'side\n');
      await commit(git, { ...all, message: 'side' });
      run('checkout', '-q', 'main');
      put('a', 'main\n');
      await commit(git, { ...all, message: 'main' });
      assert.throws(() => run('merge', 'side'));
      const found = await status(git, false);
      assert.equal(found?.underWay?.doing, 'merge');
      assert.deepEqual(await names(git), ['unmerged unmerged a']);
      assert.equal((await show(git, { path: 'a', revision: ':2' })).text, 'main\n');
      assert.equal((await show(git, { path: 'a', revision: ':3' })).text, 'side\n');
      assert.equal((await show(git, { path: 'a', revision: ':' })).exists, false);
      await assert.rejects(commit(git, { ...all, message: 'no' }), fails('GIT_FAILED', /^commit: a still in conflict/));
      assert.equal(run('ls-files', '-u').split('\n').length, 3, 'the index is as it was');
      put('a', 'both\n');
      assert.equal((await commit(git, { ...all, message: 'merged' })).committed, true);
      assert.equal(run('log', '-1', '--format=%p').split(' ').length, 2);
      assert.equal((await status(git, false))?.underWay?.doing, undefined);
      run('checkout', '-q', 'side');
      put('a', 'third\n');
      await commit(git, { ...all, message: 'third' });
      assert.throws(() => run('rebase', 'main'));
      assert.equal((await status(git, false))?.underWay?.doing, 'rebase');
      run('rebase', '--abort');
      assert.throws(() => run('cherry-pick', 'main~1'));
      assert.equal((await status(git, false))?.underWay?.doing, 'cherry-pick');
    });
  });

  test('marks of a conflict are seen where .gitattributes makes them longer', async () => {
    await withRepository(async ({ git, put, save, run }) => {
      put('.gitattributes', '* conflict-marker-size=20\n');
      put('a', 'base\n');
      save('base');
      run('checkout', '-qb', 'side');
      put('a', 'side\n');
      save('side');
      run('checkout', '-q', 'main');
      put('a', 'main\n');
      save('main');
      assert.throws(() => run('merge', 'side'));
      await assert.rejects(commit(git, { ...all, message: 'no' }), fails('GIT_FAILED', /^commit: a still in conflict/));
      put('a', 'both\n');
      assert.equal((await commit(git, { ...all, message: 'merged' })).committed, true);
    });
  });

  test('reading takes no lock, also of files whose times alone are others', async () => {
    await withRepository(async ({ git, put, save, root }) => {
      for (const name of ['a', 'b']) put(name);
      save('both');
      const index = path.join(root, '.git/index');
      const before = fs.statSync(index);
      const reads: (() => Promise<unknown>)[] = [
        () => names(git),
        () => diff(git, { staged: false, context: 3 }),
        () => diff(git, { path: 'a', staged: false, context: 3 }),
        () => hunks(git, { path: 'a', staged: false, maxLines: 100 }),
      ];
      for (const [at, read] of reads.entries()) {
        const time = new Date(2020, 0, 1 + at);
        fs.utimesSync(path.join(root, 'a'), time, time);
        await read();
        const { ino, mtimeMs } = fs.statSync(index);
        assert.deepEqual({ ino, mtimeMs }, { ino: before.ino, mtimeMs: before.mtimeMs }, `${at}`);
      }
    });
  });

  test('a lock that lies there is an error with a hint, and stays', async () => {
    await withRepository(async ({ git, put, root }) => {
      put('a');
      const lock = path.join(root, '.git/index.lock');
      fs.writeFileSync(lock, '');
      assert.deepEqual(await names(git), ['- untracked a'], 'reading needs no lock');
      await assert.rejects(commit(git, { ...all, message: 'x' }), fails('GIT_LOCKED', /remove index\.lock/));
      assert.ok(fs.existsSync(lock));
      fs.rmSync(lock);
      assert.equal((await commit(git, { ...all, message: 'x' })).committed, true);
    });
  });

  test('a filter that hangs is ended with all that it started', async () => {
    await withRepository(async ({ make, put, root, run, folder }) => {
      put('a');
      const filter = path.join(folder, 'filter');
      const pids = hanging(filter, folder);
      fs.writeFileSync(path.join(root, '.gitattributes'), 'a filter=slow\n');
      run('config', 'filter.slow.clean', filter);
      await assert.rejects(commit(make({ timeoutMs: 700 }), { ...all, message: 'x' }), fails('PROCESS_TIMEOUT'));
      await bothEnd(pids, root);
    });
  });

  test('a hook may take longer than git by itself', async () => {
    await withRepository(async ({ make, put, root }) => {
      put('a');
      fs.writeFileSync(path.join(root, '.git/hooks/pre-commit'), '#!/bin/sh\nsleep 2\n', { mode: 0o755 });
      assert.equal((await commit(make({ timeoutMs: 1500 }), { ...all, message: 'x' })).committed, true);
    });
  });

  test('a hook that hangs is ended with all that it started; one that refuses is quoted', async () => {
    await withRepository(async ({ make, git, put, root, folder }) => {
      put('a');
      const hook = path.join(root, '.git/hooks/pre-commit');
      const pids = hanging(hook, folder);
      await assert.rejects(commit(make({ networkTimeoutMs: 700 }), { ...all, message: 'x' }), fails('PROCESS_TIMEOUT'));
      await bothEnd(pids, root);
      fs.writeFileSync(hook, '#!/bin/sh\necho "error: no tabs, see https://ann:pw@example.org" >&2; exit 1\n');
      await assert.rejects(commit(git, { ...all, message: 'x' }), (error: OutriggerError) => {
        assert.ok(fails('GIT_FAILED', /no tabs/)(error));
        assert.doesNotMatch(`${error.message}${JSON.stringify(error.details)}`, /:pw@/);
        return true;
      });
      fs.writeFileSync(hook, `#!/bin/sh\nsleep 60 & echo $! > '${pids}'; wait\n`);
      const canceled = new AbortController();
      fs.rmSync(pids);
      const made = commit(git, { ...all, message: 'x' }, canceled.signal);
      await eventually(() => fs.existsSync(pids) && fs.readFileSync(pids, 'utf8') !== '');
      canceled.abort(new OutriggerError('CANCELED', 'enough'));
      await assert.rejects(made, fails('CANCELED'));
      await eventually(() => !isAlive(Number(fs.readFileSync(pids, 'utf8'))));
      fs.rmSync(hook);
      assert.equal((await commit(git, { ...all, message: 'x' })).committed, true, 'the next one is served');
    });
  });

  test('commits come one after the other', async () => {
    await withRepository(async ({ git, put, run }) => {
      const commits = Array.from({ length: 6 }, (_, index) => {
        put(`f${index}`);
        return commit(git, { ...all, paths: [`f${index}`], message: `c${index}` });
      });
      const waiting = new AbortController();
      const given = commit(git, { ...all, message: 'never' }, waiting.signal);
      waiting.abort(new OutriggerError('CANCELED', 'enough'));
      await assert.rejects(given, fails('CANCELED'));
      assert.ok((await Promise.all(commits)).every(({ committed, files }) => committed && files === 1));
      assert.equal(run('log', '--reverse', '--format=%s'), 'c0\nc1\nc2\nc3\nc4\nc5');
    });
  });

  test('four commands read at once and two conversations go on; the next waits until one of them has ended', async () => {
    await withRepository(async ({ git }) => {
      const table = [
        [4, git.reading],
        [2, git.talking],
      ] as const;
      for (const [most, take] of table) {
        const begun: (() => void)[] = [];
        const all = Array.from({ length: most + 2 }, () =>
          take.call(git, undefined, () => new Promise<void>((resolve) => void begun.push(resolve))),
        );
        await new Promise(setImmediate);
        assert.equal(begun.length, most);
        for (const [index, end] of begun.entries()) {
          end();
          await all[index];
        }
        await Promise.all(all);
      }
    });
  });

  test('reading runs nothing that the repository names', async () => {
    await withRepository(async ({ git, put, run, folder }) => {
      const trap = path.join(folder, 'trap.sh');
      const sprung = path.join(folder, 'sprung');
      fs.writeFileSync(trap, `#!/bin/sh\necho "$0 $*" >> '${sprung}'\ncat\n`, { mode: 0o755 });
      put('a.txt', 'one\n');
      put('.gitattributes', '*.txt filter=evil diff=evil\n*.bin filter=worse=\n');
      put('b.bin', 'one\n');
      run('add', '.');
      run('commit', '-qm', 'base');
      const config: [string, string][] = [
        ['core.fsmonitor', trap],
        ['core.pager', trap],
        ['core.sshCommand', trap],
        ['core.editor', trap],
        ['diff.external', trap],
        ['diff.evil.command', trap],
        ['diff.evil.textconv', trap],
        ['filter.evil.clean', trap],
        ['filter.evil.smudge', trap],
        ['filter.evil.process', trap],
        ['filter.evil.required', 'true'],
        ['filter.worse=.clean', trap],
        ['log.showSignature', 'true'],
        ['gpg.program', trap],
        ['alias.status', `!${trap}`],
        ['core.hooksPath', folder],
      ];
      for (const [key, value] of config) run('config', key, value);
      fs.copyFileSync(trap, path.join(folder, 'post-index-change'));
      put('a.txt', 'two\n');
      put('b.bin', 'two\n');
      assert.deepEqual(await names(git), ['- modified a.txt', '- modified b.bin']);
      assert.match((await diff(git, diffOf)).diff, /^\+two$/m);
      await diff(git, { ...diffOf, from: 'HEAD' });
      await diff(git, { ...diffOf, staged: true });
      await log(git, { count: 5, skip: 0 });
      await log(git, { count: 5, skip: 0, path: 'a.txt' });
      assert.equal((await show(git, { path: 'a.txt', revision: 'HEAD' })).text, 'one\n');
      assert.ok(!fs.existsSync(sprung), fs.existsSync(sprung) ? fs.readFileSync(sprung, 'utf8') : '');
      // The same traps do spring for who does not take care.
      assert.throws(() => run('diff'));
      assert.ok(fs.existsSync(sprung));
    });
  });

  test('a revision that there is not is named as it was given, whatever was to be done with it', async () => {
    await withRepository(async ({ git, put, save }) => {
      put('a');
      save('base');
      for (const ask of [
        () => cherryPick(git, 'nope'),
        () => revert(git, 'nope'),
        () => reset(git, { to: 'nope', mode: 'mixed' }),
        () => hunks(git, { commit: 'nope', staged: false, maxLines: 10 }),
        () => diff(git, { ...diffOf, from: 'nope' }),
        () => diff(git, { ...diffOf, from: 'HEAD', to: 'nope' }),
        () => show(git, { path: 'a', revision: 'nope' }),
        () => commitInfo(git, 'nope'),
        () => restore(git, { files: [{ path: 'a' }], from: 'nope' }),
      ])
        await assert.rejects(ask(), fails('GIT_FAILED', /^There is no commit for nope\.$/), String(ask));
    });
  });

  test('a path that may be read shows nothing of other files, whatever object is given for a revision', async () => {
    await withRepository(async ({ git, put, run }) => {
      put('open/a', 'open\n');
      put('secret/open/a', 'the secret\n');
      await commit(git, { ...all, message: 'one' });
      const [blob, folder] = [run('rev-parse', 'HEAD:secret/open/a'), run('rev-parse', 'HEAD:secret')];
      for (const from of [blob, blob.slice(0, 8), folder, `${folder}^{tree}`]) {
        await assert.rejects(diff(git, { ...diffOf, path: 'open/a', from }), fails('GIT_FAILED'));
        await assert.rejects(diff(git, { ...diffOf, path: 'open/a', from: 'HEAD', to: from }), fails('GIT_FAILED'));
        await assert.rejects(hunks(git, { path: 'open/a', staged: false, from, maxLines: 10 }), fails('GIT_FAILED'));
        await assert.rejects(show(git, { path: 'open/a', revision: from }), fails('GIT_FAILED'));
      }
      assert.equal((await show(git, { path: 'open/a', revision: 'HEAD' })).text, 'open\n');
      assert.equal((await diff(git, { ...diffOf, path: 'open/a', from: 'HEAD' })).diff, '');
    });
  });

  test('options can not be smuggled in', async () => {
    await withRepository(async ({ git, put, folder }) => {
      put('a');
      await commit(git, { ...all, message: 'one' });
      const stolen = path.join(folder, 'stolen');
      const bad = `--output=${stolen}`;
      await assert.rejects(diff(git, { ...diffOf, from: bad }), fails('BAD_INPUT', /dash/));
      await assert.rejects(diff(git, { ...diffOf, from: 'HEAD', to: bad }), fails('BAD_INPUT'));
      await assert.rejects(log(git, { from: bad, count: 1, skip: 0 }), fails('BAD_INPUT'));
      await assert.rejects(show(git, { path: 'a', revision: bad }), fails('BAD_INPUT'));
      await assert.rejects(show(git, { path: 'a', revision: 'HEAD:' }), fails('BAD_INPUT', /path/));
      await diff(git, { ...diffOf, path: bad });
      put('b');
      await commit(git, { ...all, message: bad });
      await commit(git, { ...all, paths: [bad], message: 'x' });
      assert.ok(!fs.existsSync(stolen));
      await assert.rejects(diff(git, { ...diffOf, to: 'HEAD' }), fails('BAD_INPUT'));
      await assert.rejects(diff(git, { ...diffOf, from: 'nope' }), fails('GIT_FAILED', /nope/));
      await assert.rejects(log(git, { from: 'nope', count: 1, skip: 0 }), fails('GIT_FAILED', /nope/));
      await assert.rejects(show(git, { path: 'a', revision: 'nope' }), fails('GIT_FAILED'));
      await assert.rejects(commit(git, { ...all, message: 'a\0b' }), fails('BAD_INPUT'));
    });
  });

  test('files are shown as they were: text, binary, links, and those that are pointers', async () => {
    await withRepository(async ({ git, make, put, root }) => {
      put('text', '\ufeffGrüße\r\n');
      put('binary', Buffer.from([1, 0, 2]));
      put('latin', Buffer.from([0x67, 0xfc]));
      put('big', 'x'.repeat(5000));
      put('dir/file');
      const pointer = 'version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 12\n';
      put('model.lfs', pointer);
      fs.symlinkSync('/etc/hostname', path.join(root, 'link'));
      await commit(git, { ...all, message: 'one' });
      fs.rmSync(path.join(root, 'text'));
      const shown = (file: string): Promise<object> => show(git, { path: file, revision: 'HEAD' });
      assert.deepEqual(await shown('text'), { exists: true, text: 'Grüße\r\n', binary: false, size: 12 });
      assert.deepEqual(await shown('binary'), { exists: true, text: '', binary: true, size: 3 });
      assert.deepEqual(await shown('latin'), { exists: true, text: '', binary: true, size: 2 });
      assert.deepEqual(await shown('model.lfs'), { exists: true, text: pointer, binary: false, size: pointer.length });
      assert.deepEqual(await shown('link'), { exists: true, text: '/etc/hostname', binary: false, size: 13 });
      assert.deepEqual(await shown('missing'), { exists: false, text: '', binary: false, size: 0 });
      await assert.rejects(shown('dir'), fails('BAD_INPUT', /folder/));
      await assert.rejects(show(make({ maxTextBytes: 4999 }), { path: 'big', revision: 'HEAD' }), fails('OUTPUT_TOO_LARGE'));
      assert.equal((await show(make({ maxTextBytes: 5000 }), { path: 'big', revision: 'HEAD' })).size, 5000);
    });
  });

  test('of a list of git that is longer than 64 MiB what follows is left out, no name is cut, and it is said (long form)', async () => {
    await withRepository(async ({ folder, make }) => {
      const most = 64 * 1024 * 1024;
      const long = 'x'.repeat(4000);
      const program = path.join(folder, 'bin', 'git');
      fs.mkdirSync(path.dirname(program));
      /** A git that answers every question with this record, over and over; `@` stands for NUL. */
      const answer = (record: string, bytes: number): void =>
        fs.writeFileSync(program, `#!/bin/sh\nyes '${record}' | head -c ${bytes} | tr -d '\\n' | tr '@' '\\0'\n`, { mode: 0o755 });
      const git = make({}, { processes: new Processes({ env: { PATH: `${path.dirname(program)}:${process.env['PATH']}` } }) });
      const call = { signal: new AbortController().signal, visible: () => true, caller: {} } as unknown as Call<never>;
      const ask = () => gitOperations(git)['git.status'](contract['git.status'].input.parse({ limit: 100_000 }), call);
      answer(`? ${long}@`, most);
      assert.equal((await ask()).truncated, false);
      answer(`? ${long}@`, most + 1024 * 1024);
      const { changes, truncated } = await ask();
      assert.deepEqual([truncated, changes.length], [true, Math.floor(most / 4003)]);
      assert.ok(changes.every((change) => change.path === long));
      answer(`refs/tags/one@hash@@0@${long}@commit@`, most + 1024 * 1024);
      assert.equal((await tags(git, 100_000)).truncated, true);
      answer(`${'a'.repeat(40)}@1@${long}@`, most + 1024 * 1024);
      const put = await stashes(git, 100_000);
      assert.deepEqual([put.truncated, put.stashes.length, put.stashes.at(-1)?.subject], [true, Math.floor(most / 4044), long]);
    });
  });

  test('a patch that is too long ends with a line, and says how much is missing', async () => {
    await withRepository(async ({ git, make, put }) => {
      put('a', '');
      await commit(git, { ...all, message: 'one' });
      put('a', 'line\n'.repeat(1000));
      const whole = await diff(git, diffOf);
      const cut = await diff(make({ maxTextBytes: 1002 }), diffOf);
      assert.deepEqual([whole.truncated, cut.truncated], [false, true]);
      assert.ok(cut.diff.endsWith('\n+line\n') && whole.diff.startsWith(cut.diff));
      assert.equal(cut.diff.length + cut.omittedBytes, whole.diff.length);
    });
  });

  test('the log goes on where it was left, and a commit may hold anything', async () => {
    await withRepository(async ({ git, run }) => {
      const messages = ['a\n\nbody of a\nwith lines', 'b 🎉 "quoted"', 'c\n\nSigned-off-by: x'];
      for (const message of messages) run('commit', '-q', '--allow-empty', '-m', message);
      run('tag', 'v1');
      const first = await log(git, { count: 2, skip: 0 });
      assert.deepEqual([first.commits.map(({ subject }) => subject), first.more], [['c', 'b 🎉 "quoted"'], true]);
      assert.deepEqual(first.commits[0]?.refs, ['HEAD -> main', 'tag: v1']);
      const rest = await log(git, { count: 2, skip: 2 });
      assert.deepEqual([rest.commits.map(({ body }) => body), rest.more], [['body of a\nwith lines'], false]);
      assert.deepEqual((await log(git, { from: 'HEAD~1..HEAD', count: 9, skip: 0 })).commits.length, 1);
    });
  });

  test('a log that is too long for one answer says that there is more', async () => {
    await withRepository(async ({ git, put, save, run }) => {
      put('a');
      save('oldest');
      // An argument is too short for it, and what is read of git at most is 16 MiB.
      const file = put('message', 'x'.repeat(17 * 1024 * 1024));
      run('commit', '-q', '--allow-empty', '-F', file);
      run('commit', '-q', '--allow-empty', '-m', 'newest');
      const { commits, more } = await log(git, { count: 10, skip: 0 });
      assert.deepEqual([commits.map(({ subject }) => subject), more], [['newest'], true]);
    });
  });

  test('a commit whose message is too long for an answer ends no log without a word, and is not cut when it is amended', async () => {
    await withRepository(async ({ git, put, save, run }) => {
      put('a');
      save('oldest');
      const before = run('commit-tree', '-p', 'HEAD', '-F', put('.git/message', 'x'.repeat(17 * 1024 * 1024)), 'HEAD^{tree}');
      run('reset', '-q', '--soft', before);
      await assert.rejects(log(git, { count: 10, skip: 0 }), fails('OUTPUT_TOO_LARGE', /message/));
      assert.deepEqual(
        (await log(git, { count: 10, skip: 1 })).commits.map(({ subject }) => subject),
        ['oldest'],
      );
      put('b');
      await assert.rejects(commit(git, { ...all, message: undefined, amend: true }), fails('GIT_FAILED', /message/));
      assert.equal(run('rev-parse', 'HEAD'), before);
      assert.equal((await commit(git, { ...all, message: 'short', amend: true })).committed, true);
    });
  });

  test('of a commit whose message is longer than all that is read of git that is said (long form)', async () => {
    await withRepository(async ({ git, put, save, run }) => {
      put('a');
      save('oldest');
      run('reset', '-q', '--soft', run('commit-tree', '-F', put('.git/message', 'x'.repeat(65 * 1024 * 1024)), 'HEAD^{tree}'));
      await assert.rejects(commitInfo(git, 'HEAD'), fails('OUTPUT_TOO_LARGE', /message/));
    });
  });

  test('ignored files are told when asked for, files that are about to be gone never', async () => {
    await withRepository(async ({ git, put, run }) => {
      put('.gitignore', 'out/\n');
      put('out/a');
      put('out/b');
      put('.outrigger-0123456789ab.tmp');
      put('dir/.outrigger-0123456789ab.tmp');
      put('dir/.nfs000000000000000300000001');
      assert.deepEqual(await names(git, true), ['- untracked .gitignore', '- ignored out']);
      await commit(git, { ...all, message: 'one' });
      assert.equal(run('ls-files'), '.gitignore');
    });
  });

  test('documents are saved before git looks', async () => {
    await withRepository(async ({ git, put, flushed }) => {
      put('a');
      await status(git, false);
      await diff(git, diffOf);
      await commit(git, { ...all, message: 'x' });
      assert.equal(flushed(), 3);
    });
  });

  test('saves are held from then on until a commit ends, however it ends', async () => {
    await withRepository(async ({ make, put, root }) => {
      const told: string[] = [];
      const git = make(
        {},
        {
          holdSaves: async () => {
            told.push('held');
            return () => void told.push(fs.existsSync(path.join(root, 'ran')) ? 'free after the hook' : 'free');
          },
        },
      );
      put('a');
      fs.writeFileSync(path.join(root, '.git/hooks/pre-commit'), '#!/bin/sh\ntouch ran\nexit 1\n', { mode: 0o755 });
      await assert.rejects(commit(git, { ...all, message: 'x' }), fails('GIT_FAILED'));
      assert.deepEqual(told, ['held', 'free after the hook']);
    });
  });

  test('a repository inside of the folder is not swallowed by a commit of everything', async () => {
    await withRepository(async ({ git, put, run, runIn, root }) => {
      put('nested/file');
      runIn(path.join(root, 'nested'), 'init', '-q');
      put('own');
      assert.deepEqual(await names(git), ['- untracked nested', '- untracked own']);
      assert.equal((await commit(git, { ...all, message: 'x' })).files, 1);
      assert.equal(run('ls-files'), 'own');
    });
  });

  test('a repository of another work tree, or without one, is none here', async () => {
    await withRepository(async ({ git, make, run, runIn, folder }) => {
      run('config', 'core.worktree', path.join(folder, 'home'));
      assert.equal(await status(git, false), undefined);
      await assert.rejects(diff(git, diffOf), fails('NO_REPOSITORY', /work tree/));
      const bare = path.join(folder, 'bare');
      runIn(folder, 'init', '-q', '--bare', bare);
      await assert.rejects(commit(make({ root: bare, init: true }), { ...all, message: 'x' }), fails('NO_REPOSITORY', /bare/));
      await assert.rejects(status(make({ root: path.join(folder, 'gone') }), false), fails('WORKSPACE_GONE'));
    });
  });

  test('thousands of changes are read and committed in one go (long form)', async () => {
    await withRepository(async ({ git, run, root }) => {
      for (let folder = 0; folder < 20; folder++) {
        fs.mkdirSync(path.join(root, `d${folder}`));
        for (let file = 0; file < 150; file++) fs.writeFileSync(path.join(root, `d${folder}`, `f${file}`), '');
      }
      assert.equal((await names(git)).length, 3000);
      assert.equal((await commit(git, { ...all, message: 'x'.repeat(65_000) })).files, 3000);
      assert.equal(run('ls-files').split('\n').length, 3000);
    });
  });

  test('a folder of another user is trusted when it is the workspace, and only then', {
    skip: process.getuid?.() === 0 ? false : 'only root can give a folder away',
  }, async () => {
    await withRepository(async ({ git, make, put, root }) => {
      put('sub/a');
      fs.chownSync(root, 12_345, 12_345);
      fs.chownSync(path.join(root, '.git'), 12_345, 12_345);
      assert.deepEqual(await names(git), ['- untracked sub/a']);
      assert.equal((await commit(git, { ...all, message: 'x' })).committed, true);
      await assert.rejects(status(make({ root: path.join(root, 'sub') }), false), fails('GIT_FAILED', /safe\.directory/));
    });
  });
});
