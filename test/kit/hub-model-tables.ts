// Where the histories of hub-model.ts keep their tasks: in memory over the pure machine, with switches that turn its guards off, and in SQLite.
import fs from 'node:fs';
import path from 'node:path';
import { ClockSteps } from '../../src/hub/clock-steps.ts';
import { replayAudit } from '../../src/hub/replay-audit.ts';
import { SqliteTaskStore } from '../../src/hub/sqlite-task-store.ts';
import type { Applied, AuditEntry, TaskBrief, TaskEvent, TaskRecord, TaskRequest, TaskSummary } from '../../src/hub/task-store.ts';
import { isEnded, isHeld, newTask, nextTimeOf, transition } from '../../src/hub/transition.ts';

/** How long an offer waits to be accepted, ms. */
const ACCEPT_MS = 10_000;
/** Longer than a lease: what is over is not forgotten while its agent may still work on it. */
export const KEEP_MS = 100_000;
/** A guard that is turned off. */
export type TableFault = 'fence' | 'dedupe' | 'audit' | 'count' | 'keep' | 'steps';

/** Milliseconds that went by, and how far the wall clock of the hub was set ahead of them. */
export interface ModelClock {
  now: number;
  setBy: number;
}

export interface ModelTable {
  enqueue(id: string, request: TaskRequest): unknown;
  claim(agent: string, credit: number): TaskBrief[] | Promise<TaskBrief[]>;
  apply(events: readonly { task: string; event: TaskEvent }[]): Applied[] | Promise<Applied[]>;
  reap(): unknown;
  /** Ids of those that went; once KEEP_MS after their last change. */
  forget(): string[] | Promise<string[]>;
  heldBy(agent: string): TaskSummary[];
  /** The hub is killed and starts again. */
  crash(): unknown;
  all(): TaskRecord[];
  /** What the audit alone tells of all tasks. Throws where it does not add up. */
  replay(): Map<string, TaskRecord>;
}

/** Milliseconds since 1970, as the hub believes. */
export function wallOf({ now, setBy }: ModelClock): number {
  return now + setBy;
}

/** `random` is uniform in [0, 1). */
export class MemoryTable implements ModelTable {
  readonly #tasks = new Map<string, TaskRecord>();
  #audit: AuditEntry[] = [];
  /** Of the newest entry. */
  #sequence = 0;
  readonly #clock: ModelClock;
  readonly #steps: ClockSteps;
  readonly #random: () => number;
  readonly #fault: TableFault | undefined;
  readonly #machine: typeof transition;

  constructor(clock: ModelClock, random: () => number, fault?: TableFault) {
    const wall = (): number => wallOf(clock);
    this.#steps = new ClockSteps(wall, fault === 'steps' ? wall : () => clock.now, 0);
    this.#machine = machineWithout(fault);
    this.#clock = clock;
    this.#random = random;
    this.#fault = fault;
  }

  enqueue(id: string, request: TaskRequest): void {
    this.#followClock();
    const task = newTask(id, request, 'model', [], wallOf(this.#clock));
    this.#store(task, { type: 'create', task }, null);
  }

  claim(agent: string, credit: number): TaskBrief[] {
    this.#followClock();
    const ready = this.all().filter(({ state }) => state === 'ready');
    const best = ready.sort((a, b) => a.priority - b.priority).slice(0, Math.max(0, credit));
    return best.flatMap(({ id }) => this.#apply(id, { type: 'offer', agent, acceptBy: wallOf(this.#clock) + ACCEPT_MS }).task ?? []);
  }

  apply(events: readonly { task: string; event: TaskEvent }[]): Applied[] {
    this.#followClock();
    return events.map(({ task, event }) => this.#apply(task, event));
  }

  reap(): void {
    this.#followClock();
    for (const task of this.#tasks.values()) {
      const due = nextTimeOf(task);
      if (due !== null && due <= wallOf(this.#clock)) this.#apply(task.id, { type: 'tick' });
    }
  }

  forget(): string[] {
    this.#followClock();
    const isDue = ({ state, updatedAt }: TaskRecord): boolean => isEnded(state) && updatedAt + KEEP_MS <= wallOf(this.#clock);
    const due = this.all().filter((task) => isDue(task) || (this.#fault === 'keep' && isEnded(task.state)));
    const last = due.at(-1);
    if (last === undefined) return [];
    for (const { id } of due) this.#tasks.delete(id);
    const { event: before } = this.#audit.find(({ event }) => event.type === 'forget') ?? {};
    const known = before?.type === 'forget' ? before : { tasks: 0, entries: 0 };
    const kept = this.#audit.filter(({ task, event }) => event.type !== 'forget' && this.#tasks.has(task));
    const entries = known.entries + this.#audit.length - kept.length - (this.#fault === 'count' ? 1 : 0);
    this.#audit = kept;
    this.#say(last, { type: 'forget', tasks: known.tasks + due.length, entries }, null);
    return due.map(({ id }) => id);
  }

  heldBy(agent: string): TaskRecord[] {
    return this.all().filter(({ state, holder }) => holder === agent && isHeld(state));
  }

  crash(): void {
    // Whatever was answered is kept: that is what a store is for.
  }

  all(): TaskRecord[] {
    return [...this.#tasks.values()];
  }

  /** By the same machine: a guard that is missing must show in what the hub does, not in a difference of two machines. */
  replay(): Map<string, TaskRecord> {
    return replayAudit(this.#audit, this.#machine);
  }

  #followClock(): void {
    const byMs = this.#steps.step();
    if (byMs !== 0) for (const id of this.#tasks.keys()) this.#apply(id, { type: 'clock', byMs });
    this.#steps.take();
  }

  #apply(id: string, event: TaskEvent): Applied {
    const task = this.#tasks.get(id);
    if (task === undefined) return { ok: false, refusal: 'not_found', task };
    let chance: number | null = null;
    const applied = this.#machine(task, event, wallOf(this.#clock), () => (chance ??= this.#random()));
    if (applied.task !== task) this.#store(applied.task, event, chance);
    return applied;
  }

  #store(task: TaskRecord, event: AuditEntry['event'], chance: number | null): void {
    this.#tasks.set(task.id, task);
    if (this.#fault === 'audit' && event.type === 'tick') return;
    this.#say(task, event, chance);
  }

  #say({ updatedAt: at, id, state, fence }: TaskRecord, event: AuditEntry['event'], chance: number | null): void {
    this.#audit.push({ sequence: ++this.#sequence, at, task: id, event, chance, state, fence });
  }
}

/** The machine, without the guard that `fault` turns off where that is one of its own. */
function machineWithout(fault: TableFault | undefined): typeof transition {
  return (task, event, now, random) => {
    if (event.type !== 'complete' && event.type !== 'fail') return transition(task, event, now, random);
    if (fault === 'fence' && !isEnded(task.state))
      return transition(task, { ...event, fence: task.fence, agent: task.holder ?? event.agent }, now, random);
    const isAgain = event.fence === task.settled && event.fence === task.fence && event.agent === task.holder;
    if (fault !== 'dedupe' || !isAgain) return transition(task, event, now, random);
    const unsettled: typeof task = { ...task, settled: 0, state: 'running' };
    const outcome = transition(unsettled, event, now, random);
    return outcome.task === unsettled ? { ...outcome, task } : outcome;
  };
}

/** Files are made in `folder`, which the caller removes after `close`. */
export class SqliteTable implements ModelTable {
  readonly #folder: string;
  readonly #clock: ModelClock;
  readonly #random: () => number;
  #life = 0;
  #store: SqliteTaskStore;

  constructor(folder: string, clock: ModelClock, random: () => number) {
    this.#folder = folder;
    this.#clock = clock;
    this.#random = random;
    this.#store = this.#open();
  }

  async enqueue(id: string, request: TaskRequest): Promise<void> {
    await this.#store.enqueue([{ id, request, by: 'model' }]);
  }

  async claim(agent: string, credit: number): Promise<TaskBrief[]> {
    return (await this.#store.claim([{ agent, capabilities: [], credit }])).map(({ task }) => task);
  }

  apply(events: readonly { task: string; event: TaskEvent }[]): Promise<Applied[]> {
    return this.#store.apply(events);
  }

  reap(): Promise<TaskSummary[]> {
    return this.#store.reap();
  }

  forget(): Promise<string[]> {
    return this.#store.forget();
  }

  heldBy(agent: string): TaskSummary[] {
    return this.#store.heldBy(agent);
  }

  /** What a killed process leaves are its files as they are at that moment. */
  async crash(): Promise<void> {
    const before = this.#store;
    for (const end of ['', '-wal']) fs.copyFileSync(this.#file(this.#life) + end, this.#file(this.#life + 1) + end);
    this.#life++;
    this.#store = this.#open();
    await before.close();
  }

  all(): TaskRecord[] {
    return this.#store.list({ limit: 1000 }).map(({ id }) => this.#store.get(id) as TaskRecord);
  }

  replay(): Map<string, TaskRecord> {
    return replayAudit(this.#store.audit(0, 100_000));
  }

  close(): Promise<void> {
    return this.#store.close();
  }

  #open(): SqliteTaskStore {
    return new SqliteTaskStore({
      file: this.#file(this.#life),
      now: () => wallOf(this.#clock),
      monotonic: () => this.#clock.now,
      random: this.#random,
      acceptMs: ACCEPT_MS,
      keep: { doneMs: KEEP_MS, failedMs: KEEP_MS },
    });
  }

  #file(life: number): string {
    return path.join(this.#folder, `tasks-${life}`);
  }
}
