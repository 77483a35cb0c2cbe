import fs from 'node:fs';
import path from 'node:path';
import { UnavailableError } from '../sidecar/unavailable.ts';

/** What is wrong with a folder that a person named, or undefined. What only the system knows, such as missing rights, is found at its use. */
export function folderProblem(folder: string): string | undefined {
  const at = path.resolve(folder);
  const stat = statOf(at);
  if (stat === undefined) return `There is no folder ${at}. Check the path.`;
  return stat === 'unknown' || stat.isDirectory() ? undefined : `${at} is a file, not a folder.`;
}

/** Throws UnavailableError, which says what is wrong. Threads and programs of a sidecar start in the current folder, wherever that is. */
export function requireFolder(folder: string): void {
  try {
    process.cwd();
  } catch (error) {
    throw new UnavailableError('The folder that this was started in is not there any more. Change to another one first.', { cause: error });
  }
  const problem = folderProblem(folder);
  if (problem !== undefined) throw new UnavailableError(problem);
}

/** Throws UnavailableError where there is no file, or none that may be read. */
export function requireFile(file: string): void {
  const at = path.resolve(file);
  const stat = statOf(at);
  if (stat === undefined) throw new UnavailableError(`There is no file ${at}. Check the path.`);
  if (stat !== 'unknown' && stat.isDirectory()) throw new UnavailableError(`${at} is a folder, not a file.`);
  try {
    fs.accessSync(at, fs.constants.R_OK);
  } catch (error) {
    throw new UnavailableError(`${at} can't be read: ${(error as Error).message}`, { cause: error });
  }
}

/** Undefined where nothing is. */
function statOf(at: string): fs.Stats | 'unknown' | undefined {
  try {
    return fs.statSync(at);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    return code === 'ENOENT' || code === 'ENOTDIR' ? undefined : 'unknown';
  }
}
