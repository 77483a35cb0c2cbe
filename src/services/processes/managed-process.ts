import { OutriggerError } from '../../contract/errors.ts';
import type { EndReason } from '../../contract/processes.ts';
import type { HostedProcess, HostExit, HostRequest, ProcessHost, TerminalSize } from './host.ts';
import type { OutputLog } from './output-log.ts';

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
  /** What is started, each time anew; `release` is called when it runs or could not be started. */
  place: () => { request: HostRequest; release: () => void };
  stdin: string | undefined;
  keepStdinOpen: boolean;
  timeoutMs: number | undefined;
  restart: RestartPolicy;
  /** Around each run of it. */
  before: () => Promise<void>;
  after: () => Promise<void>;
  /** Ends what left the group. */
  endStrays: (pid: number) => Promise<void>;
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

/** One program: started, and started again as its policy says, until it has ended for good. */
export class ManagedProcess {
  readonly log: OutputLog;
  readonly facts: ManagedFacts;
  readonly #request: ManagedRequest;
  #hosted: HostedProcess | undefined;
  /** Why it is being ended. */
  #ending: EndReason | undefined;
  #restartTimer: NodeJS.Timeout | undefined;
  #killTimer: NodeJS.Timeout | undefined;
  #unsteady = 0;
  #size: TerminalSize | undefined;
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

  /** Resolves when it runs. Throws TOOL_MISSING, FILE_PERMISSION, HOST_UNAVAILABLE, and what `place` throws. */
  async start(): Promise<void> {
    if (this.isOver) this.#ended = Promise.withResolvers<void>();
    this.#unsteady = 0;
    try {
      await this.#launch();
    } catch (error) {
      this.#over('failed');
      throw error;
    }
  }

  /** Resolves when it and its group are gone. */
  async stop(graceMs: number, reason: EndReason = 'stopped'): Promise<void> {
    if (this.isOver) return;
    this.#ending ??= reason;
    if (this.#restartTimer !== undefined) {
      clearTimeout(this.#restartTimer);
      this.#over(this.#ending);
    }
    this.#end(graceMs);
    await this.#ended.promise;
  }

  /** Throws PROCESS_ENDED. */
  signal(name: NodeJS.Signals): void {
    this.#running().signal(name);
  }

  /** Resolves when there is room for more. Throws PROCESS_ENDED. */
  async write(bytes: Uint8Array): Promise<void> {
    await this.#running().write(bytes);
  }

  /** Throws PROCESS_ENDED. */
  endInput(): void {
    this.#running().endInput();
  }

  /** Throws PROCESS_ENDED. */
  resize(size: TerminalSize): void {
    this.#size = size;
    this.#running().resize(size);
  }

  /** Nothing more is read of its output until `resume`, which holds it back when the pipes are full. */
  pause(): void {
    for (const output of [this.#hosted?.stdout, this.#hosted?.stderr]) output?.pause();
  }

  resume(): void {
    for (const output of [this.#hosted?.stdout, this.#hosted?.stderr]) output?.resume();
  }

  #running(): HostedProcess {
    if (this.#hosted === undefined) throw new OutriggerError('PROCESS_ENDED', 'The process is not running.');
    return this.#hosted;
  }

  async #launch(): Promise<void> {
    const { facts } = this;
    for (const name of ['pid', 'endedAt', 'exitCode', 'exitSignal', 'reason', 'problem'] as const) delete facts[name];
    this.#ending = undefined;
    this.#set({ state: 'starting', startedAt: this.#request.now() });
    this.log.goOn();
    await this.#request.before();
    // Stopped meanwhile.
    if (this.#ending !== undefined) return this.#over(this.#ending);
    try {
      await this.#spawn();
    } catch (error) {
      facts.problem = error instanceof Error ? error.message : String(error);
      throw error;
    }
  }

  async #spawn(): Promise<void> {
    const { host, place, stdin, keepStdinOpen, timeoutMs } = this.#request;
    const { request, release } = place();
    let hosted: HostedProcess;
    try {
      const terminal = request.terminal === undefined ? undefined : (this.#size ?? request.terminal);
      hosted = await host.start(terminal === undefined ? request : { ...request, terminal });
    } finally {
      release();
    }
    this.#hosted = hosted;
    this.#set({ state: 'running', pid: hosted.pid });
    const output = Promise.all([this.#read('stdout', hosted.stdout), this.#read('stderr', hosted.stderr)]);
    if (stdin !== undefined) void hosted.write(Buffer.from(stdin));
    if (!keepStdinOpen && request.terminal === undefined) hosted.endInput();
    const limit = timeoutMs === undefined ? undefined : setTimeout(() => void this.stop(LIMIT_GRACE_MS, 'timeout'), timeoutMs);
    void this.#follow(hosted, output, limit);
    // It was stopped while it was being started.
    if (this.#ending !== undefined) this.#end(LIMIT_GRACE_MS);
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

  async #follow(hosted: HostedProcess, output: Promise<unknown>, limit: NodeJS.Timeout | undefined): Promise<void> {
    const exit = await hosted.exit;
    clearTimeout(limit);
    // As an init does: the end of the program is the end of what it started, or nobody would ever end that.
    hosted.signal(this.#ending === undefined ? 'SIGTERM' : 'SIGKILL');
    await Promise.race([output, delay(LIMIT_GRACE_MS)]);
    hosted.signal('SIGKILL');
    if (this.#ending !== undefined) await this.#request.endStrays(hosted.pid);
    await Promise.race([output, delay(LAST_OUTPUT_MS)]);
    clearTimeout(this.#killTimer);
    hosted.stdout.destroy();
    hosted.stderr?.destroy();
    this.#hosted = undefined;
    this.#exited(exit);
  }

  #exited(exit: HostExit): void {
    const { facts } = this;
    const { restart } = this.#request;
    delete facts.pid;
    if (exit.exitCode !== null) facts.exitCode = exit.exitCode;
    if (exit.exitSignal !== null) facts.exitSignal = exit.exitSignal;
    const reason = this.#ending ?? (exit.lost === true ? 'lost' : exit.exitSignal === null ? 'exit' : 'signal');
    const failed = reason !== 'exit' || exit.exitCode !== 0;
    const again = this.#ending !== 'stopped' && (restart.when === 'always' || (restart.when === 'on-failure' && failed));
    if (again) this.#startLater(reason);
    else this.#over(reason);
  }

  #startLater(reason: EndReason): void {
    const { facts } = this;
    const { restart, now, after } = this.#request;
    if (now() - facts.startedAt >= STEADY_MS) this.#unsteady = 0;
    if (this.#unsteady >= restart.most) return this.#over(reason);
    const wait = Math.min(LAST_RESTART_MS, FIRST_RESTART_MS * 2 ** this.#unsteady++);
    this.#set({ state: 'waiting', endedAt: now(), reason });
    void after();
    this.#restartTimer = setTimeout(() => {
      this.#restartTimer = undefined;
      facts.restarts++;
      this.#launch().catch(() => this.#startLater('failed'));
    }, wait);
  }

  #over(reason: EndReason): void {
    this.#set({ state: 'ended', endedAt: this.#request.now(), reason });
    this.#restartTimer = undefined;
    this.log.finish();
    const ended = this.#ended;
    void this.#request.after().finally(() => ended.resolve());
  }

  /** SIGTERM now and SIGKILL later, to the group. */
  #end(graceMs: number): void {
    const hosted = this.#hosted;
    if (hosted === undefined) return;
    clearTimeout(this.#killTimer);
    if (graceMs > 0) hosted.signal('SIGTERM');
    // One that was stopped by a signal does not hear of others.
    hosted.signal('SIGCONT');
    this.#killTimer = setTimeout(() => hosted.signal('SIGKILL'), graceMs);
  }

  #set(facts: Partial<ManagedFacts>): void {
    Object.assign(this.facts, facts);
    this.#request.changed();
  }
}

function delay(ms: number): Promise<void> {
  return new Promise((resolve) => void setTimeout(resolve, ms).unref());
}
