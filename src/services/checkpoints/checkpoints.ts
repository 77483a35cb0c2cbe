import { OutriggerError } from '../../contract/errors.ts';
import type { Run, RunHooks } from '../processes/run-hooks.ts';
import type { Workspace } from '../workspace/workspace.ts';
import { type CheckpointRow, type CheckpointRows, ofSnapshot, revisionOf, type RunRow, type SnapshotFacts } from './checkpoint-rows.ts';
import type { GitStore } from './git-store.ts';
import type { OtherHands } from './other-hands.ts';
import { type Asking, type Outcome, Restoring } from './restoring.ts';
import { RunEnds } from './run-ends.ts';
import type { Snapshot, Snapshots } from './snapshots.ts';
import type { SharedChoice } from '../../core/take-back.ts';
import { TimeSlice } from '../../core/time-slice.ts';
import type { FileNumbers } from './tree-diff.ts';

const DAY_MS = 86_400_000;
/** How long a program waits for the checkpoint before it; after that it starts without one, and the look at the folder goes on. */
const MAX_WAIT_MS = 20_000;
/** Changes that are looked through to say so. */
const MAX_SINCE = 20_000;
/** So many of them at a time. */
const PAGE = 500;
/** The kernel stamps files with a time that may be so much older. */
const CLOCK_STEP_MS = 20;

export interface CheckpointsDependencies {
  workspace: Workspace;
  store: GitStore;
  rows: CheckpointRows;
  snapshots: Snapshots;
  hands: OtherHands;
  now: () => number;
  log: (event: string, facts: Record<string, unknown>) => void;
}

export interface CheckpointsOptions {
  keep: number;
  keepDays: number;
  /** Longest text of one answer, and longest text that is edited, bytes. */
  maxTextBytes: number;
  /** False: nothing of the folder may be stored. */
  writable: boolean;
}

export interface CheckpointFacts {
  row: CheckpointRow;
  revision: number;
  /** Files of its run that were changed since; null: not known. */
  edited: number | null | undefined;
  reverted: string | undefined;
}

/**
 * Checkpoints of the folder: made when asked for and around runs, compared, restored; and what one run did taken back.
 * One at a time: each waits for the one before.
 */
export class Checkpoints implements RunHooks {
  readonly #dependencies: CheckpointsDependencies;
  readonly #options: CheckpointsOptions;
  readonly #stopped = new AbortController();
  readonly #ends: RunEnds;
  readonly #restoring: Restoring;
  #last: Promise<unknown> = Promise.resolve();
  #opened = false;
  /** There may be refs that no row names. */
  #isUnswept = true;

  constructor(dependencies: CheckpointsDependencies, options: CheckpointsOptions) {
    this.#dependencies = dependencies;
    this.#options = options;
    this.#ends = new RunEnds(dependencies);
    this.#restoring = new Restoring(
      {
        ...dependencies,
        ends: this.#ends,
        snapshot: (signal, modesSince) => this.#snapshot(signal, modesSince),
        prune: (signal) => this.#prune(signal),
      },
      { maxTextBytes: options.maxTextBytes, stopped: this.#stopped.signal },
    );
  }

  /** Gives runs that were cut their end, before others change what these left. */
  async takeUp(): Promise<void> {
    if (!this.#options.writable || this.#dependencies.rows.unfinished().length === 0) return;
    await this.#inTurn(this.#stopped.signal, (signal) => this.#open(signal));
  }

  /** Ends what is under way; the next start takes up runs that have no end yet. */
  async stop(): Promise<void> {
    this.#stopped.abort(new OutriggerError('STOPPING', 'The sidecar is stopping.'));
    await this.#last;
  }

  // ── around runs ──────────────────────────────────────────────────────────────────────────────────────────────────────

  async before(run: Run): Promise<void> {
    if (!this.#options.writable) return;
    const { hands, rows } = this.#dependencies;
    let late = false;
    const made = this.#inTurn(this.#stopped.signal, async (signal) => {
      await this.#open(signal);
      const alongside = hands.underWay;
      hands.begin(run.id);
      try {
        const snapshot = await this.#snapshot(signal);
        // It holds what the run did meanwhile; the next one is quicker.
        if (late) return void hands.end(run.id);
        this.#dependencies.rows.together(() => {
          const before = this.#add(snapshot, { title: run.title, cause: run.cause, point: 'before', run: run.id });
          const facts = { mixed: {}, moves: [], paths: [], ...(alongside.length === 0 ? {} : { alongside }) };
          rows.putRun({ id: run.id, title: run.title, cause: run.cause, before, after: null, facts, reverted: null });
        });
      } catch (error) {
        hands.end(run.id);
        throw error;
      }
    });
    await inTime(made, MAX_WAIT_MS, () => (late = true));
  }

  async after(run: Run): Promise<void> {
    if (!this.#options.writable) return;
    const { hands, rows } = this.#dependencies;
    await this.#inTurn(this.#stopped.signal, async (signal) => {
      try {
        if (rows.run(run.id) === undefined) return;
        await this.#open(signal);
        const row = rows.run(run.id);
        if (row === undefined) return;
        const snapshot = await this.#snapshot(signal, (rows.get(row.before)?.at ?? 0) - CLOCK_STEP_MS);
        await this.#ends.finish(row, snapshot, () => hands.end(run.id), signal);
        await this.#prune(signal);
      } finally {
        hands.end(run.id);
      }
    });
  }

  // ── what can be asked ────────────────────────────────────────────────────────────────────────────────────────────────

  async list(
    input: { limit: number; before?: number | undefined; run?: string | undefined },
    signal?: AbortSignal,
  ): Promise<{ checkpoints: CheckpointFacts[]; more: boolean }> {
    const { rows } = this.#dependencies;
    const found = rows.list(input.before ?? Number.MAX_SAFE_INTEGER, input.run, input.limit + 1);
    const shown = found.slice(0, input.limit);
    const runs = new Map<string, RunRow>();
    for (const { run, point } of shown) {
      const row = run === null || point !== 'after' ? undefined : rows.run(run);
      if (row !== undefined) runs.set(row.id, row);
    }
    const since = await this.#changedSince(shown.filter(({ point }) => point === 'after').at(-1), signal);
    return {
      checkpoints: shown.map((row) => this.#facts(row, row.point === 'after' ? runs.get(row.run ?? '') : undefined, since)),
      more: found.length > input.limit,
    };
  }

  /** `lacking` are those of the paths at which something stands that this one does not hold as a regular file. */
  async create(
    { title, paths = [] }: { title: string; paths?: readonly string[] | undefined },
    { cause, signal }: Asking,
  ): Promise<CheckpointFacts & { same: boolean; lacking: string[] }> {
    return this.#inTurn(signal, async (joined) => {
      await this.#open(joined);
      const same = this.#dependencies.snapshots.tree;
      const snapshot = await this.#snapshot(joined);
      const id = this.#dependencies.rows.together(() => this.#add(snapshot, { title, cause, point: 'made', run: null }));
      await this.#prune(joined);
      const lacking = await this.#lacking(snapshot.tree, paths, joined);
      return { ...this.#facts(this.#row(id), undefined, undefined), same: snapshot.tree === same, lacking };
    });
  }

  async #lacking(tree: string, paths: readonly string[], signal: AbortSignal): Promise<string[]> {
    const { store, workspace } = this.#dependencies;
    const held = await store.filesAmong(tree, paths, signal);
    return paths.filter((path) => {
      try {
        const kind = workspace.entry(path)?.kind;
        return kind !== undefined && (kind !== 'file' || !held.has(path));
      } catch {
        // It leads out of the folder, or may not be looked at.
        return true;
      }
    });
  }

  async diff(
    { id, against, path, context }: { id: number; against: 'previous' | 'now' | number; path: string | undefined; context: number },
    signal: AbortSignal,
  ): Promise<{ files: FileNumbers[]; patch: string; omittedBytes: number }> {
    return this.#inTurn(signal, async (joined) => {
      const { store, rows } = this.#dependencies;
      await this.#open(joined);
      const row = this.#row(id);
      let [from, to] = [row.tree, row.tree];
      if (against === 'now') to = (await this.#snapshot(joined)).tree;
      else if (typeof against === 'number') from = this.#row(against).tree;
      else {
        const start = row.point === 'after' && row.run !== null ? rows.run(row.run)?.before : undefined;
        const earlier = start === undefined ? rows.previous(id) : rows.get(start);
        // The first one is all that there was.
        from = earlier?.tree ?? row.tree;
      }
      if (from === to) return { files: [], patch: '', omittedBytes: 0 };
      const only = path === '' ? undefined : path;
      const files = await store.numbers(from, to, only, joined);
      // As JSON a text takes more than its bytes.
      const maxBytes = Math.floor(this.#options.maxTextBytes / 4);
      return { files, ...(await store.patch(from, to, { path: only, context, maxBytes }, joined)) };
    });
  }

  async restore(input: { id: number; paths: readonly string[] | undefined; dryRun: boolean }, { cause, signal }: Asking): Promise<Outcome> {
    return this.#inTurn(signal, async (joined) => {
      await this.#open(joined);
      const row = this.#row(input.id);
      return this.#restoring.restore(row, input, { cause, signal: joined });
    });
  }

  async revert(input: { run: string; shared: 'ask' | SharedChoice; dryRun: boolean }, { cause, signal }: Asking): Promise<Outcome> {
    const { hands } = this.#dependencies;
    return this.#inTurn(signal, async (joined) => {
      if (hands.underWay.includes(input.run)) throw new OutriggerError('RUN_UNDER_WAY', `The run ${input.run} has not ended.`);
      await this.#open(joined);
      return this.#restoring.revert(input, { cause, signal: joined });
    });
  }

  // ── one snapshot and what is said of it ──────────────────────────────────────────────────────────────────────────────

  /** Opens the store, anew where it went meanwhile: what was kept there is forgotten then. */
  async #open(signal: AbortSignal): Promise<void> {
    const { store, snapshots, rows, log } = this.#dependencies;
    const { writable } = this.#options;
    const kept = await store.open(writable, signal);
    if (!writable) {
      // What is there may be looked at.
      if (!kept) throw readOnly();
      return;
    }
    if (kept && this.#opened) return;
    if (!kept) rows.clear();
    snapshots.load(kept);
    log('checkpoints.opened', { kept, where: store.says });
    // What a kill left: refs that no row names, and runs without an end.
    await this.#sweep(signal);
    const unfinished = rows.unfinished();
    if (unfinished.length > 0) {
      const snapshot = await this.#snapshot(signal);
      for (const run of unfinished) {
        try {
          await this.#ends.finish(run, snapshot, () => undefined, signal);
        } catch (error) {
          signal.throwIfAborted();
          if (!(error instanceof OutriggerError) || error.reason !== 'CHECKPOINT_LOST') throw error;
          // It can't be taken back any more; all others can.
          log('checkpoints.run-lost', { run: run.id });
        }
      }
    }
    this.#opened = true;
  }

  /** Drops refs that no row names. */
  async #sweep(signal: AbortSignal): Promise<void> {
    const { store, snapshots, rows } = this.#dependencies;
    const known = rows.trees();
    if (snapshots.tree !== undefined) known.add(snapshots.tree);
    const kept = await store.kept(signal);
    await this.#drop(
      kept.filter((tree) => !known.has(tree)),
      signal,
    );
  }

  /** Where git can't, it is left for the next time: what was asked for is done without. */
  async #drop(trees: readonly string[], signal: AbortSignal): Promise<void> {
    const { store, log } = this.#dependencies;
    try {
      await store.drop(trees, signal);
      this.#isUnswept = false;
    } catch (error) {
      signal.throwIfAborted();
      if (!(error instanceof OutriggerError)) throw error;
      this.#isUnswept = true;
      log('checkpoints.not-dropped', { reason: error.reason, message: error.message });
    }
  }

  async #snapshot(signal: AbortSignal, modesSince?: number): Promise<Snapshot> {
    if (!this.#options.writable) throw readOnly();
    const { now, log, snapshots } = this.#dependencies;
    const began = now();
    const snapshot = await snapshots.take(signal, modesSince);
    log('checkpoints.taken', { changed: snapshot.changed, omitted: snapshot.omitted.length, durationMs: now() - began });
    return snapshot;
  }

  #add(snapshot: Snapshot, facts: SnapshotFacts): number {
    const { rows, now } = this.#dependencies;
    return rows.add(ofSnapshot(snapshot, now(), facts));
  }

  #row(id: number): CheckpointRow {
    const row = this.#dependencies.rows.get(id);
    if (row === undefined) throw new OutriggerError('NO_CHECKPOINT', `There is no checkpoint ${id} (any more).`);
    return row;
  }

  async #prune(signal: AbortSignal): Promise<void> {
    const { rows, snapshots, hands, now } = this.#dependencies;
    const earlier = rows.trees();
    const { keep, keepDays } = this.#options;
    const pruned = rows.together(() => rows.prune({ keep, keepMs: keepDays * DAY_MS, now: now() }, hands.underWay));
    if (this.#isUnswept) return this.#sweep(signal);
    if (pruned === 0) return;
    const still = rows.trees();
    await this.#drop(
      [...earlier].filter((tree) => !still.has(tree) && tree !== snapshots.tree),
      signal,
    );
  }

  #facts(row: CheckpointRow, run: RunRow | undefined, since: ReadonlyMap<string, number> | null | undefined): CheckpointFacts {
    const revision = revisionOf(row.cursor);
    let edited: number | null | undefined;
    if (run !== undefined) {
      const complete = run.facts.paths.length === row.files;
      edited =
        since === undefined || since === null || !complete
          ? null
          : run.facts.paths.filter((path) => (since.get(path) ?? 0) > revision).length;
    }
    return { row, revision, edited, reverted: run?.reverted ?? undefined };
  }

  /** The last change of each path since a checkpoint; null when there are too many or they are not known. Gives way between some of them. */
  async #changedSince(row: CheckpointRow | undefined, signal: AbortSignal | undefined): Promise<Map<string, number> | null | undefined> {
    if (row === undefined) return undefined;
    const last = new Map<string, number>();
    const slice = new TimeSlice();
    let { cursor } = row;
    for (let looked = 0; looked < MAX_SINCE; looked += PAGE) {
      const found = this.#dependencies.workspace.journal.since(cursor, PAGE);
      if (found.resync !== undefined) return null;
      for (const { path, from, revision } of found.changes) for (const one of [path, from]) if (one !== undefined) last.set(one, revision);
      if (!found.more) return last;
      ({ cursor } = found);
      if (slice.isOver) await slice.giveWay(signal);
    }
    return null;
  }

  #inTurn<T>(signal: AbortSignal, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
    const before = this.#last;
    const joined = AbortSignal.any([signal, this.#stopped.signal]);
    const mine = (async () => {
      await before;
      joined.throwIfAborted();
      return work(joined);
    })();
    this.#last = mine.catch(() => {});
    return mine;
  }
}

function readOnly(): OutriggerError {
  return new OutriggerError('READ_ONLY', 'The folder may only be read here, so what it holds now is not stored.');
}

/** Rejects when it takes longer; it goes on then. */
async function inTime(work: Promise<void>, waitMs: number, onLate: () => void): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => {
      onLate();
      reject(
        new OutriggerError('PROCESS_TIMEOUT', `The checkpoint before the run takes longer than ${waitMs} ms: the run starts without one.`),
      );
    }, waitMs);
  });
  try {
    await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
    work.catch(() => {});
  }
}
