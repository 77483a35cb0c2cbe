import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { test } from 'node:test';
import { eventually } from '../../../test/kit/eventually.ts';
import { isAlive } from '../../../test/kit/process-harness.ts';
import { answers, done, started, type TaskHarness, withTasks, worksElsewhere } from '../../../test/kit/task-harness.ts';

const finish = ({ results }: TaskHarness, id: string): void => fs.writeFileSync(path.join(results, `${id}.json`), JSON.stringify(done));
/** Ids of processes that the wake program wrote down. */
const pidsOf = ({ read, has }: TaskHarness): number[] => (has('root/pids') ? read('root/pids').trim().split('\n').map(Number) : []);

test('a result during an outage of the hub is kept, and told when the hub is back', () =>
  withTasks(
    async ({ hub, tasks, frame, results }) => {
      tasks.connected(hub.session);
      hub.assign('t', { generation: 7 });
      await frame('wake_result');
      tasks.disconnected();
      fs.writeFileSync(path.join(results, 't.json'), JSON.stringify(done));
      await eventually(() => assert.deepEqual(tasks.held(), [{ task_id: 't', generation: 7, state: 'done' }]));
      assert.equal(tasks.credit(), 1);
      tasks.connected(hub.session);
      assert.equal((await frame('task_complete'))['generation'], 7);
      await eventually(() => assert.deepEqual(tasks.held(), []));
    },
    { wake: started },
  ));

test('a result that was written while the sidecar was down is picked up', () =>
  withTasks(
    async (first) => {
      first.tasks.connected(first.hub.session);
      first.hub.assign('t', { generation: 3 });
      await first.frame('wake_result');
      await eventually(() => assert.equal(first.tasks.list().held[0]?.record.state, 'working'));
      await first.tasks.stop();
      finish(first, 't');
      const second = await first.again();
      await eventually(() => assert.deepEqual(second.tasks.held(), [{ task_id: 't', generation: 3, state: 'done' }]));
      second.tasks.connected(second.hub.session);
      assert.deepEqual((await second.frame('task_complete'))['result'], done);
      assert.deepEqual(second.hub.of('task_recovering'), []);
    },
    { wake: started },
  ));

test('a result that is found at a restart is verified once, though the hub lets the task go on meanwhile', () =>
  withTasks(
    async (first) => {
      first.tasks.connected(first.hub.session);
      first.hub.assign('t', { verification_steps: [{ type: 'command_succeeds', target: ['sh', '-c', 'echo x >> verified; sleep 0.2'] }] });
      await eventually(() => worksElsewhere(first));
      await first.tasks.stop();
      finish(first, 't');
      const second = await first.again();
      second.tasks.connected(second.hub.session);
      assert.deepEqual(second.hub.types(), ['task_recovering']);
      assert.deepEqual((await second.frame('task_complete'))['result'], done);
      assert.equal(second.read('root/verified'), 'x\n');
    },
    { wake: started },
  ));

test('after a restart the hub is asked as AgentCom’s sidecar asks, and the task goes on under the fence that it names', () =>
  withTasks(
    async (first) => {
      first.tasks.connected(first.hub.session);
      first.hub.assign('task-1', { description: 'd', generation: 1 });
      await eventually(() => worksElsewhere(first));
      const second = await first.again();
      second.tasks.connected(second.hub.session);
      assert.equal(
        JSON.stringify(second.hub.frames[0]),
        '{"type":"task_recovering","task_id":"task-1","description":"d","metadata":{},"last_status":"working"}',
      );
      await eventually(() => assert.equal(second.tasks.list().held[0]?.recovering, false));
      finish(second, 'task-1');
      assert.equal((await second.frame('task_complete'))['generation'], 3);
      // It was not woken twice: its agent runs elsewhere.
      assert.equal(second.read('root/runs'), 'x\n');
    },
    { wake: `echo x >> runs; ${started}`, features: [] },
  ));

test('a restart in each state ends in one result', async (context) => {
  const cases: { state: string; wake: string; runs: number; until: (harness: TaskHarness) => unknown }[] = [
    {
      state: 'waking',
      // The script tells that it has looked for `ready`: until then what it does after the restart is open.
      wake: 'touch asleep; sleep 300',
      runs: 2,
      until: ({ tasks, has }) => has('root/asleep') && tasks.list().held[0]?.record.program !== undefined,
    },
    {
      state: 'waking_confirmation',
      wake: 'exit 0',
      runs: 1,
      until: ({ tasks }) => tasks.list().held[0]?.record.state === 'waking_confirmation',
    },
    { state: 'working', wake: `${started}; sleep 300`, runs: 2, until: ({ tasks }) => tasks.list().held[0]?.record.state === 'working' },
    { state: 'working elsewhere', wake: started, runs: 1, until: worksElsewhere },
    { state: 'verifying', wake: answers(done), runs: 1, until: ({ tasks }) => tasks.list().held[0]?.record.state === 'verifying' },
  ];
  for (const { state, wake, runs, until } of cases)
    await context.test(state, () =>
      withTasks(
        async (first) => {
          first.tasks.connected(first.hub.session);
          first.hub.assign('t', { verification_steps: [{ type: 'command_succeeds', target: ['sh', '-c', 'test -e ready || sleep 300'] }] });
          await eventually(() => until(first));
          first.put('root/ready', '');
          const second = await first.again({ confirmationTimeoutMs: 5000 });
          assert.equal(second.tasks.list().held[0]?.recovering, true);
          second.tasks.connected(second.hub.session);
          if (runs === 1) finish(second, 't');
          await second.frame('task_complete');
          await eventually(() => assert.deepEqual(second.tasks.held(), []));
          assert.equal(second.read('root/runs'), 'x\n'.repeat(runs));
        },
        { wake: `echo x >> runs; test -e ready && { ${answers(done)} exit; }\n${wake}`, confirmationTimeoutMs: 5000 },
      ),
    );
});

test('a program that died together with its sidecar, before it was written down that it runs, is started anew', async (context) => {
  // What was on the disk by then, beside that the agent had begun.
  for (const state of ['waking', 'working'] as const)
    await context.test(state, async () => {
      const folder = fs.realpathSync(fs.mkdtempSync(path.join(os.tmpdir(), 'outrigger-tasks-')));
      const setup = { at: folder, wake: `echo x >> runs; test -e ready && { ${answers(done)} exit; }\n${started}; sleep 300` };
      try {
        await withTasks(async (first) => {
          first.tasks.connected(first.hub.session);
          first.hub.assign('t');
          await eventually(() => assert.equal(first.tasks.list().held[0]?.record.state, 'working'));
          first.put('root/ready', '');
        }, setup);
        const database = new DatabaseSync(path.join(folder, 'state', 'tasks.db'));
        const { facts } = database.prepare('SELECT facts FROM held').get() as { facts: string };
        const { program: _unknown, ...others } = JSON.parse(facts) as Record<string, unknown>;
        // What a word of the agent writes down while its program is being started.
        const early = state === 'working' ? { program: { pid: 0 } } : {};
        database.prepare('UPDATE held SET state = ?, facts = ?').run(state, JSON.stringify({ ...others, ...early }));
        database.close();
        await withTasks(async (second) => {
          second.tasks.connected(second.hub.session);
          await second.frame('task_complete');
          assert.equal(second.read('root/runs'), 'x\n'.repeat(2));
        }, setup);
      } finally {
        fs.rmSync(folder, { recursive: true, force: true });
      }
    });
});

test('that its agent had begun before a restart is no word of the program that is started after it, however long that takes to start (long form)', () =>
  withTasks(
    async (first) => {
      first.tasks.connected(first.hub.session);
      first.hub.assign('t');
      await eventually(() => assert.equal(first.tasks.list().held[0]?.record.state, 'working'));
      first.put('root/ready', '');
      // Longer than from one look into the folder of results to the next.
      const before = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 1200));
      const second = await first.again({ hooks: { before, after: () => Promise.resolve() } });
      second.tasks.connected(second.hub.session);
      assert.deepEqual((await second.frame('task_complete'))['result'], done);
      assert.equal(second.read('root/runs'), 'x\nx\n');
    },
    { wake: `echo x >> runs; test -e ready && { ${answers(done)} exit; }\n${started}; sleep 300` },
  ));

test('to the hub, what a task writes after a restart stands behind all that it wrote before, though the fence is the same', () =>
  withTasks(
    async (first) => {
      let harness = first;
      let end = 0;
      for (let life = 1; life <= 3; life++) {
        const { hub, tasks, frame } = harness;
        tasks.connected(hub.session);
        if (life === 1) hub.assign('t');
        const told = await frame('task_log');
        const { offset, bytes } = told as unknown as { offset: number; bytes: number };
        assert.deepEqual([told['text'], told['generation'], offset === 0], [`life ${life}\n`, 1, life === 1]);
        assert.ok(offset >= end, `${offset} is within what was told before ${end}`);
        end = offset + bytes;
        // What is sent again on another connection is known by where it stood.
        tasks.disconnected();
        tasks.connected(hub.session);
        assert.equal((await frame('task_log', 2))['offset'], offset);
        await eventually(() => assert.equal(tasks.list().held[0]?.record.state, 'working'));
        if (life < 3) harness = await harness.again();
      }
    },
    { wake: `echo x >> runs; ${started}; echo life $(wc -l < runs); exec sleep 300` },
  ));

test('a stop while the agent’s word is waited for is quiet, leaves no process, and the task stays', () =>
  withTasks(
    async (harness) => {
      const { hub, tasks, frame, logged } = harness;
      tasks.connected(hub.session);
      hub.assign('t');
      await frame('wake_result');
      await tasks.stop();
      await tasks.stop();
      await new Promise((resolve) => setTimeout(resolve, 200));
      assert.ok(!logged.includes('task.failed-inside'));
      assert.deepEqual(hub.of('task_failed'), []);
      assert.equal(pidsOf(harness).some(isAlive), false);
      assert.deepEqual((await harness.again()).tasks.held(), [{ task_id: 't', generation: 1, state: 'working' }]);
    },
    { wake: 'setsid sleep 300 & echo $! >> pids; exit 0', confirmationTimeoutMs: 100 },
  ));

test('a cancellation ends the whole tree within five seconds, also what left its group and does not listen', () =>
  withTasks(
    async (harness) => {
      const { hub, tasks, frame } = harness;
      tasks.connected(hub.session);
      hub.assign('t');
      await eventually(() => pidsOf(harness).length === 3);
      const from = performance.now();
      hub.say({ type: 'task_cancelled', task_id: 't', generation: 1, reason: 'enough' });
      await eventually(() => assert.equal(pidsOf(harness).some(isAlive), false), 6000);
      assert.ok(performance.now() - from < 5000);
      assert.deepEqual([(await frame('task_failed'))['reason'], (await frame('task_failed'))['retryable']], ['cancelled: enough', false]);
      await eventually(() => assert.equal(tasks.credit(), 1));
    },
    {
      wake: `trap '' TERM; echo $$ >> pids; sh -c "trap '' TERM; echo \\$\\$ >> pids; while :; do sleep 1; done" & setsid sh -c "trap '' TERM HUP; echo \\$\\$ >> pids; while :; do sleep 1; done" & while :; do sleep 1; done`,
      wakeTimeoutMs: 60_000,
    },
  ));

test('AgentCom’s hub hears nothing of a task that it cancelled, and what its agent still writes is put aside', () =>
  withTasks(
    async (harness) => {
      const { hub, tasks, frame, results } = harness;
      tasks.connected(hub.session);
      hub.assign('t', { generation: 4 });
      await frame('wake_result');
      hub.say({ type: 'task_cancelled', task_id: 't', timestamp: 1 });
      await eventually(() => assert.deepEqual(tasks.held(), []));
      finish(harness, 't');
      await eventually(() => assert.equal(fs.readdirSync(path.join(results, 'late')).length, 1), 8000);
      assert.match(fs.readdirSync(path.join(results, 'late'))[0] as string, /^t-4-/);
      assert.deepEqual(hub.types(), ['task_accepted', 'wake_result']);
    },
    { wake: started, features: [] },
  ));

test('the hub hears that a task is over when its programs are gone, and not before; it counts as held until then', async (context) => {
  const ends: Record<string, (harness: TaskHarness) => unknown> = {
    'the hub cancels': ({ hub }) => hub.say({ type: 'task_cancelled', task_id: 't', generation: 1 }),
    'its owner cancels': ({ tasks }) => tasks.cancel('t', 'Pia'),
    'its agent says that it can not': ({ tasks }) => tasks.say('t', { type: 'failed', reason: 'no', retryable: true }),
  };
  for (const [name, end] of Object.entries(ends))
    await context.test(name, () =>
      withTasks(
        async (harness) => {
          const { hub, tasks, frame } = harness;
          tasks.connected(hub.session);
          hub.assign('t');
          await eventually(() => assert.equal(pidsOf(harness).length, 1));
          await eventually(() => assert.equal(tasks.list().held[0]?.record.state, 'working'));
          void end(harness);
          assert.deepEqual(tasks.held(), [{ task_id: 't', generation: 1, state: 'working' }]);
          await frame('task_failed');
          assert.equal(pidsOf(harness).some(isAlive), false);
          await eventually(() => assert.deepEqual(tasks.held(), []));
        },
        { wake: `trap '' TERM; ${started}; echo $$ >> pids; while :; do sleep 0.1; done`, cancelWithinMs: 600 },
      ),
    );
});

test('what the hub has given to somebody else is ended here, whether it runs or waits to be told (long form)', () =>
  withTasks(
    async (harness) => {
      const { hub, tasks, results } = harness;
      tasks.connected(hub.session);
      hub.silent.add('task_complete');
      hub.assign('a', { generation: 2 });
      await eventually(() => assert.equal(pidsOf(harness).length, 1));
      // An older fence is nobody's.
      tasks.lost([{ task_id: 'a', generation: 1, state: undefined }]);
      assert.equal(tasks.held().length, 1);
      tasks.lost([{ task_id: 'a', generation: 2, state: undefined }]);
      assert.deepEqual(tasks.held(), []);
      await eventually(() => assert.equal(pidsOf(harness).some(isAlive), false));
      await eventually(() => assert.equal(tasks.credit(), 1));
      hub.assign('b');
      await eventually(() => assert.equal(tasks.list().held[0]?.record.state, 'working'));
      await tasks.say('b', { type: 'result', result: done });
      await eventually(() => assert.equal(hub.of('task_complete').length, 1), 10_000);
      tasks.lost([{ task_id: 'b', generation: 1, state: undefined }]);
      await eventually(() => assert.deepEqual(tasks.held(), []));
      assert.equal(fs.readdirSync(path.join(results, 'late')).length, 1);
    },
    { wake: `${started}; echo $$ >> pids; exec sleep 300`, cancelWithinMs: 1000 },
  ));

test('a lease that nobody renews stops the task at nine tenths of it, and not before', async () => {
  let clock = 0;
  await withTasks(
    async (harness) => {
      const { hub, tasks } = harness;
      tasks.connected(hub.session);
      tasks.setLease(60_000);
      hub.assign('t');
      await eventually(() => assert.equal(pidsOf(harness).length, 1));
      clock = 50_000;
      tasks.renewedAt(20_000);
      clock = 73_900;
      tasks.renewedAt(10_000);
      assert.equal(tasks.held().length, 1);
      tasks.disconnected();
      clock = 74_000;
      tasks.renewedAt(0);
      assert.deepEqual(tasks.held(), []);
      await eventually(() => assert.equal(pidsOf(harness).some(isAlive), false));
      tasks.connected(hub.session);
      assert.deepEqual(hub.of('task_recovering'), []);
    },
    { wake: `${started}; echo $$ >> pids; exec sleep 300`, cancelWithinMs: 1000, monotonic: () => clock },
  );
});

test('a hub that refuses this agent for good has what runs ended at once; what runs nothing, and what waits to be told, stays', () =>
  withTasks(
    async (first) => {
      first.tasks.connected(first.hub.session);
      first.hub.assign('left');
      await eventually(() => assert.equal(first.tasks.list().held[0]?.record.state, 'working'));
      const harness = await first.again({ concurrency: 3 });
      const { hub, tasks, frame } = harness;
      hub.silent.add('task_recovering').add('task_failed');
      tasks.connected(hub.session);
      hub.assign('told');
      await frame('wake_result');
      await tasks.say('told', { type: 'failed', reason: 'no', retryable: true });
      hub.assign('runs');
      await eventually(() => assert.equal(tasks.run('runs').record.state, 'working'));
      tasks.disconnected();
      tasks.refused('invalid_token');
      assert.deepEqual(
        tasks.held().map(({ task_id, state }) => [task_id, state]),
        [
          ['left', 'working'],
          ['told', 'done'],
        ],
      );
      await eventually(() => assert.equal(pidsOf(harness).some(isAlive), false));
      const ends = (): unknown => Object.fromEntries(tasks.list().history.map(({ id, end }) => [id, end]));
      await eventually(() => assert.deepEqual(ends(), { told: 'done', runs: 'abandoned' }));
    },
    { wake: `${started}; echo $$ >> pids; exec sleep 300`, cancelWithinMs: 1000 },
  ));

test('a task that is told twice, or granted anew, is done once', () =>
  withTasks(
    async ({ hub, tasks, frame, read, results }) => {
      tasks.connected(hub.session);
      hub.silent.add('task_complete');
      hub.assign('t', { generation: 1 });
      hub.assign('t', { generation: 1 });
      await frame('task_accepted', 2);
      await frame('wake_result');
      hub.assign('t', { generation: 2 });
      await frame('task_accepted', 3);
      fs.writeFileSync(path.join(results, 't.json'), JSON.stringify(done));
      assert.equal((await frame('task_complete'))['generation'], 2);
      // It waits to be acknowledged, and is granted once more: the work is done already.
      hub.silent.clear();
      hub.assign('t', { generation: 3 });
      assert.equal((await frame('task_complete', 2))['generation'], 3);
      await eventually(() => assert.deepEqual(tasks.held(), []));
      hub.assign('t', { generation: 3 });
      assert.equal(read('root/runs'), 'x\n');
      assert.deepEqual(tasks.held(), []);
    },
    { wake: `echo x >> runs; ${started}` },
  ));

test('a deadline is a time of the hub’s clock: with one that is an hour ahead or behind a task has as long, over a restart too (long form)', async () => {
  const withClock = (offset: number): Promise<void> => {
    const halfAnHour = 30 * 60_000;
    let passed = 0;
    const clocks = { now: () => Date.now() + offset + passed, monotonic: () => performance.now() + passed };
    return withTasks(
      async ({ hub, tasks, has, frame, again }) => {
        tasks.connected(hub.session);
        for (const id of ['t', 'u']) hub.assign(id, { assigned_at: Date.now(), deadline: Date.now() + halfAnHour });
        await eventually(() => assert.ok(has('root/t') && has('root/u')));
        // Looked at once a second.
        await new Promise((resolve) => setTimeout(resolve, 1200));
        assert.deepEqual(hub.of('task_failed'), []);
        passed = halfAnHour + 1;
        const failed = await frame('task_failed', 2);
        assert.deepEqual([failed['reason'], failed['retryable']], ['deadline_exceeded', false]);
        passed = 0;
        hub.assign('v', { assigned_at: Date.now(), deadline: Date.now() + halfAnHour });
        await eventually(() => assert.ok(has('root/v')));
        const next = await again({ ...clocks, now: () => clocks.now() + 2 * halfAnHour });
        next.tasks.connected(next.hub.session);
        assert.equal((await next.frame('task_failed'))['reason'], 'deadline_exceeded');
      },
      { wake: 'touch "$OUTRIGGER_TASK_ID"; sleep 30', concurrency: 2, ...clocks },
    );
  };
  await Promise.all([3_600_000, -3_600_000].map(withClock));
});

test('what a hub of older memory offers anew is refused where it is done, and told where it waits to be told', async () => {
  for (const [features, refused] of [
    [undefined, [{ task_id: 't', reason: 'told-again', generation: 1 }]],
    [[], []],
  ] as const)
    await withTasks(
      async ({ hub, tasks, frame, read }) => {
        tasks.connected(hub.session);
        hub.silent.add('task_complete');
        hub.assign('t', { generation: 2 });
        const run = tasks.run('t');
        await frame('task_complete');
        hub.assign('t', { generation: 1 });
        assert.deepEqual(hub.of('task_rejected'), []);
        tasks.disconnected();
        hub.silent.clear();
        tasks.connected(hub.session);
        assert.equal((await frame('task_complete', 2))['generation'], 2);
        await eventually(() => assert.equal(tasks.list().waiting, 0));
        hub.assign('t', { generation: 1 });
        assert.deepEqual(
          hub.of('task_rejected').map(({ task_id, reason, generation }) => ({ task_id, reason, generation })),
          refused,
        );
        await eventually(() => assert.equal(tasks.isThere(run), false));
        hub.assign('t', { generation: 3 });
        await frame('task_complete', 3);
        assert.equal(read('root/runs'), 'x\nx\n');
      },
      { wake: `echo x >> runs; ${answers(done)}`, ...(features === undefined ? {} : { features }) },
    );
});

test('the seed’s queue is taken over once, and can be given back', () =>
  withTasks(
    async (first) => {
      const active = {
        task_id: 'old',
        description: 'from before',
        metadata: { a: 1 },
        status: 'working',
        assigned_at: 5,
        generation: 4,
        wake_attempts: 1,
        repo: null,
        branch: null,
        file_hints: [],
        skip_verification: false,
        verification_timeout_ms: null,
        routing_decision: null,
      };
      first.put('queue.json', JSON.stringify({ active, recovering: null }));
      const second = await first.again({ queueFile: first.at('queue.json') });
      assert.deepEqual(second.tasks.held(), [{ task_id: 'old', generation: 4, state: 'working' }]);
      assert.deepEqual([second.has('queue.json'), second.has('queue.json.imported')], [false, true]);
      const exported = second.tasks.exportQueue() as { active: null; recovering: Record<string, unknown> };
      assert.equal(exported.active, null);
      for (const name of ['task_id', 'description', 'metadata', 'status', 'assigned_at', 'generation', 'wake_attempts'] as const)
        assert.deepEqual(exported.recovering[name], active[name], name);
      finish(second, 'old');
      second.tasks.connected(second.hub.session);
      assert.equal((await second.frame('task_complete'))['generation'], 4);
    },
    { wake: started },
  ));

test('a file in the place of the seed’s queue that is none is left where it is, and tasks are taken all the same', async () => {
  for (const text of ['null', '[]', '"x"', '1', '', '{'])
    await withTasks(async (first) => {
      first.put('queue.json', text);
      const { tasks, hub, frame, read } = await first.again({ queueFile: first.at('queue.json'), wake: answers(done) });
      assert.equal(read('queue.json'), text);
      tasks.connected(hub.session);
      hub.assign('t');
      await frame('task_complete');
    });
});

test('a drain takes nothing new and ends when nothing is held', () =>
  withTasks(
    async ({ hub, tasks, frame, results }) => {
      tasks.connected(hub.session);
      const reasons: (string | undefined)[] = [];
      tasks.onRestartAsked((reason) => reasons.push(reason));
      hub.assign('a');
      await frame('wake_result');
      hub.say({ type: 'restart_sidecar', reason: 'update' });
      assert.deepEqual(reasons, ['update']);
      let drained = false;
      const drain = tasks.drain().then(() => (drained = true));
      hub.assign('b');
      assert.equal((await frame('task_rejected'))['reason'], 'draining');
      assert.equal(drained, false);
      fs.writeFileSync(path.join(results, 'a.json'), JSON.stringify(done));
      await drain;
      assert.deepEqual(tasks.held(), []);
    },
    { wake: started, concurrency: 2 },
  ));

test('a sidecar that nobody would start again goes on when the hub asks for that', () =>
  withTasks(
    async ({ hub, tasks, frame, logged }) => {
      tasks.connected(hub.session);
      const stopListening = tasks.onRestartAsked(() => {});
      stopListening();
      hub.say({ type: 'restart_sidecar', reason: 'update' });
      assert.deepEqual([tasks.credit(), logged], [1, ['task.restart-not-possible']]);
      hub.assign('a');
      await frame('task_complete');
    },
    { wake: answers(done) },
  ));

test('a database of a newer version is refused', () =>
  withTasks(async (first) => {
    await first.tasks.stop();
    first.state.close();
    const database = new DatabaseSync(first.at('state/tasks.db'));
    database.exec('PRAGMA user_version = 9');
    database.close();
    await assert.rejects(first.again(), /newer version/);
  }));
