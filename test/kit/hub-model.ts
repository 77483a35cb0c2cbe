// Histories of a hub and its agents: messages get lost, come twice and out of order, hub and agents crash, clocks drift, and the hub's is set.
// What must hold then is checked after each step (`broken` names it by its number), and again when the faults have stopped and all came to rest.
// The hub here is as small as one can be over a table of tasks; its agents are in hub-model-agent.ts.
import { isDeepStrictEqual } from 'node:util';
import type { Applied, TaskBrief, TaskEvent, TaskRecord, TaskSummary } from '../../src/hub/task-store.ts';
import { isEnded, isHeld } from '../../src/hub/transition.ts';
import { type AgentFault, type Ending, type Grant, LEASE_MS, ModelAgent, RIGHT_RATE, type ToAgent, type ToHub } from './hub-model-agent.ts';
import { KEEP_MS, type ModelClock, type ModelTable, wallOf } from './hub-model-tables.ts';
import { taskRequest } from './task-request.ts';

/** Clocks of the agents: 10 % slow, right, 10 % fast. */
const rates = [0.9 * RIGHT_RATE, RIGHT_RATE, 1.1 * RIGHT_RATE];
const MAX_TASKS = 8;
const MAX_BACKOFF_MS = 4000;
/** Longer than any backoff here, and shorter than a lease: what an agent lost is done again without waiting for its lease. */
const REST_ROUNDS = 12;
const CLOCK_STEPS_MS = [-3_600_000, -40_000, 40_000, 3_600_000];
const ROUND_MS = 2000;

/** What an agent or the hub does without. */
export type ModelFault = AgentFault | 'reconcile';

/** What happened in all histories together: a test that never came there proves nothing. */
export interface ModelCounts {
  steps: number;
  accepted: number;
  again: number;
  late: number;
  lapsed: number;
  disowned: number;
  nacked: number;
  cancelled: number;
  dead: number;
  forgotten: number;
  lateForgotten: number;
  hubCrashes: number;
  agentCrashes: number;
  clockSets: number;
}

export function modelCounts(): ModelCounts {
  return {
    ...{
      steps: 0,
      accepted: 0,
      again: 0,
      late: 0,
      lapsed: 0,
      disowned: 0,
      nacked: 0,
      cancelled: 0,
      dead: 0,
      forgotten: 0,
      lateForgotten: 0,
    },
    ...{ hubCrashes: 0, agentCrashes: 0, clockSets: 0 },
  };
}

type Message = { agent: ModelAgent; session: number } & ({ to: 'hub'; frame: ToHub } | { to: 'agent'; frame: ToAgent });

/** A step of a history that waits for its table: what it yields may be a promise, and the answer is what it resolves to. */
type Steps<T = void> = Generator<unknown, T, unknown>;

/** Runs a history over a table that answers at once. Throws where something does not hold. */
export function runHistory(
  history: readonly number[],
  table: ModelTable,
  clock: ModelClock,
  counts: ModelCounts,
  fault?: ModelFault,
): void {
  const steps = new HubModel(table, clock, counts, fault).run(history);
  for (let step = steps.next(); step.done !== true; ) step = steps.next(step.value);
}

/** The same over a table that takes its time. */
export async function runHistorySlowly(
  history: readonly number[],
  table: ModelTable,
  clock: ModelClock,
  counts: ModelCounts,
): Promise<void> {
  const steps = new HubModel(table, clock, counts, undefined).run(history);
  for (let step = steps.next(); step.done !== true; ) step = steps.next(await step.value);
}

class HubModel {
  readonly #table: ModelTable;
  readonly #clock: ModelClock;
  readonly #counts: ModelCounts;
  readonly #fault: ModelFault | undefined;
  readonly #agents: ModelAgent[];
  readonly #tasks: string[] = [];
  #network: Message[] = [];
  /** Copies of messages, which come at any time later. */
  #strays: Message[] = [];
  /** What the hub has in memory: by agent, the connections since its start. The last one is the one that it uses. */
  #sessions = new Map<ModelAgent, number[]>();
  /** What the observer saw: by task, results that counted, and the newest fence that was granted. */
  readonly #accepted = new Map<string, number>();
  readonly #granted = new Map<string, number>();
  /** Those that were over for long enough, and went. */
  readonly #forgotten = new Set<string>();

  constructor(table: ModelTable, clock: ModelClock, counts: ModelCounts, fault: ModelFault | undefined) {
    this.#table = table;
    this.#clock = clock;
    this.#counts = counts;
    this.#fault = fault;
    this.#agents = rates.map((rate, index) => {
      const ofAgent = fault === 'reconcile' ? undefined : fault;
      const agent: ModelAgent = new ModelAgent({ name: `a${index}`, slots: 1 + (index % 2), rate, fault: ofAgent }, clock, (frame) => {
        this.#network.push({ to: 'hub', agent, session: agent.session, frame });
      });
      return agent;
    });
  }

  *run(history: readonly number[]): Steps {
    yield* this.#enqueue(0);
    for (const agent of this.#agents) agent.connect();
    yield* this.#deliverAll();
    for (const number of history) {
      this.#counts.steps++;
      yield* this.#step(number);
      this.#checkNow();
    }
    yield* this.#rest();
  }

  /** One step: its kind, an agent and a choice, all out of one number. */
  *#step(number: number): Steps {
    const kind = kinds[number % kinds.length] as (typeof kinds)[number];
    const agent = this.#agents[Math.floor(number / kinds.length) % this.#agents.length] as ModelAgent;
    const choice = Math.floor(number / (kinds.length * this.#agents.length));
    const network = this.#network;
    // After these little is left to go wrong.
    if (rare.has(kind) && choice % RARE_EVERY !== 0) return;
    switch (kind) {
      case 'enqueue':
        if (this.#tasks.length < MAX_TASKS) yield* this.#enqueue(choice);
        return;
      case 'claim':
        return yield* this.#claim(agent);
      case 'deliver':
        if (network.length > 0) yield* this.#deliver(network.splice(choice % network.length, 1)[0] as Message);
        return;
      case 'deliver first':
        if (network.length > 0) yield* this.#deliver(network.shift() as Message);
        return;
      case 'deliver all':
        return yield* this.#deliverAll();
      case 'lose':
        network.splice(choice % Math.max(1, network.length), 1);
        return;
      case 'double':
        if (network.length > 0) this.#strays.push(network[choice % network.length] as Message);
        return;
      case 'deliver a stray':
        if (this.#strays.length > 0) yield* this.#deliver(this.#strays.splice(choice % this.#strays.length, 1)[0] as Message);
        return;
      case 'work':
        return agent.work(choice, endings[choice % endings.length] as Ending);
      case 'time':
        this.#clock.now += [500, 5000, 20_000, 61_000][choice % 4] as number;
        return;
      case 'clock is set':
        this.#counts.clockSets++;
        this.#clock.setBy += CLOCK_STEPS_MS[choice % CLOCK_STEPS_MS.length] as number;
        // A hub that dies in this very moment does not know.
        return void (yield this.#table.apply([]));
      case 'reap':
        return yield* this.#reap();
      case 'lapse':
        // Long enough for each lease and for each wait after it.
        this.#clock.now += LEASE_MS;
        yield* this.#reap();
        this.#clock.now += MAX_BACKOFF_MS;
        return yield* this.#reap();
      case 'forget':
        return yield* this.#forget();
      case 'ping':
        return agent.ping();
      case 'resend':
        return agent.resend();
      case 'connect':
        return agent.connect();
      case 'agent crash':
        this.#counts.agentCrashes++;
        return agent.crash(false);
      case 'agent loses its queue':
        this.#counts.agentCrashes++;
        return agent.crash(true);
      case 'hub crash':
        return yield* this.#crashHub();
      case 'cancel':
        return yield* this.#operate(
          { type: 'cancel', by: 'op', reason: 'op', cancelBy: wallOf(this.#clock) + (choice % 3) * 4000 },
          choice,
        );
      case 'retry':
        return yield* this.#operate({ type: 'retry', by: 'op' }, choice);
    }
  }

  // The hub

  *#enqueue(choice: number): Steps {
    const id = `t${this.#tasks.length}`;
    const deadline = choice % 7 === 6 ? wallOf(this.#clock) + 90_000 : null;
    yield this.#table.enqueue(
      id,
      taskRequest({ priority: choice % 4, maxAttempts: 1 + (choice % 3), backoffMs: 500, backoffMaxMs: MAX_BACKOFF_MS, deadline }),
    );
    this.#tasks.push(id);
  }

  *#claim(agent: ModelAgent): Steps {
    const session = this.#sessions.get(agent)?.at(-1);
    if (session === undefined) return;
    const credit = agent.slots - this.#table.heldBy(agent.name).length;
    for (const { id, fence, attempt, maxAttempts } of (yield this.#table.claim(agent.name, credit)) as TaskBrief[]) {
      if (attempt > maxAttempts) broken('I5', `${id} is granted for attempt ${attempt} of ${maxAttempts}`);
      if (fence <= (this.#granted.get(id) ?? 0)) broken('I3', `${id} is granted under ${fence} after ${this.#granted.get(id)}`);
      this.#granted.set(id, fence);
      this.#network.push({ to: 'agent', agent, session, frame: { type: 'assign', task: id, fence } });
    }
    if (this.#table.heldBy(agent.name).length > agent.slots) broken('I7', `${agent.name} holds more than its ${agent.slots}`);
  }

  *#reap(): Steps {
    const before = this.#table.all().filter(({ state }) => state === 'running').length;
    yield this.#table.reap();
    this.#counts.lapsed += before - this.#table.all().filter(({ state }) => state === 'running').length;
  }

  *#forget(): Steps {
    const before = new Map(this.#table.all().map((task) => [task.id, task]));
    const gone = (yield this.#table.forget()) as string[];
    for (const id of gone) {
      const task = before.get(id);
      const isOver = task !== undefined && isEnded(task.state) && task.updatedAt + KEEP_MS <= wallOf(this.#clock);
      if (!isOver) broken('I4', `${id} was forgotten as ${task?.state}, changed ${wallOf(this.#clock) - (task?.updatedAt ?? 0)} ms ago`);
      this.#forgotten.add(id);
    }
    this.#counts.forgotten += gone.length;
    this.#checkThere();
    this.#checkAudit();
  }

  /** All are there but those that were forgotten, and those are not. */
  #checkThere(): void {
    const there = new Set(this.#table.all().map(({ id }) => id));
    for (const id of this.#tasks)
      if (there.has(id) === this.#forgotten.has(id)) broken('I4', `${id} is ${there.has(id) ? 'back' : 'gone'}`);
  }

  *#operate(event: TaskEvent, choice: number): Steps {
    const task = this.#tasks[choice % this.#tasks.length] as string;
    const applied = yield* this.#apply(task, event);
    if (!applied.ok || event.type !== 'cancel') return;
    const agent = this.#agents.find(({ name }) => name === applied.task.holder);
    const session = agent === undefined ? undefined : this.#sessions.get(agent)?.at(-1);
    if (agent === undefined || session === undefined) return;
    this.#network.push({ to: 'agent', agent, session, frame: { type: 'cancelled', task, fence: applied.task.fence } });
  }

  *#apply(task: string, event: TaskEvent): Steps<Applied> {
    const [applied] = (yield this.#table.apply([{ task, event }])) as [Applied];
    return applied;
  }

  *#crashHub(): Steps {
    this.#counts.hubCrashes++;
    // All connections break; agents find out later.
    this.#network = [];
    this.#strays = [];
    this.#sessions = new Map();
    yield this.#table.crash();
    this.#checkThere();
  }

  *#hubReceives(agent: ModelAgent, session: number, frame: ToHub): Steps {
    const answer = (answered: ToAgent) => this.#network.push({ to: 'agent', agent, session, frame: answered });
    const sessions = this.#sessions.get(agent) ?? [];
    if (frame.type === 'identify') {
      // Connections are used in the order in which they were made; what an older one listed says nothing about now.
      if (session <= (sessions.at(-1) ?? 0)) return;
      this.#sessions.set(agent, [...sessions, session]);
      answer({ type: 'identified', nack: yield* this.#reconcile(agent, frame) });
      return;
    }
    if (!sessions.includes(session)) return;
    switch (frame.type) {
      case 'ping':
        return void answer({ type: 'pong', id: frame.id, nack: yield* this.#renew(agent, frame.held) });
      case 'accept': {
        const { task, fence } = frame;
        const applied = yield* this.#apply(task, { type: 'accept', agent: agent.name, fence, leaseUntil: wallOf(this.#clock) + LEASE_MS });
        answer({ type: applied.ok ? 'accepted' : 'let go', task, fence });
        return;
      }
      case 'refuse':
        yield* this.#apply(frame.task, { type: 'refuse', agent: agent.name, fence: frame.fence, reason: 'busy' });
        return;
      case 'end':
        return yield* this.#end(agent, frame, answer);
    }
  }

  *#reconcile(agent: ModelAgent, { held, outbox }: { held: Grant[]; outbox: Grant[] }): Steps<Grant[]> {
    if (this.#fault === 'reconcile') return [];
    const has = ({ id, fence }: TaskSummary) => [...held, ...outbox].some((grant) => grant.task === id && grant.fence === fence);
    for (const task of this.#table.heldBy(agent.name).filter((one) => !has(one))) {
      yield* this.#apply(task.id, { type: 'disown', agent: agent.name, fence: task.fence });
      this.#counts.disowned++;
    }
    const holds = this.#table.heldBy(agent.name);
    return held.filter(({ task, fence }) => !holds.some((one) => one.id === task && one.fence === fence));
  }

  *#renew(agent: ModelAgent, held: readonly Grant[]): Steps<Grant[]> {
    const leaseUntil = wallOf(this.#clock) + LEASE_MS;
    const nack: Grant[] = [];
    for (const { task, fence } of held) {
      const applied = yield* this.#apply(task, { type: 'renew', agent: agent.name, fence, leaseUntil });
      if (!applied.ok) nack.push({ task, fence });
    }
    this.#counts.nacked += nack.length;
    return nack;
  }

  *#end(agent: ModelAgent, { task, fence, ending }: Grant & { ending: Ending }, answer: (frame: ToAgent) => void): Steps {
    const by = { agent: agent.name, fence };
    const before = this.#table.all().find(({ id }) => id === task);
    const applied = yield* this.#apply(
      task,
      ending.type === 'complete' ? { ...ending, ...by, result: by } : { ...ending, ...by, reason: 'no', report: null },
    );
    answer({ type: 'told', task, fence });
    if (!applied.ok && applied.refusal === 'not_found') this.#counts.lateForgotten++;
    else if (!applied.ok) this.#counts.late++;
    else if (applied.again) this.#counts.again++;
    else if (before !== undefined && isEnded(before.state)) broken('I1', `${task} was ${before.state}, and then took a result`);
    else if (applied.task.state === 'succeeded') {
      this.#counts.accepted++;
      const times = (this.#accepted.get(task) ?? 0) + 1;
      this.#accepted.set(task, times);
      if (times > 1) broken('I1', `${task} succeeded twice`);
      if (fence !== this.#granted.get(task)) broken('I2', `${task} took a result of ${fence} under ${this.#granted.get(task)}`);
      if (!isDeepStrictEqual(applied.task.result, by)) broken('I2', `${task} has another's result`);
    }
  }

  // Both

  *#deliver({ to, agent, session, frame }: Message): Steps {
    if (to === 'hub') yield* this.#hubReceives(agent, session, frame);
    else agent.receive(session, frame);
  }

  *#deliverAll(): Steps {
    for (let message = this.#network.shift(); message !== undefined; message = this.#network.shift()) yield* this.#deliver(message);
  }

  /** What must hold at any time. */
  #checkNow(): void {
    const works = new Map<string, string>();
    for (const agent of this.#agents) {
      if (agent.held.size > agent.slots) broken('I7', `${agent.name} took more than its ${agent.slots}`);
      for (const task of agent.valid()) {
        const other = works.get(task);
        if (other !== undefined) broken('I6', `${other} and ${agent.name} both may work on ${task}`);
        works.set(task, agent.name);
      }
    }
  }

  /** The faults stop, all connect again, and agents do well what they are given: everything must come to its end. */
  *#rest(): Steps {
    this.#network = [];
    for (const agent of this.#agents) agent.connect();
    yield* this.#rounds();
    for (const { id, state, holder } of this.#table
      .all()
      .filter(({ state, runAt }) => isHeld(state) || (state === 'ready' && runAt < wallOf(this.#clock)))) {
      broken('I5', `${id} is ${state} at ${holder} though all are connected and do what they have`);
    }
    // A retry may have to wait until a lease is over.
    this.#clock.now += LEASE_MS;
    yield* this.#rounds();
    for (const task of this.#table.all()) {
      if (!isEnded(task.state)) broken('I5', `${task.id} stays ${task.state}`);
      if (task.state === 'cancelled') this.#counts.cancelled++;
      if (task.state === 'dead') this.#counts.dead++;
    }
    this.#checkThere();
    this.#checkAudit();
    // What is over is kept by the wall clock.
    const lastChange = Math.max(...this.#table.all().map(({ updatedAt }) => updatedAt));
    this.#clock.now += KEEP_MS + Math.max(0, lastChange - wallOf(this.#clock));
    // A few at a time.
    for (let left = this.#table.all(); left.length > 0; left = this.#table.all()) {
      yield* this.#forget();
      if (this.#table.all().length === left.length) broken('I5', `${left[0]?.id} is over, and is never forgotten`);
    }
    for (const { name, outbox, ended } of this.#agents) {
      if (outbox.size > 0) broken('I9', `${name} still has ${[...outbox.keys()].join(', ')} to send`);
      for (const [grant, told] of ended) if (!told) broken('I9', `what ${grant} came to never reached the hub`);
    }
  }

  *#rounds(): Steps {
    for (let round = 0; round < REST_ROUNDS; round++) {
      yield this.#table.reap();
      for (const agent of this.#agents) {
        agent.ping();
        agent.resend();
      }
      yield* this.#deliverAll();
      for (const agent of this.#agents) yield* this.#claim(agent);
      yield* this.#deliverAll();
      for (const agent of this.#agents) for (let slot = 0; slot < agent.slots; slot++) agent.work(0, endings[0] as Ending);
      yield* this.#deliverAll();
      this.#checkNow();
      if (this.#table.all().every(({ state }) => isEnded(state)) && this.#agents.every(({ outbox, held }) => outbox.size + held.size === 0))
        return;
      this.#clock.now += ROUND_MS;
    }
  }

  #checkAudit(): void {
    let replayed: Map<string, TaskRecord>;
    try {
      replayed = this.#table.replay();
    } catch (error) {
      return broken('I8', (error as Error).message);
    }
    const table = this.#table.all();
    const same = replayed.size === table.length && table.every((task) => isDeepStrictEqual(replayed.get(task.id), task));
    if (!same) broken('I8', 'the audit does not replay to the table');
  }
}

const endings: readonly Ending[] = [
  { type: 'complete', report: null },
  { type: 'complete', report: { status: 'pass' } },
  { type: 'complete', report: null },
  { type: 'fail', retryable: true },
  { type: 'complete', report: { status: 'fail' } },
  { type: 'fail', retryable: true },
  { type: 'fail', retryable: false },
];

/** How often each kind of step comes: as often as it stands here. */
const kinds = [
  ...['deliver', 'deliver', 'deliver', 'deliver', 'deliver first', 'deliver first', 'deliver first', 'deliver first', 'deliver all'],
  ...['deliver all', 'deliver all', 'claim', 'claim', 'claim', 'work', 'work', 'work', 'time', 'time', 'reap', 'lapse', 'ping', 'ping'],
  ...[
    'enqueue',
    'lose',
    'double',
    'double',
    'deliver a stray',
    'resend',
    'resend',
    'connect',
    'connect',
    'agent crash',
    'agent loses its queue',
    'hub crash',
  ],
  ...['cancel', 'retry', 'forget', 'forget', 'clock is set'],
] as const;

const rare: ReadonlySet<string> = new Set<(typeof kinds)[number]>(['hub crash', 'agent loses its queue', 'cancel', 'agent crash']);
const RARE_EVERY = 3;

function broken(invariant: string, what: string): never {
  throw new Error(`${invariant}: ${what}`);
}
