import { performance } from 'node:perf_hooks';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { OutriggerError } from '../../contract/errors.ts';
import type { Change } from '../../contract/events.ts';
import type { FoundFile } from '../../contract/search.ts';
import { inTime } from '../../core/in-time.ts';
import type { Processes } from '../processes/processes.ts';
import type { Workspace } from '../workspace/workspace.ts';
import { AskedPlace, isSeen, type Sight, type Visible } from './asked-place.ts';
import { Catalogue, plainWalk as everything } from './catalogue.ts';
import { FuzzyPaths } from './fuzzy-paths.ts';
import { type IndexOptions, IndexedSearch } from './indexed-search.ts';
import { PlainSearch } from './plain-search.ts';
import { type Ripgrep, SEARCH_TIMEOUT_MS, type TextQuery, type Walk } from './ripgrep.ts';
import { blocksOf, sortInTurns } from './sorted-paths.ts';
import { type SymbolInFile, Symbols } from './symbols.ts';
import type { TrigramIndexLog } from './trigram/trigram-index.ts';
import type { Outline } from './outline.ts';

/** What changes while nobody waits for it is taken in after so long, all at once. */
const GATHER_MS = 1000;
/** See `SearchOptions.catchUpMs`. */
const CATCH_UP_MS = 150;
/** A list of all files is waited for so long, while it is made: to make another would take longer. */
const LISTING_MS = 60_000;
/** What failed is not tried again before that. */
const RETRY_MS = 1000;

export interface SearchDependencies {
  workspace: Workspace;
  processes: Processes;
  /** Absent where there is no such program. */
  ripgrep: Ripgrep | undefined;
  /** Brings to disk what people typed. */
  flush: () => Promise<void>;
  /** Resolves when everything that was written before the call, by whomever, is in the journal; with paths, to these files. */
  settled: (paths?: readonly string[]) => Promise<void>;
  log: (event: string, facts: Record<string, unknown>) => void;
}

export interface SearchOptions {
  /** Without it each search reads all. */
  index?: IndexOptions | undefined;
  /** A search waits this long for the catalogue to take in what just changed; then it reads everything instead. */
  catchUpMs?: number;
}

export interface TextRequest extends TextQuery, Walk {
  maxResults: number;
  maxLineLength: number;
}

export interface TextAnswer {
  matches: number;
  files: number;
  truncated: boolean;
  timedOut?: boolean;
  engine: 'index' | 'walk' | 'plain';
  searched?: number;
  elapsedMs: number;
  revision: number;
}

export interface PathsAnswer {
  files: { path: string; ranges?: [number, number][] }[];
  truncated: boolean;
  revision: number;
}

/** Finds text and files. ripgrep says what matches; what is kept here only makes it faster, and is never older than it says. */
export class Search {
  readonly #dependencies: SearchDependencies;
  readonly #catalogue: Catalogue | undefined;
  readonly #indexed: IndexedSearch | undefined;
  readonly #plain: PlainSearch;
  readonly #paths = new FuzzyPaths();
  readonly #symbols: Symbols;
  readonly #catchUpMs: number;
  readonly #ended = new AbortController();
  #stopChanges: (() => void) | undefined;
  #waiting: Change[] = [];
  #working: Promise<void> | undefined;
  #gathering: NodeJS.Timeout | undefined;
  /** All changes up to here are in the catalogue. */
  #revision = -1;
  /** Of the list of files. */
  #state: 'off' | 'unlisted' | 'listing' | 'ready' | 'failed' = 'unlisted';
  #problem: string | undefined;
  /** Resolves when the index is there, or can't be; undefined where there is no list that it could be made of. */
  #indexing: Promise<void> | undefined;
  #isIndexing = false;
  #withoutIndex: string | undefined;
  #failedAt = 0;
  #version: string | undefined;
  readonly #waiters = new Set<() => void>();

  constructor(dependencies: SearchDependencies, { index, catchUpMs = CATCH_UP_MS }: SearchOptions = {}) {
    this.#dependencies = dependencies;
    this.#catchUpMs = catchUpMs;
    const { ripgrep, workspace, processes, log } = dependencies;
    this.#catalogue = ripgrep === undefined ? undefined : new Catalogue({ ripgrep }, { root: workspace.root });
    this.#indexed =
      ripgrep === undefined || this.#catalogue === undefined || index === undefined
        ? undefined
        : new IndexedSearch({ ripgrep, catalogue: this.#catalogue, log: logOf(log) }, { root: workspace.root, ...index });
    this.#plain = new PlainSearch({ workspace });
    this.#symbols = new Symbols({ processes }, { root: workspace.root });
    if (ripgrep === undefined) this.#turnOff();
  }

  /** Lists the folder, follows its changes from then on and indexes it; call when the watch knows the folder. Never rejects. */
  async start(): Promise<void> {
    if (this.#catalogue === undefined) return;
    this.#stopChanges = this.#dependencies.workspace.journal.onChanges((changes) => this.#noticed(changes));
    await this.#begin();
    await this.#indexing;
  }

  async stop(): Promise<void> {
    this.#stopChanges?.();
    clearTimeout(this.#gathering);
    this.#ended.abort(new OutriggerError('STOPPING', 'The sidecar is stopping.'));
    await this.#working;
    await this.#indexing;
    await this.#indexed?.stop();
    await this.#plain.stop();
    await this.#symbols.stop();
  }

  status(): {
    state: 'off' | 'building' | 'ready' | 'failed';
    problem?: string;
    files: number;
    textBytes: number;
    indexBytes: number;
    ripgrep?: string;
    revision: number;
  } {
    const problem = this.#problem ?? this.#withoutIndex;
    const state = this.#state === 'unlisted' || this.#state === 'listing' ? 'building' : this.#state;
    return {
      state: state === 'ready' && this.#isIndexing ? 'building' : state,
      ...(problem === undefined ? {} : { problem }),
      files: this.#catalogue?.files.size ?? 0,
      textBytes: this.#indexed?.status.textBytes ?? 0,
      indexBytes: this.#indexed?.status.indexBytes ?? 0,
      ...(this.#version === undefined ? {} : { ripgrep: this.#version }),
      revision: Math.max(0, this.#revision),
    };
  }

  /** How many of the files that it knows of may be seen. */
  count(visible: (path: string) => boolean): number {
    let count = 0;
    for (const path of this.#catalogue?.files ?? []) if (visible(path)) count++;
    return count;
  }

  /** Resolves when what was written to the folder, or to these files, before the call, by whatever program, is in the journal. Throws DEADLINE. */
  async settled(timeoutMs: number, signal: AbortSignal, paths?: readonly string[]): Promise<void> {
    if (!(await inTime(this.#dependencies.settled(paths), timeoutMs, signal)))
      throw new OutriggerError('DEADLINE', `Changes are still being looked at after ${timeoutMs} ms.`);
  }

  /** Without a revision, for all that was written to the folder before the call, by whatever program. Throws DEADLINE. */
  async wait(revision: number | undefined, timeoutMs: number, signal: AbortSignal): Promise<number> {
    const deadline = performance.now() + timeoutMs;
    if (revision === undefined) await this.settled(timeoutMs, signal);
    const wanted = revision ?? this.#dependencies.workspace.journal.revision;
    // Without a catalogue every search looks for itself: there is nothing to wait for.
    if (!(await this.#reached(wanted, Math.max(1, deadline - performance.now()), signal)) && !this.#isOff())
      throw new OutriggerError('DEADLINE', `The index is at revision ${Math.max(0, this.#revision)} after ${timeoutMs} ms.`);
    if (!(await inTime(this.#indexing ?? Promise.resolve(), Math.max(1, deadline - performance.now()), signal)))
      throw new OutriggerError('DEADLINE', `The index is still built after ${timeoutMs} ms.`);
    return Math.max(wanted, this.#revision);
  }

  /**
   * `found` resolves when the reader has room. What takes too long is ended, and answered as far as it came. Throws BAD_PATTERN, FILE_NOT_FOUND, PATH_ESCAPES,
   * and what the call was aborted with.
   */
  async text(
    request: TextRequest,
    call: Sight & { signal: AbortSignal; found: (file: FoundFile) => Promise<void> | void },
  ): Promise<TextAnswer> {
    const started = performance.now();
    const { workspace, ripgrep } = this.#dependencies;
    await this.#dependencies.flush();
    const asked = AskedPlace.of(request.path, workspace, call);
    const { revision } = workspace.journal;
    const late = new AbortController();
    const signal = AbortSignal.any([call.signal, this.#ended.signal, late.signal]);
    let matches = 0;
    const files = new Set<string>();
    let truncated = false;
    let timedOut = false;
    const answer = (engine: TextAnswer['engine'], extra: { searched?: number } = {}): TextAnswer => ({
      matches,
      files: files.size,
      truncated,
      ...(timedOut ? { timedOut } : {}),
      // Whether a text may be in a file, or one has such a name, is not for those to hear who may not look at it.
      engine: call.visible === undefined || engine === 'plain' ? engine : 'walk',
      ...extra,
      elapsedMs: Math.round((performance.now() - started) * 100) / 100,
      revision,
    });
    if (asked === undefined) return answer('walk');
    const found = async (file: FoundFile, count: number): Promise<boolean> => {
      if (truncated) return false;
      const path = asked.nameOf(file.path);
      if (call.visible !== undefined && !files.has(path) && !isSeen(file.path, path, call.visible, workspace)) return true;
      const room = request.maxResults - matches;
      // Another file has a match of its own.
      truncated = room === 0 && !files.has(path);
      if (truncated) return false;
      const shown = { path, lines: count > room ? firstMatches(file.lines, room) : file.lines };
      files.add(path);
      matches += Math.min(count, room);
      truncated = count > room;
      await call.found(shown);
      // Whether there is one more is only known when it comes.
      return !truncated;
    };
    const limits = { maxLineLength: request.maxLineLength };
    const program = this.#state === 'off' ? undefined : ripgrep;
    // How long it takes tells of what is read: of nothing that may not be seen.
    const mayRead = (file: string): boolean => call.visible?.(asked.nameOf(file), file) ?? true;
    let searched: number | undefined = 0;
    const timer = setTimeout(() => late.abort(tooLong()), SEARCH_TIMEOUT_MS);
    try {
      for (const path of asked.placesFor(call, workspace)) {
        if (truncated) break;
        const walk: Walk = { ...request, path, without: call.secrets ?? [] };
        if (program === undefined) {
          await this.#plain.search(request, walk, limits, found, signal);
          continue;
        }
        const indexed = this.#indexed !== undefined && (await this.#reached(revision, this.#catchUpMs, signal)) ? this.#indexed : undefined;
        const count = await indexed?.search(request, { walk, mayRead }, limits, found, signal);
        if (count === undefined) await program.search(request, { walk }, limits, found, signal);
        searched = count === undefined || searched === undefined ? undefined : searched + count;
      }
    } catch (error) {
      if (!(error instanceof OutriggerError) || error.reason !== 'PROCESS_TIMEOUT') throw error;
      truncated = true;
      timedOut = true;
      searched = undefined;
    } finally {
      clearTimeout(timer);
    }
    if (program === undefined) return answer('plain');
    return searched === undefined ? answer('walk') : answer('index', call.visible === undefined ? { searched } : {});
  }

  /** Throws as text does. */
  async files(request: Walk & { query: string; limit: number }, call: Sight & { signal: AbortSignal }): Promise<PathsAnswer> {
    const { workspace, ripgrep } = this.#dependencies;
    const asked = AskedPlace.of(request.path, workspace, call);
    const { revision } = workspace.journal;
    if (asked === undefined) return { files: [], truncated: false, revision };
    const walk = { ...request, path: asked.place };
    const patience = this.#state === 'listing' && walk.path === '' ? LISTING_MS : this.#catchUpMs;
    const known = isPlain(walk) && this.#catalogue?.has(walk.path) === true && (await this.#reached(revision, patience, call.signal));
    let blocks: readonly (readonly string[])[];
    if (known && this.#catalogue !== undefined) blocks = this.#catalogue.blocks;
    else if (ripgrep !== undefined && this.#state !== 'off')
      blocks = blocksOf(await sortInTurns(await ripgrep.files(walk, { signal: call.signal }), call.signal));
    else blocks = blocksOf(await this.#plain.files(walk, call.signal));
    const within = `${walk.path}/`;
    if (walk.path !== '') blocks = await filtered(blocks, (path) => path.startsWith(within) || path === walk.path, call.signal);
    const { visible } = call;
    if (visible !== undefined) blocks = await filtered(blocks, (path) => visible(asked.nameOf(path), path), call.signal);
    if (!asked.isReal) blocks = await renamed(blocks, asked, call.signal);
    const { files, total } = await this.#paths.find(request.query, blocks, request.limit, call.signal);
    return { files, truncated: total > files.length, revision };
  }

  /** Symbols by name. Throws TOOL_MISSING, TOO_MANY_PROCESSES. */
  async symbols(
    query: string,
    limit: number,
    call: { signal: AbortSignal; visible?: Visible | undefined },
  ): Promise<{ symbols: SymbolInFile[]; truncated: boolean; complete: boolean; revision: number }> {
    await this.#dependencies.flush();
    const { visible } = call;
    const { revision } = this.#dependencies.workspace.journal;
    const caughtUp = await this.#reached(revision, this.#catchUpMs, call.signal);
    const files = this.#catalogue?.list ?? (await this.#plain.files(everything, call.signal));
    const { symbols, total, complete } = await this.#symbols.find(query, files, limit, {
      signal: call.signal,
      ...(visible === undefined ? {} : { visible: (path: string) => visible(path, path) }),
    });
    return {
      symbols: visible === undefined ? symbols : symbols.filter(({ path }) => isSeen(path, path, visible, this.#dependencies.workspace)),
      truncated: total > symbols.length,
      complete: complete && caughtUp,
      revision: Math.max(0, Math.min(revision, this.#revision)),
    };
  }

  /** `text`: of the file as it is now, unsaved typing included. Throws NO_LANGUAGE, TOOL_MISSING, TOO_MANY_PROCESSES, OUTPUT_TOO_LARGE. */
  outline(path: string, text: string): Promise<Outline & { language: string }> {
    return this.#symbols.outline(path, text);
  }

  // ── what changed

  #noticed(changes: readonly Change[]): void {
    // All is read anew after a failure.
    if (this.#state === 'failed') return;
    for (const change of changes) this.#waiting.push(change);
    if (this.#state !== 'ready') return;
    if (this.#waiters.size > 0) this.#catchUp();
    else this.#gathering ??= setTimeout(() => this.#catchUp(), GATHER_MS).unref();
  }

  /** Lists and indexes the folder; after a failure, when nothing that is known is trusted, anew. */
  async #begin(): Promise<void> {
    const { log, workspace, ripgrep } = this.#dependencies;
    const signal = this.#ended.signal;
    const before = this.#catalogue?.list ?? [];
    this.#state = 'listing';
    this.#waiting = [];
    const { revision } = workspace.journal;
    try {
      this.#version ??= await ripgrep?.version();
      signal.throwIfAborted();
      if (this.#version === undefined) {
        this.#turnOff();
        return;
      }
      const walked = this.#catalogue?.walk(signal) ?? Promise.resolve();
      if (this.#indexing === undefined) {
        this.#indexing = this.#index(walked);
        await walked.catch(async (error: unknown) => {
          await this.#indexing;
          throw error;
        });
      } else {
        await walked;
        await this.#forgetAll(before);
      }
      signal.throwIfAborted();
      this.#problem = undefined;
      this.#revision = Math.max(this.#revision, revision);
      this.#state = 'ready';
      this.#tellWaiters();
      this.#catchUp();
    } catch (error) {
      if (signal.aborted) return;
      this.#fail(error);
      log('search.failed', { error });
    }
  }

  /** Of the files as they are when they are listed: what changes from then on the index hears of from the feed. Never rejects. */
  async #index(listed: Promise<unknown>): Promise<void> {
    const { signal } = this.#ended;
    this.#isIndexing = this.#indexed !== undefined;
    try {
      await this.#indexed?.start(listed, signal);
    } catch (error) {
      const isListed = await listed.then(
        () => true,
        () => false,
      );
      // It is begun again with the next list.
      if (!isListed) this.#indexing = undefined;
      if (!isListed || signal.aborted) return;
      this.#withoutIndex = `There is no index, each search reads all: ${error instanceof Error ? error.message : String(error)}`;
      this.#dependencies.log('search.no-index', { error });
    } finally {
      this.#isIndexing = false;
    }
  }

  async #forgetAll(before: readonly string[]): Promise<void> {
    const { files = new Set<string>() } = this.#catalogue ?? {};
    this.#symbols.forget(before);
    await this.#indexed?.update({ changed: [...files], removed: before.filter((file) => !files.has(file)) });
  }

  /** After a failure, when somebody searches: the folder may be back. */
  #beginAgain(): void {
    if (this.#state !== 'failed' || this.#working !== undefined || performance.now() < this.#failedAt + RETRY_MS) return;
    this.#working = this.#begin().finally(() => {
      this.#working = undefined;
      if (this.#hasNews && this.#state === 'ready') this.#catchUp();
    });
  }

  /** Also where nothing in the folder tells of it. */
  get #hasNews(): boolean {
    return this.#waiting.length > 0 || this.#catalogue?.isOutdated === true;
  }

  #catchUp(): void {
    clearTimeout(this.#gathering);
    this.#gathering = undefined;
    if (this.#ended.signal.aborted) return;
    this.#working ??= this.#takeIn().finally(() => {
      this.#working = undefined;
      if (this.#hasNews && this.#state === 'ready') this.#catchUp();
    });
  }

  async #takeIn(): Promise<void> {
    try {
      while (this.#hasNews && !this.#ended.signal.aborted) {
        const changes = this.#waiting;
        this.#waiting = [];
        const news = await this.#catalogue?.apply(changes, this.#ended.signal);
        if (news !== undefined) {
          this.#symbols.forget([...news.changed, ...news.removed]);
          await this.#indexed?.update(news);
        }
        this.#revision = Math.max(this.#revision, changes.at(-1)?.revision ?? 0);
        this.#tellWaiters();
      }
      this.#revision = Math.max(this.#revision, this.#waiting.length === 0 ? this.#dependencies.workspace.journal.revision : 0);
      this.#tellWaiters();
    } catch (error) {
      if (this.#ended.signal.aborted) return;
      this.#fail(error);
      this.#dependencies.log('search.failed', { error });
    }
  }

  #turnOff(): void {
    this.#stopChanges?.();
    this.#waiting = [];
    this.#state = 'off';
    this.#problem = 'ripgrep is not on this machine: searches are slower.';
    this.#tellWaiters();
  }

  #isOff(): boolean {
    return this.#state === 'off';
  }

  #fail(error: unknown): void {
    this.#state = 'failed';
    this.#failedAt = performance.now();
    this.#waiting = [];
    this.#problem = error instanceof Error ? error.message : String(error);
    this.#tellWaiters();
  }

  #tellWaiters(): void {
    for (const waiter of this.#waiters) waiter();
  }

  /** False when that took longer, or can't be. */
  async #reached(revision: number, timeoutMs: number, signal: AbortSignal): Promise<boolean> {
    if (this.#isUpTo(revision)) return true;
    const { promise, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, timeoutMs);
    const check = (): void => {
      if (this.#isUpTo(revision) || this.#state === 'failed' || this.#state === 'off') resolve();
    };
    this.#waiters.add(check);
    if (this.#state === 'ready') this.#catchUp();
    this.#beginAgain();
    const aborted = (): void => resolve();
    signal.addEventListener('abort', aborted, { once: true });
    check();
    await promise;
    clearTimeout(timer);
    signal.removeEventListener('abort', aborted);
    this.#waiters.delete(check);
    signal.throwIfAborted();
    return this.#isUpTo(revision);
  }

  #isUpTo(revision: number): boolean {
    return this.#revision >= revision && this.#catalogue?.isOutdated !== true;
  }
}

function tooLong(): OutriggerError {
  return new OutriggerError('PROCESS_TIMEOUT', `The search took longer than ${SEARCH_TIMEOUT_MS} ms and was ended.`);
}

/** A block that stays whole stays the array that it is. Others have their turn between two blocks. */
async function filtered(
  blocks: readonly (readonly string[])[],
  wanted: (path: string) => boolean,
  signal: AbortSignal,
): Promise<(readonly string[])[]> {
  const left: (readonly string[])[] = [];
  for (const block of blocks) {
    const some = block.filter(wanted);
    if (some.length > 0) left.push(some.length === block.length ? block : some);
    await nextTurn();
    signal.throwIfAborted();
  }
  return left;
}

/** As they are called beneath the path that was asked for. */
async function renamed(blocks: readonly (readonly string[])[], asked: AskedPlace, signal: AbortSignal): Promise<(readonly string[])[]> {
  const named: string[][] = [];
  for (const block of blocks) {
    named.push(block.map((path) => asked.nameOf(path)));
    await nextTurn();
    signal.throwIfAborted();
  }
  return named;
}

/** Nothing is asked beyond where to look: the catalogue has the answer. */
function isPlain(walk: Walk): boolean {
  return !walk.hidden && !walk.ignored && walk.include.length === 0 && walk.exclude.length === 0;
}

function firstMatches(lines: FoundFile['lines'], count: number): FoundFile['lines'] {
  let left = count;
  const end = lines.findIndex((line) => line.ranges !== undefined && left-- === 0);
  return end < 0 ? lines : lines.slice(0, end);
}

function logOf(log: SearchDependencies['log']): TrigramIndexLog {
  const say = (event: string, fields: object = {}): void => log(event, { ...fields });
  return { info: say, warn: say, error: say };
}
