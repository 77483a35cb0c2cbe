import type { ChildProcess } from 'node:child_process';
import type { Duplex, Readable, Writable } from 'node:stream';
import type { HostExit, ProgramOutput } from './host.ts';
import { pipeOutput } from './pipe-output.ts';
import { spawnGroup } from './spawn-group.ts';
import { yieldMemoryFirst } from './yield-memory.ts';

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
  /** Of one that has many orders: they may take so many ms of processor each, from now on. */
  limitCpu(ms: number): void;
  /**
   * Its order is done: asks its supervisor to end all that runs below it but the program itself, which is held still from some ms later on
   * until something comes by its input. Resolves with the line that the supervisor says of it, and with '' where it is over. Never rejects.
   */
  settle(): Promise<string>;
  /** Ends its process group at once; one that is gone is no error. */
  kill(): void;
}

/** Resolves when it runs. Throws the system's error. */
export async function startCaged(request: CagedChildRequest): Promise<CagedChild> {
  const [program, ...args] = request.argv;
  const { child, exit } = await spawnGroup(program, args, {
    cwd: request.cwd,
    env: { ...request.env },
    stdio: [request.keepStdinOpen ? 'pipe' : 'ignore', 'pipe', 'pipe', ...(request.reports ? ['pipe' as const] : [])],
  });
  yieldMemoryFirst(child.pid as number);
  const wire = child.stdio[REPORT_DESCRIPTOR] as Duplex | undefined;
  wire?.on('error', () => {});
  const supervisor = wire === undefined ? undefined : new SupervisorWire(wire, wire);
  return {
    stdout: pipeOutput(child.stdout as Readable),
    stderr: pipeOutput(child.stderr as Readable),
    exit,
    report: supervisor?.report ?? Promise.resolve(''),
    write: (bytes) => writeTo(child.stdin, bytes),
    endInput: () => void child.stdin?.end(),
    askToEnd: () => supervisor?.order('x'),
    limitCpu: (ms) => supervisor?.order(`${ms}c`),
    settle: () => supervisor?.ask('r') ?? Promise.resolve(''),
    kill: () => kill(child),
  };
}

/** What is between us and a supervisor, as native/supervise.h has it: orders of one letter, answers that begin with `=`, and the report at last. */
export class SupervisorWire {
  /** Its first line that is no answer, or what came until its end. Never rejects. */
  readonly report: Promise<string>;
  readonly #input: Writable;
  readonly #asked: ((answer: string) => void)[] = [];
  #isOver = false;

  constructor(output: Pick<ProgramOutput, 'on' | 'once'>, input: Writable) {
    this.#input = input;
    const report = Promise.withResolvers<string>();
    this.report = report.promise;
    let text = '';
    output.on('data', (bytes) => {
      if (text.length < MAX_REPORT_LENGTH) text += bytes.toString();
      for (let end = text.indexOf('\n'); end >= 0 && !this.#isOver; end = text.indexOf('\n')) {
        const line = text.slice(0, end + 1);
        if (line.startsWith('=')) this.#asked.shift()?.(line.slice(1));
        else {
          report.resolve(line);
          this.order('h');
          this.#leave();
        }
        text = text.slice(end + 1);
      }
    });
    // Ended from its side; ours follows.
    output.once('close', () => {
      report.resolve(text);
      this.#leave();
    });
  }

  order(text: string): void {
    if (this.#input.writable) this.#input.write(text);
  }

  /** Resolves with the answer, and with '' where none comes any more. */
  ask(text: string): Promise<string> {
    if (this.#isOver || !this.#input.writable) return Promise.resolve('');
    const { promise, resolve } = Promise.withResolvers<string>();
    this.#asked.push(resolve);
    this.#input.write(text);
    return promise;
  }

  #leave(): void {
    this.#isOver = true;
    for (const resolve of this.#asked.splice(0)) resolve('');
  }
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
