import fs from 'node:fs';
import path from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Catalogue, CatalogueNews } from './catalogue.ts';
import { inItems } from './item-lines.ts';
import { scanLiteral } from './literal-scan.ts';
import type { LineLimits } from './rg-events.ts';
import type { OnFound, Ripgrep, TextQuery, Walk } from './ripgrep.ts';
import type { PartRange } from './trigram/file-table.ts';
import { planQuery } from './trigram/plan.ts';
import { type ListedFile, TrigramIndex, type TrigramIndexLog } from './trigram/trigram-index.ts';

const MAX_FILE_BYTES = 64 * 1024 * 1024;
/** With more candidates than this share of all files, ripgrep's own walk is as fast. */
const MOST_SHARE = 0.15;
const MOST_AT_LEAST = 200;
/** Read here instead of by a process of its own, which takes longer to start than these to read. */
const MOST_HERE = 64;
const MOST_HERE_BYTES = 8 * 1024 * 1024;
/** ripgrep looks so far for a NUL before it looks for anything else (grep-searcher, line_buffer.rs). */
const BINARY_BYTES = 64 * 1024;
const GLOB_SETS = 8;
const SLICE_MS = 8;
const openFlags = fs.constants.O_RDONLY | (fs.constants.O_NOFOLLOW ?? 0) | (fs.constants.O_NONBLOCK ?? 0);

/** A folder that nobody else uses until it is let go. */
export interface IndexPlace {
  folder: string;
  /** Whether what is in it stays for the next start. */
  kept: boolean;
  release: () => void;
}

export interface IndexOptions {
  /** Threads that build it. */
  threads: number;
  open: () => IndexPlace;
  /** Switches parts off, for tests that must be seen to fail without them. */
  faults?: {
    /** What changed since a file was indexed is not known. */
    forgetChanges?: boolean;
  };
}

/** Searches only the files that may match. What it does not know for certain it leaves to ripgrep's walk. */
export class IndexedSearch {
  readonly #ripgrep: Ripgrep;
  readonly #catalogue: Catalogue;
  readonly #log: TrigramIndexLog;
  readonly #options: IndexOptions;
  readonly #root: string;
  #place: IndexPlace | undefined;
  #index: TrigramIndex | undefined;
  /** Binary from the start: ripgrep, on its walk, finds nothing in them. */
  readonly #silent = new Set<string>();
  /** Not indexed, and not silent. */
  readonly #loud = new Set<string>();
  /** Files that globs let through, as ripgrep reads globs. */
  readonly #globbed = new Map<string, { list: readonly string[]; files: ReadonlySet<string> }>();
  #ready = false;

  constructor(dependencies: { ripgrep: Ripgrep; catalogue: Catalogue; log: TrigramIndexLog }, options: IndexOptions & { root: string }) {
    this.#ripgrep = dependencies.ripgrep;
    this.#catalogue = dependencies.catalogue;
    this.#log = dependencies.log;
    this.#root = options.root;
    this.#options = options;
  }

  get status(): { textBytes: number; indexBytes: number } {
    const { textBytes = 0, indexBytes = 0 } = this.#index?.status() ?? {};
    return { textBytes, indexBytes };
  }

  /**
   * Indexes what is not in the index from the last time; `listed` resolves when the catalogue is filled. Rejects as that does, and with
   * the signal's reason; it may be called again then.
   */
  async start(listed: Promise<unknown>, signal: AbortSignal): Promise<void> {
    // Stopped meanwhile: what is opened now, nobody would close.
    signal.throwIfAborted();
    const place = this.#options.open();
    this.#place = place;
    const { folder } = place;
    const { threads } = this.#options;
    this.#index = new TrigramIndex({ log: this.#log }, { root: this.#root, folder, threads, maxFileBytes: MAX_FILE_BYTES });
    // What is kept is opened while ripgrep walks.
    const files = async (): Promise<ListedFile[]> => {
      await listed;
      return this.#listed(signal);
    };
    try {
      await this.#index.start(files, signal);
    } catch (error) {
      await this.stop();
      this.#index = undefined;
      throw error;
    }
    this.#ready = true;
  }

  /** Queries see it when this resolves. */
  async update({ changed, removed }: CatalogueNews): Promise<void> {
    for (const file of [...changed, ...removed]) {
      this.#silent.delete(file);
      this.#loud.delete(file);
    }
    if (this.#options.faults?.forgetChanges === true) return;
    if (this.#ready && changed.length + removed.length > 0) await this.#index?.update(changed, removed);
  }

  async stop(): Promise<void> {
    await this.#index?.stop();
    const place = this.#place;
    this.#place = undefined;
    if (place?.kept === false) fs.rmSync(place.folder, { recursive: true, force: true });
    place?.release();
  }

  /** How many files were read; undefined, with nothing told to `found`, where everything has to be read. */
  async search(query: TextQuery, walk: Walk, limits: LineLimits, found: OnFound, signal: AbortSignal): Promise<number | undefined> {
    const index = this.#index;
    if (index === undefined || !this.#ready || walk.hidden || walk.ignored) return undefined;
    const { list } = this.#catalogue;
    const most = Math.max(MOST_AT_LEAST, list.length * MOST_SHARE);
    const candidates = index.candidates(planQuery(query.pattern, query), most, { multiline: query.multiline });
    if (candidates === 'all') return undefined;
    const wanted = this.#filterOf(walk);
    if (wanted === undefined) return undefined;
    const loud = await this.#loudOf(candidates.unindexed, signal);
    const files = candidates.files.filter(wanted);
    let unknown = loud.filter(wanted);
    let rest: string[] | undefined = files;
    if (isPlainLiteral(query)) {
      const needle = Buffer.from(query.pattern);
      unknown = unknown.filter((file) => this.#mayHold(file, needle));
      rest = await this.#scanHere(files, candidates.parts, needle, limits, found);
      if (rest === undefined) return files.length;
    }
    let goesOn = true;
    const still: OnFound = async (file, matches) => (goesOn &&= await found(file, matches));
    const reading = rest.length > 0 ? this.#ripgrep.search(query, { files: rest }, limits, still, signal) : undefined;
    // Their folders are walked, because a file that is named is read whatever is in it.
    const folders = new Set(unknown.map((file) => file.slice(0, Math.max(0, file.lastIndexOf('/')))));
    for (const folder of folders) {
      if (!goesOn) break;
      const only: OnFound = async (file, matches) => (unknown.includes(file.path) ? still(file, matches) : true);
      const there = { path: folder, include: [], exclude: [], hidden: false, ignored: false };
      await Promise.all([reading, this.#ripgrep.search(query, { walk: there, depth: 1 }, limits, only, signal)]);
    }
    await reading;
    return files.length + unknown.length;
  }

  /** Gives the files that have to be read by ripgrep; undefined when `found` wanted no more. */
  async #scanHere(
    files: readonly string[],
    parts: ReadonlyMap<string, readonly PartRange[]>,
    needle: Buffer,
    limits: LineLimits,
    found: OnFound,
  ): Promise<string[] | undefined> {
    const here: string[] = [];
    const rest: string[] = [];
    let bytes = 0;
    for (const file of files) {
      const facts = this.#index?.facts(file);
      const fits = facts !== undefined && !facts.bom && !facts.binary && here.length < MOST_HERE;
      const toRead = parts.get(file)?.reduce((sum, { offset, end }) => sum + end - offset, 0) ?? facts?.size ?? 0;
      if (!fits || bytes + toRead > MOST_HERE_BYTES) rest.push(file);
      else {
        here.push(file);
        bytes += toRead;
      }
    }
    // A process has to be started all the same, and reads more at once.
    if (rest.length > 0) return [...files];
    let until = performance.now() + SLICE_MS;
    const pause = async (): Promise<void> => {
      if (performance.now() < until) return;
      await nextTurn();
      until = performance.now() + SLICE_MS;
    };
    for (const file of here) {
      const pieces = this.#readAsKnown(file, parts.get(file));
      if (pieces === undefined) rest.push(file);
      else {
        for (const { bytes, line } of pieces) {
          for (const item of inItems(file, scanLiteral(bytes, needle, limits, line))) {
            if (!(await found(item.file, item.matches))) return undefined;
            await pause();
          }
        }
      }
      await pause();
    }
    return rest;
  }

  /** False only where the bytes do not stand in the file. */
  #mayHold(file: string, needle: Buffer): boolean {
    try {
      const at = path.join(this.#root, file);
      if (fs.statSync(at).size > MOST_HERE_BYTES) return true;
      const bytes = fs.readFileSync(at);
      return bytes.includes(needle) || beginsWithUtf16(bytes);
    } catch {
      return true;
    }
  }

  /** The file, or those parts of it. Undefined when it is another file than the index knows. */
  #readAsKnown(file: string, parts: readonly PartRange[] | undefined): { bytes: Buffer; line: number }[] | undefined {
    const facts = this.#index?.facts(file);
    let descriptor: number;
    try {
      descriptor = fs.openSync(path.join(this.#root, file), openFlags);
    } catch {
      return undefined;
    }
    try {
      const stat = fs.fstatSync(descriptor);
      if (!stat.isFile() || facts === undefined || stat.size !== facts.size || stat.mtimeMs !== facts.mtimeMs) return undefined;
      const pieces: { bytes: Buffer; line: number }[] = [];
      for (const { offset, end, line } of parts ?? [{ offset: 0, end: stat.size, line: 1 }]) {
        const bytes = Buffer.allocUnsafe(end - offset);
        for (let done = 0; done < bytes.length; ) {
          const got = fs.readSync(descriptor, bytes, done, bytes.length - done, offset + done);
          if (got === 0) return undefined;
          done += got;
        }
        pieces.push({ bytes, line });
      }
      return pieces;
    } catch {
      return undefined;
    } finally {
      fs.closeSync(descriptor);
    }
  }

  /** Undefined where ripgrep has to say which files the globs let through, and has not yet. */
  #filterOf({ path: folder, include, exclude }: Walk): ((file: string) => boolean) | undefined {
    const below = folder === '' ? undefined : `${folder}/`;
    const isBelow = (file: string): boolean => below === undefined || file.startsWith(below) || file === folder;
    if (include.length === 0 && exclude.length === 0) return isBelow;
    const key = JSON.stringify([include, exclude]);
    const known = this.#globbed.get(key);
    if (known?.list === this.#catalogue.list) return (file) => known.files.has(file) && isBelow(file);
    void this.#learnGlobs(key, include, exclude);
    return undefined;
  }

  async #learnGlobs(key: string, include: readonly string[], exclude: readonly string[]): Promise<void> {
    const { list } = this.#catalogue;
    try {
      const files = new Set(await this.#ripgrep.files({ path: '', include, exclude, hidden: false, ignored: false }));
      this.#globbed.delete(key);
      this.#globbed.set(key, { list, files });
      const [oldest] = this.#globbed.keys();
      if (this.#globbed.size > GLOB_SETS && oldest !== undefined) this.#globbed.delete(oldest);
    } catch {
      // A malformed glob, or the end: whoever searched hears of it.
    }
  }

  async #loudOf(unindexed: readonly string[], signal: AbortSignal): Promise<string[]> {
    let until = performance.now() + SLICE_MS;
    const loud: string[] = [];
    for (const file of unindexed) {
      if (!this.#silent.has(file) && !this.#loud.has(file)) (isSilent(path.join(this.#root, file)) ? this.#silent : this.#loud).add(file);
      if (this.#loud.has(file)) loud.push(file);
      if (performance.now() < until) continue;
      await nextTurn();
      signal.throwIfAborted();
      until = performance.now() + SLICE_MS;
    }
    return loud;
  }

  async #listed(signal: AbortSignal): Promise<ListedFile[]> {
    const listed: ListedFile[] = [];
    let until = performance.now() + SLICE_MS;
    for (const file of this.#catalogue.list) {
      const stat = fs.lstatSync(`${this.#root}/${file}`, { throwIfNoEntry: false });
      // One that is gone may come back unseen, with the whole folder: it stays one of which nothing is known.
      const { size, mtimeMs } = stat?.isFile() === true ? stat : { size: 0, mtimeMs: 0 };
      listed.push({ path: file, size, mtimeMs });
      if (performance.now() < until) continue;
      await nextTurn();
      signal.throwIfAborted();
      until = performance.now() + SLICE_MS;
    }
    return listed;
  }
}

function beginsWithUtf16(bytes: Buffer): boolean {
  return bytes.length >= 2 && ((bytes[0] === 0xff && bytes[1] === 0xfe) || (bytes[0] === 0xfe && bytes[1] === 0xff));
}

function isPlainLiteral({ pattern, regex, caseSensitive, word, multiline, context, replace }: TextQuery): boolean {
  return !regex && caseSensitive && !word && !multiline && replace === undefined && context === 0 && /^[\x20-\x7e\t]+$/.test(pattern);
}

/** A NUL in what ripgrep reads first; it begins with three bytes (a byte order mark would stand there), and searches them when a line ends among them. */
function isSilent(file: string): boolean {
  let descriptor: number;
  try {
    descriptor = fs.openSync(file, openFlags);
  } catch {
    return false;
  }
  try {
    const bytes = Buffer.allocUnsafe(BINARY_BYTES);
    const length = fs.readSync(descriptor, bytes, 0, BINARY_BYTES, 0);
    const start = bytes.subarray(0, length);
    return !beginsWithUtf16(start) && start.includes(0) && !start.subarray(0, 3).includes(10);
  } catch {
    return false;
  } finally {
    fs.closeSync(descriptor);
  }
}
