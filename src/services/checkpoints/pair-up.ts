import { baseName } from '../../contract/paths.ts';
import { originOf } from './other-hands.ts';
import type { TreeChange, TreeFile } from './tree-diff.ts';

/** One file as a run found it and left it. */
export interface RunFile {
  /** Where the run left it, or where it was when the run removed it. */
  path: string;
  /** Where the run took it from, when it moved it. */
  from?: string;
  found: TreeFile | undefined;
  left: TreeFile | undefined;
  /** The name is no UTF-8. */
  raw?: true;
}

/**
 * Changes between the trees around a run, file by file. What others moved meanwhile is the same file at its new place; of the
 * rest, files with the same content, and those that `renames` (the same changes as git pairs them) take for one, were moved by the run.
 */
export function pairUp(
  changes: readonly TreeChange[],
  renames: readonly TreeChange[],
  moves: readonly { from: string; to: string }[],
): RunFile[] {
  const removed = new Map(changes.flatMap((change) => (change.after === undefined ? [[change.path, change] as const] : [])));
  const made = new Map<string, TreeChange>();
  const files: RunFile[] = [];
  for (const change of changes) {
    const { path, before, after } = change;
    if (after === undefined) continue;
    const whole = before === undefined ? removed.get(originOf(path, moves)) : undefined;
    if (whole !== undefined) {
      files.push({ ...fileOf(change), found: whole.before });
      removed.delete(whole.path);
    } else if (before === undefined) made.set(path, change);
    else files.push(fileOf(change));
  }
  const movedByRun = (from: TreeChange, to: TreeChange): void => {
    files.push({ ...fileOf(to), from: from.path, found: from.before });
    removed.delete(from.path);
    made.delete(to.path);
  };
  const byObject = Map.groupBy(made.values(), ({ after }) => after?.object);
  for (const gone of [...removed.values()]) {
    const alike = (byObject.get(gone.before?.object) ?? []).filter(({ path }) => made.has(path));
    const to = alike.find(({ path }) => baseName(path) === baseName(gone.path)) ?? (alike.length === 1 ? alike[0] : undefined);
    if (to !== undefined) movedByRun(gone, to);
  }
  for (const { from, path } of renames) {
    const [gone, to] = [removed.get(from ?? ''), made.get(path)];
    if (gone !== undefined && to !== undefined) movedByRun(gone, to);
  }
  files.push(...[...made.values(), ...removed.values()].map(fileOf));
  return files.sort((a, b) => (a.path < b.path ? -1 : 1));
}

function fileOf({ path, before, after, raw }: TreeChange): RunFile {
  return { path, found: before, left: after, ...(raw === true ? { raw } : {}) };
}
