import { OutriggerError } from '../../contract/errors.ts';
import { utf8 } from './git-path.ts';
import type { Git, Repository } from './git.ts';
import { type GitCommit, logFormat, parseLog } from './parse-log.ts';
import { parseStage, parseTree, type TreeEntry } from './parse-tree.ts';
import { checkRevision } from './revision.ts';

/** Bytes in which a NUL makes a file binary, as git has it. */
const BINARY_PROBE_BYTES = 8000;

export interface Compared {
  path?: string | undefined;
  staged: boolean;
  from?: string | undefined;
  to?: string | undefined;
}

/** Options of each diff that is read: nothing but git looks at the files. */
export const diffOptions = [
  ...['--relative', '--no-color', '--no-ext-diff', '--no-textconv', '--find-renames', '--src-prefix=a/', '--dst-prefix=b/'],
  // The content of submodules is their own repositories' affair, whose config would hold there.
  ...['--submodule=short', '--ignore-submodules=dirty', '--inter-hunk-context=0'],
];

/** A unified patch with paths relative to the workspace; cut at the end of a line when it is too long. */
export async function diff(
  git: Git,
  input: Compared & { context: number },
  signal?: AbortSignal,
): Promise<{ diff: string; truncated: boolean; omittedBytes: number }> {
  checkCompared(input);
  return git.reading(signal, async () => {
    await git.flush();
    const repository = await git.repository(signal);
    const { stdout, omittedBytes } = await git.read(
      'diff',
      repository,
      ['diff', '--patch', ...diffOptions, `--unified=${input.context}`, ...(await comparedArguments(git, repository, input, signal))],
      { signal, maxOutputBytes: git.options.maxTextBytes, about: input.path === undefined ? [] : [input.path] },
    );
    if (omittedBytes === 0) return { diff: stdout.toString(), truncated: false, omittedBytes };
    const end = stdout.lastIndexOf(0x0a) + 1;
    return { diff: stdout.subarray(0, end).toString(), truncated: true, omittedBytes: omittedBytes + stdout.length - end };
  });
}

export function checkCompared({ from, to, staged }: Compared): void {
  if (to !== undefined && from === undefined) throw new OutriggerError('BAD_INPUT', '`to` needs `from`.');
  if (to !== undefined && staged) throw new OutriggerError('BAD_INPUT', 'Only one of `staged` and `to` may be given.');
  for (const revision of [from, to]) checkRevision(revision);
}

export async function comparedArguments(
  git: Git,
  repository: Repository,
  { staged, from, to }: Compared,
  signal: AbortSignal | undefined,
): Promise<string[]> {
  const revisions: string[] = [];
  for (const revision of [from, to]) if (revision !== undefined) revisions.push(await git.treeish(repository, revision, signal));
  return [...(staged ? ['--cached'] : []), '--end-of-options', ...revisions];
}

export async function log(
  git: Git,
  input: { path?: string | undefined; count: number; skip: number; from?: string | undefined },
  signal?: AbortSignal,
): Promise<{ commits: GitCommit[]; more: boolean }> {
  checkRevision(input.from);
  return git.reading(signal, async () => {
    const repository = await git.repository(signal);
    if ((input.from ?? 'HEAD') === 'HEAD' && (await git.head(repository, signal)) === undefined) return { commits: [], more: false };
    const commitsAsked = input.from === undefined ? ['HEAD'] : await git.commitsOf(repository, input.from, signal);
    const below = input.path ?? (repository.prefix.length === 0 ? undefined : '.');
    const { stdout, omittedBytes } = await git.read(
      'log',
      repository,
      [
        ...['log', ...logOptions, `--max-count=${input.count + 1}`, `--skip=${input.skip}`],
        ...['--end-of-options', ...commitsAsked, '--', ...(below === undefined ? [] : [below])],
      ],
      { signal },
    );
    const commits = parseLog(stdout.toString());
    // Else whoever goes on where the log was left would stay at this place.
    if (commits.length === 0 && omittedBytes > 0) throw longMessage('log');
    return { commits: commits.slice(0, input.count), more: commits.length > input.count || omittedBytes > 0 };
  });
}

/** For a commit that is longer than what is read of git for one answer. */
export function longMessage(action: string): OutriggerError {
  return new OutriggerError('OUTPUT_TOO_LARGE', `${action}: the message of the commit is too long for one answer.`);
}

export const logOptions = [
  ...['-z', logFormat, '--no-color', '--no-show-signature', '--decorate=short', '--no-patch'],
  ...['--no-ext-diff', '--no-textconv'],
];

/** A file at a revision, or in the index (`:`, or `:1` to `:3` for the sides of a conflict). */
export async function show(
  git: Git,
  input: { path: string; revision: string },
  signal?: AbortSignal,
): Promise<{ exists: boolean; text: string; binary: boolean; size: number }> {
  const stage = /^:([0-3]?)$/.exec(input.revision)?.[1];
  if (stage === undefined) checkRevision(input.revision);
  return git.reading(signal, async () => {
    const repository = await git.repository(signal);
    const entry =
      stage === undefined
        ? await treeEntry(git, repository, input.revision, input.path, signal)
        : await indexEntry(git, repository, Number(stage), input.path, signal);
    if (entry === undefined) return { exists: false, text: '', binary: false, size: 0 };
    if (entry.mode === '040000' || entry.mode === '160000') {
      throw new OutriggerError('BAD_INPUT', `${input.path} is a ${entry.mode === '040000' ? 'folder' : 'submodule'} at ${input.revision}.`);
    }
    const { maxTextBytes } = git.options;
    const { stdout, omittedBytes } = await git.read('show', repository, ['cat-file', 'blob', entry.hash], {
      signal,
      maxOutputBytes: maxTextBytes,
    });
    const size = stdout.length + omittedBytes;
    const text = stdout.subarray(0, BINARY_PROBE_BYTES).includes(0) ? undefined : omittedBytes > 0 ? '' : utf8(stdout);
    if (text === undefined) return { exists: true, text: '', binary: true, size };
    if (omittedBytes > 0)
      throw new OutriggerError(
        'OUTPUT_TOO_LARGE',
        `${input.path} holds ${size} bytes at ${input.revision}; ${maxTextBytes} is the most that is shown.`,
      );
    return { exists: true, text: text.startsWith('\ufeff') ? text.slice(1) : text, binary: false, size };
  });
}

async function treeEntry(
  git: Git,
  repository: Repository,
  revision: string,
  file: string,
  signal: AbortSignal | undefined,
): Promise<TreeEntry | undefined> {
  // What follows `--end-of-options` is all names, so there is no `--`: it would be one.
  const tree = await git.treeish(repository, revision, signal);
  const args = ['ls-tree', '-z', '--full-tree', '--end-of-options', tree, repository.prefix.toString() + file];
  return parseTree((await git.read('show', repository, args, { signal })).stdout);
}

async function indexEntry(
  git: Git,
  repository: Repository,
  stage: number,
  file: string,
  signal: AbortSignal | undefined,
): Promise<TreeEntry | undefined> {
  const { stdout } = await git.read('show', repository, ['ls-files', '--stage', '-z', '--', file], { signal });
  return parseStage(stdout, stage, file);
}
