import { OutriggerError } from '../../contract/errors.ts';
import { splitNul } from '../../core/split-nul.ts';
import { type Git, MAX_LIST_BYTES, type Repository } from './git.ts';
import { changeError } from './git-error.ts';
import { nulEnded, utf8 } from './git-path.ts';
import { bringConflictsBack, conflictsAt } from './conflict-sides.ts';
import { patchFiles } from './hunks.ts';
import { type PatchFile, patchOf } from './parse-patch.ts';
import type { StatusEntry } from './parse-status.ts';
import { pathAbove, pathMatcher, planCommit } from './plan-commit.ts';
import { refuseMarkers, takeIntoIndex } from './committing.ts';
import { checkRevision } from './revision.ts';
import { aboutPath, statusOf } from './status.ts';
import { SUBMODULE_MODE, submoduleError } from './submodule.ts';
import { untrackedFiles } from './untracked.ts';

/** How git writes that an entry is a link. */
const LINK_MODE = '120000';

/** Files of which only some hunks are named, in one call. */
const MAX_HUNK_FILES = 200;

export interface ChosenFile {
  path: string;
  hunks?: readonly string[] | undefined;
}

interface Choice {
  /** Whole files and folders; undefined: everything. */
  paths: string[] | undefined;
  hunks: Map<string, Set<string>>;
}

/** Puts changes of the work tree into the index. Throws GIT_STALE_HUNK where a hunk does not stand there so any more; nothing is staged then. */
export async function stage(
  git: Git,
  files: readonly ChosenFile[],
  signal?: AbortSignal,
  limitedTo?: readonly string[],
): Promise<{ files: number }> {
  const choice = choiceOf(files);
  return git.writing(signal, async () => {
    const repository = await git.repository(signal);
    const { patch, whole } = await chosenPatch(git, repository, choice, 'stage', signal, limitedTo);
    let count = choice.hunks.size - whole.length;
    // Comes first: what is refused because a file changed has to leave all of them as they are.
    const applyHunks = async (): Promise<void> => {
      if (patch !== undefined) await apply(git, repository, 'stage', ['--cached'], patch, signal);
    };
    if (choice.paths === undefined || choice.paths.length + whole.length > 0) {
      const { entries } = await statusOf(git, repository, false, signal, limitedTo);
      const plan = planCommit(entries, { paths: choice.paths && [...choice.paths, ...whole], all: true });
      await refuseMarkers(git, repository, 'stage', plan, signal);
      await applyHunks();
      await takeIntoIndex(git, 'stage', plan.add, signal);
      count += plan.add.length;
    } else await applyHunks();
    return { files: count };
  });
}

/** Takes changes out of the index. Throws GIT_STALE_HUNK as `stage` does. */
export async function unstage(
  git: Git,
  files: readonly ChosenFile[],
  signal?: AbortSignal,
  limitedTo?: readonly string[],
): Promise<{ files: number }> {
  const choice = choiceOf(files);
  return git.writing(signal, async () => {
    const repository = await git.repository(signal);
    const { patch } = await chosenPatch(git, repository, choice, 'unstage', signal, limitedTo);
    let count = choice.hunks.size;
    const applyHunks = async (): Promise<void> => {
      if (patch !== undefined) await apply(git, repository, 'unstage', ['--cached', '--reverse'], patch, signal);
    };
    if (choice.paths === undefined || choice.paths.length > 0) {
      const takes = choice.paths === undefined ? () => true : pathMatcher(choice.paths);
      const { entries } = await statusOf(git, repository, false, signal, limitedTo);
      const chosen = entries.filter(
        ({ path, from, staged }) => staged !== null && (takes(path.shown) || (from !== undefined && takes(from.shown))),
      );
      const conflict = chosen.find(({ staged }) => staged === 'unmerged');
      if (conflict !== undefined)
        throw new OutriggerError(
          'GIT_FAILED',
          `unstage: ${conflict.path.shown} is in conflict, so there is nothing to take out of the index.`,
        );
      const stdin = nulEnded(namesToUnstage(git, entries, chosen, choice.paths ?? limitedTo));
      const args = ['reset', '--quiet', '--pathspec-from-file=-', '--pathspec-file-nul'];
      await applyHunks();
      if (chosen.length > 0) await git.write('unstage', args, { signal, stdin });
      count += chosen.length;
    } else await applyHunks();
    return { files: count };
  });
}

/**
 * Git compares each name with each file that it knows, which of 60,000 takes a minute: what was named as a folder (`paths`; undefined: as everything) is handed on as
 * such. Not where that would reach what is not chosen: a secret of the sidecar, or a file that is only announced to the index.
 */
function namesToUnstage(
  git: Git,
  entries: readonly StatusEntry[],
  chosen: readonly StatusEntry[],
  paths: readonly string[] | undefined,
): Uint8Array[] {
  const names = chosen.flatMap(({ path, from }) => (from === undefined ? [path.bytes] : [path.bytes, from.bytes]));
  if (git.secrets.length > 0 || entries.some(({ staged, unstaged }) => staged === null && unstaged === 'added')) return names;
  if (paths === undefined) return [Buffer.from('.')];
  const latin1 = (name: Uint8Array | string): string => Buffer.from(name).toString('latin1');
  const above = pathAbove(paths.map(latin1));
  const fewer = new Set(names.map((name) => above(latin1(name)) ?? latin1(name)));
  return [...fewer].map((name) => Buffer.from(name, 'latin1'));
}

/**
 * Brings files of the work tree back to the index, to a revision or to one side or both of a conflict, or takes hunks back: what was written there is lost. Throws
 * GIT_STALE_HUNK where the file changed since the hunk was read; it is as it was then.
 */
export async function restore(
  git: Git,
  { files, from, side }: { files: readonly ChosenFile[]; from?: string | undefined; side?: 'ours' | 'theirs' | 'both' | undefined },
  signal?: AbortSignal,
  limitedTo: readonly string[] = [],
): Promise<{ files: number }> {
  checkRevision(from);
  const choice = choiceOf(files);
  if (from !== undefined && choice.hunks.size > 0)
    throw new OutriggerError('BAD_INPUT', '`from` goes with whole files: hunks are taken back to the index.');
  if (side !== undefined && (from !== undefined || choice.hunks.size > 0))
    throw new OutriggerError('BAD_INPUT', '`side` goes with whole files, and without `from`.');
  return git.changing(signal, async () => {
    const repository = await git.repository(signal);
    await refuseLinks(git, repository, limitedTo.filter(pathMatcher(files.map(({ path }) => path))), from, signal);
    const { patch } = await chosenPatch(git, repository, choice, 'restore', signal);
    let count = choice.hunks.size;
    const { paths = [] } = choice;
    if (paths.length > 0) {
      const conflicts = side === undefined ? undefined : await conflictsAt(git, repository, paths, side === 'both', signal);
      count += conflicts?.length ?? (await countDifferent(git, repository, paths, from, signal));
      // A file that changed, and a path that there is not, are both refused before anything is lost.
      if (patch !== undefined) await apply(git, repository, 'restore', ['--check', '--reverse'], patch, signal);
      const bring = async (source: readonly string[], names: readonly Uint8Array[]): Promise<void> => {
        const args = ['restore', '--worktree', ...source, '--no-recurse-submodules', '--pathspec-from-file=-', '--pathspec-file-nul'];
        if (names.length === 0) return;
        signal?.throwIfAborted();
        const result = await git.change('restore', repository, args, { stdin: nulEnded(names) });
        if (result.exitCode !== 0) throw changeError('restore', result);
      };
      if (conflicts === undefined)
        await bring(
          from === undefined ? [] : [`--source=${from}`],
          paths.map((path) => Buffer.from(path)),
        );
      else if (side === 'both') await bringConflictsBack(git, repository, conflicts, bring, signal);
      else
        await bring(
          [`--${side}`],
          conflicts.map(({ path }) => path.bytes),
        );
    }
    if (patch !== undefined) await apply(git, repository, 'restore', ['--reverse'], patch, signal);
    return { files: count };
  });
}

/** Where a caller may go is said by paths: one of these that was a link at that time would lead them elsewhere. */
async function refuseLinks(
  git: Git,
  repository: Repository,
  paths: readonly string[],
  from: string | undefined,
  signal: AbortSignal | undefined,
): Promise<void> {
  if (paths.length === 0) return;
  const args =
    from === undefined
      ? ['ls-files', '--stage', '-z', '--', ...paths]
      : ['ls-tree', '-z', await git.treeish(repository, from, signal), '--', ...paths];
  const { stdout } = await git.read('restore', repository, args, { signal, maxOutputBytes: MAX_LIST_BYTES });
  const link = splitNul(stdout)
    .map((entry) => Buffer.from(entry).toString())
    .find((entry) => entry.startsWith(`${LINK_MODE} `) && paths.includes(entry.slice(entry.indexOf('\t') + 1)));
  if (link !== undefined)
    throw new OutriggerError('OUT_OF_SCOPE', `restore: ${link.slice(link.indexOf('\t') + 1)} was a link, and the caller is limited to it.`);
}

function choiceOf(files: readonly ChosenFile[]): Choice {
  const choice: Choice = { paths: files.length === 0 ? undefined : [], hunks: new Map() };
  for (const { path, hunks } of files) {
    if (hunks === undefined) choice.paths?.push(path);
    else choice.hunks.set(path, new Set([...(choice.hunks.get(path) ?? []), ...hunks]));
  }
  if (choice.hunks.size > MAX_HUNK_FILES)
    throw new OutriggerError('BAD_INPUT', `Hunks of at most ${MAX_HUNK_FILES} files can be named in one call.`);
  const within = pathMatcher(choice.paths ?? []);
  for (const path of choice.hunks.keys())
    if (within(path)) throw new OutriggerError('BAD_INPUT', `${path} is named as a whole and by its hunks.`);
  return choice;
}

interface Chosen {
  /** Of all hunks that were named, one character a byte; undefined when there are none. */
  patch: string | undefined;
  /** Files that git does not know yet: their only hunk is all of them, and they go through git's filters as such. */
  whole: string[];
}

async function chosenPatch(
  git: Git,
  repository: Repository,
  choice: Choice,
  action: 'stage' | 'unstage' | 'restore',
  signal: AbortSignal | undefined,
  limitedTo?: readonly string[],
): Promise<Chosen> {
  if (choice.hunks.size === 0) return { patch: undefined, whole: [] };
  const paths = [...choice.hunks.keys()];
  await refuseFilters(git, repository, paths, signal);
  const parts: string[] = [];
  const whole: string[] = [];
  const files = await filesWith(git, repository, choice.hunks, action === 'unstage', signal, limitedTo);
  for (const [path, wanted] of choice.hunks) {
    const file = files.get(path);
    const found = file?.hunks.filter(({ id }) => wanted.has(id)) ?? [];
    if (file === undefined || found.length < wanted.size) throw stale(path, wanted.size - found.length);
    // Git applies it, and leaves the folder at the commit where it is.
    if (action === 'restore' && file.oldMode === SUBMODULE_MODE && file.newMode === SUBMODULE_MODE) throw submoduleError(path);
    if (['copied', 'type-changed'].includes(file.status))
      throw new OutriggerError('BAD_INPUT', `${path} is ${file.status}: name it as a whole.`);
    if (file.untracked !== true) parts.push(patchOf(file, found));
    else if (action === 'stage') whole.push(path);
    else throw new OutriggerError('BAD_INPUT', `git does not know ${path}, so there is nothing to bring back: remove the file.`);
  }
  return { patch: parts.length === 0 ? undefined : parts.join(''), whole };
}

/** Files by path: those that hold all of their hunks, where there are such. */
async function filesWith(
  git: Git,
  repository: Repository,
  hunks: Choice['hunks'],
  staged: boolean,
  signal: AbortSignal | undefined,
  limitedTo: readonly string[] = [],
): Promise<Map<string, PatchFile>> {
  const found = new Map<string, PatchFile>();
  const missing = (): string[] => [...hunks].flatMap(([path, ids]) => (hasAll(found.get(path), ids) ? [] : [path]));
  const look = async (read: () => Promise<{ files: PatchFile[]; truncated: boolean }>): Promise<void> => {
    if (missing().length === 0) return;
    const { files, truncated } = await read();
    for (const file of files) {
      const ids = hunks.get(file.path.shown);
      if (ids !== undefined && (!found.has(file.path.shown) || hasAll(file, ids))) found.set(file.path.shown, file);
    }
    if (truncated && missing().length > 0)
      throw new OutriggerError('BAD_INPUT', 'These files changed too much to go hunk by hunk: name them as a whole.');
  };
  await look(() => patchFiles(git, repository, { staged }, [...hunks.keys()], signal));
  if (!staged) await look(() => untrackedFiles(git, repository, missing(), signal));
  // A file that was renamed is one only beside the name that it had, and one whose name is not UTF-8 is no argument for a program.
  if (staged || missing().some((path) => /\\x[\da-f]{2}/.test(path)))
    await look(() => patchFiles(git, repository, { staged }, limitedTo.map(aboutPath), signal));
  return found;
}

function hasAll(file: PatchFile | undefined, ids: ReadonlySet<string>): boolean {
  const there = new Set(file?.hunks.map(({ id }) => id));
  return file !== undefined && [...ids].every((id) => there.has(id));
}

/** A filter that is the repository's own is not run while we read, so what was read is not what would be staged. */
async function refuseFilters(git: Git, repository: Repository, paths: readonly string[], signal: AbortSignal | undefined): Promise<void> {
  if (repository.overrides.length === 0) return;
  const { stdout } = await git.read('stage', repository, ['check-attr', '-z', 'filter', '--', ...paths], { signal });
  const words = splitNul(stdout).map((word) => Buffer.from(word).toString());
  const own = new Set(repository.overrides.map(([key]) => key.slice('filter.'.length, key.lastIndexOf('.'))));
  for (let at = 0; at + 2 < words.length; at += 3) {
    const [path, , filter = ''] = words.slice(at, at + 3);
    if (own.has(filter))
      throw new OutriggerError('BAD_INPUT', `${path} goes through the filter ${filter} of the repository: name it as a whole.`);
  }
}

async function apply(
  git: Git,
  repository: Repository,
  action: string,
  how: readonly string[],
  patch: string,
  signal: AbortSignal | undefined,
): Promise<void> {
  const folder = utf8(repository.prefix);
  if (folder === undefined) throw new OutriggerError('GIT_FAILED', `${action}: the name of the folder is not UTF-8.`);
  const below = folder === '' ? [] : [`--directory=${folder.slice(0, -1)}`];
  const args = ['apply', ...how, ...below, '--whitespace=nowarn', '--no-ignore-whitespace', '-'];
  try {
    await git.write(action, args, { signal, stdin: Buffer.from(patch, 'latin1') });
  } catch (error) {
    if (!(error instanceof OutriggerError) || !/patch does not apply|patch failed|does not match index/.test(error.message)) throw error;
    throw new OutriggerError('GIT_STALE_HUNK', `${action}: a file changed this moment; nothing was done.`, { cause: error });
  }
}

async function countDifferent(
  git: Git,
  repository: Repository,
  paths: readonly string[],
  from: string | undefined,
  signal: AbortSignal | undefined,
): Promise<number> {
  const revision = from === undefined ? [] : [await git.treeish(repository, from, signal)];
  // Else git looks into repositories inside, with the filters that those name.
  const safely = ['--no-ext-diff', '--no-textconv', '--ignore-submodules=dirty'];
  // Files whose times alone are others are none of them; that git may write this down does not matter where the index may be written.
  const looking = ['-c', 'diff.autoRefreshIndex=true', 'diff', '--raw', '-z', '--no-renames', '--relative', ...safely];
  const args = [...looking, '--end-of-options', ...revision, '--'];
  const { stdout } = await git.read('restore', repository, args, { signal, maxOutputBytes: MAX_LIST_BYTES });
  const takes = pathMatcher(paths);
  const parts = splitNul(stdout).map((part) => Buffer.from(part).toString());
  let count = 0;
  for (let at = 0; at + 1 < parts.length; at += 2) {
    const [facts, name] = [parts[at] as string, parts[at + 1] as string];
    if (!takes(name)) continue;
    if (!facts.startsWith(`:${SUBMODULE_MODE} ${SUBMODULE_MODE} `)) count++;
    else if (paths.includes(name)) throw submoduleError(name);
  }
  return count;
}

function stale(path: string, missing: number): OutriggerError {
  const what = missing === 1 ? 'A hunk' : `${missing} hunks`;
  return new OutriggerError(
    'GIT_STALE_HUNK',
    `${what} of ${path} stand${missing === 1 ? 's' : ''} there no more: the file changed. Nothing was done.`,
    {
      details: { path },
    },
  );
}
