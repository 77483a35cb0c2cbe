import os from 'node:os';
import path from 'node:path';
import type { Readable, Writable } from 'node:stream';
import { ForkServer, LAUNCHER_ENVIRONMENT } from './fork-server.ts';
import { pipeOutput } from './pipe-output.ts';
import { spawnGroup } from './spawn-group.ts';
import { type ProgramRequest, type StartedProgram, signalGroup } from './started-program.ts';
import { yieldMemoryFirst } from './yield-memory.ts';

/** A server that is not there by then is not waited for. */
const SERVER_WITHIN_MS = 5000;
/** Why there are no pipes now, and may be some later. */
const SHORTAGES = ['EMFILE', 'ENFILE', 'EAGAIN', 'ETIMEDOUT'];

/**
 * Starts programs. To fork, Linux copies the tables of all memory that a process has, and the event loop waits for it: 3 ms in an idle sidecar, 15 ms
 * in one of 400 MB; and Node gives programs sockets, which nobody can open as /dev/stdout. So where the launcher is there, a small process starts them
 * (`native/serve.h`), with pipes.
 */
export class ProgramStarter {
  readonly #launcher: string | undefined;
  #server: ForkServer | undefined;
  #starting: Promise<void> | undefined;
  #isClosed = false;

  /** Without a launcher, all are started from this process. */
  constructor({ launcher }: { launcher?: string | undefined } = {}) {
    this.#launcher = process.platform === 'linux' ? launcher : undefined;
  }

  /** Resolves when it runs. Throws the system's error: ENOENT for a folder that is not there, too. */
  async start(request: ProgramRequest): Promise<StartedProgram> {
    const server = await this.#ready();
    const pipes = await server?.programs.pipes().catch((error: NodeJS.ErrnoException) => {
      // It can't do what it is for.
      if (!SHORTAGES.includes(error.code ?? '')) server.close();
      return undefined;
    });
    if (server === undefined || pipes === undefined) return spawned(request);
    try {
      return await server.programs.run(request, pipes);
    } catch (error) {
      // Whether it was started nobody knows, so it is not started once more.
      if (server.isOver) throw Object.assign(new Error('What starts programs was ended just now.', { cause: error }), { code: 'EAGAIN' });
      throw error;
    }
  }

  /** Ends the server, and what it started. */
  close(): void {
    this.#isClosed = true;
    this.#server?.close();
  }

  /** The server; undefined where there can't be one, or is none yet. */
  async #ready(): Promise<ForkServer | undefined> {
    const there = this.#serverNow();
    if (there !== undefined) return there;
    // One that never did what it is for would not the next time.
    if (this.#launcher === undefined || this.#isClosed || this.#server?.hasServed === false) return undefined;
    this.#starting ??= this.#begin(this.#launcher);
    const late = Promise.withResolvers<void>();
    const timer = setTimeout(late.resolve, SERVER_WITHIN_MS);
    await Promise.race([this.#starting, late.promise]).finally(() => clearTimeout(timer));
    return this.#serverNow();
  }

  #serverNow(): ForkServer | undefined {
    return this.#server?.isOver === false ? this.#server : undefined;
  }

  async #begin(launcher: string): Promise<void> {
    try {
      this.#server = await ForkServer.start({ argv: [launcher, '--serve'], env: LAUNCHER_ENVIRONMENT, folder: path.resolve(os.tmpdir()) });
      if (this.#isClosed) this.#server.close();
      else this.#server.programs.prepare();
      this.#starting = undefined;
    } catch {
      // No temporary folder, or no room: it is not tried again, and nobody lacks anything but time.
    }
  }
}

async function spawned({ file, argv, cwd, env }: ProgramRequest): Promise<StartedProgram> {
  const [argv0, ...args] = argv;
  const { child, exit } = await spawnGroup(file, args, { cwd, env: { ...env }, argv0, stdio: ['pipe', 'pipe', 'pipe'] });
  const pid = child.pid as number;
  yieldMemoryFirst(pid);
  const hasEnded = (): boolean => child.exitCode !== null || child.signalCode !== null;
  return {
    pid,
    stdin: child.stdin as Writable,
    stdout: pipeOutput(child.stdout as Readable),
    stderr: pipeOutput(child.stderr as Readable),
    exit,
    get hasEnded() {
      return hasEnded();
    },
    signal: (name) => signalGroup(pid, name, hasEnded(), () => child.kill(name)),
  };
}
