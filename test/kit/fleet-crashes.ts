import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { createClient } from '../../src/client/client.ts';
import type { HubAuditEntry, HubOperations } from '../../src/contract/hub-operations.ts';
import { replayAudit } from '../../src/hub/replay-audit.ts';
import { SqliteTaskStore } from '../../src/hub/sqlite-task-store.ts';
import type { TaskRecord } from '../../src/hub/task-store.ts';
import { markedWith } from '../../src/services/processes/process-facts.ts';
import { type Proxy, tcpProxy } from './link-harness.ts';
import { main } from './command.ts';

/*
 * A hub and some links, real processes with real wake programs, that are killed, stopped and cut off while tasks go through them. What each program
 * did stands in a journal on the disk. After each round all is healed, all tasks must come to their end, and nothing may be lost or count twice.
 */

const token = 'token-of-the-hub-that-crashes-01';
const LEASE_MS = 3000;
const HEAL_MS = 90_000;
/** It writes down that it was there, says that it began, works for a moment, and hands over its result whole. */
const program = (journal: string): string => `#!/bin/sh
echo "$OUTRIGGER_TASK_ID $OUTRIGGER_TASK_GENERATION" >> "${journal}"
: > "$OUTRIGGER_RESULTS/$OUTRIGGER_TASK_ID.started"
sleep 0.0$(( $$ % 9 ))
printf '{"status":"success","output":"%s"}' "$OUTRIGGER_TASK_GENERATION" > "$OUTRIGGER_RESULTS/.$OUTRIGGER_TASK_ID.$$"
mv "$OUTRIGGER_RESULTS/.$OUTRIGGER_TASK_ID.$$" "$OUTRIGGER_RESULTS/$OUTRIGGER_TASK_ID.json"
`;

export interface CrashPlan {
  seed: number;
  rounds: number;
  links: number;
  tasksPerRound: number;
}

export interface CrashCounts {
  rounds: number;
  tasks: number;
  hubKills: number;
  linkKills: number;
  stops: number;
  cuts: number;
  /** Connections that were slow one way for a while. */
  delays: number;
  /** Grants beyond the first of each task. */
  repeated: number;
}

interface LinkProcess {
  id: string;
  folder: string;
  child: ChildProcess | undefined;
  proxy: Proxy;
}

export async function runFleetCrashes(plan: CrashPlan): Promise<CrashCounts> {
  const fleet = new CrashingFleet(plan);
  try {
    await fleet.start();
    for (let round = 0; round < plan.rounds; round++) await fleet.round();
    await fleet.end();
    fleet.checkAudit();
    return fleet.counts;
  } catch (error) {
    throw new Error(
      `seed ${plan.seed}, round ${fleet.counts.rounds}: ${(error as Error).message}\n${fleet.trace.slice(-40).join('\n')}\n${fleet.log.slice(-4000)}`,
      {
        cause: error,
      },
    );
  } finally {
    await fleet.destroy();
  }
}

class CrashingFleet {
  readonly counts: CrashCounts = { rounds: 0, tasks: 0, hubKills: 0, linkKills: 0, stops: 0, cuts: 0, delays: 0, repeated: 0 };
  readonly trace: string[] = [];
  log = '';
  readonly #plan: CrashPlan;
  readonly #random: () => number;
  readonly #base = fs.mkdtempSync(path.join(os.tmpdir(), 'outrigger-crashes-'));
  readonly #journal = path.join(this.#base, 'journal');
  readonly #state = path.join(this.#base, 'hub');
  readonly #links: LinkProcess[] = [];
  readonly #asked = new Set<string>();
  #hub: ChildProcess | undefined;
  #port = 0;
  #nextKey = 0;

  constructor(plan: CrashPlan) {
    this.#plan = plan;
    let state = plan.seed >>> 0;
    this.#random = () => {
      state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
      return state / 2 ** 32;
    };
  }

  async start(): Promise<void> {
    fs.writeFileSync(this.#journal, '');
    fs.writeFileSync(path.join(this.#base, 'work.sh'), program(this.#journal), { mode: 0o755 });
    await this.#startHub();
    const client = this.#client();
    for (let number = 1; number <= this.#plan.links; number++) {
      const id = `link-${number}`;
      const folder = path.join(this.#base, id);
      const proxy = await tcpProxy(this.#port);
      fs.mkdirSync(path.join(folder, 'work'), { recursive: true });
      const config = {
        agent_id: id,
        token: (await client.call('agents.register', { agent: id })).token,
        hub_url: `ws://127.0.0.1:${proxy.port}/ws`,
        wake_command: [path.join(this.#base, 'work.sh')],
        repo_dir: 'work',
        concurrency: 3,
        timeouts: { ping_ms: 1000, pong_ms: 1000, identify_ms: 2000, dial_ms: 2000 },
      };
      fs.writeFileSync(path.join(folder, 'config.json'), JSON.stringify(config), { mode: 0o600 });
      this.#links.push({ id, folder, child: undefined, proxy });
    }
    client.close();
    for (const link of this.#links) this.#startLink(link);
    await this.#allOnline();
  }

  async round(): Promise<void> {
    this.counts.rounds++;
    const queueing = this.#queue(this.#plan.tasksPerRound);
    for (let faults = 1 + this.#below(3); faults > 0; faults--) {
      await pause(this.#below(300));
      await this.#fault();
    }
    await this.#heal();
    await queueing;
    await this.#settled();
  }

  /** All is stopped in order; nothing may be left running. */
  async end(): Promise<void> {
    // One that was started a moment ago does not know what a signal is.
    await this.#allOnline();
    for (const link of this.#links) await stop(link.child);
    const left = markedWith('OUTRIGGER_RESULTS', (value) => value.startsWith(this.#base));
    assert.deepEqual(left, [], 'programs of tasks outlived their links');
    await stop(this.#hub);
  }

  /** The store as it is on the disk: what was acknowledged is there and succeeded once, under the grant that counts, and the audit says the same. */
  checkAudit(): void {
    const store = new SqliteTaskStore({ file: path.join(this.#state, 'tasks.db'), now: Date.now, random: Math.random });
    try {
      const tasks = new Map(store.list({ limit: 1_000_000 }).map(({ id }) => [id, store.get(id) as TaskRecord]));
      const entries = store.audit(0, 10_000_000);
      assert.deepEqual(replayAudit(entries), tasks, 'the audit replays to the table');
      const done = new Map<string, number>();
      // Those under an older grant are refused, and kept for an operator.
      for (const { task, event } of entries)
        if (event.type === 'complete' && event.fence === tasks.get(task)?.fence) done.set(task, (done.get(task) ?? 0) + 1);
      const began = new Set(fs.readFileSync(this.#journal, 'utf8').split('\n'));
      for (const id of this.#asked) {
        const task = tasks.get(id) as TaskRecord;
        assert.equal(task?.state, 'succeeded', `${id} is ${task?.state}: ${task?.reason}`);
        assert.equal(done.get(id), 1, `${id} was completed ${done.get(id)} times`);
        const counted = String(task.result?.['output']);
        assert.ok(began.has(`${id} ${counted}`), `${id} has a result of ${counted}, which nobody did`);
        // One that goes on at the same link under a new grant began under an older one.
        assert.ok(Number(counted) <= task.fence, `${id} was completed under ${counted} and granted under ${task.fence}`);
        this.counts.repeated += task.fence - 1;
      }
      assert.equal(tasks.size, this.#asked.size, 'no task was made twice');
    } finally {
      void store.close();
    }
  }

  async destroy(): Promise<void> {
    for (const child of [this.#hub, ...this.#links.map((link) => link.child)]) {
      if (child === undefined || child.exitCode !== null || child.signalCode !== null) continue;
      child.kill('SIGCONT');
      child.kill('SIGKILL');
      await once(child, 'exit');
    }
    await Promise.all(this.#links.map(({ proxy }) => proxy.close()));
    fs.rmSync(this.#base, { recursive: true, force: true });
  }

  async #fault(): Promise<void> {
    const link = this.#links[this.#below(this.#links.length)] as LinkProcess;
    const dice = this.#random();
    if (dice < 0.2) {
      this.#say('kill the hub');
      this.counts.hubKills++;
      await kill(this.#hub);
      await pause(this.#below(1000));
      await this.#startHub();
    } else if (dice < 0.5) {
      this.#say(`kill ${link.id}`);
      this.counts.linkKills++;
      await kill(link.child);
      await pause(this.#below(500));
      this.#startLink(link);
    } else if (dice < 0.65) {
      const one = this.#random() < 0.3 ? this.#hub : link.child;
      this.#say(`stop ${one === this.#hub ? 'the hub' : link.id}`);
      this.counts.stops++;
      one?.kill('SIGSTOP');
      await pause(this.#below(LEASE_MS * 1.5));
      one?.kill('SIGCONT');
    } else if (dice < 0.75) {
      const way = this.#random() < 0.5 ? 'toHub' : 'toAgent';
      link.proxy.delayMs[way] = this.#below(LEASE_MS * 1.5);
      this.#say(`${way} of ${link.id} takes ${link.proxy.delayMs[way]} ms`);
      this.counts.delays++;
    } else if (dice < 0.87) {
      const way = this.#random() < 0.5 ? 'toHub' : 'toAgent';
      this.#say(`swallow ${way} of ${link.id}`);
      this.counts.cuts++;
      link.proxy.swallow[way] = true;
    } else {
      this.#say(`reset ${link.id}`);
      this.counts.cuts++;
      link.proxy.reset();
    }
  }

  async #heal(): Promise<void> {
    for (const { proxy } of this.#links) {
      proxy.delayMs.toAgent = proxy.delayMs.toHub = 0;
      if (proxy.swallow.toAgent || proxy.swallow.toHub) {
        await pause(this.#below(500));
        proxy.swallow.toAgent = proxy.swallow.toHub = false;
        // What was swallowed is missing in the middle of a stream: such a connection never lives on.
        proxy.reset();
      }
    }
    this.#say('healed');
  }

  /** Asks until it is acknowledged, by a key, as a client has to. */
  async #queue(count: number): Promise<void> {
    const tasks = Array.from({ length: count }, () => ({
      description: `task ${++this.#nextKey}`,
      key: `key-${this.#nextKey}`,
      maxAttempts: 50,
      backoffMs: 10,
      backoffMaxMs: 200,
    }));
    for (const until = Date.now() + HEAL_MS; ; ) {
      const client = this.#client();
      try {
        const answer = await client.call('tasks.create', { tasks });
        for (const { id } of answer.tasks) this.#asked.add(id);
        this.counts.tasks += count;
        return;
      } catch (error) {
        if (Date.now() > until) throw error;
        await pause(50);
      } finally {
        client.close();
      }
    }
  }

  async #settled(): Promise<void> {
    const client = this.#client();
    try {
      let open: object = {};
      for (const until = Date.now() + HEAL_MS; Date.now() < until; await pause(50)) {
        const { tasks } = await client
          .call('tasks.list', { states: ['scheduled', 'ready', 'offered', 'running'], limit: 1000 })
          .catch(() => ({ tasks: undefined }));
        if (tasks?.length === 0) return;
        open = { tasks: tasks?.map(({ id, state, holder, generation, reason }) => ({ id, state, holder, generation, reason })) };
      }
      const { agents } = await client.call('agents.list', {});
      const { entries } = await client.call('tasks.audit', { limit: 10_000 }).catch(() => ({ entries: [] as HubAuditEntry[] }));
      assert.fail(
        `not all come to their end: ${JSON.stringify(open)}\n${JSON.stringify(agents)}\n${entries
          .slice(-20)
          .map((entry) => JSON.stringify(entry))
          .join('\n')}`,
      );
    } finally {
      client.close();
    }
  }

  /** Or a while is over: links may be gone for good reasons. */
  async #allOnline(): Promise<void> {
    const client = this.#client();
    for (const until = Date.now() + HEAL_MS; Date.now() < until; await pause(50)) {
      const { agents } = await client.call('agents.list', {});
      if (agents.every(({ state }) => state === 'online')) break;
    }
    client.close();
  }

  async #startHub(): Promise<void> {
    const args = ['hub', '--port', String(this.#port), '--state', this.#state, '--log-level', 'info'];
    const child = spawn(
      process.execPath,
      [main, ...args, '--lease-ms', String(LEASE_MS), '--heartbeat-ms', '1000', '--accept-ms', '1000'],
      {
        env: { PATH: process.env['PATH'], HOME: this.#base, OUTRIGGER_HUB_TOKEN: token },
        stdio: ['ignore', 'ignore', 'pipe'],
      },
    );
    this.#hub = child;
    this.#port = await new Promise<number>((resolve, reject) => {
      child.stderr.setEncoding('utf8').on('data', (text: string) => {
        this.#keep(text);
        const found = /"event":"hub\.listening","url":"http:\/\/127\.0\.0\.1:(\d+)"/.exec(text);
        if (found?.[1] !== undefined) resolve(Number(found[1]));
      });
      child.once('exit', (code) => reject(new Error(`the hub ended with ${code}`)));
    });
  }

  #startLink(link: LinkProcess): void {
    link.child = spawn(
      process.execPath,
      [main, 'link', path.join(link.folder, 'config.json'), '--state', path.join(link.folder, 'state'), '--components', 'files,processes'],
      {
        env: { PATH: process.env['PATH'], HOME: link.folder },
        stdio: ['ignore', 'ignore', 'pipe'],
      },
    );
    link.child.stderr?.setEncoding('utf8').on('data', (text: string) => this.#keep(text));
  }

  #keep(text: string): void {
    this.log = (this.log + text).slice(-100_000);
  }

  #client(): ReturnType<typeof createClient<HubOperations>> {
    return createClient<HubOperations>({ url: `http://127.0.0.1:${this.#port}`, token });
  }

  #say(what: string): void {
    this.trace.push(`${this.counts.rounds}: ${what}`);
  }

  #below(limit: number): number {
    return Math.floor(this.#random() * limit);
  }
}

async function kill(child: ChildProcess | undefined): Promise<void> {
  if (child === undefined) return;
  const ended = once(child, 'exit');
  child.kill('SIGKILL');
  await ended;
}

async function stop(child: ChildProcess | undefined): Promise<void> {
  if (child === undefined) return;
  const ended = once(child, 'exit') as Promise<[number | null]>;
  child.kill('SIGTERM');
  const late = setTimeout(() => child.kill('SIGKILL'), 20_000);
  const [code] = await ended;
  clearTimeout(late);
  assert.equal(code, 0, 'SIGTERM ends in 0');
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
