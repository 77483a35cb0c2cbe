import { OutriggerError } from '../../contract/errors.ts';
import { errnoOf } from '../state/errno.ts';

/** Of processes, memory and descriptors; and of time, in which somebody answers. */
const noRoom = ['EAGAIN', 'ENOMEM', 'EMFILE', 'ENFILE', 'ETIMEDOUT'];
const noDisk = ['ENOSPC', 'EDQUOT'];

/**
 * What the system lacks for a start just now, and may have in a moment: TOO_MANY_PROCESSES or DISK_FULL. Undefined for any other error.
 * `what`: what was to be started, in words.
 */
export function shortageOf(what: string, error: unknown): OutriggerError | undefined {
  if (error instanceof OutriggerError) return ['TOO_MANY_PROCESSES', 'DISK_FULL'].includes(error.reason) ? error : undefined;
  const code = errnoOf(error) ?? '';
  if (noDisk.includes(code)) return new OutriggerError('DISK_FULL', `The disk has no room for ${what}: ${code}.`, { cause: error });
  if (noRoom.includes(code))
    return new OutriggerError('TOO_MANY_PROCESSES', `The system has no room for ${what}: ${code}.`, { cause: error });
  return undefined;
}
