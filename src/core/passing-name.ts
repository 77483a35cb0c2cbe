/** Files of ours that are being written. */
export const OWN_TEMPORARY = /^\.outrigger-[0-9a-f]{12}\.tmp$/;
// What a client of NFS calls a file that lost its name while a program here has it open (fs/nfs/unlink.c of Linux), and what libfuse does (lib/fuse.c).
const nameless = /^\.(?:nfs[0-9a-f]{24}|fuse_hidden[0-9a-f]{16})$/;

/**
 * Whether a file of this name is nobody's: one of ours that is about to be renamed into its place, or one that was removed or replaced while a program has it
 * open, on a file system that keeps those by a name. It is no part of the folder, and nearly always gone in a moment.
 */
export function isPassingName(name: string): boolean {
  return name.startsWith('.') && (OWN_TEMPORARY.test(name) || nameless.test(name));
}

/** Whether this is the name of a removed file which a program has open. */
export function isNamelessFile(name: string): boolean {
  return nameless.test(name);
}
