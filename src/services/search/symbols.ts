import { Worker } from 'node:worker_threads';
import fuzzysort from 'fuzzysort';
import { OutriggerError } from '../../contract/errors.ts';
import type { OutlineSymbol } from '../../contract/search.ts';
import { languageOf } from './languages.ts';
import type { Outline } from './outline.ts';
import type { FromSymbols, SymbolsOrder } from './symbols-worker.ts';

const FILES_PER_ORDER = 32;
/** A question waits this long for files that were not read yet; the answer says so when it did not suffice. */
const PATIENCE_MS = 2000;
/** A parser that gets nowhere is ended after this. */
const ORDER_TIMEOUT_MS = 30_000;
const MAX_SYMBOLS = 2_000_000;
const LEAST_SCORE = 0.3;

export interface SymbolInFile extends OutlineSymbol {
  path: string;
  container?: string;
}

/** Outlines of files, and the symbols of all files by name. Files are read when symbols are first asked for, and again when they changed. */
export class Symbols {
  readonly #root: string;
  readonly #maxSymbols: number;
  readonly #files = new Map<string, SymbolInFile[]>();
  readonly #orders = new Map<number, { resolve: (said: FromSymbols) => void; reject: (error: unknown) => void }>();
  #worker: Worker | undefined;
  #nextId = 1;
  #count = 0;
  #all: SymbolInFile[] | undefined;
  #reading: Promise<void> | undefined;
  /** Of those that are being read, whose text is the one that was there when they were ordered. */
  #read = new Set<string>();
  #stopped = false;

  constructor({ root, maxSymbols = MAX_SYMBOLS }: { root: string; maxSymbols?: number }) {
    this.#root = root;
    this.#maxSymbols = maxSymbols;
  }

  /** Throws NO_LANGUAGE, TOOL_MISSING, PROCESS_TIMEOUT. */
  async outline(path: string, text: string): Promise<Outline & { language: string }> {
    const language = languageOf(path);
    if (language === undefined) throw new OutriggerError('NO_LANGUAGE', `Symbols of ${path} are not known.`);
    const { outlines, missing } = await this.#order({ paths: [path], text });
    if (missing !== undefined) throw new OutriggerError('TOOL_MISSING', missing, { details: { tool: 'oxc-parser' } });
    const [outline] = outlines;
    if (outline === undefined || outline === null) throw new OutriggerError('INTERNAL', `${path} has no outline.`);
    return { language: language.name, ...outline };
  }

  /** The best first, of those of `files` that are visible to whoever asks. Throws TOOL_MISSING. */
  async find(
    query: string,
    files: readonly string[],
    limit: number,
    { signal, visible }: { signal: AbortSignal; visible?: ((path: string) => boolean) | undefined },
  ): Promise<{ symbols: SymbolInFile[]; total: number; complete: boolean }> {
    const known = new Set(files.filter((path) => languageOf(path) !== undefined));
    for (const path of this.#files.keys()) if (!known.has(path)) this.forget([path]);
    const wanted = visible === undefined ? known : new Set([...known].filter(visible));
    const complete = await this.#readAll(wanted, signal);
    const all = visible === undefined ? (this.#all ??= [...this.#files.values()].flat()) : this.#of(wanted);
    if (query === '') return { symbols: all.slice(0, limit), total: all.length, complete };
    const results = fuzzysort.go(query, all, { key: 'name', limit, threshold: LEAST_SCORE });
    return { symbols: results.map(({ obj }) => obj), total: results.total, complete };
  }

  #of(paths: ReadonlySet<string>): SymbolInFile[] {
    return [...this.#files].flatMap(([path, symbols]) => (paths.has(path) ? symbols : []));
  }

  /** Their text changed, or they are gone. */
  forget(paths: readonly string[]): void {
    for (const path of paths) {
      // Whoever reads it now may have read what it was.
      this.#read.delete(path);
      const known = this.#files.get(path);
      if (known === undefined) continue;
      this.#count -= known.length;
      this.#files.delete(path);
      this.#all = undefined;
    }
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#worker?.terminate();
  }

  /** False while files are left to be read. */
  async #readAll(wanted: ReadonlySet<string>, signal: AbortSignal): Promise<boolean> {
    let isPatient = true;
    const left = (): boolean => [...wanted].some((path) => !this.#files.has(path));
    const reading = async (): Promise<void> => {
      // What others ask for is read first; files that change meanwhile are read again.
      while (isPatient && left() && this.#hasRoom) {
        this.#reading ??= this.#readMissing(wanted).finally(() => {
          this.#reading = undefined;
        });
        await this.#reading;
      }
    };
    const patience = Promise.withResolvers<void>();
    const timer = setTimeout(patience.resolve, PATIENCE_MS);
    const aborted = (): void => patience.resolve();
    signal.addEventListener('abort', aborted, { once: true });
    try {
      await Promise.race([reading(), patience.promise]);
    } finally {
      isPatient = false;
      clearTimeout(timer);
      signal.removeEventListener('abort', aborted);
    }
    signal.throwIfAborted();
    return !left();
  }

  get #hasRoom(): boolean {
    return !this.#stopped && this.#count < this.#maxSymbols;
  }

  async #readMissing(wanted: ReadonlySet<string>): Promise<void> {
    const missing = [...wanted].filter((path) => !this.#files.has(path));
    for (let at = 0; at < missing.length && this.#hasRoom; at += FILES_PER_ORDER) {
      const paths = missing.slice(at, at + FILES_PER_ORDER);
      this.#read = new Set(paths);
      const said = await this.#order({ paths });
      if (said.missing !== undefined) throw new OutriggerError('TOOL_MISSING', said.missing, { details: { tool: 'oxc-parser' } });
      for (const [index, path] of paths.entries()) if (this.#read.has(path)) this.#learn(path, said.outlines[index] ?? null);
    }
  }

  #learn(path: string, outline: Outline | null): void {
    const symbols = outline === null ? [] : withContainers(path, outline.symbols);
    this.#files.set(path, symbols);
    this.#count += symbols.length;
    this.#all = undefined;
  }

  #order(order: Omit<SymbolsOrder, 'id'>): Promise<FromSymbols> {
    if (this.#stopped) throw new OutriggerError('STOPPING', 'The sidecar is stopping.');
    const worker = (this.#worker ??= this.#startWorker());
    const id = this.#nextId++;
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        reject(new OutriggerError('PROCESS_TIMEOUT', `The parser took longer than ${ORDER_TIMEOUT_MS} ms and was ended.`));
        void worker.terminate();
      }, ORDER_TIMEOUT_MS);
      const settle = (): void => {
        clearTimeout(timer);
        this.#orders.delete(id);
      };
      this.#orders.set(id, {
        resolve: (said) => {
          settle();
          resolve(said);
        },
        reject: (error) => {
          settle();
          reject(error);
        },
      });
      worker.postMessage({ id, ...order } satisfies SymbolsOrder);
    });
  }

  #startWorker(): Worker {
    const worker = new Worker(new URL('./symbols-worker.ts', import.meta.url), {
      workerData: { root: this.#root },
      name: 'symbols',
      execArgv: [],
    });
    worker.unref();
    const lost = (error: unknown): void => {
      if (this.#worker === worker) this.#worker = undefined;
      for (const { reject } of [...this.#orders.values()]) reject(error);
    };
    worker.on('message', (said: FromSymbols) => this.#orders.get(said.id)?.resolve(said));
    worker.on('error', lost);
    worker.on('exit', () => lost(new OutriggerError(this.#stopped ? 'STOPPING' : 'INTERNAL', "The symbols' thread ended.")));
    return worker;
  }
}

/** Each with the name of what it stands in. */
function withContainers(path: string, symbols: readonly OutlineSymbol[]): SymbolInFile[] {
  const above: string[] = [];
  return symbols.map((symbol) => {
    above.length = symbol.depth;
    const container = above.at(-1);
    above[symbol.depth] = symbol.name;
    return container === undefined ? { ...symbol, path } : { ...symbol, path, container };
  });
}
