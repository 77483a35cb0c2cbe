import fs from 'node:fs';

/** A FIFO would block a plain open, and a symlink would lead elsewhere. Windows has neither flag. */
const readingFlags = fs.constants.O_RDONLY | (fs.constants.O_NOFOLLOW ?? 0) | (fs.constants.O_NONBLOCK ?? 0);

/** A descriptor to read from. Throws the system's error, also for a symlink. */
export function openForReading(file: string): number {
  return fs.openSync(file, readingFlags);
}

/** The same without keeping others waiting. */
export function openHandle(file: string): Promise<fs.promises.FileHandle> {
  return fs.promises.open(file, readingFlags);
}
