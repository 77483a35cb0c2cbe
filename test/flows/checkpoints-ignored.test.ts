import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { withCheckpoints } from '../kit/checkpoint-runs.ts';
import { requireTool } from '../kit/require-tools.ts';

const skip = requireTool('git');

for (const repository of ['committed', 'none'] as const) {
  const where = repository === 'none' ? 'beside the state' : 'in the repository';

  test(`${where}: a run that has git ignore less is taken back, and what was ignored before it stays`, { skip }, () =>
    withCheckpoints(
      {
        repository,
        files: {
          '.gitignore': '*.env\nlogs/\n',
          'sub/.gitignore': 'kept\n',
          'sub/kept': 'mine\n',
          'a.env': 'SECRET=1\n',
          'logs/x.txt': 'x\n',
        },
      },
      async ({ client, run, put, file, has }) => {
        const { id } = await client.call('checkpoints.create', { title: 'before' });
        await run('1', () => {
          put('.gitignore', '');
          put('sub/.gitignore', '');
          put('made.txt', 'by the run\n');
        });
        const { files } = await client.call('checkpoints.revert', { run: '1' });
        assert.deepEqual(
          ['.gitignore', 'a.env', 'logs/x.txt', 'sub/kept'].map((name) => file(name)),
          ['*.env\nlogs/\n', 'SECRET=1\n', 'x\n', 'mine\n'],
        );
        assert.equal(has('made.txt'), false);
        assert.deepEqual(
          files.filter(({ did }) => did === 'skipped').map(({ path: skipped, why }) => [skipped, why]),
          ['a.env', 'logs/x.txt', 'sub/kept'].map((name) => [name, 'git ignored it then']),
        );
        // It holds them from now on, though git ignores them again: what it did not hold then is left alone all the same.
        await client.call('checkpoints.restore', { id });
        assert.deepEqual([file('a.env'), file('logs/x.txt')], ['SECRET=1\n', 'x\n']);
        put('.gitignore', 'logs/\n');
        put('later.txt', 'later\n');
        await client.call('checkpoints.restore', { id });
        assert.deepEqual([file('.gitignore'), file('a.env'), has('later.txt')], ['*.env\nlogs/\n', 'SECRET=1\n', false]);
      },
    ),
  );

  test(`${where}: a run that has git ignore more is taken back, with what it did to a file that is ignored since`, { skip }, () =>
    withCheckpoints({ repository, files: { '.gitignore': '', 'a.txt': 'a\n' } }, async ({ client, run, put, file, has }) => {
      put('dist/out.js', 'one\n');
      put('dist/other.js', 'other\n');
      const { id } = await client.call('checkpoints.create', { title: 'before' });
      await run('1', () => {
        put('.gitignore', 'dist/\n');
        put('dist/out.js', 'two\n');
        put('dist/new.js', 'ignored from the start\n');
      });
      await client.call('checkpoints.revert', { run: '1' });
      assert.deepEqual([file('.gitignore'), file('dist/out.js'), file('dist/other.js')], ['', 'one\n', 'other\n']);
      assert.equal(has('dist/new.js'), true);
      put('.gitignore', 'dist/\n');
      put('dist/out.js', 'three\n');
      await client.call('checkpoints.restore', { id });
      assert.deepEqual([file('.gitignore'), file('dist/out.js')], ['', 'one\n']);
    }),
  );
}

test('of more ignored files, and of more folders that went, than a command line can name a checkpoint is made all the same', { skip }, () =>
  withCheckpoints({ files: { '.gitignore': 'built/\n', 'a.txt': 'a\n' } }, async ({ client, put, root, remove, run, has }) => {
    const first = await client.call('checkpoints.create', { title: 'first' });
    const deep = `${'d'.repeat(250)}/`.repeat(8);
    await run('build', () => {
      for (let index = 0; index < 1200; index++) put(`built/${deep}${index}`);
      put('b.txt');
    });
    await run('folders', () => {
      for (let index = 0; index < 1200; index++) fs.mkdirSync(path.join(root, 'made', deep, String(index)), { recursive: true });
      put(`made/${deep}0/c.txt`);
    });
    await run('removal', () => remove('made'));
    const back = await client.call('checkpoints.revert', { run: 'removal' });
    assert.deepEqual(
      back.files.map(({ path: where, did }) => [where, did]),
      [[`made/${deep}0/c.txt`, 'brought back']],
    );
    await client.call('checkpoints.revert', { run: 'build' });
    assert.deepEqual([has('b.txt'), has(`built/${deep}0`)], [false, true]);
    const { files } = await client.call('checkpoints.diff', { id: first.id, against: 'now' });
    assert.deepEqual(
      files.map(({ path: where }) => where),
      [`made/${deep}0/c.txt`],
    );
  }),
);
