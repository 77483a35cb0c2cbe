import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import {
  assertSame,
  child,
  eventually,
  of,
  Storm,
  scan,
  sha256,
  silentLog,
  watchFolder,
  withFolder,
  withWatch,
} from '../../../test/kit/watch-harness.ts';
import { Watch } from './watch.ts';
import { testSeed } from '../../../test/kit/seed.ts';
import { standStill } from '../../../test/kit/stand-still.ts';

const seed = testSeed();

test('a file is reported once when it is made, changed and removed, with the hash of what it holds', async () => {
  // A writer that is kept waiting between the creation and the text for longer makes two of one.
  await withWatch({ settleMs: 300 }, async ({ reports, write, watch, at }) => {
    write('a.txt', 'one');
    await watch.barrier();
    assert.deepEqual(
      of(reports, 'a.txt').map(({ what, kind, hash, size, offline }) => ({ what, kind, hash, size, offline })),
      [{ what: 'present', kind: 'file', hash: sha256('one'), size: 3, offline: false }],
    );
    write('a.txt', 'two!');
    await watch.barrier();
    assert.equal(of(reports, 'a.txt').length, 2);
    assert.equal(of(reports, 'a.txt')[1]?.hash, sha256('two!'));
    fs.rmSync(at('a.txt'));
    await watch.barrier();
    assert.equal(of(reports, 'a.txt').length, 3);
    assert.equal(of(reports, 'a.txt')[2]?.what, 'removed');
    assert.equal(reports.length, 3);
  });
});

test('folders, symlinks and nested files are each reported once', async () => {
  await withWatch({}, async ({ reports, at, write, exact }) => {
    fs.mkdirSync(at('x/y/z'), { recursive: true });
    write('x/y/z/deep.txt', 'deep');
    fs.symlinkSync('../outside', at('x/link'));
    await exact();
    assert.deepEqual(reports.map(({ path: name, kind }) => `${kind} ${name}`).sort(), [
      'directory x',
      'directory x/y',
      'directory x/y/z',
      'file x/y/z/deep.txt',
      'symlink x/link',
    ]);
    fs.rmSync(at('x'), { recursive: true });
    await exact();
    assert.equal(reports.length, 10, 'each of the five is reported as removed, once');
  });
});

test('a checkout of thousands of files, with others changed and deleted, is reported exactly and each path once', async () => {
  await withWatch(
    {},
    async ({ root, at, exact, reports }) => {
      for (let index = 0; index < 5000; index++) {
        const folder = at(`src/d${index % 120}/e${index % 7}`);
        fs.mkdirSync(folder, { recursive: true });
        fs.writeFileSync(path.join(folder, `f${index}.ts`), `export const value = ${index};`);
      }
      for (let index = 0; index < 800; index += 2) fs.rmSync(path.join(root, `old/f${index}`));
      for (let index = 1; index < 800; index += 2) fs.writeFileSync(path.join(root, `old/f${index}`), `changed ${index}`);
      await exact();
      const seen = new Set<string>();
      for (const report of reports) {
        const fact = `${report.path} ${report.what} ${report.hash}`;
        assert.ok(!seen.has(fact), `reported twice: ${fact}`);
        seen.add(fact);
      }
    },
    (root) => {
      fs.mkdirSync(path.join(root, 'old'));
      for (let index = 0; index < 800; index++) fs.writeFileSync(path.join(root, `old/f${index}`), `${index}`);
    },
  );
});

test('a folder that is removed and made again, again and again, is watched all the time', async () => {
  await withWatch({}, async ({ at, exact, write }) => {
    for (let round = 0; round < 12; round++) {
      fs.mkdirSync(at('d/e'), { recursive: true });
      for (let index = 0; index < 20; index++) write(`d/e/f${index}`, `${round} ${index}`);
      if (round % 3 === 0) await exact(`round ${round}`);
      fs.rmSync(at('d'), { recursive: true });
    }
    fs.mkdirSync(at('d/e'), { recursive: true });
    await exact();
    write('d/e/last', 'still watched');
    await exact();
  });
});

test("an editor's atomic save is one report, at once", async () => {
  await withWatch({ settleMs: 5000 }, async ({ reports, write, at, watch }) => {
    write('doc.txt', 'first');
    await watch.barrier();
    reports.length = 0;
    for (const temporary of ['.outrigger-0123456789ab.tmp', 'doc.txt~']) {
      write(temporary, `saved by ${temporary}`);
      const file = fs.openSync(at(temporary), 'r');
      fs.fsyncSync(file);
      fs.closeSync(file);
      const started = performance.now();
      fs.renameSync(at(temporary), at('doc.txt'));
      await eventually(() => reports.some((report) => report.hash === sha256(`saved by ${temporary}`)), 'the report');
      assert.ok(performance.now() - started < 2500, `it took ${performance.now() - started} ms: it waited to settle`);
    }
    await watch.barrier();
    assert.deepEqual(
      reports.map((report) => report.path),
      ['doc.txt', 'doc.txt'],
    );
  });
});

test('a barrier sees what was written again under the same size and time as what was told a moment before', async () => {
  await withWatch({}, async ({ reports, write, at, watch }) => {
    let young = 0;
    for (let round = 0; young < 10 && round < 200; round++) {
      const [one, two] = [`one ${round}`, `two ${round}`];
      write('doc.txt.tmp', one);
      fs.renameSync(at('doc.txt.tmp'), at('doc.txt'));
      const { atime, mtime } = fs.statSync(at('doc.txt'));
      // Whole milliseconds, which every clock here can say twice.
      fs.utimesSync(at('doc.txt'), atime, mtime);
      while (!reports.some(({ hash }) => hash === sha256(one))) await new Promise(setImmediate);
      const isYoung = Date.now() - mtime.getTime() < 10;
      write('doc.txt', two);
      fs.utimesSync(at('doc.txt'), atime, mtime);
      await watch.barrier();
      // Later than that it is a time that somebody set back.
      if (!isYoung) continue;
      young++;
      assert.equal(of(reports, 'doc.txt').at(-1)?.hash, sha256(two), `round ${round}`);
    }
    assert.equal(young, 10);
  });
});

test('a file that is written in place for a while is reported in its final state, last', async () => {
  await withWatch({}, async ({ reports, write, at, root }) => {
    write('log', '');
    let content = '';
    const until = performance.now() + 300;
    while (performance.now() < until) {
      content += 'line\n';
      fs.appendFileSync(at('log'), 'line\n');
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    await eventually(() => of(reports, 'log').at(-1)?.hash === sha256(content), 'the final state');
    assert.ok(of(reports, 'log').length <= 2, `${of(reports, 'log').length} reports for one write in place`);
    assert.equal(reports.at(-1)?.path, 'log');
    assertSame(new Map([['log', `file ${reports.at(-1)?.hash}`]]), scan(root));
  });
});

test('a barrier of some files waits for these alone, and for the folders that they are in (long form)', async () => {
  await withWatch({ settleMs: 1000 }, async ({ reports, write, watch, at }) => {
    const replace = (name: string, content: string): void => {
      write(`${name}.tmp`, content);
      fs.renameSync(at(`${name}.tmp`), at(name));
    };
    fs.mkdirSync(at('folder'));
    replace('folder/a.txt', 'one');
    await watch.barrier();
    // Written in place: it is told when it stood still.
    write('log', 'a line');
    const told: string[] = [];
    const all = watch.barrier().then(() => void told.push('all'));
    replace('folder/a.txt', 'two');
    await watch.barrier(['folder/a.txt', 'folder/none']);
    assert.equal(of(reports, 'folder/a.txt').at(-1)?.hash, sha256('two'));
    fs.renameSync(at('folder'), at('moved'));
    await watch.barrier(['folder/a.txt', 'moved/a.txt']);
    assert.ok(reports.some((report) => report.from === 'folder' && report.path === 'moved'));
    told.push('these');
    assert.deepEqual(of(reports, 'log'), []);
    write('moved/a.txt', 'in place');
    await watch.barrier(['moved/a.txt']);
    assert.equal(of(reports, 'moved/a.txt').at(-1)?.hash, sha256('in place'));
    await all;
    assert.deepEqual(told, ['these', 'all']);
  });
});

test('a barrier ends even while a file never stands still (long form)', async () => {
  await withWatch({ settleMs: 400 }, async ({ reports, write, at, watch }) => {
    write('quiet', 'quiet');
    const busy = setInterval(() => fs.appendFileSync(at('busy'), 'x'), 20);
    try {
      await new Promise((resolve) => setTimeout(resolve, 100));
      await watch.barrier();
      assert.ok(of(reports, 'busy').length > 0);
      assert.equal(of(reports, 'quiet').at(-1)?.hash, sha256('quiet'));
    } finally {
      clearInterval(busy);
    }
    await eventually(() => of(reports, 'busy').at(-1)?.hash === sha256(fs.readFileSync(at('busy'))), 'its final state');
  });
});

test("changes wait while git's index is locked, two seconds at most, and health says so (long form)", async () => {
  await withWatch(
    {},
    async ({ reports, write, at, watch, exact }) => {
      write('.git/index.lock', '');
      write('held', 'held');
      await eventually(() => watch.health().heldByGit, 'the hold');
      assert.equal(reports.length, 0);
      fs.rmSync(at('.git/index.lock'));
      await eventually(() => reports.length === 1, 'the release');
      await eventually(() => !watch.health().heldByGit, 'the end of the hold');
      write('.git/index.lock', '');
      write('released', 'released');
      const started = performance.now();
      await eventually(() => of(reports, 'released').length === 1, 'the release in spite of the lock');
      assert.ok(performance.now() - started > 1500, 'it was held');
      assert.equal(watch.health().heldByGit, false);
      assert.equal(watch.health().releasedInSpiteOfGit, true);
      fs.rmSync(at('.git/index.lock'));
      await exact();
    },
    (root) => fs.mkdirSync(path.join(root, '.git')),
  );
});

test("git's own files are announced as a change of git, also for a linked work tree, and never as files", async () => {
  await withFolder(async (root, beside) => {
    const git = (cwd: string, ...args: string[]): void => {
      const identity = ['-c', 'user.name=t', '-c', 'user.email=t@example.org', '-c', 'init.defaultBranch=main'];
      const done = spawnSync('git', [...identity, ...args], { cwd, encoding: 'utf8' });
      assert.equal(done.status, 0, done.stderr);
    };
    const linked = path.join(beside, 'linked');
    const plain = watchFolder(root, beside, {});
    let changes = 0;
    plain.watch.onGitChanged(() => changes++);
    await plain.watch.start();
    git(root, 'init', '-q');
    await eventually(() => changes > 0, 'git init');
    fs.writeFileSync(path.join(root, 'f'), 'f');
    git(root, 'add', 'f');
    git(root, 'commit', '-qm', 'one');
    git(root, 'worktree', 'add', '-q', '-b', 'topic/x', linked);
    const tree = watchFolder(linked, beside, {});
    let linkedChanges = 0;
    tree.watch.onGitChanged(() => linkedChanges++);
    await tree.watch.start();
    fs.writeFileSync(path.join(linked, 'f'), 'changed');
    git(linked, 'commit', '-qam', 'two');
    await eventually(() => linkedChanges > 0, 'a commit in the work tree');
    const before = changes;
    git(root, 'branch', 'other');
    await eventually(() => changes > before, 'a new branch');
    await Promise.all([plain.exact(), tree.exact()]);
    for (const report of [...plain.reports, ...tree.reports]) assert.ok(!report.path.includes('.git'), report.path);
    await Promise.all([plain.watch.stop(), tree.watch.stop()]);
  });
});

test('a git folder to which a link leads is watched like another', async () => {
  await withFolder(async (root, beside) => {
    const elsewhere = path.join(beside, 'repo');
    fs.mkdirSync(elsewhere);
    fs.symlinkSync(elsewhere, path.join(root, '.git'));
    const { watch } = watchFolder(root, beside, {});
    let changes = 0;
    watch.onGitChanged(() => void changes++);
    await watch.start();
    fs.writeFileSync(path.join(elsewhere, 'HEAD'), 'ref: refs/heads/main\n');
    await eventually(() => changes > 0, 'HEAD came');
    await watch.stop();
  });
});

test('pipes in place of `.git`, and of the file that says what is shared, hold nothing up', {
  skip: process.platform === 'win32',
}, async () => {
  for (const name of ['.git', '.git/commondir'])
    await withFolder(async (root, beside) => {
      const pipe = path.join(root, name);
      fs.mkdirSync(path.dirname(pipe), { recursive: true });
      assert.equal(spawnSync('mkfifo', [pipe]).status, 0);
      const { watch, write, exact } = watchFolder(root, beside, {});
      const started = watch.start();
      // Whoever waits for it is let go again.
      const letGo = setTimeout(() => fs.closeSync(fs.openSync(pipe, fs.constants.O_RDWR)), 5000);
      const began = performance.now();
      await started;
      write('seen', 'seen');
      await exact();
      assert.ok(performance.now() - began < 4000, `the watch stood still: ${name}`);
      clearTimeout(letGo);
      await watch.stop();
    });
});

test('what is ignored is not reported, by default and by glob', async () => {
  await withWatch({}, async ({ at, write, exact, reports }) => {
    for (const name of ['node_modules/a', '.git/b', 'x/__pycache__', 'x/.venv/lib']) fs.mkdirSync(at(name), { recursive: true });
    const passing = ['.outrigger-0a1b2c3d4e5f.tmp', '.nfs000000000000000300000001'];
    for (const name of ['node_modules/a/f', '.git/b/f', 'x/__pycache__/f', 'x/.venv/lib/f', ...passing, 'seen']) write(name, 'f');
    await exact();
    assert.deepEqual(reports.map((report) => report.path).sort(), ['seen', 'x']);
  });
  await withWatch({ ignore: ['dist/**', '**/*.log'] }, async ({ at, write, watch, reports }) => {
    for (const name of ['dist/a', 'node_modules', '.git']) fs.mkdirSync(at(name), { recursive: true });
    for (const name of ['dist/a/f', 'node_modules/f', '.git/f', 'x.log', 'y']) write(name, 'f');
    await watch.barrier();
    assert.deepEqual(reports.map((report) => report.path).sort(), ['node_modules', 'node_modules/f', 'y']);
  });
});

test('a change of mode alone is no report, and a recheck reports all the same', async () => {
  await withWatch(
    {},
    async ({ at, watch, reports, exact }) => {
      // Until every file was looked at, a chmod is told as a change.
      await watch.barrier();
      fs.chmodSync(at('f'), 0o755);
      await exact();
      assert.equal(reports.length, 0);
      watch.recheck(['f', 'nothing']);
      await eventually(() => reports.length === 2, 'both reports');
      assert.equal(of(reports, 'f')[0]?.hash, sha256('f'));
      assert.equal(of(reports, 'nothing')[0]?.what, 'removed');
    },
    (root) => fs.writeFileSync(path.join(root, 'f'), 'f'),
  );
});

test('what changes as soon as the watch is ready is told, and nothing else, though the files were only listed by then (long form)', async () => {
  const names = Array.from({ length: 4000 }, (_, file) => `d${file % 40}/f${file}`);
  const [written, replaced, removed, moved] = [names[1], names[998], names[2000], names[3001]] as [string, string, string, string];
  await withWatch(
    {},
    async ({ at, watch, reports, exact }) => {
      fs.writeFileSync(at(written), 'written');
      fs.writeFileSync(at('new'), 'replaced');
      fs.utimesSync(at('new'), 1, 1);
      fs.renameSync(at('new'), at(replaced));
      fs.rmSync(at(removed));
      fs.renameSync(at(moved), at('moved'));
      fs.renameSync(at('d39'), at('d99'));
      await watch.barrier();
      await exact();
      const told = new Set(reports.map(({ path: where }) => where));
      for (const name of [written, replaced, removed, moved, 'moved', 'd99']) assert.ok(told.has(name), `${name} is told`);
      // The folder's old name, and the name that the replaced file came under.
      assert.ok(told.size <= 8, `told: ${[...told].join(' ')}`);
      assert.equal(of(reports, written).at(-1)?.hash, sha256('written'));
      assert.equal(of(reports, replaced).at(-1)?.hash, sha256('replaced'));
    },
    async (root) => {
      for (let folder = 0; folder < 40; folder++) fs.mkdirSync(path.join(root, `d${folder}`));
      for (const name of names) fs.writeFileSync(path.join(root, name), name);
      // What was written a moment before the start can't be told from what was written after it.
      await new Promise((resolve) => setTimeout(resolve, 50));
    },
  );
});

test('forty thousand creates while the watch is stalled overflow its queue, and nothing is lost', async () => {
  await withWatch({}, async ({ at, exact, watch }) => {
    for (let index = 0; index < 40; index++) fs.mkdirSync(at(`d${index}`));
    await watch.barrier();
    watch.stallForTest(1500);
    fs.writeFileSync(at('one'), 'one');
    // Links, because making that many inodes takes longer than the rest of the test.
    for (let index = 0; index < 40_000; index++) fs.linkSync(at('one'), at(`d${index % 40}/f${index}`));
    await exact();
    assert.ok(watch.health().overflows > 0);
  });
});

test('a main thread that is blocked for two seconds loses nothing (long form)', async () => {
  await withWatch({}, async ({ root, exact, at }) => {
    const script = `
      const fs = require('node:fs'), root = process.argv[1], end = Date.now() + 1500;
      for (let i = 0; Date.now() < end; i++) {
        const d = root + '/d' + i % 20;
        fs.mkdirSync(d, { recursive: true });
        fs.writeFileSync(d + '/f' + i % 50, 'v' + i);
        if (i % 17 === 0) fs.rmSync(d, { recursive: true });
        if (i % 23 === 0 && fs.existsSync(d)) fs.renameSync(d, root + '/moved' + i);
      }`;
    const running = child(script, root);
    standStill(2000);
    await running;
    await exact();
    fs.writeFileSync(at('after'), 'after');
    await exact();
  });
});

test('polling finds the same, and says that it polls', async () => {
  await withWatch({ engine: 'poll', pollMs: 50 }, async ({ root, exact, watch, state, at }) => {
    assert.equal(watch.health().engine, 'polling');
    assert.match(watch.health().degraded?.reason ?? '', /polling/);
    const storm = new Storm(root, seed);
    for (let phase = 0; phase < 3; phase++) {
      for (let step = 0; step < 250; step++) storm.step();
      await exact(`SEED=${seed} phase ${phase}`);
    }
    fs.writeFileSync(at('by-itself'), 'x');
    await eventually(() => state.has('by-itself'), 'the poll');
  });
});

test('that it polls is logged once', async () => {
  await withFolder(async (root) => {
    const warned: string[] = [];
    const watch = new Watch({ log: { ...silentLog, warn: (event) => warned.push(event) } }, { root, engine: 'poll', pollMs: 50 });
    await watch.start();
    fs.writeFileSync(path.join(root, 'a'), 'a');
    await watch.barrier();
    await watch.stop();
    assert.deepEqual(warned, ['watch.degraded']);
  });
});

test('out of watches, it goes on by polling and says what to raise', async (t) => {
  const limited = ['--user', '--map-root-user', 'sh', '-c', 'echo 20 > /proc/sys/user/max_inotify_watches && exec "$@"', 'sh'];
  if (spawnSync('unshare', [...limited, 'true']).status !== 0) {
    t.skip('needs user namespaces');
    return;
  }
  await withFolder(async (root) => {
    for (let index = 0; index < 40; index++) fs.mkdirSync(path.join(root, `d${index}`));
    const script = `
      const fs = await import('node:fs');
      const { watchFolder, eventually } = await import(process.argv[1]);
      const { watch, exact, state, root } = watchFolder(process.argv[2], '', { pollMs: 100 });
      await watch.start();
      for (let i = 0; i < 40; i++) fs.writeFileSync(root + '/d' + i + '/f', 'f' + i);
      await exact();
      fs.writeFileSync(root + '/d39/by-itself', '');
      await eventually(() => state.has('d39/by-itself'), 'the poll');
      console.log(JSON.stringify(watch.health()));
      await watch.stop();`;
    const harness = new URL('../../../test/kit/watch-harness.ts', import.meta.url).href;
    const command = [process.execPath, '--input-type=module', '-e', script, harness, root];
    const done = spawnSync('unshare', [...limited, ...command], { timeout: 20_000, encoding: 'utf8' });
    assert.equal(done.status, 0, done.stderr);
    const { engine, degraded } = JSON.parse(done.stdout) as { engine: string; degraded: { reason: string; hint: string } };
    assert.equal(engine, 'polling');
    assert.match(degraded.reason, /ENOSPC/);
    assert.match(degraded.hint, /fs\.inotify\.max_user_watches/);
  });
});

test('an engine that only hints at paths is as exact', async () => {
  await withWatch({ engine: 'parcel' }, async ({ root, exact, watch, state, at }) => {
    assert.equal(watch.health().engine, 'parcel');
    const storm = new Storm(root, seed);
    for (let step = 0; step < 300; step++) storm.step();
    await exact(`SEED=${seed}`);
    fs.mkdirSync(at('hinted/deep'), { recursive: true });
    fs.writeFileSync(at('hinted/deep/by-itself'), 'x');
    await eventually(() => state.has('hinted/deep/by-itself'), 'the hint');
  });
});

test('a sweep finds what no event told, such as a write through a link from elsewhere', async () => {
  await withWatch({}, async ({ at, beside, watch, reports, state, exact, root }) => {
    fs.writeFileSync(path.join(beside, 'outside'), 'one');
    fs.linkSync(path.join(beside, 'outside'), at('inside'));
    await exact();
    reports.length = 0;
    fs.writeFileSync(path.join(beside, 'outside'), 'written elsewhere');
    await watch.sweep();
    assert.deepEqual(
      reports.map((report) => report.hash),
      [sha256('written elsewhere')],
    );
    assertSame(state, scan(root));
  });
});

test('names of 255 bytes, with newlines, spaces and emoji are watched; names that are no UTF-8 are counted', async () => {
  await withWatch({}, async ({ root, at, write, exact, watch, state }) => {
    const names = [
      'n'.repeat(255),
      'new\nline',
      'tab\tand "quotes"',
      ' leading',
      '😀',
      'é'.repeat(127),
      'e\u0301',
      '\\back',
      'x\u2028y',
      '-',
      '\ufffd',
    ];
    for (const name of names) write(name, name);
    fs.mkdirSync(at('dir\nwith newline'));
    write('dir\nwith newline/f', 'f');
    fs.writeFileSync(Buffer.concat([Buffer.from(`${root}/bad-`), Buffer.from([0xff, 0xfe])]), 'x');
    await watch.barrier();
    for (const name of names) assert.equal(state.get(name), `file ${sha256(name)}`, JSON.stringify(name));
    await watch.sweep();
    assert.equal(watch.health().invalidNames, 1);
    fs.rmSync(at('new\nline'));
    await watch.barrier();
    assert.ok(!state.has('new\nline'));
    assert.ok(state.has('dir\nwith newline/f'));
    void exact;
  });
});

test('files larger than the limit have no hash, and large ones below it have theirs', async () => {
  await withWatch({ hashMaxBytes: 2_000_000 }, async ({ write, reports, watch }) => {
    const large = 'x'.repeat(1_500_000);
    write('large', large);
    write('too-large', large + large);
    await watch.barrier();
    assert.equal(of(reports, 'large').at(-1)?.hash, sha256(large));
    assert.deepEqual([of(reports, 'too-large').at(-1)?.hash, of(reports, 'too-large').at(-1)?.size], [null, 3_000_000]);
  });
});

test(`a storm with the watch stalled now and then ends exact (SEED=${seed})`, async () => {
  await withWatch({ settleMs: 10 }, async ({ root, exact, watch }) => {
    const storm = new Storm(root, seed);
    for (let phase = 0; phase < 3; phase++) {
      if (phase === 1) watch.stallForTest(250);
      for (let step = 0; step < 400; step++) storm.step();
      await exact(`SEED=${seed} phase ${phase}`);
    }
  });
});
