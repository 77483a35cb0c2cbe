// What the watch does not look at. Globs are matched against the workspace-relative path; a directory that matches is not entered.

import picomatch from 'picomatch';
import { isPassingName } from '../../core/passing-name.ts';

/** Paths are workspace-relative with '/'. */
export interface Ignore {
  (path: string, isDirectory: boolean): boolean;
  /** The same of a name in a directory ('' is the root), for whole listings: the path is put together only where a glob asks for it. */
  in(directory: string, name: string): boolean;
}

export const defaultIgnore: readonly string[] = ['**/.git', '**/node_modules', '**/__pycache__', '**/.venv'];

/** Whatever the globs say, git's folder is never content (git state is announced apart), and files that are about to be gone are not either. */
export function compileIgnore(globs: readonly string[]): Ignore {
  // '**/name' is what nearly all ignore rules look like: a set answers it without a regular expression.
  const names = new Set(['.git']);
  const rest: string[] = [];
  for (const glob of globs) {
    const name = /^\*\*\/([^/*?[\]{}()!+@\\]+)$/.exec(glob)?.[1];
    if (name) names.add(name);
    else rest.push(glob);
  }
  const matches = rest.length > 0 ? picomatch(rest, { dot: true }) : null;
  // Asked of each name of a tree: how nearly all of them begin says that they are not meant.
  const beginnings = new Set([...names].map((name) => name.charCodeAt(0)));
  const isNamed = (name: string): boolean => beginnings.has(name.charCodeAt(0)) && (names.has(name) || isPassingName(name));
  const ignore = (path: string): boolean => isNamed(path.slice(path.lastIndexOf('/') + 1)) || (matches?.(path) ?? false);
  return Object.assign(ignore, {
    in: (directory: string, name: string) => isNamed(name) || (matches?.(directory === '' ? name : `${directory}/${name}`) ?? false),
  });
}
