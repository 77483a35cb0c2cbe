import fs from 'node:fs';
import { isNamelessFile } from '../../core/passing-name.ts';
import { TimeSlice } from '../../core/time-slice.ts';
import { OutriggerError } from '../../contract/errors.ts';
import type { Cause } from '../../contract/events.ts';
import { joinPath } from '../../contract/paths.ts';
import type { Containment, Place } from './containment.ts';
import { errnoOf } from '../state/errno.ts';
import { type ChangeDraft, type Journal, underBothNames } from './journal.ts';
import type { KnownContents } from './known-contents.ts';
import { kindOf, lstatOrThrow, oddNames, readNames, seemsOdd } from './stats.ts';

export interface RemovalHost {
  containment: Containment;
  journal: Journal;
  contents: KnownContents;
  /** Told of each file that is about to be removed. */
  about(path: string, cause: Cause): void;
}

/** Gives how many entries were removed. What was removed before an abort or error stays removed, and was announced. Throws NOT_EMPTY unless `recursive`. */
export async function removeFolder(
  { containment, journal, contents, about }: RemovalHost,
  wirePath: string,
  { recursive, cause, signal }: { recursive: boolean; cause: Cause; signal: AbortSignal | undefined },
): Promise<number> {
  let removed = 0;
  let drafts: ChangeDraft[] = [];
  const slice = new TimeSlice();
  using top = containment.place(wirePath, false);
  // Another call may have moved it since it was found there.
  lstatOrThrow(top, wirePath);
  const realOf = (path: string): string => top.path + path.slice(wirePath.length);
  const tell = (): void => {
    removed += drafts.length;
    journal.record(drafts.flatMap((draft) => underBothNames(draft, realOf(draft.path))));
    drafts = [];
  };
  /** Moved, or swapped for a link meanwhile: what is there now was not asked to be removed. */
  const throwIfElsewhere = (real: string, path: string): void => {
    if (real === realOf(path)) return;
    throw new OutriggerError('BUSY_FILE', `${path} was moved, or replaced by a link, while it was removed.`);
  };
  // Depth first; a folder is taken up again when all in it is gone.
  const pending: { path: string; emptied: boolean }[] = [{ path: wirePath, emptied: !recursive }];
  try {
    for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
      if (next.emptied) {
        using place = containment.place(next.path, false);
        throwIfElsewhere(place.path, next.path);
        ignoreMissing(() => removeEmpty(place, next.path));
        drafts.push({ path: next.path, kind: 'directory', what: 'removed', before: null, after: null, cause });
        continue;
      }
      pending.push({ path: next.path, emptied: true });
      using folder = containment.directory(next.path);
      throwIfElsewhere(folder.path, next.path);
      let hasOdd = false;
      for (const name of readNames(folder.at, next.path)) {
        const at = `${folder.at}/${name}`;
        const stat = fs.lstatSync(at, { throwIfNoEntry: false });
        if (stat === undefined) hasOdd ||= seemsOdd(name);
        if (stat === undefined) continue;
        const path = joinPath(next.path, name);
        if (stat.isDirectory()) {
          pending.push({ path, emptied: false });
          continue;
        }
        if (isNamelessFile(name)) {
          tryToRemove(at);
          continue;
        }
        const realPath = realOf(path);
        const before = contents.before(realPath, stat);
        about(realPath, cause);
        ignoreMissing(() => fs.unlinkSync(at));
        contents.forget(realPath);
        drafts.push({ path, kind: kindOf(stat), what: 'removed', before, after: null, cause });
        if (!slice.isOver) continue;
        tell();
        signal?.throwIfAborted();
        await slice.giveWay();
        throwIfRemoved(folder, next.path);
        throwIfElsewhere(folder.recheck(), next.path);
      }
      if (!hasOdd) continue;
      // Meanwhile the watch may see what is gone.
      tell();
      await removeOdd(folder.at);
    }
  } finally {
    tell();
  }
  return removed;
}

/** Throws BUSY_FILE where a program has a file open that was removed from it, on a file system that keeps those by a name. */
function removeEmpty({ at }: Place, path: string): void {
  try {
    fs.rmdirSync(at);
  } catch (error) {
    const names = errnoOf(error) === 'ENOTEMPTY' ? readNames(at, path) : [];
    if (names.length === 0 || !names.every(isNamelessFile)) throw error;
    throw new OutriggerError('BUSY_FILE', `${path} is empty and can't be removed yet: a program has a file open that was removed from it.`);
  }
}

/** It goes when its program closes it, and may be that of one that is no more. */
function tryToRemove(at: string): void {
  try {
    fs.unlinkSync(at);
  } catch {
    // The folder says whether it is in the way.
  }
}

/** Somebody else may have removed the opened folder, with all that is in it, and tells of that. One that was moved has its links. */
function throwIfRemoved({ at }: Place, path: string): void {
  if (isRemoved(at)) throw new OutriggerError('FILE_NOT_FOUND', `${path} is not there.`);
}

/** Of an open folder FUSE says that it is not there, and NFS that it is stale, where others say that it has no name. */
function isRemoved(at: string): boolean {
  try {
    const stat = fs.statSync(at, { throwIfNoEntry: false });
    return stat === undefined || stat.nlink === 0;
  } catch (error) {
    if (errnoOf(error) === 'ESTALE') return true;
    throw error;
  }
}

/** What has a name that is not UTF-8, which nobody was told of. */
async function removeOdd(folder: string): Promise<void> {
  for (const name of oddNames(folder))
    await fs.promises.rm(Buffer.concat([Buffer.from(`${folder}/`), name]), { recursive: true, force: true });
}

/** For what is to be gone, and may be gone already. */
function ignoreMissing(remove: () => void): void {
  try {
    remove();
  } catch (error) {
    if (errnoOf(error) !== 'ENOENT') throw error;
  }
}
