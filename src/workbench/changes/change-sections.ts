import type { GitChange, GitConflict } from '../../contract/git.ts';
import { compareNames, parentOf } from '../file-paths.ts';
import type { Letter } from './letters.ts';

export type SectionName = 'conflicts' | 'staged' | 'changes';

/** One file as a section lists it: a file that is staged in part stands in two. */
export interface ChangeEntry {
  path: string;
  /** Where a renamed or copied file was. */
  from: string | undefined;
  letter: Letter;
  /** Its name is not UTF-8, so that nothing can be asked about it. */
  raw: boolean;
  /** How the sides disagree, of a file in conflict. */
  conflict: GitConflict['kind'] | undefined;
}

export type ChangeSections = Readonly<Record<SectionName, readonly ChangeEntry[]>>;

export type ChangeRow = { kind: 'folder'; path: string; files: readonly ChangeEntry[] } | { kind: 'file'; entry: ChangeEntry };

type State = GitChange['staged'];

const letters: Partial<Record<NonNullable<State>, Letter>> = {
  modified: 'M',
  'type-changed': 'M',
  added: 'A',
  copied: 'A',
  deleted: 'D',
  renamed: 'R',
  untracked: 'U',
};

/** What git says, as the three lists that are shown: each in the order of its paths. */
export function changeSections(changes: readonly GitChange[], conflicts: readonly GitConflict[]): ChangeSections {
  const kinds = new Map(conflicts.map(({ path, kind }) => [path, kind]));
  const sections: Record<SectionName, ChangeEntry[]> = { conflicts: [], staged: [], changes: [] };
  for (const change of changes) {
    const { path, from, staged, unstaged, raw = false } = change;
    if (staged === 'unmerged' || unstaged === 'unmerged' || kinds.has(path)) {
      sections.conflicts.push({ path, from: undefined, letter: 'C', raw, conflict: kinds.get(path) ?? 'both-modified' });
      continue;
    }
    const inIndex = letterIn(staged);
    if (inIndex !== undefined && inIndex !== 'U') {
      const moved = staged === 'renamed' || staged === 'copied' ? from : undefined;
      sections.staged.push({ path, from: moved, letter: inIndex, raw, conflict: undefined });
    }
    const inTree = letterIn(unstaged);
    if (inTree !== undefined) {
      const moved = unstaged === 'renamed' || unstaged === 'copied' ? from : undefined;
      sections.changes.push({ path, from: moved, letter: inTree, raw, conflict: undefined });
    }
  }
  for (const list of Object.values(sections)) list.sort(byPath);
  return sections;
}

function letterIn(state: State): Letter | undefined {
  return state === null ? undefined : letters[state];
}

function byPath(a: ChangeEntry, b: ChangeEntry): number {
  return compareNames(parentOf(a.path), parentOf(b.path)) || compareNames(a.path, b.path);
}

/** The rows of a section; by folder, each folder leads the files in it. */
export function changeRows(entries: readonly ChangeEntry[], byFolder: boolean): ChangeRow[] {
  if (!byFolder) return entries.map((entry) => ({ kind: 'file', entry }));
  return [...Map.groupBy(entries, ({ path }) => parentOf(path))].flatMap(([path, files]): ChangeRow[] => [
    { kind: 'folder', path, files },
    ...files.map((entry): ChangeRow => ({ kind: 'file', entry })),
  ]);
}

/** What git is told of these files: a rename is two names. */
export function namedPaths(entries: readonly ChangeEntry[]): string[] {
  return [...new Set(entries.filter(({ raw }) => !raw).flatMap(({ path, from }) => (from === undefined ? [path] : [path, from])))];
}
