import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { describe, test } from 'node:test';
import { fails, names, slowly, withRepository } from '../../../test/kit/git-world.ts';
import { longestTurn } from '../../../test/kit/loop-hold.ts';
import { requireTool } from '../../../test/kit/require-tools.ts';
import { hunks } from './hunks.ts';
import { restore, stage, unstage } from './staging.ts';

describe('whole files and hunks in one call', { skip: requireTool('git') }, () => {
  test('a file that changes in the last moment leaves all others as they were, too', async () => {
    await withRepository(async ({ git, make, processes, put, save, run, file }) => {
      for (const name of ['a', 'b']) put(name, 'one\n');
      save('base');
      for (const name of ['a', 'b']) put(name, 'two\n');
      const idOf = async (staged: boolean): Promise<string> =>
        (await hunks(git, { path: 'a', staged, maxLines: 100 })).files[0]?.hunks[0]?.id ?? '';
      const disturbed = make(
        {},
        {
          processes: {
            open: processes.open.bind(processes),
            run: (request) => {
              // Another program is quicker by a moment.
              if (request.argv.includes('apply')) {
                put('a', 'three\n');
                run('add', 'a');
              }
              return processes.run(request);
            },
          },
        },
      );
      const files = async (staged: boolean) => [{ path: 'b' }, { path: 'a', hunks: [await idOf(staged)] }];
      await assert.rejects(restore(disturbed, { files: await files(false) }), fails('GIT_STALE_HUNK', /nothing was done/));
      assert.equal(file('b'), 'two\n');
      run('reset', '-q');
      put('a', 'two\n');
      await assert.rejects(stage(disturbed, await files(false)), fails('GIT_STALE_HUNK', /nothing was done/));
      assert.equal(run('show', ':b'), 'one');
      run('reset', '-q');
      put('a', 'two\n');
      run('add', 'a', 'b');
      await assert.rejects(unstage(disturbed, await files(true)), fails('GIT_STALE_HUNK', /nothing was done/));
      assert.equal(run('show', ':b'), 'two');
    });
  });

  test('a folder that became a link is staged: its files go, and the link comes', async () => {
    await withRepository(async ({ git, put, save, run, root }) => {
      for (const name of ['docs/a', 'real/a', 'other']) put(name, 'one\n');
      save('base');
      fs.rmSync(path.join(root, 'docs'), { recursive: true });
      fs.symlinkSync('real', path.join(root, 'docs'));
      put('other', 'two\n');
      assert.deepEqual(await stage(git, [{ path: 'docs' }]), { files: 2 });
      assert.deepEqual(await names(git), ['added - docs', 'deleted - docs/a', '- modified other']);
      await unstage(git, []);
      assert.deepEqual(await stage(git, []), { files: 3 });
      assert.equal(run('ls-files'), 'docs\nother\nreal/a');
    });
  });

  test('a file is brought back from a commit, not from a folder or a file that somebody names', async () => {
    await withRepository(async ({ git, put, save, run, file }) => {
      put('open/a', 'open\n');
      put('secret/open/a', 'the secret\n');
      save('base');
      const files = [{ path: 'open/a' }];
      await assert.rejects(restore(git, { files, from: run('rev-parse', 'HEAD:secret') }), fails('GIT_FAILED'));
      put('open/a', 'typed\n');
      assert.deepEqual(await restore(git, { files, from: 'HEAD' }), { files: 1 });
      assert.equal(file('open/a'), 'open\n');
    });
  });

  test('files of which the filter takes its time are brought back as long as a change of the work tree may take', async () => {
    await withRepository(async (world) => {
      const { make, processes, put, save, file } = world;
      const filter = slowly(world);
      for (const name of ['slow/a', 'slow/b']) put(name, 'one\n');
      save('base');
      const files = [{ path: 'slow' }];
      for (const name of ['slow/a', 'slow/b']) put(name, 'two\n');
      await assert.rejects(
        restore(make({ networkTimeoutMs: 500 }), { files }),
        fails('PROCESS_TIMEOUT', /than 500 ms.*still there: see git\.status/),
      );
      filter.goOn();
      const limits: number[] = [];
      const run: typeof processes.run = (request) => {
        if (request.argv.includes('restore')) limits.push(request.timeoutMs);
        return processes.run(request);
      };
      const told = make({ timeoutMs: 19_000, networkTimeoutMs: 21_000 }, { processes: { open: processes.open.bind(processes), run } });
      for (const name of ['slow/a', 'slow/b']) put(name, 'two\n');
      assert.deepEqual(await restore(told, { files }), { files: 2 });
      assert.deepEqual([file('slow/a'), file('slow/b'), limits], ['one\n', 'one\n', [21_000]]);
    });
  });

  test('a hunk of a file whose name is not UTF-8 is staged, unstaged and taken back like another', async () => {
    await withRepository(async ({ git, save, run, root }) => {
      const name = Buffer.concat([Buffer.from(`${root}/caf`), Buffer.of(0xe9)]);
      fs.writeFileSync(name, 'one\n');
      save('base');
      fs.writeFileSync(name, 'two\n');
      const chosen = async (staged: boolean) =>
        (await hunks(git, { staged, maxLines: 100 })).files.map((file) => ({ path: file.path, hunks: file.hunks.map(({ id }) => id) }));
      assert.deepEqual(await stage(git, await chosen(false)), { files: 1 });
      assert.equal(run('diff', '--cached', '--numstat').split('\t', 2).join(' '), '1 1');
      assert.deepEqual(await unstage(git, await chosen(true)), { files: 1 });
      assert.equal(run('diff', '--cached', '--numstat'), '');
      assert.deepEqual(await restore(git, { files: await chosen(false) }), { files: 1 });
      assert.equal(fs.readFileSync(name, 'utf8'), 'one\n');
    });
  });

  test('which commit a submodule stands at is staged as a hunk, and taken back as none: that is refused, and nothing is done', async () => {
    await withRepository(async ({ git, put, save, run, runIn, root }) => {
      put('lib/x', 'one\n');
      runIn(path.join(root, 'lib'), 'init', '-q');
      runIn(path.join(root, 'lib'), 'add', '.');
      runIn(path.join(root, 'lib'), 'commit', '-qm', 'one');
      put('a', 'one\n');
      save('base');
      const before = run('rev-parse', ':lib');
      runIn(path.join(root, 'lib'), 'commit', '-q', '--allow-empty', '-m', 'two');
      put('a', 'two\n');
      const told = (await hunks(git, { staged: false, maxLines: 100 })).files;
      const files = told.map((file) => ({ path: file.path, hunks: file.hunks.map(({ id }) => id) }));
      assert.deepEqual(
        files.map((file) => [file.path, file.hunks.length]),
        [
          ['a', 1],
          ['lib', 1],
        ],
      );
      await assert.rejects(restore(git, { files }), fails('BAD_INPUT', /lib is a submodule/));
      assert.deepEqual(await names(git), ['- modified a', '- modified lib']);
      assert.deepEqual(await stage(git, files), { files: 2 });
      assert.notEqual(run('rev-parse', ':lib'), before);
      assert.deepEqual(await names(git), ['modified - a', 'modified - lib']);
    });
  });

  test('what was named as a folder, or as everything, is taken out of the index as such, and nothing else with it', async () => {
    await withRepository(async ({ make, processes, put, save, run, root }) => {
      for (const name of ['d/a', 'd/b', 'd/moved', 'dd/a', 'e/a', 'd\u00fc/x']) put(name, `${name}\n`);
      save('base');
      const handed: string[] = [];
      const telling = (secrets?: string[]) =>
        make(
          {},
          {
            processes: {
              open: processes.open.bind(processes),
              run: (request) => {
                if (request.argv.includes('reset')) handed.push(Buffer.from(request.stdin ?? '').toString());
                return processes.run(request);
              },
            },
            ...(secrets === undefined ? {} : { secrets: () => new Set(secrets) }),
          },
        );
      const change = (): void => {
        run('reset', '-q', '--hard');
        for (const name of ['d/a', 'd/b', 'dd/a', 'e/a', 'd/new', 'd\u00fc/x']) put(name, 'changed\n');
        fs.renameSync(path.join(root, 'd/moved'), path.join(root, 'e/moved'));
        run('add', '-A');
      };
      const staged = (): string => run('diff', '--cached', '--name-only', '--no-renames');
      const git = telling();
      change();
      assert.deepEqual(await unstage(git, [{ path: 'd' }]), { files: 4 });
      assert.deepEqual([handed.pop(), staged()], ['d\0e/moved\0', 'dd/a\n"d\\303\\274/x"\ne/a']);
      change();
      assert.deepEqual(await unstage(git, [], undefined, ['d', 'd\u00fc']), { files: 5 });
      assert.deepEqual([handed.pop(), staged()], ['d\0d\u00fc\0', 'dd/a\ne/a\ne/moved']);
      change();
      assert.deepEqual(await unstage(git, []), { files: 7 });
      assert.deepEqual([handed.pop(), staged()], ['.\0', '']);
      change();
      put('d/announced');
      run('add', '--intent-to-add', 'd/announced');
      await unstage(git, [{ path: 'd' }]);
      assert.equal(handed.pop(), 'd/a\0d/b\0d/new\0e/moved\0d/moved\0');
      assert.match(run('status', '--porcelain'), /^ A d\/announced$/m);
      change();
      await unstage(telling(['d/new']), []);
      assert.equal(staged(), 'd/new', 'a secret is in nobody\u2019s hand');
    });
  });

  test('a call that is canceled while git writes the index leaves it whole, and no lock', async () => {
    await withRepository(async ({ make, processes, put, save, run, root }) => {
      for (const name of ['a', 'b']) put(name, 'one\n');
      save('base');
      for (const name of ['a', 'b']) put(name, 'two\n');
      for (const command of ['apply', 'update-index', 'reset']) {
        const call = new AbortController();
        const canceled = make(
          {},
          {
            processes: {
              open: processes.open.bind(processes),
              run: (request) => {
                const running = processes.run(request);
                if (request.argv.includes(command)) call.abort();
                return running;
              },
            },
          },
        );
        const [hunk] = (await hunks(canceled, { path: 'a', staged: false, maxLines: 100 })).files[0]?.hunks ?? [];
        if (command === 'apply') await stage(canceled, [{ path: 'a', hunks: [hunk?.id ?? ''] }], call.signal).catch(() => {});
        else if (command === 'update-index') await stage(canceled, [{ path: 'b' }], call.signal).catch(() => {});
        else await unstage(canceled, [{ path: 'a' }], call.signal).catch(() => {});
        assert.equal(call.signal.aborted, true);
        assert.equal(fs.existsSync(path.join(root, '.git', 'index.lock')), false);
        const staged = { apply: 'a', 'update-index': 'a\nb', reset: 'b' }[command];
        assert.equal(run('diff', '--cached', '--name-only'), staged, command);
      }
    });
  });

  test('of files in conflict the whole of one side is taken, also that there is none, and given back until the merge ends; others are left alone', async () => {
    await withRepository(async ({ git, put, save, run, file, root }) => {
      const names = ['a.bin', 'b.bin', 'dir/gone.bin', 'dir/ü "x"'];
      for (const name of [...names, 'dir/other']) put(name, '\0was');
      save('base');
      run('checkout', '-qb', 'side');
      for (const name of names) put(name, '\0theirs');
      save('theirs');
      run('checkout', '-q', 'main');
      for (const name of names) put(name, '\0ours');
      fs.rmSync(path.join(root, 'dir/gone.bin'));
      save('ours');
      assert.throws(() => run('merge', 'side'));
      put('dir/other', 'typed');
      const take = (side: 'ours' | 'theirs' | 'both', ...paths: string[]): Promise<{ files: number }> =>
        restore(git, { files: paths.map((name) => ({ path: name })), side });
      await assert.rejects(take('ours', 'a.bin', 'dir/other'), fails('GIT_FAILED', /dir\/other is not in conflict/));
      await assert.rejects(restore(git, { files: [{ path: 'a.bin' }], side: 'ours', from: 'HEAD' }), fails('BAD_INPUT'));
      await assert.rejects(restore(git, { files: [{ path: 'a.bin', hunks: ['x'] }], side: 'ours' }), fails('BAD_INPUT'));
      assert.deepEqual(await take('theirs', 'a.bin', 'dir'), { files: 3 });
      assert.deepEqual(
        ['a.bin', 'b.bin', 'dir/gone.bin', 'dir/ü "x"', 'dir/other'].map((name) => file(name)),
        ['\0theirs', '\0ours', '\0theirs', '\0theirs', 'typed'],
      );
      assert.deepEqual(await take('ours', 'dir/gone.bin', 'b.bin'), { files: 2 });
      assert.equal(fs.existsSync(path.join(root, 'dir/gone.bin')), false);
      await stage(git, []);
      // Until the merge ends git remembers the sides, also of a file that is what ours has.
      put('a.bin', '\0typed');
      await assert.rejects(take('both', 'a.bin', 'dir/other'), fails('GIT_FAILED', /dir\/other is not in conflict/));
      assert.equal(file('a.bin'), '\0typed');
      assert.deepEqual(await take('both', 'a.bin', 'b.bin'), { files: 2 });
      assert.equal(run('diff', '--name-only', '--diff-filter=U'), 'a.bin\nb.bin');
      assert.deepEqual(await take('theirs', 'a.bin'), { files: 1 });
      assert.equal(file('a.bin'), '\0theirs');
      await stage(git, []);
      run('commit', '-qm', 'merged');
      for (const side of ['ours', 'both'] as const) await assert.rejects(take(side, 'a.bin'), fails('GIT_FAILED'));
    });
  });

  test('one side of thousands of files in conflict is taken by their names, and nobody waits for that', async () => {
    await withRepository(async ({ git, put, run, file, root }) => {
      const paths = Array.from({ length: 3000 }, (_, at) => `some/folder/file${at}`);
      const sides = [1, 2, 3].map((stage) => ({ stage, hash: run('hash-object', '-w', put('side', `${stage}`)) }));
      const input = paths.flatMap((name) => sides.map(({ stage, hash }) => `100644 ${hash} ${stage}\t${name}\n`)).join('');
      execFileSync('git', ['update-index', '--index-info'], { cwd: root, input });
      const take = (): Promise<unknown> => restore(git, { files: paths.map((name) => ({ path: name })), side: 'theirs' });
      const longest = await longestTurn(take);
      assert.deepEqual(
        paths.filter((name) => file(name) !== '3'),
        [],
      );
      assert.ok(longest < 500, `${longest} ms`);
    });
  });

  for (const below of ['', 'below/'])
    test(`a file that one side deleted and the other changed is in conflict again as the merge left it${below === '' ? '' : ', also where the workspace lies in the repository'}`, async () => {
      await withRepository(
        async ({ git, put, save, run, file, root }) => {
          const names = ['d/ours "ü"', 'd/theirs', 'd/nobodys'];
          const at = (name: string): string => path.join(root, name);
          for (const name of names) put(name, 'was\n');
          save('base');
          run('checkout', '-qb', 'side');
          put('d/theirs', 'theirs\n');
          fs.rmSync(at('d/ours "ü"'));
          fs.renameSync(at('d/nobodys'), at('d/theirs-of-nobodys'));
          save('theirs');
          run('checkout', '-q', 'main');
          put('d/ours "ü"', 'ours\n');
          fs.rmSync(at('d/theirs'));
          fs.renameSync(at('d/nobodys'), at('d/ours-of-nobodys'));
          save('ours');
          assert.throws(() => run('merge', 'side'));
          const state = (): string => run('status', '--porcelain=v2', '--untracked-files=all');
          const inConflict = state();
          assert.equal(inConflict.match(/^u /gm)?.length, 5);
          const all = [...names, 'd/ours-of-nobodys', 'd/theirs-of-nobodys'];
          const held = (): (string | undefined)[] => all.map((name) => (fs.existsSync(at(name)) ? file(name) : undefined));
          const before = held();
          const bringBack = (): Promise<{ files: number }> => restore(git, { files: [{ path: 'd' }], side: 'both' });
          // As they are, and typed in.
          put('d/theirs', 'typed\n');
          assert.deepEqual(await bringBack(), { files: 5 });
          assert.deepEqual([state(), held()], [inConflict, before]);
          // Deleted, and taken as they are; the one that nobody has goes by itself.
          fs.rmSync(at('d/theirs'));
          fs.rmSync(at('d/ours-of-nobodys'));
          await stage(git, []);
          assert.equal(state().match(/^u /gm), null);
          assert.deepEqual(await bringBack(), { files: 5 });
          assert.deepEqual([state(), held()], [inConflict, before]);
        },
        { below },
      );
    });
});
