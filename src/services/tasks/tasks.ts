import path from 'node:path';
import { OutriggerError } from '../../contract/errors.ts';
import { type HeldTask, type HubFeature, type HubFrame, type HubFrames, type TaskAssignment, TOLD_AGAIN } from '../../contract/hub.ts';
import type { TaskProgress } from '../../contract/tasks.ts';
import type { PeerTimers } from '../../core/peer.ts';
import type { ProcessHost } from '../processes/host.ts';
import type { Processes } from '../processes/processes.ts';
import type { RunHooks } from '../processes/run-hooks.ts';
import type { State } from '../state/state.ts';
import { LeaseWatch } from './lease-watch.ts';
import { Leftovers } from './leftovers.ts';
import { OutboxSender } from './outbox-sender.ts';
import { exportQueue, importedRecords } from './queue-file.ts';
import { putQueueFileAside, readQueueFile, ResultsFolder, fileName } from './results-folder.ts';
import { TaskBranches } from './task-branch.ts';
import { type HubFeatures, isOurs, recoveringFrame, type TaskFrame } from './task-frames.ts';
import type { AgentWord, HeldRecord } from './task-machine.ts';
import { isPartOf, TaskPrograms } from './task-program.ts';
import { TaskNews } from './task-news.ts';
import { type HistoryRow, type OutboxRow, TaskQueue } from './task-queue.ts';
import { newRecord, type RunContext, SHOWN_LENGTH, TaskRun, type TaskRunOptions } from './task-run.ts';

const LOOK_EVERY_MS = 1000;
/** Between two looks at what the system told of the folder of results: an agent may write there all the time, and each write is told. */
const LOOK_APART_MS = 20;
/** Of the outbox, so many are listed for the hub: all must fit into one frame. */
const LISTED = 20_000;
/** Of tasks that are over, so many are shown. */
const SHOWN_HISTORY = 100;
/** An agent that gave its result has so long to end by itself. */
const FINISH_MS = 5000;
/** A drain does not wait longer for the hub to acknowledge: what waits is on the disk. */
const DRAIN_ACK_MS = 10_000;

export interface TasksDependencies {
  state: Pick<State, 'openDurable' | 'folder' | 'writeFile' | 'removeFile'>;
  /** Where wake programs and verifications run. */
  host: ProcessHost;
  /** Runs git; needed for branches alone. */
  processes: Processes;
  timers: PeerTimers;
  /** Milliseconds since 1970. */
  now: () => number;
  /** Milliseconds of a clock that nobody sets, such as performance.now(). */
  monotonic: () => number;
  log: (level: 'info' | 'warn' | 'error', event: string, facts: Record<string, unknown>) => void;
}

export interface TasksOptions extends Pick<TaskRunOptions, 'agentId' | 'wake' | 'folder'> {
  /** Absolute. */
  resultsFolder: string;
  /** Somebody removed the folder of results: it is there again, with nothing in it. */
  resultsMadeAgain?: () => void;
  /** Tasks at a time; with branches it is one, as the folder can be on one alone. */
  concurrency?: number;
  confirmationTimeoutMs?: number;
  wakeTimeoutMs?: number;
  /** Before the second start of the wake program, and those after it. */
  retriesMs?: readonly number[];
  finishWithinMs?: number;
  cancelWithinMs?: number;
  /** A git branch for each task. */
  branches?: boolean;
  hooks?: RunHooks | undefined;
  /** For wake programs, such as OUTRIGGER_URL and OUTRIGGER_TOKEN. */
  env?: Readonly<Record<string, string>>;
  /** The queue.json of AgentCom's sidecar, taken over once. */
  queueFile?: string | undefined;
}

/** As the link has it (transports/hub-link). */
export interface TasksSession {
  features: ReadonlySet<HubFeature>;
  /** False: not sent now. */
  send(frame: TaskFrame): boolean;
  /** A hub that knows leases hears now, and not with the next ping, what is held and how many tasks could be taken. */
  ping(): void;
}

/** The tasks of one agent: each is taken once, done, and told of until the hub has it. */
export class Tasks {
  readonly #dependencies: TasksDependencies;
  readonly #options: TasksOptions;
  readonly #queue: TaskQueue;
  readonly #results: ResultsFolder;
  readonly #programs: TaskPrograms;
  readonly #sender: OutboxSender;
  readonly #news: TaskNews;
  readonly #context: RunContext;
  readonly #runs = new Map<string, TaskRun>();
  /** Not held any more, and not yet gone. */
  readonly #leaving = new Set<Promise<void>>();
  readonly #leftovers: Leftovers;
  readonly #leases: LeaseWatch;
  readonly #idle = new Set<() => void>();
  readonly #restarts = new Set<(reason: string | undefined) => void>();
  readonly #onNews = new Set<() => void>();
  readonly #onOutput = new Set<() => void>();
  #session: TasksSession | undefined;
  #refusal: string | null = null;
  #lookTimer: unknown;
  /** Of the look for what changed in the folder of results since the last one. */
  #changeTimer: unknown;
  /** When that was, by the monotonic clock. */
  #lookedAt = Number.NEGATIVE_INFINITY;
  #endWatch: (() => void) | undefined;
  #storing = true;
  #draining = false;
  /** A hub to which work was refused offers nothing until it hears that there is room. */
  #hasRefused = false;
  #stopping: Promise<void> | undefined;
  #ended = false;

  /** Reads what is held. Throws STATE_TOO_NEW, and what SQLite and the folder of results throw. */
  constructor(dependencies: TasksDependencies, options: TasksOptions) {
    const { state, host, processes, timers, now, monotonic, log } = dependencies;
    this.#dependencies = dependencies;
    this.#options = options;
    this.#queue = new TaskQueue(state.openDurable('tasks'), timers);
    // Whatever becomes of a task is written.
    this.#queue.written = () => this.#tellNews();
    this.#results = new ResultsFolder(options.resultsFolder, options.resultsMadeAgain);
    this.#programs = new TaskPrograms(host);
    const besides = relativeWithin(options.folder, options.resultsFolder);
    const { agentId, wake, folder } = options;
    this.#context = {
      queue: this.#queue,
      results: this.#results,
      programs: this.#programs,
      branches: options.branches === true ? new TaskBranches(processes, { folder, agentId, besides }) : undefined,
      hooks: options.hooks,
      files: state,
      timers,
      now,
      monotonic,
      log,
      rules: { retriesMs: options.retriesMs ?? [5000, 15_000, 30_000], hasWake: wake !== undefined },
      options: {
        agentId,
        wake,
        env: options.env ?? {},
        folder,
        confirmationTimeoutMs: options.confirmationTimeoutMs ?? 30_000,
        wakeTimeoutMs: options.wakeTimeoutMs ?? 60_000,
        finishWithinMs: options.finishWithinMs ?? FINISH_MS,
        cancelWithinMs: options.cancelWithinMs ?? 5000,
        besides,
      },
      mark: this.#queue.mark(),
      isStopping: () => this.#stopping !== undefined,
      tell: (frame) => this.#tell(frame),
      news: () => this.#wrote(),
      over: (run) => this.#over(run),
      storing: (works) => (this.#storing = works),
    };
    this.#sender = new OutboxSender({ queue: this.#queue, results: this.#results, timers, now, log, emptied: () => this.#tellIdle() });
    this.#news = new TaskNews(timers, () => [...this.#runs.values()].filter(({ isUnwanted }) => !isUnwanted));
    this.#leftovers = new Leftovers({ state, queue: this.#queue, results: this.#results, held: this.#runs, now, log });
    this.#leases = new LeaseWatch({ timers, monotonic, active: () => this.#active(), over: (run) => this.#leaseOver(run) });
    const running = this.#programs.marksNow();
    for (const record of this.#queue.held()) {
      const mark = `${this.#context.mark}:${fileName(record.id)}`;
      const programEnded = running.some((other) => isPartOf(mark, other));
      this.#runs.set(record.id, new TaskRun(this.#context, record, { programEnded }));
    }
  }

  /** Takes over the seed's queue, ends what a predecessor that was killed left running, and picks up results of that time. */
  async start(): Promise<void> {
    await this.#import();
    await this.#programs.endMarked((mark) => isPartOf(this.#context.mark, mark));
    if (this.#stopping !== undefined) return;
    for (const run of this.#runs.values()) if (run.recovering) run.resume();
    this.#leftovers.tidy();
    this.#endWatch = this.#results.watch(() => this.#lookSoon());
    this.#lookLater();
  }

  // ── towards the link

  /** What is held, and what waits in the outbox with the state `done`: of that, the newest 20,000. */
  held(): HeldTask[] {
    const ending = [...this.#runs.values()].filter(({ isToBeTold }) => isToBeTold);
    const held = [...this.#active(), ...ending].map(
      ({ record: { id, generation, state } }): HeldTask => ({ task_id: id, generation, state: state === 'accepted' ? state : 'working' }),
    );
    const waiting = this.#queue.outboxIds(LISTED).map(({ id, generation }): HeldTask => ({ task_id: id, generation, state: 'done' }));
    return [...held, ...waiting];
  }

  /** Whether more results wait than `held` lists. */
  holdsMore(): boolean {
    return this.#queue.waiting > LISTED;
  }

  /** Tasks that could be taken now. */
  credit(): number {
    if (this.#draining || !this.#storing || this.#stopping !== undefined) return 0;
    const { concurrency = 1, branches } = this.#options;
    return Math.max(0, (branches === true ? 1 : concurrency) - this.#active().length);
  }

  /** Never throws. */
  receive(frame: HubFrame): void {
    if (this.#stopping !== undefined) return;
    switch (frame.type) {
      case 'task_assign':
        return this.#assign(frame);
      case 'task_cancelled':
        return this.#cancelled(frame);
      case 'task_reassign':
        return this.lost([{ task_id: frame.task_id, generation: frame.generation ?? Number.MAX_SAFE_INTEGER, state: undefined }]);
      case 'task_continue':
        return this.#continue(frame);
      case 'task_ack':
        if (frame.status === 'accepted') this.#granted(frame.task_id, frame.generation);
        else this.#sender.acked(frame.task_id, frame.generation);
        return;
      case 'state_report_ack':
        if (frame.action === 'abort') this.lost([{ task_id: frame.task_id, generation: Number.MAX_SAFE_INTEGER, state: undefined }]);
        return;
      case 'error':
        return this.#refused(frame);
      case 'rate_limited':
        return this.#sender.sendAgainAfter(frame.retry_after_ms);
      case 'restart_sidecar':
        return this.#restartAsked(frame.reason);
      default:
        // The link's own.
        return;
    }
  }

  /** A hub that knows this agent is there: it is told of all that is held, and of results, oldest first. */
  connected(session: TasksSession): void {
    this.#session = session;
    this.#hasRefused = false;
    if (!session.features.has('leases')) this.setLease(undefined);
    for (const run of this.#active()) {
      run.askedAt = this.#dependencies.monotonic();
      this.#tell((features) => recoveringFrame(run.record, features));
    }
    this.#sender.connected(session);
    this.#news.connected(session, () => this.#sender.isQuiet);
    this.#tellNews();
  }

  disconnected(): void {
    this.#session = undefined;
    this.#sender.disconnected();
    this.#news.disconnected();
    this.#tellIdle();
    this.#tellNews();
  }

  /** The hub refuses this agent for good. Nothing more is heard of it, and what runs is for others by now. */
  refused(reason: string): void {
    this.#refusal = reason;
    // One that waits for the hub's word runs nothing: with another token the next start may be let go on.
    for (const run of this.#active()) if (!run.recovering) void run.end('abandoned', undefined);
    this.#tellNews();
  }

  /** The hub has given these to somebody else: their programs are ended, and what comes of them is kept for an operator alone. */
  lost(held: readonly HeldTask[]): void {
    const { log } = this.#dependencies;
    for (const { task_id: id, generation } of held) {
      const run = this.#runs.get(id);
      if (run !== undefined && run.record.generation <= generation) {
        log('warn', 'task.lost', { task_id: id, generation: run.record.generation });
        void run.end('abandoned', undefined);
      }
      const waiting = this.#queue.outboxOf(id);
      if (waiting !== undefined && waiting.generation <= generation)
        this.#dropOutcome(waiting.sequence, id, waiting.generation, waiting.outcome);
    }
  }

  /** How long a task may run without a renewal, milliseconds; undefined: as long as it likes. */
  setLease(ms: number | undefined): void {
    if (this.#stopping === undefined) this.#leases.setLease(ms);
  }

  /** The hub answered a ping which named what is held: `sentAt` by the monotonic clock, when that ping was sent. */
  renewedAt(sentAt: number): void {
    this.#leases.renewedAt(sentAt);
  }

  // ── for the owner, and for agents on this machine

  list(): { held: readonly TaskRun[]; waiting: number; history: (HistoryRow & { waits: boolean })[] } {
    const history = this.#queue.history(SHOWN_HISTORY).map((row) => ({ ...row, waits: this.#queue.waits(row) }));
    return { held: this.#active(), waiting: this.#queue.waiting, history };
  }

  /** Whose tasks these are, whether the hub is there, and why it refuses this agent where it does. */
  get hub(): { agent: string; connected: boolean; refused: string | null } {
    return { agent: this.#options.agentId, connected: this.#session !== undefined, refused: this.#refusal };
  }

  /** What its agent said last of how far it is. */
  progressOf(id: string): TaskProgress | undefined {
    return this.#news.latest(id);
  }

  /** False when it is not held any more and its programs are gone. */
  isThere(run: TaskRun): boolean {
    return !this.#ended && this.#runs.get(run.id) === run;
  }

  /** Something that `list`, `hub` or `progressOf` tells changes in this turn of the event loop, or has changed. Returns the way to stop. */
  onNews(listener: () => void): () => void {
    this.#onNews.add(listener);
    return () => this.#onNews.delete(listener);
  }

  /** The log of some task has grown, or is over. Returns the way to stop. */
  onOutput(listener: () => void): () => void {
    this.#onOutput.add(listener);
    return () => this.#onOutput.delete(listener);
  }

  /** Throws NOT_FOUND. */
  run(id: string): TaskRun {
    const run = this.#runs.get(id);
    if (run === undefined || run.isUnwanted) throw new OutriggerError('NOT_FOUND', `No task ${JSON.stringify(id)} is held.`);
    return run;
  }

  past(id: string): HistoryRow | undefined {
    return this.#queue.historyOf(id);
  }

  /** A word of the agent itself. Resolves when it is on the disk. Throws NOT_FOUND, TASK_STATE, STOPPING. */
  async say(id: string, word: AgentWord): Promise<void> {
    const run = this.run(id);
    if (!(await run.hear(word))) throw this.#unheard(run);
  }

  /** Why nothing became of what was said of a task. */
  #unheard({ id, isGone, isUnwanted, record: { state } }: TaskRun): OutriggerError {
    const task = `The task ${JSON.stringify(id)}`;
    if (this.#stopping !== undefined) return new OutriggerError('STOPPING', 'The sidecar is stopping.');
    if (isGone || isUnwanted) return new OutriggerError('NOT_FOUND', `${task} is over.`);
    return new OutriggerError('TASK_STATE', `${task} is ${state === 'verifying' ? 'being verified' : 'not begun'}.`);
  }

  /** How far it is. Throws NOT_FOUND. */
  progress(id: string, progress: { progress?: number | undefined; event?: Record<string, unknown> | undefined }): void {
    const run = this.run(id);
    // Nobody would take it away again.
    if (run.isGone) throw new OutriggerError('NOT_FOUND', `The task ${JSON.stringify(id)} is over.`);
    if (run.record.state === 'waking' || run.record.state === 'waking_confirmation') void run.step({ type: 'confirmed' });
    this.#news.progress(id, progress, this.#dependencies.now());
    this.#tellNews();
  }

  /** Adds to what its wake program writes. Throws NOT_FOUND. */
  log(id: string, stream: 'stdout' | 'stderr', text: string): void {
    this.run(id).log.add(stream, Buffer.from(text));
    this.#wrote();
  }

  /** Resolves when its programs are gone and that is on the disk. Throws NOT_FOUND, STOPPING. */
  async cancel(id: string, by: string): Promise<void> {
    const run = this.run(id);
    if (!(await run.end('cancelled', `cancelled by ${by}`))) throw this.#unheard(run);
  }

  /** What is held, as AgentCom's sidecar kept it in queue.json. */
  exportQueue(): Record<string, unknown> {
    return exportQueue(
      this.#active().map(({ record }) => record),
      new Set(this.#active().flatMap(({ id, recovering }) => (recovering ? [id] : []))),
    );
  }

  /** Takes nothing new. Resolves when nothing is held, and the outbox is empty or the hub does not empty it. */
  async drain(): Promise<void> {
    this.#draining = true;
    const { timers } = this.#dependencies;
    await this.#until(() => this.#runs.size === 0);
    const late = Promise.withResolvers<void>();
    const timer = timers.set(() => late.resolve(), DRAIN_ACK_MS);
    await Promise.race([this.#until(() => this.#queue.waiting === 0 || this.#session === undefined), late.promise]);
    timers.clear(timer);
  }

  #restartAsked(reason: string | undefined): void {
    // Drained and not started again it would do nothing any more.
    if (this.#restarts.size === 0) return this.#dependencies.log('warn', 'task.restart-not-possible', { reason });
    void this.drain();
    for (const listener of this.#restarts) listener(reason);
  }

  /** When the hub wants this sidecar started again; tasks drain already. Without a listener nothing comes of that wish. Returns the way to stop. */
  onRestartAsked(listener: (reason: string | undefined) => void): () => void {
    this.#restarts.add(listener);
    return () => this.#restarts.delete(listener);
  }

  /** Ends the programs; what is held stays on the disk. May be called twice. */
  stop(): Promise<void> {
    this.#stopping ??= this.#stop();
    return this.#stopping;
  }

  async #stop(): Promise<void> {
    const { timers } = this.#dependencies;
    // In the next turn, when `isStopping` holds.
    await Promise.resolve();
    // Before the programs are ended, which takes its time.
    this.#session?.ping();
    this.disconnected();
    timers.clear(this.#lookTimer);
    timers.clear(this.#changeTimer);
    this.#leases.stop();
    this.#endWatch?.();
    await Promise.all([...this.#runs.values()].map((run) => run.stop()));
    await Promise.all(this.#leaving);
    this.#queue.flush();
    for (const wake of this.#idle) wake();
    // Nothing is written any more: those who read along have all of it.
    this.#ended = true;
    for (const listener of this.#onOutput) listener();
  }

  // ── assignments

  #active(): TaskRun[] {
    return [...this.#runs.values()].filter(({ isGone, isUnwanted }) => !isGone && !isUnwanted);
  }

  #assign(task: TaskAssignment): void {
    const { log } = this.#dependencies;
    const { task_id: id, generation } = task;
    const run = this.#runs.get(id);
    // One that is over stays for as long as its programs are being ended: what it came to is in the outbox.
    if (run !== undefined && !run.isUnwanted && !run.isGone) {
      // Told twice, or granted anew: it is done once.
      if (generation < run.record.generation) return;
      void this.#again(run, task);
      return;
    }
    const waiting = this.#queue.outboxOf(id);
    if (waiting !== undefined) {
      if (waiting.generation >= generation) return this.#sender.more();
      // It is done already, whoever was to do it.
      if (waiting.outcome.kind === 'complete') {
        void this.#tellAgain(waiting, task);
        return;
      }
      this.#dropOutcome(waiting.sequence, id, waiting.generation, waiting.outcome);
    }
    const past = this.#queue.historyOf(id);
    if (generation > 0 && past?.end === 'done' && past.generation >= generation) {
      log('warn', 'task.told-again', { task_id: id, generation });
      // A hub that was put back to an older copy of itself: it offers until its fences are beyond ours.
      return this.#reject(task, TOLD_AGAIN);
    }
    // Its programs are still being ended.
    if (run !== undefined || this.credit() === 0)
      return this.#reject(task, this.#draining ? 'draining' : this.#storing ? 'busy' : 'storage');
    void this.#accept(task);
  }

  async #tellAgain(waiting: OutboxRow, { task_id: id, generation, description }: TaskAssignment): Promise<void> {
    const at = this.#dependencies.now();
    const stored = await this.#store(id, () => {
      this.#queue.repost(waiting, generation);
      this.#queue.remember({ id, generation, end: 'done', at, description: description.slice(0, SHOWN_LENGTH).toWellFormed() });
    });
    if (!stored) return;
    this.#tellAccepted(id, generation);
    this.#sender.more();
  }

  #continue({ task_id: id, generation }: HubFrames['task_continue']): void {
    const run = this.#runs.get(id);
    if (run !== undefined) this.#goOn(run, generation);
  }

  /** Our hub heard that we accepted. */
  #granted(id: string, generation: number | undefined): void {
    const run = this.#runs.get(id);
    if (run !== undefined && run.record.generation === generation) this.#goOn(run, generation);
  }

  #goOn(run: TaskRun, generation: number | undefined): void {
    const { isOffered } = run;
    run.isOffered = false;
    this.#leases.begins(run);
    void run.goOn(generation);
    if (isOffered) void this.#begin(run);
    // That it goes on after a restart need not change anything on the disk.
    this.#tellNews();
  }

  async #begin(run: TaskRun): Promise<void> {
    // What still ends works in the same folder.
    await this.#until(() => ![...this.#runs.values()].some(({ isGone, isUnwanted }) => isGone || isUnwanted) || run.isUnwanted);
    if (!run.isUnwanted && this.#stopping === undefined) await run.begin();
  }

  async #again(run: TaskRun, task: TaskAssignment): Promise<void> {
    if (task.generation > run.record.generation) await run.adopt(task.generation);
    // It may have come to its end before it could be adopted.
    if (run.isGone) this.#assign(task);
    else if (!run.isUnwanted) this.#accepted(run);
  }

  /** It is on the disk that it is ours. */
  #accepted(run: TaskRun): void {
    run.askedAt = this.#dependencies.monotonic();
    this.#tellAccepted(run.id, run.record.generation);
    // A hub that knows leases gives what it offered to somebody else when it does not hear of us, so its answer is waited for; or, where the
    // connection ends before that, its word when we are back. AgentCom's hub has no such word.
    if (this.#session !== undefined && !this.#session.features.has('leases')) this.#goOn(run, run.record.generation);
  }

  async #accept(task: TaskAssignment): Promise<void> {
    const { now, log } = this.#dependencies;
    const { task_id: id, generation } = task;
    const run = new TaskRun(this.#context, newRecord(task, now()), undefined);
    run.isOffered = true;
    this.#runs.set(id, run);
    try {
      // What an earlier attempt left is no result of this one.
      this.#results.archive(id, generation, now());
      await this.#queue.write(() => this.#queue.hold(run.record));
    } catch (error) {
      if (this.#runs.get(id) === run) this.#runs.delete(id);
      log('warn', 'task.not-stored', { task_id: id, error });
      this.#reject(task, 'storage');
      return;
    }
    this.#leftovers.delete(id);
    log('info', 'task.received', { task_id: id, generation, description: task.description });
    if (this.#stopping === undefined && !run.isUnwanted) this.#accepted(run);
  }

  /**
   * AgentCom's hub knows no refusal, and bans who sends what it does not know: it hears that nobody was woken, and takes the task back when
   * its time to be accepted is over. A failure would cost the task one of its attempts.
   */
  #reject({ task_id: id, generation }: TaskAssignment, reason: string): void {
    this.#dependencies.log('warn', 'task.refused', { task_id: id, generation, reason });
    if (this.#session?.features.has('refusals') !== true)
      return this.#tell(() => ({ type: 'wake_result', task_id: id, status: 'failed', reason }));
    this.#hasRefused = true;
    this.#tell(() => ({ type: 'task_rejected', task_id: id, reason, generation }));
  }

  #tellAccepted(id: string, generation: number): void {
    this.#tell((features) => ({ type: 'task_accepted', task_id: id, ...(isOurs(features) ? { generation } : {}) }));
  }

  #cancelled({ task_id: id, generation, reason }: HubFrames['task_cancelled']): void {
    const run = this.#runs.get(id);
    if (run === undefined || (generation !== undefined && generation < run.record.generation)) return;
    // Our hub waits for the end of its programs, and not for ever; AgentCom's knows the task no more.
    const tell = this.#session !== undefined && isOurs(this.#session.features) ? `cancelled: ${reason ?? 'by the hub'}` : undefined;
    void run.end('cancelled', tell);
  }

  #refused({ task_id: id, generation, error, message_type: type }: HubFrames['error']): void {
    const isAboutResult =
      /^task_(complete|fail)_failed/.test(error) || (error === 'validation_failed' && /^task_(complete|failed)$/.test(type ?? ''));
    if (isAboutResult && this.#sender.refused(id, generation, error)) return;
    // Something else that was said of a task which is somebody else's by now.
    if (id !== undefined && /stale_generation|not_found/.test(error))
      this.lost([{ task_id: id, generation: generation ?? Number.MAX_SAFE_INTEGER, state: undefined }]);
  }

  #dropOutcome(sequence: number, id: string, generation: number, outcome: unknown): void {
    if (this.#sender.refused(id, generation, 'the task is somebody else’s')) return;
    void this.#store(id, () => {
      this.#results.archiveOutcome(id, generation, this.#dependencies.now(), outcome);
      this.#queue.unpost(sequence);
    });
  }

  async #store(id: string, work: () => void): Promise<boolean> {
    try {
      await this.#queue.write(work);
      return true;
    } catch (error) {
      this.#dependencies.log('warn', 'task.not-stored', { task_id: id, error });
      return false;
    }
  }

  #tell(frame: (features: HubFeatures) => TaskFrame): void {
    const session = this.#session;
    if (session !== undefined) this.#news.send(session, frame(session.features));
  }

  #over(run: TaskRun): void {
    this.#leftovers.add(run.id, run.record.generation);
    this.#news.over(run);
    this.#sender.more();
    const leaving = run.stop().finally(() => {
      this.#leaving.delete(leaving);
      if (this.#runs.get(run.id) === run) this.#runs.delete(run.id);
      this.#tellIdle();
      this.#tellRoom();
      for (const listener of this.#onOutput) listener();
    });
    this.#leaving.add(leaving);
  }

  #tellRoom(): void {
    if (!this.#hasRefused || this.credit() === 0) return;
    this.#hasRefused = false;
    this.#session?.ping();
  }

  #tellNews(): void {
    for (const listener of this.#onNews) listener();
  }

  #wrote(): void {
    this.#news.soon();
    for (const listener of this.#onOutput) listener();
  }

  #tellIdle(): void {
    for (const wake of this.#idle) wake();
  }

  async #until(isSo: () => boolean): Promise<void> {
    while (!isSo() && this.#stopping === undefined) {
      await new Promise<void>((resolve) => {
        const wake = (): void => {
          this.#idle.delete(wake);
          resolve();
        };
        this.#idle.add(wake);
      });
    }
  }

  #leaseOver(run: TaskRun): void {
    this.#dependencies.log('warn', 'task.lease-over', { task_id: run.id, generation: run.record.generation });
    void run.end('abandoned', undefined);
  }

  // ── the results folder

  #look(): void {
    const { timers, monotonic } = this.#dependencies;
    this.#lookedAt = monotonic();
    timers.clear(this.#changeTimer);
    this.#changeTimer = undefined;
    for (const run of this.#active()) run.look();
  }

  /** Something changed there: looked at once, and else a little later for all that changes until then. */
  #lookSoon(): void {
    const { timers, monotonic } = this.#dependencies;
    const waitMs = this.#lookedAt + LOOK_APART_MS - monotonic();
    if (waitMs <= 0) this.#look();
    else this.#changeTimer ??= timers.set(() => this.#look(), waitMs);
  }

  #lookLater(): void {
    this.#lookTimer = this.#dependencies.timers.set(() => {
      this.#look();
      this.#leftovers.archive();
      this.#lookLater();
    }, LOOK_EVERY_MS);
  }

  async #import(): Promise<void> {
    const { queueFile } = this.#options;
    const { now, log } = this.#dependencies;
    const file = queueFile === undefined ? undefined : readQueueFile(queueFile);
    if (queueFile === undefined || file === undefined) return;
    const records = importedRecords(file, now()).filter(({ id }) => !this.#runs.has(id));
    const hold = (record: HeldRecord): void => this.#queue.hold(record);
    await this.#queue.write(() => records.forEach(hold));
    for (const record of records) this.#runs.set(record.id, new TaskRun(this.#context, record, { programEnded: false }));
    putQueueFileAside(queueFile);
    log('info', 'task.queue-imported', { file: queueFile, tasks: records.length });
  }
}

/** The one path below the other, as a list of none or one. */
function relativeWithin(folder: string, other: string): string[] {
  const relative = path.relative(folder, other);
  return relative === '' || relative.startsWith('..') || path.isAbsolute(relative) ? [] : [relative.split(path.sep).join('/')];
}
