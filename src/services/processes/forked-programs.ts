import { constants } from 'node:os';
import { exitOf, type OrderKind, type ServerWord, stringBytes, systemError, tooLate, variables } from './fork-wire.ts';
import type { HostExit } from './host.ts';
import { type Pipes, PipesAhead } from './pipes-ahead.ts';
import { type ProgramRequest, type StartedProgram, signalGroup } from './started-program.ts';
import { timeLimit } from './time-limit.ts';

const BEGIN_WITHIN_MS = 5000;
/** Between signalling a program by its server and by ourselves, where it is not told meanwhile that it ended. */
const KILL_OURSELVES_AFTER_MS = 1000;

export interface ForkedProgramsHost {
  order(kind: OrderKind, ...parts: readonly (string | Buffer)[]): void;
  isOver(): boolean;
  /** How many run has changed. */
  changed(): void;
}

/** One that was ordered, until it ended. */
interface Ordered {
  /** 0 until it runs. */
  pid: number;
  began: () => void;
  refused: (error: Error) => void;
  exited: (exit: HostExit) => void;
  hasEnded: boolean;
}

/** Programs that are no cages, of a fork server. */
export class ForkedPrograms {
  readonly #host: ForkedProgramsHost;
  readonly #pipes: PipesAhead;
  readonly #ordered = new Map<string, Ordered>();

  /** `pid`: of the server. */
  constructor(host: ForkedProgramsHost, pid: number) {
    this.#host = host;
    this.#pipes = new PipesAhead({ order: (kind, token) => host.order(kind, token), pid });
  }

  get size(): number {
    return this.#ordered.size;
  }

  /** Has pipes made for those to come. */
  prepare(): void {
    this.#pipes.make();
  }

  /** For one program; see PipesAhead. */
  pipes(): Promise<Pipes> {
    return this.#pipes.take();
  }

  /** Resolves when it runs. Throws the system's error. */
  async run({ file, argv, cwd, env }: ProgramRequest, pipes: Pipes): Promise<StartedProgram> {
    const { token, stdin, stdout, stderr } = pipes;
    const began = Promise.withResolvers<void>();
    const exit = Promise.withResolvers<HostExit>();
    const ordered: Ordered = { pid: 0, began: began.resolve, refused: began.reject, exited: exit.resolve, hasEnded: false };
    const unlimit = timeLimit(BEGIN_WITHIN_MS, () => began.reject(tooLate()));
    try {
      const strings = stringBytes([cwd, file, String(argv.length), ...argv, ...variables(env)]);
      this.#ordered.set(token, ordered);
      this.#host.changed();
      this.#host.order('R', token, strings);
      await began.promise;
    } catch (error) {
      if (!this.#host.isOver()) this.#host.order('K', token);
      this.#forget(token);
      stdin.destroy();
      for (const output of [stdout, stderr]) output.destroy();
      throw error;
    } finally {
      unlimit();
    }
    void exit.promise.then(() => stdin.destroy());
    return {
      pid: ordered.pid,
      stdin,
      stdout,
      stderr,
      exit: exit.promise,
      get hasEnded() {
        return ordered.hasEnded;
      },
      signal: (name) => this.#signal(token, ordered, name, exit.promise),
    };
  }

  /** Whether it is of one of these. */
  hear(said: Exclude<ServerWord, { word: 'ready' }>): boolean {
    if (said.word === 'made') return this.#pipes.made(said.token, said.ends);
    const ordered = this.#ordered.get(said.token);
    if (said.word === 'began') {
      if (ordered !== undefined) ordered.pid = said.pid;
      ordered?.began();
      return ordered !== undefined;
    }
    if (ordered === undefined) return this.#pipes.refused(said.token, said.status);
    ordered.hasEnded = true;
    ordered.exited(exitOf(said.status));
    if (said.status < 0) ordered.refused(systemError(said.status));
    this.#forget(said.token);
    return true;
  }

  /** The server is gone, and `why`. */
  leave(why: Error): void {
    this.#pipes.close(why);
    for (const { pid, refused, exited } of this.#ordered.values()) {
      refused(why);
      // Of its end nobody would hear.
      if (pid > 0) signalGroup(pid, 'SIGKILL', false, () => {});
      exited({ exitCode: null, exitSignal: 'SIGKILL' });
    }
    for (const ordered of this.#ordered.values()) ordered.hasEnded = true;
    this.#ordered.clear();
  }

  #signal(token: string, ordered: Ordered, name: NodeJS.Signals, exit: Promise<unknown>): void {
    const { pid } = ordered;
    // What waits for it sends the signal, so that its number is nobody else's meanwhile.
    if (ordered.hasEnded || this.#host.isOver()) return void signalGroup(pid, name, true, () => {});
    this.#host.order('G', token, String(constants.signals[name]).padStart(2, '0'));
    if (name !== 'SIGKILL') return;
    // The server may hang in a file system.
    const late = setTimeout(() => {
      signalGroup(pid, name, ordered.hasEnded, () => {});
      ordered.hasEnded = true;
      ordered.exited({ exitCode: null, exitSignal: name });
    }, KILL_OURSELVES_AFTER_MS);
    void exit.then(() => clearTimeout(late));
  }

  #forget(token: string): void {
    this.#ordered.delete(token);
    this.#host.changed();
  }
}
