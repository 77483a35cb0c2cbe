import { type ChildProcess, spawn } from 'node:child_process';
import type { Duplex, Readable, Writable } from 'node:stream';
import type { HostExit, ProgramOutput } from './host.ts';
import { pipeOutput } from './pipe-output.ts';

/** The supervisor in the cage says one line. */
const MAX_REPORT_LENGTH = 8192;
/** Which descriptor the report comes from; the same takes a byte that asks for the end. */
export const REPORT_DESCRIPTOR = 3;

export interface CagedChildRequest {
  /** An absolute program and its arguments, as they are. */
  argv: readonly [string, ...string[]];
  /** All of its environment. */
  env: Readonly<Record<string, string>>;
  /** Absolute. */
  cwd: string;
  /** Without it, its standard input is at its end at once. */
  keepStdinOpen: boolean;
  /** It has a supervisor that takes descriptor 3. */
  reports: boolean;
}

/** A child with nothing of ours: its own process group, its own environment, four descriptors at most. */
export interface CagedChild {
  readonly stdout: ProgramOutput;
  readonly stderr: ProgramOutput;
  /** Never rejects. Streams may still hold output. */
  readonly exit: Promise<HostExit>;
  /**
   * The line that its supervisor said when all below it was over, which may be before its own end: it stays until a slow reader has all
   * output. '' where there is none. Never rejects.
   */
  readonly report: Promise<string>;
  /** Resolves when there is room for more; what it does not read any more is dropped. */
  write(bytes: Uint8Array): Promise<void>;
  endInput(): void;
  /** Asks its supervisor to end all that runs below it. */
  askToEnd(): void;
  /** Ends its process group at once; one that is gone is no error. */
  kill(): void;
}

/** Resolves when it runs. Throws the system's error. */
export async function startCaged(request: CagedChildRequest): Promise<CagedChild> {
  const [program, ...args] = request.argv;
  const child = spawn(program, args, {
    cwd: request.cwd,
    env: { ...request.env },
    stdio: [request.keepStdinOpen ? 'pipe' : 'ignore', 'pipe', 'pipe', ...(request.reports ? ['pipe' as const] : [])],
    detached: process.platform !== 'win32',
    windowsHide: true,
  });
  // Before it is known whether it runs: a short one has ended by then.
  const exit = new Promise<HostExit>((resolve) => {
    child.once('exit', (exitCode, exitSignal) => resolve({ exitCode, exitSignal }));
  });
  await new Promise<void>((resolve, reject) => {
    child.once('spawn', resolve);
    child.once('error', reject);
  });
  // A signal that came too late is no error of ours.
  child.on('error', () => {});
  child.stdin?.on('error', () => {});
  const wire = child.stdio[REPORT_DESCRIPTOR] as Duplex | undefined;
  wire?.on('error', () => {});
  return {
    stdout: pipeOutput(child.stdout as Readable),
    stderr: pipeOutput(child.stderr as Readable),
    exit,
    report: wire === undefined ? Promise.resolve('') : reportFrom(wire),
    write: (bytes) => writeTo(child.stdin, bytes),
    endInput: () => void child.stdin?.end(),
    askToEnd: () => void (wire?.writable === true && wire.write('x')),
    kill: () => kill(child),
  };
}

/** Its first line, or all that came until its end. Never rejects. */
export function reportFrom(wire: Pick<ProgramOutput, 'on' | 'once'>): Promise<string> {
  return new Promise((resolve) => {
    let text = '';
    wire.on('data', (bytes) => {
      if (text.length < MAX_REPORT_LENGTH) text += bytes.toString();
      if (text.endsWith('\n')) resolve(text);
    });
    // Ended from its side; ours follows.
    wire.once('close', () => resolve(text));
  });
}

/** Resolves when there is room for more, or nobody reads any more. */
export async function writeTo(input: Writable | null | undefined, bytes: Uint8Array): Promise<void> {
  if (input === null || input === undefined || !input.writable || input.write(bytes)) return;
  await new Promise<void>((resolve) => {
    const done = (): void => {
      input.off('drain', done).off('close', done);
      resolve();
    };
    input.once('drain', done).once('close', done);
  });
}

function kill(child: ChildProcess): void {
  try {
    if (process.platform === 'win32') child.kill('SIGKILL');
    else if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL');
  } catch {
    // ESRCH: all of the group is gone.
  }
}
