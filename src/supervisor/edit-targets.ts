import type { Stats } from 'node:fs';
import fs from 'node:fs/promises';
import path from 'node:path';
import { editPathProblem, foldPath } from './edit-path.ts';
import { EditProblem, type FileEdit } from './file-edit.ts';

/** Where an edit leads on the disk. */
export interface EditTarget {
  edit: FileEdit;
  /** Absolute, with no link in it; of an existing file that is reached by a link, where that leads. A delete takes the link itself. */
  at: string;
  /** Undefined when nothing stands there. */
  stat: Stats | undefined;
  /** Folders that have to be made, outermost first. */
  missing: string[];
}

/** Finds where `edit` leads. Throws EditProblem where that is outside of the folder, through a link too, or no place for a file. */
export async function findTarget(realRoot: string, edit: FileEdit, platform: NodeJS.Platform): Promise<EditTarget> {
  const { filePath } = edit;
  const problem = editPathProblem(filePath, platform);
  if (problem !== undefined) throw new EditProblem('invalidEdit', String(filePath), `The path ${problem}.`);
  const names = filePath.split('/');
  const name = names.pop() as string;
  let folder = realRoot;
  const missing: string[] = [];
  for (const next of names) {
    const below = path.join(folder, next);
    if (missing.length > 0) {
      missing.push(below);
      folder = below;
      continue;
    }
    const real = await realPath(below, filePath);
    if (real === undefined) missing.push(below);
    else checkInside(realRoot, real, filePath);
    folder = real ?? below;
    if (real !== undefined && !(await fs.stat(real)).isDirectory())
      throw new EditProblem('invalidEdit', filePath, `${next} is a file, not a folder.`);
  }
  const at = path.join(folder, name);
  if (missing.length > 0) return { edit, at, stat: undefined, missing };
  const stat = await fs.lstat(at).catch((error: unknown) => absent(error, filePath));
  if (stat === undefined || edit.kind === 'delete' || !stat.isSymbolicLink()) return { edit, at: await trueCase(at, stat), stat, missing };
  const real = await realPath(at, filePath);
  if (real === undefined) throw new EditProblem('notFound', filePath, 'It is a link that leads to nothing.');
  checkInside(realRoot, real, filePath);
  return { edit, at: real, stat: await fs.lstat(real), missing };
}

/** Targets that are one file: by what the system says of existing ones, else by their path. */
export function groupTargets(targets: readonly EditTarget[]): EditTarget[][] {
  const groups = new Map<string, EditTarget[]>();
  for (const target of targets) {
    const { stat, at } = target;
    // Windows gives 0 for both on some volumes.
    const key = stat === undefined || stat.ino === 0 ? `path ${at}` : `file ${stat.dev} ${stat.ino} ${stat.nlink > 1 ? at : ''}`;
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [target]);
    else group.push(target);
  }
  return [...groups.values()];
}

/** Pairs of different targets whose paths differ in case or composition only: on some volumes they are one file. */
export function foldedPairs(targets: readonly EditTarget[]): [EditTarget, EditTarget][] {
  const first = new Map<string, EditTarget>();
  const pairs: [EditTarget, EditTarget][] = [];
  for (const target of targets) {
    const key = foldPath(target.at);
    const other = first.get(key);
    if (other === undefined) first.set(key, target);
    else if (other.at !== target.at) pairs.push([other, target]);
  }
  return pairs;
}

/** Whether names that differ in case are one file in this folder, tried with a name that stands there. */
export async function isCaseInsensitive(folder: string, name: string): Promise<boolean> {
  const one = await fs.lstat(path.join(folder, name));
  const other = await fs.lstat(path.join(folder, name.toUpperCase())).catch(() => undefined);
  return other !== undefined && other.ino === one.ino;
}

function checkInside(realRoot: string, real: string, filePath: string): void {
  const way = path.relative(realRoot, real);
  if (way === '..' || way.startsWith(`..${path.sep}`) || path.isAbsolute(way))
    throw new EditProblem('permissionDenied', filePath, 'A link on the path leads out of the folder.');
}

/** On a volume without case the name as it stands on the disk, so that a replaced file keeps it. */
async function trueCase(at: string, stat: Stats | undefined): Promise<string> {
  if (stat === undefined || stat.isSymbolicLink()) return at;
  const real = await fs.realpath(at).catch(() => at);
  return path.dirname(real) === path.dirname(at) ? real : at;
}

async function realPath(at: string, filePath: string): Promise<string | undefined> {
  try {
    return await fs.realpath(at);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') {
      // A link to nothing: making what it names would make it wherever it leads.
      if ((await fs.lstat(at).catch(() => undefined)) !== undefined)
        throw new EditProblem('permissionDenied', filePath, 'A link on the path leads to nothing.');
      return undefined;
    }
    throw error;
  }
}

function absent(error: unknown, filePath: string): undefined {
  const { code } = error as NodeJS.ErrnoException;
  if (code === 'ENOENT') return undefined;
  if (code === 'ENAMETOOLONG') throw new EditProblem('invalidEdit', filePath, 'The name is too long for the disk.');
  throw error;
}
