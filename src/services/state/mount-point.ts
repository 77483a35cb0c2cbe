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
  const mounts = readMounts();
  // Another device alone says little: each subvolume of btrfs has its own.
  if (mounts === undefined) return process.platform !== 'linux' && fs.statSync(folder).dev !== fs.statSync(path.dirname(folder)).dev;
  return mounts.some(({ at }) => at === folder);
}

/** What the kernel makes up: files that are other ones at each look, and none of which a disk has. */
const virtual: ReadonlySet<string> = new Set([
  ...['proc', 'sysfs', 'cgroup', 'cgroup2', 'devtmpfs', 'devpts', 'mqueue', 'hugetlbfs', 'debugfs', 'tracefs', 'securityfs', 'selinuxfs'],
  ...['pstore', 'efivarfs', 'configfs', 'fusectl', 'binfmt_misc', 'bpf', 'nsfs', 'rpc_pipefs'],
]);

/** Where file systems are mounted that hold no files of anybody, such as /proc. */
export function virtualMounts(mounts = readMounts() ?? []): string[] {
  return mounts.flatMap(({ at, type }) => (virtual.has(type) ? [at] : []));
}

interface Mount {
  at: string;
  type: string;
}

/** Undefined where there is no such list. */
function readMounts(): Mount[] | undefined {
  try {
    return parseMounts(fs.readFileSync('/proc/self/mountinfo', 'utf8'));
  } catch {
    return undefined;
  }
}

/** proc_pid_mountinfo(5): the fifth field is the place, in which white space and the backslash are octal; the type comes after a lone dash. */
export function parseMounts(text: string): Mount[] {
  const unescape = (field: string): string =>
    field.replace(/\\(\d{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)));
  return text.split('\n').flatMap((line) => {
    const fields = line.split(' ');
    const [at, type] = [fields[4], fields[fields.indexOf('-', 6) + 1]];
    return at === undefined || type === undefined ? [] : [{ at: unescape(at), type }];
  });
}
