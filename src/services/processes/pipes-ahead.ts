import fs, { constants } from 'node:fs';
import { Socket } from 'node:net';
import { newToken, systemError } from './fork-wire.ts';
import type { ProgramOutput } from './host.ts';
import { readPipe } from './pipe-output.ts';
import { timeLimit } from './time-limit.ts';

/** Programs that can be started without waiting for pipes. */
const AHEAD = 8;
/** That are asked for and not there yet; native/serve.h has room for 64. */
const MOST_AWAITED = 48;
const WITHIN_MS = 5000;

/** Our ends of the pipes of a program that is yet to be started. */
export interface Pipes {
  /** Names them, and the program. */
  readonly token: string;
  readonly stdin: Socket;
  readonly stdout: ProgramOutput;
  readonly stderr: ProgramOutput;
}

interface Held extends Pipes {
  sockets: readonly Socket[];
}

/**
 * Pipes for programs, made by a fork server: Node's own are sockets, which nobody can open by a name like /dev/stdout. We have them all before the
 * program is started, so that it runs with them or not at all.
 */
export class PipesAhead {
  readonly #order: (kind: 'C' | 'O' | 'K', token: string) => void;
  readonly #ends: string;
  #there: Held[] = [];
  /** Those that were ordered, each with when it was. */
  readonly #awaited = new Map<string, number>();
  #askers: { resolve: (pipes: Held) => void; reject: (error: Error) => void }[] = [];

  /** `pid`: of the server. */
  constructor({ order, pid }: { order: (kind: 'C' | 'O' | 'K', token: string) => void; pid: number }) {
    this.#order = order;
    this.#ends = `/proc/${pid}/fd`;
  }

  /** Orders some; what did not come in time is taken back. */
  make(): void {
    const now = performance.now();
    for (const [token, at] of this.#awaited) {
      if (now - at < WITHIN_MS) continue;
      this.#awaited.delete(token);
      this.#order('K', token);
    }
    const wanted = Math.min(AHEAD + this.#askers.length - this.#there.length, MOST_AWAITED);
    while (this.#awaited.size < wanted) {
      const token = newToken();
      this.#awaited.set(token, now);
      this.#order('C', token);
    }
  }

  /** In the order of who asks. Throws the system's error where there is no room, and ETIMEDOUT after 5 s. */
  async take(): Promise<Pipes> {
    const taken = this.#there.shift() ?? (await this.#next());
    for (const socket of taken.sockets) socket.ref();
    this.make();
    return taken;
  }

  /** Whether they are some of these; they are opened in this turn. */
  made(token: string, ends: readonly [number, number, number]): boolean {
    if (!this.#awaited.delete(token)) return false;
    const sockets: Socket[] = [];
    let held: Held;
    try {
      for (const [at, end] of ends.entries()) sockets.push(openEnd(`${this.#ends}/${end}`, at === 0));
      held = heldOf(token, sockets as [Socket, Socket, Socket]);
    } catch (error) {
      for (const socket of sockets) socket.destroy();
      this.#order('K', token);
      this.#refuse(error as Error);
      return true;
    }
    this.#order('O', token);
    for (const socket of held.sockets) socket.unref();
    const asker = this.#askers.shift();
    if (asker === undefined) this.#there.push(held);
    else asker.resolve(held);
    return true;
  }

  /** Whether they are some of these, which can't be made. */
  refused(token: string, errno: number): boolean {
    if (!this.#awaited.delete(token)) return false;
    this.#refuse(systemError(errno));
    return true;
  }

  /** There is no server any more. */
  close(error: Error): void {
    this.#refuse(error);
    for (const { sockets } of this.#there.splice(0)) for (const socket of sockets) socket.destroy();
  }

  #refuse(error: Error): void {
    for (const { reject } of this.#askers.splice(0)) reject(error);
  }

  async #next(): Promise<Held> {
    const asked = Promise.withResolvers<Held>();
    this.#askers.push(asked);
    this.make();
    const unlimit = timeLimit(WITHIN_MS, () => {
      this.#askers = this.#askers.filter((asker) => asker !== asked);
      asked.reject(Object.assign(new Error('No pipes were made in time.'), { code: 'ETIMEDOUT' }));
    });
    return await asked.promise.finally(unlimit);
  }
}

/** What a program says is read when somebody listens, or its end would be told to nobody. */
function heldOf(token: string, [stdin, ...outputs]: [Socket, Socket, Socket]): Held {
  stdin.on('error', () => {});
  const [stdout, stderr] = outputs.map((output) => readPipe(output, { writable: false, onDemand: true }));
  if (stdout === undefined || stderr === undefined) throw new Error('Node does not let go of a pipe.');
  return { token, sockets: [stdin, stdout.socket, stderr.socket], stdin, stdout: stdout.output, stderr: stderr.output };
}

/** Another descriptor of the same pipe: that it does not wait is for us alone. */
function openEnd(end: string, isInput: boolean): Socket {
  const fd = fs.openSync(end, (isInput ? constants.O_WRONLY : constants.O_RDONLY) | constants.O_NONBLOCK);
  try {
    return new Socket({ fd, readable: !isInput, writable: isInput, manualStart: true } as object);
  } catch (error) {
    fs.closeSync(fd);
    throw error;
  }
}
