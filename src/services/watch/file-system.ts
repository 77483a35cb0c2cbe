// What is known of file systems: on which of them another machine (or the host of a virtual one) can change files without the kernel here saying so.

import { statfsSync } from 'node:fs';

// f_type of statfs(2).
const remoteTypes = new Map<number, string>([
  [0x6969, 'NFS'],
  [0x517b, 'SMB'],
  [0xff534d42, 'CIFS'],
  [0xfe534d42, 'SMB2'],
  [0x65735546, 'FUSE or VirtioFS'],
  [0x01021997, '9P'],
  [0x5346414f, 'AFS'],
  [0x00c36400, 'CephFS'],
  [0x0bd00bd0, 'Lustre'],
  [0x47504653, 'GPFS'],
  [0x786f4256, 'VirtualBox shared folder'],
  [0xbacbacbc, 'VMware shared folder'],
  [0x7c7c6673, 'Parallels shared folder'],
]);

/** The name of the file system when change events there can't be relied on, else null. */
export function remoteFileSystem(root: string, typeOf: (path: string) => number = (path) => statfsSync(path).type): string | null {
  try {
    return remoteTypes.get(typeOf(root) >>> 0) ?? null;
  } catch {
    // Not every platform answers statfs: then the events decide.
    return null;
  }
}

/** The process, or the machine, has no file descriptor left: what could not be opened may well be there. */
export function lacksDescriptors(error: unknown): error is Error {
  const { code } = error as NodeJS.ErrnoException;
  return code === 'EMFILE' || code === 'ENFILE';
}
