import type { Change } from '../../contract/events.ts';
import { baseName } from '../../contract/paths.ts';
import { movedPath } from '../../core/moved-path.ts';
import type { Content } from '../../core/take-back.ts';

/** Contents that are kept of one file, and of all files while runs are under way, bytes. */
const MAX_FILE_BYTES = 4 * 1024 * 1024;
const MAX_KEPT_BYTES = 64 * 1024 * 1024;
/** Changes of others to one file during a run that are told apart. */
const MAX_STEPS = 200;
const MAX_MOVES = 1000;
/** Of changes that became one step, so many of the first and of the last are remembered. */
const MAX_PASSED = 200;
/** Files that one batch changes and whose contents are held until it is told. */
const MAX_ABOUT = 32;

/** What others made of a file in one go: the run did not come between. */
export interface Step {
  before: Content;
  after: Content;
  /** The changes that it is made of, with the hash of what each left: a look at the folder may have come between any two. */
  passed: { revision: number; after: string | null }[];
}

/** What others did to one file while a run was under way. */
export interface Trail {
  steps: Step[];
  /** True: some of it was not seen, so it can't be told from what the run did. */
  lost: boolean;
  /** Hashes of the file before the first and after the last of these changes; null: there was no file. */
  first: string | null;
  last: string | null;
  /** True: something else changed it between two of them, or a hash is not known. */
  broken: boolean;
}

export interface Seen {
  trails: Map<string, Trail>;
  /** Files and folders that others moved, in order. */
  moves: { from: string; to: string }[];
  /** True: they were too many to remember. */
  lost: boolean;
}

export interface OtherHandsDependencies {
  /** The bytes of a regular file as it stands now; null where there is none, undefined where it is larger or can't be read. */
  read: (path: string, maxBytes: number) => Content | undefined;
}

/**
 * Remembers, while runs are under way, what files held before and after each change by a connection or a document, so that
 * their hunks can be told from those of the run. `about` is called in the turn in which a file is about to be changed,
 * `changed` in the turn in which it was.
 */
export class OtherHands {
  readonly #read: OtherHandsDependencies['read'];
  readonly #runs = new Map<string, Seen>();
  readonly #about = new Map<string, Content | undefined>();
  readonly #typed = new Map<string, Buffer>();
  #bytes = 0;

  constructor(dependencies: OtherHandsDependencies) {
    this.#read = dependencies.read;
  }

  get underWay(): string[] {
    return [...this.#runs.keys()];
  }

  begin(run: string): void {
    this.#runs.set(run, { trails: new Map(), moves: [], lost: false });
  }

  /** What was seen since `begin`; undefined when nobody looked. */
  end(run: string): Seen | undefined {
    const seen = this.#runs.get(run);
    this.#runs.delete(run);
    if (this.#runs.size === 0) {
      this.#bytes = 0;
      this.#about.clear();
      this.#typed.clear();
    }
    return seen;
  }

  about(path: string): void {
    // A folder that is removed tells of many at once: their hashes have to do then.
    if (this.#runs.size > 0 && this.#about.size < MAX_ABOUT) this.#about.set(path, this.#read(path, MAX_FILE_BYTES));
  }

  /** What people typed goes into the file with the next change of a run: up to here it is theirs. */
  typed(path: string, text: string): void {
    if (this.#runs.size > 0) this.#typed.set(path, Buffer.from(text));
  }

  changed(changes: readonly Change[]): void {
    if (this.#runs.size === 0) return;
    for (const change of changes) {
      this.#takeTyped(change);
      if (change.kind === 'directory' && change.what !== 'moved') continue;
      const step = change.what === 'moved' ? undefined : this.#step(change);
      for (const [run, seen] of this.#runs) if (isOfOthers(change, run)) this.#add(seen, change, step);
    }
    this.#about.clear();
  }

  #takeTyped({ path, cause }: Change): void {
    const after = this.#typed.get(path);
    const before = this.#about.get(path);
    this.#typed.delete(path);
    const seen = cause.kind === 'run' && cause.id !== undefined ? this.#runs.get(cause.id) : undefined;
    if (seen === undefined || after === undefined || before === undefined || isSame(before, after)) return;
    const trail = seen.trails.get(path) ?? { steps: [], lost: false, first: null, last: null, broken: true };
    seen.trails.set(path, { ...trail, steps: [...trail.steps, { before, after, passed: [] }], broken: true });
  }

  #step(change: Change): Step | undefined {
    const before = change.what === 'created' && !this.#about.has(change.path) ? null : this.#about.get(change.path);
    if (change.cause.kind === 'outside') return undefined;
    const after = change.what === 'removed' ? null : this.#read(change.path, MAX_FILE_BYTES);
    const size = (before?.length ?? 0) + (after?.length ?? 0);
    if (before === undefined || after === undefined || this.#bytes + size > MAX_KEPT_BYTES) return undefined;
    this.#bytes += size;
    return { before, after, passed: [{ revision: change.revision, after: change.after }] };
  }

  #add(seen: Seen, change: Change, step: Step | undefined): void {
    if (change.what === 'moved') return this.#move(seen, change.from ?? change.path, change.path);
    const known = seen.trails.get(change.path);
    const trail = known ?? { steps: [], lost: false, first: change.before, last: change.before, broken: false };
    seen.trails.set(change.path, trail);
    if (trail.last !== change.before || (change.before === null && change.what !== 'created')) trail.broken = true;
    if (change.after === null && change.what !== 'removed') trail.broken = true;
    trail.last = change.after;
    const last = trail.steps.at(-1);
    if (step === undefined || trail.lost || trail.steps.length >= MAX_STEPS) {
      trail.lost = true;
      trail.steps = [];
    } else if (last !== undefined && isSame(last.after, step.before)) {
      this.#bytes -= (last.after?.length ?? 0) + (step.before?.length ?? 0);
      last.after = step.after;
      last.passed.push(...step.passed);
      if (last.passed.length > 2 * MAX_PASSED) last.passed.splice(MAX_PASSED, 1);
    } else trail.steps.push({ ...step, passed: [...step.passed] });
  }

  #move(seen: Seen, from: string, to: string): void {
    if (seen.moves.length >= MAX_MOVES) seen.lost = true;
    else seen.moves.push({ from, to });
    for (const [path, trail] of [...seen.trails]) {
      const now = movedPath(path, from, to);
      if (now === undefined) continue;
      seen.trails.delete(path);
      seen.trails.set(now, trail);
    }
  }
}

/** Changes of the run itself, and those of programs that nobody knows, are taken for the run's. */
export function isOfOthers({ cause }: Change, run: string): boolean {
  return cause.kind !== 'outside' && !(cause.kind === 'run' && cause.id === run);
}

/** Says of a path where what now is there was before others moved it. */
export function originsBefore(moves: readonly { from: string; to: string }[]): (path: string) => string {
  const byTarget = Map.groupBy(moves.keys(), (index) => moves[index]?.to);
  /** The last move before that of the number `limit` that brought what is at the path. */
  const lastBefore = (limit: number, path: string): number => {
    let last = -1;
    for (let end = path.length; end > 0; end = path.lastIndexOf('/', end - 1)) {
      const index = byTarget.get(path.slice(0, end))?.findLast((one) => one < limit);
      if (index !== undefined && index > last) last = index;
    }
    return last;
  };
  const followed = (path: string): string => {
    let origin = path;
    for (let index = moves.length; ; ) {
      index = lastBefore(index, origin);
      const move = moves[index];
      if (move === undefined) return origin;
      origin = movedPath(origin, move.to, move.from) ?? origin;
    }
  };
  const names = new Set(moves.map(({ to }) => baseName(to)));
  const origins = new Map<string, string>();
  const originOf = (path: string): string => {
    if (names.has(baseName(path))) return followed(path);
    // Nobody moved it by itself: it went where its folder went.
    const end = path.lastIndexOf('/');
    if (end === -1) return path;
    const folder = path.slice(0, end);
    const origin = origins.get(folder) ?? originOf(folder);
    origins.set(folder, origin);
    return origin + path.slice(end);
  };
  return originOf;
}

function isSame(one: Content, other: Content): boolean {
  return one === null || other === null ? one === other : Buffer.compare(one, other) === 0;
}
