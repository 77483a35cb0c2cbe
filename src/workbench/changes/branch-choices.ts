import type { Branch } from './branch-actions.ts';

export type BranchChoice = { kind: 'branch'; branch: Branch } | { kind: 'create'; name: string };

/** Branches whose name has all that was typed, words in any order; a name that is none yet can be made. The current one leads. */
export function branchChoices(branches: readonly Branch[], typed: string, canCreate: boolean): BranchChoice[] {
  const words = typed.toLowerCase().split(/\s+/).filter(Boolean);
  const found = branches.filter(({ name }) => words.every((word) => name.toLowerCase().includes(word)));
  const sorted = found.toSorted((a, b) => Number(b.current) - Number(a.current) || Number(a.remote) - Number(b.remote) || b.at - a.at);
  const choices = sorted.map((branch): BranchChoice => ({ kind: 'branch', branch }));
  const name = typed.trim().replaceAll(/\s+/g, '-');
  if (canCreate && name !== '' && !branches.some((branch) => branch.name === name)) choices.push({ kind: 'create', name });
  return choices;
}

/** What a branch of a remote is called here: `origin/main` is `main`. */
export function localName({ name, remote }: Pick<Branch, 'name' | 'remote'>): string {
  return remote ? name.slice(name.indexOf('/') + 1) : name;
}

/** `↑2 ↓1`; empty where nothing is apart. */
export function sayApart({ ahead = 0, behind = 0 }: { ahead?: number | undefined; behind?: number | undefined }): string {
  return [...(ahead > 0 ? [`↑${ahead}`] : []), ...(behind > 0 ? [`↓${behind}`] : [])].join(' ');
}
