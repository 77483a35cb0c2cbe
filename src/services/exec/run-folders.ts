import { createHash } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { OutriggerError } from '../../contract/errors.ts';
import { makeFolder } from '../../core/make-folder.ts';
import { fileError } from '../workspace/file-errors.ts';
import { newId } from './ids.ts';
import { Containment, O_PATH } from '../workspace/containment.ts';
import { inSlices } from './slices.ts';

const OTHERS_MAY_WRITE = 0o002;
const { O_CREAT, O_DIRECTORY, O_EXCL, O_NOFOLLOW, O_WRONLY } = fs.constants;

/** What a run may not be in the way of: its names are hidden, and it goes when the run ends. */
export function ownName(): string {
  return `.outrigger-${newId()}`;
}

/**
 * A folder that others may pass through, and not look into. Throws DISK_FULL, and FILE_PERMISSION where it can't be made, or somebody else could
 * put another folder in its place: its name below the temporary folder is no secret, and another user may have been there first.
 */
export function makePassage(folder: string): void {
  const first = makeWithParents(folder);
  for (let at = folder; at !== path.dirname(at) && process.getuid !== undefined; at = path.dirname(at)) {
    const anyoneMakes = (fs.statSync(path.dirname(at)).mode & OTHERS_MAY_WRITE) !== 0;
    if (anyoneMakes && fs.lstatSync(at).uid !== process.getuid())
      throw new OutriggerError('FILE_PERMISSION', `The folder ${at} is another user’s: the option code.folder names another place.`);
  }
  // What the umask took of those that were made, or what was of an earlier life.
  for (let at = folder; at.length >= first.length; at = path.dirname(at)) fs.chmodSync(at, 0o711);
}

/** Answers the first that was not there; the folder itself where all were. */
function makeWithParents(folder: string): string {
  try {
    return makeFolder(folder, 0o711, { fs, path }) ?? folder;
  } catch (error) {
    const known = fileError(error, `The folder ${folder}`);
    if (known.reason === 'DISK_FULL') throw known;
    const why = (error as NodeJS.ErrnoException).code;
    throw new OutriggerError(
      'FILE_PERMISSION',
      `The folder ${folder} can’t be made (${why}): the option code.folder names another place.`,
      {
        cause: error,
      },
    );
  }
}

/** As `makePassage`, in one that was made so, where nobody else makes folders; it comes back where somebody cleared it away. */
export function makePassageIn(parent: string, name: string): void {
  const folder = `${parent}/${name}`;
  try {
    fs.mkdirSync(folder, { mode: 0o711 });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    return makePassage(folder);
  }
  // What the umask took.
  fs.chmodSync(folder, 0o711);
}

const PACKAGE = 'package.json';

/** Where Node, which looks upwards for the package that a file is of, finds one and goes no further. It is not there where there is none above it. */
export function packageAbove(sessions: string): string {
  return path.join(sessions, PACKAGE);
}

/** A package at home or in a temporary folder is not that of runs, which mostly may not even read it. Throws as fs does. */
export function hidePackagesAbove(sessions: string): void {
  const file = packageAbove(sessions);
  if (fs.existsSync(file)) return;
  for (let at = sessions; at !== path.dirname(at); ) {
    at = path.dirname(at);
    if (fs.lstatSync(path.join(at, PACKAGE), { throwIfNoEntry: false }) === undefined) continue;
    fs.writeFileSync(file, '{}\n');
    fs.chmodSync(file, 0o644);
    return;
  }
}

/** Throws DISK_FULL, and what else the system has to say. */
export function makePrivate(folder: string): void {
  try {
    fs.mkdirSync(folder, { mode: 0o700 });
  } catch (error) {
    throw fileError(error, 'The folder of a run');
  }
}

/** A program may have closed its folder to itself, and so to us. Answers its size as stat(2) has it. Throws as fs does. */
export function openToUs(folder: string | Buffer): number {
  const { mode, size } = fs.statSync(folder);
  if ((mode & 0o7777) !== 0o700) fs.chmodSync(folder, 0o700);
  return size;
}

/** Makes it the one that was used last. Throws as fs does. */
export function markUsed(thing: string): void {
  const now = new Date();
  fs.utimesSync(thing, now, now);
}

/**
 * Stores a file in a folder that a program may have filled with anything: it appears whole, in the place of whatever has its name, and no
 * link is followed. It is of the folder's user: who runs in it may write it as what was there when they began. Throws INPUT_TOO_LARGE, DISK_FULL, FILE_EXISTS for a folder of that name.
 */
export async function storeFile(
  folder: string,
  name: string,
  content: Uint8Array | AsyncIterable<Uint8Array>,
  maxBytes: number,
): Promise<{ size: number; sha256: string; first: number | undefined }> {
  using place = new Containment(folder).directory('');
  const temporary = path.join(place.at, `${ownName()}.tmp`);
  const hash = createHash('sha256');
  let size = 0;
  let first: number | undefined;
  try {
    const descriptor = fs.openSync(temporary, O_CREAT | O_EXCL | O_NOFOLLOW | O_WRONLY, 0o644);
    try {
      for await (const chunk of content instanceof Uint8Array ? [content] : content) {
        size += chunk.length;
        first ??= chunk[0];
        if (size > maxBytes) throw new OutriggerError('INPUT_TOO_LARGE', `${name} is larger than ${maxBytes} bytes.`);
        hash.update(chunk);
        for (let done = 0; done < chunk.length; ) done += fs.writeSync(descriptor, chunk, done);
      }
      const { uid, gid } = fs.statSync(place.at);
      if (uid !== process.getuid?.()) fs.fchownSync(descriptor, uid, gid);
    } finally {
      fs.closeSync(descriptor);
    }
    fs.renameSync(temporary, path.join(place.at, name));
    return { size, sha256: hash.digest('hex'), first };
  } catch (error) {
    fs.rmSync(temporary, { force: true });
    const known = fileError(error, name);
    if (known.reason === 'NOT_A_FILE') throw new OutriggerError('FILE_EXISTS', `${name} is a folder in this session.`, { cause: error });
    throw known;
  }
}

/**
 * Stores a file under a name that nothing has, also no link, in a folder that only we can put another one in the place of. `spare` is an empty
 * file of ours there, which becomes it: that is quicker, and who may run in that folder has not begun. Throws FILE_EXISTS, DISK_FULL.
 */
export function storeNew(folder: string, name: string, text: string, spare?: string): void {
  const file = `${folder}/${name}`;
  let descriptor: number | undefined;
  try {
    if (spare === undefined) descriptor = fs.openSync(file, O_CREAT | O_EXCL | O_NOFOLLOW | O_WRONLY, 0o644);
    else {
      fs.renameSync(`${folder}/${spare}`, file);
      descriptor = fs.openSync(file, O_NOFOLLOW | O_WRONLY);
    }
    fs.writeFileSync(descriptor, text);
  } catch (error) {
    if (descriptor !== undefined) fs.rmSync(file, { force: true });
    throw fileError(error, name);
  } finally {
    if (descriptor !== undefined) fs.closeSync(descriptor);
  }
}

/** Removes one file; what is gone is no error. */
export function removeFile(folder: string, name: string): void {
  try {
    using place = new Containment(folder).place(name, false);
    fs.rmSync(place.at, { force: true });
  } catch {
    // The folder that held it is gone, or leads elsewhere now: nothing of ours.
  }
}

/** As `removeFolder`, quicker for what is nearly always a file. */
export function removeLent(thing: string): void {
  try {
    fs.unlinkSync(thing);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') removeFolder(thing);
  }
}

/** Removes a folder, or a file, with all that is in it, also what a program closed to itself. Never throws: the next start finds what is left. */
export function removeFolder(folder: string): void {
  try {
    fs.rmSync(folder, { recursive: true, force: true });
  } catch {
    try {
      openUp(folder);
      fs.rmSync(folder, { recursive: true, force: true });
    } catch {
      // Nothing that can be done here.
    }
  }
}

/** As `removeFolder`, where a program may have left any number of things: others are served meanwhile, and what is short is done in this turn. */
export async function removeFolderInPieces(folder: string): Promise<void> {
  await inSlices(removalOf(folder));
}

/** As `removeFolder`, in steps. Who takes no more of them leaves the rest. */
export function* removalOf(folder: string): Generator<void> {
  try {
    yield* removing(folder);
  } catch {
    // It is gone, or the next start finds what is left.
  }
}

/** By descriptors, where there are paths of them: a folder that is swapped for a link meanwhile leads nowhere else. Throws as fs does. */
function* removing(thing: string | Buffer): Generator<void> {
  if (fs.lstatSync(thing).isDirectory() !== true) return fs.unlinkSync(thing);
  const descriptor = process.platform === 'linux' ? fs.openSync(thing, O_PATH | O_DIRECTORY | O_NOFOLLOW) : undefined;
  try {
    const at = descriptor === undefined ? thing : `/proc/self/fd/${descriptor}`;
    openToUs(at);
    // What goes while names are read may hide others.
    for (let wentBefore = -1, went = 0; wentBefore !== went; ) {
      wentBefore = went;
      using directory = fs.opendirSync(at as string, { encoding: 'buffer' as BufferEncoding });
      for (let entry = directory.readSync(); entry !== null; entry = directory.readSync()) {
        yield* removing(Buffer.concat([Buffer.from(at), Buffer.from('/'), entry.name as unknown as Buffer]));
        went++;
        yield;
      }
    }
  } finally {
    if (descriptor !== undefined) fs.closeSync(descriptor);
  }
  fs.rmdirSync(thing);
}

/** A file of a few bytes that was changed at a time, ms of the epoch. Throws as fs does. */
export function writeMark(file: string, content: string, at: number): void {
  fs.writeFileSync(file, content);
  fs.utimesSync(file, at / 1000, at / 1000);
}

/** Gives a folder its name, whole. Throws as fs does. */
export function moveInto(from: string, to: string): void {
  fs.renameSync(from, to);
}

/** Copies what a compiler made, a file or a folder of regular files. Throws as fs does. */
export function copyProduct(from: string, to: string): void {
  if (!fs.lstatSync(from).isDirectory()) {
    fs.copyFileSync(from, to, fs.constants.COPYFILE_FICLONE | fs.constants.COPYFILE_EXCL);
    fs.chmodSync(to, 0o755);
    return;
  }
  fs.mkdirSync(to, { mode: 0o755 });
  for (const entry of fs.readdirSync(from, { withFileTypes: true }))
    if (entry.isDirectory() || entry.isFile()) copyProduct(path.join(from, entry.name), path.join(to, entry.name));
}

/** Bytes of a file or of all files of a folder; undefined for what is neither, or has anything else in it: links, and files of other names. */
export function sizeOf(thing: string): number | undefined {
  const stat = fs.lstatSync(thing, { throwIfNoEntry: false });
  if (stat?.isFile() === true) return stat.nlink === 1 ? stat.size : undefined;
  if (stat?.isDirectory() !== true) return undefined;
  let sum = 0;
  for (const name of fs.readdirSync(thing)) {
    const size = sizeOf(path.join(thing, name));
    if (size === undefined) return undefined;
    sum += size;
  }
  return sum;
}

/** Folders that may not be entered are made so that they can be. */
function openUp(folder: string): void {
  const stat = fs.lstatSync(folder, { throwIfNoEntry: false });
  if (stat?.isDirectory() !== true) return;
  fs.chmodSync(folder, 0o700);
  for (const entry of fs.readdirSync(folder, { withFileTypes: true })) if (entry.isDirectory()) openUp(path.join(folder, entry.name));
}
