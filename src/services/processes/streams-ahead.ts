import type { Socket } from 'node:net';
import { newToken } from './fork-wire.ts';
import type { ProgramOutput } from './host.ts';

/** Of eight programs. native/serve.h has room for 64. */
const MOST = 24;
const WITHIN_MS = 5000;

export interface Stream {
  output: ProgramOutput;
  socket: Socket;
}

/** Streams of programs that are yet to come. */
export class StreamsAhead {
  readonly #order: (kind: 'C' | 'K', token: string) => void;
  #there: { token: string; stream: Stream }[] = [];
  /** Those that were ordered, each with when it was. */
  readonly #awaited = new Map<string, number>();

  constructor(order: (kind: 'C' | 'K', token: string) => void) {
    this.#order = order;
  }

  get length(): number {
    return this.#there.length;
  }

  /** Orders what is missing; what did not come in time is taken back. */
  make(): void {
    const now = performance.now();
    for (const [token, at] of this.#awaited) {
      if (now - at < WITHIN_MS) continue;
      this.#awaited.delete(token);
      this.#order('K', token);
    }
    while (this.#there.length + this.#awaited.size < MOST) {
      const token = newToken();
      this.#awaited.set(token, now);
      this.#order('C', token);
    }
  }

  /** Whether it was one of these. */
  receive(token: string, stream: Stream): boolean {
    if (!this.#awaited.delete(token)) return false;
    stream.socket.unref();
    this.#there.push({ token, stream });
    return true;
  }

  /** The oldest; the process stays for them. */
  take(count: number): { token: string; stream: Stream }[] {
    const taken = this.#there.splice(0, count);
    for (const { stream } of taken) stream.socket.ref();
    return taken;
  }

  destroy(): void {
    for (const { stream } of this.#there.splice(0)) stream.socket.destroy();
  }
}
