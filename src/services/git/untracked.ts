import { constants } from 'node:fs';
import fs from 'node:fs/promises';
import path from 'node:path';
import { baseName } from '../../contract/paths.ts';
import { isPassingName } from '../../core/passing-name.ts';
import { splitNul } from '../../core/split-nul.ts';
import { type Git, MAX_LIST_BYTES, type Repository } from './git.ts';
import { gitPath } from './git-path.ts';
import { type PatchFile, withIds } from './parse-patch.ts';

/** Files that are read for one answer. */
const MAX_FILES = 1000;
/** Bytes in which a NUL makes a file binary, as git has it. */
const BINARY_PROBE_BYTES = 8000;
/** A folder that is no part of any path here. */
const none = new Uint8Array();

/**
 * Files that git does not know and does not ignore, each as if it were new: all of it one hunk, with its bytes as they are in the
 * folder. `truncated`: there are more, or larger ones, than one answer holds.
 */
export async function untrackedFiles(
  git: Git,
  repository: Repository,
  paths: readonly string[],
  signal: AbortSignal | undefined,
): Promise<{ files: PatchFile[]; truncated: boolean }> {
  const args = ['ls-files', '--others', '--exclude-standard', '-z'];
  const { stdout, omittedBytes } = await git.read('diff', repository, args, { signal, maxOutputBytes: MAX_LIST_BYTES, about: paths });
  // A name that ends with a slash is a repository of its own.
  const names = splitNul(stdout).filter((name) => name.at(-1) !== 0x2f && !isPassingName(baseName(Buffer.from(name).toString())));
  const files: PatchFile[] = [];
  let left = git.options.maxTextBytes;
  for (const name of names.slice(0, MAX_FILES)) {
    signal?.throwIfAborted();
    const file = await readUntracked(git.options.root, name, left);
    if (file === undefined) continue;
    left -= file.hunks[0]?.body.length ?? 0;
    files.push(file);
  }
  return { files, truncated: omittedBytes > 0 || names.length > MAX_FILES || files.some(({ cut }) => cut) };
}

/** Undefined when it is gone again, or nothing that git would keep. */
async function readUntracked(root: string, name: Uint8Array, most: number): Promise<PatchFile | undefined> {
  const shown = gitPath(name, none);
  const found = await contentOf(Buffer.concat([Buffer.from(`${root}${path.sep}`), name]), most);
  if (shown === undefined || found === undefined) return undefined;
  const { mode, content } = found;
  const isBinary = content?.subarray(0, BINARY_PROBE_BYTES).includes(0) === true;
  const hunk = content === undefined || isBinary || content.length === 0 ? [] : withIds(name, [wholeFile(content)]);
  return {
    path: shown,
    status: 'added',
    oldMode: '000000',
    newMode: mode,
    binary: isBinary,
    header: undefined,
    hunks: hunk,
    cut: content === undefined,
    untracked: true,
  };
}

/** `content` is undefined where the file is larger than `most` bytes. */
async function contentOf(file: Buffer, most: number): Promise<{ mode: string; content: Buffer | undefined } | undefined> {
  let handle: fs.FileHandle | undefined;
  try {
    if ((await fs.lstat(file)).isSymbolicLink()) return { mode: '120000', content: await fs.readlink(file, 'buffer') };
    // It may have become a link or a pipe this moment: neither is followed, nor waited for.
    handle = await fs.open(file, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
    const facts = await handle.stat();
    if (!facts.isFile()) return undefined;
    const mode = (facts.mode & 0o100) === 0 ? '100644' : '100755';
    return { mode, content: facts.size > most ? undefined : await handle.readFile() };
  } catch {
    // Gone, or not ours to read: git says so when it is to be staged.
    return undefined;
  } finally {
    await handle?.close();
  }
}

function wholeFile(content: Buffer): Omit<PatchFile['hunks'][number], 'id'> {
  const text = content.toString('latin1');
  const isEnded = text.endsWith('\n');
  const lines = (isEnded ? text.slice(0, -1) : text).split('\n');
  const body = `${lines.map((line) => `+${line}\n`).join('')}${isEnded ? '' : '\\ No newline at end of file\n'}`;
  return { oldStart: 0, oldLines: 0, newStart: 1, newLines: lines.length, heading: '', body };
}
