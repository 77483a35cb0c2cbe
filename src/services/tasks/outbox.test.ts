import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { test } from 'node:test';
import { eventually } from '../../../test/kit/eventually.ts';
import { ManualTimers } from '../../../test/kit/peer-pair.ts';
import { withSmallDisk } from '../../../test/kit/small-disk.ts';
import { answers, done, realTimers, started, type TaskHarness, withTasks, worksElsewhere } from '../../../test/kit/task-harness.ts';
import { fails } from '../../../test/kit/workspace-harness.ts';
import { TaskQueue } from './task-queue.ts';

test('a result that the hub refuses is kept for an operator, and the next is told', async () => {
  for (const features of [[], undefined] as const)
    await withTasks(
      async ({ hub, tasks, frame, results }) => {
        tasks.connected(hub.session);
        hub.refusal = 'task_complete_failed: stale_generation';
        hub.assign('a');
        await frame('task_complete');
        await eventually(() => assert.deepEqual(tasks.held(), []));
        const [late] = fs.readdirSync(path.join(results, 'late'));
        assert.deepEqual(JSON.parse(fs.readFileSync(path.join(results, 'late', late as string), 'utf8')).result, done);
        hub.refusal = undefined;
        hub.assign('b');
        assert.equal((await frame('task_complete', 2))['task_id'], 'b');
      },
      { wake: answers(done), ...(features === undefined ? {} : { features }) },
    );
});

test('to AgentCom’s hub one result is on its way at a time, to ours many', async () => {
  for (const [features, atOnce] of [
    [[], 1],
    [undefined, 5],
  ] as const)
    await withTasks(
      async (first) => {
        const { tasks, hub } = await spooled(first, 5);
        hub.silent.add('task_complete');
        tasks.connected(hub.session);
        assert.equal(hub.of('task_complete').length, atOnce);
        for (let number = 1; number <= 5; number++) {
          hub.say({ type: 'task_ack', task_id: `s${number}`, status: 'complete' });
          if (atOnce === 1) assert.equal(hub.of('task_complete').length, Math.min(5, number + 1));
        }
        await eventually(() => assert.equal(tasks.list().waiting, 0));
        assert.deepEqual(
          hub.of('task_complete').map(({ task_id: id }) => id),
          ['s1', 's2', 's3', 's4', 's5'],
        );
      },
      features === undefined ? {} : { features },
    );
});

test('a socket that is full is waited for, and a connection that ends loses nothing', () =>
  withTasks(async (first) => {
    const { tasks, hub } = await spooled(first, 600);
    hub.silent.add('task_complete');
    hub.room = 100;
    tasks.connected(hub.session);
    assert.equal(hub.of('task_complete').length, 100);
    tasks.disconnected();
    hub.room = 300;
    hub.silent.clear();
    tasks.connected(hub.session);
    await eventually(() => assert.equal(hub.room, 0));
    hub.room = Number.POSITIVE_INFINITY;
    await eventually(() => assert.equal(tasks.list().waiting, 0));
    assert.equal(new Set(hub.of('task_complete').map(({ task_id: id }) => id)).size, 600);
  }));

test('a result that a hub did not hear, as it had heard too much, is told again when that hub says', () =>
  withTasks(
    async (first) => {
      const { tasks, hub, frame } = await spooled(first, 1);
      hub.silent.add('task_complete');
      tasks.connected(hub.session);
      hub.silent.clear();
      hub.say({ type: 'rate_limited', retry_after_ms: 20, tier: 'heavy' });
      await frame('task_complete', 2);
      await eventually(() => assert.equal(tasks.list().waiting, 0));
    },
    { features: [] },
  ));

test('a hundred thousand results that were spooled are told, each once (long form)', () =>
  withTasks(async (first) => {
    const { tasks, hub } = await spooled(first, 100_000);
    assert.equal(tasks.list().waiting, 100_000);
    assert.deepEqual([tasks.held().length, tasks.holdsMore()], [20_000, true]);
    tasks.connected(hub.session);
    await eventually(() => assert.equal(tasks.list().waiting, 0), 60_000);
    const ids = hub.of('task_complete').map(({ task_id: id }) => id);
    assert.deepEqual([ids.length, new Set(ids).size, ids[0], ids.at(-1)], [100_000, 100_000, 's1', 's100000']);
  }));

test('on a disk that is full a result is not taken as stored; with room it is, and is told', (context) =>
  withSmallDisk(context, 4096, async (at) => {
    const resultsFolder = fs.mkdtempSync(path.join(os.tmpdir(), 'outrigger-results-'));
    const fills = (number: number): string => path.join(at, `fill${number}`);
    let filled = 0;
    await withTasks(
      async ({ hub, tasks, frame, logged }) => {
        tasks.connected(hub.session);
        hub.assign('a');
        await eventually(() => assert.equal(tasks.list().held[0]?.record.state, 'working'));
        try {
          for (;;) fs.writeFileSync(fills(filled++), Buffer.alloc(64 * 1024));
        } catch {
          // It is full.
        }
        let stored = false;
        const said = tasks.say('a', { type: 'result', result: { ...done, output: 'x'.repeat(1_000_000) } }).then(() => (stored = true));
        await eventually(() => assert.ok(logged.includes('task.not-stored')));
        assert.deepEqual([stored, hub.of('task_complete'), tasks.credit()], [false, [], 0]);
        while (filled > 0) fs.rmSync(fills(--filled), { force: true });
        await said;
        await frame('task_complete');
      },
      { wake: started, at, resultsFolder },
    );
    fs.rmSync(resultsFolder, { recursive: true });
  }));

test('what an agent says while the sidecar stops is taken or refused, never lost: a disk that is full, and a word that waits for another', async (context) => {
  const result = { ...done, output: 'x'.repeat(1_000_000) };
  await context.test('the disk is full', (inner) =>
    withSmallDisk(inner, 4096, async (at) => {
      const resultsFolder = fs.mkdtempSync(path.join(os.tmpdir(), 'outrigger-results-'));
      await withTasks(
        async ({ hub, tasks, logged }) => {
          tasks.connected(hub.session);
          hub.assign('a');
          await eventually(() => assert.equal(tasks.list().held[0]?.record.state, 'working'));
          try {
            for (let number = 0; ; number++) fs.writeFileSync(path.join(at, `fill${number}`), Buffer.alloc(64 * 1024));
          } catch {
            // It is full.
          }
          const said = fails('STOPPING', () => tasks.say('a', { type: 'result', result }));
          await eventually(() => assert.ok(logged.includes('task.not-stored')));
          const cancelled = fails('STOPPING', () => tasks.cancel('a', 'Pia'));
          await tasks.stop();
          await said;
          await cancelled;
        },
        { wake: started, at, resultsFolder },
      );
      fs.rmSync(resultsFolder, { recursive: true });
    }),
  );
  await context.test('a word waits for another', () =>
    withTasks(
      async (first) => {
        const { hub, tasks } = first;
        tasks.connected(hub.session);
        hub.assign('b');
        await eventually(() => assert.ok(first.has('root/up')));
        await eventually(() => assert.ok(tasks.list().held[0]?.record.program));
        tasks.progress('b', { progress: 100 });
        const said = fails('STOPPING', () => tasks.say('b', { type: 'result', result: done }));
        await tasks.stop();
        await said;
        assert.equal((await first.again()).tasks.list().waiting, 0);
      },
      { wake: 'touch up; exec sleep 300' },
    ),
  );
});

test('of two words at once that both end a task one is taken, and the other is refused', () =>
  withTasks(
    async (harness) => {
      const { hub, tasks, frame } = harness;
      tasks.connected(hub.session);
      hub.assign('a');
      await eventually(() => assert.ok(worksElsewhere(harness)));
      await Promise.all([
        tasks.say('a', { type: 'result', result: done }),
        fails('TASK_STATE', () => tasks.say('a', { type: 'result', result: { status: 'success', output: 'another' } })),
        fails('TASK_STATE', () => tasks.say('a', { type: 'failed', reason: 'no', retryable: false })),
      ]);
      assert.deepEqual((await frame('task_complete'))['result'], done);
      await eventually(() => assert.equal(tasks.credit(), 1));
      hub.assign('b');
      await eventually(() => assert.ok(worksElsewhere(harness)));
      const accepted = tasks.say('b', { type: 'confirmed' });
      const failed = tasks.say('b', { type: 'failed', reason: 'no', retryable: false });
      const late = fails('NOT_FOUND', () => tasks.say('b', { type: 'result', result: done }));
      await Promise.all([accepted, failed, late]);
      await eventually(() => assert.equal(tasks.credit(), 1));
      hub.assign('c');
      await eventually(() => assert.ok(worksElsewhere(harness)));
      const refused = fails('NOT_FOUND', () => tasks.say('c', { type: 'result', result: done }));
      hub.say({ type: 'task_cancelled', task_id: 'c', generation: 1 });
      await refused;
    },
    { wake: started },
  ));

test('what can’t be written is tried again, and nothing is told or taken before', async () => {
  let full = false;
  await withTasks(
    async ({ hub, tasks, frame, results }) => {
      tasks.connected(hub.session);
      hub.assign('a');
      await frame('wake_result');
      await eventually(() => assert.equal(tasks.list().held[0]?.record.state, 'working'));
      full = true;
      hub.assign('b');
      assert.equal((await frame('task_rejected'))['reason'], 'storage');
      fs.writeFileSync(path.join(results, 'a.json'), JSON.stringify(done));
      await eventually(() => assert.equal(tasks.credit(), 0));
      assert.ok(fs.existsSync(path.join(results, 'a.json')));
      assert.deepEqual(hub.of('task_complete'), []);
      full = false;
      await frame('task_complete');
      await eventually(() => assert.ok(!fs.existsSync(path.join(results, 'a.json'))));
      assert.equal(tasks.credit(), 2);
    },
    {
      wake: started,
      concurrency: 2,
      state: (state) => ({
        folder: state.folder,
        writeFile: (name, content) => state.writeFile(name, content),
        removeFile: (name) => state.removeFile(name),
        openDurable: (name) => {
          const database = state.openDurable(name);
          const exec = database.exec.bind(database);
          database.exec = (sql) => {
            if (full && sql === 'COMMIT') throw Object.assign(new Error('database or disk is full'), { errcode: 13 });
            exec(sql);
          };
          return database;
        },
      }),
    },
  );
});

test('a folder of results that is taken away while the sidecar runs is there again for the next task, and watched', () => {
  // Without them nobody looks by the clock: what is seen is what the watch tells.
  const timers = new ManualTimers();
  // Looks that the watch asks for are far apart: one that comes soon after another would wait for the clock.
  let asked = 0;
  let madeAgain = 0;
  return withTasks(
    async ({ hub, tasks, frame, results, logged }) => {
      tasks.connected(hub.session);
      hub.assign('a');
      await frame('task_complete');
      await eventually(() => assert.equal(tasks.credit(), 1));
      fs.rmSync(results, { recursive: true });
      hub.assign('b');
      await frame('task_complete', 2);
      await eventually(() => assert.equal(tasks.credit(), 1));
      hub.assign('slow');
      await eventually(() => assert.equal(tasks.list().held[0]?.record.state, 'working'));
      assert.notEqual(tasks.list().held[0]?.record.program, undefined);
      assert.equal(logged.filter((event) => event === 'task.results-made-again').length, 1);
      assert.equal(madeAgain, 1);
    },
    {
      wake: `test "$OUTRIGGER_TASK_ID" != slow || { ${started}; exec sleep 300; }; ${answers(done)}`,
      timers,
      monotonic: () => performance.now() + 1000 * asked++,
      retriesMs: [],
      resultsMadeAgain: () => madeAgain++,
    },
  );
});

test('a drain waits ten seconds for the hub to say that it has the results, and they stay on the disk then', () => {
  const timers = new ManualTimers();
  return withTasks(
    async (harness) => {
      const { hub, tasks, frame } = harness;
      tasks.connected(hub.session);
      hub.silent.add('task_complete');
      hub.assign('t');
      await frame('task_accepted');
      const run = tasks.run('t');
      await frame('task_complete');
      await eventually(() => assert.equal(tasks.isThere(run), false));
      let drained = false;
      void tasks.drain().then(() => (drained = true));
      await new Promise(setImmediate);
      timers.advance(9999);
      await new Promise(setImmediate);
      assert.equal(drained, false);
      timers.advance(1);
      await new Promise(setImmediate);
      assert.equal(drained, true);
      assert.deepEqual((await harness.again()).tasks.held(), [{ task_id: 't', generation: 1, state: 'done' }]);
    },
    { wake: answers(done), timers },
  );
});

/** Starts anew with results in the outbox that were put there before. */
async function spooled(first: TaskHarness, count: number): Promise<TaskHarness> {
  await first.tasks.stop();
  first.state.close();
  const database = new DatabaseSync(first.at('state/tasks.db'));
  const queue = new TaskQueue(database, realTimers);
  const summary = { total: 0, passed: 0, failed: 0, errors: 0, timed_out: 0 };
  const report = {
    task_id: 's',
    run_number: 1,
    status: 'skip' as const,
    started_at: 1,
    duration_ms: 0,
    timeout_ms: 1,
    checks: [],
    summary,
  };
  await queue.write(() => {
    for (let number = 1; number <= count; number++)
      queue.post(`s${number}`, 1, { kind: 'complete', result: { ...done, output: `result ${number}` }, report, reports: [] });
  });
  database.close();
  return first.again();
}
