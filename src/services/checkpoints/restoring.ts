import { createHash, randomBytes } from 'node:crypto';
import { OutriggerError } from '../../contract/errors.ts';
import type { Cause } from '../../contract/events.ts';
import type { Entry } from '../../contract/files.ts';
import { foldersAbove } from './small-tree.ts';
import { slices } from '../workspace/edit-work.ts';
import type { Workspace } from '../workspace/workspace.ts';
import { type CheckpointRow, type CheckpointRows, ofSnapshot, type RunRow } from './checkpoint-rows.ts';
import type { GitStore } from './git-store.ts';
import type { OtherHands } from './other-hands.ts';
import {
  blockedIn,
  emptiedFolders,
  type FileDone,
  type FilesPlan,
  type PathClash,
  planFiles,
  type Wanted,
  withoutBlocked,
} from './plan-files.ts';
import { pathFilter } from './path-filter.ts';
import type { RunEnds } from './run-ends.ts';
import type { Snapshot } from './snapshots.ts';
import type { SharedChoice } from '../../core/take-back.ts';
import { wantedOfRun } from './wanted.ts';

/** Files that one restore or revert changes. */
const MAX_FILES = 5000;
const ATTEMPTS = 4;
/** Shared hunks that an error holds. */
const MAX_TOLD = 100;
/** Changes since a snapshot that are looked through. */
const PAGE = 1000;
/** Reasons that mean: somebody was quicker. */
const outdated = new Set(['ETAG_MISMATCH', 'FILE_NOT_FOUND', 'FILE_EXISTS', 'NOT_EMPTY', 'NOT_TEXT', 'HUNKS_SHARED']);

export interface RestoringDependencies {
  workspace: Workspace;
  store: GitStore;
  rows: CheckpointRows;
  hands: OtherHands;
  ends: RunEnds;
  snapshot: (signal: AbortSignal, modesSince: number) => Promise<Snapshot>;
  prune: (signal: AbortSignal) => Promise<void>;
  now: () => number;
  log: (event: string, facts: Record<string, unknown>) => void;
}

export interface RestoringOptions {
  /** Longest text that is edited, bytes. */
  maxTextBytes: number;
  /** Ends what goes on although nobody asks for it any more. */
  stopped: AbortSignal;
}

/** Who asks. */
export interface Asking {
  cause: Cause;
  signal: AbortSignal;
}

export interface Outcome {
  changed: boolean;
  text: string;
  files: FileDone[];
  shared: PathClash[];
  revision: number;
  before: number | null;
  undo: string | null;
}

/** Changes the folder: to what a checkpoint holds, or to what it would be without one run. Its caller sees to it that it does one thing at a time. */
export class Restoring {
  readonly #dependencies: RestoringDependencies;
  readonly #options: RestoringOptions;

  constructor(dependencies: RestoringDependencies, options: RestoringOptions) {
    this.#dependencies = dependencies;
    this.#options = options;
  }

  async restore(
    row: CheckpointRow,
    { paths, dryRun }: { paths: readonly string[] | undefined; dryRun: boolean },
    { cause, signal }: Asking,
  ): Promise<Outcome> {
    const within = pathFilter(paths);
    const plan = async (now: Snapshot): Promise<Wanted[]> => {
      const omitted = new Set([...row.omitted, ...now.omitted]);
      const changes = await this.#dependencies.store.compare(row.tree, now.tree, false, signal);
      const wanted = changes
        .filter(({ path }) => within(path))
        .map(({ path, before, after, raw }) => ({
          file: { path, found: before, left: after, ...(raw === true ? { raw } : {}) },
          at: path,
          now: after,
          mixed: undefined,
          ...(omitted.has(path) ? { skip: 'it was too large to be stored' } : {}),
        }));
      return this.#leaveAlone(row, now, wanted, signal);
    };
    const what = row.point === 'made' ? row.title : `the folder ${row.point} ${row.title}`;
    return this.#change(`Restore of ${what}`, plan, { shared: 'keep', dryRun, cause, signal });
  }

  async revert(
    input: { run: string; shared: 'ask' | SharedChoice; ifShared?: string | undefined; dryRun: boolean },
    { cause, signal }: Asking,
  ): Promise<Outcome> {
    const { rows, ends, snapshot } = this.#dependencies;
    let run = rows.run(input.run);
    if (run?.after === null) {
      // The checkpoint after it could not be made then.
      await ends.finish(run, await snapshot(signal, 0), () => undefined, signal);
      run = rows.run(input.run);
    }
    const [before, after] = [rows.get(run?.before ?? 0), rows.get(run?.after ?? 0)];
    if (run === undefined || before === undefined || after === undefined)
      throw new OutriggerError('NO_CHECKPOINT', `There are no checkpoints around a run ${input.run}.`);
    if (run.reverted !== null)
      return this.#nothing(`${run.title} was taken back already; checkpoints.revert with run ${run.reverted} brings it back.`);
    const outcome = await this.#change(`Revert of ${run.title}`, (now) => this.#wanted(run, before, after, now, signal), {
      shared: input.shared,
      ifShared: input.ifShared,
      dryRun: input.dryRun,
      cause,
      signal,
    });
    const { undo, shared } = outcome;
    if (undo !== null) await this.#noted(undo, () => this.#markReverted(run, undo, input.shared === 'keep' && shared.length > 0));
    return outcome;
  }

  /** Each file of a run, where it stands now, and what others did to it. */
  async #wanted(run: RunRow, before: CheckpointRow, after: CheckpointRow, now: Snapshot, signal: AbortSignal): Promise<Wanted[]> {
    const { store, workspace, ends } = this.#dependencies;
    const files = await ends.files(before.tree, after.tree, run.facts.moves, signal);
    if (files.length > MAX_FILES) throw tooMany(files.length);
    const changes = await store.compare(after.tree, now.tree, false, signal);
    const since = {
      facts: run.facts,
      since: new Map(changes.map((change) => [change.path, change])),
      omitted: new Set([...before.omitted, ...after.omitted, ...now.omitted]),
      movedTo: (path: string) => workspace.journal.movedTo(path),
    };
    const wanted = await wantedOfRun(files, since, slices(signal));
    return this.#leaveAlone(before, now, wanted, signal);
  }

  /** What checkpoints don't hold is nobody's to bring back, and not to be removed because it was not in one. */
  async #leaveAlone(then: CheckpointRow, now: Snapshot, wanted: readonly Wanted[], signal: AbortSignal): Promise<Wanted[]> {
    const [wasNested, isNested] = [pathFilter(then.nested), pathFilter(now.nested)];
    const nested = ({ at, file, skip }: Wanted): string | undefined => {
      if (isNested(at)) return 'it is in a repository of its own';
      return wasNested(file.path) ? 'it was in a repository of its own then' : skip;
    };
    const left = wanted.map((one) => {
      const skip = nested(one);
      return skip === undefined ? one : { ...one, skip };
    });
    return this.#leaveIgnored(then.tree, left, signal);
  }

  /** What git ignored by the rules of `tree` is in no checkpoint of then: it may have stood there, and is not removed for that. */
  async #leaveIgnored(tree: string, wanted: readonly Wanted[], signal: AbortSignal): Promise<Wanted[]> {
    const isNew = ({ file, now, skip }: Wanted): boolean => file.found === undefined && now !== undefined && skip === undefined;
    const added = wanted.filter(isNew).map(({ file }) => file.path);
    const ignored = await this.#dependencies.store.ignoredBy(tree, added, signal);
    return wanted.map((one) => (isNew(one) && ignored.has(one.file.path) ? { ...one, skip: 'git ignored it then' } : one));
  }

  /** Plans on what the folder holds now, and does it as one batch; tries again when somebody was quicker. */
  async #change(
    title: string,
    wantedAt: (now: Snapshot) => Promise<Wanted[]>,
    { shared, ifShared, dryRun, cause, signal }: Asking & { shared: 'ask' | SharedChoice; ifShared?: string | undefined; dryRun: boolean },
  ): Promise<Outcome> {
    const { hands, snapshot } = this.#dependencies;
    const run = `revert-${randomBytes(4).toString('hex')}`;
    for (let attempt = 1; ; attempt++) {
      // What others do from here on is told from what is done here.
      hands.begin(run);
      let asked = false;
      try {
        const now = await snapshot(signal, 0);
        const plan = await this.#plan(await wantedAt(now), now, shared, signal);
        if (dryRun)
          return { ...this.#nothing('Nothing was changed: it was only asked what would be.'), files: plan.done, shared: plan.clashes };
        const isOther = ifShared !== undefined && ifShared !== digestOf(plan.clashes);
        asked = plan.clashes.length > 0 && (shared === 'ask' || isOther);
        if (asked) throw sharedError(title, plan.clashes);
        if (plan.changes.length === 0) {
          const why = plan.done.length > 0 || plan.clashes.length > 0 ? 'Nothing that could be changed is left' : 'All is so already';
          return { ...this.#nothing(`${title}: ${why}, nothing was changed.`), files: plan.done, shared: plan.clashes };
        }
        return await this.#apply({ run, title, cause }, now, plan, signal);
      } catch (error) {
        if (asked || !(error instanceof OutriggerError) || !outdated.has(error.reason) || attempt === ATTEMPTS) throw error;
      } finally {
        hands.end(run);
      }
    }
  }

  async #plan(wanted: readonly Wanted[], now: Snapshot, shared: 'ask' | SharedChoice, signal: AbortSignal): Promise<FilesPlan> {
    const { store, rows } = this.#dependencies;
    if (wanted.length > MAX_FILES) throw tooMany(wanted.length);
    const files = wanted.filter(({ skip }) => skip === undefined);
    const objects = await store.contents(
      files.flatMap(({ file, now }) => [file.found, file.left, now]).flatMap((tree) => tree?.object ?? []),
      signal,
    );
    const { maxTextBytes } = this.#options;
    const modeOf = (path: string): number => {
      const there = this.#entry(path);
      return there?.kind === 'file' ? there.mode : 0o666 & ~process.umask();
    };
    const folders = new Set<string>();
    const isTaken = (path: string): boolean => this.#isTaken(path, new Set(), folders);
    const contents = { objects, apart: (key: string) => rows.text(key), modeOf, isTaken };
    for (let left = wanted; ; ) {
      signal.throwIfAborted();
      const plan = await planFiles(left, contents, { shared, maxTextBytes });
      const blocked = await this.#addFolders(plan, now);
      if (blocked.size === 0) return plan;
      // What stays where it is may be in the way of another.
      left = withoutBlocked(left, blocked);
    }
  }

  /** Adds the folders that a plan empties, and gives the paths where it can't make a file. */
  async #addFolders(plan: FilesPlan, now: Snapshot): Promise<Set<string>> {
    const { workspace } = this.#dependencies;
    const written = new Set(
      plan.changes.flatMap((change) => (change.op === 'move' ? [change.to] : change.op === 'write' ? [change.path] : [])),
    );
    const folders = await emptiedFolders(plan.gone, written, async (folder) => {
      if (this.#entry(folder)?.kind !== 'directory') return undefined;
      const inside: string[] = [];
      for await (const { path } of workspace.list(folder, false, () => false)) inside.push(path);
      return inside;
    });
    // A file that takes a folder's place comes after the folder went.
    const at = plan.changes.findLastIndex(({ op }) => op === 'move' || op === 'remove') + 1;
    plan.changes.splice(at, 0, ...folders.map((path) => ({ op: 'remove' as const, path, recursive: false })));
    const goes = new Set([...plan.gone, ...folders]);
    // What came since the snapshot is in the next one.
    const news = new Set(workspace.journal.since(now.cursor, PAGE).changes.map(({ path }) => path));
    const passed = new Set<string>();
    return blockedIn(plan, (path) => !news.has(path) && this.#isTaken(path, goes, passed));
  }

  /** Whether a file can't be made there, since something stands in its place that stays: of links on the way none is followed. `passed` are folders. */
  #isTaken(path: string, goes: ReadonlySet<string>, passed: Set<string>): boolean {
    const { workspace } = this.#dependencies;
    for (const folder of foldersAbove([path]).filter(Boolean).sort(byLength)) {
      if (passed.has(folder)) continue;
      if (goes.has(folder)) return false;
      const kind = workspace.entry(folder)?.kind;
      if (kind !== 'directory') return kind !== undefined;
      passed.add(folder);
    }
    return !goes.has(path) && workspace.entry(path) !== undefined;
  }

  /** Undefined also where a link on the way leads out of the folder: what is there is no file of ours. */
  #entry(path: string): Entry | undefined {
    try {
      return this.#dependencies.workspace.entry(path);
    } catch (error) {
      if (error instanceof OutriggerError && error.reason === 'PATH_ESCAPES') return undefined;
      throw error;
    }
  }

  /** A run of its own, so that it can be taken back as any other. */
  async #apply(
    { run, title, cause }: { run: string; title: string; cause: Cause },
    now: Snapshot,
    plan: FilesPlan,
    signal: AbortSignal,
  ): Promise<Outcome> {
    const { workspace, rows, hands, ends, snapshot, prune } = this.#dependencies;
    const before = rows.together(() => {
      const id = rows.add(ofSnapshot(now, this.#dependencies.now(), { title, cause, point: 'before', run }));
      const facts = { mixed: {}, moves: [], paths: [] };
      rows.putRun({ id: run, title, cause, before: id, after: null, facts, reverted: null });
      return id;
    });
    try {
      const { changes } = await workspace.batch({
        changes: plan.changes,
        cause: { ...cause, kind: 'run', id: run },
        durability: undefined,
        dryRun: false,
        returnBefore: false,
        maxTextBytes: this.#options.maxTextBytes,
        maxAnswerBytes: Number.MAX_SAFE_INTEGER,
        edit: ({ path }, raw) => {
          hands.typed(path, raw);
          return inNextStep(() => plan.edits.get(path)?.(raw) ?? raw);
        },
        permit: () => {},
        signal,
      });
      const inDocuments = new Set(changes.flatMap(({ path, document }) => (document === true ? [path] : [])));
      for (const done of plan.done) if (inDocuments.has(done.path)) done.document = true;
    } catch (error) {
      rows.together(() => rows.removeRun(run));
      throw error;
    }
    const { revision } = workspace.journal;
    // It is done: whoever asked may be gone.
    const { stopped: goesOn } = this.#options;
    await this.#noted(run, async () => {
      const row = rows.run(run);
      if (row !== undefined) await ends.finish(row, await snapshot(goesOn, 0), () => hands.end(run), goesOn);
      await prune(goesOn);
    });
    const files = plan.done.filter(({ did }) => did !== 'skipped').length;
    const left = plan.done.length - files;
    const text = `${title}: ${files} ${files === 1 ? 'file' : 'files'} changed${left === 0 ? '' : `, ${left} left as they are`}.`;
    return { changed: true, text, files: plan.done, shared: plan.clashes, revision, before, undo: run };
  }

  /** The files are written: where no more can be kept of that, it is answered all the same, with the way back. Who takes it gives the run its end. */
  async #noted(run: string, note: () => void | Promise<void>): Promise<void> {
    try {
      await note();
    } catch (error) {
      if (!(error instanceof OutriggerError)) throw error;
      this.#dependencies.log('checkpoints.not-noted', { run, reason: error.reason, message: error.message });
    }
  }

  #markReverted(run: RunRow, by: string, partly: boolean): void {
    const { rows } = this.#dependencies;
    this.#dependencies.rows.together(() => {
      const now = rows.run(run.id);
      if (now !== undefined && !partly) rows.putRun({ ...now, reverted: by });
      // What was taken back by this run is there again.
      rows.forgetReverted(run.id);
    });
  }

  #nothing(text: string): Outcome {
    return {
      changed: false,
      text,
      files: [],
      shared: [],
      revision: this.#dependencies.workspace.journal.revision,
      before: null,
      undo: null,
    };
  }
}

/** So that the batch can wait between the files. */
function* inNextStep(work: () => string): Generator<undefined, string> {
  yield;
  return work();
}

function tooMany(count: number): OutriggerError {
  return new OutriggerError('INPUT_TOO_LARGE', `That would change ${count} files; ${MAX_FILES} is the most at once: restore some paths.`);
}

function byLength(a: string, b: string): number {
  return a.length - b.length;
}

function sharedError(title: string, clashes: readonly PathClash[]): OutriggerError {
  const paths = [...new Set(clashes.map(({ path }) => path))];
  return new OutriggerError(
    'HUNKS_SHARED',
    `${title}: ${clashes.length} ${clashes.length === 1 ? 'hunk was' : 'hunks were'} changed by others too, in ${paths.slice(0, 3).join(', ')}${paths.length > 3 ? ' and more' : ''}. Nothing was changed.`,
    { details: { shared: clashes.slice(0, MAX_TOLD), total: clashes.length, files: paths.length, digest: digestOf(clashes) } },
  );
}

/** Of all that is in them, but for where they stand: lines above may come and go. */
function digestOf(clashes: readonly PathClash[]): string {
  const facts = clashes.map(({ path, kind, run, now }) => JSON.stringify([path, kind, run, now])).toSorted();
  return createHash('sha256').update(facts.join('\n')).digest('hex').slice(0, 32);
}
