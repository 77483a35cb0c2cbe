import { readFile } from 'node:fs/promises';
import type { Duplex } from 'node:stream';
import { setTimeout as wait } from 'node:timers/promises';
import { OutriggerError } from '../../contract/errors.ts';
import { Backoff } from '../../core/backoff.ts';
import { AgentConnection, AgentRefusal } from './agent-connection.ts';
import type { AgentProcess } from './agent-process.ts';
import type { HostRequest, ProcessHost } from './host.ts';

const FIRST_RETRY_MS = 50;
const LAST_RETRY_MS = 1000;
/** For one attempt, until the agent took the token. */
const ATTEMPT_MS = 3000;

export interface AgentHostDependencies {
  /** Connects to a unix socket; rejects with the system's error, and with the signal's reason. */
  dial: (path: string, signal: AbortSignal) => Promise<Duplex>;
  /** Uniform in [0, 1). */
  random: () => number;
}

export interface AgentHostOptions {
  name: string;
  /** The agent's socket, absolute. */
  socket: string;
  /** Holds what the agent's token file holds. Read anew for each connection. */
  tokenFile: string;
  /** A start waits so long for an agent that is not there: its container may be starting. */
  patienceMs: number;
}

/**
 * Another container, behind its exec agent. One connection carries all that runs there; it is made by the first start, and again by the
 * first start after it was lost. Nothing is tried while nobody wants to start something.
 */
export class AgentHost implements ProcessHost {
  readonly name: string;
  readonly #dependencies: AgentHostDependencies;
  readonly #options: AgentHostOptions;
  readonly #closing = new AbortController();
  #connection: AgentConnection | undefined;
  #opening: Promise<AgentConnection> | undefined;

  constructor(dependencies: AgentHostDependencies, options: AgentHostOptions) {
    this.name = options.name;
    this.#dependencies = dependencies;
    this.#options = options;
  }

  /** Also throws FILE_NOT_FOUND for a folder that is not there, TOO_MANY_PROCESSES at the agent's limit, BAD_INPUT, and STOPPING. */
  async start(request: HostRequest, signal?: AbortSignal): Promise<AgentProcess> {
    signal?.throwIfAborted();
    const connection = await orAborted(this.#connect(), signal);
    return connection.start(request, signal);
  }

  async close(): Promise<void> {
    this.#closing.abort(new OutriggerError('STOPPING', 'The sidecar is stopping.'));
    // An attempt that is under way may be done already.
    await this.#opening?.catch(() => {});
    await this.#connection?.end();
  }

  async #connect(): Promise<AgentConnection> {
    this.#closing.signal.throwIfAborted();
    if (this.#connection?.isOpen === true) return this.#connection;
    // Starts that come together wait for the same attempt.
    this.#opening ??= this.#open().finally(() => {
      this.#opening = undefined;
    });
    return this.#opening;
  }

  async #open(): Promise<AgentConnection> {
    const until = performance.now() + this.#options.patienceMs;
    const backoff = new Backoff({ baseMs: FIRST_RETRY_MS, maxMs: LAST_RETRY_MS, random: this.#dependencies.random });
    for (;;) {
      try {
        this.#connection = await this.#attempt();
        return this.#connection;
      } catch (error) {
        this.#closing.signal.throwIfAborted();
        const delay = backoff.next();
        if ((error instanceof AgentRefusal && !error.passing) || performance.now() + delay > until) throw this.#unavailable(error);
        await wait(delay, undefined, { signal: this.#closing.signal }).catch(() => {});
        this.#closing.signal.throwIfAborted();
      }
    }
  }

  async #attempt(): Promise<AgentConnection> {
    const { socket, tokenFile } = this.#options;
    const signal = AbortSignal.any([this.#closing.signal, AbortSignal.timeout(ATTEMPT_MS)]);
    const token = (await readFile(tokenFile, { encoding: 'utf8', signal })).trim();
    return AgentConnection.open(await this.#dependencies.dial(socket, signal), token, signal);
  }

  #unavailable(cause: unknown): OutriggerError {
    const { name, socket } = this.#options;
    const { code, message } = cause as NodeJS.ErrnoException;
    const why = typeof code === 'string' ? code : message;
    return new OutriggerError('HOST_UNAVAILABLE', `The exec agent of "${name}" can't be used at ${socket}: ${why}.`, { cause });
  }
}

/** What it waits for goes on without it: others may wait for the same. */
function orAborted<T>(work: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return work;
  return new Promise((resolve, reject) => {
    const onAbort = (): void => reject(signal.reason as Error);
    signal.addEventListener('abort', onAbort, { once: true });
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', onAbort));
  });
}
