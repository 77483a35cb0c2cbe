import { OutriggerError } from '../../contract/errors.ts';

const MAX_STDERR = 4000;
/** What git says of an object that is not there, or has the name that repositories of another format have. */
const LOST =
  /bad object|unable to read tree|invalid object|not a tree object|unable to find|Could not read|missing object|not a valid (SHA1|object name)/i;

/** Why git could not do it, in our words. `stderr` is English. */
export function storeError(exitCode: number | null, stderr: string): OutriggerError {
  const said = stderr.trim().slice(0, MAX_STDERR);
  const details = { exitCode, stderr: said };
  if (/No space left on device|Disk quota exceeded|Out of diskspace/i.test(said))
    return new OutriggerError('DISK_FULL', 'The disk is full, so no checkpoint was made; those made before are as they were.', {
      details,
      hint: 'Free space where the state lives, or set the option `state`; and on the disk of the repository.',
    });
  if (LOST.test(said))
    return new OutriggerError('CHECKPOINT_LOST', 'What the checkpoint holds is not in the repository any more.', { details });
  const first = said.split('\n').find((line) => /^(fatal|error):/.test(line)) ?? said.split('\n')[0] ?? '';
  return new OutriggerError(
    'GIT_FAILED',
    `checkpoint: ${first.replace(/^(fatal|error): /, '') || `git ended with ${exitCode ?? 'a signal'}`}`,
    {
      details,
    },
  );
}
