// For tests: removals and renames as clients of NFS (fs/nfs/dir.c, fs/nfs/unlink.c of Linux) and of SMB (fs/smb/client/inode.c) do them.
import fs from 'node:fs';
import { constants } from 'node:os';
import path from 'node:path';
import type { TestContext } from 'node:test';
import { O_PATH } from '../../src/services/workspace/containment.ts';

/**
 * Until the end of the test a file that this process has open keeps a name when another is put in its place, or when it is removed: `.nfs` and 24 digits, in
 * the same folder, as long as it is open. By that name it can't be removed (EBUSY). An open folder that was removed is stale.
 */
export function likeOnNfs({ mock }: TestContext): void {
  const [rename, unlink, close] = [fs.renameSync.bind(fs), fs.unlinkSync.bind(fs), fs.closeSync.bind(fs)];
  const stat = fs.statSync.bind(fs) as (at: string, options?: fs.StatSyncOptions) => fs.Stats | undefined;
  volumeOf(mock, 0x6969);
  let count = 0;
  /** False where nobody has it open. */
  const keep = (at: string): boolean => {
    const place = path.join(fs.realpathSync(path.dirname(at)), path.basename(at));
    if (!openFiles().includes(place)) return false;
    rename(place, path.join(path.dirname(place), `.nfs${(++count).toString(16).padStart(24, '0')}`));
    return true;
  };
  mock.method(fs, 'renameSync', (from: string, to: string) => {
    keep(to);
    rename(from, to);
  });
  mock.method(fs, 'unlinkSync', (name: string | Buffer) => {
    const at = String(name);
    if (path.basename(at).startsWith('.nfs')) throw Object.assign(new Error('EBUSY'), { code: 'EBUSY' });
    if (!keep(at)) unlink(name);
  });
  mock.method(fs, 'statSync', (at: string, options?: fs.StatSyncOptions) => {
    const found = stat(at, options);
    if (found?.isDirectory() !== true || found.nlink > 0) return found;
    const code = `Unknown system error ${-constants.errno.ESTALE}`;
    throw Object.assign(new Error(code), { errno: -constants.errno.ESTALE, code });
  });
  mock.method(fs, 'closeSync', (descriptor: number) => {
    const name = nameOf(descriptor) ?? '';
    close(descriptor);
    if (path.basename(name).startsWith('.nfs') && !openFiles().includes(name)) unlink(name);
  });
}

/** Until the end of the test no file can be replaced that this process has open to read or to write: it is removed in the attempt (EACCES). */
export function likeOnSmb({ mock }: TestContext): void {
  const rename = fs.renameSync.bind(fs);
  volumeOf(mock, 0xfe534d42);
  mock.method(fs, 'renameSync', (from: string, to: string) => {
    const place = path.join(fs.realpathSync(path.dirname(to)), path.basename(to));
    const isOpen = fs.readdirSync('/proc/self/fd').some((descriptor) => nameOf(descriptor) === place && !isPathOnly(descriptor));
    if (!isOpen) return rename(from, to);
    fs.unlinkSync(to);
    throw Object.assign(new Error('EACCES'), { code: 'EACCES' });
  });
}

/** Of this type, as statfs(2) tells it. */
function volumeOf(mock: TestContext['mock'], type: number): void {
  const statfs = fs.statfsSync.bind(fs);
  mock.method(fs, 'statfsSync', (at: string) => ({ ...statfs(at), type }));
}

function isPathOnly(descriptor: string): boolean {
  const flags = /^flags:\s*(\d+)$/m.exec(fs.readFileSync(`/proc/self/fdinfo/${descriptor}`, 'utf8'))?.[1] ?? '0';
  return (Number.parseInt(flags, 8) & O_PATH) !== 0;
}

function openFiles(): (string | undefined)[] {
  return fs.readdirSync('/proc/self/fd').map(nameOf);
}

function nameOf(descriptor: number | string): string | undefined {
  try {
    return fs.readlinkSync(`/proc/self/fd/${descriptor}`);
  } catch {
    return undefined;
  }
}
