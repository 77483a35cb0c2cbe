// Searches files beside the main thread, one search at a time.

import { type MessagePort, parentPort, workerData } from 'node:worker_threads';
import type { FoundFile } from '../../contract/search.ts';
import { type Candidate, FileScan } from './file-scan.ts';
import { linePattern } from './line-pattern.ts';
import { openForReading } from './open-file.ts';
import type { LineLimits } from './rg-events.ts';
import type { TextQuery } from './ripgrep.ts';

export interface ScanOrder {
  query: TextQuery;
  limits: LineLimits;
  onlyAscii: boolean;
}

/** `begin` comes first; `heard`: one more message was; `end`: nothing more of this search is wanted, and `ended` is the last that is said of it. */
export type ToScan =
  | { type: 'begin'; order: ScanOrder }
  | { type: 'files'; candidates: readonly Candidate[] }
  | { type: 'heard' }
  | { type: 'end' };

/** `searched`: how many of the files were told to their ends, since the search began. */
export type FromScan = { type: 'found'; items: ScanItem[]; searched: number; left: string[] } | { type: 'ended' };

export interface ScanItem {
  file: FoundFile;
  matches: number;
}

const itemsAtOnce = 64;
const unitsAtOnce = 128 * 1024;
/** Messages that nobody has heard yet. */
const mostUnheard = 8;

class ScanThread {
  readonly #port: MessagePort;
  readonly #root: string;
  #search: ThreadSearch | undefined;

  constructor(port: MessagePort, root: string) {
    this.#port = port;
    this.#root = root;
  }

  receive(message: ToScan): void {
    switch (message.type) {
      case 'begin':
        this.#search = new ThreadSearch(this.#port, this.#root, message.order);
        break;
      case 'files':
        this.#search?.add(message.candidates);
        break;
      case 'heard':
        this.#search?.heard();
        break;
      case 'end':
        void this.#search?.end();
        break;
    }
  }
}

class ThreadSearch {
  readonly #port: MessagePort;
  readonly #scan: FileScan | undefined;
  readonly #ended = new AbortController();
  #turn: Promise<void> = Promise.resolve();
  #searched = 0;
  #left: string[] = [];
  #items: ScanItem[] = [];
  #units = 0;
  #unheard = 0;
  #room: PromiseWithResolvers<void> | undefined;

  constructor(port: MessagePort, root: string, { query, limits, onlyAscii }: ScanOrder) {
    this.#port = port;
    const pattern = linePattern(query, { onlyAscii });
    const open = (file: string): number => openForReading(`${root}/${file}`);
    this.#scan = pattern === undefined ? undefined : new FileScan({ open, pattern, limits });
  }

  add(candidates: readonly Candidate[]): void {
    this.#turn = this.#turn
      .then(() => this.#search(candidates))
      .catch((error: unknown) => {
        // A fault ends the thread, and whoever asked hears of that.
        if (!this.#ended.signal.aborted) throw error;
      });
  }

  heard(): void {
    this.#unheard--;
    this.#room?.resolve();
  }

  async end(): Promise<void> {
    this.#ended.abort();
    this.#room?.resolve();
    await this.#turn;
    this.#send({ type: 'ended' });
  }

  async #search(candidates: readonly Candidate[]): Promise<void> {
    const { signal } = this.#ended;
    const found = async (file: FoundFile, matches: number): Promise<boolean> => {
      this.#items.push({ file, matches });
      for (const { text } of file.lines) this.#units += text.length;
      if (this.#units >= unitsAtOnce) await this.#tell();
      return !signal.aborted;
    };
    for (const candidate of candidates) {
      signal.throwIfAborted();
      const left = (await this.#scan?.search([candidate], found, signal)) ?? [candidate.file];
      this.#left.push(...left);
      this.#searched++;
      if (this.#items.length >= itemsAtOnce) await this.#tell();
    }
    await this.#tell();
  }

  /** Waits while too little of what was told was heard. */
  async #tell(): Promise<void> {
    this.#send({ type: 'found', items: this.#items, searched: this.#searched, left: this.#left });
    this.#items = [];
    this.#left = [];
    this.#units = 0;
    this.#unheard++;
    while (this.#unheard >= mostUnheard && !this.#ended.signal.aborted) {
      this.#room = Promise.withResolvers();
      await this.#room.promise;
    }
  }

  #send(message: FromScan): void {
    this.#port.postMessage(message);
  }
}

if (parentPort) {
  const thread = new ScanThread(parentPort, (workerData as { root: string }).root);
  parentPort.on('message', (message: ToScan) => thread.receive(message));
}
