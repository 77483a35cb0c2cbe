import type { Change } from '../../contract/events.ts';
import { OutriggerError } from '../../contract/errors.ts';
import { slices } from '../workspace/edit-work.ts';
import type { Workspace } from '../workspace/workspace.ts';
import { type CheckpointRow, type CheckpointRows, type Mixed, ofSnapshot, revisionOf, type RunRow } from './checkpoint-rows.ts';
import type { GitStore } from './git-store.ts';
import { isOfOthers, type OtherHands, type Seen } from './other-hands.ts';
import { pairUp, type RunFile } from './pair-up.ts';
import type { Snapshot } from './snapshots.ts';
import type { Content } from '../../core/take-back.ts';
import { tellApart } from './tell-apart.ts';
import type { TreeFile } from './tree-diff.ts';

/** Files of a run that are remembered to say whether somebody edited them since. */
const MAX_PATHS = 2000;
/** Changes that are read of the journal at a time. */
const PAGE = 1000;

export interface RunEndsDependencies {
  workspace: Workspace;
  store: GitStore;
  rows: CheckpointRows;
  hands: OtherHands;
  now: () => number;
}

/** What is found out when a run ended: which files it changed, and what of them is the work of others. */
export class RunEnds {
  readonly #dependencies: RunEndsDependencies;

  constructor(dependencies: RunEndsDependencies) {
    this.#dependencies = dependencies;
  }

  /** `end` gives what was seen of others meanwhile; where nobody looked, the journal has to do. */
  async finish(run: RunRow, snapshot: Snapshot, end: () => Seen | undefined, signal: AbortSignal): Promise<void> {
    const { rows, hands, now } = this.#dependencies;
    const before = rows.get(run.before);
    const seen = end() ?? (await this.#seenByJournal(run, before, signal));
    const { alongside = [] } = run.facts;
    const facts: RunRow['facts'] = { mixed: {}, moves: seen.moves, paths: [] };
    if (seen.lost) facts.lost = true;
    const others = [...new Set([...alongside, ...hands.underWay])].filter((id) => id !== run.id);
    if (others.length > 0) facts.alongside = others;
    const texts = new Map<string, Uint8Array>();
    let count = 0;
    if (before !== undefined) {
      const files = await this.files(before.tree, snapshot.tree, seen.moves, signal);
      try {
        facts.mixed = await this.#tellApart(run.id, files, seen, revisionOf(snapshot.cursor), texts, signal);
      } catch (error) {
        // More than can be looked at: it is asked about all of it then.
        if (!(error instanceof OutriggerError) || error.reason !== 'OUTPUT_TOO_LARGE') throw error;
        facts.lost = true;
      }
      const changed = files.filter(({ path, from }) => facts.mixed[path]?.none !== true || from !== undefined).map(({ path }) => path);
      count = changed.length;
      facts.paths = changed.slice(0, MAX_PATHS);
    }
    rows.together(() => {
      const after = rows.add(ofSnapshot(snapshot, now(), { title: run.title, cause: run.cause, point: 'after', run: run.id }));
      rows.setFiles(after, count);
      for (const [key, content] of texts) rows.putText(run.id, key, content);
      rows.putRun({ ...run, after, facts });
    });
  }

  /** Changes between two trees, moves found. */
  async files(before: string, after: string, moves: RunRow['facts']['moves'], signal: AbortSignal): Promise<RunFile[]> {
    const { store } = this.#dependencies;
    const changes = await store.compare(before, after, false, signal);
    const mayMove = changes.some((change) => change.before === undefined) && changes.some((change) => change.after === undefined);
    return pairUp(changes, mayMove ? await store.compare(before, after, true, signal) : [], moves);
  }

  async #tellApart(
    run: string,
    files: readonly RunFile[],
    seen: Seen,
    told: number,
    texts: Map<string, Uint8Array>,
    signal: AbortSignal,
  ): Promise<Record<string, Mixed>> {
    const touched = files.flatMap((file) => {
      const trails = [file.from, file.path].flatMap((path) => (path === undefined ? [] : (seen.trails.get(path) ?? [])));
      const [first, second] = trails;
      if (first === undefined) return [];
      const trail =
        second === undefined
          ? first
          : { ...first, steps: [...first.steps, ...second.steps], lost: first.lost || second.lost, last: second.last, broken: true };
      return [{ file, trail }];
    });
    const objects = touched.flatMap(({ file: { found, left } }) => [found, left]).flatMap((tree) => tree?.object ?? []);
    const contents = await this.#dependencies.store.contents(objects, signal);
    const content = (tree: TreeFile | undefined): Content => (tree === undefined ? null : (contents.get(tree.object) ?? null));
    const mixed: Record<string, Mixed> = {};
    const giveWay = slices(signal);
    for (const [index, { file, trail }] of touched.entries()) {
      const apart = await tellApart(content(file.found), content(file.left), trail, told, giveWay);
      if (apart.kind === 'others alone') mixed[file.path] = { keep: null, remove: null, clashes: [], none: true };
      if (apart.kind === 'lost') mixed[file.path] = { keep: null, remove: null, clashes: [], lost: true };
      if (apart.kind === 'both') {
        const keyOf = (side: string, text: Content): string | null => {
          if (text === null) return null;
          const key = `${run}:${index}:${side}`;
          texts.set(key, text);
          return key;
        };
        mixed[file.path] = { keep: keyOf('keep', apart.keep), remove: keyOf('remove', apart.remove), clashes: apart.clashes };
      }
    }
    return mixed;
  }

  /** After a restart: who touched what is in the journal, with which text is not. */
  async #seenByJournal(run: RunRow, before: CheckpointRow | undefined, signal: AbortSignal): Promise<Seen> {
    const seen: Seen = { trails: new Map(), moves: [], lost: true };
    if (before === undefined) return seen;
    const { journal } = this.#dependencies.workspace;
    const giveWay = slices(signal);
    for (let { cursor } = before; ; ) {
      const found = journal.since(cursor, PAGE);
      if (found.resync !== undefined) return seen;
      for (const change of found.changes) if (isOfOthers(change, run.id)) noteOnly(seen, change);
      ({ cursor } = found);
      if (!found.more) break;
      await giveWay();
    }
    seen.lost = false;
    return seen;
  }
}

function noteOnly(seen: Seen, change: Change): void {
  const { path, from, kind, what, before, after } = change;
  if (what === 'moved') seen.moves.push({ from: from ?? path, to: path });
  else if (kind !== 'directory') {
    const trail = seen.trails.get(path) ?? { steps: [], lost: true, first: before, last: before, broken: false };
    seen.trails.set(path, {
      ...trail,
      broken: trail.broken || trail.last !== before || (before === null && what !== 'created'),
      last: after,
    });
  }
}
