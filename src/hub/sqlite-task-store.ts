import { DatabaseSync, type SQLInputValue, type StatementSync } from 'node:sqlite';
import { OutriggerError } from '../contract/errors.ts';
import type { PeerTimers } from '../core/peer.ts';
import { nodeTimers } from '../net/timers.ts';
import { ClockSteps } from './clock-steps.ts';
import { EndedTasks, type ForgottenTask, type KeepTasks } from './ended-tasks.ts';
import { GroupCommit } from './group-commit.ts';
import { ReadyTasks } from './ready-tasks.ts';
import { RecentlyUsed } from './recently-used.ts';
import { laneOf, prepareTaskDatabase } from './task-schema.ts';
import {
  type Applied,
  type AuditEntry,
  type LargeParts,
  type TaskBrief,
  type TaskEvent,
  type TaskQuery,
  type TaskRecord,
  type TaskRequest,
  type TaskState,
  type TaskStore,
  type TaskSummary,
  taskStates,
} from './task-store.ts';
import { isEnded, isHeld, newTask, nextTimeOf, transition } from './transition.ts';

const ACCEPT_MS = 10_000;
/** So many due tasks are seen to in one commit; between two, others get their turn. */
const REAPED_AT_ONCE = 1000;
/** So many tasks are granted in one commit; what a fleet that comes back gets takes seconds in all. */
const GRANTED_AT_ONCE = 500;
/** Tasks that are granted, or whose time has come, are read in one commit until they take so much, characters of JSON; then others get their turn. */
const READ_AT_ONCE = 4 * 1024 * 1024;
/** Of the tasks that agents hold, so many are kept in memory, of so many characters of JSON together: progress and renewals then read nothing. */
const KNOWN_HELD = 10_000;
const KNOWN_HELD_LENGTH = 32 * 1024 * 1024;
/** Of a longer request, or what came of a task where that is longer, characters of JSON, what is large is kept apart. */
const SMALL_LENGTH = 16 * 1024;
/** Of what is large in requests, so much is in memory: it is for agents that are told of their tasks. */
const KNOWN_LARGE_LENGTH = 32 * 1024 * 1024;
/** How far the wall clock is ahead of the other one is written anew where it is another by so much, ms: slewing adds up. */
const AHEAD_WITHIN_MS = 50;
/** In the audit's table, the task of the entry that counts what was forgotten: found by its index, and no task's id. */
const NO_TASK = '';

/** Of a task, all that can be large is left out by SQLite, ten times as fast as it would be parsed here; but why it ended is not. */
const SUMMARY = `SELECT
  json_remove(requests.body, '$.metadata', '$.fileHints', '$.successCriteria', '$.verificationSteps') AS request,
  json_remove(tasks.body, '$.result', '$.report', '$.late') AS rest, reason.body AS reason
  FROM requests JOIN tasks USING(seq) LEFT JOIN apart AS reason ON reason.seq = requests.seq AND reason.part = 'reason' WHERE id = ?`;

/** Of a task that is ready, without reading it: when its deadline is over, and what is kept apart of its request, bytes. */
const DUE_AND_LARGE = `SELECT due, (SELECT octet_length(body) FROM apart WHERE apart.seq = tasks.seq AND part = 'request') AS large
  FROM requests JOIN tasks USING(seq) WHERE id = ?`;

const STORED = `SELECT requests.seq, lane, requests.body AS request, tasks.body AS rest, outcome.body AS outcome, reason.body AS reason,
    EXISTS (SELECT 1 FROM apart WHERE apart.seq = requests.seq AND part = 'request') AS isApart
  FROM requests JOIN tasks USING(seq)
    LEFT JOIN apart AS outcome ON outcome.seq = requests.seq AND outcome.part = 'outcome'
    LEFT JOIN apart AS reason ON reason.seq = requests.seq AND reason.part = 'reason' WHERE id = ?`;

/** When the newest entry of the audit, or the newest about one of the tasks that agents hold, was written last: none is of before the clock was set. */
const LAST_WRITTEN = `SELECT max(at) AS at FROM audit WHERE sequence IN (
  SELECT max(sequence) FROM audit UNION ALL
  SELECT (SELECT max(sequence) FROM audit WHERE task = id) FROM requests JOIN tasks USING(seq) WHERE state IN ('offered', 'running'))`;
/** Those for which it means something that the clock was set. A lease that outlives its task is among the last fields of the body. */
const WITH_TIME_LEFT = `SELECT id FROM requests JOIN tasks USING(seq) WHERE state IN ('offered', 'running')
  OR (state = 'scheduled' AND (holder IS NOT NULL OR ? < 0))
  OR (state IN ('failed', 'cancelled') AND tasks.body GLOB '*"leaseUntil":[0-9]*')`;

/** What changes seldom in a task and is as large as a frame then, by its name in the table `apart`. */
const seldom = { outcome: ['result', 'report', 'late'], reason: ['reason'] } as const;

type Seldom = keyof typeof seldom;

/** Of each, the characters of JSON where it is apart; undefined: a row of an older version, where it is not although it may be large. */
type SeldomLengths = Readonly<Record<Seldom, number | null | undefined>>;

interface Stored {
  seq: number;
  lane: number;
  /** A TaskRecord where the request is small. */
  task: TaskBrief;
  isWhole: boolean;
  /** Of the request, what is in `task`: characters of JSON. */
  requestLength: number;
  seldomLengths: SeldomLengths;
  /** The newest entries of its audit, where others take their place. */
  said?: Said | undefined;
}

/** The entry of the audit that counts what was forgotten, as it is stored; `last` is the task that went last. */
type Forgotten = Extract<AuditEntry['event'], { type: 'forget' }> & { last: string };

type StoredEntry = Omit<AuditEntry, 'event'> & { event: string };

interface StoredRow {
  seq: number;
  lane: number;
  request: string;
  rest: string;
  outcome: string | null;
  reason: string | null;
  isApart: 0 | 1;
}

interface Said {
  sequence: number;
  type: 'renew' | 'progress';
  /** Of the entry right before it of the other type, if there is one. */
  earlier: number | undefined;
}

/**
 * Tasks in a SQLite file that this process has for itself (`:memory:`: nowhere). One fsync for all that was asked in a turn of the event
 * loop. Records that it gives are shared and not to be changed. Opening throws STATE_TOO_NEW, or STORAGE_FAILED where another hub has the file.
 */
export class SqliteTaskStore implements TaskStore {
  readonly #database: DatabaseSync;
  readonly #now: () => number;
  readonly #random: () => number;
  readonly #acceptMs: number;
  readonly #statements = new Map<string, StatementSync>();
  readonly #ready: ReadyTasks;
  readonly #ended: EndedTasks;
  readonly #commits: GroupCommit;
  /** Undefined: the clock is taken for one that is never set. */
  readonly #steps: ClockSteps | undefined;
  readonly #boot: string | undefined;
  /** As it is on the disk, or in this commit. */
  #ahead: number | undefined;
  /** Of those that agents hold, as they are on the disk or in this commit. */
  readonly #held = new RecentlyUsed<Stored>({ count: KNOWN_HELD, length: KNOWN_HELD_LENGTH });
  /** Of long requests, which never change. */
  readonly #large = new RecentlyUsed<LargeParts>({ count: KNOWN_HELD, length: KNOWN_LARGE_LENGTH });
  readonly #counts = new Map<TaskState, number>();
  /** Of this commit, what joins the counts when it is on the disk. */
  #countChanges = new Map<TaskState, number>();
  /** Of this commit, those that changed without being in an answer, as they are now. */
  readonly #untold = new Map<string, TaskBrief>();
  /** Of the newest entry of the audit. */
  #sequence = 0;
  /** What was read of tasks so far, characters of JSON. */
  #readLength = 0;

  /**
   * `now` gives milliseconds since 1970, `monotonic` milliseconds of a clock that is never set, by which each commit sees whether that other one
   * was (`clockSet` hears of it when all is on the disk that follows from it), also since another process with the same `boot`, which tells
   * that clock from others, `random` is uniform in [0, 1), an offer waits `acceptMs` to be accepted, `keep` says when `forget` may
   * remove a task (never, where it is left out), and `timers` (this process's own where it is left out) when a turn of the event loop is over.
   * `followed` hears of each task that changed and is in no answer, as what comes after a task that ended: when it is on the disk, and after
   * those who asked have their answers.
   */
  constructor(options: {
    file: string;
    now: () => number;
    monotonic?: () => number;
    boot?: string | undefined;
    random: () => number;
    acceptMs?: number;
    keep?: KeepTasks;
    timers?: Pick<PeerTimers, 'soon'>;
    followed?: (task: TaskBrief) => void;
    clockSet?: (byMs: number) => void;
  }) {
    const timers = options.timers ?? nodeTimers;
    this.#now = options.now;
    this.#random = options.random;
    this.#acceptMs = options.acceptMs ?? ACCEPT_MS;
    this.#database = openDatabase(options.file);
    const sql = (text: string) => this.#sql(text);
    this.#ready = new ReadyTasks(sql);
    this.#ended = new EndedTasks(sql, options.keep ?? { doneMs: 0, failedMs: 0 });
    if (options.monotonic !== undefined) {
      const { at } = sql(LAST_WRITTEN).get() as { at: number | null };
      this.#boot = options.boot;
      const kept = sql('SELECT ahead FROM clock WHERE boot = ?').get(options.boot ?? null) as { ahead: number } | undefined;
      this.#steps = new ClockSteps(options.now, options.monotonic, at ?? 0, kept?.ahead);
    }
    let setByMs = 0;
    const hooks = {
      begun: () => {
        this.#countChanges = new Map();
        this.#sequence = (sql('SELECT max(sequence) AS newest FROM audit').get() as { newest: number | null }).newest ?? 0;
        setByMs = this.#steps?.step() ?? 0;
        if (setByMs !== 0) this.#clockSet(setByMs);
        this.#keepAhead();
      },
      stored: () => {
        this.#steps?.take();
        if (setByMs !== 0) options.clockSet?.(setByMs);
        for (const [state, by] of this.#countChanges) this.#counts.set(state, (this.#counts.get(state) ?? 0) + by);
        const untold = [...this.#untold.values()];
        this.#untold.clear();
        const { followed } = options;
        if (followed !== undefined && untold.length > 0) timers.soon(() => untold.forEach((task) => followed(task)));
      },
      failed: () => {
        this.#ahead = undefined;
        this.#held.clear();
        this.#ready.forget();
        this.#ended.undone();
        this.#untold.clear();
      },
    };
    this.#commits = new GroupCommit(this.#database, hooks, timers);
    for (const { state, count } of all<{ state: TaskState; count: number }>(
      sql('SELECT state, count(*) AS count FROM tasks GROUP BY state'),
    ))
      this.#counts.set(state, count);
  }

  enqueue(requests: readonly { id: string; request: TaskRequest; by: string }[]): Promise<{ task: TaskBrief; existed: boolean }[]> {
    return this.#commits.ask(() => {
      const states = this.states(requests.flatMap(({ request }) => request.after));
      this.#checkDependencies(requests, states);
      return requests.map((request) => {
        const created = this.#create(request, states);
        states.set(created.task.id, created.task.state);
        return created;
      });
    });
  }

  async claim(
    claims: readonly { agent: string; capabilities: readonly string[]; credit: number }[],
    more?: () => void,
  ): Promise<{ agent: string; task: TaskBrief }[]> {
    const { granted, isAll } = await this.#commits.ask(() => {
      const now = this.#now();
      let left = GRANTED_AT_ONCE;
      const isMuch = this.#untilMuchIsRead();
      const grant = (id: string, agent: string): TaskBrief | undefined => {
        // Its deadline is over, and nobody has seen to that yet. The column alone is asked: a large task is not to be read twice.
        const { due, large } = this.#sql(DUE_AND_LARGE).get(id) as { due: number | null; large: number | null };
        if (due !== null && due <= now) this.#untold.set(id, this.#apply(id, { type: 'tick' }).task as TaskBrief);
        const applied = this.#apply(id, { type: 'offer', agent, acceptBy: now + this.#acceptMs });
        if (!applied.ok) return undefined;
        // It is read when its agent is told.
        this.#readLength += large ?? 0;
        left--;
        return applied.task;
      };
      return this.#ready.share(claims, grant, () => left <= 0 || isMuch());
    });
    if (!isAll) more?.();
    return granted;
  }

  apply(events: readonly { task: string; event: TaskEvent }[]): Promise<Applied[]> {
    return this.#commits.ask(() => events.map(({ task, event }) => this.#apply(task, event)));
  }

  async reap(stored?: (changed: readonly TaskSummary[]) => void): Promise<TaskSummary[]> {
    const changed: TaskSummary[] = [];
    for (;;) {
      const { batch, isAll } = await this.#commits.ask(() => {
        const due = all<{ id: string }>(
          this.#sql('SELECT id FROM tasks JOIN requests USING(seq) WHERE due <= ? ORDER BY due LIMIT ?'),
          this.#now(),
          REAPED_AT_ONCE,
        );
        const isEnough = this.#untilMuchIsRead();
        const batch: TaskSummary[] = [];
        for (const { id } of due) {
          // Summaries: many that wait for the last of them would take much memory.
          batch.push(summaryOf(this.#apply(id, { type: 'tick' }).task as TaskBrief));
          if (isEnough()) break;
        }
        return { batch, isAll: batch.length === due.length && due.length < REAPED_AT_ONCE };
      });
      stored?.(batch);
      changed.push(...batch);
      if (isAll) return changed;
    }
  }

  forget(): Promise<string[]> {
    return this.#commits.ask(() => {
      const taken = this.#ended.take(this.#now());
      for (const { id, state } of taken) {
        this.#count(state, -1);
        // Its id can be another's.
        this.#large.delete(id);
      }
      if (taken.length > 0) this.#sayForgotten(taken);
      this.#ended.giveBack();
      return taken.map(({ id }) => id);
    });
  }

  nextTime(): number | null {
    const { due } = this.#sql('SELECT min(due) AS due FROM tasks WHERE due IS NOT NULL').get() as { due: number | null };
    const over = this.#ended.nextTime();
    return due === null || over === null ? (due ?? over) : Math.min(due, over);
  }

  heldBy(agent: string): TaskSummary[] {
    const held = this.#sql(
      "SELECT id FROM tasks JOIN requests USING(seq) WHERE holder = ? AND state IN ('offered', 'running') ORDER BY seq",
    );
    return all<{ id: string }>(held, agent).map(({ id }) => this.#held.get(id)?.task ?? this.#summary(id));
  }

  get(id: string): TaskRecord | undefined {
    const stored = this.#stored(id);
    if (stored === undefined || stored.isWhole) return stored?.task as TaskRecord | undefined;
    return { ...this.#largeParts(id), ...stored.task };
  }

  states(ids: Iterable<string>): Map<string, TaskState> {
    const states = new Map<string, TaskState>();
    for (const id of new Set(ids)) {
      const row = this.#sql('SELECT state FROM requests JOIN tasks USING(seq) WHERE id = ?').get(id) as { state: TaskState } | undefined;
      if (row !== undefined) states.set(id, row.state);
    }
    return states;
  }

  list({ states, priority, holder, before, limit, length = Number.POSITIVE_INFINITY }: TaskQuery): TaskSummary[] {
    const conditions: string[] = [];
    const values: SQLInputValue[] = [];
    const add = (condition: string, value: SQLInputValue) => {
      conditions.push(` AND ${condition}`);
      values.push(value);
    };
    if (priority !== undefined) add('priority = ?', priority);
    if (holder !== undefined) add('holder = ?', holder);
    if (before !== undefined)
      add(`seq < coalesce((SELECT seq FROM requests WHERE id >= ? ORDER BY id LIMIT 1), ${Number.MAX_SAFE_INTEGER})`, before);
    const find = (where: string, ...first: SQLInputValue[]) => {
      const found = this.#sql(
        `SELECT id, seq FROM tasks JOIN requests USING(seq) WHERE ${where}${conditions.join('')} ORDER BY seq DESC LIMIT ?`,
      );
      return all<{ id: string; seq: number }>(found, ...first, ...values, limit);
    };
    const summaries = (found: readonly { id: string }[]): TaskSummary[] => {
      const read: TaskSummary[] = [];
      let left = length;
      for (const { id } of found) {
        const summary = this.#summary(id);
        left -= summary.description.length + (summary.reason?.length ?? 0);
        if (left < 0 && read.length > 0) break;
        read.push(summary);
      }
      return read;
    };
    if (states === undefined) return summaries(find('1'));
    // Of each state by its index: for several at once all that there are would be sorted.
    const found = [...new Set(states)].flatMap((state) => find('state = ?', state));
    const newest = found.sort((a, b) => b.seq - a.seq).slice(0, limit);
    return summaries(newest);
  }

  counts(): Record<TaskState, number> {
    return Object.fromEntries(taskStates.map((state) => [state, this.#counts.get(state) ?? 0])) as Record<TaskState, number>;
  }

  audit(after: number, limit: number, task?: string, bytes = Number.POSITIVE_INFINITY): AuditEntry[] {
    const select = 'SELECT sequence, at, task, event, chance, state, fence FROM audit WHERE sequence > ?';
    const found = this.#sql(`${select}${task === undefined ? '' : ' AND task = ?'} ORDER BY sequence LIMIT ?`);
    const entries: AuditEntry[] = [];
    let left = bytes;
    for (const row of found.iterate(after, ...(task === undefined ? [] : [task]), limit)) {
      const stored = row as unknown as StoredEntry;
      left -= stored.event.length;
      if (left < 0 && entries.length > 0) break;
      entries.push(entryOf(stored));
    }
    return entries;
  }

  /** What was asked before is stored first. May be called twice. */
  close(): Promise<void> {
    return this.#commits.close();
  }

  /** Before anything is written. What is asked for with a key that is known does not become a task of its own, so nothing can come after it. */
  #checkDependencies(requests: readonly { id: string; request: TaskRequest }[], states: ReadonlyMap<string, TaskState>): void {
    const coming = new Set<string>();
    const keys = new Set<string>();
    for (const { id, request } of requests) {
      const unknown = request.after.find((dependency) => !coming.has(dependency) && !states.has(dependency));
      if (unknown !== undefined) throw new OutriggerError('BAD_INPUT', `The task ${id} is to come after ${unknown}, which is not known.`);
      const { key } = request;
      const isKnown = key !== null && (keys.has(key) || this.#sql('SELECT 1 FROM requests WHERE key = ?').get(key) !== undefined);
      if (!isKnown) coming.add(id);
      if (key !== null) keys.add(key);
    }
  }

  /** `states`: of all that are known and that it is to come after. */
  #create(
    { id, request, by }: { id: string; request: TaskRequest; by: string },
    states: ReadonlyMap<string, TaskState>,
  ): { task: TaskBrief; existed: boolean } {
    const same = this.#sql('SELECT id FROM requests WHERE id = ? OR key = ?').get(id, request.key) as { id: string } | undefined;
    if (same !== undefined) return { task: (this.#stored(same.id) as Stored).task, existed: true };
    const dependencies = [...new Set(request.after)].map((dependency) => ({ id: dependency, state: states.get(dependency) as TaskState }));
    const waitsFor = dependencies.filter(({ state }) => state !== 'succeeded').map((dependency) => dependency.id);
    const task = newTask(id, request, by, waitsFor, this.#now());
    const known = { ...request, id, createdBy: by, createdAt: task.createdAt };
    const { large, rest } = apart(known);
    const [largeBody, restBody] = [JSON.stringify(large), JSON.stringify(rest)];
    const isWhole = largeBody.length + restBody.length <= SMALL_LENGTH;
    const body = isWhole ? JSON.stringify(known) : restBody;
    const { lastInsertRowid } = this.#sql('INSERT INTO requests(id, key, body) VALUES(?, ?, ?)').run(id, request.key, body);
    const seq = Number(lastInsertRowid);
    if (!isWhole) this.#putApart(seq, 'request', largeBody);
    const lane = laneOf((text) => this.#sql(text), request);
    this.#sql('INSERT INTO tasks(seq, state, priority, lane, task_group, holder, due, body) VALUES(?, ?, ?, ?, ?, NULL, ?, ?)').run(
      seq,
      task.state,
      task.priority,
      lane,
      task.group,
      nextTimeOf(task),
      bodyOf(task, { outcome: null, reason: null }),
    );
    if (task.state === 'ready') this.#ready.changed(lane);
    this.#ended.changed(undefined, task);
    this.#count(task.state, 1);
    this.#record(task, { type: 'create', task }, null);
    const failed = dependencies.find(({ state }) => isEnded(state) && state !== 'succeeded');
    if (failed === undefined) return { task, existed: false };
    return { task: this.#apply(id, dropped(failed, this.#now())).task as TaskBrief, existed: false };
  }

  #apply(id: string, event: TaskEvent): Applied {
    // What depends on a task that ends is told in a queue, not by recursion: chains can be long.
    const queue = [{ id, event }];
    let answer: Applied | undefined;
    for (const next of queue) {
      const before = this.#stored(next.id);
      const applied: Applied =
        before === undefined
          ? { ok: false, refusal: 'not_found', task: undefined }
          : this.#neverHeld(before.task, next.event)
            ? { ok: false, refusal: 'never_held', task: before.task }
            : this.#change(before, next.event);
      answer ??= applied;
      const after = applied.task;
      if (before === undefined || after === undefined || after === before.task) continue;
      if (applied !== answer || this.#untold.has(next.id)) this.#untold.set(next.id, after);
      if (after.state === before.task.state || !isEnded(after.state)) continue;
      for (const { task } of all<{ task: string }>(this.#sql('SELECT task FROM waits WHERE dependency = ?'), after.id)) {
        const succeeded = after.state === 'succeeded';
        queue.push({ id: task, event: succeeded ? { type: 'released', dependency: after.id } : dropped(after, this.#now()) });
      }
    }
    return answer as Applied;
  }

  /** What ends a task is said under a grant that was another agent's. One that is not known is refused for that. */
  #neverHeld({ id, fence, holder }: TaskBrief, event: TaskEvent): boolean {
    if ((event.type !== 'complete' && event.type !== 'fail') || event.fence > fence) return false;
    if (event.fence === fence && event.agent === holder) return false;
    // The entry of a grant is the first one under its fence.
    const granted = this.#sql('SELECT event FROM audit WHERE task = ? AND fence = ? ORDER BY sequence LIMIT 1');
    const { event: offer } = (granted.get(id, event.fence) ?? { event: '{}' }) as { event: string };
    const { type, agent } = JSON.parse(offer) as Partial<Extract<TaskEvent, { type: 'offer' }>>;
    return type !== 'offer' || agent !== event.agent;
  }

  /** Before anything else of this commit: nobody's time runs out by it. */
  #clockSet(byMs: number): void {
    for (const { id } of all<{ id: string }>(this.#sql(WITH_TIME_LEFT), byMs)) {
      const before = this.#stored(id) as Stored;
      const { task } = this.#change(before, { type: 'clock', byMs });
      if (task !== undefined && task !== before.task) this.#untold.set(id, task);
    }
  }

  /** For whoever starts next. */
  #keepAhead(): void {
    const ahead = this.#steps?.ahead;
    if (this.#boot === undefined || ahead === undefined) return;
    if (this.#ahead !== undefined && Math.abs(ahead - this.#ahead) < AHEAD_WITHIN_MS) return;
    this.#sql('INSERT OR REPLACE INTO clock(one, boot, ahead) VALUES(1, ?, ?)').run(this.#boot, ahead);
    this.#ahead = ahead;
  }

  #change(stored: Stored, event: TaskEvent): Applied {
    const { seq, lane, task } = stored;
    let chance: number | null = null;
    const applied = transition(task, event, this.#now(), () => (chance ??= this.#random()));
    const after = applied.task;
    if (after === task) return applied;
    const seldomLengths = {
      outcome: this.#keepApart('outcome', stored, after),
      reason: this.#keepApart('reason', stored, after),
    };
    const body = bodyOf(after, seldomLengths);
    this.#sql('UPDATE tasks SET state = ?, holder = ?, due = ?, ended = ?, body = ? WHERE seq = ?').run(
      after.state,
      after.holder,
      nextTimeOf(after),
      isEnded(after.state) ? after.updatedAt : null,
      body,
      seq,
    );
    this.#ended.changed(task, after);
    if (after.state !== task.state) {
      this.#count(task.state, -1);
      this.#count(after.state, 1);
      if (task.state === 'ready' || after.state === 'ready') this.#ready.changed(lane);
      if (task.group !== null && isHeld(task.state) && !isHeld(after.state)) this.#ready.hasRoom(task.group);
    }
    const said = this.#say(task, after, event, chance, stored.said);
    this.#remember({ ...stored, task: after, seldomLengths, said }, body.length);
    return applied;
  }

  /** Writes it where it is another now, and large. Gives its length where it is apart. */
  #keepApart(part: Seldom, { seq, task: before, seldomLengths }: Stored, after: TaskBrief): number | null {
    const known = seldomLengths[part];
    if (known !== undefined && seldom[part].every((field) => before[field] === after[field])) return known;
    const body = JSON.stringify(seldomOf(after, part));
    if (body.length > SMALL_LENGTH) {
      this.#putApart(seq, part, body);
      return body.length;
    }
    if (known !== null) this.#sql('DELETE FROM apart WHERE seq = ? AND part = ?').run(seq, part);
    return null;
  }

  #putApart(seq: number, part: Seldom | 'request', body: string): void {
    this.#sql('INSERT OR REPLACE INTO apart(seq, part, body) VALUES(?, ?, ?)').run(seq, part, body);
  }

  /** What goes on and on for as long as a task runs is one entry, the newest: of renewals, and of progress. */
  #say(before: TaskBrief, after: TaskBrief, event: TaskEvent, chance: number | null, said: Said | undefined): Said | undefined {
    const goesOn = (event.type === 'renew' || event.type === 'progress') && before.state === 'running' && after.state === 'running';
    const newest = said?.sequence;
    if (!goesOn || newest === undefined || (said?.type !== event.type && said?.earlier === undefined)) {
      this.#record(after, event, chance);
      return goesOn ? { sequence: this.#sequence, type: event.type, earlier: newest } : undefined;
    }
    const { type, earlier } = said;
    if (type !== event.type) {
      // The other one is the earlier of the two now, so that the audit stays in order.
      const sql = 'UPDATE audit SET (at, event) = (SELECT at, event FROM audit WHERE sequence = ?) WHERE sequence = ?';
      this.#sql(sql).run(newest, earlier as number);
    }
    this.#sql('UPDATE audit SET at = ?, event = ? WHERE sequence = ?').run(after.updatedAt, JSON.stringify(event), newest);
    return { sequence: newest, type: event.type, earlier };
  }

  #record(task: TaskBrief, event: AuditEntry['event'], chance: number | null): void {
    this.#sql('INSERT INTO audit(sequence, at, task, event, chance, state, fence) VALUES(?, ?, ?, ?, ?, ?, ?)').run(
      ++this.#sequence,
      task.updatedAt,
      task.id,
      JSON.stringify(event),
      chance,
      task.state,
      task.fence,
    );
  }

  /** One entry counts all that ever went, and is always behind them: with each batch it takes its own place again. */
  #sayForgotten(taken: readonly ForgottenTask[]): void {
    const before = this.#sql('DELETE FROM audit WHERE task = ? RETURNING event').get(NO_TASK) as { event: string } | undefined;
    const { tasks, entries } = before === undefined ? { tasks: 0, entries: 0 } : (JSON.parse(before.event) as Forgotten);
    const last = taken.at(-1) as ForgottenTask;
    // The entry that this one replaces is missing from now on, too.
    const missing = taken.reduce((sum, task) => sum + task.entries, entries + (before === undefined ? 0 : 1));
    const event: Forgotten = { type: 'forget', tasks: tasks + taken.length, entries: missing, last: last.id };
    this.#sql('INSERT INTO audit(sequence, at, task, event, chance, state, fence) VALUES(?, ?, ?, ?, NULL, ?, ?)').run(
      ++this.#sequence,
      this.#now(),
      NO_TASK,
      JSON.stringify(event),
      last.state,
      last.fence,
    );
  }

  /** Says whether so much was read from now on that others should get their turn. */
  #untilMuchIsRead(): () => boolean {
    const end = this.#readLength + READ_AT_ONCE;
    return () => this.#readLength >= end;
  }

  #stored(id: string): Stored | undefined {
    const known = this.#held.get(id);
    if (known !== undefined) return known;
    const row = this.#sql(STORED).get(id) as StoredRow | undefined;
    if (row === undefined) return undefined;
    const { seq, lane } = row;
    const isOld = row.rest.length > SMALL_LENGTH;
    const lengthOf = (body: string | null): number | null | undefined => body?.length ?? (isOld ? undefined : null);
    const seldomLengths = { outcome: lengthOf(row.outcome), reason: lengthOf(row.reason) };
    this.#readLength += row.request.length + row.rest.length + lengthOfAll(seldomLengths);
    const request = JSON.parse(row.request) as TaskRequest;
    const rest = JSON.parse(row.rest) as TaskRecord;
    const [outcome, reason] = [row.outcome, row.reason].map((body) => JSON.parse(body ?? '{}') as Partial<TaskRecord>);
    // A large one of an older version is not apart on the disk.
    const isLarge = row.isApart === 0 && row.request.length > SMALL_LENGTH;
    const kept = isLarge ? this.#knowLarge(id, request, row.request.length) : request;
    const stored: Stored = {
      seq,
      lane,
      task: { ...kept, ...rest, ...outcome, ...reason },
      isWhole: row.isApart === 0 && !isLarge,
      requestLength: isLarge ? JSON.stringify(kept).length : row.request.length,
      seldomLengths,
      said: undefined,
    };
    this.#remember(stored, row.rest.length);
    return stored;
  }

  /** Keeps what is large in a request in memory; gives the rest of it. */
  #knowLarge(id: string, request: TaskRequest, length: number): Omit<TaskRequest, keyof LargeParts> {
    const { large, rest } = apart(request);
    this.#large.set(id, large, length);
    return rest;
  }

  #largeParts(id: string): LargeParts {
    const known = this.#large.get(id);
    if (known !== undefined) return known;
    const { body } = this.#sql(`SELECT coalesce(apart.body, requests.body) AS body
      FROM requests LEFT JOIN apart ON apart.seq = requests.seq AND part = 'request' WHERE id = ?`).get(id) as { body: string };
    const { large } = apart(JSON.parse(body) as LargeParts);
    this.#large.set(id, large, body.length);
    return large;
  }

  #summary(id: string): TaskSummary {
    const held = this.#held.get(id);
    if (held !== undefined) return summaryOf(held.task);
    try {
      const { request, rest, reason } = this.#sql(SUMMARY).get(id) as { request: string; rest: string; reason: string | null };
      return { ...JSON.parse(request), ...JSON.parse(rest), ...JSON.parse(reason ?? '{}') } as TaskSummary;
    } catch {
      // SQLite reads no JSON that is deeper than a thousand.
      return summaryOf((this.#stored(id) as Stored).task);
    }
  }

  /** `bodyLength`: characters of JSON, of what changes of it. */
  #remember(stored: Stored, bodyLength: number): void {
    const { id, state } = stored.task;
    if (isHeld(state)) this.#held.set(id, stored, stored.requestLength + bodyLength + lengthOfAll(stored.seldomLengths));
    else this.#held.delete(id);
  }

  #count(state: TaskState, by: number): void {
    this.#countChanges.set(state, (this.#countChanges.get(state) ?? 0) + by);
  }

  /** Prepared once. `text` comes from this program alone. */
  #sql(text: string): StatementSync {
    let statement = this.#statements.get(text);
    if (statement === undefined) {
      statement = this.#database.prepare(text);
      this.#statements.set(text, statement);
    }
    return statement;
  }
}

function openDatabase(file: string): DatabaseSync {
  const database = new DatabaseSync(file);
  try {
    prepareTaskDatabase(database);
    return database;
  } catch (error) {
    database.close();
    if (error instanceof OutriggerError) throw error;
    throw new OutriggerError('STORAGE_FAILED', `The tasks in ${file} can not be opened: ${(error as Error).message}`, { cause: error });
  }
}

/** What changes of a task, without what is apart of that. The rest is written once, as it can be large. */
function bodyOf(task: TaskBrief, lengths: Record<Seldom, number | null>): string {
  const { state, holder, fence, attempt, runAt, deadline, acceptBy, leaseUntil, cancelBy, waitsFor, settled } = task;
  const { progress, updatedAt } = task;
  const times = { runAt, deadline, acceptBy, leaseUntil, cancelBy, updatedAt };
  const outcome = lengths.outcome === null ? seldomOf(task, 'outcome') : undefined;
  const reason = lengths.reason === null ? seldomOf(task, 'reason') : undefined;
  return JSON.stringify({ state, holder, fence, attempt, waitsFor, settled, progress, ...outcome, ...reason, ...times });
}

function seldomOf(task: TaskBrief, part: Seldom): Partial<TaskBrief> {
  return Object.fromEntries(seldom[part].map((field) => [field, task[field]]));
}

function lengthOfAll({ outcome, reason }: SeldomLengths): number {
  return (outcome ?? 0) + (reason ?? 0);
}

/** What can be large in a request, and the rest of it. */
function apart<Request extends LargeParts>(request: Request): { large: LargeParts; rest: Omit<Request, keyof LargeParts> } {
  const { metadata, fileHints, successCriteria, verificationSteps, ...rest } = request;
  return { large: { metadata, fileHints, successCriteria, verificationSteps }, rest };
}

function dropped(dependency: Pick<TaskRecord, 'id' | 'state'>, now: number): TaskEvent {
  const reason = `The task ${dependency.id}, which it was to come after, ended as ${dependency.state}.`;
  return { type: 'cancel', by: 'hub', reason, cancelBy: now };
}

function summaryOf(task: TaskBrief): TaskSummary {
  const { metadata, fileHints, successCriteria, verificationSteps, result, report, late, ...summary } = task as TaskRecord;
  return summary;
}

function entryOf(stored: StoredEntry): AuditEntry {
  if (stored.task !== NO_TASK) return { ...stored, event: JSON.parse(stored.event) as AuditEntry['event'] };
  const { last, ...event } = JSON.parse(stored.event) as Forgotten;
  return { ...stored, task: last, event };
}

function all<Row>(statement: StatementSync, ...values: SQLInputValue[]): Row[] {
  return statement.all(...values) as Row[];
}
