import { OutriggerError } from '../../contract/errors.ts';

/** Throws BAD_INPUT for what can't be a revision here; undefined is none given. */
export function checkRevision(revision: string | undefined): void {
  const problem = revision === undefined ? undefined : revisionProblem(revision);
  if (problem !== undefined) throw new OutriggerError('BAD_INPUT', `The revision ${JSON.stringify(revision?.slice(0, 100))} ${problem}.`);
}

/** Throws BAD_INPUT for what can't be the name of a `kind` (branch, tag, remote). Git has further rules, and says so. */
export function checkName(kind: string, name: string): void {
  const problem =
    revisionProblem(name) ??
    (/[\s~^:?*[\\\p{Cc}]|\.\.|@\{|\/\/|^\/|\/$|\.$|\.lock$|^@$/u.test(name) ? 'is no name as git takes them' : undefined);
  if (problem !== undefined) throw new OutriggerError('BAD_INPUT', `The ${kind} ${JSON.stringify(name.slice(0, 100))} ${problem}.`);
}

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
