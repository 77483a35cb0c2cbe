// The watch from one start to the next: what changed meanwhile, crashes and ends of its thread, folders that go away and come back.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { Watch, type WatchReport } from './watch.ts';
import { eventually, of, Storm, sha256, silentLog, watchFolder, withFolder, withWatch } from '../../../test/kit/watch-harness.ts';
import { testSeed } from '../../../test/kit/seed.ts';
import { unmounted, withSmallDisk } from '../../../test/kit/small-disk.ts';

const seed = testSeed();

test('changes made while nobody watched are reported after the next start, as such', async () => {
  await withFolder(async (root, beside) => {
    const snapshotPath = path.join(beside, 'snapshot');
    const storm = new Storm(root, seed);
    for (let step = 0; step < 300; step++) storm.step();
    const first = watchFolder(root, beside, { snapshotPath });
    assert.equal((await first.watch.start()).baseline, 'none');
    for (let step = 0; step < 100; step++) storm.step();
    fs.writeFileSync(path.join(root, 'touched'), 'known');
    await first.exact(`SEED=${seed}`);
    assert.ok(first.reports.every((report) => !report.offline));
    await first.watch.stop();
    for (let step = 0; step < 300; step++) storm.step();
    fs.writeFileSync(path.join(root, 'touched'), 'changed offline');
    const second = watchFolder(root, beside, { snapshotPath }, first.state);
    assert.equal((await second.watch.start()).baseline, 'loaded');
    await second.exact(`SEED=${seed}`);
    assert.ok(second.reports.length > 0 && second.reports.every((report) => report.offline));
    assert.equal(of(second.reports, 'touched').length, 1);
    await second.watch.stop();
    const third = watchFolder(root, beside, { snapshotPath }, second.state);
    await third.watch.start();
    await third.exact();
    assert.equal(third.reports.length, 0, 'nothing changed, nothing is told');
    await third.watch.stop();
  });
});

test('what was not told before the stop is told after the next start', async () => {
  await withFolder(async (root, beside) => {
    const snapshotPath = path.join(beside, 'snapshot');
    const first = watchFolder(root, beside, { snapshotPath, settleMs: 5000 });
    await first.watch.start();
    fs.writeFileSync(path.join(root, 'settling'), 'never told');
    // Told at once, so that what came before it has been seen.
    fs.mkdirSync(path.join(root, 'seen'));
    await eventually(() => first.state.has('seen'), 'the folder');
    await first.watch.stop();
    assert.equal(first.reports.length, 1);
    const second = watchFolder(root, beside, { snapshotPath }, first.state);
    await second.watch.start();
    await second.exact();
    assert.deepEqual(
      second.reports.map((report) => [report.path, report.offline]),
      [['settling', true]],
    );
    await second.watch.stop();
  });
});

test('a damaged snapshot is no snapshot, and is said to be damaged (long form)', async () => {
  await withFolder(async (root, beside) => {
    const snapshotPath = path.join(beside, 'snapshot');
    fs.writeFileSync(path.join(root, 'f'), 'f');
    const start = async (): Promise<string> => {
      const watched = watchFolder(root, beside, { snapshotPath });
      const { baseline } = await watched.watch.start();
      await watched.exact();
      assert.ok(baseline === 'loaded' || watched.reports.length === 0);
      await watched.watch.stop();
      return baseline;
    };
    assert.equal(await start(), 'none');
    const whole = fs.readFileSync(snapshotPath);
    for (const damage of [
      whole.subarray(0, whole.length - 10),
      Buffer.concat([whole, whole]),
      Buffer.from('{}\n'),
      Buffer.alloc(0),
      Buffer.alloc(200, 10),
    ]) {
      fs.writeFileSync(snapshotPath, damage);
      fs.writeFileSync(path.join(root, 'f'), `f ${damage.length}`);
      assert.equal(await start(), 'corrupt');
    }
    assert.equal(await start(), 'loaded');
    assert.deepEqual(fs.readdirSync(beside).sort(), ['root', 'snapshot'], 'no temporary file is left');
  });
});

test('a watch that does not end when it is asked to is ended', async () => {
  await withWatch({}, async ({ watch }) => {
    const begun = performance.now();
    watch.stallForTest(30_000);
    await watch.stop(100);
    const took = performance.now() - begun;
    assert.ok(took >= 90 && took < 10_000, `${took} ms`);
  });
});
test('a volume that is unmounted is gone, and its files are not removed; when it is back, what differs is reported', (context) =>
  withSmallDisk(context, 1024, async (at) => {
    fs.mkdirSync(path.join(at, 'folder'));
    for (const name of ['a', 'folder/b']) fs.writeFileSync(path.join(at, name), name);
    const beside = fs.mkdtempSync(path.join(os.tmpdir(), 'outrigger-watch-beside-'));
    const { watch, state, exact, write, reports } = watchFolder(at, beside, {});
    try {
      await watch.start();
      {
        using disk = unmounted(at);
        await eventually(() => watch.health().rootGone, 'the volume gone');
        await watch.barrier();
        assert.deepEqual([reports.filter(({ what }) => what === 'removed'), state.has('folder/b')], [[], true]);
        disk.mountAgain();
      }
      write('folder/c', 'c');
      await eventually(() => !watch.health().rootGone, 'the volume back');
      await exact();
      write('folder/d', 'd');
      await exact();
    } finally {
      await watch.stop();
      fs.rmSync(beside, { recursive: true });
    }
  }));

test('a root that is removed is said to be gone; when it is back, what differs is reported', async () => {
  await withWatch(
    {},
    async ({ root, beside, watch, exact, write, state }) => {
      const gone: boolean[] = [];
      watch.onRootGone((now) => gone.push(now));
      fs.renameSync(root, path.join(beside, 'away'));
      await eventually(() => watch.health().rootGone, 'the root gone');
      await watch.barrier();
      assert.ok(state.has('kept'), 'a folder that is away does not make its files deleted');
      fs.mkdirSync(root);
      fs.writeFileSync(path.join(root, 'other'), 'other');
      await eventually(() => !watch.health().rootGone, 'the root back');
      await exact();
      write('later', 'later');
      await exact();
      fs.rmSync(root, { recursive: true });
      await eventually(() => gone.length === 3, 'the root gone again');
      fs.mkdirSync(root);
      await eventually(() => gone.length === 4, 'the root back again');
      await exact();
      assert.deepEqual(gone, [true, false, true, false]);
    },
    (root) => fs.writeFileSync(path.join(root, 'kept'), 'kept'),
  );
});

test('a folder that can not be started on says so; stop ends everything, twice if asked', async () => {
  await withFolder(async (_root, beside) => {
    const missing = new Watch({ log: silentLog }, { root: path.join(beside, 'missing') });
    await assert.rejects(missing.start(), /ENOENT/);
    await missing.stop();
    const stopped = new Watch({ log: silentLog }, { root: beside });
    await stopped.start();
    await Promise.all([stopped.stop(), stopped.stop()]);
    await assert.rejects(stopped.barrier(), /not running/);
  });
});

/** A watch with a snapshot, that counts what its log says. */
async function withCrashes(
  run: (watched: {
    watch: Watch;
    reports: WatchReport[];
    root: string;
    said: (event: string) => object[];
    crash: () => Promise<void>;
  }) => Promise<void>,
  prepare: (root: string) => void = () => {},
): Promise<void> {
  await withFolder(async (root, beside) => {
    prepare(root);
    const events: { event: string; fields: object }[] = [];
    const say = (event: string, fields: object = {}): void => void events.push({ event, fields });
    const said = (event: string): object[] => events.flatMap((one) => (one.event === event ? [one.fields] : []));
    const snapshotPath = path.join(beside, 'snapshot');
    const watch = new Watch({ log: { info: say, warn: say, error: say } }, { root, snapshotPath });
    const reports: WatchReport[] = [];
    watch.onReports((batch) => void reports.push(...batch));
    const crash = async (): Promise<void> => {
      const before = said('watch.crashed').length;
      watch.crashForTest();
      await eventually(() => said('watch.crashed').length > before, 'the crash');
    };
    try {
      await watch.start();
      await eventually(() => fs.existsSync(snapshotPath), 'the snapshot');
      await run({ watch, reports, root, said, crash });
    } finally {
      await watch.stop();
    }
  });
}

test('a barrier that is asked for after a crash waits for the worker that follows, and for what changed between them (long form)', async () => {
  await withCrashes(
    async ({ watch, reports, root, said, crash }) => {
      for (let round = 0; round < 3; round++) {
        await crash();
        await eventually(() => said('watch.restarted').length > round, 'the restart');
        for (const folder of ['d0', 'd199']) fs.writeFileSync(path.join(root, folder, `between-${round}`), 'between');
        await watch.barrier();
        for (const folder of ['d0', 'd199']) assert.ok(of(reports, `${folder}/between-${round}`).length > 0, `round ${round}, ${folder}`);
      }
    },
    (root) => {
      fs.writeFileSync(path.join(root, 'one'), 'one');
      for (let folder = 0; folder < 200; folder++) {
        fs.mkdirSync(path.join(root, `d${folder}`));
        for (let file = 0; file < 200; file++) fs.linkSync(path.join(root, 'one'), path.join(root, `d${folder}/f${file}`));
      }
    },
  );
});

test('a watch that keeps ending refuses who waits and says so, is tried again after waits that grow, and tells what changed meanwhile (long form)', async () => {
  await withCrashes(async ({ watch, reports, root, said, crash }) => {
    const startedTimes = (times: number): Promise<void> => eventually(() => said('watch.started').length === times, `start ${times}`);
    for (let start = 2; start <= 4; start++) {
      await crash();
      await startedTimes(start);
    }
    let gitChanges = 0;
    watch.onGitChanged(() => void gitChanges++);
    watch.crashForTest();
    const waiting = assert.rejects(watch.barrier(), { reason: 'STARTING' });
    await eventually(() => said('watch.crashed').length === 4, 'the fourth crash');
    await waiting;
    await assert.rejects(watch.barrier(), { reason: 'STARTING' });
    await assert.rejects(watch.sweep(), { reason: 'STARTING' });
    assert.match(watch.health().degraded?.reason ?? '', /ended/);
    fs.writeFileSync(path.join(root, 'meanwhile'), 'meanwhile');
    await startedTimes(5);
    assert.equal(gitChanges, 1, 'what happened to git meanwhile nobody saw');
    assert.equal(watch.health().degraded, undefined);
    await watch.barrier();
    assert.equal(of(reports, 'meanwhile').at(-1)?.hash, sha256('meanwhile'));
    await crash();
    await eventually(() => said('watch.waits').length === 2, 'the second wait');
    assert.deepEqual(said('watch.waits'), [
      { restarts: 4, waitMs: 1000 },
      { restarts: 5, waitMs: 2000 },
    ]);
    const begun = performance.now();
    await watch.stop();
    assert.ok(performance.now() - begun < 1500, 'a stop does not wait for the next start');
    await assert.rejects(watch.barrier(), /not running/);
  });
});

test('a watch that could not be started refuses who asks it', async () => {
  await withFolder(async (_root, beside) => {
    const missing = new Watch({ log: silentLog }, { root: path.join(beside, 'missing') });
    await assert.rejects(missing.start(), /ENOENT/);
    await assert.rejects(missing.barrier(), /not running/);
    await missing.stop();
  });
});

test('without descriptors to read the folder or what is known of it by, it does not start, and nothing is taken for removed', async () => {
  await withFolder(async (root, beside) => {
    fs.writeFileSync(path.join(root, 'f'), 'f');
    const snapshotPath = path.join(beside, 'snapshot');
    const script = `
      const fs = await import('node:fs');
      const [folder, root, snapshot] = process.argv.slice(1);
      const { DirWatch } = await import(folder + '/dir-watch.ts');
      const { readSnapshot } = await import(folder + '/snapshot.ts');
      const watch = new DirWatch({ root, ignore: Object.assign(() => false, { in: () => false }), arm: false, onFact: () => {} });
      const open = [];
      try { for (;;) open.push(fs.openSync('/dev/null')); } catch {}
      const said = [];
      try { said.push(readSnapshot(snapshot)); } catch (error) { said.push(error.code); }
      await watch.start().then(() => said.push('started'), (error) => said.push(error.message));
      for (const one of open) fs.closeSync(one);
      console.log(JSON.stringify(said));`;
    const command = [process.execPath, '--input-type=module', '-e', script, import.meta.dirname, root, snapshotPath];
    const done = spawnSync('sh', ['-c', 'ulimit -n 64; exec "$@"', 'sh', ...command], { timeout: 20_000, encoding: 'utf8' });
    assert.equal(done.status, 0, done.stderr);
    const [snapshot, started] = JSON.parse(done.stdout) as [string, string];
    assert.equal(snapshot, 'EMFILE');
    assert.match(started, /EMFILE/);
  });
});

test('a watch does not keep the process alive', async () => {
  await withFolder(async (root) => {
    const script = `
      const { Watch } = await import(process.argv[1]);
      const log = { info() {}, warn() {}, error() {} };
      const watch = new Watch({ log }, { root: process.argv[2] });
      await watch.start();
      await watch.barrier();`;
    const module = new URL('./watch.ts', import.meta.url).href;
    const done = spawnSync(process.execPath, ['--input-type=module', '-e', script, module, root], { timeout: 20_000, encoding: 'utf8' });
    assert.equal(done.status, 0, done.stderr);
  });
});
