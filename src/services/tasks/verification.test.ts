import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { test } from 'node:test';
import { eventually } from '../../../test/kit/eventually.ts';
import { isAlive } from '../../../test/kit/process-harness.ts';
import { requireTool } from '../../../test/kit/require-tools.ts';
import { standStill } from '../../../test/kit/stand-still.ts';
import { answers, withTasks } from '../../../test/kit/task-harness.ts';
import type { TaskAssignment, VerificationReport, VerificationStep } from '../../contract/hub.ts';
import { LocalHost } from '../processes/local-host.ts';
import { Processes } from '../processes/processes.ts';
import { TaskPrograms } from './task-program.ts';
import { verify } from './verification.ts';

const done = { status: 'success', output: 'done' };

interface Setup {
  files?: Record<string, string>;
  timeoutMs?: number;
  facts?: Partial<TaskAssignment>;
  signal?: AbortSignal;
  besides?: readonly string[];
  git?: boolean;
}

async function check(
  steps: VerificationStep[],
  { files = {}, timeoutMs = 20_000, facts = {}, signal = new AbortController().signal, besides = [], git = false }: Setup = {},
  look: (folder: string) => void = () => {},
): Promise<VerificationReport> {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'outrigger-verify-'));
  try {
    if (git) execFileSync('git', ['init', '-q', '-b', 'main'], { cwd: folder });
    for (const [name, text] of Object.entries(files)) {
      fs.mkdirSync(path.dirname(path.join(folder, name)), { recursive: true });
      fs.writeFileSync(path.join(folder, name), text);
    }
    const programs = new TaskPrograms(new LocalHost(new Processes({ env: process.env })));
    const task = { task_id: 't', description: '', generation: 1, verification_steps: steps, verification_timeout_ms: timeoutMs, ...facts };
    const request = {
      task: task as TaskAssignment,
      run: 1,
      folder,
      env: {},
      mark: `verify-${path.basename(folder)}`,
      besides,
      signal,
      now: () => 5,
    };
    return await verify(programs, request);
  } finally {
    look(folder);
    fs.rmSync(folder, { recursive: true, force: true });
  }
}

test('a report says what each step came to, as AgentCom’s has it', async () => {
  const report = await check(
    [
      { type: 'file_exists', target: 'a', description: 'there' },
      { type: 'file_exists', target: 'b', description: undefined },
      { type: 'command_succeeds', target: 'sh -c "echo out; echo err >&2"', description: undefined },
      { type: 'command_succeeds', target: ['sh', '-c', 'exit 4'], description: undefined },
      { type: 'command_succeeds', target: 'no-such-program', description: undefined },
      { type: 'what_else', target: 'x', description: undefined },
    ],
    { files: { a: '' } },
  );
  assert.deepEqual(
    report.checks.map(({ type, target, description, status }) => [type, target, description, status]),
    [
      ['file_exists', 'a', 'there', 'pass'],
      ['file_exists', 'b', '', 'fail'],
      ['command_succeeds', 'sh -c "echo out; echo err >&2"', '', 'pass'],
      ['command_succeeds', ['sh', '-c', 'exit 4'], '', 'fail'],
      ['command_succeeds', 'no-such-program', '', 'error'],
      ['what_else', 'x', '', 'error'],
    ],
  );
  assert.match(report.checks[2]?.output ?? '', /out/);
  assert.match(report.checks[2]?.output ?? '', /err/);
  assert.deepEqual(report.summary, { total: 6, passed: 2, failed: 2, errors: 2, timed_out: 0 });
  assert.deepEqual([report.status, report.run_number, report.started_at, report.timeout_ms, report.task_id], ['error', 1, 5, 20_000, 't']);
});

test('a command with a NUL in it is told for what it is', async () => {
  const { checks } = await check([{ type: 'command_succeeds', target: ['true', 'a\0b'], description: undefined }]);
  assert.deepEqual([checks[0]?.status, checks[0]?.output], ['error', 'An argument or a variable of true holds a NUL, and none can.']);
});

test('a limit that is longer than a timer can wait ends no step', async () => {
  const steps: VerificationStep[] = [{ type: 'command_succeeds', target: 'sleep 0.2', description: undefined }];
  assert.equal((await check(steps, { timeoutMs: 2 ** 31 })).status, 'pass');
});

test('the limit holds: 500 ms end a step of six seconds with all that it started, and nothing passes (long form)', async () => {
  let pids: number[] = [];
  const from = performance.now();
  let beats = 0;
  const timer = setInterval(() => beats++, 20);
  const report = await check(
    [
      {
        type: 'command_succeeds',
        target: ['sh', '-c', 'echo $$ >> pids; setsid sh -c \'trap "" TERM; echo $$ >> pids; sleep 6\' & sleep 6'],
        description: undefined,
      },
      { type: 'file_exists', target: 'pids', description: undefined },
    ],
    { timeoutMs: 500 },
    (folder) => (pids = fs.readFileSync(path.join(folder, 'pids'), 'utf8').trim().split('\n').map(Number)),
  );
  clearInterval(timer);
  assert.ok(performance.now() - from < 5000);
  assert.ok(beats > 10, 'the event loop goes on meanwhile');
  assert.deepEqual([report.status, report.checks.map(({ status }) => status)], ['timeout', ['timeout', 'skip']]);
  assert.equal(pids.length, 2);
  await eventually(() => assert.equal(pids.some(isAlive), false));
});

test('a step that ended in its time while this process stood still has not met its limit', async () => {
  const begun = path.join(fs.mkdtempSync(path.join(os.tmpdir(), 'outrigger-begun-')), 'begun');
  const program = ['sh', '-c', `touch ${begun}; sleep 0.5`];
  const checking = check([{ type: 'command_succeeds', target: program, description: undefined }], { timeoutMs: 1500 });
  await eventually(() => assert.ok(fs.existsSync(begun)));
  // It is known to run by then. After what reads, timers come first.
  setTimeout(() => fs.stat(begun, () => standStill(1800)), 200);
  assert.equal((await checking).status, 'pass');
  fs.rmSync(path.dirname(begun), { recursive: true });
});

test('of what a step wrote the newest ten thousand characters are in the report', async () => {
  const { checks } = await check([
    { type: 'command_succeeds', target: ['sh', '-c', "head -c 30000 /dev/zero | tr '\\0' x; echo end"], description: undefined },
  ]);
  assert.deepEqual([checks[0]?.status, checks[0]?.output], ['pass', `${'x'.repeat(9996)}end\n`]);
});

test('a character that a step writes in pieces is one in the report, whatever comes on the other stream in between', async () => {
  const pieces = String.raw`printf 'a\342'; sleep 0.2; printf 'b\303' >&2; sleep 0.2; printf '\202\254'; sleep 0.2; printf '\244\n\303' >&2`;
  const { checks } = await check([{ type: 'command_succeeds', target: ['sh', '-c', pieces], description: undefined }]);
  assert.equal(checks[0]?.output, 'ab€ä\n\ufffd');
});

test('what a step leaves running is ended with it, and one that is not wanted any more ends at once', async () => {
  let pid = 0;
  await check(
    [{ type: 'command_succeeds', target: ['sh', '-c', 'setsid sleep 300 & echo $! > pid'], description: undefined }],
    {},
    (folder) => (pid = Number(fs.readFileSync(path.join(folder, 'pid'), 'utf8'))),
  );
  await eventually(() => assert.equal(isAlive(pid), false));
  const controller = new AbortController();
  setTimeout(() => controller.abort(new Error('enough')), 100);
  const slow = check([{ type: 'command_succeeds', target: 'sleep 300', description: undefined }], { signal: controller.signal });
  await assert.rejects(slow, /enough/);
});

test('no steps pass by themselves, and those that are to be skipped are', async () => {
  assert.equal((await check([])).status, 'auto_pass');
  const skipped = await check([{ type: 'file_exists', target: 'no', description: undefined }], { facts: { skip_verification: true } });
  assert.deepEqual([skipped.status, skipped.checks], ['skip', []]);
});

test('a string of a hub is never read by a shell, and a path does not lead out of the folder', async () => {
  let names: string[] = [];
  const report = await check(
    [
      { type: 'command_succeeds', target: 'echo $(touch pwned)', description: undefined },
      { type: 'command_succeeds', target: 'true; touch pwned', description: undefined },
      { type: 'command_succeeds', target: 'echo $HOME', description: undefined },
      { type: 'file_exists', target: '../../etc/passwd', description: undefined },
      { type: 'file_exists', target: '/etc/passwd', description: undefined },
    ],
    {},
    (folder) => (names = fs.readdirSync(folder)),
  );
  assert.deepEqual(
    report.checks.map(({ status }) => status),
    ['error', 'error', 'pass', 'error', 'error'],
  );
  assert.match(report.checks[0]?.output ?? '', /shell/);
  assert.match(report.checks[2]?.output ?? '', /^\$HOME/);
  assert.deepEqual(names, []);
});

test('tests are found by what the folder has: mix.exs, package.json, Makefile', { skip: requireTool('git') }, async () => {
  const auto: VerificationStep[] = [{ type: 'test_passes', target: 'auto', description: undefined }];
  assert.equal((await check(auto)).status, 'error');
  assert.equal((await check(auto, { files: { 'package.json': '{"scripts":{"test":"exit 0"}}' } })).status, 'pass');
  assert.equal(
    (await check(auto, { files: { 'package.json': '{"scripts":{"test":"exit 1"}}', Makefile: 'test:\n\ttrue\n' } })).status,
    'fail',
  );
  const named: VerificationStep[] = [{ type: 'test_passes', target: 'test -e here', description: undefined }];
  assert.equal((await check(named, { files: { here: '' } })).status, 'pass');
});

test('a folder is clean for git when nothing is changed but what does not count', { skip: requireTool('git') }, async () => {
  const clean: VerificationStep[] = [{ type: 'git_clean', target: undefined, description: undefined }];
  assert.equal((await check(clean, { git: true })).status, 'pass');
  assert.equal((await check(clean, { git: true, files: { new: '' } })).status, 'fail');
  assert.equal((await check(clean, { git: true, files: { 'results/t.json': '' }, besides: ['results'] })).status, 'pass');
  assert.equal((await check(clean)).status, 'fail');
});

const step = { verification_steps: [{ type: 'file_exists', target: 'good' }] };

test('a result that does not pass is a failure for our hub, with the report; AgentCom’s gets what its sidecar sends', async () => {
  await withTasks(
    async ({ hub, tasks, frame }) => {
      tasks.connected(hub.session);
      hub.assign('t', step);
      const failed = await frame('task_failed');
      assert.equal(failed['reason'], 'verification_failed');
      assert.equal((failed['verification_report'] as VerificationReport).status, 'fail');
      assert.deepEqual(hub.of('task_complete'), []);
    },
    { wake: answers(done) },
  );
  await withTasks(
    async ({ hub, tasks, frame }) => {
      tasks.connected(hub.session);
      hub.assign('t', step);
      const complete = await frame('task_complete');
      assert.deepEqual(Object.keys(complete), ['type', 'task_id', 'result', 'generation', 'verification_report', 'verification_history']);
      assert.equal((complete['verification_report'] as VerificationReport).status, 'fail');
    },
    { wake: answers(done), features: [] },
  );
});

test('an agent whose result did not pass is woken again with the report, as often as the task allows', () =>
  withTasks(
    async ({ hub, tasks, frame, read }) => {
      tasks.connected(hub.session);
      hub.assign('t', { ...step, max_verification_retries: 2 });
      const complete = await frame('task_complete');
      assert.deepEqual(
        [(complete['verification_report'] as VerificationReport).run_number, (complete['verification_history'] as unknown[]).length],
        [2, 2],
      );
      assert.match(read('root/seen'), /"status": "fail"/);
    },
    {
      wake: `if grep -q verification_report "$OUTRIGGER_TASK_FILE"; then cp "$OUTRIGGER_TASK_FILE" seen; touch good; fi\n${answers(done)}`,
    },
  ));

test('each verification of a task is of a result of its own, however often the folder of results is looked at', async () => {
  let looks: NodeJS.Immediate | undefined;
  try {
    await withTasks(
      async ({ hub, tasks, frame, read }) => {
        const look = (): void => {
          for (const run of tasks.list().held) run.look();
          looks = setImmediate(look);
        };
        look();
        tasks.connected(hub.session);
        hub.assign('t', { ...step, max_verification_retries: 3 });
        const failed = await frame('task_failed');
        assert.equal((failed['verification_report'] as VerificationReport).run_number, 4);
        assert.equal(read('root/runs'), 'x\n'.repeat(4));
      },
      { wake: `sleep 0.2; echo x >> runs; ${answers(done)}`, finishWithinMs: 50 },
    );
  } finally {
    clearImmediate(looks);
  }
});

test('a result that did not pass is no result of the next run, wherever between the two the sidecar is killed', async () => {
  const copies: string[] = [];
  try {
    await withTasks(
      async ({ hub, tasks, frame, at }) => {
        // Within the turn that wrote it, so that all in it is of one moment.
        tasks.onNews(() => {
          const copy = fs.mkdtempSync(path.join(os.tmpdir(), 'outrigger-tasks-'));
          copies.push(copy);
          fs.cpSync(at('.'), copy, { recursive: true });
        });
        tasks.connected(hub.session);
        hub.assign('t', { ...step, max_verification_retries: 1 });
        await frame('task_failed');
      },
      { wake: `echo x >> runs; ${answers(done)}` },
    );
    let between = 0;
    for (const copy of copies) {
      const database = new DatabaseSync(path.join(copy, 'state', 'tasks.db'));
      const row = database.prepare("SELECT state, json_array_length(facts, '$.reports') AS reports FROM held").get();
      database.close();
      const { state, reports } = (row ?? {}) as { state?: string; reports?: number };
      const runs = path.join(copy, 'root', 'runs');
      // From when its first result was being verified until its agent was there again.
      if ((state !== 'verifying' && reports !== 1) || fs.readFileSync(runs, 'utf8') !== 'x\n') continue;
      between++;
      await withTasks(
        async ({ hub, tasks, frame, read }) => {
          tasks.connected(hub.session);
          const failed = await frame('task_failed');
          assert.equal((failed['verification_report'] as VerificationReport).run_number, 2);
          assert.notEqual(read('root/runs'), 'x\n');
        },
        { at: copy, wake: `echo x >> runs; ${answers(done)}` },
      );
    }
    assert.ok(between > 1, `${between} moments between two runs`);
  } finally {
    for (const copy of copies) fs.rmSync(copy, { recursive: true, force: true });
  }
});

test('a cancellation in the middle of a verification ends it', () =>
  withTasks(
    async ({ hub, tasks, read, has }) => {
      tasks.connected(hub.session);
      hub.assign('t', { verification_steps: [{ type: 'command_succeeds', target: ['sh', '-c', 'echo $$ > pid; sleep 300'] }] });
      await eventually(() => has('root/pid') && read('root/pid') !== '');
      hub.say({ type: 'task_cancelled', task_id: 't', generation: 1 });
      await eventually(() => assert.equal(isAlive(Number(read('root/pid'))), false));
      await eventually(() => assert.equal(tasks.credit(), 1));
      assert.deepEqual(hub.of('task_complete'), []);
    },
    { wake: answers(done) },
  ));
