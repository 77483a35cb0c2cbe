import { randomBytes } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { OutriggerError } from '../../contract/errors.ts';
import { makeFolder } from '../../core/make-folder.ts';
import type { Containment } from './containment.ts';
import { openRegularFile } from './containment.ts';
import { hashBytes, readWhole, sameFacts } from './content.ts';
import { errnoOf } from '../state/errno.ts';

const { O_NOFOLLOW, O_NONBLOCK, O_RDWR } = fs.constants;

/**
 * Writes a file that can't be replaced by rename (several links, a mount point) in place, after both contents were kept in
 * `folder`, so that a write cut short is finished at the next start. Synchronous: no other write of ours comes between. Without a mode it keeps its own;
 * the note says in words when the one that was asked for could not be set. Undefined where the file is not as in `existing` any more, of which `before` was
 * read: nothing was written.
 */
export function writeInPlace(
  { at, path: wirePath, mode, existing }: { at: string; path: string; mode: number | undefined; existing: fs.Stats },
  before: Uint8Array,
  after: Uint8Array,
  folder: string,
): { note: string | undefined } | undefined {
  const descriptor = fs.openSync(at, O_RDWR | O_NOFOLLOW | O_NONBLOCK);
  const entry = path.join(folder, randomBytes(6).toString('hex'));
  try {
    makeFolder(folder, 0o700, { fs, path });
    writeSynced(`${entry}.before`, before);
    writeSynced(`${entry}.after`, after);
    writeSynced(`${entry}.json`, Buffer.from(JSON.stringify({ path: wirePath })));
    // To keep both took as long as the disk takes.
    const written = sameFacts(fs.fstatSync(descriptor), existing)
      ? { note: overwriteOrRestore(descriptor, before, after, mode) }
      : undefined;
    forget(entry);
    return written;
  } catch (error) {
    if (!(error instanceof HalfWrittenError)) forget(entry);
    throw error;
  } finally {
    fs.closeSync(descriptor);
  }
}

/** The file holds a part of each content; what is needed to mend it is kept for the next start. */
class HalfWrittenError extends Error {}

function overwriteOrRestore(descriptor: number, before: Uint8Array, after: Uint8Array, mode: number | undefined): string | undefined {
  try {
    overwrite(descriptor, after);
    return mode === undefined ? undefined : setMode(descriptor, mode);
  } catch (error) {
    try {
      // Disk full in the middle: what was there comes back; its blocks are there still.
      overwrite(descriptor, before);
    } catch {
      throw new HalfWrittenError('Neither the new content nor the old one could be written whole.', { cause: error });
    }
    throw error;
  }
}

/** As with the owner: the content of another user's file may be ours to change where its mode is not. */
function setMode(descriptor: number, mode: number): string | undefined {
  const now = fs.fstatSync(descriptor).mode & 0o7777;
  if (now === mode) return undefined;
  try {
    fs.fchmodSync(descriptor, mode);
    return undefined;
  } catch (error) {
    if (errnoOf(error) !== 'EPERM') throw error;
    return `The mode is still ${now.toString(8)}; ${mode.toString(8)} could not be set.`;
  }
}

/** Finishes writes that a crash cut short; a file that somebody else wrote since is left alone. Gives the paths it mended. */
export function finishInPlace(containment: Containment, folder: string): string[] {
  const mended: string[] = [];
  for (const name of fs.existsSync(folder) ? fs.readdirSync(folder) : []) {
    if (!name.endsWith('.json')) continue;
    const entry = path.join(folder, name.slice(0, -5));
    try {
      const { path: wirePath } = JSON.parse(fs.readFileSync(`${entry}.json`, 'utf8')) as { path: string };
      const before = fs.readFileSync(`${entry}.before`);
      const after = fs.readFileSync(`${entry}.after`);
      using place = containment.place(wirePath, false);
      const { descriptor, stat } = openRegularFile(place, wirePath);
      const current = readWhole(descriptor, stat.size);
      fs.closeSync(descriptor);
      if (isHalfWritten(current, before, after)) {
        const writable = fs.openSync(place.at, O_RDWR | O_NOFOLLOW | O_NONBLOCK);
        try {
          overwrite(writable, after);
        } finally {
          fs.closeSync(writable);
        }
        mended.push(wirePath);
      }
    } catch (error) {
      // A full disk, say: the next start may find it otherwise.
      if (mayPass(error)) continue;
    }
    forget(entry);
  }
  for (const name of fs.existsSync(folder) ? fs.readdirSync(folder) : [])
    if (!fs.existsSync(path.join(folder, `${path.parse(name).name}.json`))) fs.rmSync(path.join(folder, name), { force: true });
  return mended;
}

/** False where the file or the entry is gone, or is something else by now: there is nothing to finish. */
function mayPass(error: unknown): boolean {
  if (error instanceof OutriggerError) return ['FILE_PERMISSION', 'DISK_FULL', 'TOO_MANY_FILES', 'INTERNAL'].includes(error.reason);
  const errno = errnoOf(error);
  return errno !== undefined && !['ENOENT', 'ENOTDIR', 'ELOOP'].includes(errno);
}

/** True when `current` begins like `after`, goes on like `before`, and is neither. */
export function isHalfWritten(current: Uint8Array, before: Uint8Array, after: Uint8Array): boolean {
  const hash = hashBytes(current);
  if (hash === hashBytes(before) || hash === hashBytes(after)) return false;
  let same = 0;
  while (same < current.length && same < after.length && current[same] === after[same]) same++;
  const rest = current.subarray(same);
  return current.length === Math.max(before.length, same) && Buffer.compare(rest, before.subarray(same, same + rest.length)) === 0;
}

function overwrite(descriptor: number, bytes: Uint8Array): void {
  for (let done = 0; done < bytes.length; ) done += fs.writeSync(descriptor, bytes, done, bytes.length - done, done);
  fs.ftruncateSync(descriptor, bytes.length);
  fs.fdatasyncSync(descriptor);
}

function writeSynced(file: string, bytes: Uint8Array): void {
  const descriptor = fs.openSync(file, 'wx', 0o600);
  try {
    for (let done = 0; done < bytes.length; ) done += fs.writeSync(descriptor, bytes, done);
    fs.fdatasyncSync(descriptor);
  } finally {
    fs.closeSync(descriptor);
  }
}

function forget(entry: string): void {
  // The .json goes first: without it the rest is rubbish that the next start sweeps.
  for (const suffix of ['.json', '.before', '.after']) fs.rmSync(entry + suffix, { force: true });
}
