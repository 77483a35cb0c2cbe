import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { gitIn, withCheckpoints } from '../kit/checkpoint-runs.ts';
import { eventually } from '../kit/eventually.ts';
import { requireTool } from '../kit/require-tools.ts';
import { withScratchFolder } from '../kit/scratch-folder.ts';

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

type At = (name: string) => string;

/** Moves a file into a folder of its own name, or out of it. */
function moveIn(at: At, from: string, to: string): void {
  fs.renameSync(at(from), at('aside'));
  if (to.startsWith(`${from}/`)) fs.mkdirSync(path.dirname(at(to)), { recursive: true });
  else fs.rmSync(at(to), { recursive: true });
  fs.renameSync(at('aside'), at(to));
}

const turned: Record<string, [before: Record<string, string>, after: Record<string, string>, work: (at: At) => void]> = {
  'a file into a folder that holds it': [{ x: 'x\n' }, { 'x/x': 'x\n' }, (at) => moveIn(at, 'x', 'x/x')],
  'a file into a folder that holds it deeper, with another': [
    { x: 'x\n' },
    { 'x/sub/y': 'x\n', 'x/new': 'new\n' },
    (at) => {
      moveIn(at, 'x', 'x/sub/y');
      fs.writeFileSync(at('x/new'), 'new\n');
    },
  ],
  'a folder into the file that it held': [{ 'x/sub/y': 'x\n' }, { x: 'x\n' }, (at) => moveIn(at, 'x/sub/y', 'x')],
  'a file into a folder that holds another': [
    { a: 'a\n', b: 'b\n' },
    { 'b/a': 'a\n' },
    (at) => {
      fs.rmSync(at('b'));
      fs.mkdirSync(at('b'));
      fs.renameSync(at('a'), at('b/a'));
    },
  ],
  'a folder into another file': [
    { 'a/x': 'x\n', 'a/y': 'y\n' },
    { a: 'new\n', 'a.x': 'x\n' },
    (at) => {
      fs.renameSync(at('a/x'), at('a.x'));
      fs.rmSync(at('a'), { recursive: true });
      fs.writeFileSync(at('a'), 'new\n');
    },
  ],
};

for (const [what, [before, after, work]] of Object.entries(turned))
  test(`a run that turned ${what} is taken back, and that too`, { skip }, () =>
    withCheckpoints({ files: before, repository: 'none' }, async ({ client, root, run }) => {
      await run('1', () => work((name) => path.join(root, name)));
      assert.deepEqual(filesIn(root), after);
      const { undo } = await client.call('checkpoints.revert', { run: '1' });
      assert.deepEqual(filesIn(root), before);
      await client.call('checkpoints.revert', { run: undo ?? '' });
      assert.deepEqual(filesIn(root), after);
    }),
  );

for (const leads of ['out of the folder', 'to another in it', 'nowhere'])
  test(`a run that put a link that leads ${leads} in the place of a folder is taken back`, { skip }, () =>
    withScratchFolder('link-in-the-way', (_folder, outside) =>
      withCheckpoints(
        { files: { 'a/b/x.sh': 'x\n', 'a/b/y': 'y\n', 'other/b/x.sh': 'other\n', c: 'c\n' } },
        async ({ client, root, run, put }) => {
          const before = filesIn(root);
          fs.mkdirSync(path.join(outside, 'b'));
          fs.writeFileSync(path.join(outside, 'b/x.sh'), 'outside\n');
          await run('1', () => {
            fs.rmSync(path.join(root, 'a'), { recursive: true });
            fs.symlinkSync(leads === 'out of the folder' ? outside : leads === 'nowhere' ? '../nowhere' : 'other', path.join(root, 'a'));
            put('c', 'C\n');
          });
          await client.call('checkpoints.revert', { run: '1' });
          assert.deepEqual(filesIn(root), before);
          assert.deepEqual(filesIn(outside), { 'b/x.sh': 'outside\n' });
        },
      ),
    ),
  );

test(
  'what others did since to a file that a run moved into a folder of its own name goes back with it, and so does its mode',
  { skip },
  () =>
    withCheckpoints({ files: { x: 'one\ntwo\nthree\n' } }, async ({ client, root, run, put, file }) => {
      const at: At = (name) => path.join(root, name);
      fs.chmodSync(at('x'), 0o700);
      await run('1', () => {
        moveIn(at, 'x', 'x/y');
        put('x/y', 'ONE\ntwo\nthree\n');
      });
      put('x/y', 'ONE\ntwo\nthree\nmine\n');
      const { files } = await client.call('checkpoints.revert', { run: '1' });
      assert.deepEqual(files, [{ path: 'x', from: 'x/y', did: 'moved' }]);
      assert.equal(file('x'), 'one\ntwo\nthree\nmine\n');
      if (process.platform !== 'win32') assert.equal(fs.statSync(at('x')).mode & 0o777, 0o700);
    }),
);

test('a file that can’t move back since what stands in its place is in no checkpoint stays, and what that holds up too', { skip }, () =>
  withCheckpoints({ files: { '.gitignore': '*.log\n', x: 'x\n', y: 'y\n', z: 'z\n', b: 'one\n' } }, async ({ client, root, run, put }) => {
    const at: At = (name) => path.join(root, name);
    await run('1', () => {
      for (const name of ['x', 'y']) fs.renameSync(at(name), at(`${name}.aside`));
      put('x/noise.log', 'ignored\n');
      fs.renameSync(at('y.aside'), at('x/y'));
      fs.mkdirSync(at('y/sub'), { recursive: true });
      fs.renameSync(at('x.aside'), at('y/sub/x'));
      fs.renameSync(at('z'), at('z.moved'));
      put('b', 'two\n');
    });
    fs.mkdirSync(at('z'));
    const expected = ['x/y', 'y/sub/x', 'z.moved'].map((name) => [name, 'what stands in its place is in no checkpoint']);
    const dry = await client.call('checkpoints.revert', { run: '1', dryRun: true });
    const { files } = await client.call('checkpoints.revert', { run: '1' });
    assert.deepEqual(skippedOf(dry.files), expected);
    assert.deepEqual(skippedOf(files), expected);
    const left = { 'x/y': 'y\n', 'x/noise.log': 'ignored\n', 'y/sub/x': 'x\n', 'z.moved': 'z\n', b: 'one\n', '.gitignore': '*.log\n' };
    assert.deepEqual(filesIn(root), left);
  }),
);

/** By name. */
function filesIn(root: string): Record<string, string> {
  const names = fs.readdirSync(root, { recursive: true, encoding: 'utf8' }).filter((name) => !/^\.git(\/|$)/.test(name));
  const files = names.filter((name) => fs.statSync(path.join(root, name)).isFile());
  return Object.fromEntries(files.map((name) => [name.split(path.sep).join('/'), fs.readFileSync(path.join(root, name), 'utf8')]));
}
