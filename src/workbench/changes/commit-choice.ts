import type { GitChange } from '../../contract/git.ts';

export function isStaged({ staged }: Pick<GitChange, 'staged'>): boolean {
  return staged !== null && staged !== 'ignored' && staged !== 'untracked';
}

/**
 * What is asked of git.commit: everything, the index as it is, or just these files. The index is only gone past when someone chose
 * by hand, because a file may be staged in part.
 */
export function commitFiles(
  changes: readonly GitChange[],
  chosen: readonly GitChange[],
  byHand: boolean,
): { all: boolean; paths?: string[] } {
  if (!byHand) return { all: !changes.some(isStaged) };
  if (chosen.length === changes.length) return { all: true };
  return {
    all: false,
    paths: chosen.flatMap(({ path, from }) => (from === undefined ? [path] : [path, from])).map((path) => path.replace(/\/$/, '')),
  };
}
