import fs from 'node:fs';
import path from 'node:path';
import { OutriggerError } from '../../contract/errors.ts';
import type { Git, Repository } from './git.ts';
import { redact } from './git-error.ts';
import { holdsSecret, parseRemoteUrl } from './remote-url.ts';
import { checkName } from './revision.ts';

/** Transports that git may use for network addresses, whatever a config rewrites them to. */
const NETWORK = 'https:http:ssh';

export async function remotes(git: Git, signal?: AbortSignal): Promise<{ name: string; fetchUrl: string; pushUrl: string }[]> {
  return git.reading(signal, async () => {
    const repository = await git.repository(signal);
    const names = await remoteNames(git, repository, signal);
    return Promise.all(
      names.map(async (name) => ({
        name,
        fetchUrl: redact(await remoteUrl(git, repository, name, 'fetch', signal)),
        pushUrl: redact(await remoteUrl(git, repository, name, 'push', signal)),
      })),
    );
  });
}

export async function remoteNames(git: Git, repository: Repository, signal: AbortSignal | undefined): Promise<string[]> {
  const { stdout } = await git.read('remote', repository, ['remote'], { signal });
  return stdout
    .toString()
    .split('\n')
    .filter((name) => name !== '')
    .slice(0, MAX_REMOTES);
}

const MAX_REMOTES = 100;

/** Where a remote is, with what the config rewrites. */
export async function remoteUrl(
  git: Git,
  repository: Repository,
  name: string,
  use: 'fetch' | 'push',
  signal: AbortSignal | undefined,
): Promise<string> {
  checkName('remote', name);
  const args = ['remote', 'get-url', ...(use === 'push' ? ['--push'] : []), '--', name];
  const { exitCode, stdout } = await git.read('remote', repository, args, { signal }, [0, 2, 128]);
  if (exitCode !== 0) throw new OutriggerError('GIT_FAILED', `There is no remote ${name}: git.remote adds one.`);
  return stdout.toString().replace(/\n$/, '').split('\n')[0] ?? '';
}

export interface RemoteRequest {
  action: 'add' | 'set' | 'remove';
  name: string;
  url?: string | undefined;
}

export async function remote(git: Git, { action, name, url }: RemoteRequest, signal?: AbortSignal): Promise<{ name: string }> {
  checkName('remote', name);
  if ((action === 'remove') === (url !== undefined))
    throw new OutriggerError('BAD_INPUT', 'A remote is added and set with `url`, and removed without.');
  if (url !== undefined) checkGivenUrl(git, url);
  return git.writing(signal, async () => {
    await git.repository(signal);
    const args = { add: ['add'], set: ['set-url'], remove: ['remove'] }[action];
    await git.write('remote', ['remote', ...args, '--', name, ...(url === undefined ? [] : [url])], { signal });
    return { name };
  });
}

/** For what a caller gave: it would be written into the config. Throws BAD_INPUT, FILE_PERMISSION. */
export function checkGivenUrl(git: Git, url: string): void {
  if (holdsSecret(url))
    throw new OutriggerError(
      'BAD_INPUT',
      'The address holds a user or a password, which would be stored as it is: give `credentials` with the call instead.',
    );
  protocolsFor(git, url);
}

/** What GIT_ALLOW_PROTOCOL has to be for this address. Throws BAD_INPUT, and FILE_PERMISSION for files that are not ours to read. */
export function protocolsFor(git: Git, url: string): string {
  const address = parseRemoteUrl(url);
  if (address.kind === 'refused')
    throw new OutriggerError('BAD_INPUT', `The address ${JSON.stringify(redact(url).slice(0, 200))} ${address.why}.`);
  if (address.kind === 'network') return NETWORK;
  if (!git.options.fileRemotes && !isWithin(git.options.root, address.path))
    throw new OutriggerError(
      'FILE_PERMISSION',
      'The address is a folder outside of the workspace; the option git.fileRemotes allows those.',
    );
  return 'file';
}

/** By the true paths, links followed. What is not there lies where its nearest folder does. */
export function isWithin(root: string, target: string): boolean {
  const real = realOrNearest(target);
  const top = fs.realpathSync.native(root);
  return real === top || real.startsWith(`${top}${path.sep}`);
}

function realOrNearest(target: string): string {
  try {
    // As the system reads it: `..` after a link is above where that leads.
    return fs.realpathSync.native(target);
  } catch {
    // A link that leads nowhere may lead somewhere when git gets there.
    if (isLink(target)) return path.sep;
    const parent = path.dirname(target);
    return parent === target ? target : path.join(realOrNearest(parent), path.basename(target));
  }
}

function isLink(target: string): boolean {
  try {
    return fs.lstatSync(target).isSymbolicLink();
  } catch {
    // Not there, below a file, too long or not ours to look at: git gets no further either.
    return false;
  }
}
