import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { fails, isAlive, sh } from '../../../test/kit/process-harness.ts';
import { eventually } from '../../../test/kit/eventually.ts';
import { standStill } from '../../../test/kit/stand-still.ts';
import { withWorkspace } from '../../../test/kit/workspace-harness.ts';
import { Processes, type RunRequest } from './processes.ts';
import { RunGroups } from './run-groups.ts';

const processes = new Processes({ env: process.env });

/** A program that ends at once and leaves another on its output for 5 s, outside of its group; it writes the number of that one. */
const leaving = sh('setsid sleep 5 & echo $!');

function request(argv: string[], more: Partial<RunRequest> = {}): RunRequest {
  return { argv: argv as [string, ...string[]], cwd: os.tmpdir(), timeoutMs: 20_000, ...more };
}

/** Fails when it takes longer than 2.5 s. */
async function soon<T>(work: () => Promise<T>): Promise<T> {
  const begin = performance.now();
  const result = await work();
  assert.ok(performance.now() - begin < 2500, `${performance.now() - begin} ms`);
  return result;
}

test('what a program leaves on its output does not keep its end from being told', async () => {
  const { stdout, exitCode } = await soon(() => processes.run(request(sh(`${leaving[2]}; echo problem >&2; exit 3`))));
  assert.equal(exitCode, 3);
  assert.ok(isAlive(Number(stdout)));
  process.kill(Number(stdout));
});

test('output that comes slowly after the end of a program is read to its end', async () => {
  const { stdout } = await processes.run(request(sh('(for i in 1 2 3 4 5; do sleep 0.25; echo $i; done) & exit 0')));
  assert.equal(stdout.toString(), '1\n2\n3\n4\n5\n');
});

test('output that came while nothing was read is not lost', async () => {
  const running = processes.run(request(sh('(sleep 0.3; echo late; sleep 0.1) & exit 0')));
  setTimeout(() => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1200), 150);
  assert.equal((await running).stdout.toString(), 'late\n');
});

test('a program that is over, whatever came of it, leaves no timer and nothing that is listened to', async () => {
  const resources = (): string[] => process.getActiveResourcesInfo().filter((name) => !/^(Immediate|TickObject|FSReq)/.test(name));
  const before = resources();
  for (let count = 0; count < 10; count++) {
    await processes.run(request(['echo', 'x'], { stdin: 'y'.repeat(100_000) }));
    await assert.rejects(processes.run(request(['true'], { cwd: '/no/such' })), { reason: 'TOOL_MISSING' });
    const opened = processes.open(request(['yes']));
    for await (const _ of opened.stdout) break;
    await opened.result;
  }
  const timers = (): number => resources().filter((name) => name === 'Timeout').length;
  assert.equal(timers(), before.filter((name) => name === 'Timeout').length);
  await eventually(() => assert.deepEqual(resources(), before));
});

test('the limit and a cancellation hold also when the program has ended and others write on', async () => {
  const writing = sh('setsid sh -c "while sleep 0.1; do echo x || exit; done" & exit 0');
  await soon(() => fails('PROCESS_TIMEOUT', processes.run(request(writing, { timeoutMs: 700 }))));
  await soon(() => fails('CANCELED', processes.run(request(writing, { signal: AbortSignal.timeout(700) }))));
});

test('a program that ended in its time while this process stood still is not told to have taken longer', async () => {
  const program = sh('echo begun >&2; sleep 0.1; echo done');
  const { stdout } = await processes.run(request(program, { timeoutMs: 1000, onStderr: () => standStill(1300) }));
  assert.equal(stdout.toString(), 'done\n');
});

test('an open program that has ended is let go at its limit, when it is canceled and when it is ended', async () => {
  const read = async (more: Partial<RunRequest>, end?: number): Promise<unknown> => {
    const opened = processes.open(request(leaving, more));
    if (end !== undefined) setTimeout(() => opened.end(), end);
    opened.stdout.resume();
    return opened.result;
  };
  await soon(() => fails('PROCESS_TIMEOUT', read({ timeoutMs: 500 })));
  await soon(() => fails('CANCELED', read({ signal: AbortSignal.timeout(500) })));
  await soon(() => fails('CANCELED', read({}, 500)));
});

test('a start that the system has no descriptors for is refused, and is no end of this process', {
  skip: process.platform === 'win32' ? 'there is no such limit' : false,
}, () => {
  // With more free ones at each step, a start fails at another point; the system keeps three of one that came far.
  const program = `
    import fs from 'node:fs';
    import { Processes } from ${JSON.stringify(path.join(import.meta.dirname, 'processes.ts'))};
    const processes = new Processes({ env: process.env });
    const request = { argv: ['sh', '-c', 'echo ran'], cwd: '/', timeoutMs: 5000 };
    const reasonOf = (work) => work().then(() => 'ran', ({ reason }) => reason);
    const outcomes = new Set();
    const taken = [];
    await processes.run(request);
    for (;;) try { taken.push(fs.openSync('/dev/null')); } catch { break; }
    for (let step = 0; step < 12; step++) {
      outcomes.add(await reasonOf(() => processes.run(request)));
      outcomes.add(await reasonOf(async () => { const opened = processes.open(request); opened.stdout.resume(); await opened.result; }));
      for (const descriptor of taken.splice(-5)) fs.closeSync(descriptor);
    }
    for (const descriptor of taken) fs.closeSync(descriptor);
    const { stdout } = await processes.run(request);
    await processes.stop();
    console.log(JSON.stringify([...outcomes].sort()), stdout.toString());`;
  const { stdout, stderr, status } = spawnSync(
    'sh',
    ['-c', 'ulimit -n 100; exec "$@"', 'sh', process.execPath, '--input-type=module', '-e', program],
    {
      encoding: 'utf8',
      timeout: 30_000,
    },
  );
  assert.deepEqual([stdout, status], ['["TOO_MANY_PROCESSES","ran"] ran\n\n', 0], stderr);
});

const linux = { skip: process.platform === 'linux' ? false : 'Linux only' };

test('what a sidecar that was killed had run is ended with its group by the next one of this state, and nobody else', linux, () =>
  withWorkspace(async ({ state, at }) => {
    const made = (mark: string): Processes => new Processes({ env: process.env, groups: new RunGroups({ state, mark }) });
    const killed = made('ours');
    const waiting = (trap: string, end: string): string => `${trap} sleep 60 & echo $$ $! > "$0.new"; mv "$0.new" "$0"; ${end}`;
    const scripts = {
      plain: waiting('', 'wait'),
      stubborn: waiting(`trap '' TERM;`, 'wait'),
      stopped: waiting('', 'kill -STOP $$'),
      // Its leader is gone, as one that writes to nobody.
      headless: waiting('', 'kill -9 $$'),
    };
    const pidsIn = (name: string): number[] => fs.readFileSync(at(name), 'utf8').trim().split(' ').map(Number);
    const { stdout } = await killed.run(request(sh('sleep 60 >/dev/null 2>&1 & echo $!')));
    const afterItsEnd = Number(stdout);
    try {
      const opened = Object.entries(scripts).map(([name, script]) => killed.open(request([...sh(script), at(name)])));
      await eventually(() => Object.keys(scripts).every((name) => fs.existsSync(at(name))));
      const pids = Object.keys(scripts).flatMap(pidsIn);
      await eventually(() => pids.filter(isAlive).length === 7);
      await made('another state').recover();
      assert.equal(pids.filter(isAlive).length, 7);
      const begun = performance.now();
      await made('ours').recover();
      assert.ok(performance.now() - begun < 2000);
      assert.deepEqual(pids.filter(isAlive), []);
      assert.ok(isAlive(afterItsEnd), 'what a program left when it ended by itself is left as it was');
      await Promise.all(opened.map(({ result }) => result));
      await made('ours').recover();
    } finally {
      await killed.stop();
      process.kill(afterItsEnd, 'SIGKILL');
    }
  }),
);

test('programs that the sidecar runs for itself alone are marked, not those of people', () =>
  withWorkspace(async ({ state }) => {
    const marked = new Processes({ env: process.env, groups: new RunGroups({ state, mark: 'ours' }) });
    const { stdout } = await marked.run(request(sh('echo "$OUTRIGGER_RUN"')));
    assert.equal(stdout.toString(), 'ours\n');
    assert.equal(marked.env['OUTRIGGER_RUN'], undefined);
    await marked.stop();
  }));
