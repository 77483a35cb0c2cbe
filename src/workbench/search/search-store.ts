import { failureText } from '../failure-text.ts';
import { computed, type ReadonlySignal, type Signal, signal } from '@preact/signals';
import type { Change } from '../../contract/events.ts';
import type { Asked } from '../../contract/operation.ts';
import type { Operations } from '../../contract/operations.ts';
import type { FoundFile } from '../../contract/search.ts';
import { commaList } from '../../core/comma-list.ts';
import { errorFacts, isAway, isCanceled, type WorkbenchClient } from '../client-port.ts';
import {
  countMatches,
  indexOfRow,
  keyOf,
  mergeFiles,
  placeOf,
  rowsOf,
  type SearchRow,
  stillLeftOut,
  withoutLeftOut,
} from './search-rows.ts';

export interface SearchSummary {
  matches: number;
  files: number;
  elapsedMs: number;
  revision: number;
  truncated: boolean;
  /** It took longer than a search may. */
  timedOut: boolean;
  engine: 'index' | 'walk' | 'plain';
}

/** Why there may be more than was found; undefined where there is not. */
export function cutWords({ matches, truncated, timedOut }: SearchSummary): string | undefined {
  const shown = matches.toLocaleString('en');
  if (timedOut)
    return `It took too long and was ended: ${matches === 0 ? 'nothing was found until then' : `the ${shown} found until then are shown`}.`;
  return truncated ? `The first ${shown} are shown. A longer text finds fewer.` : undefined;
}

/** Why what was found can't be replaced; undefined where it can. */
export function replaceProblem({ truncated, timedOut }: SearchSummary): string | undefined {
  if (timedOut) return 'It was not searched to the end. Narrow the search, or the files.';
  return truncated ? 'Too many to be replaced at once. Narrow the search, or the files.' : undefined;
}

/** What a replacement did. */
export interface Replaced {
  /** Places; undefined where only some files were taken back. */
  matches: number | undefined;
  files: number;
  revision: number;
  /** Files that were left alone, and why. */
  skipped: readonly { path: string; why: string }[];
  /** Takes it back; absent where that can't be done whole, or was done. */
  undo: (() => Promise<void>) | undefined;
  undone: boolean;
  /** So many files can be taken back without those that were edited since; undefined: all. */
  others: number | undefined;
}

const pauseMs = 80;
const mostMatches = 10_000;
/** While results come in, the list is drawn anew so often. */
const drawMs = 100;

/** What is searched for, and what was found; a search begins when nobody typed for a moment, and ends the one before. */
export class SearchStore {
  readonly pattern = signal('');
  readonly regex = signal(false);
  readonly caseSensitive = signal(false);
  readonly word = signal(false);
  readonly include = signal('');
  readonly exclude = signal('');
  /** What was found is to be replaced. */
  readonly replacing = signal(false);
  readonly replacement = signal('');
  /** Files and lines, by keyOf, that are not to be replaced. */
  readonly leftOut: Signal<ReadonlySet<string>> = signal(new Set());
  readonly replaced: Signal<Replaced | undefined> = signal(undefined);
  readonly atWork = signal(false);
  readonly running = signal(false);
  readonly summary: Signal<SearchSummary | undefined> = signal(undefined);
  readonly problem: Signal<string | undefined> = signal(undefined);
  readonly closed: Signal<ReadonlySet<string>> = signal(new Set());
  /** What is shown is of the search before: nothing of the new one has come yet. */
  readonly dimmed = signal(false);
  readonly focused = signal(0);
  /** Files that changed since the search. */
  readonly changedSince: Signal<ReadonlySet<string>> = signal(new Set());
  /** Files may have changed since the search that nobody was told of. */
  readonly mayBeOld = signal(false);
  /** Of what was found, what is shown: all, or all that is to be replaced. */
  readonly shown: ReadonlySignal<readonly FoundFile[]>;
  readonly rows: ReadonlySignal<SearchRow[]>;
  /** What was found, in order of the paths. */
  readonly files: Signal<readonly FoundFile[]> = signal([]);
  readonly #client: WorkbenchClient;
  /** Changes since the search, those during it included: paths and revisions. */
  readonly #told = new Map<string, number>();
  /** The last search that came to its end: what it looked for, and what it found. */
  #answered: { sought: string; files: readonly FoundFile[] } | undefined;
  /** The link was lost before what was asked last was answered. */
  #isLost = false;
  #canceled = new AbortController();
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(client: WorkbenchClient) {
    this.#client = client;
    this.shown = computed(() => (this.replacing.value ? withoutLeftOut(this.files.value, this.leftOut.value) : this.files.value));
    this.rows = computed(() => rowsOf(this.shown.value, this.closed.value));
  }

  /** Something of the question changed. */
  asked(): void {
    clearTimeout(this.#timer);
    // What is shown is of another question already.
    this.running.value = this.pattern.value !== '';
    this.#timer = setTimeout(() => void this.search(), pauseMs);
  }

  async search(): Promise<void> {
    clearTimeout(this.#timer);
    this.#canceled.abort();
    const canceled = new AbortController();
    this.#canceled = canceled;
    this.problem.value = undefined;
    this.#isLost = false;
    if (this.pattern.value === '') return this.#forget();
    this.running.value = true;
    this.mayBeOld.value = false;
    this.dimmed.value = this.files.value.length > 0;
    const sought = this.#sought();
    const found: FoundFile[] = [];
    let drawn = performance.now();
    // Whoever is not at the top has gone to the row that is there.
    let isKept = this.#answered?.sought === sought;
    const draw = (): void => {
      const row = isKept && this.focused.value > 0 ? this.rows.value[this.focused.value] : undefined;
      isKept = true;
      this.files.value = mergeFiles(found);
      this.focused.value = row === undefined ? 0 : Math.max(0, indexOfRow(this.rows.value, row));
      this.dimmed.value = false;
      drawn = performance.now();
    };
    try {
      const stream = this.#client.stream('search.text', this.#question(), { signal: canceled.signal });
      for await (const file of stream) {
        if (canceled.signal.aborted) return;
        found.push(file);
        if (performance.now() - drawn > drawMs) draw();
      }
      const { matches, files, elapsedMs, revision, truncated, timedOut = false, engine } = await stream.end;
      if (canceled.signal.aborted) return;
      draw();
      for (const [path, at] of this.#told) if (at <= revision) this.#told.delete(path);
      this.changedSince.value = new Set(this.#told.keys());
      this.#keepLeftOut(sought);
      this.summary.value = { matches, files, elapsedMs, revision, truncated, timedOut, engine };
    } catch (error) {
      if (canceled.signal.aborted || isCanceled(error)) return;
      this.#forget();
      this.#isLost = isAway(error);
      if (this.#isLost) this.problem.value = 'The link is away. This is searched when it is back.';
      else this.#say(error);
    } finally {
      if (this.#canceled === canceled) {
        this.running.value = false;
        this.dimmed.value = false;
      }
    }
  }

  /** What was not answered is asked again. */
  async linkIsBack(): Promise<void> {
    if (this.#isLost) await this.search();
  }

  setReplacing(on: boolean): void {
    this.replacing.value = on;
    this.replaced.value = undefined;
    this.asked();
  }

  /** A file, or a line of it, stays as it is. */
  leaveOut(path: string, line?: number): void {
    this.leftOut.value = new Set(this.leftOut.value).add(keyOf(path, line));
  }

  putBack(): void {
    this.leftOut.value = new Set();
  }

  /** How much would be replaced. */
  get toReplace(): { matches: number; files: number } {
    return { matches: countMatches(this.shown.value), files: this.shown.value.length };
  }

  /** Replaces what is shown, in all files or in none; what changed since it was found is not touched. */
  async replace(): Promise<void> {
    const { value: summary } = this.summary;
    if (summary === undefined || this.running.value || this.atWork.value) return;
    this.atWork.value = true;
    this.problem.value = undefined;
    try {
      const { maxResults: _most, maxLineLength: _length, ...question } = this.#question();
      const done = await this.#client.call('search.replace', {
        ...question,
        replace: this.replacement.value,
        except: [...this.leftOut.value].map(placeOf),
        ifRevision: summary.revision,
        returnBefore: true,
      });
      const { undo } = done;
      this.replaced.value = {
        matches: done.matches,
        files: done.files.length,
        revision: done.revision,
        skipped: done.skipped,
        undo: undo === undefined ? undefined : () => this.#undo(undo),
        undone: false,
        others: undefined,
      };
      this.putBack();
      await this.search();
    } catch (error) {
      this.#say(error);
    } finally {
      this.atWork.value = false;
    }
  }

  async #undo(changes: Asked<Operations['files.batch']>['changes']): Promise<void> {
    const { value: done } = this.replaced;
    if (done === undefined || this.atWork.value) return;
    this.atWork.value = true;
    this.problem.value = undefined;
    try {
      const { revision } = await this.#client.call('files.batch', { changes });
      const { matches, files, others } = done;
      const what = others === undefined ? { matches, files } : { matches: undefined, files: others };
      this.replaced.value = { ...done, ...what, revision, undo: undefined, undone: true };
      await this.search();
    } catch (error) {
      const edited = editedSince(error);
      if (edited === undefined) return this.#say(error);
      const others = changes.filter((change) => !('path' in change && edited.has(change.path)));
      const [first = '', ...more] = edited;
      const names = more.length === 0 ? `${first} was` : `${first} and ${more.length} more were`;
      this.problem.value = `Not taken back: ${names} edited since. Nothing was changed.`;
      this.replaced.value = { ...done, undo: others.length === 0 ? undefined : () => this.#undo(others), others: others.length };
    } finally {
      this.atWork.value = false;
    }
  }

  toggle(path: string): void {
    const closed = new Set(this.closed.value);
    if (!closed.delete(path)) closed.add(path);
    this.closed.value = closed;
  }

  collapseAll(): void {
    this.closed.value = new Set(this.files.value.map(({ path }) => path));
    this.focused.value = 0;
  }

  apply({ path, revision, kind }: Change): void {
    const { value: summary } = this.summary;
    if (kind === 'directory' || (!this.running.value && summary === undefined)) return;
    this.#told.set(path, revision);
    if (summary !== undefined && revision > summary.revision) this.changedSince.value = new Set(this.changedSince.value).add(path);
  }

  /** Changes were not told: what was found may be of before. */
  missed(): void {
    if (this.summary.value !== undefined || this.running.value) this.mayBeOld.value = true;
  }

  /** What would find more when nothing was found, by the names of the switches. */
  get narrowing(): ('word' | 'caseSensitive' | 'regex' | 'include' | 'exclude')[] {
    return (['word', 'caseSensitive', 'regex', 'include', 'exclude'] as const).filter((name) => Boolean(this[name].value));
  }

  #say(error: unknown): void {
    this.problem.value = failureText(error);
  }

  /** What was left out of this search stays so; another one has its own. */
  #keepLeftOut(sought: string): void {
    const { value: files } = this.files;
    const { value: leftOut } = this.leftOut;
    this.leftOut.value = this.#answered?.sought === sought ? stillLeftOut(leftOut, this.#answered.files, files) : new Set();
    this.#answered = { sought, files };
  }

  /** What decides which places are found. */
  #sought(): string {
    const { pattern, regex, caseSensitive, word, include, exclude } = this.#question();
    return JSON.stringify([pattern, regex, caseSensitive, word, include, exclude]);
  }

  #question() {
    return {
      ...(this.replacing.value ? { replace: this.replacement.value } : {}),
      pattern: this.pattern.value,
      regex: this.regex.value,
      caseSensitive: this.caseSensitive.value,
      word: this.word.value,
      include: globsOf(this.include.value),
      exclude: globsOf(this.exclude.value),
      maxResults: mostMatches,
      maxLineLength: 300,
    };
  }

  #forget(): void {
    this.files.value = [];
    this.summary.value = undefined;
    this.running.value = false;
    this.dimmed.value = false;
    this.#told.clear();
    this.changedSince.value = new Set();
    this.mayBeOld.value = false;
  }
}

/** The files that keep a batch from being made, where all that is wrong is that they were edited. */
function editedSince(error: unknown): ReadonlySet<string> | undefined {
  const { reason, details } = errorFacts(error);
  const { failures = [] } = (details ?? {}) as { failures?: readonly { path: string; reason: string }[] };
  if (reason !== 'ETAG_MISMATCH' || failures.length === 0) return undefined;
  return failures.every((one) => one.reason === 'ETAG_MISMATCH') ? new Set(failures.map(({ path }) => path)) : undefined;
}

/** `models/, *.py` */
function globsOf(text: string): string[] {
  return commaList(text).map((glob) => (glob.endsWith('/') ? `${glob}**` : glob));
}
