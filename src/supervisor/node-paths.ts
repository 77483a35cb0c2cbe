import fs from 'node:fs/promises';
import path from 'node:path';
import { OutriggerError } from '../contract/errors.ts';
import { editPathProblem } from './edit-path.ts';

/**
 * The absolute place of a path below `realRoot`, links followed, '' being the folder itself. Throws BAD_PATH, PATH_ESCAPES,
 * FILE_NOT_FOUND. With `keepLink` the last name is not followed, and may be missing.
 */
export async function placeBelow(realRoot: string, wirePath: string, keepLink = false): Promise<string> {
  if (wirePath === '') return realRoot;
  const problem = editPathProblem(wirePath, process.platform);
  if (problem !== undefined) throw new OutriggerError('BAD_PATH', `The path ${problem}.`);
  const at = path.join(realRoot, ...wirePath.split('/'));
  try {
    const real = keepLink ? path.join(await fs.realpath(path.dirname(at)), path.basename(at)) : await fs.realpath(at);
    const way = path.relative(realRoot, real);
    if (way === '..' || way.startsWith(`..${path.sep}`) || path.isAbsolute(way))
      throw new OutriggerError('PATH_ESCAPES', `${wirePath} leads out of the folder.`);
    return real;
  } catch (error) {
    throw fileError(error, wirePath);
  }
}

/** What the system says about a path, as an error of the table. */
export function fileError(error: unknown, wirePath: string): OutriggerError {
  if (error instanceof OutriggerError) return error;
  const { code, message } = (error ?? {}) as NodeJS.ErrnoException;
  if (code === 'ENOENT' || code === 'ENOTDIR') return new OutriggerError('FILE_NOT_FOUND', `${wirePath} is not there.`, { cause: error });
  if (code === 'EACCES' || code === 'EPERM') return new OutriggerError('FILE_PERMISSION', `${wirePath} may not be read.`, { cause: error });
  if (code === 'EISDIR') return new OutriggerError('NOT_A_FILE', `${wirePath} is a folder.`, { cause: error });
  if (code === 'ENAMETOOLONG') return new OutriggerError('NAME_TOO_LONG', `${wirePath.slice(0, 100)}… is too long.`, { cause: error });
  return new OutriggerError('INTERNAL', `${wirePath} can't be read: ${message}`, { cause: error });
}

/** For loops: throws CANCELED when the caller has gone, DEADLINE when its time is over. */
export function checkAborted(signal: AbortSignal | undefined): void {
  if (signal?.aborted !== true) return;
  const timedOut = signal.reason instanceof Error && signal.reason.name === 'TimeoutError';
  throw new OutriggerError(timedOut ? 'DEADLINE' : 'CANCELED', timedOut ? 'The call ran out of time.' : 'The call was canceled.', {
    cause: signal.reason,
  });
}

const skipped: ReadonlySet<string> = new Set(['.git', 'node_modules', '__pycache__']);

/**
 * Files below `realRoot` in order of their names, as wire paths. Links are not followed; hidden names and the usual folders of fetched
 * packages are left out. Ignore files are not read: that is the sidecar's.
 */
export async function* walkFiles(realRoot: string, signal: AbortSignal | undefined, hidden = false): AsyncGenerator<string, void> {
  const folders = [''];
  for (let folder = folders.pop(); folder !== undefined; folder = folders.pop()) {
    checkAborted(signal);
    // Removed or closed to us meanwhile: there is nothing to find in it.
    const entries = await fs.readdir(path.join(realRoot, folder), { withFileTypes: true }).catch(() => []);
    const below: string[] = [];
    for (const entry of entries.sort((a, b) => (a.name < b.name ? -1 : 1))) {
      if (skipped.has(entry.name) || (!hidden && entry.name.startsWith('.'))) continue;
      const wirePath = folder === '' ? entry.name : `${folder}/${entry.name}`;
      if (entry.isDirectory()) below.push(wirePath);
      else if (entry.isFile()) yield wirePath;
    }
    folders.push(...below.reverse());
  }
}
