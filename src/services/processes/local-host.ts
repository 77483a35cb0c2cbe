import fs from 'node:fs';
import { constants } from 'node:os';
import path from 'node:path';
import { type Duplex, PassThrough, type Writable } from 'node:stream';
import { setImmediate as nextTurn, setTimeout as delay } from 'node:timers/promises';
import type * as nodePty from '@lydell/node-pty';
import { OutriggerError } from '../../contract/errors.ts';
import { writeTo } from './caged-child.ts';
import type { HostedProcess, HostExit, HostRequest, ProcessHost, ProgramOutput, TerminalSize } from './host.ts';
import { ProgramStarter } from './program-starter.ts';
import { type StartedProgram, signalGroup } from './started-program.ts';
import { loadTerminals, type SpawnInTerminal, signalAlone } from './terminal-spawn.ts';
import { yieldMemoryFirst } from './yield-memory.ts';

export interface LocalHostDependencies {
  /** Absolute path of a program on PATH, or undefined. A name with a slash is one of the folder `from`. */
  find(program: string, options: { from: string; searchPath: string | undefined }): string | undefined;
  /** What programs here inherit. */
  env: Readonly<Record<string, string>>;
  /** Without it, programs are started from this process. */
  starter?: ProgramStarter;
}

/** A program in a terminal that does not read is asked again after so long, and then less often. */
const FIRST_WRITE_RETRY_MS = 2;
const LAST_WRITE_RETRY_MS = 50;
/** A terminal whose program ended, and which others hold open: so long after the last they wrote it is closed, and after so long in any case. */
const QUIET_MS = 50;
const LAST_OUTPUT_MS = 500;
/** Arguments and variables: for each, node-pty takes up to three of the 1,022 places beyond which its answer lies in memory that is free again. */
const MAX_IN_TERMINAL = 300;
/** What node-pty says where the system starts nothing in a terminal. */
const NO_TERMINAL = 'forkpty(3) failed.';
/** Of a script's first line the system reads as much. */
const MAX_FIRST_LINE_BYTES = 256;

/** Runs programs on this machine, each in a process group of its own. */
export class LocalHost implements ProcessHost {
  readonly name = 'local';
  readonly #dependencies: LocalHostDependencies;
  readonly #starter: ProgramStarter;
  #spawnInTerminal: Promise<SpawnInTerminal> | undefined;

  constructor(dependencies: LocalHostDependencies) {
    this.#dependencies = dependencies;
    this.#starter = dependencies.starter ?? new ProgramStarter();
  }

  async start(request: HostRequest, signal?: AbortSignal): Promise<HostedProcess> {
    signal?.throwIfAborted();
    const [program, ...args] = request.argv;
    const env = { ...this.#dependencies.env, ...request.env };
    const file = this.#dependencies.find(program, { from: request.cwd, searchPath: env['PATH'] });
    if (file === undefined) throw notFound(request);
    if (request.terminal !== undefined) return this.#startInTerminal({ ...request, env, terminal: request.terminal }, file, args);
    try {
      return new PipedProcess(await this.#starter.start({ file, argv: request.argv, cwd: request.cwd, env }));
    } catch (error) {
      throw startProblem(request, file, error);
    }
  }

  async close(): Promise<void> {}

  async #startInTerminal(request: HostRequest & { terminal: TerminalSize }, file: string, args: string[]): Promise<HostedProcess> {
    const { env, cwd, terminal } = request;
    if (args.length + Object.keys(env).length > MAX_IN_TERMINAL)
      throw new OutriggerError('BAD_INPUT', `In a terminal, a program takes at most ${MAX_IN_TERMINAL} arguments and variables together.`);
    this.#spawnInTerminal ??= loadTerminals();
    const spawnPty = await this.#spawnInTerminal.catch((error: unknown) => {
      this.#spawnInTerminal = undefined;
      throw new OutriggerError('TOOL_MISSING', 'Terminals need the package @lydell/node-pty, which is not there for this system.', {
        details: { tool: '@lydell/node-pty' },
        cause: error,
      });
    });
    try {
      const pty = spawnPty(file, args, {
        cols: terminal.columns,
        rows: terminal.rows,
        cwd,
        env: inUtf8(env),
        name: env['TERM'] ?? 'xterm-256color',
        encoding: null,
      });
      yieldMemoryFirst(pty.pid);
      return new TerminalProcess(pty);
    } catch (error) {
      throw startProblem(request, file, error);
    }
  }
}

/** A terminal of ours is one of UTF-8; programs take it for one of bytes where nobody says so, as in most containers, and erase half of a character. */
function inUtf8(env: Readonly<Record<string, string | undefined>>): Record<string, string | undefined> {
  const isSaid = [env['LC_ALL'], env['LC_CTYPE'], env['LANG']].some(Boolean);
  return isSaid || process.platform !== 'linux' ? { ...env } : { ...env, LANG: 'C.UTF-8' };
}

class PipedProcess implements HostedProcess {
  readonly pid: number;
  readonly stdout: ProgramOutput;
  readonly stderr: ProgramOutput;
  readonly exit: Promise<HostExit>;
  readonly #program: StartedProgram;

  constructor(program: StartedProgram) {
    this.#program = program;
    this.pid = program.pid;
    this.stdout = program.stdout;
    this.stderr = program.stderr;
    this.exit = program.exit;
  }

  write(bytes: Uint8Array): Promise<void> {
    return writeTo(this.#program.stdin, bytes);
  }

  endInput(): void {
    this.#program.stdin.end();
  }

  signal(name: NodeJS.Signals): void {
    this.#program.signal(name);
  }

  resize(): void {}
}

class TerminalProcess implements HostedProcess {
  readonly pid: number;
  readonly stdout = new PassThrough();
  readonly stderr = undefined;
  readonly exit: Promise<HostExit>;
  readonly #pty: nodePty.IPty;
  #ended = false;
  #isHeld = false;
  /** Counts what was read, and each time that reading went on. */
  #signs = 0;
  /** Its program ended: closes it, whatever was not read. */
  #close: (() => void) | undefined;

  constructor(pty: nodePty.IPty) {
    this.#pty = pty;
    this.pid = pty.pid;
    this.#closeWhenRead();
    // With `encoding: null` it gives bytes, whatever its types say.
    pty.onData((data) => {
      this.#signs++;
      this.#isHeld = !this.stdout.write(data as unknown as Buffer);
      if (this.#isHeld) pty.pause();
    });
    this.stdout.on('drain', () => {
      this.#signs++;
      this.#isHeld = false;
      pty.resume();
    });
    this.exit = new Promise((resolve) => {
      pty.onExit(({ exitCode, signal }) => {
        this.#ended = true;
        this.stdout.end();
        resolve(signal === undefined || signal === 0 ? { exitCode, exitSignal: null } : { exitCode: null, exitSignal: signalName(signal) });
      });
    });
  }

  /**
   * Not by the terminal's own stream: that one tries again without a pause while a program does not read, and nothing else would go on here.
   */
  async write(bytes: Uint8Array): Promise<void> {
    const { fd, _socket: socket } = this.#pty as { fd?: number; _socket?: Writable };
    // Windows has no such descriptor. Bytes are taken as they are, whatever the types say.
    if (fd === undefined || socket === undefined) return this.#ended ? undefined : this.#pty.write(Buffer.from(bytes) as unknown as string);
    let wait = FIRST_WRITE_RETRY_MS;
    // A descriptor that was closed may be another file's by now.
    for (let done = 0; done < bytes.length; ) {
      const taken = this.#ended || socket.destroyed ? undefined : writeNow(fd, bytes.subarray(done));
      // Nobody is told of what nobody got.
      if (taken === undefined) throw new OutriggerError('PROCESS_ENDED', 'The program ended before it could be given all of this.');
      done += taken;
      wait = taken > 0 ? FIRST_WRITE_RETRY_MS : Math.min(LAST_WRITE_RETRY_MS, 2 * wait);
      if (done < bytes.length) await delay(wait);
    }
  }

  /** What a person would type: the end of a file at the start of a line. */
  endInput(): void {
    this.write(Buffer.of(4)).catch(() => {});
  }

  /** node-pty destroys the socket of a terminal 200 ms after the end of its program; what is held back, or was not read yet, would be lost. */
  #closeWhenRead(): void {
    const { _socket: socket } = this.#pty as { _socket?: Duplex };
    if (socket === undefined) return;
    const destroy = socket.destroy.bind(socket);
    socket.destroy = (error) => {
      if (error !== undefined || socket.readableEnded || this.#close !== undefined) return destroy(error);
      this.#close = () => void destroy();
      void this.#readRest().then(this.#close);
      return socket;
    };
  }

  /** Time in which it is held back does not count. */
  async #readRest(): Promise<void> {
    for (let left = LAST_OUTPUT_MS; left > 0 && !this.stdout.destroyed; ) {
      const before = this.#signs;
      await delay(QUIET_MS);
      // After one more look at it: when this program was busy, nobody has read it.
      await nextTurn();
      if (this.#isHeld) continue;
      if (this.#signs === before) return;
      left -= QUIET_MS;
    }
  }

  signal(name: NodeJS.Signals): void {
    // Nobody waits for what its program left.
    if (name === 'SIGKILL') this.#close?.();
    const isGroup = signalGroup(this.pid, name, this.#ended, () => {
      // Windows knows no signals; a console can only be ended.
      if (!this.#ended && name !== 'SIGCONT') this.#pty.kill();
    });
    if (!isGroup && !this.#ended) signalAlone(this.pid, name);
  }

  resize({ columns, rows }: TerminalSize): void {
    try {
      if (!this.#ended) this.#pty.resize(columns, rows);
    } catch {
      // The other end is closed: it is about to end.
    }
  }
}

/** Why there is nothing to start. */
function notFound({ argv: [program], cwd }: HostRequest): OutriggerError {
  const file = program.includes('/') ? statOf(path.resolve(cwd, program)) : undefined;
  if (file === undefined)
    return new OutriggerError('TOOL_MISSING', `The program ${program} is not on this machine.`, { details: { tool: program } });
  const why = file.isDirectory() ? 'is a folder' : 'may not be run: chmod +x makes a program of it';
  return new OutriggerError('FILE_PERMISSION', `${program} ${why}.`);
}

/** What the system said of a start, in our words. */
function startProblem({ argv: [program], cwd }: HostRequest, file: string, error: unknown): OutriggerError {
  const { code = '', message } = error as NodeJS.ErrnoException;
  const cause = { cause: error };
  if (code === 'ENOENT' && !fs.existsSync(cwd))
    return new OutriggerError('FILE_NOT_FOUND', `The folder ${cwd} is not there any more.`, cause);
  const interpreter = code === 'ENOENT' ? interpreterOf(file) : undefined;
  if (interpreter !== undefined) {
    const ending = interpreter.endsWith('\r') ? ': the line ends with a carriage return, as on Windows' : '';
    const why = `its first line names ${JSON.stringify(interpreter)}, which is not on this machine${ending}.`;
    return new OutriggerError('TOOL_MISSING', `${program} can't be started: ${why}`, { ...cause, details: { tool: interpreter } });
  }
  if (code.startsWith('ERR_INVALID_ARG'))
    return new OutriggerError('BAD_INPUT', `An argument or a variable of ${program} holds a NUL, and none can.`, cause);
  if (code === 'E2BIG')
    return new OutriggerError('BAD_INPUT', `The arguments and variables of ${program} are more than the system takes.`, cause);
  if (['EAGAIN', 'ENOMEM', 'EMFILE', 'ENFILE', 'ETIMEDOUT'].includes(code))
    return new OutriggerError('TOO_MANY_PROCESSES', `The system has no room for ${program}: ${code}.`, cause);
  // node-pty does not say why: where terminals are to be had there may be no more of them, or of processes.
  if (message === NO_TERMINAL && hasTerminals())
    return new OutriggerError('TOO_MANY_PROCESSES', `The system has no room for ${program}: ${message}`, cause);
  const reason = code === 'EACCES' || code === 'EPERM' ? 'FILE_PERMISSION' : 'TOOL_MISSING';
  return new OutriggerError(reason, `${program} can't be started: ${message}`, cause);
}

function hasTerminals(): boolean {
  try {
    fs.accessSync('/dev/ptmx', fs.constants.R_OK | fs.constants.W_OK);
    return true;
  } catch {
    return false;
  }
}

function statOf(file: string): fs.Stats | undefined {
  try {
    return fs.statSync(file);
  } catch {
    return undefined;
  }
}

/** The program that the first line of a script names, as the system reads it: a carriage return is part of the name. */
function interpreterOf(file: string): string | undefined {
  const bytes = Buffer.alloc(MAX_FIRST_LINE_BYTES);
  try {
    const descriptor = fs.openSync(file, 'r');
    try {
      fs.readSync(descriptor, bytes);
    } finally {
      fs.closeSync(descriptor);
    }
  } catch {
    return undefined;
  }
  return /^#![ \t]*([^ \t\n\0]+)/.exec(bytes.toString())?.[1];
}

function signalName(number: number): string {
  return Object.entries(constants.signals).find(([, value]) => value === number)?.[0] ?? `SIG${number}`;
}

/** Bytes that were taken at once, 0 where there is no room; undefined where nobody is at the other end. */
function writeNow(descriptor: number, bytes: Uint8Array): number | undefined {
  try {
    return fs.writeSync(descriptor, bytes);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EAGAIN' ? 0 : undefined;
  }
}
