import type { Editor, Person, Since } from './edit-history.ts';
import { type Git, MAX_LIST_BYTES, type Repository } from './git.ts';
import { writers } from './identity.ts';
import type { StatusEntry } from './parse-status.ts';
import { type CommitChoice, planCommit } from './plan-commit.ts';
import { statusOf } from './status.ts';

/** Files of one commit whose editors are asked for; of the others nobody is named. */
const MAX_PATHS = 500;
/** Commits in which the last one of each file is looked for. */
const MAX_COMMITS = 1000;

/**
 * Who edited what a commit of this choice would hold and is visible, but who commits. `truncated`: it would hold more files than
 * are looked at.
 */
export function editors(
  git: Git,
  choice: CommitChoice,
  visible: (path: string) => boolean,
  signal?: AbortSignal,
  limitedTo?: readonly string[],
): Promise<{ editors: Editor[]; truncated: boolean }> {
  return git.reading(signal, async () => {
    await git.flush();
    const repository = await git.repository(signal);
    const { entries } = await statusOf(git, repository, false, signal, limitedTo);
    const chosen = planCommit(entries, choice).chosen.filter(({ path }) => visible(path.shown));
    const found = await editorsOf(git, repository, chosen, visible, signal);
    if (found.length === 0) return { editors: [], truncated: chosen.length > MAX_PATHS };
    const own = new Set((await writers(git, undefined, signal)).flatMap(({ name, email }) => [name.toLowerCase(), email.toLowerCase()]));
    return {
      editors: found.filter(({ name, email }) => !own.has(name.toLowerCase()) && !own.has(email.toLowerCase())),
      truncated: chosen.length > MAX_PATHS,
    };
  });
}

/** Who edited what a commit of these files holds, by name, each once; nobody where there is no history of edits. */
export async function editorsOf(
  git: Git,
  repository: Repository,
  files: readonly StatusEntry[],
  visible: (path: string) => boolean,
  signal: AbortSignal | undefined,
): Promise<Editor[]> {
  if (git.edits === undefined || files.length === 0) return [];
  const paths = files
    .slice(0, MAX_PATHS)
    .flatMap(({ path, from }) => [path.shown, ...(from !== undefined && visible(from.shown) ? [from.shown] : [])]);
  const since = await lastCommits(git, repository, paths, signal);
  const people = new Map<string, Editor>();
  for (const found of git.edits.authorsSince(since, visible).values())
    for (const person of found) people.set(`${person.name}\n${person.email}`, person);
  return [...people.keys()].toSorted().map((key) => people.get(key) as Editor);
}

/** Where each path was last committed; the beginning of time where that is not known. */
async function lastCommits(
  git: Git,
  repository: Repository,
  paths: readonly string[],
  signal: AbortSignal | undefined,
): Promise<Map<string, Since>> {
  const beginning: Since = { time: 0 };
  const found = new Map<string, Since>(paths.map((path) => [path, beginning]));
  if ((await git.head(repository, signal)) === undefined) return found;
  const options = ['--format=format:commit %H %ct', '--name-only', '-z', '--relative', '--no-renames', '--no-show-signature'];
  const args = ['log', `--max-count=${MAX_COMMITS}`, ...options, '--', ...paths];
  const { stdout } = await git.read('commit', repository, args, { signal, maxOutputBytes: MAX_LIST_BYTES });
  let at: Since = beginning;
  for (const word of stdout.toString().split('\0')) {
    // The first name stands on the line below the head of its commit.
    const [, hash = '', seconds, below] = /^commit ([0-9a-f]{40,64}) (\d+)(?:\n(.*))?$/s.exec(word) ?? [];
    const step = git.readSteps.of(hash);
    if (seconds !== undefined) at = step === undefined ? { time: Number(seconds) * 1000 } : { step };
    const name = seconds === undefined ? word : (below ?? '');
    if (found.get(name) === beginning) found.set(name, at);
  }
  return found;
}

/** The message with a trailer for each of `people` who is not one of the `writers`; each person once, in the order given. */
export function withCoAuthors(message: string, people: readonly Person[], writers: readonly Person[]): string {
  const text = message.trimEnd();
  const said = text.toLowerCase();
  const seen = new Set(writers.flatMap(({ name, email }) => [name.toLowerCase(), email.toLowerCase()]));
  const trailers: string[] = [];
  for (const { name, email } of people) {
    if (seen.has(email.toLowerCase()) || seen.has(name.toLowerCase())) continue;
    seen.add(email.toLowerCase()).add(name.toLowerCase());
    const trailer = `Co-authored-by: ${name} <${email}>`;
    if (!said.includes(trailer.toLowerCase())) trailers.push(trailer);
  }
  if (trailers.length === 0) return message;
  // A paragraph of trailers at the end is continued; git sees only the last one.
  const lastParagraph = text.slice(text.lastIndexOf('\n\n') + 2);
  const goesOn = text.includes('\n\n') && lastParagraph.split('\n').every((line) => /^[A-Za-z][A-Za-z-]*: \S/.test(line));
  return `${text}${goesOn ? '\n' : '\n\n'}${trailers.join('\n')}\n`;
}
