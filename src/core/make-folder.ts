/** What making folders takes; Node's `fs` and `path` have it. */
export interface FolderMaking {
  fs: {
    statSync(at: string, options: { throwIfNoEntry: false }): { isDirectory(): boolean } | undefined;
    mkdirSync(at: string, options: { mode: number }): unknown;
  };
  path: { dirname(at: string): string };
}

/**
 * Makes a folder with those above it that are missing. Answers the first that was not there; undefined where all were. Throws what `fs` throws.
 * Node's own `recursive` never ends where a folder can't be made though the one above is there, as in /proc.
 */
export function makeFolder(folder: string, mode: number, making: FolderMaking): string | undefined {
  const { fs, path } = making;
  const isThere = (): boolean => fs.statSync(folder, { throwIfNoEntry: false })?.isDirectory() === true;
  if (isThere()) return undefined;
  const parent = path.dirname(folder);
  const first = parent === folder ? undefined : makeFolder(parent, mode, making);
  try {
    fs.mkdirSync(folder, { mode });
  } catch (error) {
    // Another was faster.
    if (!isThere()) throw error;
  }
  return first ?? folder;
}
