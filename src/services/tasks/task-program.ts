import { setTimeout as delay } from 'node:timers/promises';
import type { HostedProcess, HostExit, ProcessHost } from '../processes/host.ts';
import { markedWith } from '../processes/process-facts.ts';
import { Strays } from '../processes/strays.ts';

/** In the environment of all that runs for a task: so those that left its group are found. */
const MARK = 'OUTRIGGER_TASK';
/** Of the time to end a program, so much is left for those who do not listen. */
const HARD_SHARE = 0.6;
/** And a program is asked at most so long. */
const MAX_GRACE_MS = 2000;
const BETWEEN_LOOKS_MS = 50;
/** Output that is still in the pipes of a program that ended. */
const LAST_OUTPUT_MS = 300;

export interface TaskProgramRequest {
  argv: readonly [string, ...string[]];
  /** Absolute. */
  cwd: string;
  env: Readonly<Record<string, string>>;
  /** Of this program and all that it starts. */
  mark: string;
  onOutput: (stream: 'stdout' | 'stderr', bytes: Buffer) => void;
}

/** Starts programs for tasks, and ends whatever they started. */
export class TaskPrograms {
  readonly #host: ProcessHost;
  readonly #strays = new Strays(MARK);
  /** That is about to be taken. */
  #look: Promise<string[]> | undefined;

  constructor(host: ProcessHost) {
    this.#host = host;
  }

  /** Throws what the host refuses: TOOL_MISSING, FILE_PERMISSION, FILE_NOT_FOUND, BAD_INPUT, TOO_MANY_PROCESSES. */
  async start({ argv, cwd, env, mark, onOutput }: TaskProgramRequest): Promise<TaskProgram> {
    const hosted = await this.#host.start({ argv, cwd, env: { ...env, [MARK]: mark } });
    return new TaskProgram(hosted, mark, this, onOutput);
  }

  /** Marks of all that runs for a task now, whoever started it, as far as the system tells. Looks at every process: not for each of many. */
  marksNow(): string[] {
    const marks: string[] = [];
    markedWith(MARK, (mark) => marks.push(mark) > 0);
    return marks;
  }

  /** Whether something with a mark that is meant still runs. Those who ask in one turn of the event loop share a look, which comes after it. */
  async isRunning(isMeant: (mark: string) => boolean): Promise<boolean> {
    this.#look ??= new Promise((resolve) =>
      setImmediate(() => {
        this.#look = undefined;
        resolve(this.marksNow());
      }),
    );
    return (await this.#look).some(isMeant);
  }

  /** Resolves when nothing with such a mark runs, or after so long. */
  async gone(isMeant: (mark: string) => boolean, withinMs: number): Promise<void> {
    const until = performance.now() + withinMs;
    while (performance.now() < until && (await this.isRunning(isMeant))) await delay(BETWEEN_LOOKS_MS);
  }

  /** Ends all with such a mark at once. Never rejects. */
  async endMarked(isMeant: (mark: string) => boolean): Promise<void> {
    await this.#strays.end(isMeant);
  }
}

/** One program, its process group, and what left that. */
export class TaskProgram {
  readonly pid: number;
  /** It ended, and what it wrote was read. Never rejects. */
  readonly exit: Promise<HostExit>;
  readonly #hosted: HostedProcess;
  readonly #mark: string;
  readonly #programs: TaskPrograms;
  #over = false;

  constructor(hosted: HostedProcess, mark: string, programs: TaskPrograms, onOutput: TaskProgramRequest['onOutput']) {
    this.#hosted = hosted;
    this.#mark = mark;
    this.#programs = programs;
    this.pid = hosted.pid;
    hosted.endInput();
    const read = Promise.all([this.#read('stdout', hosted.stdout, onOutput), this.#read('stderr', hosted.stderr, onOutput)]);
    this.exit = hosted.exit.then(async (exit) => {
      this.#over = true;
      // What it left in the background may hold the pipes open for as long as it likes.
      await Promise.race([read, delay(LAST_OUTPUT_MS, undefined, { ref: false })]);
      return exit;
    });
  }

  /** Asks it and its group to end, and ends them and all with its mark when they do not. Resolves when none is left, within `withinMs`. */
  async end(withinMs: number): Promise<void> {
    const isMine = (mark: string): boolean => isPartOf(this.#mark, mark);
    const until = performance.now() + Math.min(MAX_GRACE_MS, withinMs * (1 - HARD_SHARE));
    this.#hosted.signal('SIGTERM');
    // One that was stopped by a signal does not hear of others.
    this.#hosted.signal('SIGCONT');
    while (performance.now() < until && !this.#over) await delay(BETWEEN_LOOKS_MS);
    await this.#programs.gone(isMine, until - performance.now());
    this.#hosted.signal('SIGKILL');
    await this.#programs.endMarked(isMine);
    await this.exit;
    this.#hosted.stdout.destroy();
    this.#hosted.stderr?.destroy();
  }

  #read(name: 'stdout' | 'stderr', stream: HostedProcess['stderr'], onOutput: TaskProgramRequest['onOutput']): Promise<void> {
    if (stream === undefined) return Promise.resolve();
    // The bytes are ours for the time of the call alone.
    stream.on('data', (bytes: Buffer) => onOutput(name, Buffer.from(bytes)));
    return new Promise((resolve) => {
      stream.once('end', resolve);
      stream.once('close', resolve);
      stream.once('error', () => resolve());
    });
  }
}

/** Whether a mark is that of a task, or of one of its parts. */
export function isPartOf(mark: string, other: string): boolean {
  return other === mark || other.startsWith(`${mark}:`);
}
