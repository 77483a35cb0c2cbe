import { accessSync, constants, statSync } from 'node:fs';
import path from 'node:path';
import { Readable } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import { OutriggerError } from '../../contract/errors.ts';
import type { ProgramOutput } from './host.ts';
import { ProgramStarter } from './program-starter.ts';
import type { RunGroups } from './run-groups.ts';
import { shortageOf } from './shortage.ts';
import type { ProgramRequest, StartedProgram } from './started-program.ts';
import { timeLimit } from './time-limit.ts';

const DEFAULT_MAX_OUTPUT_BYTES = 16 * 1024 * 1024;
const MAX_STDERR_BYTES = 1024 * 1024;
/** Time between asking a group to end and ending it. */
const KILL_AFTER_MS = 500;
/** Between two looks at groups of an earlier sidecar. */
const BETWEEN_LOOKS_MS = 20;
/** When a program ended and others hold its output open: so long after the last they wrote, no more is waited for. */
const QUIET_MS = 500;
/** At a stop, for programs that were ended: what starts programs may hang, and says nothing of their end then. */
const STOP_WITHIN_MS = 3000;

export interface RunRequest {
  /** The program and its arguments, as they are: no shell reads them. */
  argv: readonly [string, ...string[]];
  /** Absolute. */
  cwd: string;
  /** On top of the small environment that children get. */
  env?: Readonly<Record<string, string>>;
  stdin?: Uint8Array | string;
  timeoutMs: number;
  /** Of stdout, and of stderr; what is more is left out and counted. */
  maxOutputBytes?: number;
  signal?: AbortSignal | undefined;
  /** Told of stderr as it comes, beside what the result has of it. Must not throw. */
  onStderr?: (chunk: Buffer) => void;
}

export interface RunResult {
  /** null when a signal ended it. */
  exitCode: number | null;
  exitSignal: NodeJS.Signals | null;
  stdout: Buffer;
  stderr: Buffer;
  /** Bytes of stdout that were left out. */
  omittedBytes: number;
}

export interface OpenProcess {
  readonly stdout: Readable;
  readonly result: Promise<Pick<RunResult, 'exitCode' | 'exitSignal' | 'stderr'>>;
  /** Ends the whole group now; `result` rejects with CANCELED. */
  end(): void;
}

export interface ProcessesOptions {
  /** What children inherit: names of this process's environment that are harmless. */
  env: Readonly<Record<string, string | undefined>>;
  /** Where the children are remembered for the next sidecar; without it, nobody ends what a kill -9 leaves. */
  groups?: RunGroups;
  /** Absolute path of the launcher, which starts them without copying the tables of our memory. */
  launcher?: string | undefined;
}

/** Never handed on: they steer this program, or hold secrets. */
const inheritedNames =
  /^(PATH|HOME|USER|LOGNAME|LANG|LANGUAGE|LC_[A-Z]+|TZ|TMPDIR|SHELL|TERM|SSH_AUTH_SOCK|XDG_[A-Z_]+|GIT_(AUTHOR|COMMITTER)_[A-Z]+|GIT_SSH_COMMAND|SystemRoot|PATHEXT|APPDATA|USERPROFILE)$/;

/** The children. Each runs in a process group of its own, which is ended whole. */
export class Processes {
  /** What children inherit. */
  readonly env: Readonly<Record<string, string>>;
  readonly starter: ProgramStarter;
  readonly #running = new Set<StartedProgram>();
  /** Of those that are being started. */
  readonly #starting = new Set<Promise<unknown>>();
  readonly #groups: RunGroups | undefined;
  #stopping = false;

  constructor(options: ProcessesOptions) {
    this.#groups = options.groups;
    this.starter = new ProgramStarter({ launcher: options.launcher });
    this.env = Object.fromEntries(
      Object.entries(options.env).filter((entry): entry is [string, string] => entry[1] !== undefined && inheritedNames.test(entry[0])),
    );
  }

  /**
   * Ends what children of a sidecar that was killed left in their groups: SIGTERM, and SIGKILL 500 ms later. To be called before there are children.
   * Resolves when they are gone, or 1 s later. Never rejects.
   */
  async recover(): Promise<void> {
    let left = this.#groups?.left() ?? [];
    for (const signal of ['SIGTERM', 'SIGKILL'] as const) {
      for (const group of left) signalLeft(group, signal);
      for (const until = performance.now() + KILL_AFTER_MS; left.length > 0 && performance.now() < until; left = this.#groups?.left() ?? [])
        await delay(BETWEEN_LOOKS_MS);
    }
  }

  /** Absolute path of a program on PATH, or undefined. A name with a slash is one of the folder `from`. */
  find(
    program: string,
    { from = '', searchPath = this.env['PATH'] ?? '' }: { from?: string; searchPath?: string | undefined } = {},
  ): string | undefined {
    if (program.includes('/')) {
      const file = path.resolve(from, program);
      return isExecutable(file) ? file : undefined;
    }
    return searchPath
      .split(path.delimiter)
      .filter((folder) => path.isAbsolute(folder))
      .map((folder) => path.join(folder, program))
      .find(isExecutable);
  }

  /**
   * Runs a program to its end. Any exit code is a result. Throws TOOL_MISSING, TOO_MANY_PROCESSES, PROCESS_TIMEOUT, STOPPING, and the reason of
   * `signal` when it is aborted; the whole group is dead then. Others that a program leaves on its output are heard until they are quiet.
   */
  async run(request: RunRequest): Promise<RunResult> {
    const maxBytes = request.maxOutputBytes ?? DEFAULT_MAX_OUTPUT_BYTES;
    const stdout = new BoundedOutput(maxBytes);
    const begun = (program: StartedProgram, closed: Promise<void>): void => {
      program.stdout.on('data', (bytes) => stdout.add(bytes));
      void program.exit.then(() => dropQuietOutput(program, closed));
    };
    const { exitCode, exitSignal, stderr } = await this.#begin(request, begun, Math.min(maxBytes, MAX_STDERR_BYTES)).result;
    return { exitCode, exitSignal, stdout: stdout.bytes(), stderr, omittedBytes: stdout.omitted };
  }

  /**
   * Starts a program whose output is read as it comes: what is not read holds the program back. Throws TOOL_MISSING and STOPPING; `result`
   * rejects as `run` does. Leaving the loop over `stdout` early ends the program.
   */
  open(request: Omit<RunRequest, 'maxOutputBytes'>): OpenProcess {
    const stdout = new OpenOutput();
    const { result, end } = this.#begin(request, (program) => stdout.follow(program.stdout), MAX_STDERR_BYTES);
    // Where it was not started, there is nothing to read.
    result.catch(() => {}).finally(() => stdout.finish());
    return { stdout, result, end: () => end(new OutriggerError('CANCELED', 'The program is not needed any more.')) };
  }

  /** What can be said of a request before anything is started. */
  #checked(request: RunRequest): ProgramRequest {
    const { argv, cwd } = request;
    if (this.#stopping) throw stopping();
    request.signal?.throwIfAborted();
    const file = this.find(argv[0]);
    if (file === undefined)
      throw new OutriggerError('TOOL_MISSING', `The program ${argv[0]} is not on this machine.`, { details: { tool: argv[0] } });
    return { file, argv: [file, ...argv.slice(1)], cwd, env: { ...this.env, ...request.env, ...this.#groups?.env } };
  }

  async #start(checked: ProgramRequest, { stdin }: Pick<RunRequest, 'stdin'>): Promise<StartedProgram> {
    const starting = this.starter.start(checked);
    const settled = starting.catch(() => {});
    this.#starting.add(settled);
    try {
      const program = await starting;
      this.#running.add(program);
      this.#remember();
      program.stdin.end(stdin ?? '');
      return program;
    } catch (error) {
      const { message } = error as Error;
      throw (
        shortageOf('the program', error) ?? new OutriggerError('TOOL_MISSING', `The program can't be started: ${message}`, { cause: error })
      );
    } finally {
      this.#starting.delete(settled);
    }
  }

  /**
   * Throws what `open` does. Ends the program at its time limit, when the call is aborted, and by `end`. `result`: when it has ended and its output was
   * read. `begun` is called in the turn in which it runs, before anything of it is told; `closed` resolves when all output came, or is not wanted.
   */
  #begin(
    request: RunRequest,
    begun: (program: StartedProgram, closed: Promise<void>) => void,
    maxStderrBytes: number,
  ): { result: Promise<Pick<RunResult, 'exitCode' | 'exitSignal' | 'stderr'>>; end: (reason: OutriggerError) => void } {
    const checked = this.#checked(request);
    let program: StartedProgram | undefined;
    let ended: OutriggerError | undefined;
    const givenUp = Promise.withResolvers<undefined>();
    const end = (reason: OutriggerError): void => {
      ended ??= reason;
      if (program !== undefined) endGroup(program);
      givenUp.resolve(undefined);
    };
    const unlimit = timeLimit(request.timeoutMs, () =>
      end(new OutriggerError('PROCESS_TIMEOUT', `${request.argv[0]} took longer than ${request.timeoutMs} ms and was ended.`)),
    );
    const aborted = (): void =>
      end(
        request.signal?.reason instanceof OutriggerError ? request.signal.reason : new OutriggerError('CANCELED', 'The call was canceled.'),
      );
    request.signal?.addEventListener('abort', aborted, { once: true });
    const result = (async () => {
      try {
        const starting = this.#start(checked, request);
        program = await Promise.race([starting, givenUp.promise]);
        if (program === undefined) {
          // One that comes late is not heard.
          void starting.then(
            (late) => this.#discard(late),
            () => {},
          );
          throw ended ?? stopping();
        }
        const stderr = new BoundedOutput(maxStderrBytes);
        program.stderr.on('data', (bytes) => {
          stderr.add(bytes);
          request.onStderr?.(bytes);
        });
        const closed = allClosed([program.stdout, program.stderr]);
        begun(program, closed);
        // While it was being started.
        if (this.#stopping) end(stopping());
        else if (ended !== undefined) end(ended);
        const { exitCode, exitSignal } = await program.exit;
        // Who is left in an ended group and holds its output keeps nobody waiting.
        if (ended === undefined) await closed;
        if (ended !== undefined) throw ended;
        return { exitCode, exitSignal: exitSignal as NodeJS.Signals | null, stderr: stderr.bytes() };
      } finally {
        unlimit();
        request.signal?.removeEventListener('abort', aborted);
        if (program !== undefined) this.#running.delete(program);
        this.#remember();
      }
    })();
    result.catch(() => {});
    return { result, end };
  }

  /** Ends one that came too late. */
  #discard(program: StartedProgram): void {
    for (const output of [program.stdout, program.stderr]) output.on('data', () => {});
    endGroup(program);
    void program.exit.then(() => {
      this.#running.delete(program);
      this.#remember();
    });
  }

  #remember(): void {
    this.#groups?.put([...this.#running].map(({ pid }) => pid));
  }

  /** Ends all children. */
  async stop(): Promise<void> {
    this.#stopping = true;
    const late = setTimeout(() => this.starter.close(), STOP_WITHIN_MS);
    await Promise.all(this.#starting);
    const running = [...this.#running];
    for (const program of running) endGroup(program);
    await Promise.all(running.map(({ exit }) => exit));
    clearTimeout(late);
    this.starter.close();
  }
}

function stopping(): OutriggerError {
  return new OutriggerError('STOPPING', 'The sidecar is stopping.');
}

async function allClosed(outputs: readonly ProgramOutput[]): Promise<void> {
  await Promise.all(outputs.map((output) => new Promise<void>((resolve) => output.once('close', resolve))));
}

function endGroup(program: StartedProgram): void {
  if (program.hasEnded) {
    program.signal('SIGKILL');
    dropOutput(program);
    return;
  }
  program.signal('SIGTERM');
  const timer = setTimeout(() => program.signal('SIGKILL'), KILL_AFTER_MS);
  // The leader may go on SIGTERM while others of its group ignore it.
  void program.exit.then(() => {
    clearTimeout(timer);
    program.signal('SIGKILL');
    dropOutput(program);
  });
}

function dropOutput({ stdout, stderr }: StartedProgram): void {
  stdout.destroy();
  stderr.destroy();
}

/** For a program that has ended and whose output is read as it comes. */
function dropQuietOutput(program: StartedProgram, closed: Promise<void>): void {
  const { stdout, stderr } = program;
  let isQuiet = true;
  const timer = setTimeout(() => {
    isQuiet = true;
    // After one more look at the pipes: when this program was busy, nobody has read them.
    setImmediate(() => {
      if (isQuiet) dropOutput(program);
    });
  }, QUIET_MS);
  const heard = (): void => {
    isQuiet = false;
    timer.refresh();
  };
  stdout.on('data', heard);
  stderr.on('data', heard);
  void closed.then(() => clearTimeout(timer));
}

/** To a group of an earlier sidecar. */
function signalLeft(group: number, signal: NodeJS.Signals): void {
  try {
    process.kill(-group, signal);
    // One that was stopped by a signal does not hear of others.
    process.kill(-group, 'SIGCONT');
  } catch {
    // All of it is gone.
  }
}

/** Output of a program that may not be there yet, for a loop. */
class OpenOutput extends Readable {
  #source: ProgramOutput | undefined;
  #isWhole = false;

  follow(source: ProgramOutput): void {
    this.#source = source;
    source.on('data', (bytes) => {
      if (!this.push(Buffer.from(bytes))) source.pause();
    });
    source.once('end', () => {
      this.#isWhole = true;
      this.push(null);
    });
    source.once('close', () => {
      if (!this.#isWhole) this.destroy();
    });
    if (this.destroyed) source.destroy();
  }

  /** There is nothing more to come. */
  finish(): void {
    if (this.#source === undefined) this.push(null);
  }

  override _read(): void {
    this.#source?.resume();
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this.#source?.destroy();
    done(error);
  }
}

class BoundedOutput {
  omitted = 0;
  readonly #maxBytes: number;
  readonly #chunks: Buffer[] = [];
  #size = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  add(chunk: Buffer): void {
    const room = this.#maxBytes - this.#size;
    const kept = chunk.length > room ? chunk.subarray(0, room) : chunk;
    if (kept.length > 0) this.#chunks.push(Buffer.from(kept));
    this.#size += kept.length;
    this.omitted += chunk.length - kept.length;
  }

  bytes(): Buffer {
    return Buffer.concat(this.#chunks);
  }
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return statSync(file).isFile();
  } catch {
    return false;
  }
}
