// The sidecar's outbox: results that are put into it for good, each second, and how fast a hub that comes back gets what waited.
// `node bench/outbox.ts [--spooled 100000] [--through 10000] [--rounds 5] [--at-once 100] [--keep-profile FOLDER]`
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { createInterface } from 'node:readline';
import { parseArgs } from 'node:util';
import { createClient } from '../src/client/client.ts';
import type { VerificationReport } from '../src/contract/hub.ts';
import type { TaskEvent, TaskRequest } from '../src/hub/task-store.ts';
import { SqliteTaskStore } from '../src/hub/sqlite-task-store.ts';
import { nodeTimers } from '../src/net/timers.ts';
import { State } from '../src/services/state/state.ts';
import type { HeldRecord, Outcome } from '../src/services/tasks/task-machine.ts';
import { TaskQueue } from '../src/services/tasks/task-queue.ts';
import { benchToken, freePort, ourProgram } from './contenders.ts';
import { makeKnown, pause, startHub, stop as stopHub } from './hub-process.ts';
import { fileSystemOf, machine, median, quantile, type Row, report as reportRows } from './measure.ts';

const { values } = parseArgs({
  options: {
    /** Results that wait when the hub comes back. */
    spooled: { type: 'string', default: '100000' },
    /** Of those, so many come through `tasks.complete`; the rest was there before. */
    through: { type: 'string', default: '10000' },
    rounds: { type: 'string', default: '5' },
    'at-once': { type: 'string', default: '100' },
    /** The sidecar and the hub write CPU profiles there. */
    'keep-profile': { type: 'string' },
  },
});
const spooled = Number(values.spooled);
const through = Math.min(spooled, Number(values.through));
const rounds = Number(values.rounds);
const atOnce = Number(values['at-once']);
const output = 'x'.repeat(200);
const fence = 1;
/** The hub is away while results are gathered, and leases must not run out meanwhile. */
const LEASE_MS = 24 * 60 * 60_000;
const LISTEN_MS = 30_000;
/** A link waits up to a minute between two attempts. */
const COME_BACK_MS = 90_000;
const DRAIN_MS = 600_000;

const rows: Row[] = [];
const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'outrigger-bench-outbox-'));
const children = new Set<ChildProcess>();
process.once('exit', () => {
  for (const child of children) child.kill('SIGKILL');
  fs.rmSync(folder, { recursive: true, force: true });
});
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(1));

try {
  if (process.send === undefined) console.log(machine());
  console.log(`outbox: ours ${ourProgram().says}; ${fileSystemOf(folder)}; results of ${output.length} characters`);
  await byItself();
  await drained();
} finally {
  fs.rmSync(folder, { recursive: true, force: true });
}
reportRows(rows);

/** The transaction that ends a task: no more held, in the outbox, in the history. On the disk before it is acknowledged. */
async function byItself(): Promise<void> {
  const rates: number[] = [];
  for (const much of [1, 10, atOnce]) {
    // One alone waits for the disk each time: fewer tell as much.
    const count = Math.min(20_000, much * 1000);
    const measured: number[] = [];
    const waited: number[] = [];
    for (let round = 0; round <= rounds; round++) {
      const state = openState(path.join(folder, `alone-${much}-${round}`));
      const queue = new TaskQueue(state.openDurable('tasks'), nodeTimers);
      const records = Array.from({ length: count }, (_, number) => heldTask(`s${number}`));
      await queue.write(() => {
        for (const record of records) queue.hold(record);
      });
      const begun = performance.now();
      const took = await sharedOut(records, much, ({ id }) =>
        queue.write(() => {
          queue.release(id);
          queue.post(id, fence, outcomeOf(id));
          queue.remember({ id, generation: fence, end: 'done', at: Date.now(), description: output });
        }),
      );
      const rate = (count * 1000) / (performance.now() - begun);
      if (queue.waiting !== count) throw new Error(`${queue.waiting} of ${count} results are in the outbox.`);
      state.close();
      // The first round only warms up.
      if (round === 0) continue;
      measured.push(rate);
      waited.push(quantile(took, 0.99));
    }
    console.log(
      `by itself, ${much} at once: ${median(measured).toFixed(0)} results/s, each on the disk after p99 ${median(waited).toFixed(1)} ms`,
    );
    if (much === atOnce) rates.push(...measured);
  }
  atLeast(`results into the outbox (fsync), ${atOnce} at once`, median(rates), 5000);
}

/** A whole sidecar without its hub gathers results; then the hub is there. */
async function drained(): Promise<void> {
  const hubState = path.join(folder, 'hub');
  const [[agent, token] = ['', '']] = makeKnown(hubState, 1);
  const ids = Array.from({ length: spooled }, (_, number) => `s${number}`);
  await grantAll(hubState, agent, ids);
  const home = path.join(folder, 'agent');
  const state = openState(home);
  const queue = new TaskQueue(state.openDurable('tasks'), nodeTimers);
  const late = ids.slice(spooled - through);
  await queue.write(() => {
    for (const id of late) queue.hold(heldTask(id));
    for (const id of ids.slice(0, spooled - through)) queue.post(id, fence, outcomeOf(id));
  });
  state.close();

  const port = await freePort();
  fs.writeFileSync(
    path.join(home, 'config.json'),
    JSON.stringify({
      agent_id: agent,
      token,
      hub_url: `ws://127.0.0.1:${port}/ws`,
      repo_dir: 'work',
      wake_command: ['true'],
      jitter: 'none',
    }),
  );
  const sidecar = await startLink(home);
  const client = createClient({ url: sidecar.url, token: benchToken });
  const waiting = async (): Promise<number> => (await client.call('tasks.list', {})).waiting;

  if (through > 0) {
    const begun = performance.now();
    const took = await sharedOut(late, atOnce, (id) => client.call('tasks.complete', { id, output }));
    while ((await waiting()) < spooled) await pause(20);
    const rate = (through * 1000) / (performance.now() - begun);
    console.log(
      `the whole way, tasks.complete over a WebSocket, ${atOnce} at once: ${rate.toFixed(0)} results/s in the outbox, ` +
        `answered after p99 ${quantile(took, 0.99).toFixed(1)} ms (held as the result, verified, then moved: two commits a result)`,
    );
  }

  const hub = await startHub(hubState, port);
  children.add(hub.child);
  const until = performance.now() + COME_BACK_MS;
  while (sidecar.onlineAt() === undefined) {
    if (performance.now() > until) throw new Error('The link did not come back.');
    await pause(5);
  }
  const deadline = performance.now() + DRAIN_MS;
  for (let left = await waiting(); left > 0; left = await waiting()) {
    if (performance.now() > deadline) throw new Error(`${left} results are in the outbox still.`);
    await pause(20);
  }
  const emptyAt = performance.now();
  // From the dial that succeeded: that the hub learns what is held belongs to it.
  const [dialedAt = 0, onlineAt = 0] = [sidecar.dialedAt(), sidecar.onlineAt()];
  console.log(
    `hub back to known there: ${(onlineAt - dialedAt).toFixed(0)} ms; from then to an empty outbox ${(emptyAt - onlineAt).toFixed(0)} ms`,
  );
  atLeast(`results drained of ${spooled}, until the outbox is empty`, (spooled * 1000) / (emptyAt - dialedAt), 2000);
  client.close();
  await sidecar.stop();
  await stopHub(hub);
  children.delete(hub.child);
  countAtHub(hubState);
}

/** Each task has to have ended well, by one result that was taken. */
function countAtHub(hubState: string): void {
  const database = new DatabaseSync(path.join(hubState, 'tasks.db'), { readOnly: true });
  const { accepted, tasks } = database
    .prepare(
      "SELECT count(*) AS accepted, count(DISTINCT task) AS tasks FROM audit WHERE json_extract(event, '$.type') = 'complete' AND state = 'succeeded'",
    )
    .get() as { accepted: number; tasks: number };
  const states = database.prepare('SELECT state, count(*) AS count FROM tasks GROUP BY state').all() as { state: string; count: number }[];
  const events = database
    .prepare("SELECT json_extract(event, '$.type') AS type, count(*) AS count FROM audit GROUP BY 1 ORDER BY 2 DESC")
    .all() as { type: string; count: number }[];
  database.close();
  console.log(
    `at the hub: ${accepted} results taken, of ${tasks} tasks; ${states.map(({ state, count }) => `${count} ${state}`).join(', ')}`,
  );
  console.log(`its audit: ${events.map(({ type, count }) => `${count} ${type}`).join(', ')}`);
  const ok = accepted === spooled && tasks === spooled;
  rows.push({
    what: 'of those, taken by the hub exactly once',
    unit: '',
    ours: accepted === tasks ? tasks : Number.NaN,
    goal: `= ${spooled}`,
    ok,
  });
}

/** A hub's tasks, all granted to one agent and accepted, as they were before the hub went away. */
async function grantAll(hubState: string, agent: string, ids: readonly string[]): Promise<void> {
  const store = new SqliteTaskStore({ file: path.join(hubState, 'tasks.db'), now: Date.now, random: Math.random });
  for (let at = 0; at < ids.length; at += 1000) {
    const batch = ids.slice(at, at + 1000);
    await store.enqueue(batch.map((id) => ({ id, request: requestFor(agent), by: 'bench' })));
    await store.claim([{ agent, capabilities: [], credit: batch.length }]);
    const event: TaskEvent = { type: 'accept', agent, fence, leaseUntil: Date.now() + LEASE_MS };
    const applied = await store.apply(batch.map((task) => ({ task, event })));
    if (!applied.every(({ ok }) => ok)) throw new Error('Not all tasks were granted.');
  }
  await store.close();
}

interface RunningLink {
  url: string;
  /** By this process's clock, when it last dialed its hub. */
  dialedAt: () => number | undefined;
  onlineAt: () => number | undefined;
  stop: () => Promise<void>;
}

async function startLink(home: string): Promise<RunningLink> {
  const profile = values['keep-profile'];
  const args = profile === undefined ? [] : ['--cpu-prof', `--cpu-prof-dir=${path.resolve(profile)}`];
  const child = spawn(
    process.execPath,
    [...args, ourProgram().file, 'link', path.join(home, 'config.json'), '--state', path.join(home, 'state')],
    {
      env: { PATH: process.env['PATH'], HOME: home, OUTRIGGER_TOKEN: benchToken, NODE_ENV: 'production' },
      stdio: ['ignore', 'ignore', 'pipe'],
    },
  );
  children.add(child);
  let dialedAt: number | undefined;
  let onlineAt: number | undefined;
  const listening = Promise.withResolvers<string>();
  child.once('exit', () => listening.reject(new Error('The sidecar ended.')));
  createInterface({ input: child.stderr }).on('line', (line) => {
    if (line.includes('"event":"link.connecting"')) dialedAt = performance.now();
    else if (line.includes('"event":"link.online"')) onlineAt = performance.now();
    const [, found] = /"event":"sidecar\.listening".*"url":"([^"]+)"/.exec(line) ?? [];
    if (found !== undefined) listening.resolve(found);
  });
  const timer = setTimeout(() => listening.reject(new Error('The sidecar did not listen.')), LISTEN_MS);
  const url = await listening.promise;
  clearTimeout(timer);
  return {
    url,
    dialedAt: () => dialedAt,
    onlineAt: () => onlineAt,
    stop: async () => {
      child.kill('SIGTERM');
      await once(child, 'exit');
      children.delete(child);
    },
  };
}

/** `work` for all of them, `much` under way at any time. Gives what each took, ms. */
async function sharedOut<T>(all: readonly T[], much: number, work: (one: T) => Promise<unknown>): Promise<number[]> {
  const took: number[] = [];
  let next = 0;
  await Promise.all(
    Array.from({ length: much }, async () => {
      for (let one = all[next++]; one !== undefined; one = all[next++]) {
        const at = performance.now();
        await work(one);
        took.push(performance.now() - at);
      }
    }),
  );
  return took;
}

/** The folder of a sidecar's state; the workspace is beside it. */
function openState(home: string): State {
  const root = path.join(home, 'work');
  fs.mkdirSync(root, { recursive: true });
  return new State({ root, folder: path.join(home, 'state'), temporary: folder });
}

function heldTask(id: string): HeldRecord {
  const assignment = { task_id: id, description: output, metadata: {}, generation: fence } as HeldRecord['assignment'];
  return { id, generation: fence, state: 'working', assignment, attempts: 1, reports: [], acceptedAt: Date.now() };
}

function outcomeOf(id: string): Outcome {
  const summary = { total: 0, passed: 0, failed: 0, errors: 0, timed_out: 0 };
  const report: VerificationReport = {
    task_id: id,
    run_number: 1,
    status: 'skip',
    started_at: Date.now(),
    duration_ms: 0,
    timeout_ms: 120_000,
    checks: [],
    summary,
  };
  return { kind: 'complete', result: { status: 'success', output }, report, reports: [report] };
}

function requestFor(agent: string): TaskRequest {
  return {
    ...{ description: output, metadata: {}, priority: 2, needs: [], agent, runAt: 0, deadline: null },
    ...{ maxAttempts: 3, backoffMs: 1000, backoffMaxMs: 60_000, key: null, after: [], group: null, atOnce: 1 },
    ...{ repo: null, branch: null, fileHints: [], successCriteria: [], verificationSteps: [], skipVerification: false },
    ...{ verificationTimeoutMs: null, maxVerificationRetries: null },
  };
}

function atLeast(what: string, ours: number, least: number): void {
  rows.push({ what, unit: '/s', ours, goal: `≥ ${least}`, ok: ours >= least });
}
