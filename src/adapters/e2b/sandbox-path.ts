import path from 'node:path';
import { OutriggerError } from '../../contract/errors.ts';

/** Where clients of E2B expect to be, and what they expect their files to belong to. */
const HOME = '/home/user';
export const OWNER = 'user';

/**
 * The path in the workspace of one as a client says it: below /home/user or ~, relative to it, or below the folder as the programs in it see it
 * (`root`). '' is the workspace itself. Throws PATH_ESCAPES for any other place.
 */
export function workspacePathOf(asked: string, root: string): string {
  const isHome = asked === '~' || asked.startsWith('~/');
  const absolute = path.posix.resolve(HOME, isHome ? `.${asked.slice(1)}` : asked);
  for (const base of [HOME, root]) {
    if (absolute === base) return '';
    if (absolute.startsWith(`${base}/`)) return absolute.slice(base.length + 1);
  }
  throw new OutriggerError('PATH_ESCAPES', `${asked.slice(0, 200)} lies outside of ${HOME}, which is the workspace.`);
}

export function sandboxPathOf(workspacePath: string): string {
  return workspacePath === '' ? HOME : `${HOME}/${workspacePath}`;
}
