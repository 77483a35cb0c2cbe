import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { gitIn, withCheckpoints } from '../kit/checkpoint-runs.ts';
import { eventually } from '../kit/eventually.ts';
import { requireTool } from '../kit/require-tools.ts';

const skip = requireTool('git');

const skippedOf = (files: readonly { path: string; did: string; why?: string | undefined }[]): (string | undefined)[][] =>
  files.filter(({ did }) => did === 'skipped').map(({ path: at, why }) => [at, why]);

test(
  'what stands in the way of a file and is in no checkpoint is left, and all else is restored',
  { skip: skip || process.platform === 'win32' },
  () =>
    withCheckpoints(
      { files: { '.gitignore': '*.log\n', pipe: 'a file\n', folder: 'a file\n', 'deep/in/a': 'a file\n', gone: 'a file\n', b: 'one\n' } },
      async ({ client, put, file, has, remove, root, run }) => {
        const { id } = await client.call('checkpoints.create', { title: 'one' });
        await run('1', () => {
          for (const name of ['pipe', 'folder', 'deep', 'gone']) remove(name);
          for (const name of ['pipe', 'deep']) execFileSync('mkfifo', [path.join(root, name)]);
          put('folder/x', 'x\n');
          put('folder/y.log', 'ignored\n');
          put('gone/x', 'x\n');
          put('b', 'two\n');
        });
        const inTheWay = 'what stands in its place is in no checkpoint';
        const expected = [
          ['deep/in/a', inTheWay],
          ['folder', inTheWay],
          ['pipe', inTheWay],
        ];
        const dry = await client.call('checkpoints.restore', { id, dryRun: true });
        assert.deepEqual(skippedOf(dry.files), expected);
        const { files, undo } = await client.call('checkpoints.restore', { id });
        assert.deepEqual(skippedOf(files), expected);
        assert.deepEqual([file('b'), file('gone'), has('folder/x'), file('folder/y.log')], ['one\n', 'a file\n', false, 'ignored\n']);
        assert.ok(fs.lstatSync(path.join(root, 'pipe')).isFIFO());
        await client.call('checkpoints.revert', { run: undo ?? '' });
        assert.deepEqual([file('b'), file('gone/x'), file('folder/x')], ['two\n', 'x\n', 'x\n']);
        assert.deepEqual(skippedOf((await client.call('checkpoints.revert', { run: '1' })).files), expected);
        assert.equal(file('b'), 'one\n');
      },
    ),
);

test('a folder that became a repository of its own is left alone, and all else is restored', { skip }, () =>
  withCheckpoints({ files: { 'sub/a': 'one\n', 'sub/gone': 'one\n', b: 'one\n' } }, async ({ client, put, file, has, remove, root }) => {
    const { id } = await client.call('checkpoints.create', { title: 'one' });
    gitIn(path.join(root, 'sub'), 'init', '--quiet');
    put('sub/a', 'two\n');
    remove('sub/gone');
    put('b', 'two\n');
    const { files } = await client.call('checkpoints.restore', { id });
    assert.deepEqual(
      skippedOf(files),
      ['sub/a', 'sub/gone'].map((name) => [name, 'it is in a repository of its own']),
    );
    assert.deepEqual([file('b'), file('sub/a'), has('sub/gone')], ['one\n', 'two\n', false]);
  }),
);

for (const arrives of ['before the first checkpoint', 'later', 'as a submodule'] as const)
  test(`files of a repository inside that was taken in stay: they were there at the checkpoint (${arrives})`, { skip }, () =>
    withCheckpoints({ files: { 'sub/a': 'mine\n', 'sub/b': 'mine\n', c: 'one\n' }, repository: 'empty' }, async (runs) => {
      const { client, put, file, has, root, remove, run, git } = runs;
      const sub = path.join(root, 'sub');
      if (arrives === 'later') {
        fs.renameSync(sub, path.join(root, '../sub'));
        await client.call('checkpoints.create', { title: 'without' });
        fs.renameSync(path.join(root, '../sub'), sub);
      }
      gitIn(sub, 'init', '--quiet');
      gitIn(sub, 'add', '-A');
      gitIn(sub, 'commit', '--quiet', '-m', 'own');
      if (arrives === 'as a submodule') git('add', '-A');
      put('sub/a', 'mine too\n');
      const { id, omitted } = await client.call('checkpoints.create', { title: 'one' });
      assert.equal(omitted, 0);
      await run('1', () => {
        remove('sub/.git');
        if (arrives === 'as a submodule') git('rm', '--quiet', '--cached', '-f', 'sub');
        put('sub/a', 'more\n');
        put('.gitignore', 'x\n');
        put('c', 'two\n');
      });
      const expected = ['sub/a', 'sub/b'].map((name) => [name, 'it was in a repository of its own then']);
      assert.deepEqual(skippedOf((await client.call('checkpoints.revert', { run: '1' })).files), expected);
      assert.deepEqual([file('sub/a'), file('sub/b'), file('c')], ['more\n', 'mine\n', 'one\n']);
      put('c', 'three\n');
      assert.deepEqual(skippedOf((await client.call('checkpoints.restore', { id })).files), expected);
      assert.deepEqual([file('sub/a'), file('sub/b'), file('c')], ['more\n', 'mine\n', 'one\n']);
      // From now on they are files as any other.
      const taken = await client.call('checkpoints.create', { title: 'taken in' });
      put('sub/new', 'new\n');
      await eventually(async () => {
        await client.call('checkpoints.restore', { id: taken.id });
        assert.equal(has('sub/new'), false);
      });
    }),
  );
