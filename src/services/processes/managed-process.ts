import { OutriggerError } from '../../contract/errors.ts';
import type { EndReason } from '../../contract/processes.ts';
import type { HostedProcess, HostExit, HostRequest, ProcessHost, TerminalSize } from './host.ts';
import { InputQueue } from './input-queue.ts';
import type { OutputLog } from './output-log.ts';
import { timeLimit } from './time-limit.ts';

/** Between SIGTERM and SIGKILL at a limit, and for what a program leaves behind in its group. */
const LIMIT_GRACE_MS = 150;
/** Output that is still in the pipes when a program ended; who holds them open longer is not waited for. */
const LAST_OUTPUT_MS = 500;
/** Having run so long, a program counts as started well. */
const STEADY_MS = 10_000;
const FIRST_RESTART_MS = 500;
const LAST_RESTART_MS = 60_000;

export interface RestartPolicy {
  when: 'never' | 'on-failure' | 'always';
  /** Without a steady time between. */
  most: number;
}

export interface ManagedRequest {
  host: ProcessHost;
  /** What is started, each time anew. */
  place: () => HostRequest;
  stdin: string | undefined;
  keepStdinOpen: boolean;
  timeoutMs: number | undefined;
  restart: RestartPolicy;
  /** Around each run of it; they never reject, and end some time. */
  before: () => Promise<void>;
  after: () => Promise<void>;
  /** Ends what left the group. Never rejects. */
  endStrays: () => Promise<void>;
  changed: () => void;
  /** Milliseconds since 1970. */
  now: () => number;
}

export type ManagedState = 'starting' | 'running' | 'waiting' | 'ended';

/** What became of a process, as far as it is known. */
export interface ManagedFacts {
  state: ManagedState;
  pid?: number;
  startedAt: number;
  endedAt?: number;
  exitCode?: number;
  exitSignal?: string;
  reason?: EndReason;
  problem?: string;
  restarts: number;
}

/** A program that runs, and what is on its way to it. */
interface Run {
  hosted: HostedProcess;
  input: InputQueue;
}

/** One program: started, and started again as its policy says, until it has ended for good. */
export class ManagedProcess {
  readonly log: OutputLog;
  readonly facts: ManagedFacts;
  readonly #request: ManagedRequest;
  #run: Run | undefined;
  /** Why it is being ended. */
  #ending: EndReason | undefined;
  /** It is being ended, whatever its policy says: stopped, with the sidecar, or to be started again. */
  #isHalted = false;
  /** Whether it is to run, as far as whoever started it is concerned: outlives an end that is none of theirs. */
  #isWanted = true;
  /** Aborted when a start is not waited for any more. */
  #starting = new AbortController();
  /** By performance.now(), which no change of the clock touches. */
  #launchedAt = 0;
  #restartTimer: NodeJS.Timeout | undefined;
  #kill: { timer: NodeJS.Timeout; at: number } | undefined;
  #unsteady = 0;
  #size: TerminalSize | undefined;
  /** Who holds its output back. */
  readonly #holders = new Set<object>();
  /** Resolved when the first comes or the last goes, and at a stop. */
  #turn = Promise.withResolvers<void>();
  #restarting: Promise<void> | undefined;
  /** Counts stops that were asked for. */
  #stops = 0;
  #ended = Promise.withResolvers<void>();

  constructor(request: ManagedRequest, log: OutputLog) {
    this.#request = request;
    this.log = log;
    this.facts = { state: 'starting', startedAt: request.now(), restarts: 0 };
  }

  /** Resolves when it has ended for good. */
  get ended(): Promise<void> {
    return this.#ended.promise;
  }

  get isOver(): boolean {
    return this.facts.state === 'ended';
  }

  /** Ended or not, it is about to be started. */
  get isRestarting(): boolean {
    return this.#restarting !== undefined;
  }

  /** Resolves when it is not about to be started again, however that went. */
  async restarted(): Promise<void> {
    await this.#restarting?.catch(() => {});
  }

  /** Whether it is to run, as far as whoever started it is concerned: not after `stop`, nor when it ended and its policy leaves it at that. */
  get isWanted(): boolean {
    return this.#isWanted;
  }

  /**
   * Resolves when it runs, or was stopped before it did; `unwanted` ends it until then. Throws TOOL_MISSING, FILE_PERMISSION, HOST_UNAVAILABLE,
   * what `place` throws, and the reason of `unwanted`.
   */
  async start(unwanted?: AbortSignal): Promise<void> {
    if (this.isOver) this.#ended = Promise.withResolvers<void>();
    this.#unsteady = 0;
    this.#isHalted = false;
    this.#isWanted = true;
    try {
      await this.#launch(unwanted);
    } catch (error) {
      this.#over('failed');
      throw error;
    }
  }

  /** One of an earlier sidecar, which has ended; `isWanted`: it is to be resumed. */
  remember(facts: ManagedFacts, isWanted: boolean): void {
    Object.assign(this.facts, facts);
    this.#isWanted = isWanted;
    delete this.facts.pid;
    this.log.finish();
    this.#ended.resolve();
  }

  /** Starts it as its policy would: what fails is tried again. */
  resume(): void {
    this.#ended = Promise.withResolvers<void>();
    this.#isHalted = false;
    this.#isWanted = true;
    this.#launch().catch(() => this.#startLater('failed'));
  }

  /**
   * Ends it, where it runs, and starts it again; who asks meanwhile gets the same. `mayStart` throws where it may not. Throws as `start` does,
   * and PROCESS_ENDED when it was stopped meanwhile.
   */
  restart(graceMs: number, mayStart: () => void): Promise<void> {
    this.#restarting ??= this.#restart(graceMs, mayStart).finally(() => (this.#restarting = undefined));
    return this.#restarting;
  }

  /** Nobody wants it any more. Resolves when it, its group and what left that are gone. */
  async stop(graceMs: number): Promise<void> {
    // Before its end, which may take long.
    this.unwant();
    await this.halt(graceMs);
  }

  /** Nobody wants it any more, whether it has ended or not. */
  unwant(): void {
    if (!this.#isWanted) return;
    this.#isWanted = false;
    this.#request.changed();
  }

  /** As `stop`, where it is wanted as before: its end is that of the sidecar. */
  async halt(graceMs: number): Promise<void> {
    this.#stops++;
    await this.#stop(graceMs, 'stopped');
  }

  /** Throws PROCESS_ENDED. */
  signal(name: NodeJS.Signals): void {
    this.#running().hosted.signal(name);
  }

  /** Resolves when there is room for more. Throws PROCESS_ENDED, BAD_INPUT after the end of the input, and the signal's reason. */
  async write(bytes: Uint8Array, signal?: AbortSignal): Promise<void> {
    await this.#running().input.write(bytes, signal);
  }

  /** After what was written before. Throws PROCESS_ENDED, and the signal's reason. */
  async endInput(signal?: AbortSignal): Promise<void> {
    await this.#running().input.end(signal);
  }

  /** Throws PROCESS_ENDED. */
  checkRunning(): void {
    this.#running();
  }

  /** Throws PROCESS_ENDED. */
  resize(size: TerminalSize): void {
    const { hosted } = this.#running();
    this.#size = size;
    hosted.resize(size);
  }

  /** Nothing more is read of its output until nobody holds it any more, which holds the program back when the pipes are full. */
  hold(holder: object): void {
    this.#holders.add(holder);
    if (this.#holders.size > 1) return;
    this.#eachOutput((output) => output.pause());
    this.#turned();
  }

  letGo(holder: object): void {
    if (!this.#holders.delete(holder) || this.#holders.size > 0) return;
    this.#eachOutput((output) => output.resume());
    this.#turned();
  }

  #turned(): void {
    this.#turn.resolve();
    this.#turn = Promise.withResolvers();
  }

  #eachOutput(use: (output: HostedProcess['stdout']) => void): void {
    for (const output of [this.#run?.hosted.stdout, this.#run?.hosted.stderr]) if (output !== undefined) use(output);
  }

  #running(): Run {
    if (this.#run === undefined) throw new OutriggerError('PROCESS_ENDED', 'The process is not running.');
    return this.#run;
  }

  // ── start

  async #restart(graceMs: number, mayStart: () => void): Promise<void> {
    const stops = this.#stops;
    await this.#stop(graceMs, 'stopped');
    if (this.#stops !== stops) throw new OutriggerError('PROCESS_ENDED', 'It was stopped while it was to be started again.');
    mayStart();
    await this.start();
  }

  async #launch(unwanted?: AbortSignal): Promise<void> {
    const { facts } = this;
    for (const name of ['pid', 'endedAt', 'exitCode', 'exitSignal', 'reason', 'problem'] as const) delete facts[name];
    this.#ending = undefined;
    this.#starting = new AbortController();
    this.#launchedAt = performance.now();
    const signal = AbortSignal.any([this.#starting.signal, ...(unwanted === undefined ? [] : [unwanted])]);
    this.#set({ state: 'starting', startedAt: this.#request.now() });
    this.log.goOn();
    try {
      await orAborted(this.#request.before(), signal);
      await this.#spawn(signal);
    } catch (failure) {
      if (this.#ending !== undefined) return this.#over(this.#ending);
      const error: unknown = signal.aborted ? signal.reason : failure;
      facts.problem = error instanceof Error ? error.message : String(error);
      throw error;
    }
  }

  async #spawn(signal: AbortSignal): Promise<void> {
    const { host, place, stdin, keepStdinOpen, timeoutMs } = this.#request;
    const request = place();
    const terminal = request.terminal === undefined ? undefined : (this.#size ?? request.terminal);
    const starting = host.start(terminal === undefined ? request : { ...request, terminal }, signal);
    let hosted: HostedProcess;
    try {
      hosted = await orAborted(starting, signal);
      // A stop since it was there has found no program yet.
      signal.throwIfAborted();
    } catch (error) {
      // A host that does not listen may start it all the same.
      starting.then(discard, () => {});
      throw error;
    }
    const input = new InputQueue({
      write: (bytes) => hosted.write(bytes),
      end: () => hosted.endInput(),
      endsForGood: request.terminal === undefined,
    });
    const run: Run = { hosted, input };
    this.#run = run;
    this.#set({ state: 'running', pid: hosted.pid });
    const output = Promise.all([this.#read('stdout', hosted.stdout), this.#read('stderr', hosted.stderr)]);
    if (this.#holders.size > 0) this.#eachOutput((held) => held.pause());
    // A program that ends before it has read all of it ended all the same.
    if (stdin !== undefined) input.write(Buffer.from(stdin)).catch(() => {});
    if (!keepStdinOpen && request.terminal === undefined) input.end().catch(() => {});
    const unlimit = timeoutMs === undefined ? undefined : timeLimit(timeoutMs, () => void this.#stop(LIMIT_GRACE_MS, 'timeout'));
    void this.#follow(run, output, unlimit);
  }

  #read(name: 'stdout' | 'stderr', stream: HostedProcess['stderr']): Promise<void> {
    if (stream === undefined) return Promise.resolve();
    stream.on('data', (bytes: Buffer) => this.log.append(name, bytes));
    return new Promise((resolve) => {
      // A pseudo terminal whose other end is closed fails instead of ending.
      stream.once('end', resolve);
      stream.once('close', resolve);
      stream.once('error', () => resolve());
    });
  }

  // ── end

  async #stop(graceMs: number, reason: EndReason): Promise<void> {
    if (reason === 'stopped') this.#isHalted = true;
    // What a program that ended left behind.
    if (this.isOver) return this.#request.endStrays();
    this.#ending ??= reason;
    this.#turned();
    if (this.#restartTimer !== undefined) {
      clearTimeout(this.#restartTimer);
      this.#restartTimer = undefined;
      await this.#request.endStrays();
      return this.#over(this.#ending);
    }
    this.#starting.abort();
    this.#end(graceMs);
    await this.#ended.promise;
  }

  /** SIGTERM now and SIGKILL later, to the group; a later call can make that sooner alone. */
  #end(graceMs: number): void {
    const hosted = this.#run?.hosted;
    if (hosted === undefined) return;
    if (graceMs > 0) hosted.signal('SIGTERM');
    // One that was stopped by a signal does not hear of others.
    hosted.signal('SIGCONT');
    const at = performance.now() + graceMs;
    if (this.#kill !== undefined && this.#kill.at <= at) return;
    clearTimeout(this.#kill?.timer);
    this.#kill = { timer: setTimeout(() => hosted.signal('SIGKILL'), graceMs), at };
  }

  async #follow({ hosted, input }: Run, output: Promise<unknown>, unlimit: (() => void) | undefined): Promise<void> {
    const exit = await hosted.exit;
    unlimit?.();
    input.close();
    // As an init does: the end of the program is the end of what it started, or nobody would ever end that.
    hosted.signal(this.#ending === undefined ? 'SIGTERM' : 'SIGKILL');
    await this.#lastOutput(output, LIMIT_GRACE_MS);
    hosted.signal('SIGKILL');
    const wasEnding = this.#ending !== undefined;
    if (wasEnding) await this.#request.endStrays();
    await this.#lastOutput(output, LAST_OUTPUT_MS);
    // Stopped in that wait.
    if (!wasEnding && this.#ending !== undefined) await this.#request.endStrays();
    clearTimeout(this.#kill?.timer);
    this.#kill = undefined;
    hosted.stdout.destroy();
    hosted.stderr?.destroy();
    this.#run = undefined;
    this.#exited(hosted.isCut === true ? { ...exit, lost: true } : exit);
  }

  /** Resolves when all output was read, or could have been for so long: time in which it is held back does not count until a stop. */
  async #lastOutput(output: Promise<unknown>, ms: number): Promise<void> {
    let isRead = false;
    void output.then(() => (isRead = true));
    for (let left = ms; left > 0 && !isRead; ) {
      const isHeld = this.#holders.size > 0 && this.#ending === undefined;
      const since = performance.now();
      await Promise.race([output, this.#turn.promise, ...(isHeld ? [] : [delay(left)])]);
      if (!isHeld) left -= performance.now() - since;
    }
  }

  #exited(exit: HostExit): void {
    const { facts } = this;
    const { restart } = this.#request;
    delete facts.pid;
    if (exit.exitCode !== null) facts.exitCode = exit.exitCode;
    if (exit.exitSignal !== null) facts.exitSignal = exit.exitSignal;
    const reason = this.#ending ?? (exit.lost === true ? 'lost' : exit.exitSignal === null ? 'exit' : 'signal');
    const failed = reason !== 'exit' || exit.exitCode !== 0;
    const again = restart.when === 'always' || (restart.when === 'on-failure' && failed);
    if (again) this.#startLater(reason);
    else this.#over(reason);
  }

  #startLater(reason: EndReason): void {
    const { facts } = this;
    const { restart, now, after } = this.#request;
    if (this.#isHalted) return this.#over(this.#ending ?? reason);
    if (performance.now() - this.#launchedAt >= STEADY_MS) this.#unsteady = 0;
    if (this.#unsteady >= restart.most) return this.#over(reason);
    const wait = Math.min(LAST_RESTART_MS, FIRST_RESTART_MS * 2 ** this.#unsteady++);
    this.#ending = undefined;
    this.#set({ state: 'waiting', endedAt: now(), reason });
    void after();
    this.#restartTimer = setTimeout(() => {
      this.#restartTimer = undefined;
      facts.restarts++;
      this.#launch().catch(() => this.#startLater('failed'));
    }, wait);
  }

  #over(reason: EndReason): void {
    if (this.isOver) return;
    this.log.finish();
    if (!this.#isHalted) this.#isWanted = false;
    this.#set({ state: 'ended', endedAt: this.#request.now(), reason });
    const ended = this.#ended;
    void this.#request.after().finally(() => ended.resolve());
  }

  #set(facts: Partial<ManagedFacts>): void {
    Object.assign(this.facts, facts);
    this.#request.changed();
  }
}

/** Nobody wants it any more. */
function discard(hosted: HostedProcess): void {
  hosted.signal('SIGKILL');
  hosted.stdout.destroy();
  hosted.stderr?.destroy();
}

/** What it waits for goes on without it. */
async function orAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  const { promise, reject } = Promise.withResolvers<never>();
  const abort = (): void => reject(signal.reason);
  signal.addEventListener('abort', abort, { once: true });
  try {
    signal.throwIfAborted();
    return await Promise.race([work, promise]);
  } finally {
    signal.removeEventListener('abort', abort);
  }
}

function delay(ms: number): Promise<void> {
  return new Promise((resolve) => void setTimeout(resolve, ms).unref());
}
