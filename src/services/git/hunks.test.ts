import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { describe, test } from 'node:test';
import { fails, names, withRepository } from '../../../test/kit/git-world.ts';
import { requireTool } from '../../../test/kit/require-tools.ts';
import type { Git } from './git.ts';
import { hunks, type HunksRequest } from './hunks.ts';
import { restore, stage, unstage } from './staging.ts';

type Answer = Awaited<ReturnType<typeof hunks>>;

const ask = (git: Git, request: Partial<HunksRequest> = {}): Promise<Answer> => hunks(git, { staged: false, maxLines: 20_000, ...request });

/** Ids of the hunks of one file. */
async function idsOf(git: Git, name: string, request: Partial<HunksRequest> = {}): Promise<string[]> {
  return (await ask(git, request)).files.find(({ path: one }) => one === name)?.hunks.map(({ id }) => id) ?? [];
}

/** Thirty lines; those named are changed, which makes a hunk each when they are far apart. */
function thirty(changed: Record<number, string> = {}): string {
  return `${Array.from({ length: 30 }, (_, index) => changed[index + 1] ?? `line ${index + 1}`).join('\n')}\n`;
}

const indented = (changed: Record<number, string> = {}): string => thirty(changed).replaceAll(/^(?=.)/gm, ' ');

describe('hunks', { skip: requireTool('git') }, () => {
  test('a change is told line by line, with where it stands and what the lines belong to', async () => {
    await withRepository(async ({ git, put, save }) => {
      put('a.ts', `function one() {\n${indented()}}\n`);
      save('base');
      put('a.ts', `function one() {\n${indented({ 20: 'twenty' })}}`);
      const { files, omittedFiles, truncated } = await ask(git);
      assert.deepEqual([omittedFiles, truncated, files.length], [0, false, 1]);
      const [file] = files;
      assert.deepEqual([file?.path, file?.status, file?.binary, file?.omittedHunks], ['a.ts', 'modified', false, 0]);
      const [first, last] = file?.hunks ?? [];
      assert.deepEqual(
        [first?.oldStart, first?.oldLines, first?.newStart, first?.newLines, first?.heading],
        [18, 7, 18, 7, 'function one() {'],
      );
      assert.deepEqual(first?.lines.slice(2, 6), [
        { kind: 'context', text: ' line 19' },
        { kind: 'removed', text: ' line 20' },
        { kind: 'added', text: ' twenty' },
        { kind: 'context', text: ' line 21' },
      ]);
      assert.deepEqual(last?.lines.slice(-2), [
        { kind: 'removed', text: '}' },
        { kind: 'added', text: '}', noNewline: true },
      ]);
    });
  });

  test('a file that was touched and holds what it held is no change, and none that is brought back', async () => {
    await withRepository(async ({ git, put, save, root }) => {
      for (const name of ['a', 'b']) put(name);
      put('bytes', Buffer.from([1, 0, 2]));
      save('base');
      for (const name of ['a', 'bytes']) fs.utimesSync(path.join(root, name), 1, 1);
      put('b', 'other\n');
      for (const request of [{}, { from: 'HEAD' }, { lines: false }])
        assert.deepEqual(
          (await ask(git, request)).files.map((file) => file.path),
          ['b'],
        );
      assert.deepEqual(await restore(git, { files: [{ path: 'a' }, { path: 'b' }], from: 'HEAD' }), { files: 1 });
      fs.utimesSync(path.join(root, 'a'), 2, 2);
      assert.deepEqual(await restore(git, { files: [{ path: 'a' }] }), { files: 0 });
    });
  });

  test('each kind of change and of name is told: added, deleted, renamed, mode, link, binary, not UTF-8, in quotes', async () => {
    await withRepository(async ({ git, put, save, run, root }) => {
      const odd = ['tab\there', 'new\nline', '"quoted"', 'back\\slash', '-rf', '🎉 é', 'bell\x07'];
      for (const name of [...odd, 'gone', 'mode', 'link', 'dir/x']) put(name, `${name}\n`);
      put('old', thirty());
      put('binary', Buffer.from([1, 0, 2]));
      fs.writeFileSync(Buffer.concat([Buffer.from(`${root}/`), Buffer.of(0x63, 0xe9)]), 'one\n');
      save('base');
      for (const name of odd) put(name, 'two\n');
      fs.writeFileSync(Buffer.concat([Buffer.from(`${root}/`), Buffer.of(0x63, 0xe9)]), 'two\n');
      fs.rmSync(path.join(root, 'gone'));
      fs.chmodSync(path.join(root, 'mode'), 0o755);
      fs.rmSync(path.join(root, 'link'));
      fs.symlinkSync('mode', path.join(root, 'link'));
      put('binary', Buffer.from([1, 0, 3]));
      run('mv', 'old', 'new');
      put('new', thirty({ 3: 'three' }));
      put('fresh', 'x\n');
      run('add', '--all');
      const { files } = await ask(git, { staged: true });
      const told = new Map(files.map((file) => [file.path, file]));
      for (const name of odd) assert.deepEqual(told.get(name)?.hunks[0]?.lines.at(-1), { kind: 'added', text: 'two' }, name);
      assert.deepEqual([told.get('c\\xe9')?.raw, told.get('c\\xe9')?.hunks.length], [true, 1]);
      assert.deepEqual([told.get('gone')?.status, told.get('fresh')?.status], ['deleted', 'added']);
      const { oldMode, newMode, hunks: none } = told.get('mode') ?? {};
      assert.deepEqual([oldMode, newMode, none], ['100644', '100755', []]);
      assert.deepEqual([told.get('link')?.status, told.get('link')?.hunks.length], ['type-changed', 2]);
      assert.deepEqual([told.get('binary')?.binary, told.get('binary')?.hunks.length], [true, 0]);
      assert.deepEqual([told.get('new')?.status, told.get('new')?.from, told.get('new')?.hunks.length], ['renamed', 'old', 1]);
      assert.equal(files.length, odd.length + 7);
    });
  });

  test('revisions, a commit against its parent, the first commit, a merge and a stash can be compared', async () => {
    await withRepository(async ({ git, put, save, run }) => {
      put('a', 'one\n');
      const first = save('one');
      put('a', 'two\n');
      const second = save('two');
      const texts = (answer: Answer): string[] =>
        answer.files.flatMap(({ hunks: all }) => all.flatMap(({ lines }) => lines.map(({ text }) => text)));
      assert.deepEqual(texts(await ask(git, { commit: first })), ['one']);
      assert.deepEqual(texts(await ask(git, { commit: 'HEAD' })), ['one', 'two']);
      assert.deepEqual(texts(await ask(git, { from: second, to: first })), ['two', 'one']);
      assert.deepEqual(texts(await ask(git, { from: first, path: 'b' })), []);
      run('checkout', '-qb', 'side', first);
      put('b', 'b\n');
      save('side');
      run('checkout', '-q', 'main');
      run('merge', '-q', '--no-edit', 'side');
      assert.deepEqual(texts(await ask(git, { commit: 'HEAD' })), ['b'], 'a merge shows what it brought into this branch');
      put('a', 'three\n');
      run('stash', '-q');
      assert.deepEqual(texts(await ask(git, { commit: 'stash@{0}' })), ['two', 'three']);
      await assert.rejects(ask(git, { commit: '--output=/tmp/x' }), fails('BAD_INPUT'));
      await assert.rejects(ask(git, { commit: 'HEAD:a' }), fails('BAD_INPUT'));
      await assert.rejects(ask(git, { commit: 'HEAD', staged: true }), fails('BAD_INPUT'));
      await assert.rejects(ask(git, { commit: 'nope' }), fails('GIT_FAILED'));
    });
  });

  test('too many lines end the answer between two hunks, and what is left out is counted', async () => {
    await withRepository(async ({ git, make, put, save }) => {
      for (const name of ['a', 'b', 'c']) put(name, thirty());
      save('base');
      for (const name of ['a', 'b', 'c']) put(name, thirty({ 3: 'x', 15: 'y', 28: 'z' }));
      const cut = await ask(git, { maxLines: 40 });
      assert.deepEqual(
        [cut.files.map((file) => [file.path, file.hunks.length, file.omittedHunks]), cut.omittedFiles, cut.truncated],
        [
          [
            ['a', 3, 0],
            ['b', 2, 1],
          ],
          1,
          true,
        ],
      );
      // Each place where the text may be cut off: what is told is a beginning of the whole, and nothing half.
      const whole = await ask(git);
      for (let maxTextBytes = 1; maxTextBytes < 1700; maxTextBytes += 97) {
        const part = await hunks(make({ maxTextBytes }), { staged: false, maxLines: 1000 });
        const told = part.files.flatMap((file) => file.hunks);
        assert.deepEqual(told, whole.files.flatMap((file) => file.hunks).slice(0, told.length), `${maxTextBytes} bytes`);
        assert.equal(part.truncated, told.length < 9, `${maxTextBytes} bytes`);
      }
    });
  });

  test('single hunks are staged, unstaged and taken back, the others stay', async () => {
    await withRepository(async ({ git, put, save, run, file }) => {
      put('a', thirty());
      save('base');
      put('a', thirty({ 2: 'two', 15: 'fifteen', 29: 'twentynine' }));
      const [, second = '', third = ''] = await idsOf(git, 'a');
      assert.deepEqual(await stage(git, [{ path: 'a', hunks: [second] }]), { files: 1 });
      assert.equal(run('show', ':a'), thirty({ 15: 'fifteen' }).trim());
      assert.equal((await idsOf(git, 'a')).length, 2);
      await stage(git, [{ path: 'a', hunks: [third] }]);
      const [staged = ''] = await idsOf(git, 'a', { staged: true });
      assert.deepEqual(await unstage(git, [{ path: 'a', hunks: [staged] }]), { files: 1 });
      assert.equal(run('show', ':a'), thirty({ 29: 'twentynine' }).trim());
      const [first = ''] = await idsOf(git, 'a');
      assert.deepEqual(await restore(git, { files: [{ path: 'a', hunks: [first] }] }), { files: 1 });
      assert.equal(file('a'), thirty({ 15: 'fifteen', 29: 'twentynine' }));
    });
  });

  test('a hunk that does not stand there so any more is refused, and nothing is done', async () => {
    await withRepository(async ({ git, put, save, run, file }) => {
      put('a', thirty());
      put('b', thirty());
      save('base');
      put('a', thirty({ 2: 'two', 15: 'fifteen' }));
      put('b', thirty({ 2: 'two' }));
      const [first = '', second = ''] = await idsOf(git, 'a');
      const [other = ''] = await idsOf(git, 'b');
      assert.notEqual(first, other, 'the same lines of another file are another hunk');
      put('a', thirty({ 2: 'two!', 15: 'fifteen' }));
      for (const act of [
        () => stage(git, [{ path: 'b' }, { path: 'a', hunks: [first, second] }]),
        () => stage(git, [{ path: 'a', hunks: [other] }]),
        () => unstage(git, [{ path: 'a', hunks: [second] }]),
        () => restore(git, { files: [{ path: 'b' }, { path: 'a', hunks: [first] }] }),
      ])
        await assert.rejects(act(), fails('GIT_STALE_HUNK', /a/));
      assert.equal(run('diff', '--cached', '--name-only'), '');
      assert.equal(file('b'), thirty({ 2: 'two' }));
      assert.deepEqual(await stage(git, [{ path: 'a', hunks: [second] }]), { files: 1 }, 'what did not change holds');
    });
  });

  test('hunks of too many files are refused, and so is a file that is named twice over', async () => {
    await withRepository(async ({ git }) => {
      const one = ['0'.repeat(20)];
      const many = Array.from({ length: 201 }, (_, index) => ({ path: `f${index}`, hunks: one }));
      await assert.rejects(stage(git, many), fails('BAD_INPUT', /200/));
      await assert.rejects(stage(git, [{ path: 'd' }, { path: 'd/a', hunks: one }]), fails('BAD_INPUT', /d\/a/));
    });
  });

  test('of hunks that are alike each is its own, and none is taken for another when one goes', async () => {
    await withRepository(async ({ git, put, save, run }) => {
      const block = `${'same\n'.repeat(8)}end\n`;
      put('a', block.repeat(3));
      save('base');
      put('a', block.replace('end', 'END').repeat(3));
      const ids = await idsOf(git, 'a');
      assert.equal(new Set(ids).size, ids.length);
      await stage(git, [{ path: 'a', hunks: [ids[1] ?? ''] }]);
      assert.equal(run('show', ':a'), (block + block.replace('end', 'END') + block).trim());
      for (const id of ids.slice(0, 2)) await assert.rejects(stage(git, [{ path: 'a', hunks: [id] }]), fails('GIT_STALE_HUNK'));
    });
  });

  test('bytes, line endings and missing line feeds are staged as they are', async () => {
    await withRepository(async ({ git, put, save, root, runIn }) => {
      const text = (last: string): Buffer => Buffer.concat([Buffer.from('one\r\ntwo\r\n'), Buffer.of(0xe9, 0xff), Buffer.from(last)]);
      put('d/ü "x"', text('\nend'));
      save('base');
      put('d/ü "x"', text('!\r\nend'));
      await stage(git, [{ path: 'd/ü "x"', hunks: await idsOf(git, 'd/ü "x"') }]);
      assert.deepEqual(await names(git), ['modified - d/ü "x"']);
      // In a folder of the repository, by the paths of that folder.
      const below = path.join(root, 'd');
      assert.equal(runIn(below, 'status', '--short'), 'M  "\\303\\274 \\"x\\""');
      await unstage(git, [{ path: 'd/ü "x"', hunks: await idsOf(git, 'd/ü "x"', { staged: true }) }]);
      assert.deepEqual(await names(git), ['- modified d/ü "x"']);
      await restore(git, { files: [{ path: 'd/ü "x"', hunks: await idsOf(git, 'd/ü "x"') }] });
      assert.deepEqual(await names(git), []);
    });
  });

  test('a workspace inside of a larger repository stages hunks by its own paths', async () => {
    await withRepository(
      async ({ git, put, save, run, file }) => {
        put('a', thirty());
        save('base');
        put('a', thirty({ 2: 'two', 20: 'twenty' }));
        const [first = '', second = ''] = await idsOf(git, 'a');
        await stage(git, [{ path: 'a', hunks: [first] }]);
        assert.equal(run('show', ':./a'), thirty({ 2: 'two' }).trim());
        await restore(git, { files: [{ path: 'a', hunks: [second] }] });
        assert.equal(file('a'), thirty({ 2: 'two' }));
        assert.deepEqual(await unstage(git, []), { files: 1 });
        assert.deepEqual(await names(git), ['- modified a']);
      },
      { below: 'deep/w s' },
    );
  });

  test('whole files are staged, unstaged and restored, in an empty repository too', async () => {
    await withRepository(async ({ git, put, save, run, root, file }) => {
      put('a');
      put('dir/b');
      put('*');
      assert.deepEqual(await stage(git, [{ path: '*' }, { path: 'dir' }]), { files: 2 });
      assert.deepEqual(await names(git), ['added - *', 'added - dir/b', '- untracked a']);
      assert.deepEqual(await unstage(git, [{ path: '*' }]), { files: 1 });
      assert.deepEqual(await names(git), ['added - dir/b', '- untracked *', '- untracked a']);
      assert.deepEqual(await stage(git, []), { files: 2 });
      assert.deepEqual(await unstage(git, []), { files: 3 });
      save('base');
      put('a', 'changed\n');
      fs.rmSync(path.join(root, 'dir/b'));
      run('mv', '*', 'star');
      assert.deepEqual(await unstage(git, [{ path: 'star' }]), { files: 1 });
      assert.deepEqual(await names(git), ['- deleted *', '- modified a', '- deleted dir/b', '- untracked star']);
      assert.deepEqual(await restore(git, { files: [{ path: 'a' }, { path: 'dir' }, { path: '*' }] }), { files: 3 });
      assert.equal(file('a') + file('dir/b') + file('*'), 'a\ndir/b\n*\n');
      put('a', 'two\n');
      save('two');
      assert.deepEqual(await restore(git, { files: [{ path: 'a' }], from: 'HEAD~1' }), { files: 1 });
      assert.equal(file('a'), 'a\n');
      assert.deepEqual(await names(git), ['- modified a'], 'the index is as it was');
      await assert.rejects(restore(git, { files: [{ path: 'missing' }] }), fails('GIT_FAILED', /missing/));
      await assert.rejects(restore(git, { files: [{ path: 'a' }], from: '--source=x' }), fails('BAD_INPUT'));
    });
  });

  test('files in conflict count as resolved when they are staged, once the marks are out', async () => {
    await withRepository(async ({ git, put, save, run }) => {
      put('a', 'base\n');
      save('base');
      run('checkout', '-qb', 'side');
      put('a', 'side\n');
      save('side');
      run('checkout', '-q', 'main');
      put('a', 'main\n');
      save('main');
      assert.throws(() => run('merge', 'side'));
      const conflicted = (await ask(git)).files;
      assert.deepEqual(
        conflicted.map(({ path: name, status }) => [name, status]),
        [['a', 'modified']],
        'against our side',
      );
      await assert.rejects(stage(git, [{ path: 'a' }]), fails('GIT_FAILED', /<<<<<<</));
      await assert.rejects(unstage(git, [{ path: 'a' }]), fails('GIT_FAILED', /conflict/));
      put('a', 'both\n');
      assert.deepEqual(await stage(git, [{ path: 'a' }]), { files: 1 });
      assert.deepEqual(await names(git), ['modified - a']);
    });
  });

  test('what goes through a filter of the repository goes as a whole', async () => {
    await withRepository(async ({ git, put, save, run }) => {
      put('.gitattributes', '*.up filter=upper\n');
      put('a.up', 'one\n');
      put('b', thirty());
      save('base');
      run('config', 'filter.upper.clean', 'tr a-z A-Z');
      put('a.up', 'two\n');
      await assert.rejects(stage(git, [{ path: 'a.up', hunks: await idsOf(git, 'a.up') }]), fails('BAD_INPUT', /filter upper/));
      await stage(git, [{ path: 'a.up' }]);
      assert.equal(run('show', ':a.up'), 'TWO');
    });
  });

  test('a hunk of a renamed file is taken out of the index, and the new name stays there', async () => {
    for (const name of ['c', 'ü "x"', 'two words'])
      await withRepository(async ({ git, put, save, run }) => {
        put('b', thirty());
        save('base');
        run('mv', 'b', name);
        put(name, thirty({ 2: 'two', 28: 'x' }));
        run('add', name);
        const ids = await idsOf(git, name, { staged: true, path: name, was: 'b' });
        assert.equal(ids.length, 2, name);
        assert.deepEqual(await unstage(git, [{ path: name, hunks: ids.slice(0, 1) }]), { files: 1 });
        assert.equal(run('show', `:${name}`), thirty({ 28: 'x' }).trim());
        assert.deepEqual(await names(git), [`renamed modified ${name}`]);
        const [rest = ''] = await idsOf(git, name);
        await stage(git, [{ path: name, hunks: [rest] }]);
        assert.equal(run('show', `:${name}`), thirty({ 2: 'two', 28: 'x' }).trim());
      });
  });

  test('a file that git does not know is one hunk; staged by it, it goes through the filters, and a changed one is refused', async () => {
    await withRepository(async ({ git, put, save, run, root, runIn, file }) => {
      put('.gitattributes', '*.txt text eol=crlf\n');
      put('.gitignore', 'ignored\n');
      save('base');
      put('new.txt', 'one\r\ntwo');
      put('ignored');
      put('empty', '');
      put('bytes', Buffer.from([1, 0, 2]));
      put('dir/名', 'ü\n');
      fs.symlinkSync('new.txt', path.join(root, 'link'));
      runIn(root, 'init', '-q', 'inner');
      put('inner/x');
      const { files, truncated } = await ask(git, { untracked: true });
      assert.equal(truncated, false);
      assert.deepEqual(
        files.map((one) => [one.path, one.status, one.untracked, one.binary, one.added, one.hunks.length]),
        [
          ['bytes', 'added', true, true, 0, 0],
          ['dir/名', 'added', true, false, 1, 1],
          ['empty', 'added', true, false, 0, 0],
          ['link', 'added', true, false, 1, 1],
          ['new.txt', 'added', true, false, 2, 1],
        ],
      );
      assert.deepEqual(files.at(-1)?.hunks[0]?.lines, [
        { kind: 'added', text: 'one\r' },
        { kind: 'added', text: 'two', noNewline: true },
      ]);
      assert.deepEqual((await ask(git)).files, [], 'only when they are asked for');
      const [id = ''] = await idsOf(git, 'new.txt', { untracked: true, path: 'new.txt' });
      await assert.rejects(restore(git, { files: [{ path: 'new.txt', hunks: [id] }] }), fails('BAD_INPUT', /remove the file/));
      assert.equal(file('new.txt'), 'one\r\ntwo');
      put('new.txt', 'one\r\nthree');
      await assert.rejects(stage(git, [{ path: 'new.txt', hunks: [id] }]), fails('GIT_STALE_HUNK'));
      const [now = ''] = await idsOf(git, 'new.txt', { untracked: true });
      assert.deepEqual(await stage(git, [{ path: 'new.txt', hunks: [now] }, { path: 'dir' }]), { files: 2 });
      assert.equal(run('show', ':new.txt'), 'one\nthree');
      assert.deepEqual(
        (await names(git)).filter((name) => name.startsWith('added')),
        ['added - dir/名', 'added - new.txt'],
      );
      await assert.rejects(ask(git, { untracked: true, staged: true }), fails('BAD_INPUT'));
    });
  });

  test('a workspace inside of a larger repository tells its own new files alone', async () => {
    await withRepository(
      async ({ git, put, root }) => {
        put('a');
        fs.writeFileSync(path.join(root, '../outer'), 'x\n');
        assert.deepEqual(
          (await ask(git, { untracked: true })).files.map((one) => one.path),
          ['a'],
        );
        await stage(git, [{ path: 'a', hunks: await idsOf(git, 'a', { untracked: true }) }]);
        assert.deepEqual(await names(git), ['added - a']);
      },
      { below: 'w s' },
    );
  });

  test('lines are counted without being sent, and what is too large or too many is said to be cut (long form)', async () => {
    await withRepository(async ({ git, make, put, save, run }) => {
      put('a', thirty());
      put('b', thirty());
      save('base');
      put('a', thirty({ 2: 'two', 15: 'fifteen' }));
      put('b', thirty({ 1: '--- x', 30: '+++ y' }));
      put('new', 'x\n'.repeat(50_000));
      const counts = await ask(git, { untracked: true, lines: false, maxLines: 1 });
      assert.deepEqual(
        counts.files.map((one) => [one.path, one.added, one.removed, one.hunks.length, one.omittedHunks]),
        [
          ['a', 2, 2, 0, 2],
          ['b', 2, 2, 0, 2],
          ['new', 50_000, 0, 0, 1],
        ],
      );
      run('stash', '-q');
      put('new', 'x\n'.repeat(500));
      const cut = await hunks(make({ maxTextBytes: 999 }), { staged: false, maxLines: 1000, untracked: true });
      assert.deepEqual([cut.files.map((one) => [one.path, one.omittedHunks]), cut.truncated], [[['new', -1]], true]);
      await assert.rejects(stage(make({ maxTextBytes: 999 }), [{ path: 'new', hunks: ['0'.repeat(20)] }]), fails('BAD_INPUT', /too much/));
      for (let index = 0; index < 1001; index += 1) put(`many/${index}`, 'x\n');
      const many = await ask(git, { untracked: true, lines: false });
      assert.deepEqual([many.files.length, many.truncated], [1000, true]);
    });
  });
});
