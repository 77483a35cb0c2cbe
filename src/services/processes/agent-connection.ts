import type { Duplex } from 'node:stream';
import { OutriggerError } from '../../contract/errors.ts';
import { AgentProcess } from './agent-process.ts';
import { type AgentMessage, AgentMessageReader, agentProtocol, helloFrame, type Refusal, startFrame } from './agent-wire.ts';
import type { HostRequest } from './host.ts';

/** The agent needs half a second for programs that ignore SIGTERM, and a little for what they started. */
const END_WITHIN_MS = 2500;

const refusalTexts: Record<Refusal, string> = {
  'wrong-token': 'it takes another token; its token file and the one given here have to hold the same',
  'other-protocol': 'it speaks another version of the protocol; take the program that came with this sidecar',
  'no-room': 'it has as many connections as it takes, or no process for one more',
  'bad-frame': 'it could not make out what was sent',
  'no-token-file': 'it can not read its token file, or there is no token of 16 to 512 characters in it',
  unknown: 'for a reason that is not known here',
};

/** The agent said no. Another attempt helps only where `passing`. */
export class AgentRefusal extends Error {
  readonly passing: boolean;

  constructor(refusal: Refusal) {
    super(refusalTexts[refusal]);
    this.passing = refusal === 'no-room' || refusal === 'no-token-file';
  }
}

/** One connection to an agent that took our token. All that is started over it ends with it. */
export class AgentConnection {
  /** Resolves when it is gone. */
  readonly closed: Promise<void>;
  readonly #socket: Duplex;
  readonly #reader = new AgentMessageReader();
  readonly #programs = new Map<number, AgentProcess>();
  readonly #welcome = Promise.withResolvers<void>();
  #lastId = 0;
  #open = true;
  #failure: Error | undefined;

  /** Resolves when the agent took the token. Rejects with an AgentRefusal, with what befell the socket, and with the signal's reason. */
  static async open(socket: Duplex, token: string, signal: AbortSignal): Promise<AgentConnection> {
    const connection = new AgentConnection(socket);
    const onAbort = (): void => connection.#fail(signal.reason as Error);
    signal.addEventListener('abort', onAbort, { once: true });
    try {
      if (signal.aborted) onAbort();
      else socket.write(helloFrame(token));
      await connection.#welcome.promise;
      return connection;
    } finally {
      signal.removeEventListener('abort', onAbort);
    }
  }

  private constructor(socket: Duplex) {
    this.#socket = socket;
    this.#welcome.promise.catch(() => {});
    socket.on('data', (chunk: Buffer) => this.#receive(chunk));
    socket.on('error', (error) => {
      this.#failure ??= error;
    });
    this.closed = new Promise((resolve) => {
      socket.once('close', () => {
        this.#lost();
        resolve();
      });
    });
  }

  get isOpen(): boolean {
    return this.#open;
  }

  /** Resolves when it runs. Throws what AgentProcess says of `running`, BAD_INPUT, and the signal's reason; it is ended then. */
  async start(request: HostRequest, signal: AbortSignal | undefined): Promise<AgentProcess> {
    if (!this.#open) throw new OutriggerError('HOST_UNAVAILABLE', 'The connection to the exec agent ended.', { cause: this.#failure });
    const id = ++this.#lastId;
    const frame = startFrame(id, request);
    if (frame === undefined)
      throw new OutriggerError(
        'BAD_INPUT',
        'A program in another container needs an absolute folder, no NUL in its arguments, and no more than 1 MiB and 4,096 of arguments and variables.',
      );
    const program = new AgentProcess(id, request, {
      send: (bytes) => {
        if (this.#open && !this.#socket.writableEnded) this.#socket.write(bytes);
      },
      done: () => this.#programs.delete(id),
    });
    this.#programs.set(id, program);
    this.#socket.write(frame);
    await unlessAborted(program, signal);
    return program;
  }

  /** Ends all that runs here, and resolves when the agent said so. May be called twice. */
  async end(): Promise<void> {
    this.#socket.end();
    const timer = setTimeout(() => this.#socket.destroy(), END_WITHIN_MS);
    await this.closed;
    clearTimeout(timer);
  }

  #receive(chunk: Buffer): void {
    try {
      for (const message of this.#reader.read(chunk)) this.#dispatch(message);
    } catch (error) {
      this.#fail(new Error(`The exec agent sent ${(error as Error).message}`, { cause: error }));
    }
  }

  #dispatch(message: AgentMessage): void {
    if (message.type === 'welcome') this.#welcome.resolve();
    else if (message.type === 'refused') this.#fail(new AgentRefusal(message.refusal));
    else if (message.type === 'greeting') {
      if (message.protocol !== agentProtocol) this.#fail(new AgentRefusal('other-protocol'));
    } else this.#programs.get(message.id)?.received(message);
  }

  #fail(error: Error): void {
    this.#failure ??= error;
    this.#socket.destroy();
    // What the socket says of its own end comes later than a refusal, and is less.
    this.#welcome.reject(this.#failure);
  }

  #lost(): void {
    this.#open = false;
    this.#welcome.reject(this.#failure ?? new Error('it ended the connection'));
    for (const program of [...this.#programs.values()]) program.lost(this.#failure);
  }
}

/** The program runs when this resolves; where the signal comes first, it is ended. */
async function unlessAborted(program: AgentProcess, signal: AbortSignal | undefined): Promise<void> {
  if (signal === undefined) return program.running;
  const aborted = Promise.withResolvers<never>();
  const onAbort = (): void => aborted.reject(signal.reason as Error);
  signal.addEventListener('abort', onAbort, { once: true });
  if (signal.aborted) onAbort();
  try {
    await Promise.race([program.running, aborted.promise]);
  } catch (error) {
    if (signal.aborted) {
      program.running.catch(() => {});
      program.abandon();
    }
    throw error;
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
}
