import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ProcessHost } from '../processes/host.ts';
import { eventually } from '../../../test/kit/eventually.ts';
import { ManualTimers } from '../../../test/kit/peer-pair.ts';
import { isAlive } from '../../../test/kit/process-harness.ts';
import { answers, done, started, type TaskHarness, withTasks } from '../../../test/kit/task-harness.ts';

test('a task is accepted, done and told of, frame by frame as AgentCom’s sidecar does', () =>
  withTasks(
    async ({ hub, tasks, frame, results, has }) => {
      tasks.connected(hub.session);
      hub.assign('task-1', { description: 'do "it" now', metadata: { a: 1 }, generation: 3, skip_verification: true });
      await frame('task_complete');
      await eventually(() => tasks.list().waiting === 0 && tasks.held().length === 0);
      assert.deepEqual(hub.types(), ['task_accepted', 'wake_result', 'task_complete']);
      assert.equal(JSON.stringify(hub.frames[0]), '{"type":"task_accepted","task_id":"task-1"}');
      assert.equal(JSON.stringify(hub.frames[1]), '{"type":"wake_result","task_id":"task-1","status":"success","attempt":1}');
      const text = JSON.stringify(hub.frames[2]).replace(/"started_at":\d+,"duration_ms":\d+/, '"started_at":1,"duration_ms":0');
      assert.equal(
        text,
        '{"type":"task_complete","task_id":"task-1","result":{"status":"success","output":"done","tokens_used":12},"generation":3,"verification_report":{"task_id":"task-1","run_number":1,"status":"skip","started_at":1,"duration_ms":0,"timeout_ms":120000,"checks":[],"summary":{"total":0,"passed":0,"failed":0,"errors":0,"timed_out":0}},"verification_history":null}',
      );
      assert.deepEqual(fs.readdirSync(results), []);
      assert.equal(has('state/tasks/task-1.json'), false);
    },
    { wake: answers(done), features: [] },
  ));

test('an agent that does not confirm has failed, with the recorded frames', () =>
  withTasks(
    async ({ hub, tasks, frame }) => {
      tasks.connected(hub.session);
      hub.assign('task-1', { generation: 3 });
      await frame('task_failed');
      assert.deepEqual(
        hub.frames.slice(1).map((one) => JSON.stringify(one)),
        [
          '{"type":"wake_result","task_id":"task-1","status":"success","attempt":1}',
          '{"type":"wake_result","task_id":"task-1","status":"timeout","reason":"confirmation_timeout"}',
          '{"type":"task_failed","task_id":"task-1","reason":"confirmation_timeout","generation":3}',
        ],
      );
    },
    { wake: 'exit 0', confirmationTimeoutMs: 50, features: [] },
  ));

test('without a wake command a task has failed, and says so', () =>
  withTasks(async ({ hub, tasks, frame }) => {
    tasks.connected(hub.session);
    hub.assign('t');
    assert.equal((await frame('task_failed'))['reason'], 'no_wake_command_configured');
  }));

test('what is shown of a long description is cut between characters', () =>
  withTasks(async ({ hub, tasks, frame }) => {
    tasks.connected(hub.session);
    hub.assign('t', { description: `x${'😀'.repeat(1000)}` });
    await frame('task_failed');
    const description = tasks.past('t')?.description ?? '';
    assert.deepEqual([description.length, description.isWellFormed()], [500, true]);
  }));

test('a wake command that fails is started again after its delays, and then the task has failed', () =>
  withTasks(
    async ({ hub, tasks, frame, read }) => {
      tasks.connected(hub.session);
      hub.assign('t');
      assert.equal((await frame('task_failed'))['reason'], 'wake_failed: exit code 3');
      assert.deepEqual(
        hub.of('wake_result').map(({ status, attempt, error }) => [status, attempt, error]),
        [1, 2, 3, 4].map((attempt) => ['failed', attempt, 'exit code 3']),
      );
      assert.equal(read('root/runs'), 'x\n'.repeat(4));
    },
    { wake: 'echo x >> runs; exit 3' },
  ));

test('a wake command that is started again is let go on where it says that it began before its start is known here', async () => {
  let task: TaskHarness | undefined;
  const slowHost = (local: ProcessHost): ProcessHost => ({
    name: local.name,
    start: async (request) => {
      const program = await local.start(request);
      const isAgain = task?.tasks.list().held[0]?.record.attempts === 2;
      if (isAgain) await eventually(() => task?.tasks.list().held[0]?.record.state === 'working');
      return program;
    },
    close: () => local.close(),
  });
  await withTasks(
    async (harness) => {
      task = harness;
      harness.tasks.connected(harness.hub.session);
      harness.hub.assign('t');
      assert.deepEqual((await harness.frame('task_complete'))['result'], done);
    },
    { host: slowHost, wake: `[ -e again ] || { : > again; exit 1; }; ${started}; sleep 0.5; ${answers(done)}` },
  );
});

test('the log warns, and says why, where a wake command fails and where a task does', () =>
  withTasks(
    async ({ hub, tasks, frame, facts }) => {
      tasks.connected(hub.session);
      hub.assign('t');
      await frame('task_failed');
      hub.assign('u');
      await eventually(() => hub.of('task_failed').length === 2);
      const warned = facts.filter(({ level, step }) => level === 'warn' && step !== undefined);
      assert.deepEqual(
        warned.map(({ task_id, step, problem, reason }) => [task_id, step, problem ?? reason]),
        [
          ['t', 'exited', 'exit code 3'],
          ['u', 'failed', 'x'.repeat(500)],
        ],
      );
    },
    {
      // What a result says may be long.
      wake: `test "$OUTRIGGER_TASK_ID" = u || exit 3; ${answers({ status: 'failed', reason: 'x'.repeat(5000) })}`,
      retriesMs: [],
    },
  ));

test('a wake command that does not exist, or is no program, is told in words', async () => {
  for (const [wake, why] of [
    ['/nowhere/agent', /wake_failed: .*\/nowhere\/agent is not on this machine/],
    ['no-such-agent', /wake_failed: .*no-such-agent is not on this machine/],
    ['/etc/passwd', /wake_failed: .*\/etc\/passwd may not be run: chmod \+x/],
  ] as const)
    await withTasks(
      async ({ hub, tasks, frame }) => {
        tasks.connected(hub.session);
        hub.assign('t');
        assert.match(String((await frame('task_failed'))['reason']), why);
      },
      { wake: [wake], retriesMs: [] },
    );
});

test('a description with a NUL, which no argument can hold, fails a wake command that has it in one, and reaches any other by its file', async () => {
  await withTasks(
    async ({ hub, tasks, frame }) => {
      tasks.connected(hub.session);
      hub.assign('t', { description: 'a\0b' });
      assert.match(
        String((await frame('task_failed'))['reason']),
        /^wake_failed: The description of the task holds a NUL.*OUTRIGGER_TASK_FILE/,
      );
    },
    { wake: ['sh', '-c', 'exit 0', 'sh', '${TASK_DESCRIPTION}'], retriesMs: [] },
  );
  await withTasks(
    async ({ hub, tasks, frame, read }) => {
      tasks.connected(hub.session);
      hub.assign('t', { description: 'a\0b' });
      await frame('task_complete');
      assert.equal((JSON.parse(read('root/file')) as { description: string }).description, 'a\0b');
    },
    { wake: `cat "$OUTRIGGER_TASK_FILE" > file; ${answers(done)}` },
  );
});

test('a wake command that hangs is ended, and counts as one that failed', () =>
  withTasks(
    async ({ hub, tasks, frame, read }) => {
      tasks.connected(hub.session);
      hub.assign('t');
      await frame('task_complete');
      assert.equal(read('root/runs'), 'x\nx\n');
      assert.deepEqual(
        hub.of('wake_result').map(({ status }) => status),
        ['failed', 'success'],
      );
    },
    { wake: `echo x >> runs; test $(wc -l < runs) -gt 1 || sleep 300; ${answers(done)}`, wakeTimeoutMs: 300, cancelWithinMs: 1000 },
  ));

test('an agent in the foreground that confirmed may take its time, and what it writes is told', () =>
  withTasks(
    async ({ hub, tasks, frame }) => {
      tasks.connected(hub.session);
      hub.assign('t');
      await frame('task_complete');
      // In order within a stream; between two pipes there is none.
      const of = (wanted: string) =>
        hub
          .of('task_log')
          .filter(({ stream }) => stream === wanted)
          .map(({ text, offset, bytes }) => [text, offset, bytes]);
      assert.deepEqual(of('stdout'), [
        ['hello ä\n', 0, 9],
        ['bye\n', 9, 4],
      ]);
      assert.deepEqual(of('stderr'), [['oh\n', 0, 3]]);
      assert.equal(hub.of('task_log').length, 3);
      // Its end is told before its result.
      assert.equal(hub.types().at(-1), 'task_complete');
    },
    {
      wake: `touch "$OUTRIGGER_RESULTS/$OUTRIGGER_TASK_ID.started"; echo hello ä; echo oh >&2; sleep 0.6; echo bye; echo '${JSON.stringify(done)}' > "$OUTRIGGER_RESULT_FILE"`,
      wakeTimeoutMs: 300,
    },
  ));

test('an agent that confirmed and ends badly without a result has failed', () =>
  withTasks(
    async ({ hub, tasks, frame }) => {
      tasks.connected(hub.session);
      hub.assign('t');
      assert.equal((await frame('task_failed'))['reason'], 'agent_exited: exit code 9');
    },
    { wake: 'touch "$OUTRIGGER_RESULTS/t.started"; sleep 0.5; exit 9' },
  ));

test('a description with $(…), quotes and newlines is executed by nobody and arrives as it is', () =>
  withTasks(
    async ({ hub, tasks, frame, root, read }) => {
      const description = `$(touch pwned) \`touch pwned\` "; touch pwned; ' && touch pwned \${TASK_ID}\n| touch pwned\n--help`;
      tasks.connected(hub.session);
      hub.assign('t', { description });
      await frame('task_failed');
      const [whole, part, json] = read('root/seen').split('\0');
      assert.equal(whole, description);
      assert.equal(part, `--task=${description}!`);
      assert.equal((JSON.parse(json as string) as { description: string }).description, description);
      assert.equal((JSON.parse(read('root/file')) as { description: string }).description, description);
      assert.deepEqual(fs.readdirSync(root).sort(), ['file', 'mode', 'seen']);
      assert.equal(read('root/mode').trim(), '600');
    },
    {
      wake: [
        'sh',
        '-c',
        'printf "%s\\0" "$@" > seen; cat "$OUTRIGGER_TASK_FILE" > file; stat -c %a "$OUTRIGGER_TASK_FILE" > mode; exit 1',
        'sh',
        '${TASK_DESCRIPTION}',
        '--task=${TASK_DESCRIPTION}!',
        '${TASK_JSON}',
      ],
      retriesMs: [],
    },
  ));

test('a result waits for its answer, whatever else the hub says of its task', () =>
  withTasks(
    async ({ hub, tasks, frame, results }) => {
      hub.silent.add('task_complete');
      tasks.connected(hub.session);
      hub.assign('t');
      await frame('task_complete');
      hub.say({ type: 'error', error: 'storage_failed', task_id: 't' });
      assert.equal(tasks.list().waiting, 1);
      assert.equal(fs.existsSync(path.join(results, 'late')), false);
      hub.say({ type: 'task_ack', task_id: 't', status: 'complete', generation: 1 });
      await eventually(() => tasks.list().waiting === 0);
    },
    { wake: answers(done) },
  ));

test('work is refused while busy: with a word of its own to our hub, to AgentCom’s with one that it knows', async () => {
  for (const [features, frames, woken] of [
    [[], [], [{ type: 'wake_result', task_id: 'second', status: 'failed', reason: 'busy' }]],
    [['refusals'], [{ type: 'task_rejected', task_id: 'second', reason: 'busy', generation: 1 }], []],
  ] as const)
    await withTasks(
      async ({ hub, tasks, frame }) => {
        tasks.connected(hub.session);
        assert.equal(tasks.credit(), 1);
        hub.assign('first');
        await frame('wake_result');
        assert.equal(tasks.credit(), 0);
        hub.assign('second');
        assert.deepEqual(hub.of('task_rejected'), frames);
        assert.deepEqual(
          hub.of('wake_result').filter(({ task_id: id }) => id === 'second'),
          woken,
        );
        assert.deepEqual(
          tasks.held().map(({ task_id }) => task_id),
          ['first'],
        );
      },
      { wake: 'touch "$OUTRIGGER_RESULTS/first.started"; exit 0', features },
    );
});

test('a hub to which work was refused hears when there is room, and no other does', async () => {
  const leaving: (() => void)[] = [];
  const after = (): Promise<void> => new Promise((resolve) => leaving.push(resolve));
  await withTasks(
    async ({ hub, tasks, frame }) => {
      const leave = async (): Promise<void> => {
        await eventually(() => assert.equal(leaving.length, 1));
        leaving.pop()?.();
        await eventually(() => assert.throws(() => tasks.run('t')));
      };
      tasks.connected(hub.session);
      hub.assign('t');
      await frame('task_failed');
      await leave();
      assert.deepEqual(hub.credits, []);
      hub.assign('t', { generation: 2 });
      await frame('task_failed', 2);
      // Its last look at the folder is being taken.
      hub.assign('t', { generation: 3 });
      assert.deepEqual(
        hub.of('task_rejected').map(({ reason, generation }) => [reason, generation]),
        [['busy', 3]],
      );
      assert.deepEqual(hub.credits, []);
      await leave();
      assert.deepEqual(hub.credits, [1]);
      hub.assign('t', { generation: 4 });
      await frame('task_failed', 3);
      await leave();
      assert.deepEqual(hub.credits, [1]);
    },
    { wake: answers({ reason: 'no' }), hooks: { before: () => Promise.resolve(), after } },
  );
});

test('a result that is written in halves is waited for, and one that never becomes JSON is a failure', async () => {
  await withTasks(
    async ({ hub, tasks, frame }) => {
      tasks.connected(hub.session);
      hub.assign('t');
      assert.deepEqual((await frame('task_complete'))['result'], done);
    },
    {
      wake: `printf '{"status":"succ' > "$OUTRIGGER_RESULT_FILE"; sleep 0.4; printf 'ess","output":"done","tokens_used":12}' >> "$OUTRIGGER_RESULT_FILE"`,
    },
  );
  let ahead = 0;
  await withTasks(
    async ({ hub, tasks, frame, results }) => {
      tasks.connected(hub.session);
      hub.assign('t');
      await frame('wake_result');
      const timer = setInterval(() => (ahead += 5000), 300);
      try {
        assert.match(String((await frame('task_failed'))['reason']), /result_unreadable/);
      } finally {
        clearInterval(timer);
      }
      assert.equal(fs.readdirSync(path.join(results, 'late')).length, 1);
    },
    { wake: 'touch "$OUTRIGGER_RESULTS/t.started"; echo "{" > "$OUTRIGGER_RESULT_FILE"', monotonic: () => performance.now() + ahead },
  );
});

test('a long result is read when nobody writes at it any more, not at each write', (t) =>
  withTasks(
    async ({ hub, tasks, frame, results }) => {
      const reads = t.mock.method(fs, 'readFileSync').mock;
      tasks.connected(hub.session);
      hub.assign('t');
      await frame('wake_result');
      const file = path.join(results, 't.json');
      const piece = 'x'.repeat(200 * 1024);
      fs.writeFileSync(file, '{"status":"success","output":"');
      for (let pieces = 0; pieces < 30; pieces++) {
        fs.appendFileSync(file, piece);
        await sleep(60);
      }
      fs.appendFileSync(file, '"}');
      const { result } = (await frame('task_complete')) as { result?: { truncated?: boolean } };
      assert.equal(result?.truncated, true);
      const ofResult = reads.calls.filter(({ arguments: [at] }) => at === file).length;
      assert.ok(ofResult <= 6, `it was read ${ofResult} times`);
    },
    { wake: 'touch "$OUTRIGGER_RESULTS/t.started"; exec sleep 300', finishWithinMs: 100 },
  ));

test('a long result of a program that ends badly right after it counts', () =>
  withTasks(
    async ({ hub, tasks, frame }) => {
      tasks.connected(hub.session);
      hub.assign('t');
      const { result } = (await frame('task_complete')) as { result?: { output?: string } };
      assert.equal(result?.output?.length, 1_000_000);
    },
    {
      wake: `{ printf '{"status":"success","output":"'; head -c 1000000 /dev/zero | tr '\\0' x; printf '"}'; } > "$OUTRIGGER_RESULT_FILE"; exit 3`,
    },
  ));

test('whoever writes beside the results all the time has them looked for some times a second', (t) =>
  withTasks(
    async ({ hub, tasks, frame, results }) => {
      tasks.connected(hub.session);
      hub.assign('t');
      await frame('wake_result');
      const looks = t.mock.method(fs, 'lstatSync').mock;
      const log = fs.openSync(path.join(results, 'agent.log'), 'a');
      const until = performance.now() + 1000;
      while (performance.now() < until) {
        fs.writeSync(log, 'x');
        await new Promise(setImmediate);
      }
      fs.closeSync(log);
      const ofResult = looks.calls.filter(({ arguments: [at] }) => at === path.join(results, 't.json')).length;
      assert.ok(ofResult <= 100, `it was looked for ${ofResult} times in a second`);
    },
    { wake: 'touch "$OUTRIGGER_RESULTS/t.started"; exec sleep 300' },
  ));

test('a result is taken as deep as a frame with it may be, and a deeper one fails its task, which says so', async () => {
  for (const [levels, isTaken] of [
    [490, true],
    [491, false],
    [500, false],
    [501, false],
  ] as const) {
    const result = `{"status":"success","x":${'['.repeat(levels - 1)}${']'.repeat(levels - 1)}}`;
    await withTasks(
      async ({ hub, tasks, frame, results }) => {
        tasks.connected(hub.session);
        hub.assign('t');
        if (isTaken) assert.equal(JSON.stringify((await frame('task_complete'))['result']), result);
        else {
          assert.equal((await frame('task_failed'))['reason'], 'result_unreadable: the result file is nested deeper than 490 levels');
          assert.equal(fs.readdirSync(path.join(results, 'late')).length, 1);
        }
      },
      { wake: answers(result) },
    );
  }
});

test('a clock that is set ahead makes no unreadable result of one that is being written', () => {
  let ahead = 0;
  return withTasks(
    async ({ hub, tasks, frame, results }) => {
      tasks.connected(hub.session);
      hub.assign('t');
      await frame('wake_result');
      const file = path.join(results, 't.json');
      await eventually(() => assert.ok(fs.existsSync(file)));
      for (let looks = 0; looks < 4; looks++) {
        ahead += 3_600_000;
        // What comes into the folder has it look there.
        fs.writeFileSync(path.join(results, `other-${looks}`), '');
        await sleep(200);
      }
      fs.writeFileSync(file, JSON.stringify(done));
      assert.deepEqual((await frame('task_complete'))['result'], done);
    },
    {
      wake: `touch "$OUTRIGGER_RESULTS/t.started"; printf '{' > "$OUTRIGGER_RESULT_FILE"; exec sleep 300`,
      now: () => Date.now() + ahead,
      finishWithinMs: 100,
    },
  );
});

test('an agent that gave its result may end by itself, and is ended when that takes too long', () =>
  withTasks(
    async ({ hub, tasks, frame, read }) => {
      tasks.connected(hub.session);
      hub.assign('t');
      await frame('task_complete');
      assert.equal(read('root/last'), 'words\n');
      assert.equal(isAlive(Number(read('root/pid'))), false);
    },
    { wake: `${answers(done)}sleep 0.1; echo words > last; echo $$ > pid; exec sleep 300`, finishWithinMs: 1000, cancelWithinMs: 500 },
  ));

test('a reason of a megabyte goes whole to our hub, and its start to AgentCom’s, with the whole beside the results', async () => {
  const reason = 'ä'.repeat(1_000_000);
  const wake = `printf '{"error":"' > "$OUTRIGGER_RESULT_FILE.new"; head -c 1000000 /dev/zero | sed 's/\\x00/ä/g' >> "$OUTRIGGER_RESULT_FILE.new"; printf '"}' >> "$OUTRIGGER_RESULT_FILE.new"; mv "$OUTRIGGER_RESULT_FILE.new" "$OUTRIGGER_RESULT_FILE"`;
  await withTasks(
    async ({ hub, tasks, frame }) => {
      tasks.connected(hub.session);
      hub.assign('t');
      assert.equal((await frame('task_failed'))['reason'] === reason, true);
    },
    { wake },
  );
  await withTasks(
    async ({ hub, tasks, frame, read }) => {
      tasks.connected(hub.session);
      hub.assign('t');
      assert.equal((await frame('task_failed'))['reason'], reason.slice(0, 2000));
      assert.equal(read('results/t.reason.txt') === reason, true);
    },
    { wake, features: [] },
  );
});

test('of a thousand reports of progress the hub gets few, and the completion is not held up', () =>
  withTasks(
    async ({ hub, tasks, frame }) => {
      tasks.connected(hub.session);
      hub.assign('t');
      await frame('wake_result');
      for (let progress = 1; progress <= 1000; progress++) tasks.progress('t', { progress: progress / 10 });
      await frame('task_progress');
      assert.equal(hub.of('task_progress')[0]?.['progress'], 100);
      for (let progress = 0; progress < 1000; progress++) tasks.progress('t', { progress: 5 });
      await tasks.say('t', { type: 'result', result: done });
      await frame('task_complete');
      await new Promise((resolve) => setTimeout(resolve, 400));
      assert.equal(hub.of('task_progress').length, 1);
      assert.equal(hub.types().at(-1), 'task_complete');
    },
    { wake: 'touch "$OUTRIGGER_RESULTS/t.started"' },
  ));

test('ids that are no names of files lead nowhere else', async () => {
  for (const id of ['../../etc/x', 'a/b', '.hidden', 'late', '-rf', 'ä b', 'x'.repeat(128), '..', 'con:1'])
    await withTasks(
      async ({ hub, tasks, frame, results, at }) => {
        tasks.connected(hub.session);
        hub.assign(id);
        assert.equal((await frame('task_complete'))['task_id'], id);
        await eventually(() => assert.deepEqual(fs.readdirSync(results), []));
        assert.deepEqual(fs.readdirSync(at('.')).sort(), ['results', 'root', 'state']);
      },
      { wake: `echo '${JSON.stringify(done)}' > "$OUTRIGGER_RESULT_FILE"` },
    );
});

test('hooks look at the folder before the first start and after the end', async () => {
  const seen: string[] = [];
  const hooks = {
    before: async ({ id, cause }: { id: string; cause: { kind: string } }) => void seen.push(`before ${id} ${cause.kind}`),
    after: async ({ id }: { id: string }) => {
      seen.push(`after ${id}`);
      throw new Error('the disk');
    },
  };
  await withTasks(
    async ({ hub, tasks, frame, logged }) => {
      tasks.connected(hub.session);
      hub.assign('t');
      await frame('task_failed');
      await eventually(() => assert.deepEqual(seen, ['before task-t-1 task', 'after task-t-1']));
      await eventually(() => assert.ok(logged.includes('task.checkpoint-failed')));
    },
    { wake: 'exit 1', hooks },
  );
});

test('a stop waits a second for the look at the folder after a task, and no longer', async () => {
  for (const [lookMs, isWaitedFor] of [
    [300, true],
    [30_000, false],
  ] as const) {
    let begun = false;
    let over = false;
    const after = async (): Promise<void> => {
      begun = true;
      await sleep(lookMs, undefined, { ref: false });
      over = true;
    };
    await withTasks(
      async ({ hub, tasks }) => {
        tasks.connected(hub.session);
        hub.assign('t');
        await eventually(() => assert.ok(begun));
        const at = performance.now();
        await tasks.stop();
        assert.equal(over, isWaitedFor);
        assert.ok(performance.now() - at < 5000);
      },
      { wake: answers(done), hooks: { before: () => Promise.resolve(), after } },
    );
  }
});

test('a hub hears that nothing more is taken before a stop ends the programs', () =>
  withTasks(
    async ({ hub, tasks }) => {
      tasks.connected(hub.session);
      hub.assign('t');
      await eventually(() => assert.equal(tasks.list().held[0]?.record.state, 'working'));
      const stopped = tasks.stop();
      await Promise.resolve();
      assert.deepEqual([hub.credits, tasks.held().length], [[0], 1]);
      await stopped;
      assert.deepEqual(hub.credits, [0]);
    },
    { wake: 'touch "$OUTRIGGER_RESULTS/t.started"; exec sleep 300', concurrency: 2 },
  ));

test('a look at the folder that takes longer than a minute is not waited for, neither before a task nor after it', () => {
  const timers = new ManualTimers();
  const looks: string[] = [];
  const endless = (when: string): Promise<void> => {
    looks.push(when);
    return new Promise(() => {});
  };
  return withTasks(
    async ({ hub, tasks, frame, has, logged }) => {
      const late = async (ms: number): Promise<number> => {
        timers.advance(ms);
        await new Promise(setImmediate);
        return logged.filter((event) => event === 'task.checkpoint-failed').length;
      };
      tasks.connected(hub.session);
      hub.assign('t');
      await eventually(() => assert.deepEqual(looks, ['before']));
      assert.deepEqual([await late(59_999), has('root/runs'), await late(1)], [0, false, 1]);
      await frame('task_complete');
      await eventually(() => assert.deepEqual(looks, ['before', 'after']));
      hub.assign('u');
      assert.deepEqual([await late(59_999), looks.length, await late(1)], [1, 2, 2]);
      await eventually(() => assert.deepEqual(looks, ['before', 'after', 'before']));
    },
    { wake: `echo x >> runs; ${answers(done)}`, timers, hooks: { before: () => endless('before'), after: () => endless('after') } },
  );
});
