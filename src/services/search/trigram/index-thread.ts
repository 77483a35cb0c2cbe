// One thread of the index, seen from outside: started, told what to do, and heard of when it dies.

import { Worker } from 'node:worker_threads';
import type { FromThread, ReadFile, ThreadSettings, ToThread } from './index-messages.ts';

/** A thread takes some 25 MB; one that nobody asks anything is ended after that time, and started again when it is wanted. */
const defaultIdleMs = 5000;

/** The thread ended and nobody had asked it to. */
class ThreadDied extends Error {}

export function startThread(settings: ThreadSettings): Worker {
  return new Worker(new URL('./index-worker.ts', import.meta.url), {
    workerData: settings,
    name: 'search-index',
    // The flags of this process (--test, -e, --inspect) are not meant for a worker.
    execArgv: [],
    resourceLimits: { maxYoungGenerationSizeMb: 8 },
  });
}

type Answer = Extract<FromThread, { id: number }>;
type Question = { type: 'index'; paths: string[] } | { type: 'verify'; path: string };

/** A thread that answers questions, in order. It is started with the first one, and again after it died; idle, it does not keep the process alive. */
export class AnsweringThread {
  readonly #settings: ThreadSettings;
  readonly #idleMs: number;
  readonly #waiting = new Map<number, PromiseWithResolvers<Answer>>();
  #worker: Worker | null = null;
  #idle: NodeJS.Timeout | undefined;
  #nextId = 1;
  #stopped = false;

  constructor(settings: ThreadSettings, idleMs = defaultIdleMs) {
    this.#settings = settings;
    this.#idleMs = idleMs;
  }

  get isRunning(): boolean {
    return this.#worker !== null;
  }

  /** Reads these files. Rejects with ThreadDied. */
  async index(paths: string[]): Promise<ReadFile[]> {
    const answer = await this.#ask({ type: 'index', paths });
    return answer.type === 'indexed' ? answer.files : [];
  }

  /** What is wrong with a segment, or null. Rejects with ThreadDied. */
  async verify(path: string): Promise<string | null> {
    const answer = await this.#ask({ type: 'verify', path });
    return answer.type === 'verified' ? answer.damage : 'there was no answer';
  }

  /** Questions under way are rejected. */
  async stop(): Promise<void> {
    this.#stopped = true;
    clearTimeout(this.#idle);
    await this.#worker?.terminate();
  }

  /** Ends the thread as a fault would: for tests of what must not be lost then. */
  crashForTest(): void {
    this.#worker?.postMessage({ type: 'crash' } satisfies ToThread);
  }

  #ask(question: Question): Promise<Answer> {
    if (this.#stopped) return Promise.reject(new ThreadDied('The index was stopped.'));
    clearTimeout(this.#idle);
    this.#worker ??= this.#start();
    const id = this.#nextId++;
    const answer = Promise.withResolvers<Answer>();
    this.#waiting.set(id, answer);
    this.#worker.ref();
    this.#worker.postMessage({ ...question, id } satisfies ToThread);
    return answer.promise;
  }

  #rest(worker: Worker): void {
    worker.unref();
    clearTimeout(this.#idle);
    this.#idle = setTimeout(() => {
      if (this.#worker === worker) this.#worker = null;
      void worker.terminate();
    }, this.#idleMs).unref();
  }

  #start(): Worker {
    const worker = startThread(this.#settings);
    let reason = 'The index thread ended unexpectedly.';
    worker.on('message', (message: Answer) => {
      this.#waiting.get(message.id)?.resolve(message);
      this.#waiting.delete(message.id);
      if (this.#waiting.size === 0) this.#rest(worker);
    });
    worker.on('error', (error) => {
      reason = `The index thread ended: ${error.message}`;
    });
    worker.once('exit', () => {
      // Ended because it was idle: what waits now is asked of another.
      if (this.#worker !== worker) return;
      this.#worker = null;
      const waiting = [...this.#waiting.values()];
      this.#waiting.clear();
      for (const answer of waiting) answer.reject(new ThreadDied(reason));
    });
    return worker;
  }
}
