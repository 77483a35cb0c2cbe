import fs from 'node:fs';
import { OutriggerError } from '../../contract/errors.ts';
import { OWN_TEMPORARY } from '../../core/passing-name.ts';
import { baseName } from '../../contract/paths.ts';
import { type Containment, exactPlace, type Place } from './containment.ts';
import { errnoOf } from '../state/errno.ts';
import { fileError } from './file-errors.ts';

/**
 * One thing that a batch does to the folder. Each can be told to be done from what stands there, done again after a crash, and
 * undone. Paths are real ones, as of the moment of the step; `change` is the one it is done for.
 */
export type BatchStep =
  /** The temporary folder `from`, which is empty, becomes `at`. */
  | { do: 'mkdir'; change: number; from: string; at: string; mark: Mark }
  /** What stands at `from` goes to `at`, where nothing is. `empty`: a folder in which there has to be nothing but what was put aside. */
  | { do: 'move'; change: number; from: string; at: string; mark: Mark; empty?: true }
  /** The temporary file `from` becomes `at`; what was there is kept as `aside`. */
  | { do: 'put'; change: number; from: string; at: string; mark: Mark; replaced?: { aside: string; mark: Mark } };

/** By what a thing is known again wherever it was moved: inode numbers alone are given anew. Folders have no size and time. */
export interface Mark {
  ino: number;
  size?: number;
  mtimeMs?: number;
}

export function isDone(containment: Containment, step: BatchStep): boolean {
  return look(containment, step.at)?.ino === step.mark.ino;
}

/** Throws, in our words, what keeps it from being done. */
export function doStep(containment: Containment, step: BatchStep): void {
  try {
    using target = exactPlace(containment, step.at);
    using source = exactPlace(containment, step.from);
    if (!isMarked(lstat(source), step.mark)) throw changed(step.from);
    const existing = lstat(target);
    const replaced = step.do === 'put' ? step.replaced : undefined;
    if (replaced === undefined) {
      if (existing !== undefined) throw new OutriggerError('FILE_EXISTS', `${step.at} exists already.`);
      fs.renameSync(source.at, target.at);
    } else {
      using aside = exactPlace(containment, replaced.aside);
      // Killed in the middle of this step, it is kept already, and may be gone from its place.
      const kept = isMarked(lstat(aside), replaced.mark);
      if (existing === undefined ? !kept : !isMarked(existing, replaced.mark)) throw changed(step.at);
      if (!kept) keepAside(target, aside);
      fs.renameSync(source.at, target.at);
      if (!isMarked(lstat(aside), replaced.mark)) throw changed(step.at);
    }
    // What came this moment went along; undone, it stands there again.
    if (isAside(step) && !isMarked(lstat(target), step.mark)) throw changed(step.from);
    if (step.do === 'move' && step.empty === true && fs.readdirSync(target.at).some((name) => !OWN_TEMPORARY.test(name)))
      throw new OutriggerError('NOT_EMPTY', `${step.from} is a folder that is not empty.`);
  } catch (error) {
    if (errnoOf(error) === 'EXDEV') throw new OutriggerError('BAD_INPUT', whyNoRename(step));
    throw fileError(error, step.at);
  }
}

/** Puts back what a step did, if it did it. What somebody else put there since is left alone. */
export function undoStep(containment: Containment, step: BatchStep): void {
  const found = look(containment, step.at);
  if (step.do === 'mkdir') {
    if (!isMarked(found, step.mark)) return;
    using folder = exactPlace(containment, step.at);
    try {
      fs.rmdirSync(folder.at);
    } catch (error) {
      // Somebody put something into it: then it is wanted.
      if (errnoOf(error) !== 'ENOTEMPTY' && errnoOf(error) !== 'EEXIST') throw error;
    }
    return;
  }
  if (step.do === 'move') {
    // What was put aside nobody else knows there: a program that has it open may have written to it.
    const isThere = isAside(step) ? found !== undefined : isMarked(found, step.mark);
    if (!isThere || look(containment, step.from) !== undefined) return;
    using target = exactPlace(containment, step.at);
    using source = exactPlace(containment, step.from);
    fs.renameSync(target.at, source.at);
    return;
  }
  const kept = step.replaced === undefined ? undefined : look(containment, step.replaced.aside);
  if (step.replaced !== undefined && kept !== undefined) {
    using aside = exactPlace(containment, step.replaced.aside);
    // Where it was only linked, both names are one file, and a rename would leave both.
    if (found !== undefined && !isMarked(found, step.mark)) fs.unlinkSync(aside.at);
    else {
      using target = exactPlace(containment, step.at);
      fs.renameSync(aside.at, target.at);
    }
    return;
  }
  if (!isMarked(found, step.mark)) return;
  using target = exactPlace(containment, step.at);
  fs.unlinkSync(target.at);
}

function isAside({ do: what, at }: BatchStep): boolean {
  return what === 'move' && OWN_TEMPORARY.test(baseName(at));
}

/** By a second name, so that there is no moment without the file; on disks without links it has to be moved. */
function keepAside(target: Place, aside: Place): void {
  try {
    fs.linkSync(target.at, aside.at);
  } catch (error) {
    if (!['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'EMLINK', 'ENOSYS'].includes(errnoOf(error) ?? '')) throw error;
    fs.renameSync(target.at, aside.at);
  }
}

function look(containment: Containment, path: string): fs.Stats | undefined {
  try {
    using place = exactPlace(containment, path);
    return lstat(place);
  } catch {
    // A folder on the way is gone or a link: what the step is about is not there.
    return undefined;
  }
}

function lstat(place: Place): fs.Stats | undefined {
  return fs.lstatSync(place.at, { throwIfNoEntry: false });
}

function isMarked(found: fs.Stats | undefined, mark: Mark): boolean {
  if (found === undefined || found.ino !== mark.ino || found.isDirectory() !== (mark.size === undefined)) return false;
  return mark.size === undefined || (found.size === mark.size && found.mtimeMs === mark.mtimeMs);
}

/** Where the devices are the same, it is a folder in a lower layer of overlayfs, which can't be renamed at all. */
function whyNoRename({ from, at }: BatchStep): string {
  const what = OWN_TEMPORARY.test(baseName(at)) ? 'files.remove removes it' : 'files.move copies it';
  return `${from} is on a file system, or in a layer of one, where a batch can't rename it: ${what}.`;
}

function changed(path: string): OutriggerError {
  return new OutriggerError('BUSY_FILE', `${path} was changed by another program while the batch was made.`);
}
