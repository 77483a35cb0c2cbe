import { OutriggerError } from '../../contract/errors.ts';

const MAX_STDERR = 4000;
/**
 * Of the disk here: what the other side of a conversation says begins with its own word. Of the file of a ref, some bytes that it holds locked already, git says
 * no more than that it could not be written (refs/files-backend.c).
 */
const NO_ROOM = /^(?!remote: ).*(?:No space left on device|Disk quota exceeded|Out of diskspace|couldn't write '[^']*\.lock')/im;

/** Why git said no, in our words. `stderr` is English: every call runs with LC_ALL=C. */
export function gitError(action: string, exitCode: number | null, stderr: string): OutriggerError {
  const all = redact(stderr.trim());
  const said = all.slice(0, MAX_STDERR);
  const lock = /Unable to create '([^']*)\.lock': File exists/.exec(stderr)?.[1];
  if (lock !== undefined) return lockedError(action, `${lock.slice(lock.lastIndexOf('/') + 1)}.lock`, said);
  if (NO_ROOM.test(stderr))
    return new OutriggerError('DISK_FULL', `${action}: the disk of the repository is full.`, {
      details: { exitCode, stderr: said },
      hint: 'Free space on the disk of the repository.',
    });
  if (isNoRepository(stderr) || isBareRepository(stderr)) return new OutriggerError('NO_REPOSITORY', 'The folder is no git repository.');
  if (stderr.includes('detected dubious ownership')) {
    return new OutriggerError(
      'GIT_FAILED',
      `${action}: the repository belongs to another user, so git does not trust it. Add its folder to safe.directory of your own git config.`,
      {
        details: { exitCode, stderr: said },
      },
    );
  }
  if (/could not fetch [\da-f]+ from promisor remote/.test(stderr)) {
    const sentence = 'this clone is partial, and lacks what is asked for: `git fetch --refetch --no-filter` brings all of it.';
    return new OutriggerError('GIT_FAILED', `${action}: ${sentence}`, { details: { exitCode, stderr: said } });
  }
  // A filter or a hook may have said much before.
  const why = /^(?:fatal|error): *(.*)$/m.exec(all)?.[1]?.slice(0, MAX_STDERR);
  // What git am is about to do is no reason.
  const first = why ?? said.split('\n').find((line) => !line.startsWith('Applying: ')) ?? '';
  return new OutriggerError('GIT_FAILED', `${action}: ${first === '' ? `git ended with ${exitCode ?? 'a signal'}` : first}`, {
    details: { exitCode, stderr: said },
  });
}

export function lockedError(action: string, name: string, said: string): OutriggerError {
  return new OutriggerError(
    'GIT_LOCKED',
    `${action}: another git command holds ${name}, or one that was ended left it. If none runs, remove ${name} from the git folder.`,
    { details: { lock: name, stderr: said } },
  );
}

/** The same for a command that changes something, some of which say why on stdout. */
export function changeError(action: string, result: { exitCode: number | null; stdout: Uint8Array; stderr: Uint8Array }): OutriggerError {
  return gitError(action, result.exitCode, saidBy(result));
}

function saidBy({ stdout, stderr }: { stdout: Uint8Array; stderr: Uint8Array }): string {
  return `${Buffer.from(stderr).toString()}\n${Buffer.from(stdout).toString()}`;
}

/** The same with a sentence more. */
export function withMore(error: OutriggerError, sentence: string, reason = error.reason): OutriggerError {
  return new OutriggerError(reason, `${error.message.replace(/\.?$/, '.')} ${sentence}`, { cause: error, details: error.details });
}

/** None at all, here or above; a link to one that is gone is another matter. */
export function isNoRepository(stderr: string): boolean {
  return stderr.includes('not a git repository (or any');
}

/** The folder, or one above, only looks like one: see processes/explicit-repository.ts. */
export function isBareRepository(stderr: string): boolean {
  return stderr.includes('cannot use bare repository');
}

/** User, password and token out of addresses. */
export function redact(text: string): string {
  return (
    text
      // Up to the last one: a password may hold an @ as well. What a program wrote may be one word of a MiB: what begins the address is not looked for.
      .replace(/:\/\/[^\s/]+@/g, '://[redacted]@')
      .replace(/([?&](?:access_token|token|private_token)=)[^\s&'"]+/gi, '$1[redacted]')
  );
}

const MAX_FILES = 1000;

/** The same for commands that change the work tree: what they refuse in order not to lose changes, with the files. */
export function wouldOverwrite(
  action: string,
  result: { exitCode: number | null; stdout: Uint8Array; stderr: Uint8Array },
): OutriggerError {
  const said = saidBy(result);
  const files = overwrittenFiles(said);
  const error = gitError(action, result.exitCode, said);
  if (/not possible to fast-forward/i.test(said))
    return new OutriggerError('GIT_DIVERGED', `${action}: both sides have commits of their own.`, { details: error.details });
  const isRefused =
    files.length > 0 ||
    /(would be overwritten|have unstaged changes|contains uncommitted changes|needs merge|Dirty index|not uptodate|You must edit all merge conflicts)/.test(
      said,
    );
  return isRefused && error.reason === 'GIT_FAILED' ? overwriting(action, files) : error;
}

/** Files, none where it is not known which, whose changes a command would overwrite. */
export function overwriting(action: string, files: readonly string[]): OutriggerError {
  const what =
    files.length === 0
      ? 'changes that are not committed'
      : files.length === 1
        ? `the changes of ${files[0]}`
        : `the changes of ${files.length} files`;
  return new OutriggerError('GIT_WOULD_OVERWRITE', `${action}: ${what} would be lost.`, { details: { files: files.slice(0, MAX_FILES) } });
}

/** Files of which git holds several versions, so that it joins nothing to them and puts none aside. */
export function inConflict(action: string, files: readonly { path: string }[]): OutriggerError {
  const [what, them] = files.length === 1 ? [`${files[0]?.path} is`, 'it'] : [`${files.length} files are`, 'them'];
  return new OutriggerError('GIT_FAILED', `${action}: ${what} in conflict already: resolve and stage ${them} first.`, {
    details: { conflicts: files.slice(0, 100).map(({ path }) => path) },
    hint: 'The details name the files in conflict: resolve and stage them first.',
  });
}

/** Git lists them below its complaint, each after a tab. */
function overwrittenFiles(said: string): string[] {
  const files = new Set<string>();
  let listing = false;
  for (const line of said.split('\n')) {
    if (/would be (overwritten|removed) by|will be overwritten/.test(line)) listing = true;
    else if (listing && line.startsWith('\t')) files.add(line.slice(1));
    else if (!line.startsWith('\t')) listing = false;
  }
  return [...files];
}

const needsCredentials = [
  /could not read (Username|Password)/,
  /terminal prompts disabled/,
  /Authentication failed/,
  /Permission denied \([a-z,-]*(publickey|password)/,
  /Host key verification failed/,
  /HTTP Basic: Access denied/,
  /The requested URL returned error: 40[13]/,
];

/** The same for what was said in a conversation with another machine. */
export function networkError(action: string, result: { exitCode: number | null; stdout: Uint8Array; stderr: Uint8Array }): OutriggerError {
  const stderr = Buffer.from(result.stderr).toString();
  const said = `${withoutProgress(stderr)}\n${Buffer.from(result.stdout).toString()}`;
  const error = gitError(action, result.exitCode, said);
  const details = { details: error.details };
  if (needsCredentials.some((pattern) => pattern.test(said)))
    return new OutriggerError(
      'GIT_CREDENTIALS',
      `${action}: the other side asked who you are, and did not take the answer, or there was none.`,
      details,
    );
  // Once for each line, not for each of the words in it: the other side may write them by the MiB.
  if (/^(?=.*\[(remote )?rejected\] ).*\((non-fast-forward|fetch first|stale info|needs force)\)|^!\t.*\[rejected\]/m.test(said))
    return new OutriggerError('GIT_DIVERGED', `${action}: the remote has commits that are not here.`, details);
  return error;
}

/** Lines that were written over, and those that only tell how far it is. */
function withoutProgress(stderr: string): string {
  return stderr
    .split('\n')
    .map((line) => line.slice(line.lastIndexOf('\r', line.length - 2) + 1).trimEnd())
    .filter((line) => !/^(remote: )?[A-Z][A-Za-z ]*:\s+\d+(%|,|$)/.test(line))
    .join('\n');
}
