import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { describe, test } from 'node:test';
import { fails, type GitWorld, names, withRepository } from '../../../test/kit/git-world.ts';
import { requireTool } from '../../../test/kit/require-tools.ts';
import { blame } from './blame.ts';
import { editors, withCoAuthors } from './co-authors.ts';
import { commitInfo } from './commit-info.ts';
import { type CommitRequest, commit } from './committing.ts';
import type { EditHistory, Person } from './edit-history.ts';
import type { GitOptions } from './git.ts';
import { init } from './init.ts';
import type { CommitChoice } from './plan-commit.ts';
import { log } from './reading.ts';
import { stage, unstage } from './staging.ts';
import { stash, stashes } from './stash.ts';
import { status } from './status.ts';

const all: Omit<CommitRequest, 'message'> = { paths: undefined, all: true, author: undefined };
const person = (name: string): Person => ({ name, email: `${name.toLowerCase()}@example.org` });

test('co-authors are named once, in order, never who writes, and go on with trailers that are there', () => {
  const [ann, bo, uma] = [person('Ann'), person('Bo'), person('Uma')];
  const table: [string, string, Person[], string][] = [
    ['nobody', 'One', [], 'One'],
    ['only who writes', 'One\n', [uma, { name: 'UMA', email: 'x@y' }], 'One\n'],
    ['two', 'One', [ann, bo, ann], 'One\n\nCo-authored-by: Ann <ann@example.org>\nCo-authored-by: Bo <bo@example.org>\n'],
    [
      'after a body',
      'One\n\nBody: not, a trailer\nbut text',
      [bo],
      'One\n\nBody: not, a trailer\nbut text\n\nCo-authored-by: Bo <bo@example.org>\n',
    ],
    ['after trailers', 'One\n\nSigned-off-by: X <x@y>\n', [bo], 'One\n\nSigned-off-by: X <x@y>\nCo-authored-by: Bo <bo@example.org>\n'],
    ['a subject is no trailer', 'Fix: one', [bo], 'Fix: one\n\nCo-authored-by: Bo <bo@example.org>\n'],
    ['named already', 'One\n\nCo-authored-by: Bo <bo@example.org>', [bo], 'One\n\nCo-authored-by: Bo <bo@example.org>'],
  ];
  for (const [name, message, people, expected] of table) assert.equal(withCoAuthors(message, people, [uma]), expected, name);
});

describe('commits', { skip: requireTool('git') }, () => {
  test('the last commit is amended: its files, its message, its author, each alone', async () => {
    await withRepository(async ({ git, put, run, save }) => {
      await assert.rejects(commit(git, { ...all, message: undefined }), fails('BAD_INPUT', /message/));
      put('a', 'one\n');
      await assert.rejects(commit(git, { ...all, message: 'x', amend: true }), fails('GIT_FAILED', /amend/));
      save('first');
      run('commit', '-q', '--amend', '--no-edit', '--author=Ann <ann@example.org>');
      put('b');
      assert.equal((await commit(git, { ...all, message: undefined, amend: true })).committed, true);
      assert.equal(run('log', '--format=%s %an %cn'), 'first Ann Uma User');
      assert.equal(run('ls-files'), 'a\nb');
      put('c');
      run('add', 'c');
      assert.equal((await commit(git, { ...all, all: false, paths: [], message: 'reworded', amend: true })).committed, true);
      assert.equal(run('ls-tree', '-r', '--name-only', 'HEAD'), 'a\nb', 'what is staged stays out of it');
      assert.deepEqual(await names(git), ['added - c']);
      await commit(git, { ...all, message: undefined, amend: true, author: { name: 'Bo "B" Ü', email: 'bo@example.org' } });
      assert.equal(run('log', '--format=%s|%an'), 'reworded|Bo "B" Ü');
      assert.equal((await commit(git, { ...all, message: undefined, amend: true })).committed, false, 'nothing to amend it with');
      await assert.rejects(commit(git, { ...all, message: 'x', author: { name: 'a <b', email: 'c' } }), fails('BAD_INPUT', /</));
    });
  });

  test('as many files are counted as the commit holds, also where others are staged that stay out of it', async () => {
    const cases: [what: string, change: (world: GitWorld) => void, paths: string[]][] = [
      ['moved', ({ root }) => fs.renameSync(path.join(root, 'a'), path.join(root, 'c')), ['a', 'c']],
      ['a folder that was moved', ({ root }) => fs.renameSync(path.join(root, 'd'), path.join(root, 'e')), ['d', 'e']],
      [
        'as it was again, after it was staged',
        ({ run, put }) => {
          put('a', 'changed\n');
          run('add', 'a');
          put('a');
          put('b', 'changed\n');
        },
        ['a', 'b'],
      ],
      [
        'known no more, and there',
        ({ run, put }) => {
          run('rm', '-q', '--cached', 'a');
          put('b', 'changed\n');
        },
        ['a', 'b'],
      ],
      [
        'new, and gone again',
        ({ run, put, root }) => {
          put('n');
          run('add', 'n');
          fs.rmSync(path.join(root, 'n'));
          put('b', 'changed\n');
        },
        ['n', 'b'],
      ],
    ];
    for (const [what, change, paths] of cases)
      for (const othersStaged of [false, true])
        await withRepository(async (world) => {
          const { git, put, run, save } = world;
          for (const name of ['a', 'b', 'd/x', 'd/y']) put(name);
          save('first');
          change(world);
          if (othersStaged) {
            put('other');
            run('add', 'other');
          }
          const { files, summary } = await commit(git, { ...all, message: 'second', paths });
          const held = run('diff-tree', '-r', '--no-commit-id', '--name-only', '--find-renames', 'HEAD~1', 'HEAD').split('\n');
          assert.equal(files, held.length, `${what}, others staged: ${othersStaged}: ${summary}`);
        });
  });

  test('a file that was moved and only announced to git is not left behind at its old name', async () => {
    await withRepository(async ({ git, root, run, put, save }) => {
      const move = (from: string, to: string): void => {
        fs.renameSync(path.join(root, from), path.join(root, to));
        run('add', '--intent-to-add', to);
      };
      const text = Array.from({ length: 30 }, (_, index) => `${index}\n`).join('');
      for (const name of ['a', 'other']) put(name, `${name}\n${text}`);
      save('base');
      move('a', 'b');
      await commit(git, { ...all, message: 'all' });
      assert.deepEqual([run('ls-tree', '--name-only', 'HEAD').split('\n'), await names(git)], [['b', 'other'], []]);
      move('b', 'c');
      put('other', 'changed\n');
      await commit(git, { ...all, paths: ['c'], message: 'by path' });
      assert.deepEqual([run('ls-tree', '--name-only', 'HEAD').split('\n'), await names(git)], [['c', 'other'], ['- modified other']]);
      move('c', 'd');
      await stage(git, [{ path: 'd' }]);
      assert.deepEqual(await names(git), ['renamed - d', '- modified other']);
    });
  });

  test('a folder that became a link to another place is committed as such: with all, by path, and what is staged beside it stays so', async () => {
    const table: readonly [string, Pick<CommitRequest, 'all' | 'paths'>, string[]][] = [
      ['all', { all: true, paths: undefined }, []],
      ['by path', { all: false, paths: ['docs', 'real', 'other'] }, []],
      ['by path, with another one staged', { all: false, paths: ['docs', 'real', 'other'] }, ['kept']],
    ];
    for (const [name, choice, staged] of table)
      await withRepository(async ({ git, root, put, run, save }) => {
        for (const file of ['docs/a', 'docs/deep/b', 'other', 'kept']) put(file);
        save('base');
        fs.renameSync(path.join(root, 'docs'), path.join(root, 'real'));
        fs.symlinkSync('real', path.join(root, 'docs'));
        put('other', 'changed\n');
        for (const file of staged) {
          put(file, 'changed\n');
          run('add', file);
        }
        assert.equal((await commit(git, { ...choice, author: undefined, message: 'moved' })).files, 4, name);
        assert.equal(run('ls-tree', '-r', '--name-only', 'HEAD'), 'docs\nkept\nother\nreal/a\nreal/deep/b', name);
        assert.deepEqual(
          await names(git),
          staged.map((file) => `modified - ${file}`),
          name,
        );
      });
  });

  test('a copy is a file of its own, whatever git is told to look for', async () => {
    await withRepository(async ({ git, put, save, run }) => {
      const text = Array.from({ length: 30 }, (_, index) => `${index}\n`).join('');
      put('a', text);
      save('base');
      for (const key of ['status.renames', 'diff.renames']) {
        run('config', key, 'copies');
        put('a', `${text}${key}\n`);
        put('b', text);
        run('add', '--all');
        assert.deepEqual(await names(git), ['modified - a', 'added - b'], key);
        assert.deepEqual(await unstage(git, [{ path: 'b' }]), { files: 1 });
        assert.equal(run('diff', '--cached', '--name-only'), 'a', key);
        run('add', '--all');
        await commit(git, { ...all, all: false, paths: ['a'], message: 'a alone' });
        assert.equal(run('show', '--name-only', '--format=', 'HEAD'), 'a', key);
        run('rm', '-q', '--cached', 'b');
        run('config', '--unset', key);
      }
    });
  });

  test('a file that became a folder is committed by path, and what is staged beside it stays so', async () => {
    for (const content of ['new\n', 'thing\n'])
      await withRepository(async ({ git, root, put, save, run }) => {
        for (const file of ['thing', 'kept']) put(file);
        save('base');
        put('kept', 'changed\n');
        run('add', 'kept');
        fs.rmSync(path.join(root, 'thing'));
        put('thing/inside', content);
        await commit(git, { ...all, all: false, paths: ['thing'], message: 'moved' });
        assert.equal(run('ls-tree', '-r', '--name-only', 'HEAD'), 'kept\nthing/inside', content);
        assert.deepEqual(await names(git), ['modified - kept'], content);
      });
  });

  test('of the files of a commit, one that was staged and is gone again is left out', async () => {
    await withRepository(async ({ git, root, put, run, save }) => {
      for (const file of ['dir/m', 'dir/old', 'y']) put(file);
      save('base');
      const prepare = (): void => {
        put('dir/new');
        put('y', 'staged\n');
        run('add', 'dir/new', 'y');
        fs.rmSync(path.join(root, 'dir/new'));
      };
      prepare();
      assert.equal((await commit(git, { ...all, all: false, paths: ['dir'], message: 'none' })).committed, false);
      prepare();
      put('dir/m', 'changed\n');
      run('mv', 'dir/old', 'dir/moved');
      fs.rmSync(path.join(root, 'dir/moved'));
      assert.equal((await commit(git, { ...all, all: false, paths: ['dir'], message: 'some' })).files, 2);
      assert.equal(run('show', '--name-status', '--format=', 'HEAD'), 'M\tdir/m\nD\tdir/old');
      assert.deepEqual(await names(git), ['modified - y']);
    });
  });

  test('who edited a file since it was last committed is named, and who wrote before that is not', async () => {
    await withRepository(async (world) => {
      const { edit, make, trailers } = editing(world);
      const git = make({ coAuthors: true });
      edit('a', 'Zoe');
      edit('a', 'Ann');
      edit('b', 'Bo');
      await commit(git, { ...all, paths: ['a'], message: 'one', coAuthors: [person('Cy'), person('Ann')] });
      assert.deepEqual(trailers(), ['Ann <ann@example.org>', 'Zoe <zoe@example.org>', 'Cy <cy@example.org>']);
      // In the same second: only what came after the commit counts.
      edit('a', 'Dee');
      await commit(git, { ...all, message: 'two' });
      assert.deepEqual(trailers(), ['Bo <bo@example.org>', 'Dee <dee@example.org>']);
      // Whatever became of the clock meanwhile.
      edit('a', 'Ann', 3_600_000);
      await commit(git, { ...all, message: 'ahead' });
      assert.deepEqual(trailers(), ['Ann <ann@example.org>']);
      edit('a', 'Bo', -3_600_000);
      await commit(git, { ...all, message: 'back' });
      assert.deepEqual(trailers(), ['Bo <bo@example.org>']);
      edit('a', 'Uma User');
      await commit(git, { ...all, message: 'three' });
      assert.deepEqual(trailers(), [], 'who commits is the author already');
    });
  });

  test('a call that says whether editors are named is heard, whatever the option says', async () => {
    await withRepository(async (world) => {
      const { edit, make, trailers } = editing(world);
      const table = [
        { option: true, call: undefined, named: true },
        { option: true, call: false, named: false },
        { option: false, call: undefined, named: false },
        { option: false, call: true, named: true },
      ];
      for (const { option, call, named } of table) {
        edit('a', 'Zoe');
        await commit(make({ coAuthors: option }), { ...all, message: 'x', editors: call, coAuthors: [person('Cy')] });
        const expected = [...(named ? ['Zoe <zoe@example.org>'] : []), 'Cy <cy@example.org>'];
        assert.deepEqual(trailers(), expected, JSON.stringify({ option, call }));
      }
    });
  });

  test('editors of what a commit would hold are told: by choice, visible, never who commits', async () => {
    await withRepository(async (world) => {
      const { edit, make } = editing(world);
      const git = make({});
      const ask = async (choice: Partial<CommitChoice> = {}, visible = (_: string) => true): Promise<string[]> =>
        (await editors(git, { paths: undefined, all: true, ...choice }, visible)).editors.map(({ name, kind }) => `${kind} ${name}`);
      assert.deepEqual(await ask(), [], 'before anything');
      edit('a', 'Zoe');
      edit('b', 'Bo');
      edit('b', 'Uma User');
      assert.deepEqual(await ask(), ['person Bo', 'person Zoe']);
      assert.deepEqual(await ask({ paths: ['b'] }), ['person Bo']);
      assert.deepEqual(await ask({}, (name) => name === 'a'), ['person Zoe']);
      assert.deepEqual(await ask({ all: false }), [], 'nothing is staged');
      world.run('add', 'a');
      assert.deepEqual(await ask({ all: false }), ['person Zoe']);
      await commit(git, { ...all, message: 'one' });
      assert.deepEqual(await ask(), [], 'it was committed');
    });
  });

  test('of the files of a commit the first 500 are asked for their editors, and it is said that there are more', async () => {
    await withRepository(async (world) => {
      const { edit, make } = editing(world);
      const ask = async (): Promise<[string[], boolean]> => {
        const found = await editors(make({}), { paths: undefined, all: true }, () => true);
        return [found.editors.map(({ name }) => name), found.truncated];
      };
      for (let number = 1; number < 500; number++) edit(`file-${String(number).padStart(3, '0')}`, 'Max');
      edit('file-500', 'Zoe');
      assert.deepEqual(await ask(), [['Max', 'Zoe'], false]);
      edit('file-000', 'Max');
      assert.deepEqual(await ask(), [['Max'], true]);
    });
  });

  test('init makes a repository where there is none, and none inside of another', async () => {
    await withRepository(
      async ({ git, make, root, run }) => {
        assert.deepEqual(await init(git, { branch: 'trunk' }), { created: true, branch: 'trunk' });
        assert.deepEqual(await init(git, { branch: 'other' }), { created: false, branch: 'trunk' });
        fs.mkdirSync(path.join(root, 'sub'));
        await assert.rejects(init(make({ root: path.join(root, 'sub') }), {}), fails('GIT_OUTSIDE'));
        await assert.rejects(init(git, { branch: '--bare' }), fails('BAD_INPUT'));
        assert.equal(run('rev-parse', '--is-bare-repository'), 'false');
      },
      { init: false },
    );
  });

  test('a commit is told with its files and their counts: renamed, binary, a link, and what lies in the folder alone', async () => {
    await withRepository(
      async ({ git, put, run, root, runIn }) => {
        put('old', 'a\nb\nc\nd\n');
        put('gone');
        put('binary', Buffer.from([0, 1]));
        runIn(path.dirname(root), 'commit', '-q', '--allow-empty', '-m', 'empty');
        fs.writeFileSync(path.join(root, '../outer'), 'x');
        runIn(path.dirname(root), 'add', '--all');
        runIn(path.dirname(root), 'commit', '-qm', 'base');
        run('mv', 'old', 'new\tname');
        put('new\tname', 'a\nb\nc\nD\ne\n');
        put('binary', Buffer.from([0, 2]));
        run('rm', '-q', 'gone');
        run('add', '--all');
        run('commit', '-qm', 'Subject\n\nBody');
        const { commit: made, committer, files } = await commitInfo(git, 'HEAD');
        assert.deepEqual([made.subject, made.body, made.parents.length, committer.name], ['Subject', 'Body', 1, 'Uma User']);
        assert.deepEqual(
          files.map(({ path: { shown }, from, status: what, added, removed }) => [shown, from?.shown, what, added, removed]),
          [
            ['binary', undefined, 'modified', null, null],
            ['gone', undefined, 'deleted', 0, 1],
            ['new\tname', 'old', 'renamed', 2, 1],
          ],
        );
        assert.deepEqual(
          (await commitInfo(git, 'HEAD~1')).files.map(({ path: { shown } }) => shown),
          ['binary', 'gone', 'old'],
        );
        assert.deepEqual((await commitInfo(git, 'HEAD~2')).files, []);
        await assert.rejects(commitInfo(git, '-p'), fails('BAD_INPUT'));
        await assert.rejects(commitInfo(git, 'HEAD:ws'), fails('BAD_INPUT'));
      },
      { below: 'ws' },
    );
  });

  test('blame says who wrote each line, in ranges, with what is not committed yet, and through renames', async () => {
    await withRepository(async ({ git, make, put, run, save, flushed, root }) => {
      put('a "é"', 'one\ntwo\nthree\n');
      const first = save('first 🎉');
      put('a "é"', 'one\nTWO\nthree\nfour\n');
      const second = save('second');
      run('mv', 'a "é"', 'b');
      const third = save('third');
      put('b', 'zero\none\nTWO\nthree\nfour\n');
      const told = await blame(git, { path: 'b' });
      assert.deepEqual(
        told.runs.map(({ start, lines, hash, originalStart, originalPath }) => [start, lines, hash, originalStart, originalPath]),
        [
          [1, 1, null, 1, 'b'],
          [2, 1, first, 1, 'a "é"'],
          [3, 1, second, 2, 'a "é"'],
          [4, 1, first, 3, 'a "é"'],
          [5, 1, second, 4, 'a "é"'],
        ],
      );
      assert.equal(flushed(), 1);
      assert.deepEqual([told.commits[first]?.subject, told.commits[first]?.author.email], ['first 🎉', 'uma@example.org']);
      assert.ok(!(third in told.commits));
      assert.deepEqual(
        (await blame(git, { path: 'b', start: 2, end: 2, revision: 'HEAD' })).runs.map(({ start, hash }) => [start, hash]),
        [[2, second]],
      );
      assert.equal((await blame(git, { path: 'b', start: 3, end: 99 })).runs.length, 3);
      assert.equal((await blame(make({ maxTextBytes: 400 }), { path: 'b' })).truncated, true);
      await assert.rejects(blame(git, { path: 'b', start: 9 }), fails('OUT_OF_RANGE', /5 lines/));
      await assert.rejects(blame(git, { path: 'missing' }), fails('FILE_NOT_FOUND'));
      await assert.rejects(blame(git, { path: 'b', revision: '--contents=/etc/passwd' }), fails('BAD_INPUT'));
      await assert.rejects(blame(git, { path: 'b', start: 3, end: 2 }), fails('BAD_INPUT'));
      fs.rmSync(path.join(root, 'b'));
      await assert.rejects(blame(git, { path: 'b' }), fails('FILE_NOT_FOUND'));
    });
  });

  test('words are what they are, in whatever encoding the repository has its messages', async () => {
    await withRepository(async ({ git, put, run, folder }) => {
      const message = path.join(folder, 'message');
      run('config', 'i18n.commitEncoding', 'ISO-8859-1');
      run('config', 'i18n.logOutputEncoding', 'ISO-8859-1');
      put('a', 'one\n');
      run('add', 'a');
      fs.writeFileSync(message, Buffer.from('café\n', 'latin1'));
      run('commit', '-qF', message);
      put('a', 'one\ntwo\n');
      await commit(git, { ...all, message: 'Größe – naïve', author: { name: 'Zoë', email: 'zoe@example.org' } });
      const { commits } = await log(git, { count: 5, skip: 0 });
      const said = commits.map(({ subject, author }) => `${author.name}: ${subject}`);
      assert.deepEqual(said, ['Zoë: Größe – naïve', 'Uma User: café']);
      const blamed = Object.values((await blame(git, { path: 'a', revision: 'HEAD' })).commits).map(({ subject }) => subject);
      assert.deepEqual(blamed.toSorted(), ['Größe – naïve', 'café']);
      put('a', 'three\n');
      await stash(git, { action: 'push', message: 'für später', untracked: true, keepIndex: false });
      assert.equal((await stashes(git, 5)).stashes[0]?.subject, 'On main: für später');
      await stash(git, { action: 'pop', untracked: true, keepIndex: false });
      // What another encoding can't say is said all the same, and read so by every git.
      assert.equal(run('-c', 'i18n.logOutputEncoding=UTF-8', 'log', '-1', '--format=%s'), 'Größe – naïve');
      await commit(git, { ...all, message: undefined, amend: true });
      run('reset', '-q', '--soft', 'HEAD~1');
      await commit(git, { ...all, message: undefined, amend: true });
      assert.equal((await log(git, { count: 1, skip: 0 })).commits[0]?.subject, 'café');
    });
  });

  test('a lock that lies there is told with its age', async () => {
    await withRepository(async ({ git, root }) => {
      assert.equal((await status(git, false))?.lockAgeMs, undefined);
      const lock = path.join(root, '.git/index.lock');
      fs.writeFileSync(lock, '');
      const hourAgo = Date.now() / 1000 - 3600;
      fs.utimesSync(lock, hourAgo, hourAgo);
      const age = (await status(git, false))?.lockAgeMs ?? 0;
      assert.ok(age >= 3_599_000 && age < 3_700_000, String(age));
    });
  });
});

/** A history of edits that the test writes. */
function editing({ make, put, run }: GitWorld) {
  const edits: { step: number; at: number; path: string; who: string }[] = [];
  const history: EditHistory = {
    step: () => edits.length,
    authorsSince: (starts) =>
      new Map(
        [...starts].map(([name, since]) => [
          name,
          edits
            .filter(({ path: one, step, at }) => one === name && ('step' in since ? step > since.step : at > since.time))
            .map(({ who }) => ({ ...person(who), kind: 'person' as const })),
        ]),
      ),
  };
  return {
    /** `clockMs`: how far the clock is off by then. */
    edit: (name: string, who: string, clockMs = 0): void => {
      put(name, `${who} ${edits.length}\n`);
      edits.push({ step: edits.length + 1, at: Date.now() + clockMs, path: name, who });
    },
    make: (options: Partial<GitOptions>) => make(options, { edits: history }),
    trailers: (): string[] => run('log', '-1', '--format=%(trailers:key=Co-authored-by,valueonly,unfold)').split('\n').filter(Boolean),
  };
}
