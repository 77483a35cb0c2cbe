import fs from 'node:fs';
import path from 'node:path';

/**
 * A folder that may be where a volume is mounted. When the volume goes, an empty folder stands under the same name: what is written there is hidden as soon
 * as the volume is back, and what is missing there was not removed.
 */
export class MountPoint {
  readonly #root: string;
  /** The device below the mount; undefined when nothing is mounted at the root itself. */
  readonly #below: number | undefined;

  /** `root` is absolute, without links, and there. Throws what stat(2) says. */
  constructor(root: string) {
    this.#root = root;
    const below = fs.statSync(path.dirname(root)).dev;
    if (fs.statSync(root).dev !== below && isMountPoint(root)) this.#below = below;
  }

  /** Also where the folder went with its volume. Costs nothing where nothing was mounted. */
  get isUnmounted(): boolean {
    if (this.#below === undefined) return false;
    const stat = fs.statSync(this.#root, { throwIfNoEntry: false });
    return stat === undefined || stat.dev === this.#below;
  }
}

/** Whether something is mounted at a folder itself, be it of the same device. `folder` is absolute, without links, and there. */
export function isMountPoint(folder: string): boolean {
  let mounts: string;
  try {
    // Another device alone says little: each subvolume of btrfs has its own.
    mounts = fs.readFileSync('/proc/self/mountinfo', 'utf8');
  } catch {
    return process.platform !== 'linux' && fs.statSync(folder).dev !== fs.statSync(path.dirname(folder)).dev;
  }
  // proc_pid_mountinfo(5): the fifth field, in which white space and the backslash are octal.
  const unescape = (field: string): string =>
    field.replace(/\\(\d{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)));
  return mounts.split('\n').some((line) => unescape(line.split(' ')[4] ?? '') === folder);
}
