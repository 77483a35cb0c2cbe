import fs from 'node:fs';
import path from 'node:path';
import { TimeSlice } from '../../core/time-slice.ts';
import { CandidateParts } from './candidate-parts.ts';
import type { Catalogue, CatalogueNews } from './catalogue.ts';
import { bytesToRead, type Candidate, FileScan } from './file-scan.ts';
import { type LinePattern, linePattern } from './line-pattern.ts';
import type { LineLimits } from './rg-events.ts';
import { openForReading } from './open-file.ts';
import { globOf, type OnFound, type Ripgrep, type TextQuery, type Walk } from './ripgrep.ts';
import { ScanThread } from './scan-thread.ts';
import type { ScanOrder } from './scan-worker.ts';
import { planQuery } from './trigram/plan.ts';
import { allFiles } from './trigram/plan-tree.ts';
import { overlapBytes } from './trigram/segment-format.ts';
import { type Candidates, type ListedFile, TrigramIndex, type TrigramIndexLog } from './trigram/trigram-index.ts';
import { beginsWithUtf16 } from './utf16-mark.ts';

const MAX_FILE_BYTES = 64 * 1024 * 1024;
/** With more candidates than this share of all files, ripgrep's own walk is as fast. */
const MOST_SHARE = 0.15;
const MOST_AT_LEAST = 200;
/** So much is read here; of more, ripgrep with its threads makes up for the time that it takes to start. */
const MOST_HERE_BYTES = 256 * 1024 * 1024;
/** Of a file of which nothing is known, to find out whether it is worth a walk. */
const MOST_LOOKED_AT_BYTES = 8 * 1024 * 1024;
/** ripgrep looks so far for a NUL before it looks for anything else (grep-searcher, line_buffer.rs). */
const BINARY_BYTES = 64 * 1024;
/** From so many candidates on, a second thread helps, and each takes so many at once. */
const WORTH_A_THREAD = 128;
const FILES_PER_PART = 32;
/** Each is an argument. */
const FILES_PER_WALK = 500;
const GLOB_SETS = 8;

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
  /** Throws, with the reason, where there can't be an index of so many files. */
  throwIfTooLarge?: (files: number) => void;
  open: () => IndexPlace;
  /** Switches parts off, for tests that must be seen to fail without them. */
  faults?: {
    /** What changed since a file was indexed is not known. */
    forgetChanges?: boolean;
    /** What is read here is taken for ASCII. */
    onlyAscii?: boolean;
    /** It is not there before. */
    readyAfter?: Promise<void>;
  };
}

/** The files that some globs let through, as long as the catalogue has this list and no further file was passed over. */
interface Globbed {
  list: readonly string[];
  passings: number;
  files: ReadonlySet<string>;
  /** Also such as are not indexed. */
  reachesMore: boolean;
}

/** Searches only the files that may match. What it does not know for certain it leaves to ripgrep's walk. */
export class IndexedSearch {
  readonly #ripgrep: Ripgrep;
  readonly #catalogue: Catalogue;
  readonly #log: TrigramIndexLog;
  readonly #options: IndexOptions;
  readonly #root: string;
  readonly #thread: ScanThread;
  #place: IndexPlace | undefined;
  #index: TrigramIndex | undefined;
  /** Binary from the start: ripgrep, on its walk, finds nothing in them. */
  readonly #silent = new Set<string>();
  /** Not indexed, and not silent. */
  readonly #loud = new Set<string>();
  /** Files that globs let through, as ripgrep reads globs. */
  readonly #globbed = new Map<string, Globbed>();
  /** What changed while it is built: whether the file is still there. */
  #missed: Map<string, boolean> | undefined;
  #ready = false;

  constructor(dependencies: { ripgrep: Ripgrep; catalogue: Catalogue; log: TrigramIndexLog }, options: IndexOptions & { root: string }) {
    this.#ripgrep = dependencies.ripgrep;
    this.#catalogue = dependencies.catalogue;
    this.#log = dependencies.log;
    this.#root = options.root;
    this.#options = options;
    this.#thread = new ScanThread(options);
  }

  get status(): { textBytes: number; indexBytes: number } {
    const { textBytes = 0, indexBytes = 0 } = this.#index?.status() ?? {};
    return { textBytes, indexBytes };
  }

  /**
   * Indexes what is not in the index from the last time; `listed` resolves when the catalogue is filled, and what changes from then on is told to
   * `update`. Rejects as that does, and with the signal's reason; it may be called again then.
   */
  async start(listed: Promise<unknown>, signal: AbortSignal): Promise<void> {
    // Stopped meanwhile: what is opened now, nobody would close.
    signal.throwIfAborted();
    this.#options.throwIfTooLarge?.(0);
    const place = this.#options.open();
    this.#place = place;
    const { folder } = place;
    const { threads } = this.#options;
    this.#index = new TrigramIndex({ log: this.#log }, { root: this.#root, folder, threads, maxFileBytes: MAX_FILE_BYTES });
    // What is kept is opened while ripgrep walks.
    const files = async (): Promise<ListedFile[]> => {
      await listed;
      this.#options.throwIfTooLarge?.(this.#catalogue.list.length);
      return this.#listed(signal);
    };
    this.#missed = new Map();
    try {
      await this.#index.start(files, signal);
      await this.#options.faults?.readyAfter;
      for (let missed = this.#missed; missed.size > 0; missed = this.#missed) {
        this.#missed = new Map();
        const those = [...missed];
        const news = { changed: those.filter(([, isThere]) => isThere), removed: those.filter(([, isThere]) => !isThere) };
        await this.#index.update(news.changed.map(nameOf), news.removed.map(nameOf));
      }
    } catch (error) {
      this.#missed = undefined;
      await this.#close();
      this.#index = undefined;
      throw error;
    }
    this.#missed = undefined;
    this.#ready = true;
  }

  /** Queries see it when this resolves; while the index is built, when there is one. */
  async update({ changed, removed }: CatalogueNews): Promise<void> {
    for (const file of [...changed, ...removed]) {
      this.#silent.delete(file);
      this.#loud.delete(file);
    }
    if (this.#options.faults?.forgetChanges === true) return;
    for (const file of removed) this.#missed?.set(file, false);
    for (const file of changed) this.#missed?.set(file, true);
    if (this.#ready && changed.length + removed.length > 0) await this.#index?.update(changed, removed);
  }

  async stop(): Promise<void> {
    await Promise.all([this.#close(), this.#thread.stop()]);
  }

  async #close(): Promise<void> {
    await this.#index?.stop();
    const place = this.#place;
    this.#place = undefined;
    if (place?.kept === false) fs.rmSync(place.folder, { recursive: true, force: true });
    place?.release();
  }

  /** How many files were read, of those that `mayRead` lets through; undefined, with nothing told to `found`, where everything has to be read. */
  async search(
    query: TextQuery,
    { walk, mayRead }: { walk: Walk; mayRead: (file: string) => boolean },
    limits: LineLimits,
    found: OnFound,
    signal: AbortSignal,
  ): Promise<number | undefined> {
    const index = this.#index;
    if (index === undefined || !this.#ready || walk.hidden || walk.ignored) return undefined;
    const most = Math.max(MOST_AT_LEAST, this.#catalogue.list.length * MOST_SHARE);
    const pattern = linePattern(query, this.#options.faults);
    const run = pattern === undefined || pattern.hints.bytes > overlapBytes ? allFiles : pattern.hints.plan;
    // Of a part of the folder, what lies elsewhere decides nothing.
    const limit = walk.path === '' ? most : Number.POSITIVE_INFINITY;
    const candidates = index.candidates(planQuery(query.pattern, query), limit, { multiline: query.multiline, run });
    if (candidates === 'all') return undefined;
    const isWithin = this.#filterOf(walk);
    if (isWithin === undefined) return undefined;
    const wanted = (file: string): boolean => isWithin(file) && mayRead(file);
    const files = candidates.files.filter(wanted);
    if (files.length > most) return undefined;
    let unknown = await this.#loudOf(candidates.unindexed.filter(wanted), signal);
    let goesOn = true;
    const still: OnFound = async (file, matches) => {
      if (goesOn && !(await found(file, matches))) goesOn = false;
      return goesOn;
    };
    if (pattern !== undefined) unknown = await this.#thatMayHold(unknown, pattern, signal);
    const { here, there } = this.#share(files, candidates.parts, pattern);
    const reading = there.length > 0 ? this.#ripgrep.search(query, { files: there }, limits, still, signal) : undefined;
    // Whoever fails first is heard; the other ends by itself.
    reading?.catch(() => {});
    if (pattern !== undefined && here.length > 0) {
      const left = await this.#scan(
        { query, limits, onlyAscii: this.#options.faults?.onlyAscii === true },
        pattern,
        here,
        still,
        signal,
      ).catch((error: unknown) => {
        goesOn = false;
        throw error;
      });
      if (goesOn && left !== undefined && left.length > 0) await this.#ripgrep.search(query, { files: left }, limits, still, signal);
    }
    // They are walked to, because a file that is named is read whatever is in it.
    const byFolder = Map.groupBy(unknown, (file) => file.slice(0, Math.max(0, file.lastIndexOf('/'))));
    for (const [folder, all] of byFolder) {
      for (let at = 0; at < all.length && goesOn; at += FILES_PER_WALK) {
        const part = all.slice(at, at + FILES_PER_WALK);
        const only: OnFound = async (file, matches) => (part.includes(file.path) ? still(file, matches) : true);
        const place = { path: folder, include: part.map(globOf), exclude: [], hidden: false, ignored: false };
        await Promise.all([reading, this.#ripgrep.search(query, { walk: place, depth: 1 }, limits, only, signal)]);
      }
    }
    await reading;
    return files.length + unknown.length;
  }

  /** Gives those that ripgrep has to read; undefined when `found` wanted no more. */
  async #scan(
    order: ScanOrder,
    pattern: LinePattern,
    candidates: readonly Candidate[],
    found: OnFound,
    signal: AbortSignal,
  ): Promise<readonly string[] | undefined> {
    const open = (file: string): number => openForReading(`${this.#root}/${file}`);
    const scan = new FileScan({ open, pattern, limits: order.limits });
    if (candidates.length < WORTH_A_THREAD || this.#thread.isBusy) return scan.search(candidates, found, signal);
    // Both take one part after the other.
    const parts = new CandidateParts(candidates, FILES_PER_PART);
    const here = async (): Promise<string[] | undefined> => {
      const left: string[] = [];
      for (let part = parts.next(); part !== undefined; part = parts.next()) {
        const some = await scan.search(part, found, signal);
        if (some === undefined) return undefined;
        left.push(...some);
      }
      return left;
    };
    const [there, alsoHere] = await Promise.all([this.#thread.search(order, parts, found, signal), here()]);
    return there === undefined || alsoHere === undefined ? undefined : [...there, ...alsoHere];
  }

  /** Which files are read by this process, and which by ripgrep. */
  #share(
    files: readonly string[],
    parts: Candidates['parts'],
    pattern: LinePattern | undefined,
  ): { here: readonly Candidate[]; there: readonly string[] } {
    if (pattern === undefined) return { here: [], there: files };
    const here: Candidate[] = [];
    const there: string[] = [];
    let bytes = 0;
    for (const file of files) {
      const candidate = { file, facts: this.#index?.facts(file), parts: parts.get(file) };
      const toRead = bytesToRead(candidate);
      if (toRead === undefined) there.push(file);
      else {
        here.push(candidate);
        bytes += toRead;
      }
      if (bytes > MOST_HERE_BYTES) return { here: [], there: files };
    }
    return { here, there };
  }

  /** Without those in which no line can match; gives way to other work every few milliseconds. */
  async #thatMayHold(files: readonly string[], pattern: LinePattern, signal: AbortSignal): Promise<string[]> {
    const slice = new TimeSlice();
    const those: string[] = [];
    for (const file of files) {
      if (mayHold(path.join(this.#root, file), pattern)) those.push(file);
      if (slice.isOver) await slice.giveWay(signal);
    }
    return those;
  }

  /**
   * Undefined where ripgrep has to say which files the globs let through, and has not yet, and where it looks at more than is indexed: a place
   * that is named, and a glob that names files, go before what is hidden or ignored.
   */
  #filterOf({ path: folder, include, exclude }: Walk): ((file: string) => boolean) | undefined {
    const below = folder === '' ? undefined : `${folder}/`;
    const isBelow = (file: string): boolean => below === undefined || file.startsWith(below) || file === folder;
    if (!this.#catalogue.has(folder)) return undefined;
    if (include.length === 0 && exclude.length === 0) return isBelow;
    const key = JSON.stringify([include, exclude]);
    const known = this.#globbed.get(key);
    const { list, passings } = this.#catalogue;
    if (known?.list === list && known.passings === passings)
      return known.reachesMore ? undefined : (file) => known.files.has(file) && isBelow(file);
    void this.#learnGlobs(key, include, exclude);
    return undefined;
  }

  async #learnGlobs(key: string, include: readonly string[], exclude: readonly string[]): Promise<void> {
    const { list, passings } = this.#catalogue;
    try {
      const files = new Set(await this.#ripgrep.files({ path: '', include, exclude, hidden: false, ignored: false }));
      this.#globbed.delete(key);
      this.#globbed.set(key, { list, passings, files, reachesMore: [...files].some((file) => !this.#catalogue.files.has(file)) });
      const [oldest] = this.#globbed.keys();
      if (this.#globbed.size > GLOB_SETS && oldest !== undefined) this.#globbed.delete(oldest);
    } catch {
      // A malformed glob, or the end: whoever searched hears of it.
    }
  }

  async #loudOf(unindexed: readonly string[], signal: AbortSignal): Promise<string[]> {
    const slice = new TimeSlice();
    const loud: string[] = [];
    for (const file of unindexed) {
      if (!this.#silent.has(file) && !this.#loud.has(file)) (isSilent(path.join(this.#root, file)) ? this.#silent : this.#loud).add(file);
      if (this.#loud.has(file)) loud.push(file);
      if (slice.isOver) await slice.giveWay(signal);
    }
    return loud;
  }

  async #listed(signal: AbortSignal): Promise<ListedFile[]> {
    const listed: ListedFile[] = [];
    const slice = new TimeSlice();
    for (const file of this.#catalogue.list) {
      const stat = fs.lstatSync(`${this.#root}/${file}`, { throwIfNoEntry: false });
      // One that is gone may come back unseen, with the whole folder: it stays one of which nothing is known.
      const { size, mtimeMs } = stat?.isFile() === true ? stat : { size: 0, mtimeMs: 0 };
      listed.push({ path: file, size, mtimeMs });
      if (slice.isOver) await slice.giveWay(signal);
    }
    return listed;
  }
}

function nameOf([file]: readonly [string, unknown]): string {
  return file;
}

/** False only where no line of the file can match. */
function mayHold(file: string, pattern: LinePattern): boolean {
  return lookedAt(file, true, (descriptor) => {
    const stat = fs.fstatSync(descriptor);
    if (!stat.isFile() || stat.size > MOST_LOOKED_AT_BYTES) return true;
    const bytes = fs.readFileSync(descriptor);
    return beginsWithUtf16(bytes) || pattern.hints.find(bytes)(0) >= 0;
  });
}

/** A NUL in what ripgrep reads first; it begins with three bytes (a byte order mark would stand there), and searches them when a line ends among them. */
function isSilent(file: string): boolean {
  return lookedAt(file, false, (descriptor) => {
    const bytes = Buffer.allocUnsafe(BINARY_BYTES);
    const length = fs.readSync(descriptor, bytes, 0, BINARY_BYTES, 0);
    const start = bytes.subarray(0, length);
    return !beginsWithUtf16(start) && start.includes(0) && !start.subarray(0, 3).includes(10);
  });
}

/** What `look` says of the open file, `otherwise` of one that can not be opened or read. */
function lookedAt(file: string, otherwise: boolean, look: (descriptor: number) => boolean): boolean {
  let descriptor: number | undefined;
  try {
    descriptor = openForReading(file);
    return look(descriptor);
  } catch {
    return otherwise;
  } finally {
    if (descriptor !== undefined) fs.closeSync(descriptor);
  }
}
