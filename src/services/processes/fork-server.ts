import { type ChildProcess, spawn } from 'node:child_process';
import fs from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
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
  tooLate,
  variables,
} from './fork-wire.ts';
import { ForkedPrograms } from './forked-programs.ts';
import type { HostExit, ProgramOutput } from './host.ts';
import { readPipe } from './pipe-output.ts';
import { timeLimit } from './time-limit.ts';

/** A path of a unix socket, with its end. */
const MOST_PATH_BYTES = 108;
const STREAMS_WITHIN_MS = 5000;
const READY_WITHIN_MS = 10_000;
const REPORT_WITHIN_MS = 1000;
/** One that has ended already made its streams before. */
const STREAMS_AFTER_END_MS = 250;
const MOST_SAID_LENGTH = 2000;
const [STDIN, STDOUT, STDERR] = [0, 1, 2];

/**
 * The environment of a launcher that serves, which hands it to nobody; what is just being started has it for a moment. It is not empty: who looks for
 * programs by their environment takes one without any for one that is being started, and looks again and again.
 */
export const LAUNCHER_ENVIRONMENT = { OUTRIGGER_SERVES: 'yes' } as const;

interface Stream {
  output: ProgramOutput;
  socket: Socket;
}

/** A cage that was ordered, until it ended. */
interface Ordered {
  streams: Map<number, Stream>;
  wanted: number;
  /** All streams are there. */
  isComplete: () => void;
  refused: (error: Error) => void;
  exited: (exit: HostExit) => void;
  hasEnded: boolean;
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
  /** Those that are no cages. */
  readonly programs: ForkedPrograms;
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
    const order = (kind: OrderKind, ...parts: readonly (string | Buffer)[]): void => this.#order(kind, ...parts);
    this.programs = new ForkedPrograms({ order, isOver: () => this.#isOver, changed: () => this.#changed() }, this.pid);
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
    const { token, ordered, exit } = await this.#place([streams, cwd, String(argv.length), ...argv, ...variables(env)]);
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

  /** Resolves when nothing runs that it started. */
  async idle(): Promise<void> {
    if (this.#isIdle || this.#isOver) return;
    await new Promise<void>((resolve) => this.#idlers.push(resolve));
  }

  /** Ends it, and all that it started. */
  close(): void {
    // After what was ordered before, should it only get to that later.
    if (!this.#isOver) this.#order('E');
    this.#orders.destroy();
    this.#leave();
  }

  async #meet(socketPath: string): Promise<void> {
    this.#order('P', `${socketPath}\0`);
    const unlimit = timeLimit(READY_WITHIN_MS, () => this.#ready.reject(tooLate()));
    await this.#ready.promise.finally(unlimit);
  }

  /** Orders a cage, and waits for all of its streams. */
  async #place(strings: readonly string[]): Promise<{ token: string; ordered: Ordered; exit: Promise<HostExit> }> {
    const bytes = stringBytes(strings);
    if (this.#isOver) throw gone();
    const token = newToken();
    const complete = Promise.withResolvers<void>();
    const exit = Promise.withResolvers<HostExit>();
    const ordered: Ordered = {
      streams: new Map(),
      wanted: strings[0]?.length ?? 0,
      isComplete: complete.resolve,
      refused: complete.reject,
      exited: exit.resolve,
      hasEnded: false,
    };
    this.#ordered.set(token, ordered);
    this.#changed();
    const unlimit = timeLimit(STREAMS_WITHIN_MS, () => complete.reject(tooLate()));
    try {
      this.#order('S', token, bytes);
      await complete.promise;
      this.#hasServed = true;
    } catch (error) {
      this.#kill(token);
      this.#forget(token);
      for (const { socket } of ordered.streams.values()) socket.destroy();
      throw error;
    } finally {
      unlimit();
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
    const ordered = this.#ordered.get(token);
    const number = Number(hello.slice(TOKEN_LENGTH));
    // Nobody else knows the name of a cage that is about to be.
    if (stream === undefined || ordered === undefined || ordered.streams.has(number)) return void stream?.socket.destroy();
    ordered.streams.set(number, stream);
    this.#look(token, ordered);
  }

  /** All of it is there, or some is yet to come. */
  #look(token: string, ordered: Ordered): void {
    if (ordered.streams.size < ordered.wanted) return;
    ordered.isComplete();
    if (ordered.hasEnded) this.#forget(token);
  }

  #hear(line: string): void {
    const said = serverWord(line);
    if (said.word === 'ready') return this.#ready.resolve();
    this.#hasServed ||= said.word === 'began';
    if (this.programs.hear(said) || said.word !== 'ended') return;
    const { token, status } = said;
    const ordered = this.#ordered.get(token);
    if (ordered === undefined) return;
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
    if (this.#ordered.delete(token)) this.#changed();
  }

  get #isIdle(): boolean {
    return this.#ordered.size + this.programs.size === 0;
  }

  /** As long as somebody waits for one, the process does not end. */
  #changed(): void {
    if (this.#isIdle) this.#rest();
    else this.#orders.ref();
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
      const { refused, exited, streams } = ordered;
      refused(gone());
      ordered.hasEnded = true;
      exited({ exitCode: null, exitSignal: 'SIGKILL' });
      // They end with the server, and say so; who does not hears that nobody is there any more.
      setTimeout(() => {
        for (const number of [STDIN, REPORT_DESCRIPTOR]) streams.get(number)?.socket.destroy();
      }, REPORT_WITHIN_MS).unref();
    }
    this.#ordered.clear();
    this.programs.leave(gone());
    this.#rest();
  }
}

function gone(): Error {
  return Object.assign(new Error('What starts programs is gone.'), { code: 'ESRCH' });
}
