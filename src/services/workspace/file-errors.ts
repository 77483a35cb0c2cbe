import { type ErrorReason, OutriggerError } from '../../contract/errors.ts';
import { errnoOf } from '../state/errno.ts';

const reasons: Readonly<Record<string, [ErrorReason, string]>> = {
  ENOENT: ['FILE_NOT_FOUND', 'is not there'],
  ENOTDIR: ['NOT_A_DIRECTORY', 'has a part that is not a folder'],
  EISDIR: ['NOT_A_FILE', 'is a folder'],
  EEXIST: ['FILE_EXISTS', 'exists already'],
  ENOTEMPTY: ['NOT_EMPTY', 'is a folder that is not empty'],
  EACCES: ['FILE_PERMISSION', 'is refused by the operating system'],
  EPERM: ['FILE_PERMISSION', 'is refused by the operating system'],
  EROFS: ['FILE_PERMISSION', 'is on a read-only file system'],
  ETXTBSY: ['BUSY_FILE', 'is a program that runs'],
  EBUSY: ['BUSY_FILE', 'is in use'],
  ENAMETOOLONG: ['NAME_TOO_LONG', 'has a name that is too long'],
  ELOOP: ['PATH_ESCAPES', 'is a link, or has a chain of links without an end'],
  ENXIO: ['NOT_A_FILE', 'is not a regular file'],
  ENOSPC: ['DISK_FULL', 'could not be written: the disk is full'],
  EDQUOT: ['DISK_FULL', 'could not be written: the quota is used up'],
  EFBIG: ['DISK_FULL', 'could not be written: it is larger than the file system or a limit allows'],
  EMFILE: ['TOO_MANY_FILES', 'could not be opened: too many open files'],
  ENFILE: ['TOO_MANY_FILES', 'could not be opened: too many open files'],
  ESTALE: ['WORKSPACE_GONE', 'is on a volume that went away'],
  ENOTCONN: ['WORKSPACE_GONE', 'is on a volume that went away'],
};

/** What the operating system said about `path` ('' is the workspace), in our words; what it never says comes back as it is. */
export function fileError(error: unknown, path: string): OutriggerError {
  if (error instanceof OutriggerError) return error;
  const known = reasons[errnoOf(error) ?? ''];
  const name = path === '' ? 'The workspace' : path;
  if (known === undefined) return new OutriggerError('INTERNAL', `${name} could not be used.`, { cause: error });
  return new OutriggerError(known[0], `${name} ${known[1]}.`, { cause: error });
}
