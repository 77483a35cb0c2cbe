import { OutriggerError } from '../../contract/errors.ts';
import type { git as table } from '../../contract/git.ts';
import type { Output } from '../../contract/operation.ts';
import { TimeSlice } from '../../core/time-slice.ts';
import { gitPath } from './git-path.ts';
import type { Git } from './git.ts';
import { checkRevision } from './revision.ts';

type BlameAnswer = Output<(typeof table)['git.blame']>;

export interface BlameRequest {
  path: string;
  revision?: string | undefined;
  start?: number | undefined;
  end?: number | undefined;
  /** Whether the caller may see a file of the workspace; absent: all of them. */
  visible?: ((path: string) => boolean) | undefined;
  /** False: as if the file had been new wherever it was renamed. What git follows a file to it chooses among all that there were. */
  follow?: boolean | undefined;
}

/** Who wrote each line. Throws FILE_NOT_FOUND where git does not know the file, OUT_OF_RANGE where it has no such line. */
export async function blame(git: Git, input: BlameRequest, signal?: AbortSignal): Promise<BlameAnswer> {
  const { path, revision, start, end, visible = () => true, follow = true } = input;
  checkRevision(revision);
  if (start !== undefined && end !== undefined && end < start) throw new OutriggerError('BAD_INPUT', '`end` comes before `start`.');
  return git.reading(signal, async () => {
    if (revision === undefined) await git.flush();
    const repository = await git.repository(signal);
    // Of a range git tells the commit at which it ends, whatever that touches.
    const as = revision === undefined ? [] : [await git.commitOf(repository, revision, revision, signal)];
    const range = start === undefined && end === undefined ? [] : [`-L${start ?? 1},${end ?? ''}`];
    const args = ['-c', 'blame.ignoreRevsFile=', 'blame', '--porcelain', '--no-progress', '--no-textconv', ...range];
    try {
      const { stdout, omittedBytes } = await git.read(
        'blame',
        repository,
        [...args, ...(follow ? [] : ['--no-follow']), ...as, '--', path],
        {
          signal,
          maxOutputBytes: git.options.maxTextBytes,
        },
      );
      const prefix = repository.prefix.toString();
      const isSeen = (original: string): boolean => original.startsWith(prefix) && visible(original.slice(prefix.length));
      return await parseBlame(stdout, omittedBytes > 0, isSeen, signal);
    } catch (error) {
      throw blameError(error, path);
    }
  });
}

const uncommitted = /^0+$/;

/** `git blame --porcelain`: facts of a commit stand with its first line only. What was cut off at the end is left out. Others are served meanwhile. */
async function parseBlame(
  output: Buffer,
  truncated: boolean,
  isSeen: (path: string) => boolean,
  signal: AbortSignal | undefined,
): Promise<BlameAnswer> {
  const answer: BlameAnswer = { runs: [], commits: {}, truncated };
  const utf8 = (latin1: string): string => Buffer.from(latin1, 'latin1').toString();
  const paths = new Map<string, string>();
  let current: { hash: string; original: number; line: number } | undefined;
  let facts: Record<string, string> = {};
  const slice = new TimeSlice();
  for (let start = 0, end = output.indexOf(10); end >= 0; start = end + 1, end = output.indexOf(10, start)) {
    if (slice.isOver) await slice.giveWay(signal);
    const line = output.toString('latin1', start, end);
    const [, hash, original, final] = /^([0-9a-f]{40,64}) (\d+) (\d+)(?: \d+)?$/.exec(line) ?? [];
    if (current === undefined && hash !== undefined) {
      current = { hash, original: Number(original), line: Number(final) };
      facts = {};
    } else if (line.startsWith('\t') && current !== undefined) {
      const { hash: of, original: from, line: at } = current;
      if (facts['filename'] !== undefined) {
        const original = unquoted(facts['filename']);
        paths.set(of, isSeen(original) ? original : '');
      }
      if (facts['author'] !== undefined && !uncommitted.test(of)) {
        answer.commits[of] = {
          author: { name: utf8(facts['author']), email: utf8(facts['author-mail'] ?? '').replace(/^<|>$/g, '') },
          at: Number(facts['author-time']) * 1000,
          subject: utf8(facts['summary'] ?? ''),
        };
      }
      addLine(answer.runs, { hash: uncommitted.test(of) ? null : of, from, at, path: paths.get(of) ?? '' });
      current = undefined;
    } else {
      const space = line.indexOf(' ');
      facts[space < 0 ? line : line.slice(0, space)] = space < 0 ? '' : line.slice(space + 1);
    }
  }
  return answer;
}

function addLine(
  runs: BlameAnswer['runs'],
  { hash, from, at, path }: { hash: string | null; from: number; at: number; path: string },
): void {
  const last = runs.at(-1);
  const goesOn = last?.hash === hash && last.originalPath === path && last.start + last.lines === at;
  if (goesOn && last.originalStart + last.lines === from) last.lines++;
  else runs.push({ start: at, lines: 1, hash, originalStart: from, originalPath: path });
}

const escapes: Readonly<Record<string, string>> = { a: '\x07', b: '\b', t: '\t', n: '\n', v: '\v', f: '\f', r: '\r' };

/** A name as git writes it where there are lines, in quotes if it has to be; latin1 in, as it is shown out. */
function unquoted(name: string): string {
  const plain = /^".*"$/s.test(name)
    ? name
        .slice(1, -1)
        .replace(/\\([0-7]{3}|.)/gs, (_, code: string) =>
          code.length === 3 ? String.fromCharCode(Number.parseInt(code, 8)) : (escapes[code] ?? code),
        )
    : name;
  return gitPath(Buffer.from(plain, 'latin1'), new Uint8Array())?.shown ?? '';
}

function blameError(error: unknown, path: string): unknown {
  if (!(error instanceof OutriggerError) || error.reason !== 'GIT_FAILED') return error;
  if (/no such path|cannot (stat path|lstat)|no such ref: HEAD/i.test(error.message))
    return new OutriggerError('FILE_NOT_FOUND', `blame: git does not know ${path} there.`, { cause: error });
  // Git repeats the line that is no hash, of whatever file the config of the repository names.
  if (/invalid object name: |could not open object name list/.test(error.message))
    return new OutriggerError('GIT_FAILED', 'blame: the file that blame.ignoreRevsFile names is not there, or no list of commits.');
  const lines = /has only (\d+) lines?/.exec(error.message)?.[1];
  return lines === undefined ? error : new OutriggerError('OUT_OF_RANGE', `blame: ${path} has only ${lines} lines.`, { cause: error });
}
