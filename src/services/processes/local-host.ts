import { type ChildProcess, spawn } from 'node:child_process';
import { constants } from 'node:os';
import { PassThrough, type Readable } from 'node:stream';
import type * as nodePty from '@lydell/node-pty';
import { OutriggerError } from '../../contract/errors.ts';
import type { HostedProcess, HostExit, HostRequest, ProcessHost, ProgramOutput, TerminalSize } from './host.ts';
import { pipeOutput } from './pipe-output.ts';

export interface LocalHostDependencies {
  /** Absolute path of a program on PATH, or undefined. A name with a slash is one of the folder `from`. */
  find(program: string, options: { from: string; searchPath: string | undefined }): string | undefined;
  /** What programs here inherit. */
  env: Readonly<Record<string, string>>;
}

type Pty = Pick<typeof nodePty, 'spawn'>;

/** Runs programs on this machine, each in a process group of its own. */
export class LocalHost implements ProcessHost {
  readonly name = 'local';
  readonly #dependencies: LocalHostDependencies;
  #pty: Promise<Pty> | undefined;

  constructor(dependencies: LocalHostDependencies) {
    this.#dependencies = dependencies;
  }

  async start(request: HostRequest, signal?: AbortSignal): Promise<HostedProcess> {
    signal?.throwIfAborted();
    const [program, ...args] = request.argv;
    const env = { ...this.#dependencies.env, ...request.env };
    const file = this.#dependencies.find(program, { from: request.cwd, searchPath: env['PATH'] });
    if (file === undefined)
      throw new OutriggerError('TOOL_MISSING', `The program ${program} is not on this machine.`, { details: { tool: program } });
    if (request.terminal !== undefined) return this.#startInTerminal(file, args, env, request.cwd, request.terminal);
    const child = spawn(file, args, {
      cwd: request.cwd,
      env,
      argv0: program,
      stdio: ['pipe', 'pipe', 'pipe'],
      detached: process.platform !== 'win32',
      windowsHide: true,
    });
    await started(child, program);
    return new PipedProcess(child);
  }

  async close(): Promise<void> {}

  async #startInTerminal(
    file: string,
    args: string[],
    env: Readonly<Record<string, string>>,
    cwd: string,
    size: TerminalSize,
  ): Promise<HostedProcess> {
    this.#pty ??= import('@lydell/node-pty');
    const { spawn: spawnPty } = await this.#pty.catch((error: unknown) => {
      this.#pty = undefined;
      throw new OutriggerError('TOOL_MISSING', 'Terminals need the package @lydell/node-pty, which is not there for this system.', {
        details: { tool: '@lydell/node-pty' },
        cause: error,
      });
    });
    try {
      const pty = spawnPty(file, args, {
        cols: size.columns,
        rows: size.rows,
        cwd,
        env,
        name: env['TERM'] ?? 'xterm-256color',
        encoding: null,
      });
      return new TerminalProcess(pty);
    } catch (error) {
      throw new OutriggerError('TOOL_MISSING', `The program can't be started: ${(error as Error).message}`, { cause: error });
    }
  }
}

class PipedProcess implements HostedProcess {
  readonly pid: number;
  readonly stdout: ProgramOutput;
  readonly stderr: ProgramOutput;
  readonly exit: Promise<HostExit>;
  readonly #child: ChildProcess;

  constructor(child: ChildProcess) {
    this.#child = child;
    this.pid = child.pid as number;
    this.stdout = pipeOutput(child.stdout as Readable);
    this.stderr = pipeOutput(child.stderr as Readable);
    // A program that ends without reading its input is no error of ours.
    child.stdin?.on('error', () => {});
    this.exit = new Promise((resolve) => {
      child.once('exit', (exitCode, exitSignal) => resolve({ exitCode, exitSignal }));
    });
  }

  async write(bytes: Uint8Array): Promise<void> {
    const { stdin } = this.#child;
    if (stdin === null || !stdin.writable) return;
    if (stdin.write(bytes)) return;
    await new Promise<void>((resolve) => {
      const done = (): void => {
        stdin.off('drain', done).off('close', done);
        resolve();
      };
      stdin.once('drain', done).once('close', done);
    });
  }

  endInput(): void {
    this.#child.stdin?.end();
  }

  signal(name: NodeJS.Signals): void {
    signalGroup(this.pid, name, () => this.#child.kill(name));
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

  constructor(pty: nodePty.IPty) {
    this.#pty = pty;
    this.pid = pty.pid;
    // With `encoding: null` it gives bytes, whatever its types say.
    pty.onData((data) => {
      if (!this.stdout.write(data as unknown as Buffer)) pty.pause();
    });
    this.stdout.on('drain', () => pty.resume());
    this.exit = new Promise((resolve) => {
      pty.onExit(({ exitCode, signal }) => {
        this.#ended = true;
        this.stdout.end();
        resolve(signal === undefined || signal === 0 ? { exitCode, exitSignal: null } : { exitCode: null, exitSignal: signalName(signal) });
      });
    });
  }

  async write(bytes: Uint8Array): Promise<void> {
    // Bytes are taken as they are, whatever the types say.
    if (!this.#ended) this.#pty.write(Buffer.from(bytes) as unknown as string);
  }

  /** What a person would type: the end of a file at the start of a line. */
  endInput(): void {
    if (!this.#ended) this.#pty.write('\u0004');
  }

  signal(name: NodeJS.Signals): void {
    signalGroup(this.pid, name, () => {
      if (!this.#ended) this.#pty.kill(name);
    });
  }

  resize({ columns, rows }: TerminalSize): void {
    if (!this.#ended) this.#pty.resize(columns, rows);
  }
}

/** Resolves when the program runs. Throws TOOL_MISSING, FILE_PERMISSION. */
function started(child: ChildProcess, program: string): Promise<void> {
  return new Promise((resolve, reject) => {
    child.once('spawn', () => resolve());
    child.once('error', (error: NodeJS.ErrnoException) => {
      const reason = error.code === 'EACCES' || error.code === 'EPERM' ? 'FILE_PERMISSION' : 'TOOL_MISSING';
      reject(new OutriggerError(reason, `${program} can't be started: ${error.message}`, { cause: error }));
    });
  });
}

function signalGroup(pid: number, name: NodeJS.Signals, alone: () => void): void {
  try {
    if (process.platform === 'win32') alone();
    else process.kill(-pid, name);
  } catch {
    // ESRCH: all of the group is gone.
  }
}

function signalName(number: number): string {
  return Object.entries(constants.signals).find(([, value]) => value === number)?.[0] ?? `SIG${number}`;
}
