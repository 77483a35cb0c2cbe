import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { mock, test } from 'node:test';
import { rgPath } from '@vscode/ripgrep';
import { isOverAfter } from '../../../test/kit/deadline.ts';
import { type SearchHarness, withSearch } from '../../../test/kit/search-harness.ts';
import { eventually } from '../../../test/kit/eventually.ts';
import { isAlive } from '../../../test/kit/process-harness.ts';
import { cause } from '../../../test/kit/workspace-harness.ts';
import { withScratchFolder } from '../../../test/kit/scratch-folder.ts';
import { plainWalk } from './catalogue.ts';
import type { Walk } from './ripgrep.ts';

const openNow = fs.openSync;

/** How many files were read; those that match are `found`. */
async function searched(
  { search }: SearchHarness,
  pattern: string,
  walk: Walk = plainWalk,
): Promise<{ engine: string; searched?: number; found: string[] }> {
  const found: string[] = [];
  const query = { pattern, regex: false, caseSensitive: true, word: false, multiline: false, context: 0 };
  const { engine, searched: count } = await search.text(
    { ...query, ...walk, maxResults: 10, maxLineLength: 100 },
    { signal: new AbortController().signal, found: (file) => void found.push(file.path) },
  );
  return { engine, ...(count === undefined ? {} : { searched: count }), found };
}

test('a file of more than 64 MiB is not in the index: each search reads it', () =>
  withScratchFolder('search', async (folder, root) => {
    fs.writeFileSync(path.join(root, 'small.txt'), 'small needle\n');
    const descriptor = fs.openSync(path.join(root, 'large.txt'), 'w');
    const lines = Buffer.alloc(1024 * 1024, `${'x'.repeat(1023)}\n`);
    for (let size = 0; size < 64; size++) fs.writeSync(descriptor, lines);
    fs.writeSync(descriptor, 'large needle\n');
    fs.closeSync(descriptor);
    await withSearch(folder, async (harness) => {
      assert.deepEqual(await searched(harness, 'nowhere to be found'), { engine: 'index', searched: 1, found: [] });
      assert.deepEqual(await searched(harness, 'small needle'), { engine: 'index', searched: 2, found: ['small.txt'] });
      assert.deepEqual(await searched(harness, 'large needle'), { engine: 'index', searched: 1, found: ['large.txt'] });
    });
  }));

test('a search that is not done after ten minutes is ended with its program, and answers what it found, as not all', (t) =>
  withScratchFolder('search', async (folder, root) => {
    const [program, hold, pidFile] = [path.join(folder, 'rg'), path.join(folder, 'hold'), path.join(folder, 'pid')];
    const said = [
      { type: 'begin', data: { path: { text: '%s/f.txt' } } },
      {
        type: 'match',
        data: { path: { text: '%s/f.txt' }, lines: { text: 'needle' }, line_number: 1, submatches: [{ start: 0, end: 6 }] },
      },
      { type: 'end', data: { path: { text: '%s/f.txt' } } },
    ].map((message) => `printf '${JSON.stringify(message)}\\n' "$place"`);
    const script = [
      '#!/bin/sh',
      'case "$*" in *--version*) echo ripgrep 15.0.0; exit;; *--files*) exit;; esac',
      `echo $$ > '${pidFile}'`,
      'for place; do :; done',
      ...said,
      `if [ "$place" = ./a ]; then while [ -e '${hold}' ]; do sleep 0.01; done; exit; fi`,
      'exec sleep 300',
    ];
    fs.writeFileSync(program, `${script.join('\n')}\n`, { mode: 0o755 });
    fs.writeFileSync(hold, '');
    for (const place of ['a', 'b']) {
      fs.mkdirSync(path.join(root, place));
      fs.writeFileSync(path.join(root, place, 'f.txt'), 'needle\n');
    }
    await withSearch(
      folder,
      async ({ search }) => {
        t.mock.timers.enable({ apis: ['setTimeout'] });
        const found = { a: Promise.withResolvers<void>(), b: Promise.withResolvers<void>() };
        const query = { pattern: 'needle', regex: true, caseSensitive: true, word: false, multiline: false, context: 0 };
        const answer = search.text(
          { ...query, ...plainWalk, hidden: true, maxResults: 10, maxLineLength: 100 },
          {
            signal: new AbortController().signal,
            visible: () => true,
            paths: ['a', 'b'],
            found: (file) => found[file.path === 'a/f.txt' ? 'a' : 'b'].resolve(),
          },
        );
        await Promise.race([found.a.promise, answer]);
        // Of all programs that it takes together.
        t.mock.timers.tick(400_000);
        fs.rmSync(hold);
        await Promise.race([found.b.promise, answer]);
        await isOverAfter(t, 200_000, answer);
        const { matches, files, truncated, timedOut, engine } = await answer;
        assert.deepEqual(
          { matches, files, truncated, timedOut, engine },
          { matches: 2, files: 2, truncated: true, timedOut: true, engine: 'walk' },
        );
        await eventually(() => !isAlive(Number(fs.readFileSync(pidFile, 'utf8'))));
      },
      { program },
    );
  }));

test('a place or a glob that names what is hidden or ignored finds it with the index as ripgrep does without, again and again', () =>
  withScratchFolder('search', async (folder, root) => {
    for (const part of ['.git', 'out', '.hidden', 'src']) fs.mkdirSync(path.join(root, part));
    fs.writeFileSync(path.join(root, '.gitignore'), 'out/\n*.log\n');
    for (const file of ['out/f.txt', '.hidden/h.txt', 'a.log', '.env', 'src/a.ts']) fs.writeFileSync(path.join(root, file), 'needle\n');
    const cases: [where: { path?: string; include?: string[] }, found: string[], engine: string][] = [
      [{ include: ['*.log'] }, ['a.log'], 'walk'],
      [{ include: ['.env'] }, ['.env'], 'walk'],
      [{ path: 'out' }, ['out/f.txt'], 'walk'],
      [{ path: '.hidden', include: ['*.txt'] }, ['.hidden/h.txt'], 'walk'],
      [{ path: 'a.log' }, ['a.log'], 'walk'],
      [{ path: 'src', include: ['*.ts'] }, ['src/a.ts'], 'index'],
      [{}, ['src/a.ts'], 'index'],
    ];
    await withSearch(folder, async (harness) => {
      for (const [where, found, engine] of cases) {
        const walk = { path: '', include: [], exclude: [], hidden: false, ignored: false, ...where };
        // What the globs let through is known a moment after the first.
        await eventually(async () => assert.equal((await searched(harness, 'needle', walk)).engine, engine));
        for (let round = 0; round < 2; round++) {
          const { found: paths } = await searched(harness, 'needle', walk);
          assert.deepEqual(paths, found, JSON.stringify(where));
          const { files } = await harness.search.files({ ...walk, query: '', limit: 10 }, { signal: new AbortController().signal });
          assert.deepEqual(
            files.map((file) => file.path),
            found,
            JSON.stringify(where),
          );
          await new Promise((resolve) => setTimeout(resolve, 50));
        }
      }
    });
  }));

test('a glob that names ignored files finds those that came after it was asked for first', () =>
  withScratchFolder('search', async (folder, root) => {
    for (const part of ['.git', 'src']) fs.mkdirSync(path.join(root, part));
    fs.writeFileSync(path.join(root, '.gitignore'), '*.log\n');
    fs.writeFileSync(path.join(root, 'src/a.ts'), 'other\n');
    await withSearch(folder, async (harness) => {
      const walk = { ...plainWalk, include: ['*.log', '.env'] };
      const { signal } = new AbortController();
      const found: string[] = [];
      for (const name of ['new.log', 'src/new.log', '.env']) {
        await eventually(async () =>
          assert.equal((await searched(harness, 'nowhere to be found', walk)).engine, found.length === 0 ? 'index' : 'walk'),
        );
        await harness.workspace.write(name, Buffer.from('needle\n'), { cause });
        await harness.search.wait(undefined, 10_000, signal);
        found.push(name);
        assert.deepEqual((await searched(harness, 'needle', walk)).found.sort(), found.toSorted());
      }
    });
  }));

test('when an ignore file is moved away, what it ignored is found with the index too', () =>
  withScratchFolder('search', async (folder, root) => {
    for (const part of ['.git', 'conf']) fs.mkdirSync(path.join(root, part));
    fs.writeFileSync(path.join(root, '.gitignore'), 'ignored.txt\n');
    fs.writeFileSync(path.join(root, 'ignored.txt'), 'needle\n');
    fs.writeFileSync(path.join(root, 'conf/other.txt'), 'other\n');
    await withSearch(folder, async (harness) => {
      assert.deepEqual((await searched(harness, 'needle')).found, []);
      await harness.workspace.move('.gitignore', 'conf/rules', { overwrite: false, parents: false, cause });
      const { engine, found } = await searched(harness, 'needle');
      assert.deepEqual([engine, found], ['index', ['ignored.txt']]);
    });
  }));

test('new files come among the known as ripgrep has them, whatever they are called; what is hidden or ignored does not', () =>
  withScratchFolder('search', async (folder, root) => {
    for (const part of ['.git', 'src', 'we [i]rd']) fs.mkdirSync(path.join(root, part));
    fs.writeFileSync(path.join(root, '.gitignore'), '*.log\n!.shown\n(a)*\n');
    for (const part of ['src', 'we [i]rd']) fs.writeFileSync(path.join(root, part, 'old.txt'), 'old\n');
    const names = ['a.txt', '[b]*?.txt', '{c,d}', 'x:y', 'größe 😀', '-f', '!g', '#h', 'i,j', 'line\nbreak', '^k', '\\l', 'include:m:n'];
    const batches = [
      ...names.map((name) => [name]),
      ['b.log', 'c.txt'],
      ['(a).txt', '(b).txt'],
      ['.hidden', 'd.txt'],
      ['.shown'],
      ['(.h', '.(h'],
    ];
    await withSearch(folder, async (harness) => {
      const { signal } = new AbortController();
      for (const part of ['src/', 'we [i]rd/', ''])
        for (const batch of batches) {
          for (const name of batch) await harness.workspace.write(`${part}${name}`, Buffer.from('needle\n'), { cause });
          await harness.search.wait(undefined, 10_000, signal);
          const found = (await harness.search.files({ ...plainWalk, query: '', limit: 1000 }, { signal })).files.map((file) => file.path);
          const listed = spawnSync(rgPath, ['--files', '--null'], { cwd: root, encoding: 'utf8' }).stdout.split('\0').slice(0, -1);
          assert.deepEqual(found, listed.sort(), `${part}${batch.join(' ')}`);
        }
    });
  }));

test('a search waits 150 ms for the index to have the newest change, then reads all files and finds it', (t) =>
  withScratchFolder('search', async (folder, root) => {
    fs.writeFileSync(path.join(root, 'old.txt'), 'old\n');
    const hold = path.join(folder, 'hold');
    const program = path.join(folder, 'rg');
    // The list of one folder, which the index asks for after a change, keeps it waiting.
    const text = `#!/bin/sh\ncase "$*" in *--files*--max-depth*) while [ -e '${hold}' ]; do sleep 0.01; done;; esac\nexec '${rgPath}' "$@"\n`;
    fs.writeFileSync(program, text, { mode: 0o755 });
    const ask = async (harness: SearchHarness): Promise<void> => {
      fs.writeFileSync(hold, '');
      await harness.workspace.write('new.txt', Buffer.from('needle\n'), { cause });
      t.mock.timers.enable({ apis: ['setTimeout'] });
      const search = searched(harness, 'needle');
      try {
        await new Promise(setImmediate);
        await isOverAfter(t, 150, search);
        assert.deepEqual(await search, { engine: 'walk', found: ['new.txt'] });
      } finally {
        t.mock.timers.reset();
        fs.rmSync(hold);
      }
    };
    await withSearch(folder, ask, { program, impatient: true });
  }));

/** A ripgrep that writes down each list that it is asked for, and makes none of all files while there is a file `hold`. */
function listingProgram(folder: string): { program: string; hold: string; lists: () => string[] } {
  const [program, hold, log] = [path.join(folder, 'rg'), path.join(folder, 'hold'), path.join(folder, 'lists')];
  const held = `while [ -e '${hold}' ]; do sleep 0.01; done`;
  const text = `#!/bin/sh
case "$*" in *--files*--max-depth*) echo folder >>'${log}';; *--files*) echo all >>'${log}'; ${held};; esac
exec '${rgPath}' "$@"\n`;
  fs.writeFileSync(program, text, { mode: 0o755 });
  fs.writeFileSync(log, '');
  return { program, hold, lists: () => fs.readFileSync(log, 'utf8').split('\n').slice(0, -1) };
}

test('while the index is built paths come from the list, and what changes meanwhile is in the index once it is there', () =>
  withScratchFolder('search', async (folder, root) => {
    for (const name of ['changed.txt', 'gone.txt', 'stays.txt']) fs.writeFileSync(path.join(root, name), 'needle\n');
    const { signal } = new AbortController();
    const { program, lists } = listingProgram(folder);
    const built = Promise.withResolvers<void>();
    const meanwhile = async (harness: SearchHarness): Promise<void> => {
      const { search, workspace } = harness;
      const listed = async (): Promise<string[]> =>
        (await search.files({ ...plainWalk, query: '', limit: 100 }, { signal })).files.map((file) => file.path);
      assert.deepEqual(await listed(), ['changed.txt', 'gone.txt', 'stays.txt']);
      await workspace.write('changed.txt', Buffer.from('something else\n'), { cause });
      await workspace.write('new.txt', Buffer.from('needle\n'), { cause });
      await workspace.remove('gone.txt', false, { cause });
      await eventually(async () => assert.deepEqual(await listed(), ['changed.txt', 'new.txt', 'stays.txt']));
      assert.deepEqual(lists(), ['all', 'folder']);
      assert.equal(search.status().state, 'building');
      assert.equal((await searched(harness, 'needle')).engine, 'walk');
      await assert.rejects(search.wait(undefined, 20, signal), { reason: 'DEADLINE' });
      built.resolve();
      await search.wait(undefined, 10_000, signal);
      assert.equal(search.status().state, 'ready');
      const { engine, searched: count, found } = await searched(harness, 'needle');
      assert.deepEqual([engine, count, found.sort()], ['index', 2, ['new.txt', 'stays.txt']]);
      assert.deepEqual(await searched(harness, 'something else'), { engine: 'index', searched: 1, found: ['changed.txt'] });
      assert.deepEqual(lists(), ['all', 'folder']);
    };
    await withSearch(folder, (harness) => meanwhile(harness).finally(built.resolve), { faults: { readyAfter: built.promise }, program });
  }));

test('paths that are asked for while all files are listed come from that list', () =>
  withScratchFolder('search', async (folder, root) => {
    fs.writeFileSync(path.join(root, 'a.txt'), '');
    const { program, hold, lists } = listingProgram(folder);
    fs.writeFileSync(hold, '');
    const ask = async ({ search }: SearchHarness): Promise<void> => {
      await eventually(() => assert.deepEqual(lists(), ['all']));
      const asked = search.files({ ...plainWalk, query: 'a', limit: 100 }, { signal: new AbortController().signal });
      const waits = await Promise.race([asked, new Promise((resolve) => setTimeout(resolve, 500, 'waits'))]);
      assert.equal(waits, 'waits');
      fs.rmSync(hold);
      const { files } = await asked;
      assert.deepEqual([files.map((file) => file.path), lists()], [['a.txt'], ['all']]);
    };
    await withSearch(folder, ask, { faults: { readyAfter: Promise.resolve() }, program });
  }));

test('what git leaves out is another from the next search on, though nothing in the folder tells of it', () =>
  withScratchFolder('search', async (folder, root) => {
    const write = (name: string, text: string): void => {
      fs.mkdirSync(path.dirname(path.join(root, name)), { recursive: true });
      fs.writeFileSync(path.join(root, name), text);
    };
    write('.gitignore', '*.log\n');
    for (const name of ['a.txt', 'b.log', 'c.tmp', 'sub/d.txt', 'sub/e.log', 'sub/f.x']) write(name, 'needle\n');
    write('sub/.gitignore', '*.x\n');
    const init = (where: string): void => {
      for (const part of ['objects', 'refs', 'info']) fs.mkdirSync(path.join(root, where, '.git', part), { recursive: true });
      write(path.join(where, '.git/HEAD'), 'ref: refs/heads/main\n');
    };
    const signal = new AbortController().signal;
    await withSearch(folder, async (harness) => {
      const isAsRipgrep = async (when: string): Promise<void> => {
        const { files } = await harness.search.files({ ...plainWalk, query: '', limit: 100 }, { signal });
        const listed = spawnSync(rgPath, ['--files'], { cwd: root, encoding: 'utf8' }).stdout.split('\n').slice(0, -1).sort();
        assert.deepEqual(
          files.map((file) => file.path),
          listed,
          when,
        );
        const { found, engine } = await searched(harness, 'needle');
        assert.deepEqual([found.sort(), engine], [listed, 'index'], when);
      };
      await isAsRipgrep('without git');
      init('');
      await isAsRipgrep('a repository');
      write('.git/info/exclude', '*.tmp\n');
      await isAsRipgrep('with more that is left out');
      write('.git/info/exclude', '*.tmp\n*.none\n');
      await isAsRipgrep('and more');
      // Of a repository within, the next change below tells.
      init('sub');
      await harness.workspace.write('sub/g.txt', Buffer.from('needle\n'), { cause });
      await isAsRipgrep('a repository within');
      write('sub/.git/info/exclude', 'd.txt\n');
      await harness.workspace.write('sub/g.txt', Buffer.from('needle again\n'), { cause });
      await isAsRipgrep('which leaves out more');
      fs.rmSync(path.join(root, 'sub/.git'), { recursive: true });
      await harness.workspace.write('sub/g.txt', Buffer.from('needle\n'), { cause });
      await isAsRipgrep('which is none any more');
      fs.rmSync(path.join(root, '.git'), { recursive: true });
      await isAsRipgrep('without git again');
      assert.equal(await harness.search.wait(undefined, 10_000, signal), harness.workspace.journal.revision);
    });
  }));

const oddNames = process.platform === 'linux' ? false : 'only on Linux a name may be any bytes';

test('a file whose name is not UTF-8 is searched when it is listed, whenever it came', { skip: oddNames }, () =>
  withScratchFolder('search', async (folder, root) => {
    const odd = (name: string): Buffer => Buffer.concat([Buffer.from(`${root}/${name}`), Buffer.from([0xe9])]);
    fs.mkdirSync(path.join(root, 'old'));
    fs.writeFileSync(odd('old/before'), 'needle\n');
    await withSearch(folder, async (harness) => {
      assert.deepEqual(await searched(harness, 'needle'), { engine: 'index', searched: 1, found: ['old/before\uFFFD'] });
      fs.writeFileSync(odd('old/later'), 'needle\n');
      await harness.workspace.write('.ignore', Buffer.from('nothing\n'), { cause });
      const { engine, found } = await searched(harness, 'needle');
      assert.deepEqual([engine, found.sort()], ['index', ['old/before\uFFFD', 'old/later\uFFFD']]);
      fs.rmSync(odd('old/before'));
      await harness.workspace.write('.ignore', Buffer.from('nothing more\n'), { cause });
      assert.deepEqual((await searched(harness, 'needle')).found, ['old/later\uFFFD']);
    });
  }),
);

test('for who may see only some files no other is read, so that the time tells nothing of what is in it', () =>
  withScratchFolder('search', async (folder, root) => {
    for (const part of ['pub/deep', 'other', 'own']) fs.mkdirSync(path.join(root, part), { recursive: true });
    for (const file of ['pub/a.txt', 'pub/deep/b.txt', 'own/c.txt', 'pub/secret.txt', 'other/d.txt'])
      fs.writeFileSync(path.join(root, file), 'needle\n');
    // So many that a search of all would be a walk.
    for (let number = 0; number < 300; number++) fs.writeFileSync(path.join(root, `other/${number}.txt`), 'needle\n');
    const asked = path.join(folder, 'asked');
    const program = path.join(folder, 'rg');
    fs.writeFileSync(program, `#!/bin/sh\nfor last; do :; done\necho "$last" >>'${asked}'\nexec '${rgPath}' "$@"\n`, { mode: 0o755 });
    const read = new Set<string>();
    const openSync = mock.method(fs, 'openSync', (...args: Parameters<typeof fs.openSync>) => {
      if (String(args[0]).startsWith(`${root}/`) && String(args[0]).endsWith('.txt')) read.add(path.relative(root, String(args[0])));
      return openNow(...args);
    });
    try {
      await withSearch(
        folder,
        async ({ search }) => {
          for (const ignored of [false, true]) {
            read.clear();
            fs.writeFileSync(asked, '');
            const found: string[] = [];
            const visible = (file: string): boolean => /^(pub|own)\//.test(file) && file !== 'pub/secret.txt';
            const query = { pattern: 'needle', regex: false, caseSensitive: true, word: false, multiline: false, context: 0 };
            const { engine, files } = await search.text(
              { ...query, ...plainWalk, ignored, maxResults: 10, maxLineLength: 100 },
              {
                visible,
                paths: ['pub', 'pub/deep', 'own', 'gone'],
                signal: new AbortController().signal,
                found: (file) => void found.push(file.path),
              },
            );
            assert.deepEqual([found.sort(), files, engine], [['own/c.txt', 'pub/a.txt', 'pub/deep/b.txt'], 3, 'walk']);
            const walked = fs.readFileSync(asked, 'utf8').trim().split('\n').filter(Boolean);
            if (ignored) assert.deepEqual(walked.sort(), ['./own', './pub']);
            else assert.deepEqual([walked, [...read].sort()], [[], found.sort()]);
          }
        },
        { program },
      );
    } finally {
      openSync.mock.restore();
    }
  }));

test('what is secret to the sidecar is opened for nobody who may not see it, also where he may see all around it', () =>
  withScratchFolder('search', async (folder, root) => {
    const secrets = ['conf/[main] {1}*.token', 'state'];
    for (const part of ['conf', 'state/deep']) fs.mkdirSync(path.join(root, part), { recursive: true });
    const others = ['a.txt', 'conf/main 1x.token', 'conf/other.token', 'state.txt'];
    for (const file of [...others, 'conf/[main] {1}*.token', 'state/deep/a.txt']) fs.writeFileSync(path.join(root, file), 'needle\n');
    const query = { pattern: 'needle', regex: false, caseSensitive: true, word: false, multiline: false, context: 0 };
    const { signal } = new AbortController();
    for (const program of [rgPath, path.join(folder, 'no-rg')])
      await withSearch(
        folder,
        async ({ search }) => {
          for (const where of [{ ignored: true }, { ignored: true, include: ['*.token', '*.txt'] }]) {
            const read: string[] = [];
            // All that is read is shown to it.
            const visible = (_path: string, place: string): boolean => read.push(place) > 0;
            const request = { ...query, ...plainWalk, ...where, maxResults: 10, maxLineLength: 100 };
            await search.text(request, { signal, visible, secrets, found: () => undefined });
            assert.deepEqual([...new Set(read)].filter((place) => place !== '').sort(), others);
          }
        },
        { program },
      );
  }));

test('what the watch passes over is left out, since nobody hears of it when it changes; who asks for it has it as it is', () =>
  withScratchFolder('search', async (folder, root) => {
    const write = (file: string, text: string): void => {
      fs.mkdirSync(path.dirname(path.join(root, file)), { recursive: true });
      fs.writeFileSync(path.join(root, file), text);
    };
    for (const file of ['a.txt', 'lib/node_modules/x/a.js', 'build/out.js', 'lib/build/out.js', 'old1/a.txt']) write(file, 'needle\n');
    const signal = new AbortController().signal;
    await withSearch(
      folder,
      async (harness) => {
        const listed = async (where: object = {}): Promise<string[]> =>
          (await harness.search.files({ ...plainWalk, ...where, query: '', limit: 100 }, { signal })).files.map((file) => file.path);
        const watched = ['a.txt', 'lib/build/out.js'];
        assert.deepEqual(await searched(harness, 'needle'), { engine: 'index', searched: 2, found: watched });
        // Of a walk too, where a glob asks for it by its name.
        for (const where of [
          { hidden: true },
          { hidden: true, include: ['*.js', '*.txt'] },
          { include: ['node_modules/**', '*.txt', '*.js'] },
        ])
          assert.deepEqual(
            [(await searched(harness, 'needle', { ...plainWalk, ...where })).found.sort(), await listed(where)],
            [watched, watched],
          );
        assert.deepEqual(await listed(), watched);
        // Nothing tells of these.
        write('lib/node_modules/x/a.js', 'changed\n');
        write('lib/node_modules/x/b.js', 'needle\n');
        const all = ['a.txt', 'build/out.js', 'lib/build/out.js', 'lib/node_modules/x/b.js', 'old1/a.txt'];
        assert.deepEqual((await searched(harness, 'needle', { ...plainWalk, ignored: true })).found.sort(), all);
        const inside = { ...plainWalk, path: 'lib/node_modules' };
        assert.deepEqual((await searched(harness, 'needle', inside)).found, ['lib/node_modules/x/b.js']);
        assert.deepEqual(await listed(inside), ['lib/node_modules/x/a.js', 'lib/node_modules/x/b.js']);
        // Our own changes there are told, and mean no walk of everything.
        await harness.workspace.write('lib/node_modules/x/c.js', Buffer.from('needle\n'), { cause });
        assert.deepEqual(await searched(harness, 'needle'), { engine: 'index', searched: 2, found: watched });
      },
      { unwatched: ['**/node_modules', 'build', 'old+([0-9])'] },
    );
  }));
