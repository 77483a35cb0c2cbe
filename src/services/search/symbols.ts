import { OutriggerError } from '../../contract/errors.ts';
import type { OutlineSymbol } from '../../contract/search.ts';
import type { Processes } from '../processes/processes.ts';
import { Fuzzy } from './fuzzy.ts';
import { languageOf } from './languages.ts';
import type { Outline } from './outline.ts';
import { blocksOf, countOf, firstOf } from './sorted-paths.ts';
import { SymbolsProcess, type SymbolsProcessOptions } from './symbols-process.ts';

const FILES_PER_ORDER = 32;
/** A question waits this long for files that were not read yet; the answer says so when it did not suffice. */
const PATIENCE_MS = 2000;
const MAX_SYMBOLS = 2_000_000;
const LEAST_SCORE = 0.3;

export interface SymbolInFile extends OutlineSymbol {
  path: string;
  container?: string;
}

/** Outlines of files, and the symbols of all files by name. Files are read when symbols are first asked for, and again when they changed. */
export class Symbols {
  readonly #maxSymbols: number;
  readonly #files = new Map<string, SymbolInFile[]>();
  readonly #process: SymbolsProcess;
  readonly #fuzzy = new Fuzzy<SymbolInFile>(({ name }) => name, LEAST_SCORE);
  #count = 0;
  #all: readonly (readonly SymbolInFile[])[] | undefined;
  #reading: Promise<void> | undefined;
  /** Of those that are being read, whose text is the one that was there when they were ordered. */
  #read = new Set<string>();
  #stopped = false;

  constructor(
    dependencies: { processes: Processes },
    { maxSymbols = MAX_SYMBOLS, ...options }: SymbolsProcessOptions & { maxSymbols?: number },
  ) {
    this.#maxSymbols = maxSymbols;
    this.#process = new SymbolsProcess(dependencies, options);
  }

  /** Throws NO_LANGUAGE, TOOL_MISSING, OUTPUT_TOO_LARGE. */
  async outline(path: string, text: string): Promise<Outline & { language: string }> {
    const language = languageOf(path);
    if (language === undefined) throw new OutriggerError('NO_LANGUAGE', `Symbols of ${path} are not known.`);
    const [outline] = await this.#process.outlines([path], text);
    if (outline === undefined || outline === null)
      throw new OutriggerError('OUTPUT_TOO_LARGE', `${path} has no outline: it is nested too deeply for the parser, or takes it too long.`);
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
    const all = visible === undefined ? (this.#all ??= blocksOf([...this.#files.values()].flat())) : blocksOf(this.#of(wanted));
    if (query.trim() === '') return { symbols: firstOf(all, limit), total: countOf(all), complete };
    const { found, total } = await this.#fuzzy.find(query, all, limit, signal);
    return { symbols: found.map(({ item }) => item), total, complete };
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
    await this.#process.stop();
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
      const outlines = await this.#process.outlines(paths);
      for (const [index, path] of paths.entries()) if (this.#read.has(path)) this.#learn(path, outlines[index] ?? null);
    }
  }

  #learn(path: string, outline: Outline | null): void {
    const symbols = outline === null ? [] : withContainers(path, outline.symbols);
    this.#files.set(path, symbols);
    this.#count += symbols.length;
    this.#all = undefined;
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
