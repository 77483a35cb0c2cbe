import { OutriggerError } from '../../contract/errors.ts';
import type { git as table } from '../../contract/git.ts';
import type { Output } from '../../contract/operation.ts';
import type { Git, Repository } from './git.ts';
import { type PatchFile, type PatchHunk, parsePatch } from './parse-patch.ts';
import { checkCompared, type Compared, comparedArguments, diffOptions } from './reading.ts';
import { checkRevision } from './revision.ts';
import { untrackedFiles } from './untracked.ts';

type HunksAnswer = Output<(typeof table)['git.hunks']>;

/** Lines around a change. The same everywhere, since the ids of hunks hold them. */
const CONTEXT = 3;

export interface HunksRequest extends Compared {
  /** Against its first parent. */
  commit?: string | undefined;
  /** Where a file that was renamed to `path` was: both are compared as one. */
  was?: string | undefined;
  /** With files that git does not know yet. */
  untracked?: boolean;
  /** False: only how many. */
  lines?: boolean;
  maxLines: number;
}

export async function hunks(git: Git, input: HunksRequest, signal?: AbortSignal): Promise<HunksAnswer> {
  const { commit, path, was, untracked = false, lines = true, maxLines } = input;
  if (commit !== undefined && (input.from !== undefined || input.staged))
    throw new OutriggerError('BAD_INPUT', '`commit` goes with neither `from` nor `staged`.');
  if (untracked && (commit !== undefined || input.from !== undefined || input.staged))
    throw new OutriggerError('BAD_INPUT', '`untracked` goes with the work tree against the index alone.');
  if (was !== undefined && path === undefined) throw new OutriggerError('BAD_INPUT', '`was` needs `path`.');
  checkRevision(commit);
  checkCompared(input);
  return git.reading(signal, async () => {
    await git.flush();
    const repository = await git.repository(signal);
    const compared = commit === undefined ? input : { staged: false, path, ...(await parentAndCommit(git, repository, commit, signal)) };
    const paths = [path, was].filter((one) => one !== undefined);
    const known = await patchFiles(git, repository, compared, paths, signal);
    const fresh = untracked ? await untrackedFiles(git, repository, paths, signal) : { files: [], truncated: false };
    const files = [...known.files, ...fresh.files];
    const truncated = known.truncated || fresh.truncated;
    return lines ? answerOf(files, truncated, maxLines) : { files: files.map(countsOf), omittedFiles: 0, truncated };
  });
}

/** A commit and its first parent, or the empty tree where it has none. Throws GIT_FAILED for what is none. */
export async function parentAndCommit(
  git: Git,
  repository: Repository,
  revision: string,
  signal: AbortSignal | undefined,
): Promise<{ from: string; to: string }> {
  const args = ['rev-list', '--parents', '--max-count=1', await git.commitOf(repository, revision, revision, signal)];
  const { stdout } = await git.read('commit', repository, args, { signal });
  const [to = '', from] = stdout.toString().trim().split(' ');
  return { from: from ?? (await git.emptyTree(repository, signal)), to };
}

/** The files that differ, with their hunks byte for byte. `truncated`: there is more than is read. */
export async function patchFiles(
  git: Git,
  repository: Repository,
  compared: Compared,
  paths: readonly string[],
  signal: AbortSignal | undefined,
): Promise<{ files: PatchFile[]; truncated: boolean }> {
  const { staged, from, to } = compared;
  const isWorkTree = !staged && from === undefined;
  const args = [
    ...['-c', 'diff.suppressBlankEmpty=false', 'diff', '--raw', '-z', '--patch', ...diffOptions, `--unified=${CONTEXT}`],
    // A file in conflict is shown against our side of it, as one that changed.
    ...(isWorkTree ? ['--ours', '--diff-filter=u'] : []),
    ...(await comparedArguments(git, repository, { staged, from, to }, signal)),
  ];
  const running = { signal, maxOutputBytes: git.options.maxTextBytes, about: paths };
  const { stdout, omittedBytes } = await git.read('diff', repository, args, running);
  const { files, listCut } = parsePatch(stdout, omittedBytes > 0);
  return { files, truncated: omittedBytes > 0 || listCut };
}

function answerOf(files: readonly PatchFile[], truncated: boolean, maxLines: number): HunksAnswer {
  let left = maxLines;
  let complete = !truncated;
  const answer: HunksAnswer = { files: [], omittedFiles: 0, truncated: false };
  for (const file of files) {
    const taken: PatchHunk[] = [];
    for (const hunk of file.hunks) {
      const count = countLines(hunk.body);
      if (count > left) break;
      left -= count;
      taken.push(hunk);
    }
    // Once something did not fit, small files after it don't either: the answer ends in one place.
    if (taken.length < file.hunks.length) left = 0;
    const omitted = file.cut ? -1 : file.hunks.length - taken.length;
    complete &&= omitted === 0;
    if (taken.length === 0 && omitted !== 0 && answer.files.length > 0) answer.omittedFiles++;
    else answer.files.push(fileAnswer(file, taken, omitted));
  }
  answer.truncated = !complete;
  return answer;
}

function fileAnswer(file: PatchFile, hunksTaken: readonly PatchHunk[], omittedHunks: number): HunksAnswer['files'][number] {
  const { path, from, status, oldMode, newMode, binary } = file;
  const answer: HunksAnswer['files'][number] = {
    path: path.shown,
    status,
    binary,
    ...changedLines(file),
    hunks: hunksTaken.map(({ body, ...facts }) => ({ ...facts, lines: linesOf(body) })),
    omittedHunks,
  };
  if (file.untracked === true) answer.untracked = true;
  if (from !== undefined) answer.from = from.shown;
  if (path.raw) answer.raw = true;
  if (oldMode !== newMode && status !== 'added' && status !== 'deleted') Object.assign(answer, { oldMode, newMode });
  return answer;
}

/** Without its lines. */
function countsOf(file: PatchFile): HunksAnswer['files'][number] {
  return fileAnswer(file, [], file.cut ? -1 : file.hunks.length);
}

function changedLines({ hunks: all }: PatchFile): { added: number; removed: number } {
  const counts = { added: 0, removed: 0 };
  for (const { body } of all) {
    for (let at = 0; at >= 0 && at < body.length; at = body.indexOf('\n', at) + 1) {
      if (body[at] === '+') counts.added++;
      else if (body[at] === '-') counts.removed++;
    }
  }
  return counts;
}

const kinds = { ' ': 'context', '+': 'added', '-': 'removed' } as const;

type Line = HunksAnswer['files'][number]['hunks'][number]['lines'][number];

function linesOf(body: string): Line[] {
  const lines: Line[] = [];
  for (const line of body.split('\n').slice(0, -1)) {
    const kind = kinds[line[0] as keyof typeof kinds] as Line['kind'] | undefined;
    const last = lines.at(-1);
    if (kind !== undefined) lines.push({ kind, text: Buffer.from(line.slice(1), 'latin1').toString() });
    else if (last !== undefined) last.noNewline = true;
  }
  return lines;
}

function countLines(body: string): number {
  let count = 0;
  for (let at = body.indexOf('\n'); at >= 0; at = body.indexOf('\n', at + 1)) count++;
  return count;
}
