// What is known of file systems, by f_type of statfs(2).

import fs from 'node:fs';

const NFS = 'NFS';
const FUSE = 'FUSE or VirtioFS';
const smbTypes: readonly (readonly [number, string])[] = [
  [0x517b, 'SMB'],
  [0xff534d42, 'CIFS'],
  [0xfe534d42, 'SMB2'],
];

/** There another machine, or the host of a virtual one, can change files without the kernel here saying so. */
const remoteTypes = new Map<number, string>([
  [0x6969, NFS],
  ...smbTypes,
  [0x65735546, FUSE],
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
 * What becomes of a file in the folder that is open when another is put in its place: it has no name any more; it is named otherwise by its file system, in the
 * folder, as long as it is open (NFS, FUSE); or it can't be replaced (SMB), and the client may remove it in the attempt (cifs_rename2 of Linux).
 */
export function openWhenReplaced(folder: string, typeOf = typeAt): 'nameless' | 'named' | 'refused' {
  const name = remoteFileSystem(folder, typeOf);
  if (smbTypes.some(([, smb]) => smb === name)) return 'refused';
  return name === NFS || name === FUSE ? 'named' : 'nameless';
}

function typeAt(path: string): number {
  return fs.statfsSync(path).type;
}
