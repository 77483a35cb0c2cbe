import type { git as table } from '../../contract/git.ts';
import type { Output } from '../../contract/operation.ts';
import { splitNul } from '../../core/split-nul.ts';
import { TimeSlice } from '../../core/time-slice.ts';
import { type Git, MAX_LIST_BYTES } from './git.ts';
import { type GitPath, gitPath } from './git-path.ts';
import { parentAndCommit } from './hunks.ts';
import { parseLog } from './parse-log.ts';
import { statuses } from './parse-patch.ts';
import { logOptions, longMessage } from './reading.ts';
import { checkRevision } from './revision.ts';
import { aboutPath } from './status.ts';

type CommitFacts = Output<(typeof table)['git.commitInfo']>;

export interface CommitFile {
  path: GitPath;
  from?: GitPath;
  status: CommitFacts['files'][number]['status'];
  /** Lines; null for a binary file. */
  added: number | null;
  removed: number | null;
}

/** A commit and what it changed below the workspace, or these paths of it, against its first parent. */
export async function commitInfo(
  git: Git,
  revision: string,
  signal?: AbortSignal,
  limitedTo: readonly string[] = [],
): Promise<Pick<CommitFacts, 'commit' | 'committer'> & { files: CommitFile[]; cut: boolean }> {
  checkRevision(revision);
  return git.reading(signal, async () => {
    const repository = await git.repository(signal);
    const { from, to } = await parentAndCommit(git, repository, revision, signal);
    const read = (args: readonly string[]): ReturnType<Git['read']> =>
      git.read('commit', repository, args, { signal, maxOutputBytes: MAX_LIST_BYTES });
    const [log, who, changed] = await Promise.all([
      read(['log', ...logOptions, '--max-count=1', to, '--']),
      read(['log', '--max-count=1', '--format=%cn%x00%ce%x00%ct', '--no-show-signature', to, '--']),
      read([
        'diff-tree',
        '-r',
        '-z',
        '--raw',
        '--numstat',
        '--find-renames',
        '--relative',
        '--no-ext-diff',
        '--no-textconv',
        from,
        to,
        '--',
        ...limitedTo.map(aboutPath),
      ]),
    ]);
    const [commit] = parseLog(log.stdout.toString());
    if (log.omittedBytes > 0) throw longMessage('commit');
    const [name = '', email = '', seconds = '0'] = who.stdout.toString().trim().split('\0');
    if (commit === undefined) throw new Error(`git log has nothing of ${to}.`);
    const committer = { name, email, at: Number(seconds) * 1000 };
    return { commit, committer, files: await parseChanged(changed.stdout, signal), cut: changed.omittedBytes > 0 };
  });
}

const none = new Uint8Array();

/** `git diff-tree -z --raw --numstat`: all files with their status, then all with their counts, in the same order. Others are served meanwhile. */
async function parseChanged(output: Buffer, signal: AbortSignal | undefined): Promise<CommitFile[]> {
  const words = splitNul(output);
  const files: CommitFile[] = [];
  let at = 0;
  const slice = new TimeSlice();
  for (; at < words.length && words[at]?.[0] === 0x3a; at++) {
    if (slice.isOver) await slice.giveWay(signal);
    const letter =
      Buffer.from(words[at] as Uint8Array)
        .toString('latin1')
        .split(' ')[4]?.[0] ?? '';
    const isPair = letter === 'R' || letter === 'C';
    const from = isPair ? gitPath(words[++at] ?? none, none) : undefined;
    const path = gitPath(words[++at] ?? none, none);
    const status = statuses[letter];
    if (path === undefined || status === undefined) continue;
    files.push({ path, status, added: null, removed: null, ...(from === undefined ? {} : { from }) });
  }
  for (let file = 0; at < words.length && file < files.length; at++, file++) {
    if (slice.isOver) await slice.giveWay(signal);
    const [, added, removed, name] = /^(\d+|-)\t(\d+|-)\t(.*)$/s.exec(Buffer.from(words[at] as Uint8Array).toString('latin1')) ?? [];
    // Of a pair the names follow, each on its own.
    if (name === '') at += 2;
    if (added !== '-') Object.assign(files[file] as CommitFile, { added: Number(added), removed: Number(removed) });
  }
  return files;
}
