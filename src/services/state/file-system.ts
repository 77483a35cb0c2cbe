// What is known of file systems, by f_type of statfs(2).

import fs from 'node:fs';

const smbTypes: readonly (readonly [number, string])[] = [
  [0x517b, 'SMB'],
  [0xff534d42, 'CIFS'],
  [0xfe534d42, 'SMB2'],
];

/** There another machine, or the host of a virtual one, can change files without the kernel here saying so. */
const remoteTypes = new Map<number, string>([
  [0x6969, 'NFS'],
  ...smbTypes,
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
export function remoteFileSystem(root: string, typeOf = typeAt): string | null {
  try {
    return remoteTypes.get(typeOf(root) >>> 0) ?? null;
  } catch {
    // Not every platform answers statfs: then the events decide.
    return null;
  }
}

/**
 * Whether a file in the folder can't be replaced while a program has it open, be it this one: on SMB, whose client may remove the file in the attempt
 * (cifs_rename2 of Linux). Throws as fs does.
 */
export function keepsOpenFiles(folder: string, typeOf = typeAt): boolean {
  const type = typeOf(folder) >>> 0;
  return smbTypes.some(([smb]) => smb === type);
}

function typeAt(path: string): number {
  return fs.statfsSync(path).type;
}
