// The watch's table on disk, so that the next start can say what changed while nobody watched. JSON lines: a header with the mark up to which it knows all, one
// line a directory, a footer with the paths whose last change was not told, and a checksum over all that comes before it. What does not check out is no snapshot.

import { readFileSync } from 'node:fs';
import { open, rename, rm } from 'node:fs/promises';
import { sha256 } from './digests.ts';
import { lacksDescriptors } from '../state/errno.ts';

type DirectoryLine = [path: string, ...namesAndKeys: (string | null)[]];

export interface SnapshotDirectory {
  path: string;
  /** Name → packed key, null for a directory. */
  entries: [name: string, packed: string | null][];
}

export interface Snapshot {
  mark: number;
  directories: () => Generator<SnapshotDirectory>;
  /** Their last state was seen but not told. */
  untold: Set<string>;
}

const format = 'outrigger-watch-2';
const writeBytes = 256 * 1024;

/** Written beside its place and renamed into it. `untold` is asked last. Returns false, and leaves the old one, when `isStale` says so meanwhile. */
export async function writeSnapshot(
  path: string,
  mark: number,
  directories: Iterable<SnapshotDirectory>,
  untold: () => Iterable<string>,
  isStale: () => boolean,
): Promise<boolean> {
  const temporary = `${path}.tmp`;
  const file = await open(temporary, 'w', 0o600);
  const checksum = sha256();
  let text = `${JSON.stringify({ format, mark })}\n`;
  const flush = async (): Promise<void> => {
    const bytes = Buffer.from(text);
    text = '';
    checksum.update(bytes);
    await file.writeFile(bytes);
  };
  try {
    for (const directory of directories) {
      const line: DirectoryLine = [directory.path];
      for (const [name, packed] of directory.entries) line.push(name, packed);
      text += `${JSON.stringify(line)}\n`;
      if (text.length >= writeBytes) await flush();
      if (isStale()) break;
    }
    if (isStale()) return false;
    text += `${JSON.stringify({ untold: [...new Set(untold())] })}\n`;
    await flush();
    await file.writeFile(`${checksum.digest('hex')}\n`);
    await file.close();
    await rename(temporary, path);
    return true;
  } finally {
    // Closed twice is an error that says nothing, and after the rename there is nothing to remove.
    await file.close().catch(() => {});
    await rm(temporary, { force: true });
  }
}

/** Throws EMFILE and ENFILE: that there is no descriptor for it says nothing of the snapshot. */
export function readSnapshot(path: string): Snapshot | 'none' | 'corrupt' {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    if (lacksDescriptors(error)) throw error;
    return (error as NodeJS.ErrnoException).code === 'ENOENT' ? 'none' : 'corrupt';
  }
  const checksumAt = text.length - 65;
  const body = text.slice(0, Math.max(checksumAt, 0));
  if (checksumAt < 0 || sha256().update(body).digest('hex') !== text.slice(checksumAt, -1) || !text.endsWith('\n')) return 'corrupt';
  try {
    const headerEnd = body.indexOf('\n');
    const header = JSON.parse(body.slice(0, headerEnd)) as { format?: unknown; mark?: unknown };
    const footerAt = body.lastIndexOf('\n', body.length - 2) + 1;
    const footer = JSON.parse(body.slice(footerAt)) as { untold: string[] };
    const { mark } = header;
    if (header.format !== format || typeof mark !== 'number' || !Array.isArray(footer.untold)) return 'corrupt';
    return { mark, directories: () => parseDirectories(body, headerEnd + 1, footerAt), untold: new Set(footer.untold) };
  } catch {
    return 'corrupt';
  }
}

function* parseDirectories(body: string, from: number, to: number): Generator<SnapshotDirectory> {
  for (let start = from; start < to; ) {
    const end = body.indexOf('\n', start);
    const [path, ...rest] = JSON.parse(body.slice(start, end)) as DirectoryLine;
    const entries: [string, string | null][] = [];
    for (let index = 0; index < rest.length; index += 2) entries.push([rest[index] as string, rest[index + 1] as string | null]);
    yield { path, entries };
    start = end + 1;
  }
}
