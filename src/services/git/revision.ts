/**
 * Why a text can't be a revision here, or undefined. What begins with a dash would be an option of git's; what holds a colon
 * names a file or a folder inside a commit, and with it paths that the caller was not checked for.
 */
export function revisionProblem(revision: string): string | undefined {
  if (revision === '') return 'is empty';
  if (revision.startsWith('-')) return 'begins with a dash';
  if (/[\0\n]/.test(revision)) return 'holds a NUL or a line break';
  if (revision.length > 1000) return 'is longer than 1,000 characters';
  // `HEAD@{12:00}` and `HEAD^{/fix: x}` are commits all the same.
  if (revision.replaceAll(/\{[^{}]*\}/g, '').includes(':')) return 'names a path: only commits are taken';
  return undefined;
}
