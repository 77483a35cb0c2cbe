import type { GitChange } from '../../contract/git.ts';

export type Letter = 'M' | 'A' | 'D' | 'R' | 'U' | 'C';

export const letterNames: Record<Letter, string> = {
  M: 'modified',
  A: 'added',
  D: 'deleted',
  R: 'renamed',
  U: 'untracked',
  C: 'in conflict',
};

/** One letter for a file that may differ both from the index and from HEAD: what the next commit would make of it. */
export function letterOf({ staged, unstaged }: Pick<GitChange, 'staged' | 'unstaged'>): Letter | undefined {
  if (staged === 'unmerged' || unstaged === 'unmerged') return 'C';
  if (unstaged === 'ignored') return undefined;
  if (unstaged === 'untracked') return 'U';
  if (unstaged === 'deleted' || staged === 'deleted') return 'D';
  if (staged === 'added' || staged === 'copied') return 'A';
  if (staged === 'renamed' || unstaged === 'renamed') return 'R';
  return staged === null && unstaged === null ? undefined : 'M';
}
