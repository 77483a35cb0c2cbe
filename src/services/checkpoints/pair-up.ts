import { baseName } from '../../contract/paths.ts';
import { originsBefore } from './other-hands.ts';
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
  const originOf = originsBefore(moves);
  const removed = new Map(changes.flatMap((change) => (change.after === undefined ? [[change.path, change] as const] : [])));
  const made = new Map<string, TreeChange>();
  const files: RunFile[] = [];
  for (const change of changes) {
    const { path, before, after } = change;
    if (after === undefined) continue;
    const whole = before === undefined ? removed.get(originOf(path)) : undefined;
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
  const alike = new Alike(made);
  for (const gone of [...removed.values()]) {
    const to = alike.find(gone);
    if (to !== undefined) movedByRun(gone, to);
  }
  for (const { from, path } of renames) {
    const [gone, to] = [removed.get(from ?? ''), made.get(path)];
    if (gone !== undefined && to !== undefined) movedByRun(gone, to);
  }
  files.push(...[...made.values(), ...removed.values()].map(fileOf));
  return files.sort((a, b) => (a.path < b.path ? -1 : 1));
}

/** The files that were `made`, by their content and name. One that is found is to be deleted from `made`, before the next is looked for. */
class Alike {
  readonly #made: ReadonlyMap<string, TreeChange>;
  /** The first last. */
  readonly #byContent: Map<string | undefined, TreeChange[]>;
  readonly #byName: Map<string, TreeChange[]>;
  readonly #left: Map<string | undefined, number>;

  constructor(made: ReadonlyMap<string, TreeChange>) {
    const files = [...made.values()].reverse();
    this.#made = made;
    this.#byContent = Map.groupBy(files, ({ after }) => after?.object);
    this.#byName = Map.groupBy(files, ({ path, after }) => nameKey(path, after));
    this.#left = new Map(Array.from(this.#byContent, ([object, { length }]) => [object, length]));
  }

  /** The first with the same content and name, else the only one with the same content. */
  find({ path, before }: TreeChange): TreeChange | undefined {
    const left = this.#left.get(before?.object) ?? 0;
    const found =
      this.#first(this.#byName.get(nameKey(path, before))) ?? (left === 1 ? this.#first(this.#byContent.get(before?.object)) : undefined);
    if (found !== undefined) this.#left.set(before?.object, left - 1);
    return found;
  }

  #first(files: TreeChange[] = []): TreeChange | undefined {
    for (let file = files.at(-1); file !== undefined; file = files.at(-1)) {
      if (this.#made.has(file.path)) return file;
      files.pop();
    }
    return undefined;
  }
}

function nameKey(path: string, file: TreeFile | undefined): string {
  return `${file?.object}/${baseName(path)}`;
}

function fileOf({ path, before, after, raw }: TreeChange): RunFile {
  return { path, found: before, left: after, ...(raw === true ? { raw } : {}) };
}
