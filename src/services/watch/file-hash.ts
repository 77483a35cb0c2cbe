// The content of a file as it stood still: what changes while it is read is not hashed.

import { closeSync, constants, fstatSync, openSync, read as readWithCallback, readSync, type Stats } from 'node:fs';
import { promisify } from 'node:util';
import { sha256, sha256Of } from './digests.ts';
import { keyOfStats, type StatKey, sameKey } from './stat-key.ts';

const read = promisify(readWithCallback);

/** 'changed': it is not, or no longer, what the key says; look again. */
export type HashResult = { outcome: 'hashed'; hash: string | null; key: StatKey } | { outcome: 'changed' };

export interface HashRequest {
  /** Absolute. */
  path: string;
  /** What it should be; null takes what is there, even if it changes meanwhile. */
  key: StatKey | null;
  /** Above this the hash is null. */
  maxBytes: number;
}

/** Up to this, a file is read in one go. */
const smallBytes = 256 * 1024;
const chunkBytes = 256 * 1024;
const small = Buffer.allocUnsafe(smallBytes + 1);
// A FIFO that took the file's place would block a plain open, and a symlink would lead elsewhere. Windows has neither flag.
const openFlags = constants.O_RDONLY | (constants.O_NOFOLLOW ?? 0) | (constants.O_NONBLOCK ?? 0);

/** Answers at once for small files; a promise for those that are read in pieces. */
export function hashFile(request: HashRequest): HashResult | Promise<HashResult> {
  let descriptor: number;
  try {
    descriptor = openSync(request.path, openFlags);
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    // It is there, but not for us: known by its stat alone.
    if ((code === 'EACCES' || code === 'EPERM') && request.key) return { outcome: 'hashed', hash: null, key: request.key };
    return { outcome: 'changed' };
  }
  let pieces: Promise<HashResult> | null = null;
  try {
    const stats = fstatSync(descriptor);
    const key = keyOfStats(stats);
    if (!stats.isFile() || (request.key && !sameKey(request.key, key))) return { outcome: 'changed' };
    if (stats.size > request.maxBytes) return { outcome: 'hashed', hash: null, key };
    if (stats.size > smallBytes) {
      pieces = hashInPieces(descriptor, key, request).finally(() => closeSync(descriptor));
      return pieces;
    }
    let length = 0;
    for (let got = -1; got !== 0 && length <= smallBytes; length += got)
      got = readSync(descriptor, small, length, smallBytes + 1 - length, null);
    const after = fstatSync(descriptor);
    if (request.key && (length !== stats.size || !sameKey(key, keyOfStats(after)))) return { outcome: 'changed' };
    return { outcome: 'hashed', hash: sha256Of(small.subarray(0, length)), key: keyOfStats(after) };
  } catch {
    // EIO, or a file on a volume that went away: another look decides.
    return { outcome: 'changed' };
  } finally {
    if (!pieces) closeSync(descriptor);
  }
}

async function hashInPieces(descriptor: number, key: StatKey, request: HashRequest): Promise<HashResult> {
  const buffer = Buffer.allocUnsafe(chunkBytes);
  const hash = sha256();
  let length = 0;
  let stats: Stats;
  try {
    for (;;) {
      const { bytesRead } = await read(descriptor, buffer, 0, chunkBytes, null);
      if (bytesRead === 0) break;
      hash.update(buffer.subarray(0, bytesRead));
      length += bytesRead;
      // It may grow faster than it is read.
      if (length > request.maxBytes || (request.key && length > key.size)) return { outcome: 'changed' };
    }
    stats = fstatSync(descriptor);
  } catch {
    return { outcome: 'changed' };
  }
  const after = keyOfStats(stats);
  if (request.key && (length !== key.size || !sameKey(key, after))) return { outcome: 'changed' };
  return { outcome: 'hashed', hash: hash.digest('hex'), key: after };
}
