import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { longestTurn } from '../../../test/kit/loop-hold.ts';
import { requireTool } from '../../../test/kit/require-tools.ts';
import { cause, type Harness, withWorkspace } from '../../../test/kit/workspace-harness.ts';
import { Processes, type RunRequest } from '../processes/processes.ts';
import { CheckpointRows } from './checkpoint-rows.ts';
import { Checkpoints } from './checkpoints.ts';
import { GitStore } from './git-store.ts';
import { OtherHands } from './other-hands.ts';
import { Snapshots } from './snapshots.ts';

/** As a sidecar has them that begins on this folder and state. */
function bootOn(
  { workspace, state, root }: Harness,
  run?: Processes['run'],
  { now, monotonic }: { now: () => number; monotonic?: () => number } = { now: Date.now },
): Checkpoints {
  const nothing = (): Promise<void> => Promise.resolve();
  const processes = run === undefined ? new Processes({ env: process.env }) : { run };
  const store = new GitStore({ processes, state }, { root, timeoutMs: 20_000 });
  const snapshots = new Snapshots({ workspace, state, store, flush: nothing, settled: nothing }, { maxFileBytes: 1024 * 1024 });
  const hands = new OtherHands({ read: () => undefined });
  return new Checkpoints(
    { workspace, store, snapshots, hands, rows: new CheckpointRows({ state, monotonic }), now, log: () => {} },
    { keep: 10, keepDays: 10, maxTextBytes: 1024, writable: true },
  );
}

test('a run waits twenty seconds for the checkpoint before it, and begins without one then', { skip: requireTool('git') }, (t) =>
  withWorkspace(async ({ workspace, state, root, put }) => {
    put('a.txt');
    const documents = Promise.withResolvers<void>();
    const asked = Promise.withResolvers<void>();
    const flush = (): Promise<void> => {
      asked.resolve();
      return documents.promise;
    };
    const store = new GitStore({ processes: new Processes({ env: process.env }), state }, { root, timeoutMs: 20_000 });
    const snapshots = new Snapshots({ workspace, state, store, flush, settled: () => Promise.resolve() }, { maxFileBytes: 1024 });
    const hands = new OtherHands({ read: () => undefined });
    const checkpoints = new Checkpoints(
      { workspace, store, snapshots, hands, rows: new CheckpointRows({ state }), now: Date.now, log: () => {} },
      { keep: 10, keepDays: 10, maxTextBytes: 1024, writable: true },
    );
    t.mock.timers.enable({ apis: ['setTimeout'] });
    let answer = 'none yet';
    const run = { id: 'slow', title: 'slow', cause };
    checkpoints.before(run).catch((error: { reason: string }) => (answer = error.reason));
    await asked.promise;
    t.mock.timers.tick(19_999);
    await new Promise(setImmediate);
    assert.equal(answer, 'none yet');
    t.mock.timers.tick(1);
    await new Promise(setImmediate);
    assert.equal(answer, 'PROCESS_TIMEOUT');
    // The look at the folder goes on, and is no checkpoint of a run that has begun.
    documents.resolve();
    await checkpoints.after(run);
    assert.deepEqual([(await checkpoints.list({ limit: 10 })).checkpoints, hands.underWay], [[], []]);
    t.mock.timers.reset();
    await checkpoints.before({ ...run, id: 'next' });
    assert.deepEqual(
      (await checkpoints.list({ limit: 10 })).checkpoints.map(({ row }) => [row.run, row.point]),
      [['next', 'before']],
    );
    await checkpoints.stop();
  }),
);

test('where nothing changed since the last checkpoint, no program is asked whether that is still there', { skip: requireTool('git') }, () =>
  withWorkspace(async ({ workspace, state, root, put }) => {
    put('a.txt');
    const processes = new Processes({ env: process.env });
    const asked: (string | undefined)[] = [];
    const run = (request: RunRequest): ReturnType<Processes['run']> => {
      asked.push(request.argv.find((word) => /^(cat-file|update-ref)$/.test(word)) ?? 'another');
      return processes.run(request);
    };
    const boot = async (): Promise<Snapshots> => {
      const store = new GitStore({ processes: { run }, state }, { root, timeoutMs: 20_000 });
      const nothing = (): Promise<void> => Promise.resolve();
      const snapshots = new Snapshots({ workspace, state, store, flush: nothing, settled: nothing }, { maxFileBytes: 1024 });
      snapshots.load(await store.open(true));
      return snapshots;
    };
    const snapshots = await boot();
    const { tree } = await snapshots.take();
    asked.length = 0;
    assert.equal((await snapshots.take()).tree, tree);
    assert.deepEqual(asked, []);
    // Who begins does not know.
    const next = await boot();
    for (const _ of [1, 2]) assert.equal((await next.take()).tree, tree);
    assert.deepEqual(asked, ['cat-file', 'update-ref']);
  }),
);

test('a call that waits for changes to be seen ends when it is aborted, and so does the stop', { skip: requireTool('git') }, () =>
  withWorkspace(async ({ workspace, state, root }) => {
    const store = new GitStore({ processes: new Processes({ env: process.env }), state }, { root, timeoutMs: 20_000 });
    let asked = Promise.withResolvers<void>();
    const settled = (): Promise<void> => {
      asked.resolve();
      return new Promise(() => {});
    };
    const snapshots = new Snapshots({ workspace, state, store, flush: () => Promise.resolve(), settled }, { maxFileBytes: 1024 });
    const hands = new OtherHands({ read: () => undefined });
    const checkpoints = new Checkpoints(
      { workspace, store, snapshots, hands, rows: new CheckpointRows({ state }), now: Date.now, log: () => {} },
      { keep: 10, keepDays: 10, maxTextBytes: 1024, writable: true },
    );
    const over = new AbortController();
    const aborted = assert.rejects(checkpoints.create({ title: 'aborted' }, { cause, signal: over.signal }), /over/);
    await asked.promise;
    over.abort(new Error('over'));
    await aborted;
    asked = Promise.withResolvers();
    const stopped = assert.rejects(checkpoints.create({ title: 'stopped' }, { cause, signal: new AbortController().signal }), {
      reason: 'STOPPING',
    });
    await asked.promise;
    await checkpoints.stop();
    await stopped;
  }),
);

test(
  'where whoever asked first goes away, a run that was cut short gets its end from the next who asks',
  { skip: requireTool('git') },
  () =>
    withWorkspace(async (harness) => {
      harness.put('a.txt');
      const processes = new Processes({ env: process.env });
      let leaves: (() => void) | undefined;
      const boot = (): Checkpoints =>
        bootOn(harness, (request) => {
          if (request.argv.includes('for-each-ref')) leaves?.();
          return processes.run(request);
        });
      const cut = boot();
      await cut.before({ id: 'cut', title: 'cut', cause });
      await cut.stop();
      const next = boot();
      const leaving = new AbortController();
      leaves = () => leaving.abort(new Error('gone'));
      await assert.rejects(next.create({ title: 'first', paths: [] }, { cause, signal: leaving.signal }), /gone/);
      leaves = undefined;
      await next.create({ title: 'second' }, { cause, signal: new AbortController().signal });
      assert.deepEqual(
        (await next.list({ limit: 10 })).checkpoints.map(({ row }) => [row.run, row.point]),
        [
          [null, 'made'],
          ['cut', 'after'],
          ['cut', 'before'],
        ],
      );
      await next.stop();
    }),
);

test('of a run that was cut short more was written than is looked at: it ends all the same', { skip: requireTool('git') }, () =>
  withWorkspace(async (harness) => {
    const { workspace, put } = harness;
    put('a.txt');
    const processes = new Processes({ env: process.env });
    // A thousandth of what one call of git may say is enough here.
    const run = (request: RunRequest): ReturnType<Processes['run']> =>
      processes.run({ ...request, maxOutputBytes: (request.maxOutputBytes ?? Number.NaN) / 1024 });
    const boot = (): Checkpoints => bootOn(harness, run);
    const cut = boot();
    await cut.before({ id: 'cut', title: 'cut', cause: { ...cause, kind: 'run' } });
    await workspace.write('big.txt', Buffer.from('of somebody else\n'.repeat(16_000)), { cause });
    await cut.stop();
    const next = boot();
    const asking = { cause, signal: new AbortController().signal };
    await next.create({ title: 'next' }, asking);
    assert.deepEqual(
      (await next.list({ limit: 10 })).checkpoints.map(({ row }) => row.point),
      ['made', 'after', 'before'],
    );
    await assert.rejects(next.revert({ run: 'cut', shared: 'ask', dryRun: false }, asking), { reason: 'OUTPUT_TOO_LARGE' });
    await next.stop();
  }),
);

test('a run that was cut short and whose checkpoint is lost keeps nobody from making others', { skip: requireTool('git') }, () =>
  withWorkspace(async (harness) => {
    const { state, put } = harness;
    put('a.txt');
    const cut = bootOn(harness);
    await cut.before({ id: 'cut', title: 'cut', cause });
    await cut.stop();
    const objects = path.join(state.folder, 'checkpoints.git/objects');
    for (const name of fs.readdirSync(objects)) fs.rmSync(path.join(objects, name), { recursive: true });
    put('b.txt');
    state.removeFile('checkpoints.git/index');
    const next = bootOn(harness);
    const asking = { cause, signal: new AbortController().signal };
    for (const title of ['one', 'two']) await next.create({ title }, asking);
    assert.equal((await next.list({ limit: 10 })).checkpoints.filter(({ row }) => row.point === 'made').length, 2);
    await assert.rejects(next.revert({ run: 'cut', shared: 'ask', dryRun: false }, asking), { reason: 'CHECKPOINT_LOST' });
    await next.stop();
  }),
);

test('changes since a run are looked through in slices when checkpoints are listed', { skip: requireTool('git') }, () =>
  withWorkspace(
    async (harness) => {
      const { workspace } = harness;
      const checkpoints = bootOn(harness);
      const run = { id: 'one', title: 'one', cause };
      await checkpoints.before(run);
      await workspace.write('file7', Buffer.from('by the run'), { cause: { ...cause, kind: 'run', id: run.id } });
      await checkpoints.after(run);
      const many = Array.from({ length: 19_000 }, (_, at) => `file${at}`);
      workspace.journal.record(many.map((path) => ({ path, kind: 'file', what: 'changed', before: null, after: null, cause })));
      let edited: number | null | undefined;
      const longest = await longestTurn(async () => ({ edited } = (await checkpoints.list({ limit: 1 })).checkpoints[0] ?? { edited }));
      assert.equal(edited, 1);
      assert.ok(longest < 100, `${longest} ms`);
      await checkpoints.stop();
    },
    { keepChanges: 100_000 },
  ),
);

test(
  'changes of one file by the ten thousands are looked through in slices when a checkpoint is made, and when a run that a kill cut short is ended',
  {
    skip: requireTool('git'),
  },
  () =>
    withWorkspace(
      async (harness) => {
        const { workspace } = harness;
        const asking = { cause, signal: new AbortController().signal };
        harness.put('file', 'text');
        const cut = bootOn(harness);
        await cut.create({ title: 'first' }, asking);
        await cut.before({ id: 'cut', title: 'cut', cause });
        const changes = Array.from(
          { length: 30_000 },
          () => ({ path: 'file', kind: 'file', what: 'changed', before: null, after: null, cause }) as const,
        );
        workspace.journal.record(changes);
        const made = await longestTurn(() => cut.create({ title: 'second' }, asking));
        await cut.stop();
        const next = bootOn(harness);
        const ended = await longestTurn(() => next.create({ title: 'third' }, asking));
        assert.ok(made < 100 && ended < 100, `${made} and ${ended} ms`);
        const { checkpoints } = await next.list({ limit: 10 });
        assert.deepEqual(
          checkpoints.map(({ row }) => row.run ?? row.title),
          ['third', 'cut', 'second', 'cut', 'first'],
        );
        await next.stop();
      },
      { keepChanges: 100_000 },
    ),
);

test('a clock that is set ahead drops no checkpoint of this life before its time', { skip: requireTool('git') }, () =>
  withWorkspace(async (harness) => {
    const clock = { now: Date.now(), monotonic: 0 };
    const pass = (days: number): void => {
      clock.now += days * 86_400_000;
      clock.monotonic += days * 86_400_000;
    };
    const clocks = { now: () => clock.now, monotonic: () => clock.monotonic };
    const asking = { cause, signal: new AbortController().signal };
    const create = (checkpoints: Checkpoints, title: string) => checkpoints.create({ title }, asking);
    const titles = async (checkpoints: Checkpoints): Promise<string[]> =>
      (await checkpoints.list({ limit: 10 })).checkpoints.map(({ row }) => row.title);
    const checkpoints = bootOn(harness, undefined, clocks);
    await create(checkpoints, 'first');
    clock.now += 40 * 86_400_000;
    await create(checkpoints, 'second');
    pass(9);
    await create(checkpoints, 'third');
    assert.deepEqual(await titles(checkpoints), ['third', 'second', 'first']);
    pass(2);
    await create(checkpoints, 'fourth');
    assert.deepEqual(await titles(checkpoints), ['fourth', 'third']);
    const next = bootOn(harness, undefined, clocks);
    clock.now += 40 * 86_400_000;
    await create(next, 'fifth');
    assert.deepEqual(await titles(next), ['fifth'], 'of an earlier life the clock alone counts');
  }),
);

test(
  'what was restored or taken back is answered as done, with its undo, where the disk is full right after it',
  { skip: requireTool('git') },
  () =>
    withWorkspace(async (harness) => {
      const { put, root } = harness;
      const file = path.join(root, 'a.txt');
      put('a.txt', 'first\n');
      const processes = new Processes({ env: process.env });
      let isFull = false;
      const checkpoints = bootOn(harness, (request) => {
        // As from the moment at which the files were written.
        const isAfter = isFull && fs.readFileSync(file, 'utf8') === 'first\n';
        if (isAfter) return processes.run({ ...request, argv: ['sh', '-c', 'echo "fatal: No space left on device" >&2; exit 128'] });
        return processes.run(request);
      });
      const asking = { cause, signal: new AbortController().signal };
      const { row } = await checkpoints.create({ title: 'first' }, asking);
      await harness.workspace.write('a.txt', Buffer.from('second\n'), { cause });
      isFull = true;
      const restored = await checkpoints.restore({ id: row.id, paths: undefined, dryRun: false }, asking);
      isFull = false;
      assert.deepEqual([restored.changed, fs.readFileSync(file, 'utf8')], [true, 'first\n']);
      const undone = await checkpoints.revert({ run: restored.undo ?? '', shared: 'ask', dryRun: false }, asking);
      assert.deepEqual([undone.changed, fs.readFileSync(file, 'utf8')], [true, 'second\n']);
      isFull = true;
      const again = await checkpoints.revert({ run: undone.undo ?? '', shared: 'ask', dryRun: false }, asking);
      isFull = false;
      assert.deepEqual([again.changed, fs.readFileSync(file, 'utf8')], [true, 'first\n']);
      assert.match((await checkpoints.revert({ run: undone.undo ?? '', shared: 'ask', dryRun: false }, asking)).text, /already/);
      await checkpoints.stop();
    }),
);
