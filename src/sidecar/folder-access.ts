import fs from 'node:fs';

/** Why nothing can be made in a folder itself, though nobody said so; undefined where it can, or where there is no such folder. */
export function whyUnwritable(folder: string, access: (folder: string, mode: number) => void = fs.accessSync): string | undefined {
  try {
    access(folder, fs.constants.W_OK | fs.constants.X_OK);
    return undefined;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'EROFS') return 'the folder is on a read-only file system.';
    if (code !== 'EACCES' && code !== 'EPERM') return undefined;
    return `the folder may not be written by the user that the sidecar runs as (${process.getuid?.() ?? 'its own'}).`;
  }
}
