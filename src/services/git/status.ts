import { OutriggerError } from '../../contract/errors.ts';
import { baseName } from '../../contract/paths.ts';
import { isPassingName } from '../../core/passing-name.ts';
import { type Git, MAX_LIST_BYTES, type Repository } from './git.ts';
import { type ParsedStatus, parseStatus } from './parse-status.ts';
import { lockAgeMs, type UnderWay, underWay } from './under-way.ts';

export interface RepositoryStatus extends ParsedStatus {
  underWay: UnderWay | undefined;
  /** How long ago the lock on the index was taken that lies there. */
  lockAgeMs: number | undefined;
  /** There is more than one answer can hold. */
  cut: boolean;
}

/** Undefined where there is no repository, or one without a work tree here. `limitedTo` as in statusOf. */
export function status(
  git: Git,
  ignored: boolean,
  signal?: AbortSignal,
  limitedTo?: readonly string[],
): Promise<RepositoryStatus | undefined> {
  return git.reading(signal, async () => {
    await git.flush();
    const found = await git.find(signal);
    if (found.kind !== 'repository') return undefined;
    try {
      return await statusOf(git, found.repository, ignored, signal, limitedTo);
    } catch (error) {
      if (error instanceof OutriggerError && error.reason === 'NO_REPOSITORY') return undefined;
      throw error;
    }
  });
}

/**
 * The same within a turn that was taken. Of a caller who is limited to some paths, as if there were nothing else: what came from elsewhere was added, and what
 * went there was deleted.
 */
export async function statusOf(
  git: Git,
  repository: Repository,
  ignored: boolean,
  signal: AbortSignal | undefined,
  limitedTo?: readonly string[],
): Promise<RepositoryStatus> {
  const { stdout, omittedBytes } = await git.read(
    'status',
    repository,
    [
      ...['status', '--porcelain=v2', '--branch', '--show-stash', '-z', '--untracked-files=all'],
      // Else the user's config says whether copies are told as well, and what they were copied from would be taken for a part of them.
      ...['--ignore-submodules=dirty', '--renames', `--ignored=${ignored ? 'matching' : 'no'}`],
    ],
    { signal, maxOutputBytes: MAX_LIST_BYTES, about: limitedTo?.map(aboutPath) ?? (repository.prefix.length === 0 ? [] : ['.']) },
  );
  const parsed = await parseStatus(stdout, repository.prefix, signal);
  return {
    ...parsed,
    // What somebody committed under such a name is told.
    entries: parsed.entries.filter(({ path, unstaged }) => !(isUntracked(unstaged) && isPassingName(baseName(path.shown)))),
    underWay: underWay(repository.gitFolder),
    lockAgeMs: lockAgeMs(repository.gitFolder, Date.now()),
    cut: omittedBytes > 0,
  };
}

/** A path of the workspace for git, which has another word for all of it. */
export function aboutPath(path: string): string {
  return path === '' ? '.' : path;
}

/** Files, by their names, that are not as the index has them; what git puts in the place of one that is not there takes nothing away. */
export async function unstagedFiles(git: Git, repository: Repository, signal: AbortSignal | undefined): Promise<ReadonlySet<string>> {
  return unstagedOf(await statusOf(git, repository, false, signal));
}

/** The same of a status that was read. */
export function unstagedOf({ entries }: Pick<RepositoryStatus, 'entries'>): ReadonlySet<string> {
  return new Set(entries.flatMap(({ path, unstaged }) => (unstaged === null || unstaged === 'deleted' ? [] : [path.shown])));
}

function isUntracked(unstaged: ParsedStatus['entries'][number]['unstaged']): boolean {
  return unstaged === 'untracked' || unstaged === 'ignored';
}
