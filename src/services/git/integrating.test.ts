import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { describe, test } from 'node:test';
import { eventually } from '../../../test/kit/eventually.ts';
import { diverge, fails, type GitWorld, hook, losing, names, slowly, withRepository } from '../../../test/kit/git-world.ts';
import { requireTool } from '../../../test/kit/require-tools.ts';
import { OutriggerError } from '../../contract/errors.ts';
import { branch, checkout, tags } from './branches.ts';
import { commit } from './committing.ts';
import { cherryPick, giveUp, goOn, merge, rebase, reset, revert } from './integrating.ts';
import { restore, stage } from './staging.ts';
import { stash, stashes } from './stash.ts';
import { status } from './status.ts';

const to = { create: false, changes: 'keep' } as const;
const allow = { fastForward: 'allow' } as const;
const push = { action: 'push', untracked: true, keepIndex: false } as const;
const bring = { untracked: true, keepIndex: false };

describe('joining commits', { skip: requireTool('git') }, () => {
  test('a merge is done, is nothing, or stops with its conflicts, and goes on or is given up', async () => {
    await withRepository(async (world) => {
      const { git, put, run, file, save } = world;
      const { main, side } = diverge(world);
      const stopped = await merge(git, { ...allow, from: 'side' });
      assert.deepEqual(stopped, { outcome: 'conflicts', head: main, conflicts: [{ path: 'a', kind: 'both-modified' }] });
      const { underWay } = (await status(git, false)) ?? {};
      assert.deepEqual([underWay?.doing, underWay?.heads, underWay?.message], ['merge', [side], "Merge branch 'side'"]);
      await assert.rejects(goOn(git, { skip: false }), fails('GIT_FAILED', /^continue: a still in conflict/));
      await assert.rejects(merge(git, { ...allow, from: 'side' }), fails('GIT_FAILED'));
      assert.deepEqual(await giveUp(git), { aborted: 'merge', head: main });
      assert.equal(file('a'), 'main\n');
      await merge(git, { ...allow, from: 'side' });
      put('a', 'both\n');
      const made = await goOn(git, { skip: false, message: 'Joined 🎉\n\n# kept' });
      assert.equal(made.outcome, 'done');
      assert.equal(run('log', '-1', '--format=%B|%p').replace(/\n\|.*$/, ''), 'Joined 🎉\n\n# kept');
      assert.equal(run('log', '-1', '--format=%p').split(' ').length, 2);
      assert.equal((await merge(git, { ...allow, from: 'side' })).outcome, 'nothing');
      await assert.rejects(goOn(git, { skip: false }), fails('GIT_FAILED', /under way/));
      await assert.rejects(giveUp(git), fails('GIT_FAILED', /under way/));
      run('checkout', '-q', 'side');
      put('a', 'other\n');
      save('other');
      await assert.rejects(merge(git, { from: 'main', fastForward: 'only' }), fails('GIT_DIVERGED'));
      await assert.rejects(merge(git, { ...allow, from: '--abort' }), fails('BAD_INPUT'));
      await assert.rejects(merge(git, { ...allow, from: 'nope' }), fails('GIT_FAILED', /nope/));
      put('a', 'typed\n');
      await assert.rejects(merge(git, { ...allow, from: 'main' }), losing('a'));
      assert.equal(file('a'), 'typed\n');
    });
  });

  test('conflicts that git settles as they were settled before are an answer as well, and git.continue goes on', async () => {
    await withRepository(async (world) => {
      const { git, put, run, file } = world;
      const { main } = diverge(world);
      run('config', 'rerere.enabled', 'true');
      run('config', 'rerere.autoUpdate', 'true');
      const settled = { outcome: 'conflicts', head: main, conflicts: [] };
      await merge(git, { ...allow, from: 'side' });
      put('a', 'both\n');
      await goOn(git, { skip: false });
      for (const join of [() => merge(git, { ...allow, from: 'side' }), () => cherryPick(git, 'side')]) {
        run('reset', '-q', '--hard', main);
        assert.deepEqual(await join(), settled);
        assert.equal(file('a'), 'both\n');
        assert.equal((await goOn(git, { skip: false })).outcome, 'done');
      }
      run('reset', '-q', '--hard', main);
      assert.deepEqual(await rebase(git, 'side'), { ...settled, head: run('rev-parse', 'side').trim() });
      assert.equal((await goOn(git, { skip: false })).outcome, 'done');
      assert.equal(file('a'), 'both\n');
    });
  });

  test('a merge that is refused for changes leaves every file as it is, and touches none', async () => {
    await withRepository(async (world) => {
      const { git, put, run, root, file } = world;
      diverge(world);
      const facts = (): number[] =>
        ['a', 'of-main', 'of-side'].map((name) => fs.statSync(path.join(root, name), { throwIfNoEntry: false })?.ino ?? 0);
      put('a', 'mine\n');
      put('of-main', 'mine\n');
      const before = facts();
      await assert.rejects(merge(git, { from: 'side', ...allow }), losing('a'));
      assert.deepEqual([file('a'), file('of-main'), facts()], ['mine\n', 'mine\n', before]);
      run('add', 'of-main');
      await assert.rejects(merge(git, { from: 'side', ...allow }), losing('of-main'));
      assert.deepEqual([run('diff', '--cached', '--name-only'), facts()], ['of-main', before]);
      run('reset', '-q');
      run('checkout', '-q', 'a');
      put('of-side', 'mine\n');
      const others = facts();
      await assert.rejects(merge(git, { from: 'side', ...allow }), losing('of-side'));
      assert.deepEqual([file('of-side'), facts()], ['mine\n', others]);
      fs.rmSync(path.join(root, 'of-side'));
      // Written anew as it was, a file has not changed.
      fs.rmSync(path.join(root, 'a'));
      put('a', 'main\n');
      // What it does not change may be as it is.
      assert.equal((await merge(git, { from: 'side', ...allow })).outcome, 'conflicts');
      assert.equal(file('of-main'), 'mine\n');
    });
  });

  test('a merge says what it was given, a line that begins with # as well', async () => {
    await withRepository(async (world) => {
      const { git, put, run, save } = world;
      put('a');
      save('base');
      run('checkout', '-qb', 'side');
      put('b');
      save('side');
      run('checkout', '-q', 'main');
      assert.equal((await merge(git, { from: 'side', fastForward: 'never', message: '#12: join\n\n# ü' })).outcome, 'done');
      assert.equal(run('log', '-1', '--format=%B'), '#12: join\n\n# ü');
      for (const message of ['ü'.repeat(65_536), 'a\0b'])
        await assert.rejects(merge(git, { ...allow, from: 'main', message }), fails('BAD_INPUT'));
    });
  });

  test('a repository inside is in the way of no merge that brings another commit of it, and is of one that brings a file', async () => {
    const inside = ({ root, runIn, put }: GitWorld, text: string): void => {
      const sub = path.join(root, 'sub');
      if (!fs.existsSync(sub)) {
        fs.mkdirSync(sub);
        runIn(sub, 'init', '-q');
      }
      put('sub/f', text);
      runIn(sub, 'add', '.');
      runIn(sub, 'commit', '-qm', text);
    };
    const cases: [what: string, base: (world: GitWorld) => void, theirs: (world: GitWorld) => void, ours: (world: GitWorld) => void][] = [
      ['git does not know it here', () => undefined, (world) => inside(world, 'one'), () => undefined],
      ['it moved on', (world) => inside(world, 'one'), (world) => inside(world, 'two'), () => undefined],
      ['they forgot it', (world) => inside(world, 'one'), ({ run }) => run('rm', '-q', '--cached', 'sub'), (world) => inside(world, 'two')],
      ['they have a file', () => undefined, ({ put }) => put('sub'), (world) => inside(world, 'one')],
    ];
    for (const [what, base, theirs, ours] of cases)
      await withRepository(async (world) => {
        const { git, root, put, run } = world;
        const commitAll = (message: string): void => {
          run('-c', 'advice.addEmbeddedRepo=false', 'add', '.');
          run('commit', '-qm', message);
        };
        put('a');
        base(world);
        commitAll('base');
        run('checkout', '-qb', 'side');
        put('theirs');
        theirs(world);
        if (what === 'they forgot it') run('commit', '-qam', 'theirs');
        else commitAll('theirs');
        run('checkout', '-q', 'main');
        put('ours');
        run('add', 'ours');
        run('commit', '-qm', 'ours');
        ours(world);
        if (what === 'they have a file') await assert.rejects(merge(git, { ...allow, from: 'side' }), losing('sub'));
        else {
          assert.equal((await merge(git, { ...allow, from: 'side' })).outcome, 'done', what);
          assert.ok(fs.existsSync(path.join(root, 'sub/f')), what);
        }
      });
  });

  test('files in conflict whose names are not UTF-8 are resolved like others, and brought back to a side', async () => {
    await withRepository(async (world) => {
      const { git, root, run, save, put } = world;
      // A name that the pattern for it must not take for one.
      const name = Buffer.from('d[a]*/caf\xe9 ü?.txt', 'latin1');
      const at = Buffer.concat([Buffer.from(`${root}/`), name]);
      const shown = 'd[a]*/caf\\xe9 \\xfc?.txt';
      const write = (text: string): void => fs.writeFileSync(at, text);
      put('d[a]*/like.txt', '<<<<<<< not in conflict\n');
      write('base\n');
      save('first');
      run('checkout', '-qb', 'side');
      write('theirs\n');
      save('theirs');
      run('checkout', '-q', 'main');
      write('ours\n');
      save('ours');
      assert.deepEqual((await merge(git, { ...allow, from: 'side' })).conflicts, [{ path: shown, kind: 'both-modified' }]);
      const marked = fs.readFileSync(at, 'utf8');
      for (const files of [[], [{ path: shown }]])
        await assert.rejects(stage(git, files), (error: OutriggerError) => {
          assert.ok(fails('GIT_FAILED', /still in conflict/)(error));
          assert.deepEqual(error.details, { conflicts: [shown] });
          return true;
        });
      for (const [side, text] of [
        ['ours', 'ours\n'],
        ['theirs', 'theirs\n'],
        ['both', marked],
      ] as const) {
        assert.deepEqual(await restore(git, { files: [{ path: shown }], side }), { files: 1 });
        assert.equal(fs.readFileSync(at, 'utf8').replaceAll(/(?<=[<>]{7} ).*/g, ''), text.replaceAll(/(?<=[<>]{7} ).*/g, ''), side);
      }
      write('both\n');
      assert.deepEqual(await stage(git, []), { files: 1 });
      assert.deepEqual(await restore(git, { files: [{ path: shown }], side: 'both' }), { files: 1 });
      await assert.rejects(goOn(git, { skip: false }), fails('GIT_FAILED', /still in conflict/));
      write('both\n');
      assert.equal((await goOn(git, { skip: false })).outcome, 'done');
      assert.deepEqual(await names(git), []);
    });
  });

  test('a file in conflict in whose place a folder came, or above which a link did, counts as removed', async () => {
    await withRepository(async (world) => {
      const { git, put, run, root, save } = world;
      for (const name of ['a', 'docs/a', 'real/a']) put(name, 'base\n');
      save('base');
      run('checkout', '-qb', 'side');
      for (const name of ['a', 'docs/a']) put(name, 'side\n');
      save('side');
      run('checkout', '-q', 'main');
      for (const name of ['a', 'docs/a']) put(name, 'main\n');
      const main = save('main');
      const all = { message: 'all', paths: undefined, all: true, author: undefined };
      for (const settle of [() => goOn(git, { skip: false }), () => commit(git, all), () => stage(git, [])]) {
        assert.equal((await merge(git, { ...allow, from: 'side' })).outcome, 'conflicts');
        for (const name of ['a', 'docs']) fs.rmSync(path.join(root, name), { recursive: true });
        put('a/below');
        fs.symlinkSync('real', path.join(root, 'docs'));
        await settle();
        assert.deepEqual(
          run('ls-files', '-s')
            .split('\n')
            .filter((line) => /\t(a|docs\/a)$/.test(line)),
          [],
        );
        for (const name of ['a', 'docs']) fs.rmSync(path.join(root, name), { recursive: true });
        run('reset', '-q', '--hard', main);
      }
    });
  });

  test('a folder that became a link in the middle of a merge holds it up no more than another change', async () => {
    await withRepository(async (world) => {
      const { git, put, run, root, save } = world;
      put('docs/a', 'base\n');
      put('real/a');
      save('docs');
      run('checkout', '-qb', 'other');
      run('checkout', '-q', 'main');
      diverge(world);
      run('checkout', '-q', 'side');
      put('docs/a', 'side\n');
      save('docs of side');
      run('checkout', '-q', 'main');
      await merge(git, { ...allow, from: 'side' });
      put('a', 'both\n');
      fs.rmSync(path.join(root, 'docs'), { recursive: true });
      fs.symlinkSync('real', path.join(root, 'docs'));
      assert.equal((await goOn(git, { skip: false })).outcome, 'done');
      assert.deepEqual(await names(git), ['- untracked docs']);
    });
  });

  test('a merge that goes on keeps its message, without the list of conflicts that git wrote below it (long form)', async () => {
    const table: readonly [string, string | undefined, string[], string][] = [
      ['of git', undefined, [], "Merge branch 'side'"],
      ['given', '#12: join both\n\n# Notes\nConflicts:\n# none', [], '#12: join both\n\n# Notes\nConflicts:\n# none'],
      ['with another mark', '#12: join both', ['core.commentChar', ';'], '#12: join both'],
      ['below a cut', '#12: join both', ['commit.cleanup', 'scissors'], '#12: join both'],
    ];
    for (const [name, message, config, expected] of table)
      await withRepository(async (world) => {
        const { git, put, run } = world;
        diverge(world);
        if (config.length > 0) run('config', ...config);
        // As a user does; what is given to our own is cleaned in another way.
        if (message === undefined || name === 'below a cut')
          assert.throws(() => run('merge', 'side', ...(message === undefined ? [] : ['-m', message])));
        else assert.equal((await merge(git, { ...allow, from: 'side', message })).outcome, 'conflicts');
        put('a', 'both ü\n');
        assert.equal((await goOn(git, { skip: false })).outcome, 'done', name);
        assert.equal(run('log', '-1', '--format=%B'), expected, name);
      });
  });

  test('a pick, a revert and a rebase that go on keep the lines of a message that begin with #, and who wrote it', async () => {
    const said = '#12: of side\n\nWhy\n# Notes\nmore';
    for (const [doing, begin, expected] of [
      ['cherry-pick', (git) => cherryPick(git, 'side'), said],
      ['revert', (git) => revert(git, 'side'), 'Revert "#12: of side"'],
      ['rebase', (git) => rebase(git, 'main'), said],
      ['rebase with a message', (git) => rebase(git, 'main'), said],
    ] as [string, (git: GitWorld['git']) => Promise<unknown>, string][])
      await withRepository(async (world) => {
        const { git, put, run } = world;
        diverge(world);
        run('checkout', '-q', 'side');
        const wrote = ['--author=Ada <ada@example.org>', '--date=2020-02-02T20:20:20+0200'];
        run('commit', '-q', '--amend', '--cleanup=whitespace', ...wrote, '-m', said);
        if (!doing.startsWith('rebase')) run('checkout', '-q', 'main');
        await begin(git);
        assert.ok((await status(git, false))?.underWay?.message?.startsWith(expected), doing);
        put('a', 'both\n');
        const given = doing === 'rebase with a message' ? { message: said } : {};
        assert.equal((await goOn(git, { skip: false, ...given })).outcome, 'done', doing);
        const [message = '', author] = run('log', '-1', '--format=%B%x00%an <%ae> %aI').trim().split('\0');
        assert.ok(message.startsWith(expected), `${doing}: ${message}`);
        assert.doesNotMatch(message, /Conflicts/, doing);
        if (doing !== 'revert') assert.equal(author, 'Ada <ada@example.org> 2020-02-02T20:20:20+02:00', doing);
        assert.equal((await status(git, false))?.underWay, undefined, doing);
      });
  });

  test('a message with which a rebase goes on is that of the commit at which it stopped: to be edited, or joined with the one before', async () => {
    const base = { base: 'base\n', first: 'first\n', between: 'first\n', last: 'last\n' };
    for (const [does, typed, script, expected] of [
      ['edit', undefined, '2s/^pick/edit/', 'last said first base'],
      ['edit', 'first\nmore\n', '2s/^pick/edit/', 'last said first base'],
      ['squash', 'both\n', '1d;3s/^pick/squash/', 'said base'],
      ['fixup', 'both\n', '1d;3s/^pick/fixup/', 'said base'],
    ] as const)
      await withRepository(async ({ git, put, save, run, folder }) => {
        for (const [message, content] of Object.entries(base)) {
          put('a', content);
          put(message);
          save(message);
        }
        const editor = path.join(folder, 'editor');
        fs.writeFileSync(editor, `#!/bin/sh\nsed -i '${script}' "$1"\n`, { mode: 0o755 });
        const begin = (): string => run('-c', `sequence.editor=${editor}`, 'rebase', '-q', '-i', 'HEAD~3');
        if (does === 'edit') begin();
        else assert.throws(begin);
        if (typed !== undefined) {
          put(does === 'edit' ? 'between' : 'a', typed);
          run('add', '.');
        }
        assert.equal((await status(git, false))?.underWay?.doing, 'rebase', does);
        assert.equal((await goOn(git, { skip: false, message: 'said' })).outcome, 'done', does);
        assert.equal(run('log', '--format=%s').replaceAll('\n', ' '), expected, does);
        if (typed !== undefined) assert.equal(`${run('show', `:${does === 'edit' ? 'between' : 'a'}`)}\n`, typed, does);
        assert.equal((await status(git, false))?.underWay, undefined, does);
      });
  });

  test('each kind of conflict has its name', async () => {
    await withRepository(async ({ git, put, save, run, root }) => {
      const gone = (name: string): void => fs.rmSync(path.join(root, name));
      for (const name of ['modified', 'by-us', 'by-them']) put(name, 'base\n');
      save('base');
      run('checkout', '-qb', 'side');
      put('modified', 'side\n');
      put('by-us', 'side\n');
      gone('by-them');
      put('both', 'side\n');
      save('side');
      run('checkout', '-q', 'main');
      put('modified', 'main\n');
      put('by-them', 'main\n');
      gone('by-us');
      put('both', 'main\n');
      save('main');
      const { conflicts } = await merge(git, { ...allow, from: 'side' });
      assert.deepEqual(Object.fromEntries(conflicts.map(({ path: name, kind }) => [name, kind])), {
        modified: 'both-modified',
        both: 'both-added',
        'by-us': 'deleted-by-us',
        'by-them': 'deleted-by-them',
      });
    });
  });

  test('a rebase says where it stopped, and goes on, skips or is given up', async () => {
    await withRepository(async (world) => {
      const { git, put, save, run, file } = world;
      const { main } = diverge(world);
      run('checkout', '-q', 'side');
      put('later', 'x\n');
      const last = save('later');
      const stopped = await rebase(git, 'main');
      assert.equal(stopped.outcome, 'conflicts');
      const { underWay } = (await status(git, false)) ?? {};
      assert.deepEqual(
        [underWay?.doing, underWay?.branch, underWay?.onto, underWay?.step, underWay?.steps, underWay?.heads.length],
        ['rebase', 'side', main, 1, 2, 1],
      );
      assert.deepEqual(await giveUp(git), { aborted: 'rebase', head: last });
      await rebase(git, 'main');
      put('a', 'both\n');
      assert.deepEqual((await goOn(git, { skip: false })).outcome, 'done');
      assert.equal(run('log', '--format=%s', '-3'), 'later\nside\nmain');
      assert.equal(file('a'), 'both\n');
      run('reset', '-q', '--hard', last);
      await rebase(git, 'main');
      assert.equal((await goOn(git, { skip: true })).outcome, 'done');
      assert.equal(run('log', '--format=%s', '-2'), 'later\nmain');
      assert.equal((await rebase(git, 'main')).outcome, 'nothing');
      run('reset', '-q', '--hard', last);
      await rebase(git, 'main');
      put('a', 'both\n');
      await goOn(git, { skip: false, message: 'said anew' });
      assert.equal(run('log', '--format=%s', '-2'), 'later\nsaid anew');
      put('a', 'typed\n');
      await assert.rejects(rebase(git, 'main~1'), fails('GIT_WOULD_OVERWRITE'));
    });
  });

  test('a rebase that can not go on for what is typed meanwhile says so, and what can not be given up names the files', async () => {
    await withRepository(async (world) => {
      const { git, put, run, file } = world;
      const { side } = diverge(world);
      assert.equal((await rebase(git, 'side')).outcome, 'conflicts');
      put('a', 'both\n');
      put('of-side', 'typed\n');
      for (const message of [undefined, 'of mine']) {
        await assert.rejects(
          goOn(git, { skip: false, message }),
          fails('GIT_WOULD_OVERWRITE', /rebase: the changes of of-side would be lost\. .*still under way/),
        );
        // Nothing is committed or resolved by then: the commit can still be left out, or have another message.
        assert.equal(run('rev-parse', 'HEAD'), side);
        assert.deepEqual((await names(git)).toSorted(), ['- modified of-side', 'added - of-main', 'unmerged unmerged a']);
      }
      assert.equal(file('of-side'), 'typed\n');
      run('checkout', '-q', 'of-side');
      put('of-main', 'typed\n');
      run('rm', '-q', '--cached', '-f', '--ignore-unmatch', 'of-main');
      await assert.rejects(giveUp(git), losing('of-main'));
      assert.equal(file('of-main'), 'typed\n');
      run('add', 'of-main');
      assert.equal((await goOn(git, { skip: false })).outcome, 'done');
    });
  });

  test('a commit is picked and reverted; one that changes nothing here is an answer', async () => {
    await withRepository(async (world) => {
      const { git, run, file, put, save } = world;
      diverge(world);
      run('checkout', '-q', 'side');
      put('extra');
      const extra = save('extra');
      run('checkout', '-q', 'main');
      assert.equal((await cherryPick(git, extra)).outcome, 'done');
      assert.equal(run('log', '-1', '--format=%s'), 'extra');
      assert.deepEqual((await cherryPick(git, extra)).outcome, 'nothing');
      assert.equal((await status(git, false))?.underWay, undefined);
      assert.equal((await revert(git, 'HEAD')).outcome, 'done');
      assert.match(run('log', '-1', '--format=%s'), /^Revert "extra"/);
      assert.equal((await cherryPick(git, 'side~1')).outcome, 'conflicts');
      assert.equal((await status(git, false))?.underWay?.doing, 'cherry-pick');
      put('a', 'picked\n');
      assert.equal((await goOn(git, { skip: false })).outcome, 'done');
      assert.equal(file('a'), 'picked\n');
      assert.equal((await revert(git, 'HEAD~3')).outcome, 'conflicts');
      assert.equal((await giveUp(git)).aborted, 'revert');
      await assert.rejects(cherryPick(git, '--all'), fails('BAD_INPUT'));
      await assert.rejects(revert(git, 'nope'), fails('GIT_FAILED'));
      run('commit', '-q', '--allow-empty', '-m', 'empty');
      // Of this one git says nothing but that there is nothing to commit, in words of their own where files are changed or new.
      for (const change of [() => {}, () => put('new'), () => put('a', 'changed\n')]) {
        change();
        for (const join of [revert, cherryPick]) assert.equal((await join(git, 'HEAD')).outcome, 'nothing');
        assert.equal((await status(git, false))?.underWay, undefined);
      }
    });
  });

  test('what changes files goes on to its end, though the call that began it is canceled', async () => {
    const outcomes: Record<string, (git: GitWorld['git'], signal: AbortSignal) => Promise<unknown>> = {
      checkout: (git, signal) => checkout(git, { ...to, to: 'side' }, signal),
      merge: (git, signal) => merge(git, { ...allow, from: 'side' }, signal),
      rebase: (git, signal) => rebase(git, 'side', signal),
      pick: (git, signal) => cherryPick(git, 'side', signal),
      reset: (git, signal) => reset(git, { to: 'side', mode: 'hard' }, signal),
      stash: (git, signal) => stash(git, { ...bring, action: 'pop' }, signal),
    };
    for (const [name, act] of Object.entries(outcomes))
      await withRepository(async (world) => {
        const { git, put, save, run, file } = world;
        const slow = slowly(world);
        save('base');
        run('checkout', '-qb', 'side');
        for (const one of ['a', 'slow/a', 'slow/b', 'z']) put(one);
        save('side');
        run('checkout', '-q', 'main');
        if (name === 'stash') {
          for (const one of ['slow/a', 'z']) put(one);
          run('add', '--all');
          run('stash', '--quiet');
        }
        const canceled = new AbortController();
        const done = act(git, canceled.signal);
        await eventually(slow.begun);
        canceled.abort(new OutriggerError('CANCELED', 'enough'));
        slow.goOn();
        await done;
        assert.deepEqual([file('slow/a'), file('z')], ['slow/a\n', 'z\n'], name);
        const left = name === 'stash' ? ['added - slow/a', 'added - z'] : [];
        assert.deepEqual(await names(git), left, name);
        await assert.rejects(act(git, canceled.signal), fails('CANCELED'), name);
      });
  });

  test('what a hook says is not taken for what git says, and what stays under way is named with how to end it', async () => {
    await withRepository(async (world) => {
      const { git, put, run, save } = world;
      put('a');
      save('base');
      run('checkout', '-qb', 'side');
      put('b');
      const side = save('side');
      run('checkout', '-q', 'main');
      put('c');
      save('main');
      const says = 'echo "nothing to commit until a is formatted" >&2; exit 1';
      for (const [action, name, act] of [
        ['cherry-pick', 'prepare-commit-msg', () => cherryPick(git, side)],
        ['merge', 'pre-merge-commit', () => merge(git, { ...allow, from: 'side' })],
      ] as const) {
        hook(world, name, says);
        await assert.rejects(act(), fails('GIT_FAILED', new RegExp(`The ${action} is still under way: .*git\\.abort`)));
        assert.equal((await giveUp(git)).aborted, action);
        hook(world, name, '');
      }
      hook(world, 'prepare-commit-msg', says);
      await assert.rejects(revert(git, 'HEAD'), fails('GIT_FAILED', /hook failed/));
      run('reset', '-q', '--hard');
      hook(world, 'pre-rebase', says);
      await assert.rejects(rebase(git, 'side'), fails('GIT_FAILED', /pre-rebase/));
    });
  });

  test('of commits that are picked together, those after the one that stopped come too, with a message of our own or none, or when it is nothing here (long form)', async () => {
    for (const how of ['message', 'plain', 'committed', 'skip', 'nothing', 'conflict', 'abort'] as const) {
      await withRepository(async (world) => {
        const { git, put, run, save, file, root } = world;
        put('a', 'base\n');
        save('base');
        run('checkout', '-qb', 'side');
        put('a', 'side\n');
        save('first');
        if (how === 'nothing' || how === 'skip') {
          put('a', 'main\n');
          save('what is there already');
        }
        put(how === 'conflict' ? 'b' : 'c', 'second\n');
        save('second');
        put('d');
        save('third');
        run('checkout', '-q', 'main');
        put('a', 'main\n');
        if (how === 'conflict') put('b', 'main\n');
        const main = save('main');
        assert.throws(() => run('cherry-pick', 'main..side'));
        assert.equal((await status(git, false))?.underWay?.doing, 'cherry-pick', how);

        const subjects = (): string[] => run('log', '--format=%s', `${main}..`).trim().split('\n').filter(Boolean).toReversed();
        if (how === 'abort') {
          put('a', 'both\n');
          run('commit', '-qam', 'by hand');
          const own = run('rev-parse', 'HEAD').trim();
          assert.deepEqual(await giveUp(git), { aborted: 'cherry-pick', head: own }, 'git leaves what was committed since');
          assert.deepEqual([(await status(git, false))?.underWay, file('a')], [undefined, 'both\n']);
          return;
        }
        put('a', how === 'nothing' || how === 'skip' ? 'main\n' : 'both\n');
        if (how === 'committed') {
          run('commit', '-qam', 'by hand');
          assert.deepEqual((await status(git, false))?.underWay, { doing: 'cherry-pick', heads: [] }, 'the others are still to come');
          await assert.rejects(cherryPick(git, 'side'), /a cherry-pick is under way/);
        }
        const message = how === 'message' || how === 'conflict' ? 'in my words' : undefined;
        const { outcome, head, conflicts } = await goOn(git, { message, skip: how === 'skip' });
        assert.equal(head, run('rev-parse', 'HEAD').trim());
        if (how === 'conflict') {
          assert.deepEqual([outcome, conflicts.map((one) => one.path), subjects()], ['conflicts', ['b'], ['in my words']]);
          put('b', 'both\n');
          assert.equal((await goOn(git, { skip: false })).outcome, 'done');
          assert.deepEqual(subjects(), ['in my words', 'second', 'third']);
        } else {
          const first = { message: ['in my words'], plain: ['first'], committed: ['by hand'], skip: [], nothing: [] }[how];
          assert.deepEqual([outcome, subjects()], ['done', [...first, 'second', 'third']], how);
        }
        assert.deepEqual([(await status(git, false))?.underWay, fs.existsSync(path.join(root, '.git/sequencer'))], [undefined, false], how);
      });
    }
  });

  test('patches that git applies from mails go on, are skipped or given up', async () => {
    await withRepository(async (world) => {
      const { git, put, run, save, folder, file } = world;
      put('a', 'base\n');
      const base = save('base');
      put('a', 'of the first\n');
      run('commit', '-qam', 'first', '--author=Nils <nils@example.com>');
      put('b');
      save('second');
      const mails = path.join(folder, 'mails');
      fs.writeFileSync(mails, run('format-patch', '--stdout', `${base}..`));
      run('reset', '-q', '--hard', base);
      put('a', 'main\n');
      const main = save('main');
      const apply = (...how: string[]): void => assert.throws(() => run('am', '-q', ...how, mails));
      const doing = async () => (await status(git, false))?.underWay;

      apply('-3');
      assert.deepEqual(await doing(), { doing: 'am', heads: [], message: 'first', step: 1, steps: 2 });
      await assert.rejects(merge(git, { from: base, ...allow }), /merge: a git am is under way: git.continue or git.abort ends it/);
      await assert.rejects(goOn(git, { message: 'mine', skip: false }), fails('BAD_INPUT'));
      put('a', 'both\n');
      assert.equal((await goOn(git, { skip: false })).outcome, 'done');
      assert.deepEqual(run('log', '-2', '--format=%s %an').trim().split('\n'), ['second Uma User', 'first Nils']);
      assert.deepEqual([await doing(), file('a')], [undefined, 'both\n']);

      run('reset', '-q', '--hard', main);
      // Nothing of the patch is in the folder: what was not applied is not passed over in silence.
      apply();
      await assert.rejects(goOn(git, { skip: false }), fails('GIT_FAILED'));
      assert.equal((await doing())?.step, 1);
      assert.equal((await goOn(git, { skip: true })).outcome, 'done');
      assert.equal(run('log', '-2', '--format=%s'), 'second\nmain');

      run('reset', '-q', '--hard', main);
      apply('-3');
      assert.deepEqual(await giveUp(git), { aborted: 'am', head: main });
      assert.deepEqual([await doing(), file('a')], [undefined, 'main\n']);
    });
  });

  test('reset moves the branch and keeps, unstages or throws away', async () => {
    await withRepository(async ({ git, put, save, file }) => {
      put('a', 'one\n');
      const first = save('one');
      put('a', 'two\n');
      const second = save('two');
      assert.deepEqual(await reset(git, { to: 'HEAD~1', mode: 'soft' }), { head: first });
      assert.deepEqual(await names(git), ['modified - a']);
      assert.deepEqual(await reset(git, { to: 'HEAD', mode: 'mixed' }), { head: first });
      assert.deepEqual(await names(git), ['- modified a']);
      assert.deepEqual(await reset(git, { to: second, mode: 'hard' }), { head: second });
      assert.deepEqual([await names(git), file('a')], [[], 'two\n']);
      await assert.rejects(reset(git, { to: '--hard', mode: 'soft' }), fails('BAD_INPUT'));
    });
  });

  test('with files in conflict that nothing under way brought, no other history is joined and nothing put aside, and it is said why', async () => {
    await withRepository(async (world) => {
      const { git, put, run, file } = world;
      const { main } = diverge(world);
      put('a', 'mine\n');
      await stash(git, push);
      put('a', 'theirs\n');
      run('commit', '-qam', 'theirs');
      assert.equal((await stash(git, { ...push, action: 'pop' })).outcome, 'conflicts');
      const marked = file('a');
      const refused = async (bisect: boolean): Promise<void> => {
        for (const [action, work] of [
          ['merge', () => merge(git, { from: 'side', ...allow })],
          ['cherry-pick', () => cherryPick(git, 'side')],
          ['revert', () => revert(git, main)],
          ['rebase', () => rebase(git, 'side')],
          ['stash', () => stash(git, { ...bring, action: 'pop' })],
          ['stash', () => stash(git, push)],
          ['stash', () => checkout(git, { ...to, to: 'side', changes: 'stash' })],
        ] as const) {
          await assert.rejects(work, (error: OutriggerError) => {
            assert.ok(fails('GIT_FAILED')(error));
            assert.equal(error.message, `${action}: a is in conflict already: resolve and stage it first.`);
            assert.deepEqual([error.details, /resolve and stage/.test(error.hint ?? '')], [{ conflicts: ['a'] }, true]);
            return true;
          });
          assert.equal((await status(git, false))?.underWay?.doing, bisect ? 'bisect' : undefined);
        }
      };
      await refused(false);
      run('bisect', 'start');
      await refused(true);
      assert.equal(file('a'), marked);
      put('a', 'resolved\n');
      run('add', 'a');
      run('commit', '-qm', 'resolved');
      run('bisect', 'reset', 'main');
      assert.equal((await merge(git, { from: 'side', ...allow })).outcome, 'conflicts');
    });
  });

  test('in a folder of a larger repository nothing is done that reaches beyond it', async () => {
    await withRepository(
      async ({ git, put, save, run }) => {
        put('a', 'one\n');
        save('one');
        put('a', 'two\n');
        save('two');
        const head = run('rev-parse', 'HEAD');
        for (const act of [
          () => checkout(git, { ...to, to: 'HEAD~1' }),
          () => merge(git, { ...allow, from: 'HEAD~1' }),
          () => rebase(git, 'HEAD~1'),
          () => cherryPick(git, 'HEAD'),
          () => revert(git, 'HEAD'),
          () => reset(git, { to: 'HEAD~1', mode: 'hard' }),
          () => stash(git, push),
          () => giveUp(git),
        ])
          await assert.rejects(act(), fails('GIT_OUTSIDE', /deep\/ws/));
        assert.equal(run('rev-parse', 'HEAD'), head);
      },
      { below: 'deep/ws' },
    );
  });

  test('an empty repository refuses with words', async () => {
    await withRepository(async ({ git, put }) => {
      put('a');
      await assert.rejects(merge(git, { ...allow, from: 'main' }), fails('GIT_FAILED'));
      await assert.rejects(reset(git, { to: 'HEAD', mode: 'mixed' }), fails('GIT_FAILED'));
      await assert.rejects(branch(git, { action: 'create', name: 'x', force: false }), fails('GIT_FAILED'));
      await assert.rejects(stash(git, push), fails('GIT_FAILED', /no commit yet/));
      await assert.rejects(checkout(git, { to: 'x', create: true, changes: 'stash' }), fails('GIT_FAILED', /no commit yet/));
      assert.deepEqual(await tags(git, 5), { tags: [], truncated: false });
      assert.deepEqual(await stashes(git, 5), { stashes: [], truncated: false });
    });
  });
});
