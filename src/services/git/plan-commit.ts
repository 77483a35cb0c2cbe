import type { StatusEntry } from './parse-status.ts';

export interface CommitChoice {
  /** As the wire has them; undefined: no choice by path. */
  paths: readonly string[] | undefined;
  all: boolean;
}

export interface CommitPlan {
  /** What the next commit is about. */
  chosen: StatusEntry[];
  /** Of those, what is not in the index as it stands in the folder. */
  add: StatusEntry[];
  /** Of those, files in conflict: added they count as resolved. */
  unmerged: StatusEntry[];
  /** Other changes stand in the index already: a plain commit would take them along. */
  othersStaged: boolean;
}

/** Which of the changed files a commit takes, and which must be put into the index first. */
export function planCommit(entries: readonly StatusEntry[], { paths, all }: CommitChoice): CommitPlan {
  const takes = paths === undefined ? undefined : pathMatcher(paths);
  const plan: CommitPlan = { chosen: [], add: [], unmerged: [], othersStaged: false };
  for (const entry of entries) {
    if (entry.unstaged === 'ignored') continue;
    const named = takes !== undefined && (takes(entry.path.shown) || (entry.from !== undefined && takes(entry.from.shown)));
    // A repository inside of this one becomes a link to a commit that nobody else has: only who names it wants that.
    const wanted = takes === undefined ? (all ? !entry.path.folder : entry.staged !== null) : named;
    if (!wanted) {
      if (entry.staged !== null) plan.othersStaged = true;
      continue;
    }
    plan.chosen.push(entry);
    if ((all || takes !== undefined) && entry.unstaged !== null) plan.add.push(entry);
    if (entry.staged === 'unmerged') plan.unmerged.push(entry);
  }
  return plan;
}

/** The names that the index takes as they stand in the folder, and those that leave it: of a file that was moved there the old one. */
export function indexNames(entries: readonly StatusEntry[]): { present: Uint8Array[]; gone: Uint8Array[] } {
  const present = entries.flatMap(({ path, unstaged }) => (unstaged === 'deleted' ? [] : [path.bytes]));
  const gone = entries.flatMap(({ path, from, unstaged }) => {
    if (unstaged === 'deleted') return [path.bytes];
    return unstaged === 'renamed' && from !== undefined ? [from.bytes] : [];
  });
  return { present, gone };
}

/**
 * The names for a commit of these files alone, once the index has them as they stand in the folder. Of a file that was moved and is
 * gone again git knows only the old one; below a link that replaced a folder it would take what the link leads to, and a folder that
 * replaced a file it would take for another repository.
 */
export function commitNames(entries: readonly StatusEntry[]): Uint8Array[] {
  const text = (name: Uint8Array): string => Buffer.from(name).toString('latin1');
  const present = entries.filter(({ staged, unstaged }) => staged !== 'deleted' && unstaged !== 'deleted');
  const files = present.map(({ path }) => text(path.bytes));
  const takes = pathMatcher(files);
  const folders = new Set(files.flatMap(foldersOf));
  const names = entries.flatMap(({ path, from, unstaged }) => {
    if (from === undefined) return [path.bytes];
    return unstaged === 'deleted' ? [from.bytes] : [path.bytes, from.bytes];
  });
  return names.filter((name) => !takes(text(name).replace(/\/?[^/]*$/, '')) && !folders.has(text(name)));
}

/** The folders that it lies in, the top one first. */
export function foldersOf(path: string): string[] {
  return [...path.matchAll(/\//g)].map(({ index }) => path.slice(0, index));
}

/** Whether a path is one of `paths` or lies below one. */
export function pathMatcher(paths: readonly string[]): (path: string) => boolean {
  const above = pathAbove(paths);
  return (path) => above(path) !== undefined;
}

/** That one of `paths` which a path is or lies below, the nearest where there are more. */
export function pathAbove(paths: readonly string[]): (path: string) => string | undefined {
  const chosen = new Set(paths);
  return (path) => {
    for (let end = path.length; end > 0; end = path.lastIndexOf('/', end - 1)) {
      const above = path.slice(0, end);
      if (chosen.has(above)) return above;
    }
    return undefined;
  };
}
