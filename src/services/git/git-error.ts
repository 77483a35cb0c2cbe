import { OutriggerError } from '../../contract/errors.ts';

const MAX_STDERR = 4000;

/** Why git said no, in our words. `stderr` is English: every call runs with LC_ALL=C. */
export function gitError(action: string, exitCode: number | null, stderr: string): OutriggerError {
  const said = redact(stderr.trim()).slice(0, MAX_STDERR);
  const lock = /Unable to create '([^']*)\.lock': File exists/.exec(stderr)?.[1];
  if (lock !== undefined) {
    const name = `${lock.slice(lock.lastIndexOf('/') + 1)}.lock`;
    return new OutriggerError(
      'GIT_LOCKED',
      `${action}: another git command holds ${name}, or one that was ended left it. If none runs, remove ${name} from the git folder.`,
      {
        details: { lock: name, stderr: said },
      },
    );
  }
  if (isNoRepository(stderr)) return new OutriggerError('NO_REPOSITORY', 'The folder is no git repository.');
  if (stderr.includes('detected dubious ownership')) {
    return new OutriggerError(
      'GIT_FAILED',
      `${action}: the repository belongs to another user, so git does not trust it. Add its folder to safe.directory of your own git config.`,
      {
        details: { exitCode, stderr: said },
      },
    );
  }
  const first = said.split('\n').find((line) => /^(fatal|error):/.test(line)) ?? said.split('\n')[0] ?? '';
  return new OutriggerError(
    'GIT_FAILED',
    `${action}: ${first === '' ? `git ended with ${exitCode ?? 'a signal'}` : first.replace(/^(fatal|error): /, '')}`,
    { details: { exitCode, stderr: said } },
  );
}

/** None at all, here or above; a link to one that is gone is another matter. */
export function isNoRepository(stderr: string): boolean {
  return stderr.includes('not a git repository (or any');
}

/** User, password and token out of addresses. */
export function redact(text: string): string {
  return text
    .replace(/(\b[a-z][a-z0-9+.-]*:\/\/)[^\s/@'"]+@/gi, '$1[redacted]@')
    .replace(/([?&](?:access_token|token|private_token)=)[^\s&'"]+/gi, '$1[redacted]');
}
