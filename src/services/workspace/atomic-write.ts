import { createHash, randomBytes } from 'node:crypto';
import fs from 'node:fs';
import { fsync, fdatasync, write as fsWrite } from 'node:fs';
import path from 'node:path';
import { promisify } from 'node:util';
import { baseName } from '../../contract/paths.ts';
import { isNamelessFile } from '../../core/passing-name.ts';
import { O_PATH } from './containment.ts';
import { hashBytes, SMALL_BYTES, sameFacts } from './content.ts';
import { errnoOf } from '../state/errno.ts';
import { openWhenReplaced } from '../state/file-system.ts';

const { O_CREAT, O_EXCL, O_NOFOLLOW, O_NONBLOCK, O_WRONLY, O_RDONLY, O_DIRECTORY } = fs.constants;
const syncFile = promisify(fsync);
const syncData = promisify(fdatasync);

export type Durability = 'none' | 'file' | 'full';
export type Content = Uint8Array | AsyncIterable<Uint8Array>;

/** See OWN_TEMPORARY. */
export function temporaryName(): string {
  return `.outrigger-${randomBytes(6).toString('hex')}.tmp`;
}

/** A file written beside its target and not yet in its place. */
export interface Prepared {
  readonly at: string;
  readonly hash: string;
  readonly size: number;
  /** Facts of the written file; rename keeps them. */
  readonly stat: fs.Stats;
  /** Removes the file when it was not moved into place. */
  discard(): void;
}

/**
 * Writes content to a new file `at`, with `mode`, synced as `durability` says. On any error, abort included, it is gone
 * again.
 */
export async function prepareFile(
  at: string,
  content: Content,
  mode: number,
  durability: Durability,
  signal?: AbortSignal,
): Promise<Prepared> {
  const descriptor = fs.openSync(at, O_CREAT | O_EXCL | O_NOFOLLOW | O_WRONLY, mode);
  try {
    const { hash, size } = await writeContent(descriptor, content, signal);
    // The umask took bits that the file before had.
    if ((fs.fstatSync(descriptor).mode & 0o777) !== mode) fs.fchmodSync(descriptor, mode);
    if (durability !== 'none') await syncData(descriptor);
    signal?.throwIfAborted();
    const stat = fs.fstatSync(descriptor);
    return { at, hash, size, stat, discard: () => fs.rmSync(at, { force: true }) };
  } catch (error) {
    fs.rmSync(at, { force: true });
    throw error;
  } finally {
    fs.closeSync(descriptor);
  }
}

/** Writes all of `content` from the descriptor's position on. */
async function writeContent(descriptor: number, content: Content, signal?: AbortSignal): Promise<{ hash: string; size: number }> {
  if (content instanceof Uint8Array) {
    if (content.length <= SMALL_BYTES) {
      for (let done = 0; done < content.length; ) done += fs.writeSync(descriptor, content, done);
    } else await writeAll(descriptor, content, signal);
    return { hash: hashBytes(content), size: content.length };
  }
  const hash = createHash('sha256');
  let size = 0;
  for await (const chunk of content) {
    signal?.throwIfAborted();
    hash.update(chunk);
    size += chunk.length;
    await writeAll(descriptor, chunk, signal);
  }
  return { hash: hash.digest('hex'), size };
}

async function writeAll(descriptor: number, bytes: Uint8Array, signal?: AbortSignal): Promise<void> {
  for (let done = 0; done < bytes.length; ) {
    signal?.throwIfAborted();
    const length = Math.min(bytes.length - done, 1024 * 1024);
    done += await new Promise<number>((resolve, reject) =>
      fsWrite(descriptor, bytes, done, length, null, (error, count) => (error === null ? resolve(count) : reject(error))),
    );
  }
}

/** A file that was replaced, open for reading, with its facts as they were when its content was compared. Who takes it closes it. */
export interface ReplacedFile {
  descriptor: number;
  stat: fs.Stats;
  /** It can be seen in its folder, by a name of the file system's, until it is closed. */
  isNamed: boolean;
}

/**
 * Puts a prepared file in the place of another. A program may move that one away at this very moment: then both would be there, the new one under a name
 * that nobody meant any more. That is seen by the open file, which has a name still, and taken back: false. So it is where the file is not as in `existing` any
 * more. Else the open file goes to `replaced`, where it may be read; not on SMB. Needs /proc. Throws as fs does.
 */
export function renameOver(
  prepared: Pick<Prepared, 'at' | 'stat'>,
  at: string,
  existing: fs.Stats,
  replaced?: (file: ReplacedFile) => void,
): boolean {
  const becomes = replaced && openWhenReplaced(path.dirname(at));
  const opened = openForReplacing(at, becomes === 'named' || becomes === 'nameless');
  if (opened === undefined) return false;
  const { descriptor, isReadable } = opened;
  let isTaken = false;
  try {
    if (!sameFacts(fs.fstatSync(descriptor), existing)) return false;
    fs.renameSync(prepared.at, at);
    if (hasOwnName(descriptor, existing) && takeBack(prepared, at)) return false;
    if (isReadable && replaced !== undefined) {
      isTaken = true;
      replaced({ descriptor, stat: existing, isNamed: becomes === 'named' });
    }
    return true;
  } finally {
    if (!isTaken) fs.closeSync(descriptor);
  }
}

/** Whether the open file is somewhere yet. Some file systems keep one that is not by a name of their own, and its facts say that it has one. */
function hasOwnName(descriptor: number, stat: fs.Stats): boolean {
  const name = fs.readlinkSync(`/proc/self/fd/${descriptor}`);
  return !isNamelessFile(baseName(name)) && isSame(statOrNothing(name), stat);
}

/** Of a file that is gone the system says a name that may be longer than names may be. */
function statOrNothing(name: string): fs.Stats | undefined {
  try {
    return fs.lstatSync(name, { throwIfNoEntry: false });
  } catch {
    return undefined;
  }
}

/** Undefined where nothing is there. */
function openForReplacing(at: string, toRead: boolean): { descriptor: number; isReadable: boolean } | undefined {
  try {
    if (toRead) return { descriptor: fs.openSync(at, O_RDONLY | O_NOFOLLOW | O_NONBLOCK), isReadable: true };
  } catch (error) {
    if (errnoOf(error) !== 'EACCES') return orNotThere(error);
  }
  try {
    return { descriptor: fs.openSync(at, O_PATH | O_NOFOLLOW), isReadable: false };
  } catch (error) {
    return orNotThere(error);
  }
}

function orNotThere(error: unknown): undefined {
  if (errnoOf(error) !== 'ENOENT') throw error;
}

/** False where what stands there is not the prepared file any more. */
function takeBack({ at: from, stat }: Pick<Prepared, 'at' | 'stat'>, at: string): boolean {
  if (!isSame(fs.lstatSync(at, { throwIfNoEntry: false }), stat)) return false;
  fs.renameSync(at, from);
  if (isSame(fs.lstatSync(from), stat)) return true;
  fs.renameSync(from, at);
  return false;
}

function isSame(one: fs.Stats | undefined, other: fs.Stats): boolean {
  return one?.ino === other.ino && one.dev === other.dev;
}

/** Gives the new file the owner of the old one where that is permitted, else its group; says in words what could not be kept. */
export function keepOwner(at: string, from: fs.Stats, made: fs.Stats): string | undefined {
  if (from.uid === made.uid && from.gid === made.gid) return undefined;
  try {
    fs.lchownSync(at, from.uid, from.gid);
    return undefined;
  } catch (error) {
    if (errnoOf(error) !== 'EPERM') throw error;
  }
  if (from.gid !== made.gid) {
    try {
      fs.lchownSync(at, made.uid, from.gid);
      return from.uid === made.uid ? undefined : `The owner is now user ${made.uid}; it was ${from.uid}. The group is kept.`;
    } catch (error) {
      if (errnoOf(error) !== 'EPERM') throw error;
      return `The owner is now user ${made.uid}, group ${made.gid}; it was ${from.uid}, ${from.gid}.`;
    }
  }
  return `The owner is now user ${made.uid}; it was ${from.uid}.`;
}

/** Makes a rename or removal in this folder outlive a power cut. An O_PATH descriptor can't be synced, so the folder is opened anew. */
export async function syncFolder(folder: string): Promise<void> {
  const descriptor = fs.openSync(folder, O_RDONLY | O_DIRECTORY);
  try {
    await syncFile(descriptor);
  } finally {
    fs.closeSync(descriptor);
  }
}
