import { Worker } from 'node:worker_threads';
import { OutriggerError } from '../../contract/errors.ts';
import type { CandidateParts } from './candidate-parts.ts';
import type { Candidate } from './file-scan.ts';
import type { OnFound } from './ripgrep.ts';
import type { FromScan, ScanItem, ScanOrder, ToScan } from './scan-worker.ts';

/** It takes some 10 MB; one that nobody asks anything is ended after that time, and started again when it is wanted. */
const IDLE_MS = 30_000;
/** Parts of a search that it has been given and not done, so that it does not wait for the next while others have their turn; fewer towards the end. */
const MOST_AHEAD = 8;

/** A thread that helps with large searches: with one at a time, while it is there. */
export class ScanThread {
  readonly #root: string;
  #worker: Worker | undefined;
  #search: HelpedSearch | undefined;
  #idle: NodeJS.Timeout | undefined;
  #isStopped = false;

  constructor({ root }: { root: string }) {
    this.#root = root;
  }

  /** Another search has it. */
  get isBusy(): boolean {
    return this.#search !== undefined || this.#isStopped;
  }

  /**
   * Takes one part after the other until there is none. Gives files that ripgrep has to read, among them those that it did not get to when it died; undefined
   * when `found` wanted no more. Rejects with the signal's reason, and with what `found` rejects with. Not to be called while it is busy.
   */
  async search(order: ScanOrder, parts: CandidateParts, found: OnFound, signal: AbortSignal): Promise<readonly string[] | undefined> {
    clearTimeout(this.#idle);
    const worker = (this.#worker ??= this.#start());
    const search = new HelpedSearch(worker, order);
    this.#search = search;
    const aborted = (): void => search.wake();
    signal.addEventListener('abort', aborted, { once: true });
    try {
      return await search.run(parts, found, signal);
    } finally {
      signal.removeEventListener('abort', aborted);
      // Nobody waits for it to stop.
      void search.end().then(() => {
        this.#search = undefined;
        if (!this.#isStopped) this.#idle = setTimeout(() => void this.#worker?.terminate(), IDLE_MS).unref();
      });
    }
  }

  /** Searches under way go on without it. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    clearTimeout(this.#idle);
    await this.#worker?.terminate();
  }

  /** Ends the thread, as a fault would. */
  async crashForTest(): Promise<void> {
    await this.#worker?.terminate();
  }

  #start(): Worker {
    const worker = new Worker(new URL('./scan-worker.ts', import.meta.url), {
      workerData: { root: this.#root },
      name: 'search-scan',
      execArgv: [],
      resourceLimits: { maxYoungGenerationSizeMb: 8 },
    });
    worker.unref();
    worker.on('message', (message: FromScan) => this.#search?.hear(message));
    // Its end says the same.
    worker.on('error', () => {});
    worker.on('exit', () => {
      if (this.#worker === worker) this.#worker = undefined;
      this.#search?.die();
    });
    return worker;
  }
}

/** One search, as far as the thread has to do with it. */
class HelpedSearch {
  readonly #worker: Worker;
  readonly #heard: Extract<FromScan, { type: 'found' }>[] = [];
  readonly #ended = Promise.withResolvers<void>();
  /** Given to it and not told to their ends. */
  readonly #given: Candidate[] = [];
  /** Of each part that is not done: how many files were given up to its end. */
  readonly #ends: number[] = [];
  #total = 0;
  #searched = 0;
  /** Something was told of the first that is given. */
  #isTelling = false;
  #isDead = false;
  #waiting: PromiseWithResolvers<void> | undefined;

  constructor(worker: Worker, order: ScanOrder) {
    this.#worker = worker;
    this.#send({ type: 'begin', order });
  }

  async run(parts: CandidateParts, found: OnFound, signal: AbortSignal): Promise<readonly string[] | undefined> {
    const left: string[] = [];
    for (;;) {
      signal.throwIfAborted();
      if (!this.#isDead) this.#give(parts);
      if (this.#given.length === 0) return left;
      const message = this.#heard.shift();
      if (message !== undefined) {
        left.push(...message.left);
        for (const { file, matches } of message.items) if (!(await found(file, matches))) return undefined;
        this.#note(message);
        this.#send({ type: 'heard' });
      } else if (this.#isDead) return [...left, ...this.#rest()];
      else await this.#next();
    }
  }

  /** Resolves when nothing more of this search comes. */
  async end(): Promise<void> {
    if (!this.#isDead) this.#send({ type: 'end' });
    await this.#ended.promise;
  }

  hear(message: FromScan): void {
    if (message.type === 'found') this.#heard.push(message);
    else this.#ended.resolve();
    this.wake();
  }

  die(): void {
    this.#isDead = true;
    this.#ended.resolve();
    this.wake();
  }

  wake(): void {
    this.#waiting?.resolve();
  }

  #give(parts: CandidateParts): void {
    while (this.#ends.length < Math.min(MOST_AHEAD, 1 + parts.remaining / 3)) {
      const part = parts.next();
      if (part === undefined) return;
      this.#given.push(...part);
      this.#total += part.length;
      this.#ends.push(this.#total);
      this.#send({ type: 'files', candidates: part });
    }
  }

  #note({ items, searched }: { items: readonly ScanItem[]; searched: number }): void {
    const done = this.#given.splice(0, searched - this.#searched).length;
    this.#searched = searched;
    while ((this.#ends[0] ?? Number.POSITIVE_INFINITY) <= searched) this.#ends.shift();
    const first = this.#given[0]?.file;
    this.#isTelling = (this.#isTelling && done === 0) || (first !== undefined && items.at(-1)?.file.path === first);
  }

  /** What it did not get to. */
  #rest(): string[] {
    if (this.#isTelling) throw new OutriggerError('INTERNAL', 'The thread that searched ended in the midst of a file.');
    return this.#given.map(({ file }) => file);
  }

  async #next(): Promise<void> {
    this.#waiting = Promise.withResolvers();
    await this.#waiting.promise;
    this.#waiting = undefined;
  }

  #send(message: ToScan): void {
    if (!this.#isDead) this.#worker.postMessage(message);
  }
}
