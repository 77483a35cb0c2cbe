import { OutriggerError } from '../../contract/errors.ts';
import { splitNul } from '../../core/split-nul.ts';
import { type Git, MAX_LIST_BYTES, type Repository } from './git.ts';
import { type GitPath, gitPath, nulEnded } from './git-path.ts';
import { foldersOf, pathMatcher } from './plan-commit.ts';
import { SUBMODULE_MODE, submoduleError } from './submodule.ts';
import { doingIn } from './under-way.ts';

const TAB = 0x09;
const nothing = new Uint8Array();

/** A file of which the index has, or had until it was staged, the sides instead of one content. */
export interface InConflict {
  path: GitPath;
  submodule: boolean;
  /** Its entries in the index, as `git ls-files --unmerged` writes them: by stage 1 (what both began with), 2 (ours) and 3 (theirs). */
  entries: { stage: string; facts: string }[];
  /** It was staged since. */
  isSettled: boolean;
}

/**
 * Files in conflict at and below the paths, and with `settled` those that were until they were staged: any other file has no sides, and git would throw away
 * what was typed in it.
 */
export async function conflictsAt(
  git: Git,
  repository: Repository,
  paths: readonly string[],
  settled: boolean,
  signal: AbortSignal | undefined,
): Promise<InConflict[]> {
  const chosen = await entriesAt(git, repository, paths, '--unmerged', signal);
  // What can be gone back to while the merge, or whatever stopped, is under way; git remembers it for longer.
  if (settled && doingIn(repository.gitFolder) !== undefined)
    chosen.push(...(await entriesAt(git, repository, paths, '--resolve-undo', signal)));
  const inConflict = new Set(chosen.flatMap(({ path: { shown } }) => [shown, ...foldersOf(shown)]));
  const other = paths.find((path) => !inConflict.has(path));
  if (other !== undefined) throw new OutriggerError('GIT_FAILED', `restore: ${other} is not in conflict. Nothing was done.`);
  const inside = chosen.find(({ submodule }) => submodule);
  if (inside !== undefined) throw submoduleError(inside.path.shown);
  return chosen;
}

async function entriesAt(
  git: Git,
  repository: Repository,
  paths: readonly string[],
  which: '--unmerged' | '--resolve-undo',
  signal: AbortSignal | undefined,
): Promise<InConflict[]> {
  // All of them: names that are not UTF-8 can't be handed to git as arguments.
  const { stdout } = await git.read('restore', repository, ['ls-files', which, '-z'], { signal, maxOutputBytes: MAX_LIST_BYTES });
  const takes = pathMatcher(paths);
  const files = new Map<string, InConflict>();
  for (const entry of splitNul(stdout)) {
    const cut = entry.indexOf(TAB);
    const path = gitPath(entry.subarray(cut + 1), nothing);
    if (path === undefined || !takes(path.shown)) continue;
    const facts = Buffer.from(entry.subarray(0, cut)).toString('latin1');
    const file = files.get(path.shown) ?? { path, submodule: false, entries: [], isSettled: which === '--resolve-undo' };
    file.submodule ||= facts.startsWith(`${SUBMODULE_MODE} `);
    file.entries.push({ stage: facts.slice(-1), facts });
    files.set(path.shown, file);
  }
  return [...files.values()];
}

/**
 * Puts files in conflict as the merge left them, in the index and in the work tree. git does so by itself for those that both sides have; of the others it has
 * forgotten how, but remembers their entries. `bring` is `git restore` of these names.
 */
export async function bringConflictsBack(
  git: Git,
  repository: Repository,
  conflicts: readonly InConflict[],
  bring: (source: readonly string[], names: readonly Uint8Array[]) => Promise<void>,
  signal: AbortSignal | undefined,
): Promise<void> {
  const has = ({ entries }: InConflict, wanted: string): boolean => entries.some(({ stage }) => stage === wanted);
  const names = (ours: boolean, theirs: boolean): Uint8Array[] =>
    conflicts.filter((file) => has(file, '2') === ours && has(file, '3') === theirs).map(({ path }) => path.bytes);
  const forgotten = conflicts.filter((file) => file.isSettled && !(has(file, '2') && has(file, '3')));
  if (forgotten.length > 0) {
    const lines = forgotten.flatMap(({ path, entries }) => {
      const name = Buffer.concat([Buffer.of(TAB), repository.prefix, path.bytes]);
      const hash = entries[0]?.facts.split(' ')[1] ?? '';
      return [`0 ${'0'.repeat(hash.length)}`, ...entries.map(({ facts }) => facts)].map((facts) =>
        Buffer.concat([Buffer.from(facts, 'latin1'), name]),
      );
    });
    await git.write('restore', ['update-index', '-z', '--index-info'], { signal, stdin: nulEnded(lines) });
  }
  await bring(['--merge'], names(true, true));
  await bring(['--ours'], names(true, false));
  await bring(['--theirs'], names(false, true));
}
