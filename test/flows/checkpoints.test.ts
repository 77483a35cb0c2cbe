import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { operations } from '../../src/contract/operations.ts';
import { agent, gitIn, goesThere, plain, putIn, withCheckpoints } from '../kit/checkpoint-runs.ts';
import { eventually } from '../kit/eventually.ts';
import { longestTurn } from '../kit/loop-hold.ts';
import { Random } from '../kit/random.ts';
import { requireTool } from '../kit/require-tools.ts';
import { testSeed } from '../kit/seed.ts';
import { fails } from '../kit/workspace-harness.ts';

const skip = requireTool('git');
const lines = (...all: string[]): string => all.map((line) => `${line}\n`).join('');
const ten = Array.from({ length: 10 }, (_, index) => `line ${index}`);

test('a run is taken back, and what people edited meanwhile and later stays: another file, another hunk, an open document', { skip }, () =>
  withCheckpoints({ files: { 'A.txt': lines(...ten), 'B.txt': lines('b') } }, async ({ client, open, run, put, file, has, git }) => {
    const person = await open('A.txt');
    await run('17', async () => {
      put('A.txt', lines('RUN', ...ten.slice(1)));
      await eventually(() => assert.match(person.text.toString(), /^RUN/));
      person.text.insert(person.text.length, 'typed during\n');
      await client.call('files.write', { path: 'B.txt', text: 'b, by a person\n' });
      await eventually(() => assert.match(file('A.txt'), /typed during/));
      put('A.txt', file('A.txt').replace('line 5\n', 'RUN AGAIN\n'));
      put('made.txt', 'by the run\n');
      put('new/deep.txt', 'by the run\n');
    });
    person.text.insert(person.text.toString().indexOf('line 8'), 'typed later\n');
    const reverted = await client.call('checkpoints.revert', { run: '17' });
    const wanted = lines(...ten.slice(0, 8), 'typed later', ...ten.slice(8), 'typed during');
    assert.equal(file('A.txt'), wanted);
    await eventually(() => assert.equal(person.text.toString(), wanted));
    assert.equal(file('B.txt'), 'b, by a person\n');
    assert.equal(has('made.txt'), false);
    assert.equal(has('new'), false);
    assert.deepEqual(
      reverted.files.map(({ path: where, did, document }) => `${where} ${did}${document === true ? ' in a document' : ''}`),
      ['A.txt edited in a document', 'made.txt removed', 'new/deep.txt removed'],
    );
    assert.match(git('log', '--all', '--oneline'), /^\S+ first\n$/);
    assert.equal(git('branch', '--all'), '* main\n');
    assert.equal(git('diff', '--cached', '--name-only'), '');

    const again = await client.call('checkpoints.revert', { run: '17' });
    assert.equal(again.changed, false);
    assert.match(again.text, /already/);

    // The revert is a run too: taken back itself, with what was typed since.
    person.text.insert(0, 'typed at last\n');
    await client.call('checkpoints.revert', { run: reverted.undo ?? '' });
    assert.equal(
      file('A.txt'),
      lines('typed at last', 'RUN', ...ten.slice(1, 5), 'RUN AGAIN', 'line 6', 'line 7', 'typed later', 'line 8', 'line 9', 'typed during'),
    );
    assert.equal(file('new/deep.txt'), 'by the run\n');
    await client.call('checkpoints.revert', { run: '17' });
    assert.equal(file('A.txt'), `typed at last\n${wanted}`);
  }),
);

test('hunks that both changed are refused with what each has there, and nothing is changed until somebody says what to do', { skip }, () =>
  withCheckpoints({ files: { 'a.txt': lines(...ten), 'b.txt': 'b\n' } }, async ({ client, run, put, file }) => {
    await run('1', () => {
      put('a.txt', lines('line 0', 'RUN', ...ten.slice(2, 9), 'RUN TOO'));
      put('b.txt', 'RUN\n');
    });
    await client.call('files.edit', { path: 'a.txt', edits: [{ find: 'RUN\n', replace: 'RUN and me\n' }] });
    const error = await fails('HUNKS_SHARED', () => client.call('checkpoints.revert', { run: '1' }));
    const [clash] = (error.details as { shared: { path: string; line: number; now: string; without: string }[] }).shared;
    assert.equal(clash?.path, 'a.txt');
    assert.equal(clash.line, 2);
    assert.match(clash.now, /and me/);
    assert.match(clash.without, /line 1/);
    assert.equal(file('b.txt'), 'RUN\n');
    const dry = await client.call('checkpoints.revert', { run: '1', dryRun: true });
    assert.deepEqual([dry.changed, dry.shared.length, dry.files.length], [false, 1, 2]);
    const kept = await client.call('checkpoints.revert', { run: '1', shared: 'keep' });
    assert.equal(file('a.txt'), lines('line 0', 'RUN and me', ...ten.slice(2)));
    assert.equal(file('b.txt'), 'b\n');
    await client.call('checkpoints.revert', { run: kept.undo ?? '' });
    // Somebody edits another place of the run while the first one is asked about.
    const { digest: ifShared } = error.details as { digest: string };
    await client.call('files.edit', { path: 'a.txt', edits: [{ find: 'RUN TOO', replace: 'RUN TOO, and more' }] });
    const remove = { run: '1', shared: 'remove' } as const;
    const again = (await fails('HUNKS_SHARED', () => client.call('checkpoints.revert', { ...remove, ifShared }))).details as {
      total: number;
      files: number;
      digest: string;
    };
    assert.deepEqual([again.total, again.files, again.digest === ifShared], [2, 1, false]);
    assert.match(file('a.txt'), /and me\n[^]*, and more/);
    // Where it stands does not matter.
    await client.call('files.edit', { path: 'a.txt', edits: [{ find: 'line 0', replace: 'line 0\nline 0.5' }] });
    await client.call('checkpoints.revert', { ...remove, ifShared: again.digest });
    assert.equal(file('a.txt'), lines('line 0', 'line 0.5', ...ten.slice(1)));
  }),
);

test('files that people made, removed and moved during a run, and what the run moved, are told from what the run did', { skip }, () =>
  withCheckpoints(
    {
      files: {
        'keep.txt': lines(...ten),
        'gone.txt': 'gone\n',
        'moves.txt': lines(...ten),
        'old.txt': lines(...ten),
        'dir/in.txt': 'in\n',
        'edited.txt': lines('other', ...ten),
      },
    },
    async ({ client, run, put, file, has, root }) => {
      await run('1', async () => {
        await client.call('files.write', { path: 'person.txt', text: 'a person\n' });
        await client.call('files.remove', { path: 'gone.txt' });
        await client.call('files.move', { from: 'moves.txt', to: 'moved.txt' });
        await client.call('files.move', { from: 'dir', to: 'folder' });
        put('moved.txt', file('moved.txt').replace('line 3\n', 'RUN\n'));
        put('folder/in.txt', 'RUN\n');
        fs.renameSync(path.join(root, 'old.txt'), path.join(root, 'new.txt'));
        await client.call('files.edit', { path: 'edited.txt', edits: [{ find: 'line 2', replace: 'by a person' }] });
        fs.renameSync(path.join(root, 'edited.txt'), path.join(root, 'renamed.txt'));
        put('keep.txt', lines('RUN', ...ten));
      });
      await client.call('files.edit', { path: 'new.txt', edits: [{ find: 'line 9', replace: 'line 9, mine' }] });
      await client.call('files.move', { from: 'keep.txt', to: 'kept.txt' });
      const { files } = await client.call('checkpoints.revert', { run: '1' });
      assert.equal(file('person.txt'), 'a person\n');
      assert.equal(has('gone.txt'), false);
      assert.equal(file('moved.txt'), lines(...ten));
      assert.equal(file('folder/in.txt'), 'in\n');
      assert.equal(file('old.txt'), lines(...ten.slice(0, 9), 'line 9, mine'));
      assert.equal(has('new.txt'), false);
      assert.deepEqual([has('renamed.txt'), file('edited.txt')], [false, lines('other', ...ten).replace('line 2', 'by a person')]);
      assert.equal(file('kept.txt'), lines(...ten));
      assert.deepEqual(files.map(({ path: where }) => where).sort(), ['edited.txt', 'folder/in.txt', 'kept.txt', 'moved.txt', 'old.txt']);
    },
  ),
);

test('what a run made, removed, made executable or wrote as bytes goes back; one that somebody edited since is asked about', { skip }, () =>
  withCheckpoints(
    { files: { 'bytes.bin': Buffer.from([0, 1, 255]), 'removed/deep.txt': 'removed\n', 'mode.sh': 'x\n', 'Ünï 名.txt': 'one\r\ntwo\r\n' } },
    async ({ client, run, put, file, remove, has, root }) => {
      await run('1', () => {
        put('bytes.bin', Buffer.from([0, 2, 254]));
        remove('removed');
        fs.chmodSync(path.join(root, 'mode.sh'), 0o755);
        put('Ünï 名.txt', 'one\r\nRUN\r\n');
        put('made.txt', 'made\n');
        put('taken up.txt', 'made\n');
        fs.symlinkSync('mode.sh', path.join(root, 'link'));
      });
      await client.call('files.write', { path: 'taken up.txt', text: 'made, and used by a person\n' });
      const error = await fails('HUNKS_SHARED', () => client.call('checkpoints.revert', { run: '1' }));
      assert.deepEqual(
        (error.details as { shared: { path: string; kind: string }[] }).shared.map((clash) => [clash.path, clash.kind]),
        [['taken up.txt', 'file']],
      );
      await client.call('checkpoints.revert', { run: '1', shared: 'keep' });
      assert.deepEqual(fs.readFileSync(path.join(root, 'bytes.bin')), Buffer.from([0, 1, 255]));
      assert.equal(file('removed/deep.txt'), 'removed\n');
      assert.equal(fs.statSync(path.join(root, 'mode.sh')).mode & 0o111, 0);
      assert.equal(file('Ünï 名.txt'), 'one\r\ntwo\r\n');
      assert.deepEqual([has('made.txt'), has('taken up.txt'), has('link')], [false, true, false]);
    },
  ),
);

test('a restore is called after what it goes back to', { skip }, () =>
  withCheckpoints({ files: { 'a.txt': 'one\n' } }, async ({ client, run, put }) => {
    const made = await client.call('checkpoints.create', { title: 'All is well' });
    await run('1', () => put('a.txt', 'RUN\n'));
    const titles = async (): Promise<string[]> => (await client.call('checkpoints.list', {})).checkpoints.map(({ title }) => title);
    const [, before] = (await client.call('checkpoints.list', {})).checkpoints;
    assert.equal(before?.point, 'before');
    assert.match((await client.call('checkpoints.restore', { id: made.id })).text, /^Restore of All is well: 1 file changed/);
    await client.call('checkpoints.revert', { run: '1' });
    put('a.txt', 'else\n');
    await client.call('checkpoints.restore', { id: before.id });
    assert.ok((await titles()).includes(`Restore of the folder before ${before.title}`), (await titles()).join('\n'));
  }),
);

test('a folder that moved after a small change in it comes back with the file that changed', { skip }, () =>
  withCheckpoints({ files: { 'a.txt': 'a\n', 'd/e/f.txt': 'one\n', 'd/e/g.txt': 'g\n' } }, async ({ client, file, has }) => {
    await client.call('checkpoints.create', { title: 'first' });
    await client.call('files.write', { path: 'd/e/f.txt', text: 'two\n' });
    const { id } = await client.call('checkpoints.create', { title: 'second' });
    await client.call('files.move', { from: 'd/e', to: 'x' });
    const moved = await client.call('checkpoints.create', { title: 'moved' });
    await client.call('checkpoints.restore', { id });
    assert.deepEqual([file('d/e/f.txt'), file('d/e/g.txt'), has('x')], ['two\n', 'g\n', false]);
    await client.call('checkpoints.restore', { id: moved.id });
    assert.deepEqual([file('x/f.txt'), file('x/g.txt'), has('d/e')], ['two\n', 'g\n', false]);
  }),
);

test(
  'a folder that a program moved away is in the next checkpoint with its files, also where another of its name was moved at once (long form)',
  { skip },
  () =>
    withCheckpoints({}, async ({ client, put, root, remove }) => {
      // Which of the two moves is told first is left to chance.
      for (let round = 0; round < 12; round++) {
        put('lib/one', '1\n');
        put('lib/in/two', '2\n');
        const { id } = await client.call('checkpoints.create', { title: 'before' });
        fs.renameSync(path.join(root, 'lib'), path.join(root, 'kept'));
        put('lib/one', '1\n');
        await client.call('files.move', { from: 'lib', to: 'other' });
        const after = await client.call('checkpoints.create', { title: 'after', paths: ['kept/one', 'kept/in/two', 'other/one'] });
        assert.deepEqual(after.lacking, [], `round ${round}`);
        const { files } = await client.call('checkpoints.diff', { id: after.id, against: id });
        assert.deepEqual(files.map(({ path: at }) => at).sort(), ['kept/in/two', 'kept/one', 'other/one'], `round ${round}`);
        remove('kept');
        remove('other');
      }
    }),
);

for (const became of ['an empty folder', 'a folder that went', 'a folder of ignored files'] as const)
  test(`a file that came after the first checkpoint and became ${became} is in the next one no more, and comes back`, { skip }, () =>
    withCheckpoints({ files: { '.gitignore': '*.log\n' } }, async ({ client, put, file, remove, root }) => {
      await client.call('checkpoints.create', { title: 'first' });
      put('x', 'precious\n');
      const { id } = await client.call('checkpoints.create', { title: 'with it' });
      remove('x');
      fs.mkdirSync(path.join(root, 'x'));
      if (became === 'a folder of ignored files') put('x/noise.log', 'ignored\n');
      // The journal is to tell of the folder.
      await eventually(async () => {
        const { changes } = await client.call('changes.since', {});
        assert.ok(changes.some((change) => change.path === 'x' && change.kind === 'directory'));
      });
      if (became === 'a folder that went') remove('x');
      const after = await client.call('checkpoints.create', { title: 'without it' });
      const { files } = await client.call('checkpoints.diff', { id: after.id, against: id });
      assert.deepEqual(files, [{ path: 'x', added: 0, removed: 1 }]);
      if (became !== 'a folder that went') remove('x');
      await client.call('checkpoints.restore', { id });
      assert.equal(file('x'), 'precious\n');
    }),
  );

test('a run that makes a file executable which was written a moment before is taken back', { skip }, () =>
  withCheckpoints({ files: { 'a.sh': 'a\n', 'b.sh': 'b\n', 'd/c.txt': 'c\n' } }, async ({ client, root, run }) => {
    const modes = (): number[] => ['a.sh', 'b.sh'].map((name) => fs.statSync(path.join(root, name)).mode & 0o111);
    for (const id of ['alone', 'and a folder moves']) {
      await client.call('checkpoints.create', { title: 'first' });
      await client.call('files.write', { path: 'a.sh', text: `${id}\n` });
      await client.call('checkpoints.create', { title: 'second' });
      await run(id, () => {
        for (const name of ['a.sh', 'b.sh']) fs.chmodSync(path.join(root, name), 0o755);
        if (id !== 'alone') fs.renameSync(path.join(root, 'd'), path.join(root, 'k'));
      });
      await client.call('checkpoints.revert', { run: id });
      assert.deepEqual(modes(), [0, 0], id);
    }
  }),
);

test('what comes back is open to nobody whom new files are not open to', { skip: skip || process.platform === 'win32' }, () =>
  withCheckpoints(
    { files: { 'secret.txt': 's\n', 'secret.sh': 's\n' }, prepare: (root) => fs.chmodSync(path.join(root, 'secret.sh'), 0o700) },
    async ({ client, run, root, remove }) => {
      await run('1', () => {
        remove('secret.txt');
        remove('secret.sh');
      });
      const before = process.umask(0o077);
      try {
        await client.call('checkpoints.revert', { run: '1' });
      } finally {
        process.umask(before);
      }
      const modes = ['secret.txt', 'secret.sh'].map((name) => fs.statSync(path.join(root, name)).mode & 0o777);
      assert.deepEqual(modes, [0o600, 0o700]);
    },
  ),
);

test(
  'a file that is executable again, or is not any more, is open to those to whom it was open',
  {
    skip: skip || process.platform === 'win32',
  },
  () =>
    withCheckpoints({ files: { key: 'k\n', tool: 't\n', shared: 's\n', 'moved.sh': 'm\n' } }, async ({ client, run, root, put }) => {
      const set = (modes: Record<string, number>): void => {
        for (const [name, mode] of Object.entries(modes)) fs.chmodSync(path.join(root, name), mode);
      };
      const modes = (...names: string[]): string[] => names.map((name) => (fs.statSync(path.join(root, name)).mode & 0o777).toString(8));
      set({ key: 0o600, tool: 0o700, shared: 0o640, 'moved.sh': 0o600 });
      const { id } = await client.call('checkpoints.create', { title: 'one' });
      await run('1', () => {
        set({ key: 0o700, tool: 0o600, shared: 0o750, 'moved.sh': 0o700 });
        put('key', 'RUN\n');
        fs.renameSync(path.join(root, 'moved.sh'), path.join(root, 'elsewhere.sh'));
      });
      const { undo } = await client.call('checkpoints.revert', { run: '1' });
      assert.deepEqual(modes('key', 'tool', 'shared', 'moved.sh'), ['600', '700', '640', '600']);
      await client.call('checkpoints.revert', { run: undo ?? '' });
      assert.deepEqual(modes('key', 'tool', 'shared', 'elsewhere.sh'), ['700', '600', '750', '700']);
      await client.call('checkpoints.restore', { id, paths: ['key', 'tool', 'shared'] });
      assert.deepEqual(modes('key', 'tool', 'shared'), ['600', '700', '640']);
    }),
);

test('a file that is open with unsaved edits goes back to what it was, and the edits stay', { skip }, () =>
  withCheckpoints(
    { files: { 'a.txt': lines(...ten) }, config: { 'documents.saveIdleMs': '60000', 'documents.saveMaxMs': '60000' } },
    async ({ client, open, run, put, file }) => {
      const person = await open('a.txt');
      person.text.insert(person.text.length, 'unsaved before\n');
      await eventually(async () => assert.match((await client.call('files.read', { path: 'a.txt' })).text, /unsaved before/));
      await run('1', async () => {
        assert.match(file('a.txt'), /unsaved before/);
        put('a.txt', file('a.txt').replace('line 2\n', 'RUN\n'));
        person.text.insert(0, 'unsaved during\n');
        await eventually(() => assert.match(person.text.toString(), /RUN/));
      });
      person.text.insert(0, 'unsaved after\n');
      await eventually(async () => assert.match((await client.call('files.read', { path: 'a.txt' })).text, /unsaved after/));
      await client.call('checkpoints.revert', { run: '1' });
      const wanted = lines('unsaved after', 'unsaved during', ...ten, 'unsaved before');
      await eventually(() => assert.equal(person.text.toString(), wanted));
      assert.equal(file('a.txt'), wanted);
    },
  ),
);

test('checkpoints work in a repository without commits', { skip }, () =>
  withCheckpoints({ files: plain, repository: 'empty' }, async (runs) => {
    await goesThere(runs);
    assert.equal(runs.git('status', '--porcelain'), '?? .gitignore\n?? a.txt\n?? b.txt\n');
  }),
);

test('checkpoints work in a folder without a repository, in one beside the state', { skip }, () =>
  withCheckpoints({ files: plain, repository: 'none' }, async (runs) => {
    await goesThere(runs);
    assert.equal(runs.has('.git'), false);
    assert.ok(fs.existsSync(path.join(runs.stateFolder, 'checkpoints.git')));
  }),
);

test('checkpoints work on a detached HEAD, in a worktree, and beside a submodule, which is left alone (long form)', { skip }, () => {
  const main = fs.mkdtempSync(path.join(os.tmpdir(), 'outrigger-main-'));
  return withCheckpoints(
    {
      repository: 'none',
      prepare: (root) => {
        gitIn(main, 'init', '--quiet', '-b', 'main');
        for (const [name, content] of Object.entries(plain)) putIn(main, name, content);
        gitIn(main, 'add', '-A');
        gitIn(main, 'commit', '--quiet', '-m', 'first');
        gitIn(main, 'worktree', 'add', '--quiet', '--detach', root);
        gitIn(root, 'submodule', '--quiet', 'add', main, 'sub');
      },
    },
    async (runs) => {
      const { put, file, run, client, root } = runs;
      await goesThere(runs);
      await run('2', () => {
        put('sub/a.txt', 'changed in the submodule\n');
        put('a.txt', 'RUN 2\n');
      });
      const { files } = await client.call('checkpoints.revert', { run: '2' });
      assert.deepEqual(
        files.map(({ path: where }) => where),
        ['a.txt'],
      );
      assert.equal(file('sub/a.txt'), 'changed in the submodule\n');
      assert.match(gitIn(root, 'status', '--branch', '--short'), /no branch/);
      assert.match(gitIn(main, 'for-each-ref'), /tree\trefs\/outrigger\/checkpoints\//);
    },
  ).finally(() => fs.rmSync(main, { recursive: true, force: true }));
});

test('checkpoints of a folder inside of a repository hold that folder alone', { skip }, () => {
  const top = fs.mkdtempSync(path.join(os.tmpdir(), 'outrigger-top-'));
  return withCheckpoints(
    {
      repository: 'none',
      config: { root: path.join(top, 'inner') },
      prepare: () => {
        gitIn(top, 'init', '--quiet');
        putIn(top, 'outside.txt', 'outside\n');
        for (const [name, content] of Object.entries(plain)) putIn(top, `inner/${name}`, content);
      },
    },
    async ({ client, sidecar }) => {
      const made = await client.call('checkpoints.create', { title: 'one' });
      await sidecar.runHooks?.before({ id: '1', title: 'one', cause: agent });
      putIn(top, 'inner/a.txt', 'RUN\n');
      putIn(top, 'outside.txt', 'RUN\n');
      await sidecar.runHooks?.after({ id: '1', title: 'one', cause: agent });
      const diff = await client.call('checkpoints.diff', { id: made.id, against: 'now' });
      assert.deepEqual(diff.files, [{ path: 'a.txt', added: 1, removed: 1 }]);
      await client.call('checkpoints.revert', { run: '1' });
      assert.equal(fs.readFileSync(path.join(top, 'inner/a.txt'), 'utf8'), 'a\n');
      assert.equal(fs.readFileSync(path.join(top, 'outside.txt'), 'utf8'), 'RUN\n');
    },
  ).finally(() => fs.rmSync(top, { recursive: true, force: true }));
});

test('what the repository would run or make of a file does not happen: no hook, no filter, no other line ends', { skip }, () =>
  withCheckpoints(
    {
      files: { 'a.txt': 'one\r\n$Id$\r\n', '.gitattributes': '* text=auto eol=crlf ident filter=evil working-tree-encoding=UTF-16\n' },
      repository: 'empty',
      prepare: (root) => {
        gitIn(root, 'config', 'filter.evil.clean', 'touch ran; cat');
        gitIn(root, 'config', 'filter.evil.required', 'true');
        gitIn(root, 'config', 'core.autocrlf', 'true');
        gitIn(root, 'config', 'core.fsmonitor', path.join(root, 'evil.sh'));
        for (const name of ['.git/hooks/reference-transaction', '.git/hooks/post-index-change', 'evil.sh']) {
          putIn(root, name, `#!/bin/sh\ntouch ${root}/ran\n`);
          fs.chmodSync(path.join(root, name), 0o755);
        }
      },
    },
    async ({ client, put, run, root, has }) => {
      const before = fs.readFileSync(path.join(root, 'a.txt'));
      await run('1', () => put('a.txt', 'two\n'));
      await client.call('checkpoints.revert', { run: '1' });
      assert.deepEqual(fs.readFileSync(path.join(root, 'a.txt')), before);
      assert.equal(has('ran'), false);
      assert.equal(has('.git/index'), false);
    },
  ),
);

test('ignored files, folders that are not watched, and files that are too large stay out, and are never touched', { skip }, () =>
  withCheckpoints(
    { files: { 'a.txt': 'a\n', '.gitignore': '*.log\n', 'big.bin': 'x'.repeat(5000) }, config: { 'checkpoints.maxFileBytes': '2000' } },
    async ({ client, put, run, has, file }) => {
      const made = await client.call('checkpoints.create', { title: 'one' });
      assert.equal(made.omitted, 1);
      await run('1', () => {
        put('noise.log', 'ignored\n');
        put('node_modules/x.js', 'not watched\n');
        put('big.bin', 'y'.repeat(6000));
        put('small.bin', 'z'.repeat(100));
      });
      await client.call('checkpoints.revert', { run: '1' });
      assert.deepEqual([has('noise.log'), has('node_modules/x.js'), has('small.bin')], [true, true, false]);
      put('big.bin', 'small now\n');
      await client.call('checkpoints.restore', { id: made.id });
      assert.equal(file('big.bin'), 'small now\n');
      // What is ignored changes with the rules.
      put('.gitignore', '');
      const next = await client.call('checkpoints.create', { title: 'two' });
      const { files } = await client.call('checkpoints.diff', { id: next.id, against: made.id });
      assert.deepEqual(files.map(({ path: where }) => where).sort(), ['.gitignore', 'big.bin', 'noise.log']);
    },
  ),
);

for (const name of ['backup/.GIT/config', 'git~1', 'sub/.git . /x'])
  test(
    `a file of a name that git keeps none of stays out, and is never touched: ${name}`,
    { skip: skip || process.platform !== 'linux' },
    () =>
      withCheckpoints({ files: { a: 'one\n', [name]: 'old\n' }, repository: 'none' }, async ({ client, put, run, file, has, remove }) => {
        const { id, omitted, lacking } = await client.call('checkpoints.create', { title: 'one', paths: ['a', name] });
        assert.deepEqual([omitted, lacking], [1, [name]]);
        await run('1', () => {
          put(name, 'new\n');
          put('a', 'two\n');
        });
        await client.call('checkpoints.restore', { id });
        assert.deepEqual([file('a'), file(name)], ['one\n', 'new\n']);
        put('a', 'three\n');
        await client.call('checkpoints.revert', { run: '1', shared: 'remove' });
        assert.equal(file(name), 'new\n');
        remove(name);
        const without = await client.call('checkpoints.create', { title: 'without it' });
        put(name, 'precious\n');
        await client.call('checkpoints.restore', { id: without.id });
        assert.deepEqual([without.omitted, has(name)], [0, true]);
      }),
  );

test('a checkpoint says which of the paths that one asks about it can’t bring back', { skip }, () =>
  withCheckpoints(
    {
      files: {
        '.gitignore': '*.log\n',
        'a.txt': 'a\n',
        'noise.log': 'ignored\n',
        'big.bin': 'x'.repeat(5000),
        'node_modules/x.js': 'not watched\n',
        'lib/x': 'of its own\n',
        'sub/b.txt': 'b\n',
      },
      repository: 'empty',
      prepare: (root) => {
        gitIn(path.join(root, 'lib'), 'init', '--quiet');
        fs.symlinkSync('a.txt', path.join(root, 'link'));
      },
      config: { 'checkpoints.maxFileBytes': '2000' },
    },
    async ({ client }) => {
      const held = ['a.txt', 'sub/b.txt', 'nothing stands here'];
      const lacking = ['noise.log', 'big.bin', 'node_modules/x.js', 'lib', 'lib/x', 'link', 'sub'];
      const made = await client.call('checkpoints.create', { title: 'one', paths: [...held, ...lacking] });
      assert.deepEqual(made.lacking, lacking);
      assert.deepEqual((await client.call('checkpoints.create', { title: 'two' })).lacking, []);
    },
  ),
);

test('a name that is no UTF-8 is kept in a checkpoint, and what happens to it is said', { skip }, () =>
  withCheckpoints(
    {
      files: { 'a.txt': 'a\n' },
      prepare: (root) => fs.writeFileSync(Buffer.concat([Buffer.from(`${root}/`), Buffer.from([0x62, 0xff])]), 'latin\n'),
    },
    async ({ client, git, root, run }) => {
      const made = await client.call('checkpoints.create', { title: 'one' });
      const tree = git('for-each-ref', '--format=%(objectname)', 'refs/outrigger').trim();
      assert.match(git('-c', 'core.quotepath=on', 'ls-tree', '-r', '--name-only', tree), /"b\\377"/);
      await run('1', () => fs.rmSync(path.join(root, 'a.txt')));
      await client.call('checkpoints.restore', { id: made.id });
      assert.ok(fs.existsSync(path.join(root, 'a.txt')));
    },
  ),
);

test('names that could be read as quoted, as the end of a line or as a pattern stand for themselves (long form)', { skip }, () => {
  const names = ['"x"', 'x\r', 'folder\r/x', ':!x'];
  return withCheckpoints(
    { files: { x: 'other\n', 'folder/x': 'other\n', '.gitignore': 'ignored\n' } },
    async ({ client, run, put, file, remove, has }) => {
      await client.call('checkpoints.create', { title: 'one' });
      for (const name of names) {
        put(name, 'precious\n');
        const { id } = await client.call('checkpoints.create', { title: name });
        put(name, 'changed\n');
        await client.call('checkpoints.restore', { id });
        assert.equal(file(name), 'precious\n', JSON.stringify(name));
      }
      await run('1', () => {
        for (const name of names) remove(name);
      });
      await client.call('checkpoints.revert', { run: '1' });
      for (const name of names) assert.ok(has(name), JSON.stringify(name));
      await client.call('checkpoints.restore', { id: 1 });
      assert.deepEqual(names.filter(has), []);
      assert.deepEqual([file('x'), file('folder/x')], ['other\n', 'other\n']);
    },
  );
});

test('a thousand files that a run changed go back as one batch (long form)', { skip }, () => {
  const files = Object.fromEntries(Array.from({ length: 1000 }, (_, index) => [`d${index % 20}/f${index}.txt`, `${index}\nend\n`]));
  return withCheckpoints({ files }, async ({ client, run, put, file, has }) => {
    await run('1', () => {
      for (const name of Object.keys(files)) put(name, `RUN\n${files[name]}`);
      for (let index = 0; index < 100; index++) put(`made/deep/${index}.txt`, 'made\n');
    });
    const { revision } = await client.call('checkpoints.revert', { run: '1' });
    assert.equal(file('d3/f3.txt'), '3\nend\n');
    assert.equal(has('made'), false);
    const { changes } = await client.call('changes.since', { limit: 10_000 });
    const own = changes.filter(({ cause }) => cause.kind === 'run');
    assert.equal(own.at(-1)?.revision, revision);
    assert.equal(own.length, 1102);
  });
});

/** So many names of one file, which cost less than so many files. */
const linksIn = (root: string, folder: string, of: string, count: number): void => {
  fs.mkdirSync(path.join(root, folder));
  for (let index = 0; index < count; index++) fs.linkSync(path.join(root, of), path.join(root, folder, `${index}.txt`));
};

test('five thousand files are restored at once, and of more nothing (long form)', { skip }, () =>
  withCheckpoints({ files: { 'a.txt': 'a\n' } }, async ({ client, root, file, put }) => {
    const { id } = await client.call('checkpoints.create', { title: 'one' });
    linksIn(root, 'many', 'a.txt', 5000);
    put('b.txt', 'b\n');
    await fails('INPUT_TOO_LARGE', () => client.call('checkpoints.restore', { id }), /5001 files; 5000 is the most/);
    assert.deepEqual([file('many/4999.txt'), file('b.txt')], ['a\n', 'b\n']);
    assert.equal((await client.call('checkpoints.restore', { id, paths: ['many'], dryRun: true })).fileCount, 5000);
  }),
);

test('what a run did to many long texts is taken out of them between turns', { skip }, () => {
  const textOf = (factor: number): string =>
    lines(...Array.from({ length: 4000 }, (_, line) => `line ${line} ${(line * 7919 * factor) % 1_000_003} end`));
  const names = Array.from({ length: 60 }, (_, index) => `${index}.txt`);
  return withCheckpoints({ files: Object.fromEntries(names.map((name) => [name, textOf(1)])) }, async ({ client, run, put, file }) => {
    await run('1', () => {
      for (const name of names) put(name, textOf(2));
    });
    for (const name of names) put(name, `${textOf(2)}mine\n`);
    await client.call('checkpoints.create', { title: 'edited since' });
    const longest = await longestTurn(() => client.call('checkpoints.revert', { run: '1' }));
    for (const name of names) assert.equal(file(name), `${textOf(1)}mine\n`);
    assert.ok(longest < 250, `${longest} ms`);
  });
});

test('where the files of a run went since is found out between turns', { skip }, () =>
  withCheckpoints({ files: { 'a.txt': 'a\n' } }, async ({ client, root, run, remove }) => {
    const deep = `deep/${'d/'.repeat(60)}`;
    await run('1', () => {
      fs.mkdirSync(path.join(root, deep), { recursive: true });
      linksIn(root, `${deep}many`, 'a.txt', 1000);
    });
    remove('deep');
    await client.call('checkpoints.create', { title: 'gone' });
    const longest = await longestTurn(async () => {
      const { fileCount } = await client.call('checkpoints.revert', { run: '1', dryRun: true });
      assert.equal(fileCount, 0);
    });
    assert.ok(longest < 250, `${longest} ms`);
  }),
);

test('of ten thousand files that are too large a checkpoint says the names, and of more there is none (long form)', { skip }, () =>
  withCheckpoints(
    { files: { 'big.bin': 'x'.repeat(2000) }, config: { 'checkpoints.maxFileBytes': '1024' } },
    async ({ client, root, remove }) => {
      linksIn(root, 'many', 'big.bin', 10_000);
      await fails('INPUT_TOO_LARGE', () => client.call('checkpoints.create', { title: 'one' }), /10000 files are too large/);
      for (const name of ['checkpoints.create', 'checkpoints.diff'] as const)
        assert.ok(
          operations[name].errors.some((reason) => reason === 'INPUT_TOO_LARGE'),
          name,
        );
      assert.deepEqual((await client.call('checkpoints.list', {})).checkpoints, []);
      remove('many/0.txt');
      assert.equal((await client.call('checkpoints.create', { title: 'one' })).omitted, 10_000);
    },
  ),
);

test('the oldest checkpoints are dropped by count and by age, with the refs that kept their objects (long form)', { skip }, async (t) => {
  let now = Date.now();
  await withCheckpoints(
    { files: { 'a.txt': 'a\n' }, config: { 'checkpoints.keep': '3', 'checkpoints.keepDays': '10' }, dependencies: { now: () => now } },
    async ({ client, put, git, run }) => {
      await run('old', () => put('a.txt', 'old\n'));
      for (let count = 1; count <= 4; count++) {
        put('a.txt', `${count}\n`);
        await client.call('checkpoints.create', { title: `${count}` });
      }
      const titles = async (): Promise<string[]> => (await client.call('checkpoints.list', {})).checkpoints.map(({ title }) => title);
      assert.deepEqual(await titles(), ['4', '3', '2']);
      assert.equal(git('for-each-ref', 'refs/outrigger').trim().split('\n').length, 3);
      await fails('NO_CHECKPOINT', () => client.call('checkpoints.revert', { run: 'old' }));
      await fails('NO_CHECKPOINT', () => client.call('checkpoints.diff', { id: 1 }));
      git('gc', '--quiet', '--prune=now');
      assert.equal(git('fsck', '--full'), '');
      now += 11 * 86_400_000;
      const monotonic = performance.now.bind(performance);
      t.mock.method(performance, 'now', () => monotonic() + 11 * 86_400_000);
      assert.equal((await client.call('checkpoints.create', { title: 'same' })).same, true);
      assert.deepEqual(await titles(), ['same']);
      const shown = await client.call('checkpoints.restore', { id: (await client.call('checkpoints.list', {})).checkpoints[0]?.id ?? 0 });
      assert.equal(shown.changed, false);
    },
  );
});

test('a checkpoint of a folder where only the repository was made anew holds what it says', { skip }, () =>
  withCheckpoints({ files: plain }, async ({ client, run, put, file, git, remove }) => {
    await client.call('checkpoints.create', { title: 'first' });
    remove('.git');
    git('init', '--quiet');
    const { id } = await client.call('checkpoints.create', { title: 'second' });
    await run('1', () => put('a.txt', 'RUN\n'));
    await client.call('checkpoints.revert', { run: '1' });
    assert.equal(file('a.txt'), 'a\n');
    put('a.txt', 'later\n');
    await client.call('checkpoints.restore', { id });
    assert.equal(file('a.txt'), 'a\n');
  }),
);

test('a checkpoint after all refs were removed is kept, though nothing changed', { skip }, () =>
  withCheckpoints({ files: plain }, async ({ client, git }) => {
    const refs = (): string => git('for-each-ref', '--format=%(objecttype)', 'refs/outrigger');
    for (const packed of [false, true]) {
      await client.call('checkpoints.create', { title: 'one' });
      if (packed) git('pack-refs', '--all');
      await client.call('checkpoints.create', { title: 'two' });
      git('update-ref', '-d', git('for-each-ref', '--format=%(refname)', 'refs/outrigger').trim());
      assert.equal(refs(), '');
      await client.call('checkpoints.create', { title: 'three' });
      assert.equal(refs(), 'tree\n');
    }
  }),
);

test(
  'when the repository is removed, checkpoints begin again beside the state, and in the middle of a run there is none of it (long form)',
  { skip },
  () =>
    withCheckpoints({ files: plain }, async (runs) => {
      const { client, run, put, has, remove } = runs;
      await client.call('checkpoints.create', { title: 'lost' });
      await run('lost', () => {
        remove('.git');
        put('a.txt', 'RUN\n');
      });
      assert.deepEqual((await client.call('checkpoints.list', {})).checkpoints, []);
      await fails('NO_CHECKPOINT', () => client.call('checkpoints.revert', { run: 'lost' }));
      put('a.txt', 'a\n');
      await goesThere(runs);
      assert.equal(has('.git'), false);
      const health = await client.call('system.health', {});
      assert.match(health.checks.find(({ name }) => name === 'checkpoints')?.text ?? '', /beside the state/);
    }),
);

test('random edits by a run, by a program of a person and in open documents: after the revert the edits of people are left', {
  skip,
}, () => {
  const seed = testSeed();
  const random = new Random(seed);
  const count = 20;
  const found = Array.from({ length: count }, (_, index) => `line ${index}`);
  const names = ['open.txt', 'closed.txt'] as const;
  return withCheckpoints(
    { files: Object.fromEntries(names.map((name) => [name, lines(...found)])), config: { 'documents.saveIdleMs': '10' } },
    async ({ client, open, run, put, file }) => {
      const person = await open('open.txt');
      for (let round = 0; round < 6; round++) {
        const base = Object.fromEntries(names.map((name) => [name, file(name)]));
        const wanted = Object.fromEntries(names.map((name) => [name, file(name)]));
        let made = 0;
        const replaceLine = (text: string, index: number, by: string): string =>
          text.replace(new RegExp(`^line ${index}(?=\\D).*$`, 'm'), by);
        const free = new Map(names.map((name) => [name, Array.from({ length: count / 2 }, (_, index) => index * 2)]));
        const step = async (byRun: boolean): Promise<void> => {
          const name = random.of(names);
          const index = free.get(name)?.splice(random.below(free.get(name)?.length ?? 1), 1)[0];
          if (index === undefined) return;
          const by = `line ${index} ${byRun ? 'run' : 'person'} ${round}.${made++}`;
          if (byRun) {
            put(name, replaceLine(file(name), index, by));
            if (random.below(2) === 0) await client.call('files.list', {});
            return;
          }
          wanted[name] = replaceLine(wanted[name] ?? '', index, by);
          if (name === 'open.txt') {
            const text = person.text.toString();
            const at = new RegExp(`^line ${index}(?=\\D)`, 'm').exec(text)?.index ?? 0;
            const end = text.indexOf('\n', at);
            person.ydoc.transact(() => {
              person.text.delete(at, end - at);
              person.text.insert(at, by);
            });
          } else {
            const line = new RegExp(`^line ${index}(?=\\D).*$`, 'm').exec(file(name))?.[0] ?? '';
            await client.call('files.edit', { path: name, edits: [{ find: `${line}\n`, replace: `${by}\n` }] });
          }
        };
        await run(`${round}`, async () => {
          for (let count = 0; count < 12; count++) await step(random.below(2) === 0);
          // What was typed has arrived, and what the run wrote was taken in.
          await eventually(async () => {
            await client.call('documents.flush', {});
            assert.equal(person.text.toString(), file('open.txt'), `SEED=${seed} round ${round}`);
          });
        });
        for (let count = 0; count < 3; count++) await step(false);
        await eventually(async () => {
          await client.call('documents.flush', {});
          assert.equal(person.text.toString(), file('open.txt'), `SEED=${seed} round ${round}`);
        });
        await client.call('checkpoints.revert', { run: `${round}` });
        for (const name of names) assert.equal(file(name), wanted[name], `SEED=${seed} round ${round} ${name}, found ${base[name]}`);
        await eventually(() => assert.equal(person.text.toString(), file('open.txt'), `SEED=${seed} round ${round}`));
      }
    },
  );
});
