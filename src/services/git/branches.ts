import { isDeepStrictEqual } from 'node:util';
import { OutriggerError } from '../../contract/errors.ts';
import type { git as table } from '../../contract/git.ts';
import type { Output } from '../../contract/operation.ts';
import { type Git, MAX_LIST_BYTES, type Repository } from './git.ts';
import { wouldOverwrite } from './git-error.ts';
import { checkName, checkRevision } from './revision.ts';
import { SecretGuard } from './secrets.ts';
import { keptAside, pushStash, untrackedInTheWay } from './stash.ts';

type BranchesAnswer = Output<(typeof table)['git.branches']>;
type TagsAnswer = Output<(typeof table)['git.tags']>;

const branchFields = [
  ...['refname', 'objectname', 'upstream', 'upstream:track,nobracket', 'committerdate:unix', 'authorname'],
  ...['contents:subject', 'HEAD', 'symref'],
];

/** Local and remote branches, those used last first. */
export function branches(git: Git, { remote, limit }: { remote: boolean; limit: number }, signal?: AbortSignal): Promise<BranchesAnswer> {
  return git.reading(signal, async () => {
    const repository = await git.repository(signal);
    const refs = ['refs/heads/', ...(remote ? ['refs/remotes/'] : [])];
    const { records, cut } = await forEachRef(git, repository, branchFields, '-committerdate', limit + 1, refs, signal);
    const found = records.filter(([, , , , , , , , symref]) => symref === '').map(branchOf);
    return {
      current: (await currentBranch(git, repository, signal)) ?? null,
      branches: found.slice(0, limit),
      truncated: cut || records.length > limit,
    };
  });
}

function branchOf(fields: readonly string[]): BranchesAnswer['branches'][number] {
  const [ref = '', hash = '', upstream = '', track = '', at = '0', author = '', subject = '', head = ''] = fields;
  const remote = ref.startsWith('refs/remotes/');
  const ahead = /ahead (\d+)/.exec(track)?.[1];
  const behind = /behind (\d+)/.exec(track)?.[1];
  const gone = track === 'gone';
  return {
    name: shortName(ref),
    remote,
    current: head === '*',
    hash,
    ...(upstream === '' ? {} : { upstream: shortName(upstream) }),
    ...(gone ? { gone } : {}),
    ...(upstream === '' || gone ? {} : { ahead: Number(ahead ?? 0), behind: Number(behind ?? 0) }),
    at: Number(at) * 1000,
    author,
    subject,
  };
}

/** As it is listed: git's own short names say more where a tag has the same. */
function shortName(ref: string): string {
  return ref.replace(/^refs\/(heads|remotes)\//, '');
}

/** Undefined on a detached HEAD; before the first commit, the branch that will be. */
export async function currentBranch(git: Git, repository: Repository, signal: AbortSignal | undefined): Promise<string | undefined> {
  const { exitCode, stdout } = await git.read('branches', repository, ['symbolic-ref', '--quiet', 'HEAD'], { signal }, [0, 1]);
  return exitCode === 0 ? shortName(stdout.toString().replace(/\n$/, '')) : undefined;
}

/** Fields hold no NUL and end with one; each record ends with a line feed more. `cut`: there are more than are read. */
export async function forEachRef(
  git: Git,
  repository: Repository,
  fields: readonly string[],
  sort: string,
  count: number,
  refs: readonly string[],
  signal: AbortSignal | undefined,
): Promise<{ records: string[][]; cut: boolean }> {
  const format = fields.map((field) => `%(${field})%00`).join('');
  const args = ['for-each-ref', `--format=${format}`, `--sort=${sort}`, `--count=${count}`, ...refs];
  const { stdout, omittedBytes } = await git.read('branches', repository, args, { signal, maxOutputBytes: MAX_LIST_BYTES });
  const words = stdout.toString().split('\0');
  const records: string[][] = [];
  for (let at = 0; at + fields.length < words.length; at += fields.length)
    records.push(words.slice(at, at + fields.length).map((word, index) => (index === 0 ? word.replace(/^\n/, '') : word)));
  return { records, cut: omittedBytes > 0 };
}

export interface BranchRequest {
  action: 'create' | 'rename' | 'delete';
  name: string;
  from?: string | undefined;
  to?: string | undefined;
  force: boolean;
}

export async function branch(git: Git, request: BranchRequest, signal?: AbortSignal): Promise<{ name: string; hash: string }> {
  const { action, name, from, to, force } = request;
  checkName('branch', name);
  checkRevision(from);
  if (to !== undefined) checkName('branch', to);
  if ((action === 'rename') !== (to !== undefined)) throw new OutriggerError('BAD_INPUT', 'A branch is renamed with `to`, and only then.');
  return git.writing(signal, async () => {
    const repository = await git.repository(signal);
    if (action === 'create') await git.write('branch', ['branch', '--no-track', '--', name, from ?? 'HEAD'], { signal });
    const hash = await git.commitOf(repository, `refs/heads/${name}`, `the branch ${name}`, signal);
    if (action === 'rename') await git.write('branch', ['branch', '--move', '--', name, to ?? ''], { signal });
    if (action === 'delete') await git.write('branch', ['branch', force ? '-D' : '-d', '--', name], { signal });
    return { name: to ?? name, hash };
  });
}

interface Where {
  branch: string | null;
  head: string | null;
}

export interface CheckoutRequest {
  to: string;
  create: boolean;
  from?: string | undefined;
  changes: 'keep' | 'stash' | 'discard';
}

/**
 * Throws GIT_WOULD_OVERWRITE with the files in the details where changes would be lost; nothing changed then. Once files are put aside or
 * changed it goes on to its end, aborted or not.
 */
export async function checkout(
  git: Git,
  { to, create, from, changes }: CheckoutRequest,
  signal?: AbortSignal,
): Promise<Where & { stashed: boolean }> {
  if (create) checkName('branch', to);
  checkRevision(to);
  checkRevision(from);
  if (from !== undefined && !create) throw new OutriggerError('BAD_INPUT', '`from` is where a new branch begins: it needs `create`.');
  return git.changing(signal, async () => {
    const repository = await git.wholeRepository('checkout', signal);
    await new SecretGuard(git, repository, 'checkout', signal).checkout(create ? (from ?? 'HEAD') : to, changes);
    const before = await whereHeadIs(git, repository, signal);
    const stashed =
      changes === 'stash' && (await pushStash(git, repository, { message: `Before ${to}`, untracked: true, keepIndex: false }, signal));
    const target = create ? ['-b', to, '--no-track', ...(from === undefined ? [] : [from])] : [to];
    const args = ['checkout', '--quiet', '--no-recurse-submodules', ...(changes === 'discard' ? ['--force'] : []), ...target, '--'];
    // Changes that were kept would be lost where git had not looked at all of them when it was ended.
    let isWhole = true;
    const undoNow = async (): Promise<boolean> => (isWhole = await undoCheckout(git, repository, before, create ? (from ?? 'HEAD') : to));
    const undo = changes === 'keep' ? undefined : undoNow;
    const error = await git.change('checkout', repository, args, { undo }).then(
      (result) => (result.exitCode === 0 ? undefined : wouldOverwrite('checkout', result)),
      (reason: unknown) => reason as OutriggerError,
    );
    const after = await whereHeadIs(git, repository, undefined);
    // A hook runs when all is done, and git ends as the hook did.
    if (error === undefined || !isDeepStrictEqual(after, before)) return { ...after, stashed };
    // Among files of two commits nothing is brought back.
    if (stashed && !isWhole) throw keptAside(error);
    if (stashed) await bringBack(git, repository, error);
    throw error;
  });
}

async function whereHeadIs(git: Git, repository: Repository, signal: AbortSignal | undefined): Promise<Where> {
  return { branch: (await currentBranch(git, repository, signal)) ?? null, head: (await git.head(repository, signal)) ?? null };
}

/** Git had not written the index yet: it takes that of the target first, so as to know which files came from there. */
async function undoCheckout(git: Git, repository: Repository, before: Where, to: string): Promise<boolean> {
  try {
    if (!isDeepStrictEqual(await whereHeadIs(git, repository, undefined), before)) return false;
    const { records } = await forEachRef(
      git,
      repository,
      ['refname'],
      'refname',
      1,
      [`refs/heads/${to}`, `refs/remotes/*/${to}`],
      undefined,
    );
    const target = await git.commitOf(repository, records[0]?.[0] ?? to, to, undefined);
    const forth = await git.change('checkout', repository, ['read-tree', '-m', '-i', 'HEAD', target]);
    return (
      forth.exitCode === 0 && (await git.change('checkout', repository, ['read-tree', '--reset', '-u', target, 'HEAD'])).exitCode === 0
    );
  } catch {
    // The first error is the one to tell.
    return false;
  }
}

/** Whoever reads that a checkout failed looks for the changes where they were. */
async function bringBack(git: Git, repository: Repository, error: OutriggerError): Promise<void> {
  if ((await untrackedInTheWay(git, repository, 'stash@{0}', undefined)).length > 0) throw keptAside(error);
  const { exitCode } = await git.change('checkout', repository, ['stash', 'pop', '--quiet', '--index']);
  if (exitCode !== 0) throw keptAside(error);
}

const tagFields = ['refname', 'objectname', '*objectname', 'creatordate:unix', 'contents:subject', 'objecttype'];

/** Newest first. */
export function tags(git: Git, limit: number, signal?: AbortSignal): Promise<TagsAnswer> {
  return git.reading(signal, async () => {
    const repository = await git.repository(signal);
    const { records, cut } = await forEachRef(git, repository, tagFields, '-creatordate', limit + 1, ['refs/tags/'], signal);
    const found = records.map(([ref = '', own = '', of = '', at = '0', subject = '', type]) => ({
      name: ref.slice('refs/tags/'.length),
      hash: of === '' ? own : of,
      at: Number(at) * 1000,
      subject,
      annotated: type === 'tag',
    }));
    return { tags: found.slice(0, limit), truncated: cut || found.length > limit };
  });
}
