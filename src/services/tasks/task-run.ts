import fs from 'node:fs';
import path from 'node:path';
import { OutriggerError } from '../../contract/errors.ts';
import type { TaskAssignment } from '../../contract/hub.ts';
import type { PeerTimers } from '../../core/peer.ts';
import type { RunHooks } from '../processes/run-hooks.ts';
import type { ResultsFolder } from './results-folder.ts';
import { fileName } from './results-folder.ts';
import type { TaskBranches } from './task-branch.ts';
import type { TaskFrame, HubFeatures } from './task-frames.ts';
import { wakeResultFrame } from './task-frames.ts';
import { TaskLog } from './task-log.ts';
import {
  type AgentWord,
  type HeldRecord,
  type MachineRules,
  type Outcome,
  passes,
  type Stepped,
  stepTask,
  type TaskEffect,
  type TaskStep,
} from './task-machine.ts';
import { isPartOf, type TaskProgram, type TaskPrograms } from './task-program.ts';
import type { HistoryRow, TaskQueue } from './task-queue.ts';
import { verify } from './verification.ts';
import { wakeArgv } from './wake-command.ts';

/** A result file that is no JSON, and does not change for so long, is not being written any more. */
const BAD_RESULT_MS = 10_000;
/** A longer result file is read when it has stood still for so long: each look at one that is being written would take longer than the last. */
const LONG_RESULT_BYTES = 256 * 1024;
const STILL_MS = 500;
/** Between two attempts to store what must be stored. */
const STORE_AGAIN_MS = 1000;
const HOOK_MS = 60_000;
/** The same of a look that a stop finds under way: whoever starts next takes it up. */
const STOP_HOOK_MS = 1000;
/** So much later than they should, programs may be gone before the hub hears that they are. */
const END_MARGIN_MS = 2000;
/** In the history and the log, of a description and of a reason, characters. */
export const SHOWN_LENGTH = 500;

export interface TaskRunOptions {
  agentId: string;
  /** The wake command; undefined: there is none. */
  wake: readonly [string, ...string[]] | undefined;
  /** For what the hub's agent is to have, such as where this sidecar is: on top of what a task sets. */
  env: Readonly<Record<string, string>>;
  /** Absolute: where the wake program and the verification run. */
  folder: string;
  /** In which the hub's agent has to say that it began, after the wake program ended with 0; milliseconds. */
  confirmationTimeoutMs: number;
  /** In which it has to say so while the wake program runs; one that does neither hangs. Milliseconds. */
  wakeTimeoutMs: number;
  /** In which an agent that gave its result may end by itself, milliseconds. */
  finishWithinMs: number;
  cancelWithinMs: number;
  /** Of the results folder and the like, relative to the folder. */
  besides: readonly string[];
}

/** What all tasks share. */
export interface RunContext {
  queue: TaskQueue;
  results: ResultsFolder;
  programs: TaskPrograms;
  branches: TaskBranches | undefined;
  hooks: RunHooks | undefined;
  /** Small private files that go with the state. */
  files: { folder: string; writeFile(name: string, content: string): void; removeFile(name: string): void };
  timers: PeerTimers;
  now: () => number;
  monotonic: () => number;
  log: (level: 'info' | 'warn' | 'error', event: string, facts: Record<string, unknown>) => void;
  rules: MachineRules;
  options: TaskRunOptions;
  /** What marks of programs begin with. */
  mark: string;
  isStopping: () => boolean;
  /** To the hub, where it is there. */
  tell: (frame: (features: HubFeatures) => TaskFrame) => void;
  /** There is more to tell the hub of how it goes. */
  news: () => void;
  /** It is not held any more; what came of it is on the disk. */
  over: (run: TaskRun) => void;
  /** The disk does not take anything, or takes it again. */
  storing: (works: boolean) => void;
}

/** One task that is held: its program, its clocks, its result. What follows what is task-machine.ts. */
export class TaskRun {
  record: HeldRecord;
  readonly log = new TaskLog();
  /** After a restart: it waits for the hub's word. */
  recovering: boolean;
  /** Accepted, and the hub has not said yet that it heard so. Somebody else may have it by now: nothing is begun. */
  isOffered = false;
  /** By the monotonic clock: when the hub was last asked whether this task is ours. */
  askedAt = Number.NEGATIVE_INFINITY;
  /** When the hub was asked that its lease counts from. */
  leaseFrom = Number.NEGATIVE_INFINITY;
  /** By the monotonic clock, when its time is over. */
  readonly #deadline: number;
  /** Of this sidecar's predecessor, something ran for it. */
  #programEnded: boolean;
  readonly #context: RunContext;
  #program: TaskProgram | undefined;
  /** One after the other. */
  #steps: Promise<unknown> = Promise.resolve();
  #ending: Promise<void> = Promise.resolve();
  #startTimer: unknown;
  #confirmTimer: unknown;
  #verifying: AbortController | undefined;
  /** Resolves when nothing is done for a verification any more. Never rejects. */
  #verified: Promise<void> = Promise.resolve();
  #preparing: AbortController | undefined;
  /** Wakes what waits to store something. */
  #storeNow: (() => void) | undefined;
  #unwanted = false;
  #isToBeTold = false;
  /** Nothing is started for it any more. */
  #isFailing = false;
  #gone = false;
  #hooked = false;
  /** Ends the wait for the look at the folder that is under way. */
  #giveUpHook: ((why: string) => void) | undefined;
  /** A program is to be started for it, the first since it was to run (again): what was said before is no word of that one. */
  #isUnbegun = false;
  /** What stands in place of a result. `isKnown`: it was read when it had stood still, and is none. */
  #unfinished: { key: string; since: number; isKnown: boolean } | undefined;

  constructor(context: RunContext, record: HeldRecord, recovering: { programEnded: boolean } | undefined) {
    this.#context = context;
    this.record = recovering === undefined ? record : { ...record, restarts: (record.restarts ?? 0) + 1 };
    this.recovering = recovering !== undefined;
    this.#deadline = context.monotonic() + timeLeft(record, context.now());
    // In that state a program was started, or was about to be, and no end of it is known.
    this.#programEnded = recovering?.programEnded === true || record.program !== undefined || record.state === 'waking';
  }

  get id(): string {
    return this.record.id;
  }

  /** Of all that runs for it. */
  get mark(): string {
    return `${this.#context.mark}:${fileName(this.id)}`;
  }

  get isGone(): boolean {
    return this.#gone;
  }

  /** Somebody took it back, and its programs are being ended. */
  get isUnwanted(): boolean {
    return this.#unwanted;
  }

  /** Unwanted, and the hub is to hear of that, but does not yet: until then it counts as held. */
  get isToBeTold(): boolean {
    return this.#isToBeTold && !this.#gone;
  }

  /** Makes everything ready for the agent, and wakes it. Never rejects. */
  async begin(): Promise<void> {
    const { branches } = this.#context;
    this.#preparing = new AbortController();
    try {
      const branch = await branches?.start(this.record.assignment.description, this.record.branch, this.#preparing.signal);
      await this.step({ type: 'begin', branch });
    } catch (error) {
      if (this.#preparing.signal.aborted) return;
      await this.step({ type: 'failed', reason: `branch_refused: ${messageOf(error)}`, retryable: true });
    }
  }

  /** The hub lets it go on. Never rejects. */
  async goOn(generation: number | undefined): Promise<void> {
    if (!this.recovering) {
      // It ran all the time; the fence may be another one.
      if (generation !== undefined && generation > this.record.generation) await this.adopt(generation);
      return;
    }
    this.recovering = false;
    if (generation !== undefined && generation > this.record.generation) await this.adopt(generation);
    if (this.record.state === 'accepted') await this.begin();
    else if (this.record.state !== 'verifying') await this.step({ type: 'continue', generation, programEnded: this.#programEnded });
  }

  /** After a restart, what needs nobody's word: a result that is there, and one that was being verified. */
  resume(): void {
    if (this.record.state === 'verifying') this.#effect({ do: 'verify' });
    else this.look();
  }

  /** It is held under another fence. */
  adopt(generation: number): Promise<boolean> {
    return this.#queued(async () => {
      if (this.#gone || this.#unwanted) return false;
      const record = { ...this.record, generation };
      const isStored = await this.#stored(() => this.#context.queue.hold(record));
      if (isStored) this.record = record;
      return isStored;
    });
  }

  /** Resolves when the step is on the disk, and what follows from it is under way; with false where it does nothing. Never rejects. */
  step(step: TaskStep): Promise<boolean> {
    return this.#queued(() => this.#apply(step));
  }

  /** A word of its agent, as `step`; also false where none is waited for. That it has begun may be said twice. */
  hear(word: AgentWord): Promise<boolean> {
    return this.#queued(async () => {
      const { state } = this.record;
      if (word.type === 'confirmed' && state === 'working') return !this.#gone && !this.#unwanted;
      return state !== 'accepted' && state !== 'verifying' && (await this.#apply(word));
    });
  }

  /** Ends its programs now, whatever else is under way, and lets it go; false as `step`. `tell`: a reason for the outbox. */
  async end(as: 'cancelled' | 'abandoned', tell: string | undefined): Promise<boolean> {
    this.#unwanted = true;
    this.#isToBeTold = tell !== undefined;
    const ended = this.#endPrograms();
    const isStored = await this.step({ type: 'end', as, tell });
    await ended;
    return isStored;
  }

  /** Looks for what the agent put into the results folder; `now`: also for what it may still be writing. Never throws. */
  look(now = false): void {
    try {
      this.#look(now);
    } catch (error) {
      // A folder that can't be read or written now may be later.
      this.#context.log('warn', 'task.results-not-read', { task_id: this.id, error });
    }
  }

  #look(now: boolean): void {
    const { results, monotonic } = this.#context;
    if (this.#gone || this.#unwanted || this.#context.isStopping() || this.record.state === 'verifying') return;
    if (monotonic() > this.#deadline) return void this.step({ type: 'failed', reason: 'deadline_exceeded', retryable: false });
    const found = results.read(this.id, (key, bytes) => !now && this.#isNotYet(key, bytes));
    if ('value' in found) return void this.step(resultStep(found.value));
    if ('problem' in found) return this.#unreadable(found.problem);
    if (found.unfinished === undefined) this.#unfinished = undefined;
    else this.#lookAgain(found.unfinished, found.isUnread !== true);
    if (results.hasStarted(this.id)) void this.step({ type: 'confirmed' });
  }

  /** Ends what runs; on the disk it stays as it is. Never rejects. */
  async stop(): Promise<void> {
    const { timers, isStopping } = this.#context;
    this.#storeNow?.();
    const timer = isStopping() ? timers.set(() => this.#giveUpHook?.('the sidecar stops'), STOP_HOOK_MS) : undefined;
    await this.#endPrograms();
    // It may be about to end what is left of the agent: by then that may be another's of the same name.
    await this.#verified;
    await this.#steps;
    timers.clear(timer);
  }

  // ── steps

  #queued(work: () => Promise<boolean>): Promise<boolean> {
    const step = this.#steps.then(work).catch((error: unknown) => {
      this.#context.log('error', 'task.failed-inside', { task_id: this.id, error });
      return false;
    });
    this.#steps = step;
    return step;
  }

  async #apply(step: TaskStep): Promise<boolean> {
    const { rules, isStopping, log } = this.#context;
    if (this.#gone || (this.#unwanted && step.type !== 'end') || isStopping()) return false;
    if (this.#isUnbegun && step.type === 'confirmed') return false;
    const before = this.record;
    const stepped = stepTask(before, step, rules);
    if (stepped === undefined) return false;
    // Whoever is granted it next is to be alone with it.
    if (stepped.outcome?.kind === 'failed') {
      this.#isFailing = true;
      await this.#endedInTime();
    }
    const isRefused = step.type === 'verified' && stepped.record !== undefined;
    const work = (): void => {
      // Before it is on the disk that the agent runs again: from then on what is found is the new one's. Until then the record has the old one.
      if (isRefused) this.#context.results.remove(this.id);
      this.#write(stepped);
    };
    if (!(await this.#stored(work))) return false;
    if (stepped.record !== undefined) this.record = stepped.record;
    const { end } = stepped;
    const trouble = troubleOf(step);
    log(trouble === undefined ? 'info' : 'warn', 'task.step', {
      task_id: this.id,
      step: step.type,
      from: before.state,
      to: stepped.record?.state ?? end,
      ...trouble,
    });
    if (end !== undefined) {
      this.#gone = true;
      // What the agent gave is in the outbox; whatever else is there came too late.
      this.#tidy(end === 'done' && (before.state === 'verifying' || step.type === 'failed'));
    }
    for (const effect of stepped.effects) this.#effect(effect);
    if (end !== undefined) {
      this.#context.over(this);
      await this.#ending;
      await this.#hook('after');
    }
    return true;
  }

  #tidy(isTaken: boolean): void {
    const { results, files, now, log } = this.#context;
    try {
      if (isTaken) results.remove(this.id);
      else results.archive(this.id, this.record.generation, now());
      files.removeFile(taskFileName(this.id));
    } catch (error) {
      log('warn', 'task.files-not-removed', { task_id: this.id, error });
    }
  }

  #write({ record, end, outcome }: Stepped): void {
    const { queue, now } = this.#context;
    if (record !== undefined) return queue.hold(record);
    const { id, generation, assignment } = this.record;
    queue.release(id);
    if (outcome !== undefined) queue.post(id, generation, outcome);
    queue.remember({
      id,
      generation,
      end: end ?? 'done',
      at: now(),
      description: assignment.description.slice(0, SHOWN_LENGTH).toWellFormed(),
      ...reasonOf(outcome),
      ...verificationOf(outcome),
    });
  }

  /** Tries until it is on the disk; false where this sidecar stops before. */
  async #stored(work: () => void): Promise<boolean> {
    const { queue, storing, log, timers, isStopping } = this.#context;
    for (;;) {
      try {
        await queue.write(work);
        storing(true);
        return true;
      } catch (error) {
        storing(false);
        log('warn', 'task.not-stored', { task_id: this.id, error });
      }
      if (isStopping()) return false;
      await new Promise<void>((resolve) => {
        const timer = timers.set(resolve, STORE_AGAIN_MS);
        this.#storeNow = () => {
          timers.clear(timer);
          resolve();
        };
      });
      this.#storeNow = undefined;
    }
  }

  #effect(effect: TaskEffect): void {
    const { timers, options, tell } = this.#context;
    const { record } = this;
    switch (effect.do) {
      case 'start':
        this.#isUnbegun = record.attempts === 1;
        timers.clear(this.#startTimer);
        if (effect.afterMs === 0) void this.#launch();
        else this.#startTimer = timers.set(() => void this.#launch(), effect.afterMs);
        return;
      case 'await-confirmation':
        this.#awaitConfirmation(options.confirmationTimeoutMs);
        return;
      case 'verify':
        timers.clear(this.#confirmTimer);
        this.#verified = this.#verify();
        return;
      case 'end-program':
        void this.#endPrograms();
        return;
      case 'wake-result':
        tell((features) => wakeResultFrame(record, effect, features));
        return;
    }
  }

  // ── the program

  async #launch(): Promise<void> {
    const { programs, options, results, log } = this.#context;
    const isOver = (): boolean => this.#gone || this.#unwanted || this.#isFailing || this.#context.isStopping();
    const isOff = (): boolean => isOver() || this.record.state !== 'waking';
    await this.#ending;
    if (isOff()) return;
    await this.#hook('before');
    if (isOff()) return;
    const mark = `${this.mark}:a${this.record.attempts}`;
    let program: TaskProgram;
    try {
      // An agent may tidy up more than is its own.
      if (results.makeAgain()) log('warn', 'task.results-made-again', { folder: results.folder });
      if (this.#isUnbegun) results.removeStarted(this.id);
      if (options.wake === undefined) throw new OutriggerError('BAD_INPUT', 'There is no wake command.');
      const onOutput = (stream: 'stdout' | 'stderr', bytes: Buffer): void => {
        this.log.add(stream, bytes);
        this.#context.news();
      };
      const env = this.#environment(this.#writeTaskFile());
      program = await programs.start({ argv: wakeArgv(options.wake, this.record.assignment), cwd: options.folder, env, mark, onOutput });
    } catch (error) {
      await this.step({ type: 'exited', problem: messageOf(error) });
      return;
    } finally {
      this.#isUnbegun = false;
    }
    // It may have begun, and have said so, before we hear that it was started.
    if (isOver() || (isOff() && this.record.state !== 'working')) return program.end(0);
    this.#program = program;
    this.#awaitConfirmation(options.wakeTimeoutMs, program);
    await this.step({ type: 'started', pid: program.pid });
    const { exitCode, exitSignal } = await program.exit;
    if (this.#program !== program) return;
    this.#program = undefined;
    this.look(true);
    const problem = exitCode === 0 ? undefined : exitCode === null ? `ended by ${exitSignal ?? 'a signal'}` : `exit code ${exitCode}`;
    await this.step({ type: 'exited', problem });
  }

  /** While `hanging` runs it counts as one failed start; after the wake program ended well, the task has failed. */
  #awaitConfirmation(ms: number, hanging?: TaskProgram): void {
    const { timers } = this.#context;
    timers.clear(this.#confirmTimer);
    this.#confirmTimer = timers.set(() => {
      this.look(true);
      if (hanging === undefined) return void this.step({ type: 'unconfirmed' });
      void this.#queued(async () => {
        if (this.#program !== hanging || this.record.state !== 'waking') return false;
        void this.#endPrograms();
        return await this.#apply({ type: 'exited', problem: `neither ended nor began within ${ms} ms` });
      });
    }, ms);
  }

  /** Ends all that runs for it. Resolves when nothing is left. */
  #endPrograms(): Promise<void> {
    const { timers, programs, options } = this.#context;
    timers.clear(this.#startTimer);
    timers.clear(this.#confirmTimer);
    this.#verifying?.abort(new OutriggerError('CANCELED', 'The task is over.'));
    this.#preparing?.abort(new OutriggerError('CANCELED', 'The task is over.'));
    const program = this.#program;
    this.#program = undefined;
    const isMine = (mark: string): boolean => isPartOf(this.mark, mark);
    this.#ending = this.#ending.then(async () => {
      await program?.end(options.cancelWithinMs);
      // Also what an earlier start left behind, or a verification.
      if (await programs.isRunning(isMine)) await programs.endMarked(isMine);
    });
    return this.#ending;
  }

  /** The same, but what can't be ended is not waited for any longer. Never rejects. */
  async #endedInTime(): Promise<void> {
    const { timers, options, log } = this.#context;
    const late = Promise.withResolvers<void>();
    const timer = timers.set(() => late.resolve(), options.cancelWithinMs + END_MARGIN_MS);
    try {
      await Promise.race([this.#endPrograms(), late.promise]);
    } catch (error) {
      log('warn', 'task.programs-not-ended', { task_id: this.id, error });
    } finally {
      timers.clear(timer);
    }
  }

  /** The whole assignment, for the agent alone. Gives the file. */
  #writeTaskFile(): string {
    const { files, results } = this.#context;
    const { assignment, generation, attempts, reports, branch } = this.record;
    const report = reports.at(-1);
    const content = {
      ...assignment,
      generation,
      wake_attempt: attempts,
      ...(branch === undefined ? {} : { branch }),
      result_file: results.resultFile(this.id),
      ...(report === undefined ? {} : { verification_report: report }),
    };
    files.writeFile(taskFileName(this.id), `${JSON.stringify(content, undefined, 2)}\n`);
    return path.join(files.folder, taskFileName(this.id));
  }

  #environment(taskFile: string): Record<string, string> {
    const { options, results } = this.#context;
    return {
      ...options.env,
      OUTRIGGER_TASK_ID: this.id,
      OUTRIGGER_TASK_GENERATION: String(this.record.generation),
      OUTRIGGER_TASK_FILE: taskFile,
      OUTRIGGER_RESULTS: results.folder,
      OUTRIGGER_RESULT_FILE: results.resultFile(this.id),
    };
  }

  // ── the result

  #isNotYet(key: string, bytes: number): boolean {
    const known = this.#unfinished?.key === key ? this.#unfinished : undefined;
    return known?.isKnown === true || (bytes > LONG_RESULT_BYTES && !this.#standsStill(key));
  }

  #standsStill(key: string): boolean {
    const known = this.#unfinished;
    return known?.key === key && this.#context.monotonic() - known.since >= STILL_MS;
  }

  /** Half of a file is waited for. */
  #lookAgain(key: string, wasRead: boolean): void {
    const { monotonic } = this.#context;
    if (this.#unfinished?.key !== key) {
      this.#unfinished = { key, since: monotonic(), isKnown: false };
      return;
    }
    if (wasRead && this.#standsStill(key)) this.#unfinished.isKnown = true;
    if (monotonic() - this.#unfinished.since < BAD_RESULT_MS) return;
    this.#unfinished = undefined;
    this.#unreadable('the result file holds no JSON object');
  }

  #unreadable(why: string): void {
    const { now, results } = this.#context;
    results.archive(this.id, this.record.generation, now());
    void this.step({ type: 'failed', reason: `result_unreadable: ${why}`, retryable: true });
  }

  async #verify(): Promise<void> {
    const { programs, options, now, branches, log } = this.#context;
    const verifying = new AbortController();
    this.#verifying = verifying;
    try {
      await this.#finishProgram();
      if (verifying.signal.aborted || this.#context.isStopping()) return;
      const { assignment, reports, branch } = this.record;
      const run = reports.length + 1;
      const { folder, env, besides } = options;
      const report = await verify(programs, {
        task: assignment,
        run,
        folder,
        env,
        mark: `${this.mark}:v${run}`,
        besides,
        signal: verifying.signal,
        now,
      });
      let facts: Record<string, unknown> | undefined;
      if (branch !== undefined && branches !== undefined && passes(report)) {
        try {
          facts = { branch, pushed: await branches.submit(branch, verifying.signal) };
        } catch (error) {
          if (verifying.signal.aborted) return;
          log('warn', 'task.not-pushed', { task_id: this.id, branch, error });
          facts = { branch, pushed: false, push_error: messageOf(error) };
        }
      }
      await this.step({ type: 'verified', report, facts });
    } catch (error) {
      if (verifying.signal.aborted) return;
      await this.step({ type: 'failed', reason: `verification_error: ${messageOf(error)}`, retryable: true });
    }
  }

  /** The agent gave its result: it may end by itself, and is ended then. */
  async #finishProgram(): Promise<void> {
    const { programs, options } = this.#context;
    const program = this.#program;
    this.#program = undefined;
    const isMine = (mark: string): boolean => isPartOf(this.mark, mark);
    await programs.gone(isMine, options.finishWithinMs);
    await program?.end(options.cancelWithinMs);
    if (await programs.isRunning(isMine)) await programs.endMarked(isMine);
  }

  /** A look at the folder around the work for a task. Never rejects, and does not wait for ever. */
  async #hook(when: 'before' | 'after'): Promise<void> {
    const { hooks, options, log, timers, isStopping } = this.#context;
    if (hooks === undefined || isStopping() || this.#hooked === (when === 'before')) return;
    this.#hooked = when === 'before';
    const { id, record } = this;
    const late = Promise.withResolvers<never>();
    this.#giveUpHook = (why) => late.reject(new Error(why));
    const timer = timers.set(() => this.#giveUpHook?.(`it took longer than ${HOOK_MS} ms`), HOOK_MS);
    try {
      const title = `Task ${record.assignment.description.replace(/\s+/g, ' ').slice(0, 100).toWellFormed()}`;
      const work = hooks[when]({
        id: `task-${fileName(id)}-${record.generation}`,
        title,
        cause: { kind: 'task', id, who: [{ name: options.agentId, kind: 'agent' }] },
      });
      await Promise.race([work, late.promise]);
    } catch (error) {
      log('warn', 'task.checkpoint-failed', { task_id: id, error });
    } finally {
      this.#giveUpHook = undefined;
      timers.clear(timer);
    }
  }
}

const TASK_FILES = 'tasks';

/** In the state's folder: what the agent reads of its task. */
export function taskFileName(id: string): string {
  return `${TASK_FILES}/${fileName(id)}.json`;
}

/** Those that are there. */
export function taskFiles(folder: string): string[] {
  try {
    return fs.readdirSync(path.join(folder, TASK_FILES)).map((name) => `${TASK_FILES}/${name}`);
  } catch {
    // None was ever written.
    return [];
  }
}

/** A result as agents write it, or as they hand it over. */
export function resultStep(value: Record<string, unknown>): TaskStep {
  if (value['status'] === 'success') return { type: 'result', result: value };
  const reason = value['reason'] ?? value['error'] ?? 'the result says neither "status": "success" nor a reason';
  return { type: 'failed', reason: typeof reason === 'string' ? reason : JSON.stringify(reason), retryable: value['retryable'] !== false };
}

/**
 * Until the deadline of a task, milliseconds. That is a time by the hub's clock, which this machine's need not agree with, and so is when it was assigned: what
 * counts is how long it had then.
 */
function timeLeft({ assignment: { deadline, assigned_at: assignedAt }, acceptedAt }: HeldRecord, now: number): number {
  if (deadline === undefined) return Number.POSITIVE_INFINITY;
  return assignedAt === undefined ? deadline - now : deadline - assignedAt - (now - acceptedAt);
}

export function newRecord(assignment: TaskAssignment, now: number): HeldRecord {
  const { task_id: id, generation } = assignment;
  return { id, generation, state: 'accepted', assignment, attempts: 0, reports: [], acceptedAt: now };
}

function reasonOf(outcome: Outcome | undefined): { reason?: string } {
  return outcome?.kind === 'failed' ? { reason: outcome.reason.slice(0, SHOWN_LENGTH).toWellFormed() } : {};
}

/** What a person at this machine has to see: a program that does not start or fails, and why a task failed. */
function troubleOf(step: TaskStep): { problem: string } | { reason: string } | undefined {
  if (step.type === 'exited' && step.problem !== undefined) return { problem: step.problem.slice(0, SHOWN_LENGTH).toWellFormed() };
  if (step.type === 'failed') return { reason: step.reason.slice(0, SHOWN_LENGTH).toWellFormed() };
  return undefined;
}

function verificationOf(outcome: Outcome | undefined): Pick<HistoryRow, 'verification'> {
  const report = outcome?.kind === 'failed' ? outcome.refused?.report : outcome?.report;
  if (report === undefined || report.summary.total === 0) return {};
  const { status, summary } = report;
  return { verification: { status, passed: summary.passed, total: summary.total } };
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
