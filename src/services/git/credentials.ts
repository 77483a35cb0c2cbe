import { randomBytes } from 'node:crypto';
import path from 'node:path';
import { OutriggerError } from '../../contract/errors.ts';
import type { Git, Settings } from './git.ts';
import { parseRemoteUrl } from './remote-url.ts';

export interface Credentials {
  username: string;
  password: string;
}

/**
 * Runs `work` with settings by which git finds the credentials for this one address, and nothing else does: they go through a
 * pipe into git's own credential cache, a child of ours that keeps them in memory behind a socket of this user and ends with
 * `work`. They stand in no argument, environment, address, file or log, and a redirect to another host does not get them. Helpers
 * of the user's own are left out, so that nothing stores them.
 */
export async function withCredentials<T>(
  git: Git,
  { url, credentials, action }: { url: string; credentials: Credentials | undefined; action: string },
  signal: AbortSignal | undefined,
  work: (settings: Settings) => Promise<T>,
): Promise<T> {
  if (credentials === undefined) return work([]);
  const address = parseRemoteUrl(url);
  if (address.kind !== 'network' || address.protocol === 'ssh')
    throw new OutriggerError(
      'BAD_INPUT',
      `${action}: credentials are for http and https; ssh takes a key of the user that the sidecar runs as.`,
    );
  const { username, password } = credentials;
  if (/[\0\n\r]/.test(username + password)) throw new OutriggerError('BAD_INPUT', `${action}: credentials hold no NUL and no line break.`);
  const socket = path.join(git.options.credentialFolder, randomBytes(8).toString('hex'));
  const cache = git.open(action, ['credential-cache--daemon', socket], { signal, timeoutMs: git.options.networkTimeoutMs });
  try {
    await started(cache.stdout, cache.result, action);
    const seconds = Math.ceil(git.options.networkTimeoutMs / 1000);
    await git.write(action, ['credential-cache', `--socket=${socket}`, `--timeout=${seconds}`, 'store'], {
      signal,
      stdin: `protocol=${address.protocol}\nhost=${address.host}\nusername=${username}\npassword=${password}\n`,
    });
    return await work([
      // An empty one makes git forget those that are configured.
      ['credential.helper', ''],
      ['credential.helper', `cache --socket=${asOneWord(socket)}`],
      ['credential.useHttpPath', 'false'],
      // With a user in the address git would look for that one alone.
      ['credential.username', username],
    ]);
  } finally {
    cache.end();
    await cache.result.catch(() => {});
  }
}

/** The cache says `ok` when it listens. */
async function started(stdout: AsyncIterable<Buffer>, result: Promise<{ stderr: Buffer }>, action: string): Promise<void> {
  const iterator = stdout[Symbol.asyncIterator]();
  const first = await Promise.race([iterator.next(), result.then(() => undefined)]);
  if (first !== undefined && first.done !== true && first.value.toString().startsWith('ok')) return;
  const { stderr } = await result;
  throw new OutriggerError('GIT_FAILED', `${action}: git's credential cache did not start: ${stderr.toString().slice(0, 500).trim()}`);
}

/** Git hands the name of a helper to a shell: a path stays one word of it. */
function asOneWord(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}
