import { OutriggerError } from '../contract/errors.ts';
import { Backoff } from '../core/backoff.ts';
import { Emitter } from '../core/emitter.ts';
import type { PeerCall, PeerTimers } from '../core/peer.ts';
import { type ChildCommand, ChildLink, describeEnd, type Launch, launchProcess, notStarted } from './child-link.ts';
import type { SidecarBinary } from './resolve-binary.ts';

export interface SupervisorOptions {
  /** What to start, from `resolveBinary`. */
  binary: SidecarBinary;
  /** Arguments that make it serve a folder over stdio. */
  args?: (root: string) => readonly string[];
  /** The child's environment, before what `binary` adds. Without it the environment of this process. */
  env?: Readonly<Record<string, string | undefined>>;
  /** The current folder of the child; without it that of this process. */
  cwd?: string;
  /** One line of the child's stderr, without its line break and of 8 KiB at most. */
  onLog?: (line: string) => void;
  /** A child that has not answered its first ping by then is killed. */
  readyTimeoutMs?: number;
  /** Of requests that set none. */
  requestTimeoutMs?: number;
  /** After a request ran out of time the child must answer a ping within this, else it is taken for hung and replaced. */
  pulseTimeoutMs?: number;
  /** How long a child that was asked to end may take before it is killed. */
  killAfterMs?: number;
  /** Restarts without a stable run in between; after the last one no more is tried. */
  maxRestarts?: number;
  /** A run that lasts so long is stable. */
  stableMs?: number;
  /** Between restarts: full jitter below a bound that doubles from base to max. */
  backoff?: { baseMs: number; maxMs: number };
  /** The longest answer that is taken. */
  maxMessageBytes?: number;
  /** The longest request that is sent, UTF-16 units of JSON. The sidecar's own limit is the option `limits.frameBytes`. */
  maxRequestLength?: number;
  /** For tests. */
  timers?: PeerTimers;
  random?: () => number;
  launch?: Launch;
  platform?: NodeJS.Platform;
}

export type SupervisorState =
  | { name: 'stopped' }
  | { name: 'starting'; restarts: number }
  | { name: 'ready'; restarts: number; pid: number | undefined; version: string | undefined }
  /** It ended, and is started again after `delayMs`. */
  | { name: 'waiting'; restarts: number; delayMs: number; error: OutriggerError }
  /** It is not tried again until `start` is called. */
  | { name: 'failed'; error: OutriggerError }
  | { name: 'stopping' };

export interface RequestOptions {
  timeoutMs?: number;
  signal?: AbortSignal;
}

interface Run {
  readonly link: ChildLink;
  pulse: Promise<void> | undefined;
}

const defaults = {
  readyTimeoutMs: 10_000,
  requestTimeoutMs: 30_000,
  pulseTimeoutMs: 5000,
  killAfterMs: 5000,
  maxRestarts: 5,
  stableMs: 60_000,
  backoff: { baseMs: 200, maxMs: 10_000 },
  maxMessageBytes: 64 * 1024 * 1024,
  maxRequestLength: 1024 * 1024,
};

const hostTimers: PeerTimers = {
  set: (run, ms) => setTimeout(run, ms),
  clear: (timer) => clearTimeout(timer as NodeJS.Timeout | undefined),
  soon: (run) => void setImmediate(run),
};

/**
 * The host's side of a child sidecar: starts it, asks it, starts it again when it ends by itself, and ends it. Nothing here waits
 * without an end: while there is no child that answers, requests fail at once and say what happens next.
 */
export class Supervisor {
  readonly #options: SupervisorOptions & typeof defaults;
  readonly #timers: PeerTimers;
  readonly #platform: NodeJS.Platform;
  readonly #backoff: Backoff;
  readonly #events: Emitter<{ state: SupervisorState }>;
  #state: SupervisorState = { name: 'stopped' };
  #root: string | undefined;
  #run: Run | undefined;
  #starting: Promise<void> | undefined;
  #stopping: Promise<void> | undefined;
  /** Calls of `stop`: a start during which one came is over. */
  #stops = 0;
  #restarts = 0;
  #restartTimer: unknown;
  #stableTimer: unknown;
  #junkLines = 0;
  readonly #killAtExit = (): void => this.#run?.link.kill();

  constructor(options: SupervisorOptions) {
    this.#options = { ...defaults, ...options };
    this.#timers = options.timers ?? hostTimers;
    this.#platform = options.platform ?? process.platform;
    this.#backoff = new Backoff({ ...this.#options.backoff, random: options.random ?? Math.random });
    this.#events = new Emitter((error) => this.#options.onLog?.(`a listener of the sidecar's state failed: ${String(error)}`));
  }

  get state(): SupervisorState {
    return this.#state;
  }

  /** Lines of all runs' stdout that were no messages; the first of each run are in the log. */
  get junkLines(): number {
    return this.#junkLines + (this.#run?.link.junkLines ?? 0);
  }

  /** Tells of each new state; returns how to stop listening. */
  onState(listener: (state: SupervisorState) => void): () => void {
    return this.#events.on('state', listener);
  }

  /**
   * Starts the child for `root` and resolves when it has answered a ping. Rejects when it can't be started, ends before that, or says
   * nothing for `readyTimeoutMs`; it is then `failed`, and the next `start` tries again. While it runs for the same folder this is the
   * same start; for another folder it throws a TypeError: stop it first. Rejects with STOPPING when `stop` is called before it is over.
   */
  async start(root: string): Promise<void> {
    const stops = this.#stops;
    await this.#stopping;
    if (this.#stops !== stops) throw stoppedMeanwhile();
    if (this.#root !== undefined && this.#root !== root && this.#state.name !== 'failed' && this.#state.name !== 'stopped')
      throw new TypeError(`This supervisor serves ${this.#root}: stop it before it is started for ${root}.`);
    if (this.#state.name === 'ready') return;
    if (this.#starting !== undefined) return await this.#starting;
    this.#timers.clear(this.#restartTimer);
    this.#root = root;
    this.#restarts = 0;
    this.#backoff.reset();
    process.off('exit', this.#killAtExit);
    process.on('exit', this.#killAtExit);
    this.#starting = this.#attempt(root);
    try {
      await this.#starting;
    } catch (error) {
      const known = asError(error);
      if (this.#stops === stops) this.#fail(known);
      throw known;
    } finally {
      this.#starting = undefined;
    }
  }

  /**
   * Ends the child: closes its input, asks by SIGTERM where that asks, kills it after `killAfterMs`. Requests under way fail with
   * STOPPING. Resolves when it is gone; may be called twice.
   */
  stop(): Promise<void> {
    this.#stops++;
    if (this.#stopping !== undefined) return this.#stopping;
    if (this.#state.name === 'stopped') return Promise.resolve();
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    // Known before a listener hears of it, which may start or stop by then.
    this.#stopping = promise.finally(() => {
      this.#stopping = undefined;
    });
    this.#stop().then(resolve, reject);
    return this.#stopping;
  }

  /**
   * Asks the child. Throws OutriggerError: DEADLINE after `timeoutMs`, CANCELED by `signal` (the child is told in both cases), what the
   * child answered, or at once CONNECTION_LOST, STARTING or STOPPING while no child answers.
   */
  async request(method: string, params: unknown, options: RequestOptions = {}): Promise<unknown> {
    const { run, call } = this.#call(method, params, { timeoutMs: this.#options.requestTimeoutMs, ...options });
    try {
      return await call.result;
    } catch (error) {
      if (error instanceof OutriggerError && error.reason === 'DEADLINE') void this.#checkPulse(run);
      throw error;
    }
  }

  /** As `request`, with items as they come and no time limit but its own `timeoutMs`. Leaving the loop cancels it. */
  stream(method: string, params: unknown, options: RequestOptions = {}): Pick<PeerCall, 'items' | 'result'> {
    return this.#call(method, params, options, true).call;
  }

  #call(method: string, params: unknown, options: RequestOptions, stream = false): { run: Run; call: PeerCall } {
    const run = this.#run;
    if (this.#state.name !== 'ready' || run === undefined) throw this.#unavailable(method);
    const call = run.link.peer.call(method, params, {
      stream,
      ...(options.timeoutMs === undefined ? {} : { timeoutMs: options.timeoutMs }),
      ...(options.signal === undefined ? {} : { signal: options.signal }),
    });
    return { run, call };
  }

  #unavailable(method: string): OutriggerError {
    const state = this.#state;
    const begin = `${method} can't be asked now`;
    switch (state.name) {
      case 'waiting':
        return new OutriggerError(
          'CONNECTION_LOST',
          `${begin}: ${state.error.message} It is started again in ${state.delayMs} ms (restart ${state.restarts} of ${this.#options.maxRestarts}); try again after that.`,
          { cause: state.error },
        );
      case 'failed':
        return new OutriggerError('CONNECTION_LOST', `${begin}: ${state.error.message} Nothing more is tried; call start() to try again.`, {
          cause: state.error,
        });
      case 'stopping':
        return new OutriggerError('STOPPING', `${begin}: the sidecar is being stopped.`);
      case 'stopped':
        return new OutriggerError('CONNECTION_LOST', `${begin}: the sidecar is not running; call start() first.`);
      default:
        return new OutriggerError('STARTING', `${begin}: the sidecar is starting; wait for the state "ready".`);
    }
  }

  /** One child, from its start to its first answer. Rejects with what went wrong; the child is gone then, or killed. */
  async #attempt(root: string): Promise<void> {
    const { binary, readyTimeoutMs } = this.#options;
    this.#set({ name: 'starting', restarts: this.#restarts });
    this.#throwUnless('starting');
    const command: ChildCommand = {
      command: binary.command,
      args: [...binary.args, ...(this.#options.args ?? stdioArgs)(root)],
      env: { ...(this.#options.env ?? process.env), ...binary.env },
      cwd: this.#options.cwd,
    };
    let link: ChildLink;
    try {
      link = new ChildLink((this.#options.launch ?? launchProcess)(command), {
        timers: this.#timers,
        onLog: (line) => this.#log(line),
        maxMessageBytes: this.#options.maxMessageBytes,
        maxRequestLength: this.#options.maxRequestLength,
      });
    } catch (error) {
      throw notStarted(binary.command, error as Error);
    }
    const run: Run = { link, pulse: undefined };
    this.#run = run;
    let ready = false;
    void link.ended.then((end) => {
      this.#junkLines += link.junkLines;
      const error =
        end.spawnError === undefined
          ? new OutriggerError('CONNECTION_LOST', `The sidecar ended by itself (${describeEnd(end)})${lastWords(link)}.`)
          : notStarted(binary.command, end.spawnError);
      link.peer.close(error);
      if (this.#run !== run) return;
      this.#run = undefined;
      this.#timers.clear(this.#stableTimer);
      if (ready && this.#state.name === 'ready') this.#restartLater(error);
    });
    try {
      const answer = await link.peer.call('ping', {}, { timeoutMs: readyTimeoutMs }).result;
      if (this.#run !== run || this.#state.name !== 'starting') throw stoppedMeanwhile();
      ready = true;
      this.#stableTimer = this.#timers.set(() => {
        this.#restarts = 0;
        this.#backoff.reset();
      }, this.#options.stableMs);
      this.#set({ name: 'ready', restarts: this.#restarts, pid: link.pid, version: versionIn(answer) });
      this.#throwUnless('ready');
    } catch (error) {
      // A stop asks it first.
      if (this.#state.name !== 'stopping') link.kill();
      if (!(error instanceof OutriggerError) || error.reason !== 'DEADLINE') throw error;
      throw new OutriggerError('DEADLINE', `The sidecar did not answer within ${readyTimeoutMs} ms of its start${lastWords(link)}.`, {
        cause: error,
      });
    }
  }

  /** The child is gone and nobody asked for that. */
  #restartLater(error: OutriggerError): void {
    if (this.#restarts >= this.#options.maxRestarts) {
      const text = `${error.message} It was started again ${this.#restarts} times.`;
      this.#fail(new OutriggerError('CONNECTION_LOST', text, { cause: error }));
      return;
    }
    this.#restarts++;
    const delayMs = this.#backoff.next();
    this.#set({ name: 'waiting', restarts: this.#restarts, delayMs, error });
    // A listener may have stopped or started it meanwhile.
    if (this.#state.name !== 'waiting') return;
    this.#restartTimer = this.#timers.set(() => {
      const root = this.#root;
      if (this.#state.name !== 'waiting' || root === undefined) return;
      const stops = this.#stops;
      this.#starting = this.#attempt(root).finally(() => {
        this.#starting = undefined;
      });
      this.#starting.catch((failure: unknown) => {
        if (this.#stops === stops) this.#restartLater(asError(failure));
      });
    }, delayMs);
  }

  #fail(error: OutriggerError): void {
    process.off('exit', this.#killAtExit);
    this.#set({ name: 'failed', error });
  }

  /** One ping at a time; a child that leaves it unanswered is killed, and its end is a crash like any other. */
  #checkPulse(run: Run): Promise<void> {
    const { pulseTimeoutMs } = this.#options;
    run.pulse ??= run.link.peer
      .call('ping', {}, { timeoutMs: pulseTimeoutMs })
      .result.then(
        () => undefined,
        (error: unknown) => {
          if (!(error instanceof OutriggerError) || error.reason !== 'DEADLINE') return;
          this.#log(`the sidecar left a ping unanswered for ${pulseTimeoutMs} ms and is replaced`);
          run.link.kill();
        },
      )
      .finally(() => {
        run.pulse = undefined;
      });
    return run.pulse;
  }

  async #stop(): Promise<void> {
    this.#timers.clear(this.#restartTimer);
    this.#timers.clear(this.#stableTimer);
    const run = this.#run;
    this.#set({ name: 'stopping' });
    if (run !== undefined) {
      run.link.peer.close(new OutriggerError('STOPPING', 'The sidecar was stopped.'));
      const timer = this.#timers.set(() => run.link.kill(), this.#options.killAfterMs);
      run.link.askToEnd(this.#platform);
      await run.link.ended;
      this.#timers.clear(timer);
    }
    this.#run = undefined;
    process.off('exit', this.#killAtExit);
    this.#set({ name: 'stopped' });
  }

  /** A listener may have stopped it. */
  #throwUnless(name: SupervisorState['name']): void {
    if (this.#state.name !== name) throw stoppedMeanwhile();
  }

  #set(state: SupervisorState): void {
    this.#state = state;
    this.#events.emit('state', state);
  }

  #log(line: string): void {
    try {
      this.#options.onLog?.(line);
    } catch {
      // The host's own sink: its failure must not end the connection.
    }
  }
}

function stdioArgs(root: string): readonly string[] {
  return ['stdio', '--root', root];
}

function stoppedMeanwhile(): OutriggerError {
  return new OutriggerError('STOPPING', 'The sidecar was stopped while it started.');
}

function lastWords(link: ChildLink): string {
  return link.lastLine === undefined ? '' : `; its last words: ${link.lastLine.slice(0, 300)}`;
}

function versionIn(answer: unknown): string | undefined {
  const version = typeof answer === 'object' && answer !== null ? (answer as { version?: unknown }).version : undefined;
  return typeof version === 'string' ? version : undefined;
}

function asError(error: unknown): OutriggerError {
  return error instanceof OutriggerError ? error : new OutriggerError('INTERNAL', String(error), { cause: error });
}
