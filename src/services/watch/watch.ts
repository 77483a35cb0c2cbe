// What changes in the folder, by whoever's hand. Events of the engine are hints; what is reported was read from the folder, by a worker thread that keeps a
// table of it. Every final state is reported once it has settled; a state that lasted shorter than that may be passed over.

import { lstatSync, type Stats } from 'node:fs';
import path from 'node:path';
import { MessageChannel, type MessagePort, Worker } from 'node:worker_threads';
import { OutriggerError } from '../../contract/errors.ts';
import { defaultIgnore } from './ignore.ts';
import { maxKept } from './own-writes.ts';
import { keyOfStats, kindOfStats } from './stat-key.ts';
import type {
  Baseline,
  Degraded,
  Engine,
  FromWorker,
  OwnChanges,
  OwnWrite,
  ToWorker,
  WatchReport,
  WatchSettings,
  WorkerData,
  WorkerState,
} from './watch-protocol.ts';

export type { WatchReport } from './watch-protocol.ts';

/** The part of the log that is used here. */
export interface WatchLog {
  info(event: string, fields?: object): void;
  warn(event: string, fields?: object): void;
  error(event: string, fields?: object): void;
}

export interface WatchOptions {
  /** Absolute path of the folder. */
  root: string;
  /** Globs of what is not watched; git's folder and our own temporary files never are. Default: .git, node_modules, __pycache__, .venv anywhere. */
  ignore?: readonly string[];
  /** A file written in place is reported when it stood still that long. Default 50; a file that keeps growing waits up to 500. */
  settleMs?: number;
  /** Time between two polls where there are no events. Default 1000; up to 10 s for large folders. */
  pollMs?: number;
  /** Time between two full comparisons, which find what no event tells (mmap, another hard link). Default 60,000. */
  sweepMs?: number;
  /** Larger files are reported with hash null. Default 64 MiB. */
  hashMaxBytes?: number;
  /** 'auto' takes the best there is. Default. */
  engine?: 'auto' | 'poll' | 'parcel';
  /** File in the state folder that remembers what was reported, so that changes made while nobody watched are found at the next start. Default: none. */
  snapshotPath?: string | null;
  /** Default 30,000. */
  snapshotEveryMs?: number;
  /**
   * A number that only grows, of what those who follow were told of and what we did ourselves: a snapshot says up to which it knows all. Default: always 0.
   */
  mark?: () => number;
}

export interface WatchStarted {
  directories: number;
  files: number;
  ms: number;
  /** 'none' and 'corrupt': changes made while nobody watched are not known. */
  baseline: Baseline;
  /** Of the baseline: what was told later, it may not know. Null: there is none. */
  mark: number | null;
}

export interface WatchHealth {
  engine: Engine;
  directories: number;
  files: number;
  /** Directories read whole since the start. */
  rescans: number;
  /** How often hints may have been lost, and everything was read again. */
  overflows: number;
  /** Reports wait because git's index is locked. */
  heldByGit: boolean;
  /** git's lock is older than two seconds: reports are made in spite of it, and may show what git is in the middle of. */
  releasedInSpiteOfGit: boolean;
  rootGone: boolean;
  /** Names that are not valid UTF-8: they can't be watched. */
  invalidNames: number;
  degraded?: Degraded;
}

/** A worker that ends is followed at once, so many times; after that the waits double. */
const restartsAtOnce = 3;
const firstWaitMs = 1000;
const maxWaitMs = 60_000;
/** What ends a worker that watched for so long is another trouble than the last. */
const steadyMs = 60_000;
const ended: Degraded = {
  reason: 'the watch ended unexpectedly',
  hint: 'It is started again by itself, and finds what changed meanwhile; the log says why it ended.',
};
const youngGenerationMb = 6;
/** A worker that is asked to end has so long to write its snapshot: without one, the next start reads the folder anew. */
const stopWithinMs = 10_000;

type Phase = 'new' | 'starting' | 'watching' | 'stopping' | 'stopped';

export class Watch {
  readonly #log: WatchLog;
  readonly #settings: WatchSettings;
  readonly #mark: () => number;
  #phase: Phase = 'new';
  #worker: Worker | null = null;
  #started: PromiseWithResolvers<WatchStarted> | null = null;
  #stopping: Promise<void> | null = null;
  /** Nothing comes back by it. It closes with the worker. */
  #ownChanges: MessagePort | null = null;
  #placing: OwnWrite | null = null;
  #state: WorkerState | null = null;
  /** When the worker had read the folder (performance.now()); null while there is none that has. */
  #readyAt: number | null = null;
  #restarts = 0;
  #nextStart: NodeJS.Timeout | null = null;
  #nextId = 1;
  /** Barriers and sweeps under way, so that they can be asked of a new worker too. */
  readonly #requests = new Map<number, { message: ToWorker; done: PromiseWithResolvers<void> }>();
  readonly #onStarted = new Set<(started: WatchStarted) => void>();
  readonly #onReports = new Set<(reports: WatchReport[]) => void>();
  readonly #onGitChanged = new Set<() => void>();
  readonly #onRootGone = new Set<(gone: boolean) => void>();

  constructor(needs: { log: WatchLog }, options: WatchOptions) {
    this.#log = needs.log;
    this.#mark = options.mark ?? (() => 0);
    this.#settings = {
      root: options.root,
      ignore: options.ignore ?? defaultIgnore,
      settleMs: options.settleMs ?? 50,
      pollMs: options.pollMs ?? 1000,
      sweepMs: options.sweepMs ?? 60_000,
      hashMaxBytes: options.hashMaxBytes ?? 64 * 1024 * 1024,
      engine: options.engine ?? 'auto',
      snapshotPath: options.snapshotPath ?? null,
      snapshotEveryMs: options.snapshotEveryMs ?? 30_000,
    };
  }

  /** Resolves when the folder is read and watched; rejects when it is no folder. Reports of earlier changes (`offline`) follow. */
  start(): Promise<WatchStarted> {
    if (this.#started) return this.#started.promise;
    if (this.#phase !== 'new') return Promise.reject(new Error('The watch was stopped.'));
    this.#started = Promise.withResolvers();
    this.#phase = 'starting';
    this.#spawn();
    return this.#started.promise;
  }

  /** Before the first report after each start of the watch; it starts anew by itself when it ended unexpectedly. */
  onStarted(callback: (started: WatchStarted) => void): () => void {
    this.#onStarted.add(callback);
    return () => this.#onStarted.delete(callback);
  }

  /** Batches of what changed, in order. Returns the function that ends it. */
  onReports(callback: (reports: WatchReport[]) => void): () => void {
    this.#onReports.add(callback);
    return () => this.#onReports.delete(callback);
  }

  /** HEAD, the index, a ref or MERGE_HEAD changed; once for what happens within 50 ms. */
  onGitChanged(callback: () => void): () => void {
    this.#onGitChanged.add(callback);
    return () => this.#onGitChanged.delete(callback);
  }

  /** True: the folder is gone, and what was in it is not reported as removed. False: it is back; what differs is reported. */
  onRootGone(callback: (gone: boolean) => void): () => void {
    this.#onRootGone.add(callback);
    return () => this.#onRootGone.delete(callback);
  }

  /** Looks at these paths again and reports them even when nothing seems to have changed. */
  recheck(paths: string[]): void {
    if (paths.length === 0) return;
    const post = (): void => this.#post({ type: 'recheck', paths });
    if (this.#phase === 'starting') void this.#started?.promise.then(post, () => {});
    else post();
  }

  /** A file of these facts is about to be put at `at`, in this turn; whether it was, ownChanges says. */
  placing(at: string, stats: Stats): void {
    if (this.#readyAt === null) return;
    this.#placing = { path: at, kind: 'file', key: keyOfStats(stats) };
    this.#ownChanges?.postMessage({ writes: [], moved: [], coming: this.#placing } satisfies OwnChanges);
  }

  /**
   * We put files or folders at the one paths just now, and moved or removed those at the others, and whoever follows knows that. Should a program rename or remove
   * one, or put another or the same back, before the watch has looked there, that is still told. Of many, the last are kept in mind.
   */
  ownChanges(put: readonly string[], moved: readonly string[]): void {
    if (this.#readyAt === null) return;
    const writes: OwnWrite[] = [];
    for (const at of put.slice(-maxKept)) {
      // It may be gone from there already, or another's.
      const write = at === this.#placing?.path ? this.#placing : this.#ownWrite(at);
      if (write !== undefined) writes.push(write);
    }
    this.#placing = null;
    if (writes.length > 0 || moved.length > 0) this.#ownChanges?.postMessage({ writes, moved: moved.slice(-maxKept) } satisfies OwnChanges);
  }

  /**
   * Compares the whole folder with what is known, now. Resolves when everything that differs was reported. Rejects with STARTING while nothing is watched
   * because the worker keeps ending.
   */
  sweep(): Promise<void> {
    return this.#request((id) => ({ type: 'sweep', id }));
  }

  /**
   * Resolves when everything that was written before this call has been reported. Waits for files to settle, but after two seconds reports what is
   * there, so that a file which never stands still holds nobody up. With `paths`, for what was written to these files alone. Rejects as `sweep` does.
   */
  barrier(paths?: readonly string[]): Promise<void> {
    return this.#request((id) => ({ type: 'barrier', id, ...(paths === undefined ? {} : { paths }) }));
  }

  health(): WatchHealth {
    const state = this.#state;
    const degraded = this.#phase === 'watching' && this.#readyAt === null ? ended : state?.degraded;
    return {
      engine: state?.engine ?? 'inotify',
      directories: state?.directories ?? 0,
      files: state?.files ?? 0,
      rescans: state?.rescans ?? 0,
      overflows: state?.overflows ?? 0,
      heldByGit: state?.held ?? false,
      releasedInSpiteOfGit: state?.heldTooLong ?? false,
      rootGone: state?.rootGone ?? false,
      invalidNames: state?.invalidNames ?? 0,
      ...(degraded ? { degraded } : {}),
    };
  }

  /** Resolves when the worker has written its snapshot and ended, or was ended because it did not. Barriers and sweeps under way are rejected. */
  stop(withinMs = stopWithinMs): Promise<void> {
    this.#stopping ??= this.#stop(withinMs);
    return this.#stopping;
  }

  /** Keeps the worker's loop busy, as a starved machine would: for tests of what must not be lost then. */
  stallForTest(ms: number): void {
    this.#post({ type: 'stall', ms });
  }

  /** Ends the worker as an error in it would: for tests of what follows. */
  crashForTest(): void {
    this.#post({ type: 'crash' });
  }

  async #stop(withinMs: number): Promise<void> {
    const worker = this.#worker;
    this.#phase = 'stopping';
    if (this.#nextStart) clearTimeout(this.#nextStart);
    if (worker) {
      const exited = new Promise<void>((resolve) => worker.once('exit', () => resolve()));
      worker.ref();
      this.#post({ type: 'stop', mark: this.#mark() });
      const late = setTimeout(() => {
        this.#log.warn('watch.stop-forced', { afterMs: withinMs });
        void worker.terminate();
      }, withinMs);
      await exited;
      clearTimeout(late);
    }
    this.#phase = 'stopped';
    this.#worker = null;
    const stopped = new Error('The watch was stopped.');
    this.#started?.reject(stopped);
    this.#failAll(stopped);
  }

  #spawn(): void {
    const { port1, port2 } = new MessageChannel();
    const worker = new Worker(new URL('./watch-worker.ts', import.meta.url), {
      workerData: { settings: this.#settings, ownChanges: port2, mark: this.#mark() } satisfies WorkerData,
      transferList: [port2],
      name: 'watch',
      // The flags of this process (--test, -e, --inspect) are not meant for a worker.
      execArgv: [],
      // What the worker makes is garbage at once or lives for long; the default would let 48 MB of garbage pile up.
      resourceLimits: { maxYoungGenerationSizeMb: youngGenerationMb },
    });
    this.#worker = worker;
    this.#ownChanges = port1;
    port1.unref();
    worker.on('message', (message: FromWorker) => this.#receive(worker, message));
    worker.on('error', (error) => this.#log.error('watch.crashed', { error }));
    worker.once('exit', () => this.#exited(worker));
  }

  #takeState(state: WorkerState): void {
    if (state.degraded !== null && !this.#state?.degraded) this.#log.warn('watch.degraded', state.degraded);
    this.#state = state;
  }

  #receive(worker: Worker, message: FromWorker): void {
    switch (message.type) {
      case 'ready': {
        this.#takeState(message.state);
        this.#readyAt = performance.now();
        if (this.#phase === 'starting') this.#phase = 'watching';
        // Of git's own files no table is kept that a later worker could compare.
        else if (this.#phase === 'watching') this.#tellGitChanged();
        const { directories, files, engine } = message.state;
        const started = { directories, files, ms: message.ms, baseline: message.baseline, mark: message.mark };
        this.#log.info('watch.started', { directories, files, durationMs: Math.round(message.ms), baseline: message.baseline, engine });
        this.#started?.resolve(started);
        for (const callback of this.#onStarted) this.#call(callback, started);
        for (const { message: request } of this.#requests.values()) worker.postMessage(request);
        this.#holdOrRelease();
        break;
      }
      case 'failed':
        if (this.#phase === 'starting') this.#failStart(new Error(message.message));
        else this.#log.error('watch.crashed', { error: new Error(message.message) });
        // It hears nothing any more, and may still have what keeps it running.
        void worker.terminate();
        break;
      case 'reports':
        this.#takeState(message.state);
        for (const callback of message.reports.length > 0 ? this.#onReports : []) this.#call(callback, message.reports);
        worker.postMessage({ type: 'acknowledge', mark: this.#mark() } satisfies ToWorker);
        for (const id of message.barriers) this.#finish(id);
        break;
      case 'state':
        this.#takeState(message.state);
        break;
      case 'git':
        this.#tellGitChanged();
        break;
      case 'root':
        this.#log.warn(message.gone ? 'watch.root-gone' : 'watch.root-back');
        for (const callback of this.#onRootGone) this.#call(callback, message.gone);
        break;
      case 'stopped':
        break;
    }
  }

  #tellGitChanged(): void {
    for (const callback of this.#onGitChanged) this.#call(callback, undefined);
  }

  /** A listener that throws must not take the others' reports, nor the worker's acknowledgement, with it. */
  #call<T>(callback: (value: T) => void, value: T): void {
    try {
      callback(value);
    } catch (error) {
      this.#log.error('watch.listener-failed', { error });
    }
  }

  /** The worker ended and nobody asked it to: with a snapshot, the next one finds what happened meanwhile. */
  #exited(worker: Worker): void {
    if (this.#worker !== worker || this.#phase === 'stopping') return;
    this.#worker = null;
    if (this.#readyAt !== null && performance.now() - this.#readyAt > steadyMs) this.#restarts = 0;
    this.#readyAt = null;
    if (this.#phase === 'starting') this.#failStart(new Error('The watch ended unexpectedly.'));
    else if (this.#phase === 'watching') this.#restart();
  }

  #failStart(error: Error): void {
    this.#phase = 'stopped';
    this.#started?.reject(error);
    this.#failAll(error);
  }

  #restart(): void {
    const waitMs = this.#restarts < restartsAtOnce ? 0 : Math.min(firstWaitMs * 2 ** (this.#restarts - restartsAtOnce), maxWaitMs);
    this.#restarts++;
    if (waitMs === 0) return this.#spawnAgain();
    this.#log.error('watch.waits', { restarts: this.#restarts, waitMs });
    this.#failAll(notWatched());
    this.#nextStart = setTimeout(() => this.#spawnAgain(), waitMs);
    this.#nextStart.unref();
  }

  #spawnAgain(): void {
    this.#log.error('watch.restarted', { restarts: this.#restarts });
    try {
      this.#spawn();
    } catch (error) {
      // There is not even room for a thread.
      this.#log.error('watch.crashed', { error });
      this.#restart();
    }
  }

  #request(message: (id: number) => ToWorker): Promise<void> {
    if (this.#phase !== 'starting' && this.#phase !== 'watching') return Promise.reject(new Error('The watch is not running.'));
    if (this.#worker === null) return Promise.reject(notWatched());
    const id = this.#nextId++;
    const request = { message: message(id), done: Promise.withResolvers<void>() };
    this.#requests.set(id, request);
    // One that has not read the folder yet is asked when it has.
    if (this.#readyAt !== null) this.#post(request.message);
    this.#holdOrRelease();
    return request.done.promise;
  }

  #finish(id: number): void {
    this.#requests.get(id)?.done.resolve();
    this.#requests.delete(id);
    this.#holdOrRelease();
  }

  #failAll(error: Error): void {
    for (const { done } of this.#requests.values()) done.reject(error);
    this.#requests.clear();
  }

  /** The worker alone does not keep the process alive; somebody who waits for it does. */
  #holdOrRelease(): void {
    if (this.#requests.size > 0 || this.#phase === 'starting' || this.#phase === 'stopping') this.#worker?.ref();
    else this.#worker?.unref();
  }

  /** Undefined: it can't be looked at, or is gone already. */
  #ownWrite(at: string): OwnWrite | undefined {
    try {
      const stats = lstatSync(path.join(this.#settings.root, at));
      return { path: at, kind: kindOfStats(stats), key: keyOfStats(stats) };
    } catch {
      return undefined;
    }
  }

  #post(message: ToWorker): void {
    this.#worker?.postMessage(message);
  }
}

function notWatched(): OutriggerError {
  return new OutriggerError('STARTING', 'The watch of the folder ended unexpectedly; it is started again in a moment.');
}
