import { type ChildProcess, spawn } from 'node:child_process';
import fs from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { constants } from 'node:os';
import path from 'node:path';
import { type CagedChild, type CagedChildRequest, REPORT_DESCRIPTOR, SupervisorWire, writeTo } from './caged-child.ts';
import {
  exitOf,
  newToken,
  type OrderKind,
  orderFrame,
  serverWord,
  stringBytes,
  systemError,
  TOKEN_LENGTH,
  variables,
} from './fork-wire.ts';
import type { HostExit } from './host.ts';
import { readPipe } from './pipe-output.ts';
import { type ProgramRequest, type StartedProgram, signalGroup } from './started-program.ts';
import { type Stream, StreamsAhead } from './streams-ahead.ts';

/** A path of a unix socket, with its end. */
const MOST_PATH_BYTES = 108;
const STREAMS_WITHIN_MS = 5000;
const READY_WITHIN_MS = 10_000;
const REPORT_WITHIN_MS = 1000;
/** One that has ended already made its streams before. */
const STREAMS_AFTER_END_MS = 250;
const MOST_SAID_LENGTH = 2000;
/** Between signalling a program by its server and by ourselves, where it is not told meanwhile that it ended. */
const KILL_OURSELVES_AFTER_MS = 1000;
const [STDIN, STDOUT, STDERR] = [0, 1, 2];

/** One that was ordered, until it ended. */
interface Ordered {
  streams: Map<number, Stream>;
  wanted: number;
  /** All streams are there. */
  isComplete: () => void;
  refused: (error: Error) => void;
  exited: (exit: HostExit) => void;
  hasEnded: boolean;
  /** Of a program that is no cage: 0 until it runs. */
  pid?: number;
}

/**
 * A small process that forks, so that we need not: `native/serve.h`, in the launcher, or in an interpreter that is forked as it is. It starts cages, where
 * the start of a program would take longer than many a program runs; the launcher starts plain programs, too. It ends with the process that started it,
 * and all that it started with it.
 */
export class ForkServer {
  readonly #child: ChildProcess;
  readonly #orders: Socket;
  readonly #listener: Server;
  readonly #ready = Promise.withResolvers<void>();
  readonly #ordered = new Map<string, Ordered>();
  readonly #ahead = new StreamsAhead((kind, token) => this.#order(kind, token));
  #said = '';
  #idlers: (() => void)[] = [];
  #isOver = false;
  #hasServed = false;
  #connections = 0;

  /** Throws the system's error. `folder`: absolute, where only we make files; `argv`: a program that serves. */
  static async start({
    argv,
    env,
    folder,
  }: {
    argv: readonly [string, ...string[]];
    env: Readonly<Record<string, string>>;
    folder: string;
  }): Promise<ForkServer> {
    const socketPath = path.join(folder, `outrigger-fork-${newToken()}`);
    if (Buffer.byteLength(socketPath) >= MOST_PATH_BYTES)
      throw Object.assign(new Error(`${socketPath} is too long.`), { code: 'ENAMETOOLONG' });
    // What comes is read when it is known whose it is.
    const listener = createServer({ pauseOnConnect: true });
    await new Promise<void>((resolve, reject) => {
      listener.once('error', reject);
      listener.listen(socketPath, resolve);
    });
    listener.on('error', () => {});
    let server: ForkServer | undefined;
    try {
      const [program, ...args] = argv;
      // Pipes, as its programs will have them: an interpreter looks once what kind its streams are of.
      const child = spawn(program, args, { cwd: '/', env: { ...env }, stdio: ['pipe', 'pipe', 'pipe', 'pipe'], detached: true });
      await new Promise<void>((resolve, reject) => {
        child.once('spawn', resolve);
        child.once('error', reject);
      });
      server = new ForkServer(child, listener);
      await server.#meet(socketPath);
      return server;
    } catch (error) {
      listener.close();
      server?.close();
      throw error;
    } finally {
      // It has it open; nobody else finds it any more, and nothing is left when we are killed.
      fs.rmSync(socketPath, { force: true });
    }
  }

  private constructor(child: ChildProcess, listener: Server) {
    this.#child = child;
    this.#listener = listener;
    this.#orders = child.stdio[REPORT_DESCRIPTOR] as Socket;
    listener.on('connection', (socket) => this.#receive(socket));
    listener.unref();
    child.unref();
    this.#orders.unref();
    this.#orders.on('error', () => {});
    let line = '';
    this.#orders.on('data', (bytes: Buffer) => {
      const lines = (line + bytes.toString()).split('\n');
      line = lines.pop() ?? '';
      for (const one of lines) this.#hear(one);
    });
    for (const stream of [child.stdin, child.stdout, child.stderr] as Socket[]) {
      stream.unref();
      stream.on('error', () => {});
    }
    child.stdout?.resume();
    child.stderr?.on('data', (bytes: Buffer) => {
      if (this.#said.length < MOST_SAID_LENGTH) this.#said += bytes.toString();
    });
    child.once('exit', () => this.#leave());
    child.on('error', () => {});
    this.#ready.promise.catch(() => {});
  }

  /** Of the process that forks. */
  get pid(): number {
    return this.#child.pid ?? 0;
  }

  /** It starts nothing any more. */
  get isOver(): boolean {
    return this.#isOver;
  }

  /** It started something. */
  get hasServed(): boolean {
    return this.#hasServed;
  }

  /** What it said of itself, at most 2,000 characters. */
  get said(): string {
    return this.#said;
  }

  /** `argv`: what follows the launcher's name, `--cage` first. Resolves when it runs. Throws the system's error. */
  async start({
    argv,
    env,
    cwd,
    keepStdinOpen,
  }: Omit<CagedChildRequest, 'reports' | 'argv'> & { argv: readonly string[] }): Promise<CagedChild> {
    const streams = `${keepStdinOpen ? STDIN : ''}123`;
    const { token, ordered, exit } = await this.#place('S', [streams, cwd, String(argv.length), ...argv, ...variables(env)]);
    const stdin = ordered.streams.get(STDIN)?.socket;
    // What comes by the input is nobody's; so its end is seen.
    ordered.streams.get(STDIN)?.output.on('data', () => {});
    const { output, socket } = ordered.streams.get(REPORT_DESCRIPTOR) as Stream;
    const supervisor = new SupervisorWire(output, socket);
    return {
      stdout: (ordered.streams.get(STDOUT) as Stream).output,
      stderr: (ordered.streams.get(STDERR) as Stream).output,
      exit,
      report: supervisor.report,
      write: (bytes) => writeTo(stdin, bytes),
      endInput: () => void stdin?.end(),
      askToEnd: () => supervisor.order('x'),
      limitCpu: (ms) => supervisor.order(`${ms}c`),
      settle: () => supervisor.ask('r'),
      kill: () => this.#kill(token),
    };
  }

  /**
   * Whether `run` may be called: its streams are made ahead, as Node takes one connection a turn, and takes and drops one where it has no descriptors
   * left. A program runs when we have its streams, or not at all.
   */
  get hasStreams(): boolean {
    return this.#ahead.length >= 3;
  }

  /** Orders streams for programs. */
  makeStreams(): void {
    if (!this.#isOver) this.#ahead.make();
  }

  /** A program that is no cage, while it `hasStreams`. Resolves when it runs. Throws the system's error. */
  async run({ file, argv, cwd, env }: ProgramRequest): Promise<StartedProgram> {
    const more = [cwd, file, String(argv.length), ...argv, ...variables(env)];
    stringBytes(more);
    const taken = this.#ahead.take(3);
    const [stdin, stdout, stderr] = taken.map(({ stream }) => stream) as [Stream, Stream, Stream];
    // What comes by the input is nobody's; so its end is seen.
    stdin.output.on('data', () => {});
    const placed = this.#place('R', [taken.map(({ token }) => token).join(''), ...more], [stdin, stdout, stderr]);
    this.makeStreams();
    const { token, ordered, exit } = await placed;
    void exit.then(() => stdin.socket.destroy());
    const pid = ordered.pid as number;
    return {
      pid,
      stdin: stdin.socket,
      stdout: stdout.output,
      stderr: stderr.output,
      exit,
      get hasEnded() {
        return ordered.hasEnded;
      },
      signal: (name) => {
        // What waits for it sends the signal, so that its number is nobody else's meanwhile.
        if (ordered.hasEnded || this.#isOver) return signalGroup(pid, name, true, () => {});
        this.#order('G', token, String(constants.signals[name]).padStart(2, '0'));
        if (name !== 'SIGKILL') return;
        // The server may hang in a file system.
        const late = setTimeout(() => {
          signalGroup(pid, name, ordered.hasEnded, () => {});
          ordered.hasEnded = true;
          ordered.exited({ exitCode: null, exitSignal: name });
        }, KILL_OURSELVES_AFTER_MS);
        void exit.then(() => clearTimeout(late));
      },
    };
  }

  /** Resolves when nothing runs that it started. */
  async idle(): Promise<void> {
    if (this.#ordered.size === 0 || this.#isOver) return;
    await new Promise<void>((resolve) => this.#idlers.push(resolve));
  }

  /** Ends it, and all that it started. */
  close(): void {
    this.#orders.destroy();
    this.#leave();
  }

  async #meet(socketPath: string): Promise<void> {
    this.#order('P', `${socketPath}\0`);
    const late = setTimeout(() => this.#ready.reject(tooLate()), READY_WITHIN_MS);
    await this.#ready.promise.finally(() => clearTimeout(late));
  }

  /** Orders one, and waits for all of its streams. */
  async #place(
    kind: 'S' | 'R',
    strings: readonly string[],
    streams: readonly Stream[] = [],
  ): Promise<{ token: string; ordered: Ordered; exit: Promise<HostExit> }> {
    const bytes = stringBytes(strings);
    if (this.#isOver) throw gone();
    const token = newToken();
    const complete = Promise.withResolvers<void>();
    const exit = Promise.withResolvers<HostExit>();
    const ordered: Ordered = {
      streams: new Map(streams.entries()),
      wanted: streams.length > 0 ? streams.length : (strings[0]?.length ?? 0),
      isComplete: complete.resolve,
      refused: complete.reject,
      exited: exit.resolve,
      hasEnded: false,
      ...(kind === 'R' ? { pid: 0 } : {}),
    };
    this.#ordered.set(token, ordered);
    // As long as somebody waits for it, the process does not end.
    this.#orders.ref();
    const late = setTimeout(() => complete.reject(tooLate()), STREAMS_WITHIN_MS).unref();
    try {
      this.#order(kind, token, bytes);
      await complete.promise;
      this.#hasServed = true;
    } catch (error) {
      this.#kill(token);
      this.#forget(token);
      for (const { socket } of ordered.streams.values()) socket.destroy();
      throw error;
    } finally {
      clearTimeout(late);
    }
    return { token, ordered, exit: exit.promise };
  }

  #kill(token: string): void {
    if (this.#ordered.has(token) && !this.#isOver) this.#order('K', token);
  }

  #order(kind: OrderKind, ...parts: readonly (string | Buffer)[]): void {
    this.#orders.write(orderFrame(kind, ...parts));
  }

  #receive(accepted: Socket): void {
    this.#connections++;
    let hello = '';
    const take = (bytes: Buffer): Buffer | undefined => {
      const missing = TOKEN_LENGTH + 1 - hello.length;
      if (missing <= 0) return bytes;
      hello += bytes.toString('latin1', 0, missing);
      if (hello.length > TOKEN_LENGTH) this.#attach(hello, stream);
      const more = bytes.subarray(missing);
      // Who has all streams hears how each of them ends.
      return more.length > 0 || hello.length <= TOKEN_LENGTH ? more : undefined;
    };
    const stream = readPipe(accepted, { writable: true, take });
    if (stream === undefined) {
      accepted.destroy();
      return;
    }
    stream.socket.on('error', () => {});
  }

  #attach(hello: string, stream: Stream | undefined): void {
    const token = hello.slice(0, TOKEN_LENGTH);
    if (stream !== undefined && this.#ahead.receive(token, stream)) return;
    const ordered = this.#ordered.get(token);
    const number = Number(hello.slice(TOKEN_LENGTH));
    // Nobody else knows the name of a cage that is about to be.
    if (stream === undefined || ordered === undefined || ordered.streams.has(number)) return void stream?.socket.destroy();
    ordered.streams.set(number, stream);
    this.#look(token, ordered);
  }

  /** All of it is there, or some is yet to come. */
  #look(token: string, ordered: Ordered): void {
    if (ordered.streams.size < ordered.wanted || ordered.pid === 0) return;
    ordered.isComplete();
    if (ordered.hasEnded) this.#forget(token);
  }

  #hear(line: string): void {
    const said = serverWord(line);
    if (said.word === 'ready') return this.#ready.resolve();
    const { token } = said;
    const ordered = this.#ordered.get(token);
    if (ordered === undefined) return;
    if (said.word === 'began') {
      ordered.pid = said.pid;
      this.#look(token, ordered);
      return;
    }
    const { status } = said;
    ordered.hasEnded = true;
    ordered.exited(exitOf(status));
    if (status < 0) ordered.refused(systemError(status));
    if (ordered.streams.size === ordered.wanted || status < 0) this.#forget(token);
    else this.#awaitStreams(token, ordered);
  }

  /** Its streams were made before it ended, and Node takes one connection a turn: they are missing when a while has brought none of anybody's. */
  #awaitStreams(token: string, ordered: Ordered): void {
    const before = this.#connections;
    const look = (): void => {
      if (this.#ordered.get(token) !== ordered) return;
      if (this.#connections !== before) return this.#awaitStreams(token, ordered);
      this.#forget(token);
      // Where this process has no descriptors left, the system takes them and closes them.
      ordered.refused(tooLate());
    };
    // Of a turn that took long, the connections come after its timers, and before this.
    setTimeout(() => setImmediate(look), STREAMS_AFTER_END_MS).unref();
  }

  #forget(token: string): void {
    if (this.#ordered.delete(token) && this.#ordered.size === 0) this.#rest();
  }

  #rest(): void {
    this.#orders.unref();
    for (const resolve of this.#idlers.splice(0)) resolve();
  }

  #leave(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#listener.close();
    this.#ready.reject(gone());
    for (const ordered of this.#ordered.values()) {
      const { refused, exited, streams, pid = 0 } = ordered;
      refused(gone());
      // Of its end nobody would hear.
      if (pid > 0) signalGroup(pid, 'SIGKILL', false, () => {});
      ordered.hasEnded = true;
      exited({ exitCode: null, exitSignal: 'SIGKILL' });
      // They end with the server, and say so; who does not hears that nobody is there any more.
      setTimeout(() => {
        for (const number of [STDIN, REPORT_DESCRIPTOR]) streams.get(number)?.socket.destroy();
      }, REPORT_WITHIN_MS).unref();
    }
    this.#ordered.clear();
    this.#ahead.destroy();
    this.#rest();
  }
}

function tooLate(): Error {
  return Object.assign(new Error('What starts programs did not answer in time.'), { code: 'ETIMEDOUT' });
}

function gone(): Error {
  return Object.assign(new Error('What starts programs is gone.'), { code: 'ESRCH' });
}
