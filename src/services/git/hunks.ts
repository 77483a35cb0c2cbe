import { OutriggerError } from '../../contract/errors.ts';
import type { git as table } from '../../contract/git.ts';
import type { Output } from '../../contract/operation.ts';
import type { Git, Repository } from './git.ts';
import { type PatchFile, type PatchHunk, parsePatch } from './parse-patch.ts';
import { checkCompared, type Compared, comparedArguments, diffOptions } from './reading.ts';
import { checkRevision } from './revision.ts';

type HunksAnswer = Output<(typeof table)['git.hunks']>;

/** Lines around a change. The same everywhere, since the ids of hunks hold them. */
const CONTEXT = 3;

export interface HunksRequest extends Compared {
  /** Against its first parent. */
  commit?: string | undefined;
  maxLines: number;
}

export async function hunks(git: Git, input: HunksRequest, signal?: AbortSignal): Promise<HunksAnswer> {
  const { commit, path, maxLines } = input;
  if (commit !== undefined && (input.from !== undefined || input.staged))
    throw new OutriggerError('BAD_INPUT', '`commit` goes with neither `from` nor `staged`.');
  checkRevision(commit);
  checkCompared(input);
  return git.reading(signal, async () => {
    await git.flush();
    const repository = await git.repository(signal);
    const compared = commit === undefined ? input : { staged: false, path, ...(await parentAndCommit(git, repository, commit, signal)) };
    const { files, truncated } = await patchFiles(git, repository, compared, path === undefined ? [] : [path], signal);
    return answerOf(files, truncated, maxLines);
  });
}

/** A commit and its first parent, or the empty tree where it has none. Throws GIT_FAILED for what is none. */
export async function parentAndCommit(
  git: Git,
  repository: Repository,
  revision: string,
  signal: AbortSignal | undefined,
): Promise<{ from: string; to: string }> {
  const args = ['rev-list', '--parents', '--max-count=1', '--end-of-options', `${revision}^{commit}`];
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
    ...paths,
  ];
  const { stdout, omittedBytes } = await git.read('diff', repository, args, { signal, maxOutputBytes: git.options.maxTextBytes });
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
    hunks: hunksTaken.map(({ body, ...facts }) => ({ ...facts, lines: linesOf(body) })),
    omittedHunks,
  };
  if (from !== undefined) answer.from = from.shown;
  if (path.raw) answer.raw = true;
  if (oldMode !== newMode && status !== 'added' && status !== 'deleted') Object.assign(answer, { oldMode, newMode });
  return answer;
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
