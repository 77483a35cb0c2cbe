/*
 * Histories of a hub and its links in virtual time: the real Fleet over the real store in its file, real Links with real Tasks, on sockets in
 * memory. From a seed come delays, lost and held back directions, cuts, crashes of either side, a hub that stands still and whose clock is set, and clocks that
 * are up to 10 % wrong. A history ends when all is healed and at rest, and then nothing may be lost, done by two at a time, or counted twice. The same seed
 * gives the same history, to the millisecond.
 */
import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { mock } from 'node:test';
import { OutriggerError } from '../../src/contract/errors.ts';
import { AgentRegistry } from '../../src/hub/agent-registry.ts';
import { InProcessBus } from '../../src/hub/bus.ts';
import { Fleet } from '../../src/hub/fleet.ts';
import { greetAgent } from '../../src/hub/greet-agent.ts';
import { replayAudit } from '../../src/hub/replay-audit.ts';
import { SqliteTaskStore } from '../../src/hub/sqlite-task-store.ts';
import { TaskLogs } from '../../src/hub/task-logs.ts';
import type { AuditEntry, TaskRecord } from '../../src/hub/task-store.ts';
import { isEnded } from '../../src/hub/transition.ts';
import { Random } from './random.ts';
import { CONCURRENCY, type Handed, type LinkFault, SimulatedLink } from './simulated-link.ts';
import { taskRequest } from './task-request.ts';
import { VirtualNetwork } from './virtual-network.ts';
import { VirtualProcess, VirtualTime } from './virtual-time.ts';

const LEASE_MS = 3000;
/** Less than a lease: who got an offer may not count on it. */
const ACCEPT_MS = 1000;
const HEARTBEAT_MS = 1000;
const PONG_MS = 1000;
/** In which faults begin. */
const TROUBLE_MS = 12_000;
/** In which what broke stays broken, at most. */
const MAX_FAULT_MS = 5000;
/** A fault may be followed by another one of the same link within so long. */
const SOON_MS = 2000;
/** After it: a link waits up to a minute, a task for its lease and its backoff, and some programs fail again and again. */
const REST_MS = 60_000 + 10 * (LEASE_MS + ACCEPT_MS);
const COME_BACK_MS = 1000;
/** When all is checked the hub starts again and keeps nothing that is over; it has so long to forget it all. */
const FORGET_MS = 10_000;
/** Whoever asks the hub and hears nothing asks again. */
const ASK_AGAIN_MS = 1000;
/** So long after it was acknowledged a task may be cancelled, and its agent has so long to end it. */
const CANCELLED_MS = 3000;
const CANCEL_WITHIN_MS = 5000;
const DAY_MS = 86_400_000;
const CLOCK_STEPS_MS = [-3_600_000, -LEASE_MS, LEASE_MS, 3_600_000];
/** Of what happened, so much is in a failure; LINES asks for more. */
const SHOWN_LINES = Number(process.env['LINES'] ?? 150);

const WEAK_MOMENTS = [
  ...['identify', 'identified', 'ping', 'pong', 'task_assign', 'task_accepted', 'task_recovering', 'task_continue'],
  ...['task_complete', 'task_failed', 'task_ack', 'task_cancelled', 'task_reassign'],
];

/** What the hub does without. */
export type HubFault = 'disk' | 'reaper' | 'clock';

export interface SimulationPlan {
  seed: number;
  links: number;
  tasks: number;
  /** In each history. */
  faults: number;
  fault?: LinkFault | HubFault | undefined;
}

/** What happened in all histories together: a test that never came there proves nothing. */
export interface SimulationCounts {
  [what: string]: number;
}

/** Runs one history; gives what happened, line by line. Throws with it where something does not hold. */
export async function runSimulation(plan: SimulationPlan, counts: SimulationCounts): Promise<string[]> {
  const folder = fs.mkdtempSync(path.join(fs.existsSync('/dev/shm') ? '/dev/shm' : os.tmpdir(), 'outrigger-simulation-'));
  // What comes from the real machine at its own time: changes of folders (tasks look by themselves, too), and programs that run, of which a link
  // finds none where it is not on Linux.
  const watch = mock.method(fs, 'watch', () => assert.fail('nothing is watched in a simulation'));
  const platform = Object.getOwnPropertyDescriptor(process, 'platform') as PropertyDescriptor;
  Object.defineProperty(process, 'platform', { ...platform, value: 'simulated' });
  const simulation = new Simulation(plan, folder, counts);
  try {
    await simulation.run();
    return simulation.trace;
  } catch (error) {
    const { message } = error as Error;
    throw new Error(`SEED=${plan.seed} HISTORIES=1: ${message}\n${simulation.trace.slice(-SHOWN_LINES).join('\n')}`, { cause: error });
  } finally {
    await simulation.close();
    Object.defineProperty(process, 'platform', platform);
    watch.mock.restore();
    fs.rmSync(folder, { recursive: true, force: true });
  }
}

interface HubLife {
  process: VirtualProcess;
  store: SqliteTaskStore;
  fleet: Fleet;
  file: string;
  /** Lets a dead hub's store go, without a word to what lives. */
  close: () => Promise<void>;
}

class Simulation {
  readonly trace: string[] = [];
  readonly #plan: SimulationPlan;
  readonly #folder: string;
  readonly #counts: SimulationCounts;
  readonly #random: Random;
  readonly #time: VirtualTime;
  readonly #network: VirtualNetwork;
  readonly #registry: AgentRegistry;
  readonly #links: SimulatedLink[];
  readonly #lives: HubLife[] = [];
  #hub: HubLife | undefined;
  /** By key. */
  readonly #acknowledged = new Map<string, string>();
  readonly #working = new Map<string, string>();
  readonly #handed: Handed[] = [];
  /** With the next frame of such a type something goes wrong. */
  readonly #traps: string[] = [];
  /** How far the clock of the hub's machine was set ahead. */
  #setByMs = 0;
  #broken: Error | undefined;

  constructor(plan: SimulationPlan, folder: string, counts: SimulationCounts) {
    this.#plan = plan;
    this.#folder = folder;
    this.#counts = counts;
    this.#random = new Random(plan.seed);
    this.#time = new VirtualTime(this.#random);
    this.#network = new VirtualNetwork(this.#time, {
      hub: () => this.#listening(),
      staleMs: 2 * HEARTBEAT_MS + PONG_MS,
      say: (what) => this.#say(what),
      sent: (type, process) => this.#sent(type, process),
    });
    // Each of its writes is on the disk when it returns, so it may as well outlive the hub's crashes in memory.
    this.#registry = new AgentRegistry({ file: ':memory:', now: () => this.#time.now });
    const { fault } = plan;
    this.#links = Array.from({ length: plan.links }, (_none, at) => {
      const agentId = `link-${at + 1}`;
      const clock = { rate: this.#random.of([0.9, 1, 1.1]), offsetMs: this.#random.below(1_000_000) - 500_000 };
      const mine = fault === 'outbox' || fault === 'lease clock' ? fault : undefined;
      return new SimulatedLink(
        {
          time: this.#time,
          network: this.#network,
          say: (what) => this.#say(what),
          works: (task, agent) => this.#works(task, agent),
          handed: (handed) => this.#handed.push(handed),
        },
        { agentId, token: this.#registry.register(agentId), folder, clock, fault: mine },
      );
    });
  }

  async run(): Promise<void> {
    this.#startHub(path.join(this.#folder, 'tasks-0'));
    for (const link of this.#links) this.#in(TROUBLE_MS / 20, () => link.start());
    for (let number = 1; number <= this.#plan.tasks; number++) this.#in(TROUBLE_MS, () => this.#ask(`task-${number}`));
    for (let fault = 0; fault < this.#plan.faults; fault++) this.#in(TROUBLE_MS, () => this.#trouble());
    const isBroken = (): boolean => this.#broken !== undefined;
    await this.#time.run(TROUBLE_MS + MAX_FAULT_MS, isBroken);
    this.#network.heal();
    this.#say('healed');
    const until = this.#time.now + REST_MS;
    while (this.#broken === undefined && this.#time.now < until && !this.#isAtRest()) await this.#time.run(this.#time.now + 250, isBroken);
    if (this.#broken !== undefined) throw this.#broken;
    const restMs = this.#time.now - until + REST_MS;
    this.#counts['longest rest'] = Math.max(this.#counts['longest rest'] ?? 0, restMs);
    this.#check();
    await this.#forgetAll();
  }

  async close(): Promise<void> {
    for (const link of this.#links) link.close();
    for (const life of this.#lives) await life.close();
    this.#registry.close();
  }

  // ── the hub

  /** `keepMs`: how long it keeps what is over; 0: for ever. */
  #startHub(file: string, keepMs = 0): void {
    const process = new VirtualProcess(this.#time, { offsetMs: this.#setByMs });
    const { timers, now, monotonic } = process;
    // What a dead one asked for in its last turn is done when nobody looks any more, so that its file can be closed.
    const turns = new Set<() => void>();
    let isClosing = false;
    const soon = (run: () => void): void => {
      if (isClosing) return void setImmediate(run);
      turns.add(run);
      timers.soon(() => {
        turns.delete(run);
        run();
      });
    };
    const random = (): number => this.#random.below(1000) / 1000;
    const store = new SqliteTaskStore({
      file,
      now,
      ...(this.#plan.fault === 'clock' ? {} : { monotonic }),
      random,
      acceptMs: ACCEPT_MS,
      keep: { doneMs: keepMs, failedMs: keepMs },
      timers: { soon },
    });
    if (this.#plan.fault === 'reaper') store.reap = () => Promise.resolve([]);
    const bus = new InProcessBus(timers);
    const fleet = new Fleet(
      {
        store,
        registry: this.#registry,
        bus,
        logs: new TaskLogs(bus),
        timers,
        now,
        monotonic,
        log: (_level, event, { agentId }) => {
          this.#count(event);
          this.#say(`${event} ${String(agentId ?? '')}`);
        },
        dispatch: () => Promise.reject(new OutriggerError('NO_OPERATION', 'Agents call nothing of the hub.')),
      },
      { heartbeatMs: HEARTBEAT_MS, pongTimeoutMs: PONG_MS, leaseMs: LEASE_MS, plainLeaseMs: LEASE_MS },
    );
    const close = async (): Promise<void> => {
      isClosing = true;
      for (const run of turns) run();
      await store.close();
    };
    this.#hub = { process, store, fleet, file, close };
    this.#lives.push(this.#hub);
    this.#say('hub starts');
    fleet.start();
  }

  #listening(): ReturnType<ConstructorParameters<typeof VirtualNetwork>[1]['hub']> {
    if (this.#hub === undefined) return undefined;
    const { process, fleet } = this.#hub;
    const log = (_level: string, event: string): void => assert.fail(event);
    return { process, accept: (socket) => greetAgent(socket, null, { fleet, timers: process.timers, log }) };
  }

  #crashHub(abruptly: boolean, keepMs = 0): void {
    const hub = this.#hub;
    if (hub === undefined) return;
    if (keepMs === 0) this.#count('hub crash');
    this.#say(`hub dies${abruptly ? ' with its machine' : ''}`);
    hub.process.kill();
    this.#hub = undefined;
    // What a killed process leaves are its files as they are at that moment. A disk that forgets is a fault as others: not when all is checked.
    const file = path.join(this.#folder, `tasks-${this.#lives.length}`);
    for (const end of this.#plan.fault === 'disk' && keepMs === 0 ? [''] : ['', '-wal']) fs.copyFileSync(hub.file + end, file + end);
    this.#network.ended(hub.process, abruptly);
    this.#in(MAX_FAULT_MS, () => this.#startHub(file, keepMs));
  }

  /** In order: those who are connected are told when to come back. */
  #restartHub(): void {
    const hub = this.#hub;
    if (hub === undefined) return;
    this.#count('hub restart');
    this.#say('hub stops');
    this.#time.after(0, hub.process, () => hub.fleet.stop(COME_BACK_MS));
    this.#time.after(COME_BACK_MS / 2, undefined, () => {
      if (this.#hub === hub) this.#crashHub(false);
    });
  }

  /** A hub that dies in this very moment does not know, so that its machine's clock is as it was. */
  #setClock(): void {
    const hub = this.#hub;
    if (hub === undefined) return;
    const byMs = this.#random.of(CLOCK_STEPS_MS);
    this.#time.after(0, hub.process, () => {
      this.#count('clock set');
      this.#say(`the clock of the hub is set by ${byMs} ms`);
      hub.process.offsetMs += byMs;
      void hub.store.apply([]).then(() => (this.#setByMs = hub.process.offsetMs));
    });
  }

  // ── who asks for tasks

  /** Asks until it is acknowledged, by a key, as a client has to. Some are cancelled later, some come after others. */
  #ask(key: string): void {
    if (this.#acknowledged.has(key)) return;
    this.#time.after(ASK_AGAIN_MS, undefined, () => this.#ask(key));
    const hub = this.#hub;
    if (hub === undefined) return;
    const after = this.#random.below(5) === 0 ? [...this.#acknowledged.values()].slice(-1) : [];
    const request = taskRequest({
      key,
      description: key,
      after,
      priority: this.#random.below(4),
      maxAttempts: 1000,
      backoffMs: 100,
      backoffMaxMs: 1000,
    });
    // Its id is new each time: only the key says that it is the same.
    const id = `${key}-${this.#time.now}`;
    const isCancelled = this.#random.below(10) === 0;
    this.#time.after(0, hub.process, () => {
      const heard = hub.store.enqueue([{ id, request, by: 'simulation' }]).then((created) => {
        for (const { task } of created) hub.fleet.changed(task);
        hub.fleet.wake();
        this.#time.after(this.#random.below(20), undefined, () => {
          // The answer got lost.
          if (hub.process.isDead || this.#acknowledged.has(key)) return;
          const task = created[0]?.task.id as string;
          this.#acknowledged.set(key, task);
          this.#say(`acknowledged ${task}`);
          if (isCancelled) this.#in(CANCELLED_MS, () => this.#cancel(task));
        });
      });
      heard.catch((error: Error) => (this.#broken ??= error));
    });
  }

  #cancel(task: string): void {
    const hub = this.#hub;
    if (hub === undefined) return;
    this.#time.after(0, hub.process, () => {
      const cancelBy = hub.process.now() + CANCEL_WITHIN_MS;
      void hub.store.apply([{ task, event: { type: 'cancel', by: 'simulation', reason: 'not needed', cancelBy } }]).then(([applied]) => {
        if (applied?.ok !== true) return;
        this.#count('cancelled');
        hub.fleet.cancelled(applied.task);
      });
    });
  }

  // ── what goes wrong

  /** Half of the faults come at some time, half with a certain frame: that is where the weak moments are. */
  #trouble(): void {
    if (this.#random.below(2) === 0) this.#fail(this.#random.of(this.#links));
    else this.#traps.push(this.#random.of(WEAK_MOMENTS));
  }

  #sent(type: string, process: VirtualProcess): void {
    const at = this.#traps.indexOf(type);
    const link = this.#links.find((one) => one.process === process);
    if (at < 0 || link === undefined || this.#time.now > TROUBLE_MS) return;
    this.#traps.splice(at, 1);
    this.#time.after(0, undefined, () => this.#fail(link));
  }

  #fail(link: SimulatedLink): void {
    // Seldom alone: what one fault leaves behind is there for the next.
    if (this.#random.below(2) === 0 && this.#time.now < TROUBLE_MS) this.#in(SOON_MS, () => this.#fail(link));
    // What makes this fault seen is seldom among all others.
    if (this.#plan.fault === 'clock' && this.#random.below(3) > 0) {
      this.#setClock();
      return;
    }
    const dice = this.#random.below(100);
    const abruptly = this.#random.below(3) === 0;
    if (dice < 20) this.#crashHub(abruptly);
    else if (dice < 25) this.#restartHub();
    else if (dice < 48) {
      if (link.process === undefined) return;
      this.#count('link crash');
      link.crash(abruptly);
      this.#in(MAX_FAULT_MS, () => link.start());
    } else if (dice < 55 && this.#hub !== undefined) {
      this.#count('hub stands still');
      this.#say('hub stands still');
      this.#hub.process.stoppedUntil = this.#time.now + this.#random.below(MAX_FAULT_MS);
    } else if (dice < 62) this.#setClock();
    else if (link.process !== undefined) {
      const way = this.#random.below(2) === 0 ? 'link' : 'hub';
      for (const connection of this.#network.of(link.process)) {
        if (dice < 70) {
          this.#count('half open');
          this.#say(`nothing comes through to the ${way} of ${link.agentId}`);
          connection.lost[way] = true;
        } else if (dice < 85) {
          this.#count('held back');
          this.#say(`what goes to the ${way} of ${link.agentId} is held back`);
          connection.heldUntil[way] = this.#time.now + this.#random.below(SOON_MS);
        } else {
          this.#count('cut');
          this.#say(`${link.agentId} is cut off`);
          connection.lost.link = connection.lost.hub = true;
          connection.heal();
        }
      }
    }
  }

  // ── what must hold

  #works(task: string, agent: string): () => void {
    const other = this.#working.get(task);
    if (other !== undefined) this.#broken ??= new Error(`${agent} works on ${task}, and so does ${other}`);
    this.#working.set(task, agent);
    const atOnce = [...this.#working.values()].filter((one) => one === agent).length;
    if (atOnce > CONCURRENCY) this.#broken ??= new Error(`${agent} works on ${atOnce} tasks at a time`);
    return () => {
      if (this.#working.get(task) === agent) this.#working.delete(task);
    };
  }

  #isAtRest(): boolean {
    if (this.#hub === undefined || this.#acknowledged.size < this.#plan.tasks) return false;
    if (this.#links.some(({ process, isIdle }) => process === undefined || !isIdle)) return false;
    return this.#hub.store.list({ limit: 1000 }).every(({ state }) => isEnded(state));
  }

  #check(): void {
    const { store } = this.#hub as HubLife;
    const tasks = new Map(store.list({ limit: 1000 }).map(({ id }) => [id, store.get(id) as TaskRecord]));
    const entries = store.audit(0, 1_000_000);
    for (const { sequence, at, task, event, state, fence } of entries)
      this.trace.push(`audit ${sequence} ${at} ${task} ${event.type} ${state} ${fence}`);
    for (const [key, id] of this.#acknowledged) {
      const task = tasks.get(id);
      assert.ok(task !== undefined, `${key} was acknowledged as ${id} and is lost`);
      assert.ok(task.state === 'succeeded' || task.state === 'cancelled', `${id} is ${task.state} under ${task.fence}: ${task.reason}`);
      this.#checkResult(task, entries);
    }
    assert.equal(tasks.size, this.#plan.tasks, 'each was asked for once');
    for (const link of this.#links) assert.ok(link.isIdle, `${link.agentId} still holds something, or has something to tell`);
    this.#checkHanded(entries);
    assert.deepEqual(replayAudit(entries), tasks, 'the audit replays to the table');
    for (const { fence } of tasks.values()) if (fence > 1) this.#count('granted again');
    this.#count('late', entries.filter(({ event, fence }) => event.type === 'complete' && event.fence < fence).length);
  }

  /** What is over goes whole, in the right order, while links come back, and nothing of it is heard again. */
  async #forgetAll(): Promise<void> {
    const { sequence } = this.#hub?.store.audit(0, 1_000_000).at(-1) ?? { sequence: 0 };
    // What is over is kept by the wall clock, which may have been hours ahead when it ended.
    this.#setByMs = DAY_MS;
    this.#crashHub(false, 1);
    const until = this.#time.now + MAX_FAULT_MS + FORGET_MS;
    const isLeft = (): boolean => this.#hub === undefined || this.#hub.store.list({ limit: 1 }).length > 0;
    while (isLeft() && this.#time.now < until) await this.#time.run(this.#time.now + 250);
    const { store } = this.#hub as HubLife;
    assert.deepEqual(store.list({ limit: 1000 }), [], 'all that is over is forgotten');
    assert.ok(Object.values(store.counts()).every((count) => count === 0));
    const entries = store.audit(0, 1_000_000);
    assert.deepEqual(replayAudit(entries), new Map(), 'the audit replays to nothing');
    assert.deepEqual(
      entries.map(({ event }) => event.type === 'forget' && event.tasks),
      [this.#plan.tasks],
    );
    assert.ok((entries[0]?.sequence ?? 0) > sequence, 'no number is used again');
    for (const link of this.#links) assert.ok(link.isIdle, `${link.agentId} has something of what was forgotten`);
    if (this.#broken !== undefined) throw this.#broken;
  }

  /** One counts, under the newest grant, of the one who did it. */
  #checkResult({ id, state, fence, holder, result }: TaskRecord, entries: readonly AuditEntry[]): void {
    const counted = entries.filter(({ task, event }) => task === id && event.type === 'complete' && event.fence === fence);
    if (state !== 'succeeded') return;
    assert.equal(counted.length, 1, `${id} was completed ${counted.length} times under ${fence}`);
    assert.equal(result?.['output'], `${id} by ${holder}`, `${id} has a result of somebody else`);
  }

  /** What came of a task was heard by the hub, or lies where an operator finds it. */
  #checkHanded(entries: readonly AuditEntry[]): void {
    for (const { agent, task, generation } of this.#handed) {
      const heard = entries.some(
        ({ task: id, event }) =>
          id === task && (event.type === 'complete' || event.type === 'fail') && event.agent === agent && event.fence >= generation,
      );
      const aside = this.#links.some((link) => link.agentId === agent && link.aside(task).some((number) => number >= generation));
      assert.ok(heard || aside, `${agent} had a result of ${task} under ${generation}, which is lost`);
    }
  }

  /** At some time within so long. */
  #in(ms: number, run: () => void): void {
    this.#time.after(this.#random.below(ms), undefined, run);
  }

  #say(what: string): void {
    this.trace.push(`${this.#time.now} ${what}`);
  }

  #count(what: string, by = 1): void {
    this.#counts[what] = (this.#counts[what] ?? 0) + by;
  }
}
