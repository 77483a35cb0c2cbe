import { OutriggerError } from '../../contract/errors.ts';
import type { GitConflict, git as table } from '../../contract/git.ts';
import type { Output } from '../../contract/operation.ts';
import { splitNul } from '../../core/split-nul.ts';
import { messageArgument, refuseMarkers, saysNothingToCommit, takeIntoIndex } from './committing.ts';
import type { RunResult } from '../processes/processes.ts';
import { type Git, MAX_LIST_BYTES, type Repository } from './git.ts';
import { changeError, inConflict, overwriting, withMore, wouldOverwrite } from './git-error.ts';
import { identity } from './identity.ts';
import { planCommit } from './plan-commit.ts';
import { checkRevision } from './revision.ts';
import { SecretGuard } from './secrets.ts';
import { statusOf, unstagedOf } from './status.ts';
import { SUBMODULE_MODE } from './submodule.ts';
import { amendedNext, type Doing, doingIn, preparedMessage, rebaseUnderWay, sequenceIn, tipBefore, underWay } from './under-way.ts';

export type Outcome = Output<(typeof table)['git.merge']>;

/** Joins another line of commits into this branch. Throws GIT_DIVERGED where only a fast-forward was allowed and there is none. */
export async function merge(
  git: Git,
  request: { from: string; fastForward: 'allow' | 'only' | 'never'; message?: string | undefined },
  signal?: AbortSignal,
): Promise<Outcome> {
  checkRevision(request.from);
  return git.changing(signal, async () => mergeNow(git, await readyFor(git, 'merge', signal), request, signal));
}

/** The same within a turn that was taken. */
export async function mergeNow(
  git: Git,
  repository: Repository,
  { from, fastForward, message }: { from: string; fastForward: 'allow' | 'only' | 'never'; message?: string | undefined },
  signal: AbortSignal | undefined,
): Promise<Outcome> {
  const how = { allow: '--ff', only: '--ff-only', never: '--no-ff' }[fastForward];
  const said = message === undefined ? [] : ['--cleanup=whitespace', messageArgument(message, 'by a commit')];
  const guard = new SecretGuard(git, repository, 'merge', signal);
  // It stands for all that was fetched last, and would be looked at for the first of them.
  if (!guard.idle && from === 'FETCH_HEAD') throw new OutriggerError('BAD_INPUT', 'merge: name the branch that was fetched.');
  await guard.merging(`${from}^{commit}`);
  const inTheWay = await changesInTheWay(git, repository, from, fastForward, signal);
  if (inTheWay.length > 0) throw overwriting('merge', inTheWay);
  return join(git, repository, 'merge', ['merge', '--no-edit', '--no-stat', how, ...said, '--end-of-options', from], undefined, signal);
}

/**
 * Changes for which git would refuse a merge that makes a commit, as far as it can be told before. Since 2.38 it refuses by throwing all changes away and bringing them
 * back: ended in between, it leaves them in no file and under no name, and whoever has a file open sees its text go and come.
 */
async function changesInTheWay(
  git: Git,
  repository: Repository,
  from: string,
  fastForward: 'allow' | 'only' | 'never',
  signal: AbortSignal | undefined,
): Promise<string[]> {
  const quietly = async (args: readonly string[], exits: readonly number[]): Promise<Uint8Array> =>
    (await git.read('merge', repository, args, { signal, maxOutputBytes: MAX_LIST_BYTES }, exits)).stdout;
  const head = await git.head(repository, signal);
  if (fastForward === 'only' || head === undefined) return [];
  const theirs = await git.commitOf(repository, from, from, signal);
  const isAncestor = async (one: string, other: string): Promise<boolean> =>
    (await git.read('merge', repository, ['merge-base', '--is-ancestor', one, other], { signal }, [0, 1])).exitCode === 0;
  if ((await isAncestor(theirs, head)) || (fastForward === 'allow' && (await isAncestor(head, theirs)))) return [];
  const status = await statusOf(git, repository, false, signal);
  // Of files in conflict git says so, before all else.
  if (status.entries.some(({ conflict }) => conflict !== undefined)) return [];
  const staged = status.entries.filter((entry) => entry.staged !== null).map(({ path }) => path.shown);
  if (staged.length > 0) return staged;
  const changed = unstagedOf(status);
  if (changed.size === 0) return [];
  // What git before 2.38 can't say, and of what has nothing in common, git itself refuses.
  const merged = Buffer.from(await quietly(['merge-tree', '--write-tree', '--name-only', '-z', head, theirs], [0, 1, 128, 129]));
  const tree = /^[\da-f]{40,64}(?=\0|\n)/.exec(merged.toString('latin1'))?.[0];
  if (tree === undefined) return [];
  // Which commit of a repository inside is meant says nothing of its files: git leaves those as they are.
  const inside = new Set(status.entries.flatMap(({ path, submodule }) => (submodule || path.folder ? [path.shown] : [])));
  const words = splitNul(await quietly(['diff-tree', '-r', '--raw', '--no-renames', '-z', head, tree], [0]));
  const parts = words.map((bytes) => Buffer.from(bytes).toString());
  return parts.filter(
    (name, at) => at % 2 === 1 && changed.has(name) && !(inside.has(name) && parts[at - 1]?.slice(1, 14).includes(SUBMODULE_MODE)),
  );
}

/** Puts the commits of this branch onto another. */
export async function rebase(git: Git, onto: string, signal?: AbortSignal): Promise<Outcome> {
  checkRevision(onto);
  return git.changing(signal, async () => rebaseNow(git, await readyFor(git, 'rebase', signal), onto, signal));
}

export async function rebaseNow(git: Git, repository: Repository, onto: string, signal: AbortSignal | undefined): Promise<Outcome> {
  const guard = new SecretGuard(git, repository, 'rebase', signal);
  if (!guard.idle) await guard.replaying(await git.commitOf(repository, onto, onto, signal));
  return join(git, repository, 'rebase', ['rebase', '--no-autostash', '--no-stat', '--end-of-options', onto], undefined, signal);
}

export async function cherryPick(git: Git, commit: string, signal?: AbortSignal): Promise<Outcome> {
  checkRevision(commit);
  return git.changing(signal, async () => {
    const repository = await readyFor(git, 'cherry-pick', signal);
    const picked = await git.commitOf(repository, commit, commit, signal);
    await new SecretGuard(git, repository, 'cherry-pick', signal).applying(picked);
    return join(git, repository, 'cherry-pick', ['cherry-pick', '--end-of-options', picked], undefined, signal);
  });
}

export async function revert(git: Git, commit: string, signal?: AbortSignal): Promise<Outcome> {
  checkRevision(commit);
  return git.changing(signal, async () => {
    const repository = await readyFor(git, 'revert', signal);
    const reverted = await git.commitOf(repository, commit, commit, signal);
    await new SecretGuard(git, repository, 'revert', signal).applying(reverted);
    return join(git, repository, 'revert', ['revert', '--no-edit', '--end-of-options', reverted], undefined, signal);
  });
}

/** The repository, where nothing is under way in it. */
export async function readyFor(git: Git, action: string, signal: AbortSignal | undefined): Promise<Repository> {
  const repository = await git.wholeRepository(action, signal);
  const doing = doingIn(repository.gitFolder);
  if (!isIntegrating(doing)) return repository;
  throw new OutriggerError('GIT_FAILED', `${action}: a ${nameOf(doing)} is under way: git.continue or git.abort ends it.`);
}

/** Goes on with what stopped; files in conflict without marks in them count as resolved. */
export function goOn(git: Git, { message, skip }: { message?: string | undefined; skip: boolean }, signal?: AbortSignal): Promise<Outcome> {
  return git.changing(signal, async () => {
    const repository = await git.wholeRepository('continue', signal);
    const doing = stopped(repository, 'continue');
    // It may have begun elsewhere, where nobody looked.
    const guard = new SecretGuard(git, repository, 'continue', signal);
    if (skip) await guard.overwriting('HEAD');
    const { onto, tip } = guard.idle || doing !== 'rebase' ? {} : rebaseUnderWay(repository.gitFolder);
    if (onto !== undefined && tip !== undefined) await guard.replaying(onto, tip);
    if (!guard.idle) for (const { commit } of sequenceIn(repository.gitFolder)) await guard.applying(commit);
    // Mails are no commits that could be looked at.
    if (!guard.idle && doing === 'am') throw new OutriggerError('ACCESS_DENIED', 'Patches are not applied here where files are secrets.');
    if (skip && doing === 'merge') throw new OutriggerError('BAD_INPUT', 'A merge is one step: it can be given up, not skipped.');
    if (message !== undefined && doing === 'am')
      throw new OutriggerError('BAD_INPUT', 'A patch has its message from its mail: leave `message` out.');
    if (skip) return join(git, repository, doing, [doing, '--skip'], undefined, signal);
    await resolve(git, repository, doing, signal);
    // `--continue` opens an editor, after which lines that begin with # are taken for comments: a message goes into the commit here.
    const prepared = doing === 'am' ? undefined : preparedMessage(repository.gitFolder);
    const text = message ?? prepared;
    if (text !== undefined || doing === 'merge') {
      const said = text === undefined ? ['--no-edit'] : ['--cleanup=whitespace', '--file=-'];
      // Of one that is edited, or joined with the one before, there is a commit already.
      const amended = doing === 'rebase' ? amendedNext(repository.gitFolder) : undefined;
      if (amended !== undefined && (await git.head(repository, signal)) === amended) said.push('--amend');
      // Of a rebase alone git does not know here whose commit it is.
      const author = doing === 'rebase' && prepared !== undefined ? await authorOfStopped(git, repository, signal) : {};
      const made = await join(git, repository, doing, ['commit', ...said], text, signal, author);
      if (made.outcome === 'conflicts' || doingIn(repository.gitFolder) !== doing) return made;
    }
    return join(git, repository, doing, [doing, '--continue'], undefined, signal);
  });
}

/** Gives up what stopped. */
export function giveUp(git: Git, signal?: AbortSignal): Promise<{ aborted: Exclude<Doing, 'bisect'>; head: string | null }> {
  return git.changing(signal, async () => {
    const repository = await git.wholeRepository('abort', signal);
    const doing = stopped(repository, 'abort');
    const guard = new SecretGuard(git, repository, 'abort', signal);
    await guard.overwriting(tipBefore(repository.gitFolder, doing) ?? 'HEAD');
    const result = await git.change('abort', repository, [doing, '--abort']);
    if (result.exitCode !== 0) throw wouldOverwrite('abort', result);
    return { aborted: doing, head: (await git.head(repository, undefined)) ?? null };
  });
}

export async function reset(
  git: Git,
  { to, mode }: { to: string; mode: 'soft' | 'mixed' | 'hard' },
  signal?: AbortSignal,
): Promise<{ head: string }> {
  checkRevision(to);
  return git.changing(signal, async () => {
    const repository = await git.wholeRepository('reset', signal);
    const target = await git.commitOf(repository, to, to, signal);
    const guard = new SecretGuard(git, repository, 'reset', signal);
    // Also where files stay: what HEAD holds in a secret's place would come there with a later step.
    if (!guard.idle) await guard.step(await git.treeish(repository, 'HEAD', signal), target);
    if (mode === 'hard') await guard.overwriting(target);
    const result = await git.change('reset', repository, ['reset', '--quiet', `--${mode}`, '--no-recurse-submodules', target, '--']);
    if (result.exitCode !== 0) throw changeError('reset', result);
    return { head: target };
  });
}

/** Files that both sides changed, as git left them; at most a thousand. */
export async function conflictsOf(git: Git, repository: Repository, signal: AbortSignal | undefined): Promise<GitConflict[]> {
  const { entries } = await statusOf(git, repository, false, signal);
  return entries
    .flatMap(({ path, conflict }) => (conflict === undefined ? [] : [{ path: path.shown, kind: conflict }]))
    .slice(0, MAX_CONFLICTS);
}

const MAX_CONFLICTS = 1000;

/** Runs what may stop in conflicts, to its end, aborted or not. */
async function join(
  git: Git,
  repository: Repository,
  action: string,
  args: readonly string[],
  message: string | Uint8Array | undefined,
  signal: AbortSignal | undefined,
  author: Record<string, string> = {},
): Promise<Outcome> {
  const before = await git.head(repository, signal);
  const wasDoing = doingIn(repository.gitFolder);
  const wasAt = headsOf(repository);
  const result = await git.change(action, repository, args, {
    env: { ...(await identity(git, undefined, signal)), ...author },
    settings: new SecretGuard(git, repository, action, signal).settings,
    ...(message === undefined ? {} : { stdin: message }),
  });
  const head = (await git.head(repository, undefined)) ?? null;
  if (result.exitCode === 0) return { outcome: head === before && wasDoing === undefined ? 'nothing' : 'done', head, conflicts: [] };
  const conflicts = await conflictsOf(git, repository, undefined);
  const doing = doingIn(repository.gitFolder);
  if (conflicts.length > 0 && isIntegrating(doing)) return { outcome: 'conflicts', head, conflicts };
  // They were there before, and git did not begin.
  if (conflicts.length > 0) throw inConflict(action, conflicts);
  // A rebase goes on past such a commit by itself, unless it was told to commit.
  const mayBeNothing = doing === 'cherry-pick' || doing === 'revert' || (doing === 'rebase' && args[0] === 'commit');
  if (mayBeNothing && !(await hasStaged(git, repository))) {
    if (doing === 'rebase') return { outcome: 'nothing', head, conflicts: [] };
    const stoppedAt = headsOf(repository);
    if (args[1] !== '--skip' || wasAt !== stoppedAt) {
      // Of several, the others come all the same.
      const others = await join(git, repository, action, [doing, '--skip'], undefined, signal);
      return others.outcome === 'done' && others.head === head ? { ...others, outcome: 'nothing' } : others;
    }
  }
  // Of the revert of a commit that changed nothing no trace is left to go on from.
  if (action === 'revert' && doing === undefined && saysNothingToCommit(result)) return { outcome: 'nothing', head, conflicts: [] };
  if (isIntegrating(doing) && saysSettled(result)) return { outcome: 'conflicts', head, conflicts: [] };
  const error = wouldOverwrite(action, result);
  if (!isIntegrating(doing)) throw error;
  throw stillUnderWay(error, doing);
}

/** It stopped at what it settled by itself, for people to look at. https://git-scm.com/docs/git-config#Documentation/git-config.txt-rerereautoUpdate */
export function saysSettled({ stdout, stderr }: RunResult): boolean {
  return /^Staged '.*' using previous resolution\.$/m.test(`${stdout.toString()}\n${stderr.toString()}`);
}

function stillUnderWay(error: OutriggerError, doing: Doing): OutriggerError {
  return withMore(error, `The ${nameOf(doing)} is still under way: git.continue or git.abort ends it.`);
}

/** Environment that names who wrote the commit at which a rebase stopped, and when. */
async function authorOfStopped(git: Git, repository: Repository, signal: AbortSignal | undefined): Promise<Record<string, string>> {
  const [stoppedAt] = underWay(repository.gitFolder)?.heads ?? [];
  if (stoppedAt === undefined) return {};
  const args = ['show', '--no-patch', '--no-notes', '--date=raw', '--format=%an%x00%ae%x00%ad', stoppedAt, '--'];
  const { stdout } = await git.read('continue', repository, args, { signal });
  const [name = '', email = '', at = ''] = stdout.toString().trim().split('\0');
  return { GIT_AUTHOR_NAME: name, GIT_AUTHOR_EMAIL: email, GIT_AUTHOR_DATE: `@${at}` };
}

function headsOf({ gitFolder }: Repository): string | undefined {
  return underWay(gitFolder)?.heads.join(' ');
}

function nameOf(doing: Doing): string {
  return doing === 'am' ? 'git am' : doing;
}

async function hasStaged(git: Git, repository: Repository): Promise<boolean> {
  const args = ['diff', '--cached', '--quiet', '--no-ext-diff', '--ignore-submodules=dirty', '--'];
  return (await git.read('commit', repository, args, { signal: undefined }, [0, 1])).exitCode === 1;
}

/** A bisect goes on beside whatever is joined. */
function isIntegrating(doing: Doing | undefined): doing is Exclude<Doing, 'bisect'> {
  return doing !== undefined && doing !== 'bisect';
}

function stopped(repository: Repository, action: string): Exclude<Doing, 'bisect'> {
  const doing = doingIn(repository.gitFolder);
  if (isIntegrating(doing)) return doing;
  throw new OutriggerError('GIT_FAILED', `${action}: no merge, rebase, git am, cherry-pick or revert is under way.`);
}

async function resolve(git: Git, repository: Repository, doing: Doing, signal: AbortSignal | undefined): Promise<void> {
  const { entries } = await statusOf(git, repository, false, signal);
  // git refuses these too, but when the commit was made here already.
  const inTheWay = entries.filter(
    ({ staged, unstaged, submodule }) => staged === null && unstaged !== null && unstaged !== 'untracked' && !submodule,
  );
  if (doing === 'rebase' && inTheWay.length > 0) {
    const names = inTheWay.map(({ path }) => path.shown);
    throw stillUnderWay(overwriting('rebase', names), doing);
  }
  // What else changed goes along only where git asks for all of it: the files that took part.
  const { chosen, unmerged } = planCommit(
    entries.filter(({ staged, unstaged }) => staged !== null && unstaged !== null),
    { paths: undefined, all: true },
  );
  await refuseMarkers(git, repository, 'continue', { unmerged }, signal);
  await takeIntoIndex(git, 'continue', chosen, signal);
}
