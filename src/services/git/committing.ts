import fs from 'node:fs';
import { OutriggerError } from '../../contract/errors.ts';
import { splitNul } from '../../core/split-nul.ts';
import { editorsOf, withCoAuthors } from './co-authors.ts';
import type { Person } from './edit-history.ts';
import { type Git, MAX_LIST_BYTES, type Repository } from './git.ts';
import { gitError } from './git-error.ts';
import { type GitPath, nulEnded } from './git-path.ts';
import { identity, writers } from './identity.ts';
import type { StatusEntry } from './parse-status.ts';
import { type CommitChoice, type CommitPlan, commitNames, indexNames, planCommit } from './plan-commit.ts';
import { type RepositoryStatus, statusOf } from './status.ts';

/** What one argument of a program may hold on Linux, with room to spare. */
const MAX_ARGUMENT_BYTES = 100_000;
const SLASH = 0x2f;
/** Files in conflict whose content is looked at before they count as resolved. */
const MAX_CONFLICTS = 1000;

export interface CommitRequest extends CommitChoice {
  /** May be left out with `amend`: the old one stays. */
  message: string | undefined;
  author: Person | undefined;
  /** Replace the last commit. */
  amend?: boolean;
  coAuthors?: readonly Person[];
  /** Name who edited what it holds; undefined: as the options say. */
  editors?: boolean | undefined;
}

export interface CommitAnswer {
  committed: boolean;
  hash: string | null;
  files: number;
  summary: string;
}

/** What a commit is made of, when everything was looked at and nothing done yet. */
interface Prepared {
  repository: Repository;
  request: CommitRequest;
  plan: CommitPlan;
  /** Where something else is staged, so that the files have to be named. */
  some: readonly StatusEntry[] | undefined;
  /** The last commit so far. */
  before: string | null;
  /** The step of the history at which open documents had been saved. */
  step: number | undefined;
}

const nothing: CommitAnswer = { committed: false, hash: null, files: 0, summary: 'Nothing changed since the last commit.' };

/**
 * One at a time. Aborted or out of time, the commit may or may not have been made; what was put into the index stays there,
 * as it does when a hook refuses.
 */
export async function commit(git: Git, request: CommitRequest, signal?: AbortSignal): Promise<CommitAnswer> {
  checkRequest(request);
  return git.writing(signal, async () => {
    const step = git.edits?.step();
    const repository = await git.repositoryOrInit(signal);
    const status = await statusOf(git, repository, false, signal);
    return commitNow(git, repository, status, request, step, signal);
  });
}

/** The same within a turn that was taken, of a status that was just read. */
export async function commitNow(
  git: Git,
  repository: Repository,
  status: RepositoryStatus,
  request: CommitRequest,
  step: number | undefined,
  signal: AbortSignal | undefined,
): Promise<CommitAnswer> {
  if (status.cut) throw new OutriggerError('GIT_FAILED', 'commit: too many files changed; commit them in parts, by path.');
  const plan = planCommit(status.entries, request);
  const isMerge = status.underWay?.doing === 'merge';
  const rewords = request.amend === true && (request.message !== undefined || request.author !== undefined);
  if (plan.chosen.length === 0 && !isMerge && !rewords) return nothing;
  if (request.all || request.paths !== undefined) await refuseMarkers(git, repository, 'commit', plan, signal);
  const outside = (await stagedOutside(git, repository, signal)) ?? (await stagedSecret(git, repository, signal));
  if (outside !== undefined && request.paths === undefined && !request.all)
    throw new OutriggerError('GIT_FAILED', `commit: ${outside}; choose files by path, or all.`);
  await takeIntoIndex(git, 'commit', plan.add, signal);
  const some = plan.othersStaged || outside !== undefined ? plan.chosen.filter((entry) => !isNoMore(entry)) : undefined;
  const staged = some?.length ?? (await stagedCount(git, repository, signal));
  if (staged === 0 && !isMerge && !rewords) return nothing;
  return run(git, { repository, request, plan, some, before: status.head, step }, staged, signal);
}

/** Files that still hold the marks of a conflict are not resolved, whoever says "all". */
export async function refuseMarkers(
  git: Git,
  repository: Repository,
  action: string,
  plan: Pick<CommitPlan, 'unmerged'>,
  signal: AbortSignal | undefined,
): Promise<void> {
  if (plan.unmerged.length === 0) return;
  const latin1 = (name: Uint8Array): string => Buffer.from(name).toString('latin1');
  const names = new Map(plan.unmerged.map(({ path: { bytes, shown } }) => [latin1(bytes), shown]));
  const conflict = (files: readonly string[]): OutriggerError =>
    new OutriggerError(
      'GIT_FAILED',
      `${action}: ${files.length === 1 ? files[0] : `${files.length} files`} still in conflict: take the <<<<<<< and >>>>>>> marks out first.`,
      { details: { conflicts: files.slice(0, 100) } },
    );
  if (names.size > MAX_CONFLICTS) throw conflict([...names.values()]);
  const options = ['-z', '--files-with-matches', '--no-color', '--no-textconv', '--extended-regexp', '-e', '^(<{7,}|>{7,})( |$)'];
  const marks = ['--no-literal-pathspecs', 'grep', ...options, '--', ...plan.unmerged.map(({ path }) => pathspecOf(path))];
  const { stdout } = await git.read(action, repository, marks, { signal, maxOutputBytes: MAX_LIST_BYTES }, [0, 1]);
  const marked = splitNul(stdout).flatMap((name) => names.get(latin1(name)) ?? []);
  if (marked.length > 0) throw conflict(marked);
}

/** What takes the file; of a name that is not UTF-8, which is no argument for a program, also names with other bytes in those places. */
function pathspecOf({ raw, shown, bytes }: GitPath): string {
  if (!raw) return `:(literal)${shown}`;
  const pattern = Array.from(bytes, (byte) => (byte < 0x80 ? String.fromCharCode(byte).replace(/[*?[\]\\]/, '\\$&') : '?'));
  return `:(glob)${pattern.join('')}`;
}

/** A staged file of the larger repository that is not ours to commit, and why. */
async function stagedOutside(git: Git, repository: Repository, signal: AbortSignal | undefined): Promise<string | undefined> {
  const { prefix } = repository;
  if (prefix.length === 0) return undefined;
  const args = ['diff', '--cached', '--name-only', '--no-renames', '--no-ext-diff', '-z'];
  const { stdout } = await git.read('commit', repository, args, { signal, maxOutputBytes: MAX_LIST_BYTES });
  const outside = splitNul(stdout).find((name) => Buffer.compare(name.subarray(0, prefix.length), prefix) !== 0);
  return outside === undefined ? undefined : `${Buffer.from(outside).toString()} is staged too, and lies outside of this folder`;
}

/** A secret of the sidecar that somebody staged, which is never committed here. */
async function stagedSecret(git: Git, repository: Repository, signal: AbortSignal | undefined): Promise<string | undefined> {
  if (git.secrets.length === 0) return undefined;
  const args = ['diff', '--cached', '--name-only', '--no-renames', '--no-ext-diff', '--relative', '-z', '--', ...git.secrets];
  const [found] = splitNul((await git.read('commit', repository, args, { signal, maxOutputBytes: MAX_LIST_BYTES })).stdout);
  return found === undefined ? undefined : `${Buffer.from(found).toString()} is staged too, and holds a secret of the sidecar itself`;
}

/** Files as they stand in the folder, by exact names: `git add` compares each with each, and fails when a file is gone again. */
export async function takeIntoIndex(
  git: Git,
  action: string,
  entries: readonly StatusEntry[],
  signal: AbortSignal | undefined,
): Promise<void> {
  const update = (how: readonly string[], names: readonly Uint8Array[]): Promise<unknown> =>
    git.write(action, ['update-index', ...how, '-z', '--stdin'], { signal, stdin: nulEnded(names) });
  const settled = entries.map((entry) =>
    entry.staged === 'unmerged' && isGone(git, entry) ? { ...entry, unstaged: 'deleted' as const } : entry,
  );
  const { present, gone } = indexNames(settled);
  // Without a look at the folder: below a link that replaced one git refuses to look.
  if (gone.length > 0) await update(['--force-remove'], gone);
  if (present.length > 0) await update(['--add', '--remove', '--replace'], present);
}

/** Of a file in conflict git does not say so: something else is in its place, or in that of a folder above it. */
function isGone(git: Git, { path, submodule }: StatusEntry): boolean {
  const name = Buffer.from(path.bytes);
  const statAt = (end: number): fs.Stats | undefined => {
    try {
      return fs.lstatSync(Buffer.concat([Buffer.from(`${git.options.root}/`), name.subarray(0, end)]), { throwIfNoEntry: false });
    } catch {
      // There is a file above it.
      return undefined;
    }
  };
  for (let end = name.indexOf(SLASH); end > 0; end = name.indexOf(SLASH, end + 1)) if (statAt(end)?.isDirectory() !== true) return true;
  return statAt(name.length)?.isDirectory() === true && !submodule;
}

/** It was new, and is gone again: neither the last commit knows it nor the index. */
function isNoMore({ staged, unstaged }: StatusEntry): boolean {
  return staged === 'added' && unstaged === 'deleted';
}

async function stagedCount(git: Git, repository: Repository, signal: AbortSignal | undefined): Promise<number> {
  const args = ['diff', '--cached', '--name-only', '--find-renames', '--no-ext-diff', '--no-textconv', '-z'];
  const { stdout } = await git.read('commit', repository, args, { signal, maxOutputBytes: MAX_LIST_BYTES });
  return splitNul(stdout).length;
}

/** Of files that were named not each differs: one may be as it was again, and two may be one that was renamed. */
async function committedCount(
  git: Git,
  repository: Repository,
  [before, after]: readonly [string | null, string],
  signal: AbortSignal | undefined,
): Promise<number> {
  const from = before ?? (await git.emptyTree(repository, signal));
  const args = ['diff-tree', '-r', '-z', '--name-only', '--find-renames', '--no-ext-diff', '--no-textconv', from, after, '--'];
  return splitNul((await git.read('commit', repository, args, { signal, maxOutputBytes: MAX_LIST_BYTES })).stdout).length;
}

async function run(git: Git, prepared: Prepared, staged: number, signal: AbortSignal | undefined): Promise<CommitAnswer> {
  const { repository, request, some } = prepared;
  const env = await identity(git, request.author, signal);
  const text = await messageOf(git, prepared, signal);
  // Lines that begin with # are part of the message: nobody saw an editor with comments in it.
  const args = ['commit', '--cleanup=whitespace'];
  if (request.amend === true) args.push('--amend');
  // The author of a commit that is replaced stays, whatever the environment says.
  if (request.amend === true && request.author !== undefined) args.push(`--author=${request.author.name} <${request.author.email}>`);
  let stdin: Uint8Array | string = text;
  if (some === undefined) args.push('--file=-');
  else if (some.length === 0) args.push('--only', '--file=-');
  else {
    args.push('--only', messageArgument(text, 'with all that is staged'), '--pathspec-from-file=-', '--pathspec-file-nul');
    stdin = nulEnded(commitNames(some));
  }
  // A hook may take its time: checks of a minute are none too long, and whoever waits no more ends it with the call.
  const timeoutMs = git.options.networkTimeoutMs;
  const result = await git.write('commit', args, { signal, stdin, env, endsWithCall: true, timeoutMs }, [0, 1]);
  const said = result.stdout.toString();
  // A hook may take everything out of the index again.
  if (saysNothingToCommit(result)) return nothing;
  if (result.exitCode !== 0) throw gitError('commit', result.exitCode, `${result.stderr.toString()}\n${said}`);
  const hash = (await git.head(repository, signal)) ?? null;
  if (hash !== null && prepared.step !== undefined) git.readSteps.add(hash, prepared.step);
  const files = some === undefined || hash === null ? staged : await committedCount(git, repository, [prepared.before, hash], signal);
  const summary = /^ \d+ files? changed.*$/m.exec(said)?.[0]?.trim();
  return { committed: true, hash, files, summary: summary ?? text.trim().split('\n')[0] ?? '' };
}

/** What git's commit found was not enough for one. */
export function saysNothingToCommit({ exitCode, stdout }: { exitCode: number | null; stdout: Uint8Array }): boolean {
  return exitCode === 1 && /^(nothing|no changes) (added )?to commit|^nothing added to commit/m.test(Buffer.from(stdout).toString());
}

/** For where git's input is not the message. Throws BAD_INPUT where no program can be given it so; `otherwise` says where it can be. */
export function messageArgument(text: string, otherwise: string): string {
  if (Buffer.byteLength(text) > MAX_ARGUMENT_BYTES)
    throw new OutriggerError('BAD_INPUT', `A message of more than ${MAX_ARGUMENT_BYTES} bytes is only taken ${otherwise}.`);
  if (text.includes('\0')) throw new OutriggerError('BAD_INPUT', 'The message holds no NUL.');
  return `--message=${text}`;
}

/** The message with its co-authors: those of the call, and those whose edits it holds. */
async function messageOf(git: Git, { repository, request, plan }: Prepared, signal: AbortSignal | undefined): Promise<string> {
  const text = request.message ?? (await lastMessage(git, repository, signal));
  const editors = (request.editors ?? git.options.coAuthors) ? await editorsOf(git, repository, plan.chosen, () => true, signal) : [];
  const people = [...editors, ...(request.coAuthors ?? [])];
  return people.length === 0 ? text : withCoAuthors(text, people, await writers(git, request.author, signal));
}

async function lastMessage(git: Git, repository: Repository, signal: AbortSignal | undefined): Promise<string> {
  const args = ['log', '--max-count=1', '--format=%B', '--no-show-signature'];
  const { stdout, omittedBytes } = await git.read('commit', repository, args, { signal });
  if (omittedBytes > 0)
    throw new OutriggerError('GIT_FAILED', 'commit: the message of the last commit is too long to be kept: give another.');
  return stdout.toString();
}

function checkRequest({ message, author, amend, coAuthors = [] }: CommitRequest): void {
  if (message === undefined && amend !== true) throw new OutriggerError('BAD_INPUT', 'A commit needs a message.');
  if (message?.trim() === '') throw new OutriggerError('BAD_INPUT', 'The message is empty.');
  const people = [...(author === undefined ? [] : [author]), ...coAuthors];
  if ([message, ...people.flatMap(({ name, email }) => [name, email])].some((text) => text?.includes('\0') === true))
    throw new OutriggerError('BAD_INPUT', 'The message and the author hold no NUL.');
  if (people.some(({ name, email }) => /[<>\n]/.test(name + email)))
    throw new OutriggerError('BAD_INPUT', 'A name and an address hold no < or >, and no line break.');
}
