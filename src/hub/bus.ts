import { OutriggerError } from '../contract/errors.ts';
import type { PeerTimers } from '../core/peer.ts';

const REQUEST_MS = 5000;

export interface RequestOptions {
  /** After so long the answer is not awaited any more. */
  timeoutMs?: number;
}

type Answer = (message: unknown) => unknown;
type Listener = (message: unknown) => void;

/**
 * How the processes of one hub speak of what is no truth: news, hints to look, orders to the connection of an agent. What counts is in the TaskStore, so
 * that whatever is lost here is only later. Messages are JSON values that nobody changes once they were given away. Subjects are told apart exactly.
 */
export interface Bus {
  /** Tells all who listen now, this process as well, in the order of this sender, in a later turn of the event loop. */
  publish(subject: string, message: unknown): void;
  /** Returns the way to stop, after which nothing more comes. What a listener throws harms nobody. */
  subscribe(subject: string, listener: Listener): () => void;
  /** False where it is certain that nobody listens, anywhere: nothing needs to be put together for them. */
  listened(subject: string): boolean;
  /**
   * Asks the one who answers for the subject, in order with what this sender publishes. Rejects with CONNECTION_LOST where there is none, or the bus is closed;
   * with DEADLINE where no answer came in time; with the OutriggerError that the other side threw, or INTERNAL.
   */
  request(subject: string, message: unknown, options?: RequestOptions): Promise<unknown>;
  /** Of several who would answer for a subject the newest does. Returns the way to stop. */
  respond(subject: string, answer: Answer): () => void;
  /** What is under way is rejected, and what was published is lost. May be called twice. */
  close(): void;
}

/** The bus of a hub that is one process. */
export class InProcessBus implements Bus {
  readonly #timers: PeerTimers;
  readonly #listeners = new Map<string, Set<Listener>>();
  readonly #answers = new Map<string, Answer[]>();
  readonly #pending = new Set<(error: OutriggerError) => void>();
  #said: (() => void)[] = [];
  #closed = false;

  constructor(timers: PeerTimers) {
    this.#timers = timers;
  }

  publish(subject: string, message: unknown): void {
    const listeners = this.#listeners.get(subject);
    if (listeners === undefined) return;
    const told = [...listeners];
    this.#later(() => {
      for (const listener of told) {
        if (!listeners.has(listener)) continue;
        try {
          listener(message);
        } catch {
          // Its own fault, and nobody else's.
        }
      }
    });
  }

  subscribe(subject: string, listener: Listener): () => void {
    // Each subscription is one of its own, also of the same function.
    const own: Listener = (message) => listener(message);
    const listeners = this.#listeners.get(subject) ?? new Set();
    this.#listeners.set(subject, listeners.add(own));
    return () => {
      listeners.delete(own);
      if (listeners.size === 0 && this.#listeners.get(subject) === listeners) this.#listeners.delete(subject);
    };
  }

  listened(subject: string): boolean {
    return this.#listeners.has(subject);
  }

  request(subject: string, message: unknown, { timeoutMs = REQUEST_MS }: RequestOptions = {}): Promise<unknown> {
    const nobody = (): OutriggerError => new OutriggerError('CONNECTION_LOST', `Nobody answers for ${subject}.`);
    if (this.#closed) return Promise.reject(nobody());
    const { promise, resolve, reject } = Promise.withResolvers<unknown>();
    this.#pending.add(reject);
    const timer = this.#timers.set(
      () => reject(new OutriggerError('DEADLINE', `There was no answer for ${subject} within ${timeoutMs} ms.`)),
      timeoutMs,
    );
    this.#later(() => {
      const answer = this.#answers.get(subject)?.at(-1);
      if (answer === undefined) reject(nobody());
      else void answered(answer, message).then(resolve, (error: unknown) => reject(asOutriggerError(error)));
    });
    return promise.finally(() => {
      this.#timers.clear(timer);
      this.#pending.delete(reject);
    });
  }

  respond(subject: string, answer: Answer): () => void {
    const own: Answer = (message) => answer(message);
    this.#answers.set(subject, [...(this.#answers.get(subject) ?? []), own]);
    return () => {
      const left = (this.#answers.get(subject) ?? []).filter((other) => other !== own);
      if (left.length === 0) this.#answers.delete(subject);
      else this.#answers.set(subject, left);
    };
  }

  close(): void {
    this.#closed = true;
    this.#said = [];
    this.#listeners.clear();
    this.#answers.clear();
    for (const reject of this.#pending) reject(new OutriggerError('CONNECTION_LOST', 'The hub is stopping.'));
  }

  #later(say: () => void): void {
    if (this.#closed) return;
    this.#said.push(say);
    if (this.#said.length > 1) return;
    this.#timers.soon(() => {
      const said = this.#said;
      this.#said = [];
      for (const one of said) if (!this.#closed) one();
    });
  }
}

async function answered(answer: Answer, message: unknown): Promise<unknown> {
  return await answer(message);
}

function asOutriggerError(error: unknown): OutriggerError {
  if (error instanceof OutriggerError) return error;
  return new OutriggerError('INTERNAL', error instanceof Error ? error.message : String(error), { cause: error });
}
