import { createHash, randomBytes } from 'node:crypto';
import fs from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';

/** One file of a batch, as the journal remembers it. What stands at a path is its mark: see `markOf`. */
export interface EditStep {
  /** As the edit gave it, for messages. */
  filePath: string;
  /** Relative to the real path of the folder, with the system's separators; never goes through a link. */
  at: string;
  /** What has to stand there before; null when nothing does. */
  before: string | null;
  /** What stands there when the step is done; null when it is deleted. */
  after: string | null;
  /** Beside its target, for content that is to come; its name alone. */
  temporary: string | undefined;
  /** Beside its target, for what was there before, while it is put back; its name alone. */
  aside: string;
  /** In the journal's folder: the content before. */
  backup: string | undefined;
  /** Permission bits, owner and group of the file before. */
  mode: number | undefined;
  uid: number | undefined;
  gid: number | undefined;
}

/**
 * `staging`: no target was touched yet. `forward`: it is decided that the batch stands, and targets are being replaced. `back`: it is
 * decided that it does not, and targets are being put back.
 */
export type JournalState = 'staging' | 'forward' | 'back';

export interface EditJournal {
  version: 1;
  state: JournalState;
  /** Real path of the folder. */
  root: string;
  steps: EditStep[];
  /** Folders made for the batch, outermost first, relative to the folder. */
  folders: string[];
}

const file = 'journal.json';

/**
 * Where the journal of a folder lies when the host names no place: below the user's own state, beside that of the sidecar and never in
 * the folder. It has to be the same at each start, or what was half done is not found.
 */
export function defaultJournalFolder(env: Readonly<Record<string, string | undefined>> = process.env): string {
  // Set to nothing is not set, as for the sidecar.
  const state = env['XDG_STATE_HOME'] || env['LOCALAPPDATA'] || path.join(os.homedir(), '.local', 'state');
  return path.join(state, 'outrigger', 'edits');
}

/** The private folder of one root. Whoever holds the lock in it may rely on it being there. */
export function journalFolder(base: string, realRoot: string): string {
  return path.join(base, createHash('sha256').update(realRoot).digest('hex').slice(0, 16));
}

/** Undefined when there is none. Throws when there is one that can't be read: going on would lose what it knows. */
export async function readJournal(folder: string): Promise<EditJournal | undefined> {
  let text: string;
  try {
    text = await fs.readFile(path.join(folder, file), 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
  const journal = JSON.parse(text) as EditJournal;
  if (journal.version !== 1) throw new Error(`The journal ${path.join(folder, file)} is of a newer version.`);
  return journal;
}

/** Replaces it whole; what was decided is on the disk when this resolves. */
export async function writeJournal(folder: string, journal: EditJournal): Promise<void> {
  const aside = path.join(folder, `${file}.${randomBytes(4).toString('hex')}`);
  await writeSynced(aside, Buffer.from(JSON.stringify(journal)), 0o600);
  await renameOver(aside, path.join(folder, file));
  await syncFolder(folder);
}

/** The batch is over: first the journal, then what it pointed at. Once the journal is gone nothing can be undone, so nothing may fail either. */
export async function clearJournal(folder: string): Promise<void> {
  await fs.rm(path.join(folder, file), { force: true });
  try {
    await syncFolder(folder);
    for (const name of await fs.readdir(folder)) {
      if (name.startsWith('before-') || name.startsWith(`${file}.`)) await fs.rm(path.join(folder, name), { force: true });
    }
  } catch {
    // What is left over is no part of any batch, and the next one removes it.
  }
}

/** A new file with this content and these permission bits (without any, as the umask says), synced to disk. */
export async function writeSynced(at: string, content: Uint8Array, mode?: number): Promise<void> {
  const handle = await fs.open(at, 'wx', mode ?? 0o666);
  try {
    await handle.writeFile(content);
    // The umask took bits that the file before had.
    if (mode !== undefined && process.platform !== 'win32') await handle.chmod(mode);
    await handle.sync();
  } finally {
    await handle.close();
  }
}

const renameTries = 20;
const renamePauseMs = 25;

/** On Windows a file that another program has open for a moment (an indexer, a scanner) can't be replaced for that moment. */
export async function renameOver(from: string, to: string): Promise<void> {
  for (let tries = 1; ; tries++) {
    try {
      await fs.rename(from, to);
      return;
    } catch (error) {
      const passing = ['EPERM', 'EACCES', 'EBUSY'].includes((error as NodeJS.ErrnoException).code ?? '');
      if (process.platform !== 'win32' || !passing || tries >= renameTries) throw error;
      await new Promise((resolve) => setTimeout(resolve, renamePauseMs));
    }
  }
}

/** Makes renames in it outlive a power cut, where folders can be synced; Windows has no such call. */
export async function syncFolder(folder: string): Promise<void> {
  if (process.platform === 'win32') return;
  const handle = await fs.open(folder, 'r');
  try {
    await handle.sync();
  } catch {
    // Some file systems refuse it for folders; then there is nothing to be had.
  } finally {
    await handle.close();
  }
}

/** What stands at a path: the sha256 of a file, the target of a link, the kind of anything else; null when nothing does. */
export async function markOf(at: string): Promise<string | null> {
  try {
    const stat = await fs.lstat(at);
    if (stat.isSymbolicLink()) return `link:${await fs.readlink(at)}`;
    if (!stat.isFile()) return 'other';
    return sha256(await fs.readFile(at));
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENOTDIR') return null;
    throw error;
  }
}

export function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}
