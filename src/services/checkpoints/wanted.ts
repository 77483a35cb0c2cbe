import type { RunRow } from './checkpoint-rows.ts';
import type { RunFile } from './pair-up.ts';
import type { Wanted } from './plan-files.ts';
import type { TreeChange, TreeFile } from './tree-diff.ts';

export interface SinceRun {
  facts: RunRow['facts'];
  /** What changed since the run ended, by path. */
  since: ReadonlyMap<string, TreeChange>;
  /** Files that were too large to be stored. */
  omitted: ReadonlySet<string>;
  /** Where the journal says that a path was moved to. */
  movedTo: (path: string) => string | undefined;
}

/** Each file of a run, where it stands now, and what others did to it. Where something went is asked between turns: it takes long of many files. */
export async function wantedOfRun(
  files: readonly RunFile[],
  { facts, since, omitted, movedTo }: SinceRun,
  giveWay: () => Promise<void> | undefined,
): Promise<Wanted[]> {
  const standing = (path: string, left: TreeFile | undefined): TreeFile | undefined => {
    const change = since.get(path);
    return change === undefined ? left : change.after;
  };
  const wantedOf = (file: RunFile): Wanted => {
    const mixed = facts.lost === true ? { keep: null, remove: null, clashes: [], lost: true as const } : facts.mixed[file.path];
    const wanted: Wanted = { file, at: file.path, now: standing(file.path, file.left), mixed };
    if (wanted.now === undefined && file.left !== undefined) {
      // Moved since: it is the same file at its new place.
      const moved = movedTo(file.path);
      const there = moved === undefined ? undefined : since.get(moved);
      if (moved !== undefined && there?.before === undefined && there?.after !== undefined)
        return { ...wanted, at: moved, now: there.after };
    }
    return omitted.has(file.path) ? { ...wanted, skip: 'it was too large to be stored' } : wanted;
  };
  const all: Wanted[] = [];
  for (const file of files) {
    await giveWay();
    const { from } = file;
    const wanted = wantedOf(file);
    // Something else has its old name, or it is gone: then it does not move back.
    if (from === undefined || (standing(from, undefined) === undefined && wanted.now !== undefined)) {
      all.push(wanted);
      continue;
    }
    const { path, found, left } = file;
    all.push(wantedOf({ path: from, found, left: undefined }), wantedOf({ path, found: undefined, left }));
  }
  return all;
}
