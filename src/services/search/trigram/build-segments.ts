// Has files indexed into segments by several threads. They take pieces of the list in turn, so that none waits for another.

import type { Worker } from 'node:worker_threads';
import type { FromThread, ThreadSettings, ToThread, WrittenSegment } from './index-messages.ts';
import { startThread } from './index-thread.ts';

const filesPerChunk = 256;
/** A thread has the next piece at hand while it works on one. */
const chunksAtOnce = 2;
/** A file that was with a thread when that died is tried so often in all. */
const maxAttempts = 2;

export interface BuildHandlers {
  /** A segment stands on disk; `numbers` are places in the list of paths. */
  onSegment(segment: WrittenSegment): void;
  /** There are no such files. */
  onMissing(numbers: readonly number[]): void;
  /** These could not be indexed: not read, or with threads that died. */
  onUnreadable(numbers: readonly number[]): void;
  /** These were read, but their segment could not be written. */
  onUnwritten(numbers: readonly number[], error: { code: string; message: string }): void;
  onThreadDied(error: Error | null): void;
  /** For tests: sees each thread when it starts. */
  onThread?(thread: Worker): void;
}

/**
 * Resolves when every path of the list was told to one of the handlers. Rejects with the signal's reason when aborted; what was written by then stays.
 */
export async function buildSegments(
  paths: readonly string[],
  threads: number,
  settings: ThreadSettings,
  handlers: BuildHandlers,
  signal?: AbortSignal,
): Promise<void> {
  signal?.throwIfAborted();
  if (paths.length === 0) return;
  await new Build(paths, settings, handlers).run(Math.min(threads, Math.ceil(paths.length / filesPerChunk)), signal);
}

/** What a thread was given and has not answered for. */
interface Running {
  worker: Worker;
  chunks: Set<number>;
  numbers: Set<number>;
  finishing: boolean;
}

class Build {
  readonly #paths: readonly string[];
  readonly #settings: ThreadSettings;
  readonly #handlers: BuildHandlers;
  readonly #queue: number[][] = [];
  readonly #attempts: Uint8Array;
  readonly #running = new Set<Running>();
  readonly #ended = Promise.withResolvers<void>();
  #nextChunk = 0;
  #threadsStarted = 0;

  constructor(paths: readonly string[], settings: ThreadSettings, handlers: BuildHandlers) {
    this.#paths = paths;
    this.#settings = settings;
    this.#handlers = handlers;
    this.#attempts = new Uint8Array(paths.length);
    for (let from = 0; from < paths.length; from += filesPerChunk) {
      this.#queue.push(Array.from({ length: Math.min(filesPerChunk, paths.length - from) }, (_, index) => from + index));
    }
    this.#queue.reverse();
  }

  async run(threads: number, signal?: AbortSignal): Promise<void> {
    const abort = (): void => this.#ended.reject(signal?.reason);
    signal?.addEventListener('abort', abort, { once: true });
    try {
      for (let thread = 0; thread < threads; thread++) this.#start();
      await this.#ended.promise;
    } finally {
      signal?.removeEventListener('abort', abort);
      const workers = [...this.#running].map(({ worker }) => worker);
      this.#running.clear();
      await Promise.all(workers.map((worker) => worker.terminate()));
    }
  }

  #start(): void {
    const worker = startThread({ ...this.#settings, name: `${this.#settings.name}-${this.#threadsStarted++}` });
    const running: Running = { worker, chunks: new Set(), numbers: new Set(), finishing: false };
    this.#running.add(running);
    let cause: Error | null = null;
    worker.on('message', (message: FromThread) => this.#receive(running, message));
    worker.on('error', (error) => {
      cause = error;
    });
    worker.once('exit', () => this.#exited(running, cause));
    this.#handlers.onThread?.(worker);
    this.#feed(running);
  }

  #feed(running: Running): void {
    while (running.chunks.size < chunksAtOnce && !running.finishing) {
      const numbers = this.#queue.pop();
      if (numbers === undefined) {
        if (running.chunks.size > 0) return;
        running.finishing = true;
        running.worker.postMessage({ type: 'finish' } satisfies ToThread);
        return;
      }
      const chunk = this.#nextChunk++;
      running.chunks.add(chunk);
      for (const number of numbers) running.numbers.add(number);
      const paths = numbers.map((number) => this.#paths[number] as string);
      running.worker.postMessage({ type: 'add', chunk, numbers, paths } satisfies ToThread);
    }
  }

  #receive(running: Running, message: FromThread): void {
    // A build that ended hears nothing more.
    if (!this.#running.has(running)) return;
    switch (message.type) {
      case 'added':
        running.chunks.delete(message.chunk);
        this.#settle(running, message.missing);
        this.#settle(running, message.unreadable);
        if (message.missing.length > 0) this.#handlers.onMissing(message.missing);
        if (message.unreadable.length > 0) this.#handlers.onUnreadable(message.unreadable);
        this.#feed(running);
        break;
      case 'segment':
        this.#settle(running, message.numbers);
        this.#handlers.onSegment(message);
        break;
      case 'unwritten':
        this.#settle(running, message.numbers);
        this.#handlers.onUnwritten(message.numbers, message);
        break;
      case 'finished':
        this.#running.delete(running);
        void running.worker.terminate();
        this.#endWhenDone();
        break;
      case 'indexed':
      case 'verified':
        break;
    }
  }

  #settle(running: Running, numbers: readonly number[]): void {
    for (const number of numbers) running.numbers.delete(number);
  }

  /** What the thread had not answered for is tried once more, by another. */
  #exited(running: Running, cause: Error | null): void {
    if (!this.#running.delete(running)) return;
    this.#handlers.onThreadDied(cause);
    const again: number[] = [];
    const lost: number[] = [];
    for (const number of running.numbers) {
      const attempts = (this.#attempts[number] as number) + 1;
      this.#attempts[number] = attempts;
      (attempts < maxAttempts ? again : lost).push(number);
    }
    for (let from = 0; from < again.length; from += filesPerChunk) this.#queue.push(again.slice(from, from + filesPerChunk));
    if (lost.length > 0) this.#handlers.onUnreadable(lost);
    if (this.#queue.length > 0) this.#start();
    else this.#endWhenDone();
  }

  #endWhenDone(): void {
    if (this.#running.size === 0) this.#ended.resolve();
  }
}
