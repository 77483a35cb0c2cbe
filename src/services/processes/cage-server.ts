import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import fs from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { constants } from 'node:os';
import path from 'node:path';
import { getSystemErrorMessage, getSystemErrorName } from 'node:util';
import { type CagedChild, type CagedChildRequest, REPORT_DESCRIPTOR, SupervisorWire, writeTo } from './caged-child.ts';
import type { HostExit, ProgramOutput } from './host.ts';
import { readPipe } from './pipe-output.ts';
import { type ProgramRequest, type StartedProgram, signalGroup } from './started-program.ts';

/** As native/serve.h has them. */
const TOKEN_LENGTH = 16;
const MOST_ORDER_BYTES = 4 * 1024 * 1024;
/** The kernel's limits of execve(2) for one string and for all of them, with a pointer to each. */
const MOST_STRING_BYTES = 128 * 1024;
const MOST_STRINGS_BYTES = 2 * 1024 * 1024;
const MOST_STRINGS = 65_000;
/** A path of a unix socket, with its end. */
const MOST_PATH_BYTES = 108;
const STREAMS_WITHIN_MS = 5000;
const READY_WITHIN_MS = 10_000;
const REPORT_WITHIN_MS = 1000;
/** One that has ended already made its streams before. */
const STREAMS_AFTER_END_MS = 250;
const MOST_SAID_LENGTH = 2000;
/** Of eight programs. native/serve.h has room for 64. */
const STREAMS_AHEAD = 24;
/** Between signalling a program by its server and by ourselves, where it is not told meanwhile that it ended. */
const KILL_OURSELVES_AFTER_MS = 1000;
const [STDIN, STDOUT, STDERR] = [0, 1, 2];

interface Stream {
  output: ProgramOutput;
  socket: Socket;
}

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
 * Starts cages by forking, where the start of a program would take longer than many a program runs: `native/serve.h`, in the launcher, or in
 * an interpreter that is forked as it is. The launcher starts plain programs, too. It ends with the process that started it, and all of its cages with it.
 */
export class CageServer {
  readonly #child: ChildProcess;
  readonly #orders: Socket;
  readonly #listener: Server;
  readonly #ready = Promise.withResolvers<void>();
  readonly #ordered = new Map<string, Ordered>();
  /** Streams of programs that are yet to come. */
  #ahead: { token: string; stream: Stream }[] = [];
  /** Those that were ordered, each with when it was. */
  readonly #awaited = new Map<string, number>();
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
  }): Promise<CageServer> {
    const socketPath = path.join(folder, `outrigger-cages-${randomBytes(6).toString('hex')}`);
    if (Buffer.byteLength(socketPath) >= MOST_PATH_BYTES)
      throw Object.assign(new Error(`${socketPath} is too long.`), { code: 'ENAMETOOLONG' });
    // What comes is read when it is known whose it is.
    const listener = createServer({ pauseOnConnect: true });
    await new Promise<void>((resolve, reject) => {
      listener.once('error', reject);
      listener.listen(socketPath, resolve);
    });
    listener.on('error', () => {});
    let server: CageServer | undefined;
    try {
      const [program, ...args] = argv;
      // Pipes, as its programs will have them: an interpreter looks once what kind its streams are of.
      const child = spawn(program, args, { cwd: '/', env: { ...env }, stdio: ['pipe', 'pipe', 'pipe', 'pipe'], detached: true });
      await new Promise<void>((resolve, reject) => {
        child.once('spawn', resolve);
        child.once('error', reject);
      });
      server = new CageServer(child, listener);
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
    const now = performance.now();
    for (const [token, at] of this.#awaited) {
      if (now - at < STREAMS_WITHIN_MS) continue;
      this.#awaited.delete(token);
      this.#order('K', [Buffer.from(token)]);
    }
    while (!this.#isOver && this.#ahead.length + this.#awaited.size < STREAMS_AHEAD) {
      const token = newToken();
      this.#awaited.set(token, now);
      this.#order('C', [Buffer.from(token)]);
    }
  }

  /** A program that is no cage, while it `hasStreams`. Resolves when it runs. Throws the system's error. */
  async run({ file, argv, cwd, env }: ProgramRequest): Promise<StartedProgram> {
    const more = [cwd, file, String(argv.length), ...argv, ...variables(env)];
    bytesOf(more);
    const taken = this.#ahead.splice(0, 3);
    const [stdin, stdout, stderr] = taken.map(({ stream }) => stream) as [Stream, Stream, Stream];
    for (const { socket } of [stdin, stdout, stderr]) socket.ref();
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
        this.#order('G', [Buffer.from(token + String(constants.signals[name]).padStart(2, '0'))]);
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
    this.#order('P', [Buffer.from(`${socketPath}\0`)]);
    const late = setTimeout(() => this.#ready.reject(tooLate()), READY_WITHIN_MS);
    await this.#ready.promise.finally(() => clearTimeout(late));
  }

  /** Orders one, and waits for all of its streams. */
  async #place(
    kind: 'S' | 'R',
    strings: readonly string[],
    streams: readonly Stream[] = [],
  ): Promise<{ token: string; ordered: Ordered; exit: Promise<HostExit> }> {
    const bytes = bytesOf(strings);
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
      this.#order(kind, [Buffer.from(token), bytes]);
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
    if (this.#ordered.has(token) && !this.#isOver) this.#order('K', [Buffer.from(token)]);
  }

  #order(kind: string, parts: readonly Buffer[]): void {
    const head = Buffer.alloc(5);
    head.writeUInt32LE(parts.reduce((sum, { length }) => sum + length, 1));
    head.write(kind, 4, 'latin1');
    this.#orders.write(Buffer.concat([head, ...parts]));
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
    if (stream !== undefined && this.#awaited.delete(token)) {
      stream.socket.unref();
      this.#ahead.push({ token, stream });
      return;
    }
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
    if (line === 'ready') return this.#ready.resolve();
    const [word, token = '', status = ''] = line.split(' ');
    const ordered = this.#ordered.get(token);
    if (ordered === undefined) return;
    if (word === 'began') {
      ordered.pid = Number(status);
      this.#look(token, ordered);
      return;
    }
    ordered.hasEnded = true;
    ordered.exited(exitOf(Number(status)));
    if (Number(status) < 0) ordered.refused(systemError(Number(status)));
    if (ordered.streams.size === ordered.wanted || Number(status) < 0) this.#forget(token);
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
    for (const { stream } of this.#ahead.splice(0)) stream.socket.destroy();
    this.#rest();
  }
}

function newToken(): string {
  return randomBytes(TOKEN_LENGTH / 2).toString('hex');
}

function variables(env: Readonly<Record<string, string>>): string[] {
  return Object.entries(env).map(([name, value]) => `${name}=${value}`);
}

/** Each with its end. Throws what execve(2) would say. */
function bytesOf(strings: readonly string[]): Buffer {
  if (strings.some((text) => text.includes('\0')))
    throw Object.assign(new Error('There is a NUL in an argument or a variable.'), { code: 'ERR_INVALID_ARG_VALUE' });
  const bytes = Buffer.from(`${strings.join('\0')}\0`);
  if (
    strings.length > MOST_STRINGS ||
    bytes.length + strings.length * 8 > Math.min(MOST_STRINGS_BYTES, MOST_ORDER_BYTES) ||
    (bytes.length > MOST_STRING_BYTES && strings.some((text) => Buffer.byteLength(text) >= MOST_STRING_BYTES))
  )
    throw Object.assign(new Error('The arguments and variables are too long.'), { code: 'E2BIG' });
  return bytes;
}

/** Of what waitpid(2) says. */
function exitOf(status: number): HostExit {
  const signal = status & 0x7f;
  if (status >= 0 && signal === 0) return { exitCode: status >> 8, exitSignal: null };
  const [name = 'SIGKILL'] = Object.entries(constants.signals).find(([, number]) => number === signal) ?? [];
  return { exitCode: null, exitSignal: name as NodeJS.Signals };
}

function systemError(errno: number): Error {
  const code = getSystemErrorName(errno);
  return Object.assign(new Error(`${code}: ${getSystemErrorMessage(errno)}`), { code });
}

function tooLate(): Error {
  return Object.assign(new Error('What starts cages did not answer in time.'), { code: 'ETIMEDOUT' });
}

function gone(): Error {
  return Object.assign(new Error('What starts cages is gone.'), { code: 'ESRCH' });
}
