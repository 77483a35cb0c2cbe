import fs from 'node:fs';
import path from 'node:path';
import { OutriggerError } from '../../contract/errors.ts';
import type { git as table } from '../../contract/git.ts';
import type { Output } from '../../contract/operation.ts';
import type { RunResult } from '../processes/processes.ts';
import { errnoOf } from '../state/errno.ts';
import { fileError } from '../workspace/file-errors.ts';
import { currentBranch, forEachRef } from './branches.ts';
import { type Credentials, withCredentials } from './credentials.ts';
import type { Git, Repository } from './git.ts';
import { networkError } from './git-error.ts';
import { identity } from './identity.ts';
import { mergeNow, type Outcome, readyFor, rebaseNow } from './integrating.ts';
import type { Progress } from './parse-progress.ts';
import { ProgressFeed } from './progress-feed.ts';
import { checkGivenUrl, isWithin, protocolsFor, remoteNames, remoteUrl } from './remotes.ts';
import { checkName } from './revision.ts';

type Updated = Output<(typeof table)['git.fetch']>['updated'];

/** Refs that are compared around a fetch, and told of at most. */
const MAX_REFS = 10_000;
const MAX_TOLD = 1000;

/** How a call talks: who asks, and who hears how far it is. */
export interface Talk {
  credentials: Credentials | undefined;
  emit: (item: Progress) => Promise<void> | void;
}

interface Remote {
  name: string;
  url: string;
}

export interface CloneRequest {
  url: string;
  /** Below the workspace; '' is the workspace itself. */
  path: string;
  branch?: string | undefined;
  depth?: number | undefined;
  /** The caller is limited to some paths: a repository of the workspace would show him all that was ever committed. */
  limited?: boolean | undefined;
}

/** Into a folder that is empty or new. Aborted, git takes away what it made, where it has the time for that. */
export async function clone(
  git: Git,
  { url, path: into, branch, depth, limited = false }: CloneRequest,
  talk: Talk,
  signal?: AbortSignal,
): Promise<Output<(typeof table)['git.clone']>> {
  checkGivenUrl(git, url);
  if (limited && protocolsFor(git, url) === 'file')
    throw new OutriggerError('OUT_OF_SCOPE', 'clone: whoever is limited to some paths clones nothing that lies on this machine.');
  if (branch !== undefined) checkName('branch', branch);
  return git.talking(signal, async () => {
    checkTarget(git, into);
    const args = [
      ...['clone', '--progress', '--no-recurse-submodules', '--origin=origin'],
      ...(branch === undefined ? [] : [`--branch=${branch}`]),
      ...(depth === undefined ? [] : [`--depth=${depth}`]),
      ...['--', url, into === '' ? '.' : into],
    ];
    await converse(git, 'clone', args, { name: 'origin', url }, talk, signal);
    const inside = ['-C', into === '' ? '.' : into];
    const head = await git.run('clone', [...inside, 'rev-parse', '--verify', '--quiet', 'HEAD'], { signal });
    const current = await git.run('clone', [...inside, 'symbolic-ref', '--quiet', '--short', 'HEAD'], { signal });
    const line = ({ exitCode, stdout }: RunResult): string | null => (exitCode === 0 ? stdout.toString().trim() : null);
    return { path: into, branch: line(current), head: line(head) };
  });
}

/** Git looks for itself where it writes; this is about where that is. */
function checkTarget(git: Git, into: string): void {
  if (into.split('/').some((name) => name.toLowerCase() === '.git'))
    throw new OutriggerError('BAD_INPUT', 'clone: the folder of git itself is no place for a repository.');
  const target = path.join(git.options.root, into);
  if (!isWithin(git.options.root, target)) throw new OutriggerError('PATH_ESCAPES', `clone: ${into} leads out of the workspace.`);
  let names: string[] = [];
  try {
    names = fs.readdirSync(target);
  } catch (error) {
    const code = errnoOf(error);
    if (code === 'ENOTDIR' && fs.existsSync(target)) throw new OutriggerError('NOT_EMPTY', `clone: ${into} is a file.`);
    if (code !== 'ENOENT') throw fileError(error, `clone: ${into}`);
  }
  if (names.length > 0)
    throw new OutriggerError('NOT_EMPTY', `clone: ${into === '' ? 'the workspace' : into} is not empty.`, {
      details: { entries: names.length },
    });
}

export interface FetchRequest {
  remote?: string | undefined;
  prune: boolean;
  tags: boolean;
}

export async function fetch(
  git: Git,
  request: FetchRequest,
  talk: Talk,
  signal?: AbortSignal,
): Promise<Output<(typeof table)['git.fetch']>> {
  return git.talking(signal, async () => {
    const repository = await git.repository(signal);
    const remote = await remoteOf(git, repository, request.remote, 'fetch', signal);
    const { updated, truncated } = await fetchNow(git, repository, remote, request, talk, signal);
    return { remote: remote.name, updated, truncated };
  });
}

async function fetchNow(
  git: Git,
  repository: Repository,
  remote: Remote,
  { prune, tags }: Pick<FetchRequest, 'prune' | 'tags'>,
  talk: Talk,
  signal: AbortSignal | undefined,
): Promise<{ updated: Updated; truncated: boolean }> {
  const before = await refsOf(git, repository, remote.name, signal);
  const options = ['--progress', '--no-recurse-submodules', prune ? '--prune' : '--no-prune', ...(tags ? ['--tags'] : [])];
  await converse(git, 'fetch', ['fetch', ...options, '--', remote.name], remote, talk, signal);
  const after = await refsOf(git, repository, remote.name, signal);
  const updated: Updated = [];
  for (const [ref, to] of after.refs) {
    const from = before.refs.get(ref);
    if (from !== to && (from !== undefined || before.reaches(ref))) updated.push({ ref, from: from ?? null, to });
  }
  for (const [ref, from] of before.refs) if (!after.refs.has(ref) && after.reaches(ref)) updated.push({ ref, from, to: null });
  return { updated: updated.slice(0, MAX_TOLD), truncated: updated.length > MAX_TOLD || before.isCut || after.isCut };
}

interface RefList {
  /** Hashes by name. */
  refs: ReadonlyMap<string, string>;
  /** There are more. */
  isCut: boolean;
  /** A ref that is not in the list is not there, and is not only behind its end. */
  reaches: (ref: string) => boolean;
}

async function refsOf(git: Git, repository: Repository, remote: string, signal: AbortSignal | undefined): Promise<RefList> {
  const fields = ['refname', 'objectname', 'symref'];
  const names = [`refs/remotes/${remote}/`, 'refs/tags/'];
  const { records, cut } = await forEachRef(git, repository, fields, 'refname', MAX_REFS + 1, names, signal);
  const isCut = cut || records.length > MAX_REFS;
  // Git sorts by bytes.
  const last = Buffer.from(records.at(-1)?.[0] ?? '');
  return {
    refs: new Map(records.flatMap(([ref = '', hash = '', symref]) => (symref === '' ? [[ref, hash] as const] : []))),
    isCut,
    reaches: (ref) => !isCut || Buffer.compare(Buffer.from(ref), last) <= 0,
  };
}

export interface PullRequest {
  remote?: string | undefined;
  branch?: string | undefined;
  strategy: 'ff-only' | 'merge' | 'rebase';
}

/** Throws GIT_DIVERGED where a fast-forward was asked for and both sides have commits of their own; what was fetched stays. */
export async function pull(
  git: Git,
  { remote: given, branch, strategy }: PullRequest,
  talk: Talk,
  signal?: AbortSignal,
): Promise<Outcome & { remote: string; updated: Updated }> {
  if (branch !== undefined) checkName('branch', branch);
  const { remote, updated } = await git.talking(signal, async () => {
    const repository = await readyFor(git, 'pull', signal);
    const found = await remoteOf(git, repository, given, 'fetch', signal);
    return { remote: found.name, ...(await fetchNow(git, repository, found, { prune: false, tags: false }, talk, signal)) };
  });
  return git.changing(signal, async () => {
    const repository = await readyFor(git, 'pull', signal);
    const from = branch === undefined ? await upstreamOf(git, repository, { remote, given }, signal) : `refs/remotes/${remote}/${branch}`;
    await git.commitOf(repository, from, from.replace('refs/remotes/', ''), signal);
    const outcome =
      strategy === 'rebase'
        ? await rebaseNow(git, repository, from, signal)
        : await mergeNow(git, repository, { from, fastForward: strategy === 'merge' ? 'allow' : 'only' }, signal);
    return { ...outcome, remote, updated };
  });
}

/** The branch that this one follows; where it follows none, or one of another remote than was named, the one of the same name. */
async function upstreamOf(
  git: Git,
  repository: Repository,
  { remote, given }: { remote: string; given: string | undefined },
  signal: AbortSignal | undefined,
): Promise<string> {
  const branch = await currentBranch(git, repository, signal);
  if (branch === undefined) throw new OutriggerError('GIT_FAILED', 'pull: HEAD is detached, so there is no branch to bring up to date.');
  const { records } = await forEachRef(
    git,
    repository,
    ['upstream', 'upstream:remotename'],
    'refname',
    1,
    [`refs/heads/${branch}`],
    signal,
  );
  const [upstream = '', ofRemote = ''] = records[0] ?? [];
  return upstream !== '' && (given ?? ofRemote) === ofRemote ? upstream : `refs/remotes/${remote}/${branch}`;
}

export interface PushRequest {
  remote?: string | undefined;
  branch?: string | undefined;
  to?: string | undefined;
  tags: boolean;
  force: 'no' | 'lease';
}

/** Throws GIT_DIVERGED where the remote has what this branch has not. */
export async function push(git: Git, request: PushRequest, talk: Talk, signal?: AbortSignal): Promise<Output<(typeof table)['git.push']>> {
  for (const name of [request.branch, request.to]) if (name !== undefined) checkName('branch', name);
  return git.talking(signal, async () => {
    const repository = await git.repository(signal);
    const branch = request.branch ?? (await currentBranch(git, repository, signal));
    if (branch === undefined) throw new OutriggerError('GIT_FAILED', 'push: HEAD is detached: name the branch.');
    await git.commitOf(repository, `refs/heads/${branch}`, `the branch ${branch}`, signal);
    const remote = await remoteOf(git, repository, request.remote, 'push', signal);
    const [upstream = '', ofRemote = ''] = await pushTarget(git, repository, branch, signal);
    const to = request.to ?? branch;
    // One that was made from another branch may follow that: only who names it sends commits there.
    const followsAnother = ofRemote === remote.name && upstream !== `refs/heads/${branch}`;
    const upstreamSet = upstream === '' || (followsAnother && request.to === undefined);
    const args = [
      ...['push', '--progress', '--porcelain', '--no-recurse-submodules', '--no-signed'],
      ...(upstreamSet ? ['--set-upstream'] : []),
      ...(request.tags ? ['--follow-tags'] : ['--no-follow-tags']),
      ...(request.force === 'lease' ? [`--force-with-lease=refs/heads/${to}`] : []),
      ...['--', remote.name, `refs/heads/${branch}:refs/heads/${to}`],
    ];
    const { stdout } = await converse(git, 'push', args, remote, talk, signal);
    // A line for each ref, with a mark of what became of it: tags that went along are among them.
    const outcome = /^[^=!]\trefs\//m.test(stdout.toString()) ? 'done' : 'nothing';
    return { remote: remote.name, branch: to, outcome, upstreamSet };
  });
}

async function pushTarget(git: Git, repository: Repository, branch: string, signal: AbortSignal | undefined): Promise<string[]> {
  const fields = ['upstream:remoteref', 'upstream:remotename'];
  const { records } = await forEachRef(git, repository, fields, 'refname', 1, [`refs/heads/${branch}`], signal);
  return records[0] ?? [];
}

/** The one that was named, else that of the current branch, else origin, else the only one. */
async function remoteOf(
  git: Git,
  repository: Repository,
  given: string | undefined,
  use: 'fetch' | 'push',
  signal: AbortSignal | undefined,
): Promise<Remote> {
  const name = given ?? (await usualRemote(git, repository, signal));
  return { name, url: await remoteUrl(git, repository, name, use, signal) };
}

async function usualRemote(git: Git, repository: Repository, signal: AbortSignal | undefined): Promise<string> {
  const names = await remoteNames(git, repository, signal);
  const branch = await currentBranch(git, repository, signal);
  const [, followed = ''] = branch === undefined ? [] : await pushTarget(git, repository, branch, signal);
  const found = [followed, 'origin'].find((name) => names.includes(name)) ?? (names.length === 1 ? names[0] : undefined);
  if (found !== undefined) return found;
  throw new OutriggerError(
    'GIT_FAILED',
    names.length === 0 ? 'There is no remote: git.remote adds one.' : 'There are several remotes: name one.',
  );
}

/** A command that talks to another machine; the transport is held to what the address is. */
async function converse(
  git: Git,
  action: string,
  args: readonly string[],
  { url }: Remote,
  { credentials, emit }: Talk,
  signal: AbortSignal | undefined,
): Promise<RunResult> {
  const allowed = protocolsFor(git, url);
  const feed = new ProgressFeed(emit);
  const result = await withCredentials(git, { url, credentials, action }, signal, async (settings) =>
    git.run(action, [...talkConfig, ...args], {
      signal,
      settings,
      env: { ...(await identity(git, undefined, signal)), GIT_ALLOW_PROTOCOL: allowed },
      timeoutMs: git.options.networkTimeoutMs,
      onStderr: (chunk) => feed.add(chunk),
    }),
  );
  await feed.end();
  if (result.exitCode !== 0) throw networkError(action, result);
  return result;
}

const talkConfig = ['-c', 'gc.auto=0', '-c', 'maintenance.auto=false', '-c', 'advice.detachedHead=false', '-c', 'fetch.output=full'];
