import { createHash } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { OutriggerError } from '../../contract/errors.ts';
import { joinPath } from '../../contract/paths.ts';
import { Containment, openRegularFile } from '../workspace/containment.ts';
import { openToUs } from './run-folders.ts';
import { inSlices } from './slices.ts';

/** Deeper than this nothing is found. */
const MAX_DEPTH = 16;
/** Names looked at in one folder of a session; a run may have made millions. */
const MAX_NAMES = 20_000;
/** What stat(2) says of a folder of some hundred names. */
const SMALL_FOLDER_BYTES = 4096;
const CHUNK_BYTES = 64 * 1024;
/** Names of ours in the folder of a session: never files of it. */
export const OWN_NAME = /^\.outrigger-/;

/** A regular file as it lies in the folder of a session. */
export interface FoundFile {
  /** Relative, with / between names. */
  name: string;
  size: number;
  modified: number;
  /** That it takes on the disk. */
  diskBytes: number;
  /** Changes with every change of the content that leaves the size and the time alone, too. */
  mark: string;
}

/**
 * Regular files of a folder that a program may have filled with anything: links are not followed, what has other names as well, and
 * what is no file, is left out and counted. Names that are no UTF-8 are left out. Among many, others are served meanwhile, and may change them.
 */
export async function findFiles(folder: string, most: number): Promise<{ files: FoundFile[]; omitted: number; diskBytes: number }> {
  const files: FoundFile[] = [];
  let omitted = 0;
  let diskBytes = 0;
  let looked = 0;
  let containment: Containment | undefined;
  function* walk(relative: string, at: string, depth: number, size?: number): Generator<void> {
    for (const bytes of namesIn(at, size)) {
      yield;
      if (++looked > MAX_NAMES) {
        omitted++;
        return;
      }
      const name = bytes.toString();
      if (OWN_NAME.test(name)) continue;
      const stat = Buffer.from(name).equals(bytes) ? fs.lstatSync(path.join(at, name), { throwIfNoEntry: false }) : undefined;
      diskBytes += stat === undefined ? 0 : takenBy(stat);
      if (stat?.isDirectory() === true && depth < MAX_DEPTH) {
        try {
          const inner = joinPath(relative, name);
          containment ??= new Containment(folder);
          using place = containment.directory(inner);
          yield* walk(inner, place.at, depth + 1);
        } catch {
          // It may not be read, or went away.
          omitted++;
        }
      } else if (stat?.isFile() === true && stat.nlink === 1 && files.length < most) files.push(factsOf(joinPath(relative, name), stat));
      else omitted++;
    }
  }
  try {
    const size = openToUs(folder);
    // Only we can put another folder in the place of this one: what is in it is what a program may swap.
    await inSlices(walk('', folder, 0, size));
  } catch {
    omitted++;
  }
  return { files: files.sort((one, other) => (one.name < other.name ? -1 : 1)), omitted, diskBytes };
}

/** Of a small folder, which its size by stat(2) says, all names are read at once: that is quicker by far. Throws as fs does. */
function* namesIn(folder: string, size = fs.statSync(folder).size): Generator<Buffer> {
  if (size <= SMALL_FOLDER_BYTES) return yield* fs.readdirSync(folder, { encoding: 'buffer' });
  using directory = fs.opendirSync(folder, { encoding: 'buffer' as BufferEncoding });
  for (let entry = directory.readSync(); entry !== null; entry = directory.readSync()) yield entry.name as unknown as Buffer;
}

/** One file, as `findFiles` finds it; undefined where it would not. */
export function findFile(folder: string, name: string): FoundFile | undefined {
  try {
    using place = new Containment(folder).place(name, false);
    const stat = fs.lstatSync(place.at);
    return stat.isFile() && stat.nlink === 1 ? factsOf(name, stat) : undefined;
  } catch {
    return undefined;
  }
}

function factsOf(name: string, stat: fs.Stats): FoundFile {
  const { ino, size, mtimeMs, ctimeMs } = stat;
  return { name, size, modified: Math.round(mtimeMs), diskBytes: takenBy(stat), mark: `${ino}:${size}:${mtimeMs}:${ctimeMs}` };
}

/** As native/folders.h counts it. */
function takenBy({ blocks, size }: fs.Stats): number {
  // Windows does not tell.
  return blocks === undefined ? size : blocks * 512;
}

/** As `mark`, but the same where only the owner or the mode became another. */
export function contentMark({ mark }: FoundFile): string {
  return mark.slice(0, mark.lastIndexOf(':'));
}

/** Throws FILE_NOT_FOUND for what is no regular file any more. The caller closes the descriptor. */
export function openFile(folder: string, name: string): { descriptor: number; size: number } {
  try {
    using place = new Containment(folder).place(name, false);
    const { descriptor, stat } = openRegularFile(place, name);
    if (stat.nlink > 1) {
      fs.closeSync(descriptor);
      throw new OutriggerError('FILE_NOT_FOUND', `${name} is another file as well.`);
    }
    return { descriptor, size: stat.size };
  } catch (error) {
    if (error instanceof OutriggerError && error.reason === 'FILE_NOT_FOUND') throw error;
    throw new OutriggerError('FILE_NOT_FOUND', `${name} is no file of this session any more.`, { cause: error });
  }
}

/**
 * The bytes of a file, `most` of them, read as they are asked for. It is opened with the first of them: who never asks leaves nothing open. Throws
 * FILE_NOT_FOUND then.
 */
export async function* bytesOf(folder: string, name: string, most = Number.POSITIVE_INFINITY): AsyncGenerator<Uint8Array> {
  const { descriptor } = openFile(folder, name);
  try {
    for (let left = most; left > 0; ) {
      const chunk = Buffer.allocUnsafe(CHUNK_BYTES);
      const length = fs.readSync(descriptor, chunk, 0, Math.min(chunk.length, left), null);
      if (length === 0) return;
      left -= length;
      yield chunk.subarray(0, length);
      // Others are served between.
      await new Promise(setImmediate);
    }
  } finally {
    fs.closeSync(descriptor);
  }
}

/** The sha256 of a file, in hex. Throws FILE_NOT_FOUND. */
export async function hashOf(folder: string, name: string): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of bytesOf(folder, name)) hash.update(chunk);
  return hash.digest('hex');
}
