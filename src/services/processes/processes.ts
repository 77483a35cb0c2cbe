import { type ChildProcess, type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { accessSync, constants, statSync } from 'node:fs';
import path from 'node:path';
import type { Readable, Writable } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import { OutriggerError } from '../../contract/errors.ts';
import { signalGroup } from './local-host.ts';
import type { RunGroups } from './run-groups.ts';
import { shortageOf } from './shortage.ts';

const DEFAULT_MAX_OUTPUT_BYTES = 16 * 1024 * 1024;
const MAX_STDERR_BYTES = 1024 * 1024;
/** Time between asking a group to end and ending it. */
const KILL_AFTER_MS = 500;
/** Between two looks at groups of an earlier sidecar. */
const BETWEEN_LOOKS_MS = 20;
/** When a program ended and others hold its output open: so long after the last they wrote, no more is waited for. */
const QUIET_MS = 500;

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
}

/** Never handed on: they steer this program, or hold secrets. */
const inheritedNames =
  /^(PATH|HOME|USER|LOGNAME|LANG|LANGUAGE|LC_[A-Z]+|TZ|TMPDIR|SHELL|TERM|SSH_AUTH_SOCK|XDG_[A-Z_]+|GIT_(AUTHOR|COMMITTER)_[A-Z]+|GIT_SSH_COMMAND|SystemRoot|PATHEXT|APPDATA|USERPROFILE)$/;

/** The children: the only place that spawns. Each runs in a process group of its own, which is ended whole. */
export class Processes {
  /** What children inherit. */
  readonly env: Readonly<Record<string, string>>;
  readonly #running = new Set<ChildProcess>();
  readonly #groups: RunGroups | undefined;
  #stopping = false;

  constructor(options: ProcessesOptions) {
    this.#groups = options.groups;
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
    const child = this.#spawn(request);
    const maxBytes = request.maxOutputBytes ?? DEFAULT_MAX_OUTPUT_BYTES;
    const stdout = new BoundedOutput(maxBytes);
    const stderr = new BoundedOutput(Math.min(maxBytes, MAX_STDERR_BYTES));
    child.stdout.on('data', (chunk: Buffer) => stdout.add(chunk));
    child.stderr.on('data', (chunk: Buffer) => {
      stderr.add(chunk);
      request.onStderr?.(chunk);
    });
    child.once('exit', () => dropQuietOutput(child));
    const { ended, done } = this.#guard(child, request);
    try {
      const [exitCode, exitSignal] = await closed(child, () => ended() !== undefined);
      const reason = ended();
      if (reason !== undefined) throw reason;
      return { exitCode, exitSignal, stdout: stdout.bytes(), stderr: stderr.bytes(), omittedBytes: stdout.omitted };
    } finally {
      done();
    }
  }

  /**
   * Starts a program whose output is read as it comes: what is not read holds the program back. Throws TOOL_MISSING, TOO_MANY_PROCESSES and
   * STOPPING; `result` rejects as `run` does. Leaving the loop over `stdout` early ends the program.
   */
  open(request: Omit<RunRequest, 'maxOutputBytes'>): OpenProcess {
    const child = this.#spawn(request);
    const stderr = new BoundedOutput(MAX_STDERR_BYTES);
    child.stderr.on('data', (chunk: Buffer) => stderr.add(chunk));
    const { ended, done, end } = this.#guard(child, request);
    const result = (async () => {
      try {
        const [exitCode, exitSignal] = await closed(child, () => ended() !== undefined);
        const reason = ended();
        if (reason !== undefined) throw reason;
        return { exitCode, exitSignal, stderr: stderr.bytes() };
      } finally {
        done();
      }
    })();
    result.catch(() => {});
    return { stdout: child.stdout, result, end: () => end(new OutriggerError('CANCELED', 'The program is not needed any more.')) };
  }

  #spawn(request: RunRequest): ChildProcessWithoutNullStreams {
    const [program, ...args] = request.argv;
    if (this.#stopping) throw new OutriggerError('STOPPING', 'The sidecar is stopping.');
    request.signal?.throwIfAborted();
    const file = this.find(program);
    if (file === undefined)
      throw new OutriggerError('TOOL_MISSING', `The program ${program} is not on this machine.`, { details: { tool: program } });
    const child = spawn(file, args, {
      cwd: request.cwd,
      env: { ...this.env, ...request.env, ...this.#groups?.env },
      stdio: ['pipe', 'pipe', 'pipe'],
      detached: process.platform !== 'win32',
      windowsHide: true,
    });
    // Before anything else is done with it: an error that nobody hears ends this process.
    child.on('error', () => {});
    // Without descriptors for them it has no streams, whatever the types say; the error with the system's word comes later.
    if ((child.stdin as Writable | undefined) === undefined)
      throw new OutriggerError('TOO_MANY_PROCESSES', `The system has no room for ${program}: no descriptors are left.`);
    this.#running.add(child);
    this.#remember();
    // A child that ends without reading its input is no error of ours.
    child.stdin.on('error', () => {});
    child.stdin.end(request.stdin ?? '');
    return child;
  }

  /** Ends the child at its time limit or when the call is aborted; `ended` says why, `done` lets go of it. */
  #guard(
    child: ChildProcess,
    request: Pick<RunRequest, 'argv' | 'timeoutMs' | 'signal'>,
  ): { ended: () => OutriggerError | undefined; end: (reason: OutriggerError) => void; done: () => void } {
    let ended: OutriggerError | undefined;
    const end = (reason: OutriggerError): void => {
      ended ??= reason;
      endGroup(child);
    };
    const timer = setTimeout(
      () => end(new OutriggerError('PROCESS_TIMEOUT', `${request.argv[0]} took longer than ${request.timeoutMs} ms and was ended.`)),
      request.timeoutMs,
    );
    const aborted = (): void =>
      end(
        request.signal?.reason instanceof OutriggerError ? request.signal.reason : new OutriggerError('CANCELED', 'The call was canceled.'),
      );
    request.signal?.addEventListener('abort', aborted, { once: true });
    return {
      ended: () => ended,
      end,
      done: () => {
        clearTimeout(timer);
        request.signal?.removeEventListener('abort', aborted);
        this.#running.delete(child);
        this.#remember();
      },
    };
  }

  #remember(): void {
    this.#groups?.put([...this.#running].flatMap(({ pid }) => pid ?? []));
  }

  /** Ends all children. */
  async stop(): Promise<void> {
    this.#stopping = true;
    const running = [...this.#running];
    for (const child of running) endGroup(child);
    await Promise.all(running.map((child) => exited(child)));
  }
}

function exited(child: ChildProcess): Promise<void> {
  return new Promise((resolve) => {
    if (hasEnded(child)) resolve();
    else child.once('exit', () => resolve());
  });
}

function hasEnded(child: ChildProcess): boolean {
  return child.exitCode !== null || child.signalCode !== null;
}

/** Resolves when the child ended and its output was read; a grandchild that holds the pipes open does not keep an ended group waiting. */
function closed(child: ChildProcess, wasEnded: () => boolean): Promise<[number | null, NodeJS.Signals | null]> {
  return new Promise((resolve, reject) => {
    child.once('error', (error) =>
      reject(
        shortageOf('the program', error) ??
          new OutriggerError('TOOL_MISSING', `The program can't be started: ${error.message}`, { cause: error }),
      ),
    );
    child.once('close', (code, signal) => resolve([code, signal]));
    child.once('exit', (code, signal) => {
      if (wasEnded()) resolve([code, signal]);
    });
  });
}

function endGroup(child: ChildProcess): void {
  if (hasEnded(child)) {
    killGroup(child, 'SIGKILL');
    dropOutput(child);
    return;
  }
  killGroup(child, 'SIGTERM');
  const timer = setTimeout(() => killGroup(child, 'SIGKILL'), KILL_AFTER_MS);
  // The leader may go on SIGTERM while others of its group ignore it.
  child.once('exit', () => {
    clearTimeout(timer);
    killGroup(child, 'SIGKILL');
    dropOutput(child);
  });
}

function dropOutput(child: ChildProcess): void {
  child.stdout?.destroy();
  child.stderr?.destroy();
}

/** For a child that has ended and whose output is read as it comes. */
function dropQuietOutput(child: ChildProcessWithoutNullStreams): void {
  let isQuiet = true;
  const timer = setTimeout(() => {
    isQuiet = true;
    // After one more look at the pipes: when this program was busy, nobody has read them.
    setImmediate(() => {
      if (isQuiet) dropOutput(child);
    });
  }, QUIET_MS);
  const heard = (): void => {
    isQuiet = false;
    timer.refresh();
  };
  child.stdout.on('data', heard);
  child.stderr.on('data', heard);
  child.once('close', () => clearTimeout(timer));
}

function killGroup(child: ChildProcess, signal: NodeJS.Signals): void {
  if (child.pid !== undefined) signalGroup(child.pid, signal, hasEnded(child), () => child.kill(signal));
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
    if (kept.length > 0) this.#chunks.push(kept);
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
