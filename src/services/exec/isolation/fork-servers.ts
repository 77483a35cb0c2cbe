import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { ForkServer, LAUNCHER_ENVIRONMENT } from '../../processes/fork-server.ts';
import { shortageOf } from '../../processes/shortage.ts';
import type { Interpreter } from './sandbox.ts';

/** Beside the launcher. */
const LIBRARY = 'outrigger-cage.so';
/** Forks of one interpreter have the same addresses and seeds of hashes: after so many they are others. */
const MOST_FORKS = 1000;
/** One that failed is not tried again before that. */
const RETRY_MS = 60_000;
/** No folder of anybody: nothing is loaded from there. */
const NO_HOME = '/nonexistent';

export interface ForkServersDependencies {
  /** Absolute; the library lies beside it. Undefined: there are no cages. */
  launcher: string | undefined;
  /** Milliseconds. */
  now: () => number;
  log: (level: 'warn', event: string, fields: Record<string, unknown>) => void;
}

interface Served {
  server: Promise<ForkServer | undefined>;
  mark: string;
  forks: number;
  failedAt: number;
}

/** What starts cages by forking: the launcher for programs of any kind, and interpreters for forks of their own. Each is started when it is first needed. */
export class ForkServers {
  readonly #dependencies: ForkServersDependencies;
  readonly #served = new Map<string, Served>();
  readonly #keys = new WeakMap<Interpreter, string>();
  /** Of which forks may still run. */
  readonly #retired = new Set<ForkServer>();
  #isClosed = false;

  constructor(dependencies: ForkServersDependencies) {
    this.#dependencies = dependencies;
  }

  /**
   * Without an interpreter, the launcher itself. Undefined where there can't be one now; for the launcher, throws TOO_MANY_PROCESSES or DISK_FULL where
   * that is for want of something that may be there in a moment.
   */
  async of(interpreter: Interpreter | undefined): Promise<ForkServer | undefined> {
    if (this.#isClosed) return undefined;
    const key = this.#keyOf(interpreter);
    const mark = interpreter?.mark ?? '';
    let served = this.#served.get(key);
    if (served !== undefined && (served.mark !== mark || (interpreter !== undefined && served.forks >= MOST_FORKS))) {
      this.#served.delete(key);
      void this.#retire(served);
      served = undefined;
    }
    served ??= { server: this.#start(interpreter), mark, forks: 0, failedAt: 0 };
    this.#served.set(key, served);
    served.forks += 1;
    const server = await served.server.catch((error: unknown) => {
      if (this.#served.get(key) === served) this.#served.delete(key);
      throw error;
    });
    if (this.#isClosed) return undefined;
    if (server?.isOver === false) return server;
    const { now, log } = this.#dependencies;
    const isCurrent = this.#served.get(key) === served;
    if (served.failedAt === 0) {
      served.failedAt = now();
      log('warn', 'code.server.over', { program: interpreter?.argv[0] ?? 'launcher', said: server?.said.slice(-300) ?? '' });
    }
    // Somebody ended it; or it can't do what it is for, and would not the next time.
    if (server?.hasServed !== true && now() - served.failedAt < RETRY_MS) return undefined;
    if (isCurrent) this.#served.delete(key);
    return this.of(interpreter);
  }

  /** Ends all of them, and what still runs with them. Resolves when they were told. */
  async close(): Promise<void> {
    this.#isClosed = true;
    const served = [...this.#served.values()];
    this.#served.clear();
    for (const { server } of served) (await server.catch(() => undefined))?.close();
    for (const server of this.#retired) server.close();
  }

  /** What an interpreter runs is long, and one serves many. */
  #keyOf(interpreter: Interpreter | undefined): string {
    if (interpreter === undefined) return '';
    const key = this.#keys.get(interpreter) ?? JSON.stringify([interpreter.argv, interpreter.env]);
    this.#keys.set(interpreter, key);
    return key;
  }

  async #retire({ server }: Served): Promise<void> {
    const one = await server.catch(() => undefined);
    if (one === undefined) return;
    this.#retired.add(one);
    await one.idle();
    this.#retired.delete(one);
    one.close();
  }

  async #start(interpreter: Interpreter | undefined): Promise<ForkServer | undefined> {
    const { launcher } = this.#dependencies;
    if (launcher === undefined || process.platform !== 'linux') return undefined;
    const library = path.join(path.dirname(launcher), LIBRARY);
    // A server works in another folder.
    const folder = path.resolve(os.tmpdir());
    try {
      if (interpreter === undefined) return await ForkServer.start({ argv: [launcher, '--serve'], env: LAUNCHER_ENVIRONMENT, folder });
      if (!fs.existsSync(library)) return undefined;
      const { argv, env, later } = interpreter;
      const home = env['HOME'] === undefined ? {} : { HOME: env['HOME'] };
      const variables = Object.entries({ ...later, ...home }).map(([name, value]) => `${name}=${value}`);
      return await ForkServer.start({ argv: [...argv, library, ...variables], env: { ...env, HOME: NO_HOME }, folder });
    } catch (error) {
      this.#dependencies.log('warn', 'code.server.failed', { why: (error as Error).message });
      // Without a server of its own, an interpreter is started in each cage; without this one, the cage may be a lesser one.
      const shortage = interpreter === undefined ? shortageOf('what starts cages', error) : undefined;
      if (shortage !== undefined) throw shortage;
      return undefined;
    }
  }
}
