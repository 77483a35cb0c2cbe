import fs from 'node:fs';
import path from 'node:path';
import { OutriggerError } from '../../contract/errors.ts';
import type { git as table } from '../../contract/git.ts';
import type { Output } from '../../contract/operation.ts';
import { baseName } from '../../contract/paths.ts';
import { isPassingName } from '../../core/passing-name.ts';
import { splitNul } from '../../core/split-nul.ts';
import { TimeSlice } from '../../core/time-slice.ts';
import { type Git, MAX_LIST_BYTES, type Repository } from './git.ts';
import { changeError, inConflict, lockedError, overwriting, withMore, wouldOverwrite } from './git-error.ts';
import { nulEnded } from './git-path.ts';
import { identity } from './identity.ts';
import { conflictsOf, saysSettled } from './integrating.ts';
import { SecretGuard } from './secrets.ts';
import { unstagedFiles } from './status.ts';
import { lockAgeMs } from './under-way.ts';

type StashesAnswer = Output<(typeof table)['git.stashes']>;
type StashAnswer = Output<(typeof table)['git.stash']>;

export interface StashRequest {
  action: 'push' | 'apply' | 'pop' | 'drop';
  hash?: string | undefined;
  message?: string | undefined;
  untracked: boolean;
  keepIndex: boolean;
}

/** Newest first. */
export function stashes(git: Git, limit: number, signal?: AbortSignal): Promise<StashesAnswer> {
  return git.reading(signal, async () => {
    const { found, cut } = await stashList(git, await git.repository(signal), limit + 1, signal);
    return { stashes: found.slice(0, limit), truncated: cut || found.length > limit };
  });
}

/**
 * Numbers of stashes shift with each that comes or goes, so that one is named by its hash. Throws GIT_WOULD_OVERWRITE where files are in the
 * way; nothing changed then. Once git changes files it goes on to its end, aborted or not.
 */
export async function stash(git: Git, request: StashRequest, signal?: AbortSignal): Promise<StashAnswer> {
  const { action, hash } = request;
  if (action === 'push' && hash !== undefined) throw new OutriggerError('BAD_INPUT', '`hash` names a stash that is there: not with push.');
  return git.changing(signal, async () => {
    const repository = await git.wholeRepository('stash', signal);
    const answer = async (outcome: StashAnswer['outcome']): Promise<StashAnswer> => ({
      outcome,
      stashes: (await stashList(git, repository, MAX_STASHES, undefined)).found.length,
      conflicts: outcome === 'conflicts' ? await conflictsOf(git, repository, undefined) : [],
    });
    if (action === 'push') return answer((await pushStash(git, repository, request, signal)) ? 'done' : 'nothing');
    const name = await stashName(git, repository, hash, signal);
    if (name === undefined) return answer('nothing');
    if (action !== 'drop') {
      const before = await conflictsOf(git, repository, signal);
      if (before.length > 0) throw inConflict('stash', before);
    }
    const guard = new SecretGuard(git, repository, 'stash', signal);
    if (action !== 'drop') {
      await guard.unstashing(name);
      const untracked = await untrackedInTheWay(git, repository, name, signal);
      const inTheWay =
        untracked.length > 0 || !(await hasUntracked(git, repository, name, signal))
          ? untracked
          : await changedInTheWay(git, repository, name, signal);
      if (inTheWay.length > 0) throw overwriting('stash', inTheWay);
    }
    const index = action === 'drop' ? [] : await indexOption(git, repository, name, signal);
    const result = await git.change('stash', repository, ['stash', action, '--quiet', ...index, name], { settings: guard.settings });
    if (result.exitCode === 0) return answer('done');
    const conflicted = await answer('conflicts');
    if (conflicted.conflicts.length > 0 || saysSettled(result)) return conflicted;
    throw orLocked(repository, wouldOverwrite('stash', result));
  });
}

/** One without untracked files has no third parent. */
async function hasUntracked(git: Git, repository: Repository, name: string, signal: AbortSignal | undefined): Promise<boolean> {
  return (await git.read('stash', repository, ['rev-parse', '--verify', '--quiet', `${name}^3`], { signal }, [0, 1, 128])).exitCode === 0;
}

/**
 * Files and folders where untracked files of a stash would come: git finds them only when it has brought the others. Those that the
 * stash itself takes away are not.
 */
export async function untrackedInTheWay(
  git: Git,
  repository: Repository,
  name: string,
  signal: AbortSignal | undefined,
): Promise<string[]> {
  const list = async (args: readonly string[]): Promise<string[]> => {
    const { stdout } = await git.read('stash', repository, args, { signal, maxOutputBytes: MAX_LIST_BYTES }, [0, 128]);
    return splitNul(stdout).map((bytes) => Buffer.from(bytes).toString());
  };
  // A stash without untracked files has no third parent.
  const untracked = await list(['ls-tree', '-r', '-z', '--full-tree', '--name-only', `${name}^3`]);
  const found = new Set<string>();
  const slice = new TimeSlice();
  for (const file of untracked) {
    const name = inTheWay(git.options.root, file);
    if (name !== undefined) found.add(name);
    if (slice.isOver) await slice.giveWay(signal);
  }
  if (found.size > 0)
    for (const gone of await list(['diff-tree', '-r', '-z', '--name-only', '--diff-filter=D', `${name}^1`, name])) found.delete(gone);
  return [...found];
}

/**
 * Of a stash with untracked files, those of the others that changed here since and that it would change: git refuses it for them, and brings the untracked
 * ones all the same.
 */
async function changedInTheWay(git: Git, repository: Repository, name: string, signal: AbortSignal | undefined): Promise<string[]> {
  const list = async (args: readonly string[]): Promise<string[]> => {
    const { stdout } = await git.read('stash', repository, args, { signal, maxOutputBytes: MAX_LIST_BYTES });
    return splitNul(stdout).map((bytes) => Buffer.from(bytes).toString());
  };
  const changes = ['--name-only', '--no-renames', '-z'];
  const brought = await list(['diff-tree', '-r', ...changes, `${name}^1`, name]);
  const differs = new Set(await list(['diff-index', '--cached', ...changes, name]));
  const changed = await unstagedFiles(git, repository, signal);
  return brought.filter((file) => differs.has(file) && changed.has(file));
}

/** What stands where the file would come, or where a folder on the way to it would. */
function inTheWay(root: string, file: string): string | undefined {
  const names = file.split('/');
  return names
    .map((_, at) => names.slice(0, at + 1).join('/'))
    .find((name) => {
      const found = fs.lstatSync(path.join(root, name), { throwIfNoEntry: false });
      return found !== undefined && (name === file || !found.isDirectory());
    });
}

/** For what failed while changes are put aside: with where they are. */
export function keptAside(error: OutriggerError): OutriggerError {
  return withMore(error, 'What was changed is put aside: it is the newest stash.', 'GIT_FAILED');
}

/** What isPassingName may take, for git to look for. */
const PASSING = ['.outrigger-*.tmp', '.nfs*', '.fuse_hidden*'].map((name) => `:(glob)**/${name}`);

/** So many are counted. */
const MAX_STASHES = 10_000;

/** False where there is nothing to put aside. */
export async function pushStash(
  git: Git,
  repository: Repository,
  { message, untracked, keepIndex }: Pick<StashRequest, 'message' | 'untracked' | 'keepIndex'>,
  signal: AbortSignal | undefined,
): Promise<boolean> {
  // Asked to be quiet, git says nothing of it either.
  if ((await git.head(repository, signal)) === undefined)
    throw new OutriggerError('GIT_FAILED', 'stash: there is no commit yet that changes could be put aside from.');
  const conflicts = await conflictsOf(git, repository, signal);
  if (conflicts.length > 0) throw inConflict('stash', conflicts);
  const before = (await stashList(git, repository, 1, signal)).found[0]?.hash;
  const args = ['stash', 'push', '--quiet', ...(untracked ? ['--include-untracked'] : []), ...(keepIndex ? ['--keep-index'] : [])];
  const said = message === undefined || message === '' ? [] : [`--message=${message}`];
  // To take files away that it put aside, stash cleans by a pattern of its own.
  const left = await notIgnored(git, repository, beyondNoLink(git.options.root, git.secrets), signal);
  const guard = new SecretGuard(git, repository, 'stash', signal);
  // Files become what HEAD holds: of those that are left out too where it does and the index does not.
  if (!guard.idle && left.length < git.secrets.length) await guard.overwriting('HEAD');
  const leaves = [...left, ...(untracked ? await passingFiles(git, repository, signal) : [])];
  const without = leaves.length === 0 ? [] : ['--', '.', ...leaves.map((path) => `:(exclude,literal)${path}`)];
  const env = await identity(git, undefined, signal);
  const result = await git.change('stash', repository, ['--no-literal-pathspecs', ...args, ...said, ...without], { env });
  const isPutAside = (await stashList(git, repository, 1, undefined)).found[0]?.hash !== before;
  if (result.exitCode === 0) return isPutAside;
  const error = orLocked(repository, changeError('stash', result));
  throw isPutAside ? keptAside(error) : error;
}

/** For what failed: git's stash says nothing of a lock on the index. */
function orLocked({ gitFolder }: Repository, error: OutriggerError): OutriggerError {
  const isUnexplained = error.reason === 'GIT_FAILED' && lockAgeMs(gitFolder, Date.now()) !== undefined;
  return isUnexplained ? lockedError('stash', 'index.lock', error.message) : error;
}

/** Files that are about to be gone: put aside they would come back with the stash, and whoever writes them would find them gone. */
async function passingFiles(git: Git, repository: Repository, signal: AbortSignal | undefined): Promise<string[]> {
  const args = ['--no-literal-pathspecs', 'ls-files', '--others', '--exclude-standard', '-z', '--', ...PASSING];
  const { stdout } = await git.read('stash', repository, args, { signal, maxOutputBytes: MAX_LIST_BYTES });
  return splitNul(stdout)
    .map((name) => Buffer.from(name).toString())
    .filter((path) => isPassingName(baseName(path)));
}

/** What lies beyond a link is not put aside either, and git fails where it is named. */
function beyondNoLink(root: string, names: readonly string[]): readonly string[] {
  const isLink = (folder: string): boolean => fs.lstatSync(folder, { throwIfNoEntry: false })?.isSymbolicLink() === true;
  return names.filter((name) => {
    const folders = name.split('/').slice(0, -1);
    return !folders.some((_, at) => isLink(path.join(root, ...folders.slice(0, at + 1))));
  });
}

/** Of the others nothing is put aside, and git fails where it is to leave them out. */
async function notIgnored(
  git: Git,
  repository: Repository,
  paths: readonly string[],
  signal: AbortSignal | undefined,
): Promise<readonly string[]> {
  const left: string[] = [];
  for (const name of paths) if (await isPutAside(git, repository, name, signal)) left.push(name);
  return left;
}

async function isPutAside(git: Git, repository: Repository, name: string, signal: AbortSignal | undefined): Promise<boolean> {
  // It takes no literal names, and one that begins with a colon for a pattern.
  const stdin = nulEnded([Buffer.from(`./${name}`)]);
  const args = ['--no-literal-pathspecs', 'check-ignore', '-z', '--stdin'];
  try {
    return (await git.read('stash', repository, args, { signal, stdin }, [0, 1])).exitCode === 1;
  } catch (error) {
    // Into a submodule it does not look, and it is git that knows what is one.
    if (error instanceof OutriggerError && error.reason === 'GIT_FAILED' && /' is in submodule '/.test(error.message)) return false;
    throw error;
  }
}

async function stashName(
  git: Git,
  repository: Repository,
  hash: string | undefined,
  signal: AbortSignal | undefined,
): Promise<string | undefined> {
  const { found } = await stashList(git, repository, MAX_STASHES, signal);
  const chosen = hash === undefined ? found[0] : found.find((one) => one.hash === hash);
  if (chosen === undefined && hash !== undefined) throw new OutriggerError('GIT_FAILED', `There is no stash ${hash}.`);
  return chosen?.name;
}

/** What was staged is staged again, where nothing is staged now that it would be mixed with. */
async function indexOption(git: Git, repository: Repository, name: string, signal: AbortSignal | undefined): Promise<string[]> {
  const differs = async (...revisions: string[]): Promise<boolean> => {
    const args = ['diff', '--quiet', '--no-ext-diff', '--ignore-submodules=dirty', ...revisions, '--'];
    return (await git.read('stash', repository, args, { signal }, [0, 1])).exitCode === 1;
  };
  const [hadStaged, hasStaged] = [await differs(`${name}^1`, `${name}^2`), await differs('--cached')];
  const sameBase = (await git.read('stash', repository, ['rev-parse', 'HEAD', `${name}^1`], { signal })).stdout
    .toString()
    .trim()
    .split('\n');
  // On another commit the index of then may not fit, and git would refuse all of it.
  return hadStaged && !hasStaged && sameBase[0] === sameBase[1] ? ['--index'] : [];
}

/** `cut`: there are more than are read, for what they say is too long. */
async function stashList(
  git: Git,
  repository: Repository,
  limit: number,
  signal: AbortSignal | undefined,
): Promise<{ found: StashesAnswer['stashes']; cut: boolean }> {
  const args = ['stash', 'list', '-z', '--format=%H%x00%ct%x00%gs', `--max-count=${limit}`];
  const { stdout, omittedBytes } = await git.read('stash', repository, args, { signal, maxOutputBytes: MAX_LIST_BYTES });
  const cut = omittedBytes > 0;
  const words = stdout.toString().split('\0');
  // What follows the last NUL is not whole.
  if (cut) words.pop();
  const found: StashesAnswer['stashes'] = [];
  for (let at = 0; at + 3 < words.length + 1 && words[at] !== ''; at += 3) {
    const [hash = '', seconds = '0', subject = ''] = words.slice(at, at + 3);
    found.push({ name: `stash@{${found.length}}`, hash, at: Number(seconds) * 1000, subject });
  }
  return { found, cut };
}
