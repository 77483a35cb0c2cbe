// The trigram index of a folder: says which files a search has to look at. It never leaves out a file that ripgrep would find a match in; it may name files
// that have none. Files are indexed by threads into segments on disk; what changes afterwards stands in memory until there is enough for a segment.
// The segments are a cache: whatever is wrong with them, they are thrown away and built anew.

import fs, { readdirSync, rmSync } from 'node:fs';
import path, { basename, join } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { makeFolder } from '../../../core/make-folder.ts';
import { buildSegments } from './build-segments.ts';
import { chooseCompaction } from './choose-compaction.ts';
import { FewFiles } from './file-grams.ts';
import { type FileFacts, FileTable, type Found, type PartRange, type Place, type Question } from './file-table.ts';
import type { ReadFile, ThreadSettings } from './index-messages.ts';
import { AnsweringThread } from './index-thread.ts';
import { allFiles, type Plan } from './plan-tree.ts';
import { flagYoung, segmentSuffix, temporarySuffix } from './segment-format.ts';
import { Segment } from './segment.ts';

/** The part of the log that is used here. */
export interface TrigramIndexLog {
  info(event: string, fields?: object): void;
  warn(event: string, fields?: object): void;
  error(event: string, fields?: object): void;
}

export interface TrigramIndexOptions {
  /** Absolute path of the folder whose files are indexed. */
  root: string;
  /** Absolute path of a private folder outside of `root`, where segments live. Made when it is not there; nobody else may use it. */
  folder: string;
  /** How many threads build. One more answers for changes. */
  threads: number;
  /** Larger files are not indexed. */
  maxFileBytes: number;
  /** Files larger than twice that are indexed in parts of about that many bytes. */
  partBytes?: number;
}

export interface ListedFile {
  /** Relative to the root, with '/'. */
  path: string;
  size: number;
  mtimeMs: number;
}

export interface TrigramIndexStatus {
  /** Files that the index answers for, binary ones included. */
  files: number;
  segments: number;
  /** Files that changed since and stand in memory. */
  overlay: number;
  textBytes: number;
  indexBytes: number;
  /** About how much memory the index holds, without its threads. */
  residentBytes: number;
}

export interface Candidates {
  /** These may match. In no order. */
  files: string[];
  /** Of large files among them: where a match may stand, ascending. Only for plans of one line. */
  parts: ReadonlyMap<string, readonly PartRange[]>;
  /** Binary files, files that are too large and files that could not be read: nothing is known of what is in them. */
  unindexed: string[];
}

const defaultPartBytes = 24 * 1024;
/** With more files in memory than that a segment is written; as many as that at once go into one directly. */
const maxOverlayFiles = 1024;
/** Four bytes each. */
const maxOverlayGrams = 4_000_000;
/** While segments can't be written, memory takes this much more; what changes then is not indexed. */
const overlayPatience = 4;
/** A flush that was asked for writes no segment for fewer. */
const worthFlushing = 64;
/** After a failed flush the next one is not begun by itself before that time. */
const retryAfterMs = 30_000;
/** Fewer files are read into memory at the start. */
const maxFilesAtStart = 256;
const filesPerQuestion = 32;
/** A query that takes longer narrows nothing. */
const maxQueryMs = 20;
/** Loops over all files let others have their turn after that time. */
const sliceMs = 5;
/** Between two looks at the clock. */
const stepsPerLook = 256;

const silent: TrigramIndexLog = { info: () => {}, warn: () => {}, error: () => {} };

/** A function is asked once what is on disk was opened. */
type FilesToIndex = Iterable<ListedFile> | (() => Promise<Iterable<ListedFile>>);

type Phase = 'new' | 'starting' | 'ready' | 'stopped';

export class TrigramIndex {
  readonly #log: TrigramIndexLog;
  readonly #now: () => number;
  readonly #options: TrigramIndexOptions;
  readonly #table = new FileTable();
  readonly #thread: AnsweringThread;
  readonly #here: FewFiles;
  readonly #ending = new AbortController();
  /** Not indexed because their segment could not be written: tried again with the next flush. */
  readonly #unwritten = new Set<string>();
  #phase: Phase = 'new';
  #sequence = 0;
  #nextBuild = 0;
  /** Start, then one update after the other. */
  #turn: Promise<unknown> = Promise.resolve();
  #flushing: Promise<void> | null = null;
  #retryAtMs = 0;
  #stopping: Promise<void> | null = null;

  constructor(dependencies: { log?: TrigramIndexLog; now?: () => number }, options: TrigramIndexOptions) {
    this.#log = dependencies.log ?? silent;
    this.#now = dependencies.now ?? (() => performance.now());
    this.#options = options;
    this.#thread = new AnsweringThread(this.#threadSettings());
    this.#here = new FewFiles(options);
  }

  /**
   * Opens what is on disk and compares it with the given files by size and time: what differs or is new is indexed, what is gone is dropped. Resolves when
   * queries answer for exactly these files; until then they narrow nothing. To be called once. Rejects with the signal's reason when aborted and with the
   * system's error when `folder` can't be made; the index is then stopped, and the segments that were written by then serve the next start.
   */
  start(files: FilesToIndex, signal?: AbortSignal): Promise<{ indexed: number; reused: number; ms: number }> {
    if (this.#phase !== 'new') return Promise.reject(new Error('The index was started before.'));
    this.#phase = 'starting';
    const started = this.#start(files, signal);
    this.#turn = started.catch(() => {});
    return started.catch(async (error: unknown) => {
      await this.stop();
      throw error;
    });
  }

  /**
   * These files changed or appeared, and those are gone; paths are relative to the root, with '/'. A changed file that is gone by now is dropped. Resolves
   * when queries see it. Updates take effect in the order of their calls, after the start. Rejects when the index is stopped.
   */
  update(changed: readonly string[], removed: readonly string[]): Promise<void> {
    if (this.#phase === 'new' || this.#phase === 'stopped') return Promise.reject(new Error('The index is not running.'));
    const updated = this.#turn.then(() => this.#update([...new Set(changed)], removed));
    this.#turn = updated.catch(() => {});
    return updated;
  }

  /**
   * Files that may match; 'all' when the plan narrows nothing, when more than `limit` files may match, and while the index is not ready. `multiline`: a
   * match may go over several lines, which may be in different parts of a file. `run`: what the trigrams satisfy of a text of at most `overlapBytes` that
   * stands in every match; without it, all parts of lines that are longer than a part may match.
   */
  candidates(
    plan: Plan,
    limit = Number.POSITIVE_INFINITY,
    { multiline = false, run = allFiles }: { multiline?: boolean; run?: Plan } = {},
  ): Candidates | 'all' {
    if (this.#phase !== 'ready' || plan.kind === 'all') return 'all';
    const question: Question = { plan, run };
    const found: Found = { files: [], parts: new Map() };
    const { files, parts } = found;
    if (plan.kind === 'none') return { files, parts, unindexed: [] };
    const startedMs = this.#now();
    this.#table.findInOverlay(plan, found);
    const broken: Segment[] = [];
    for (const { segment } of this.#table.segments()) {
      if (files.length > limit || this.#now() - startedMs > maxQueryMs) return 'all';
      try {
        this.#table.findInSegment(segment, question, found);
        if (!multiline) continue;
        for (const path of this.#table.filesInParts(segment)) if (!parts.has(path)) files.push(path);
        parts.clear();
      } catch (error) {
        this.#log.error('search.segment-failed', { segment: basename(segment.path), error });
        broken.push(segment);
      }
    }
    for (const segment of broken) this.#giveUp(segment);
    return files.length > limit ? 'all' : { files, parts, unindexed: this.#table.unindexed };
  }

  /** What is known of one file; undefined when it is not indexed. */
  facts(path: string): FileFacts | undefined {
    return this.#table.facts(path);
  }

  status(): TrigramIndexStatus {
    return this.#table.status();
  }

  /**
   * Moves what stands in memory into a segment and joins segments, where that is worth it, in a thread. Resolves when that is done; what can't be written
   * stays in memory, and the log says why.
   */
  flush(): Promise<void> {
    if (this.#phase !== 'ready') return Promise.resolve();
    this.#flushing ??= this.#flush().finally(() => {
      this.#flushing = null;
    });
    return this.#flushing;
  }

  /** Ends threads and closes files. Updates under way are rejected; what stands in memory is found by the next start, which reads those files again. */
  stop(): Promise<void> {
    this.#stopping ??= this.#stop();
    return this.#stopping;
  }

  /** Ends the thread that answers for changes, as a fault would. */
  crashForTest(): void {
    this.#thread.crashForTest();
  }

  async #stop(): Promise<void> {
    this.#phase = 'stopped';
    this.#ending.abort(new Error('The index was stopped.'));
    await this.#thread.stop();
    await this.#turn;
    await this.#flushing?.catch(() => {});
    this.#table.close();
  }

  async #start(files: FilesToIndex, signal?: AbortSignal): Promise<{ indexed: number; reused: number; ms: number }> {
    const startedMs = this.#now();
    const either = signal ? AbortSignal.any([signal, this.#ending.signal]) : this.#ending.signal;
    makeFolder(this.#options.folder, 0o700, { fs, path });
    const known = await this.#openSegments(either);
    const listed = typeof files === 'function' ? await files() : files;
    either.throwIfAborted();
    const { changed, reused } = await this.#compare(listed, known, either);
    this.#dropEmptySegments();
    if (changed.length <= maxFilesAtStart) await this.#read(changed, 'keep');
    else await this.#build(changed, this.#options.threads, 'keep', either);
    either.throwIfAborted();
    this.#phase = 'ready';
    const ms = this.#now() - startedMs;
    this.#log.info('search.index-ready', { indexed: changed.length, reused, durationMs: Math.round(ms) });
    return { indexed: changed.length, reused, ms };
  }

  /** The newest entry of each file in the segments on disk. */
  async #openSegments(signal: AbortSignal): Promise<Map<string, { key: number; number: number; segment: Segment }>> {
    const opened: Segment[] = [];
    const slices = new Slices(this.#now, signal);
    for (const name of readdirSync(this.#options.folder)) {
      const path = join(this.#options.folder, name);
      if (name.endsWith(temporarySuffix)) rmSync(path, { force: true });
      if (!name.endsWith(segmentSuffix)) continue;
      let segment: Segment | null = null;
      try {
        const damage = await this.#thread.verify(path);
        signal.throwIfAborted();
        if (damage !== null) throw new Error(damage);
        segment = new Segment(path);
        for (const names of segment.readNames()) await slices.next(names);
        opened.push(segment);
      } catch (error) {
        segment?.close();
        signal.throwIfAborted();
        this.#log.warn('search.segment-refused', { segment: name, error });
        rmSync(path, { force: true });
      }
    }
    const known = new Map<string, { key: number; number: number; segment: Segment }>();
    for (const segment of opened.sort((a, b) => b.header.sequence - a.header.sequence)) {
      const key = this.#table.addSegment(segment);
      this.#sequence = Math.max(this.#sequence, segment.header.sequence);
      for (const [number, path] of segment.names.entries()) {
        if (!known.has(path)) known.set(path, { key, number, segment });
        const pause = slices.next();
        if (pause) await pause;
      }
    }
    return known;
  }

  async #compare(
    files: Iterable<ListedFile>,
    known: ReadonlyMap<string, { key: number; number: number; segment: Segment }>,
    signal: AbortSignal,
  ): Promise<{ changed: string[]; reused: number }> {
    const changed = new Set<string>();
    const slices = new Slices(this.#now, signal);
    let reused = 0;
    for (const { path, size, mtimeMs } of files) {
      const pause = slices.next();
      if (pause) await pause;
      if (this.#table.has(path)) continue;
      const entry = known.get(path);
      if (size > this.#options.maxFileBytes) this.#table.placeUnindexed(path);
      else if (entry && isSame(entry, size, mtimeMs)) {
        this.#table.place(entry.key, entry.number);
        reused++;
      } else changed.add(path);
    }
    return { changed: [...changed], reused };
  }

  async #update(changed: string[], removed: readonly string[]): Promise<void> {
    if (this.#phase !== 'ready') throw new Error('The index is not running.');
    for (const path of removed) this.#forget(path);
    if (changed.length > maxOverlayFiles) await this.#build(changed, this.#options.threads, 'drop', this.#ending.signal);
    else await this.#read(changed, 'drop');
    this.#ending.signal.throwIfAborted();
    const { overlay, overlayGrams } = this.#table;
    const isFull = overlay.size > maxOverlayFiles || overlayGrams > maxOverlayGrams;
    if (isFull && this.#now() >= this.#retryAtMs) void this.flush().catch(() => {});
  }

  /** Reads files into memory. `missing` says whether a file that is not there is kept as one of which nothing is known. */
  async #read(paths: readonly string[], missing: 'keep' | 'drop'): Promise<void> {
    for (let from = 0; from < paths.length; from += filesPerQuestion) {
      const some = paths.slice(from, from + filesPerQuestion);
      // For one file that was saved no thread is started.
      const answers = (this.#thread.isRunning ? undefined : this.#here.read(some)) ?? (await this.#readOnceMore(some));
      this.#ending.signal.throwIfAborted();
      if (answers === null) for (const path of some) this.#placeUnindexed(path);
      else for (const answer of answers) this.#accept(answer, missing);
    }
  }

  /** Null when the thread died with these files twice. */
  async #readOnceMore(paths: string[]): Promise<ReadFile[] | null> {
    for (let attempt = 1; attempt <= 2; attempt++) {
      try {
        return await this.#thread.index(paths);
      } catch (error) {
        if (this.#phase === 'stopped') return null;
        this.#log.error('search.index-thread-died', { error, files: paths.length, attempt });
      }
    }
    return null;
  }

  #accept(answer: ReadFile, missing: 'keep' | 'drop'): void {
    if (answer.state === 'indexed') {
      const { overlay, overlayGrams } = this.#table;
      const { path } = answer.file;
      this.#unwritten.delete(path);
      if (overlay.size < overlayPatience * maxOverlayFiles && overlayGrams < overlayPatience * maxOverlayGrams)
        this.#table.placeInOverlay(answer);
      else {
        this.#placeUnindexed(path);
        this.#unwritten.add(path);
      }
    } else if (answer.state === 'missing') this.#acceptMissing(answer.path, missing);
    else this.#placeUnindexed(answer.path);
  }

  #acceptMissing(path: string, missing: 'keep' | 'drop'): void {
    if (missing === 'drop' && !mayHaveAnotherName(path)) this.#forget(path);
    else this.#placeUnindexed(path);
  }

  /** Has files indexed into segments which answer for them from then on. */
  async #build(paths: readonly string[], threads: number, missing: 'keep' | 'drop', signal: AbortSignal): Promise<void> {
    const each = (numbers: readonly number[], act: (path: string) => void): void => {
      for (const number of numbers) act(paths[number] as string);
    };
    await buildSegments(
      paths,
      threads,
      this.#threadSettings(),
      {
        onSegment: ({ path, numbers }) => {
          const key = this.#addSegment(path, paths, numbers);
          if (key === null) each(numbers, (file) => this.#placeUnindexed(file));
          else
            for (const [number, index] of numbers.entries()) {
              this.#unwritten.delete(paths[index] as string);
              this.#table.place(key, number);
            }
        },
        onMissing: (numbers) => each(numbers, (path) => this.#acceptMissing(path, missing)),
        onUnreadable: (numbers) => each(numbers, (path) => this.#placeUnindexed(path)),
        onUnwritten: (numbers, error) => {
          this.#log.error('search.segment-not-written', { code: error.code, error: error.message, files: numbers.length });
          each(numbers, (path) => {
            this.#placeUnindexed(path);
            this.#unwritten.add(path);
          });
        },
        onThreadDied: (error) => this.#log.error('search.index-thread-died', { error }),
      },
      signal,
    );
    this.#dropEmptySegments();
  }

  /** What changed while a file was read again for the flush is newer than what the flush read: only places that are as they were are taken over. */
  async #flush(): Promise<void> {
    const paths = this.#worthWriting();
    if (paths.length === 0) return;
    const places = paths.map((path): Place => this.#table.placeOf(path));
    let failed = false;
    await buildSegments(
      paths,
      1,
      this.#threadSettings(),
      {
        onSegment: ({ path, numbers }) => {
          const key = this.#addSegment(path, paths, numbers);
          if (key === null) return;
          for (const [number, index] of numbers.entries()) {
            const file = paths[index] as string;
            if (places[index] === undefined || this.#table.placeOf(file) !== places[index]) continue;
            this.#unwritten.delete(file);
            this.#table.place(key, number);
          }
        },
        // They stay where they are until the change is told.
        onMissing: () => {},
        onUnreadable: () => {},
        onUnwritten: (numbers, error) => {
          failed = true;
          this.#log.error('search.segment-not-written', { code: error.code, error: error.message, files: numbers.length });
        },
        onThreadDied: (error) => {
          failed = true;
          this.#log.error('search.index-thread-died', { error });
        },
      },
      this.#ending.signal,
    );
    if (failed) this.#retryAtMs = this.#now() + retryAfterMs;
    this.#dropEmptySegments();
  }

  #worthWriting(): string[] {
    const { overlay } = this.#table;
    const paths = [...this.#unwritten];
    if (overlay.size >= worthFlushing || this.#table.overlayGrams > maxOverlayGrams) for (const path of overlay.keys()) paths.push(path);
    const shares = [...this.#table.segments()].map(({ segment, live }) => ({ segment, live, files: segment.header.files }));
    for (const segment of chooseCompaction(shares)) for (const path of this.#table.pathsOf(segment)) paths.push(path);
    return paths;
  }

  /** Null, and the log says why, when a segment that was just written can't be opened. */
  #addSegment(path: string, paths: readonly string[], numbers: readonly number[]): number | null {
    try {
      const segment = new Segment(path);
      segment.names = numbers.map((number) => paths[number] as string);
      return this.#table.addSegment(segment);
    } catch (error) {
      this.#log.error('search.segment-refused', { segment: basename(path), error });
      return null;
    }
  }

  /** A segment that can't be read any more: its files are candidates for every query until they are indexed anew. */
  #giveUp(segment: Segment): void {
    for (const path of this.#table.pathsOf(segment)) {
      this.#placeUnindexed(path);
      this.#unwritten.add(path);
    }
    this.#dropEmptySegments();
  }

  #placeUnindexed(path: string): void {
    this.#unwritten.delete(path);
    this.#table.placeUnindexed(path);
  }

  #forget(path: string): void {
    this.#unwritten.delete(path);
    this.#table.forget(path);
  }

  #dropEmptySegments(): void {
    for (const error of this.#table.dropEmptySegments()) this.#log.warn('search.segment-not-removed', { error });
  }

  #threadSettings(): ThreadSettings {
    const { root, folder, maxFileBytes, partBytes = defaultPartBytes } = this.#options;
    // Also after a clock that was set back, and after a crash that left a segment which nobody knows of.
    this.#sequence = Math.max(this.#sequence + 1, Date.now());
    return { root, folder, maxFileBytes, partBytes, sequence: this.#sequence, name: `${this.#sequence.toString(36)}-${this.#nextBuild++}` };
  }
}

function isSame({ number, segment }: { number: number; segment: Segment }, size: number, mtimeMs: number): boolean {
  const isYoung = ((segment.flags[number] as number) & flagYoung) !== 0;
  return !isYoung && segment.sizes[number] === size && segment.mtimes[number] === mtimeMs;
}

/** One that is not UTF-8 can not be asked for as it is listed: that nothing is found by it says nothing. */
function mayHaveAnotherName(path: string): boolean {
  return path.includes('\uFFFD');
}

/** Lets others have their turn now and then in a long loop. Throws the signal's reason when aborted. */
class Slices {
  readonly #now: () => number;
  readonly #signal: AbortSignal;
  #count = 0;
  #sinceMs: number;

  constructor(now: () => number, signal: AbortSignal) {
    this.#now = now;
    this.#signal = signal;
    this.#sinceMs = now();
  }

  /** To be called after so many steps. */
  next(steps = 1): Promise<void> | undefined {
    this.#count += steps;
    if (this.#count < stepsPerLook) return undefined;
    this.#count = 0;
    return this.#now() - this.#sinceMs < sliceMs ? undefined : this.#pause();
  }

  async #pause(): Promise<void> {
    await nextTurn();
    this.#signal.throwIfAborted();
    this.#sinceMs = this.#now();
  }
}
