// Operations that change the index and make commits, each with what a user of the program git would do in its place.
import fs from 'node:fs';
import type { ErrorReason } from '../../src/contract/errors.ts';
import type { Answer, Asked } from '../../src/contract/operation.ts';
import type { Operations } from '../../src/contract/operations.ts';
import { bytesOf, type Entry, foldersOf, type GitFolder, isBelow, type Ran, shown } from './git-model-folder.ts';
import { withHunks, patchFiles } from './git-model-patches.ts';
import type { Random } from './random.ts';

export type Name = keyof Operations & string;

export interface Step {
  name: Name;
  input: object;
  /** Does in a folder what the operation has to do; the same where git refuses it. */
  twin: (folder: GitFolder) => Ran;
  /** Known before: it has to be refused so, though git might do it. */
  refused?: ErrorReason | undefined;
  /** Refused, it leaves what git leaves. */
  leaves?: boolean;
  /** What the answer has to say, by the twin's folder after it; undefined: nothing that is known. */
  expects?: (folder: GitFolder, ran: Ran, before: { head: string | null }) => object | undefined;
}

export function step<K extends Name>(
  name: K,
  input: Asked<Operations[K]>,
  twin: Step['twin'],
  more: Pick<Step, 'refused' | 'leaves'> & {
    expects?: (folder: GitFolder, ran: Ran, before: { head: string | null }) => Partial<Answer<Operations[K]>> | undefined;
  } = {},
): Step {
  return { name, input, twin, ...more };
}

export const done: Ran = { ok: true, stdout: Buffer.alloc(0), said: '' };

const namesGiven = ['--pathspec-from-file=-', '--pathspec-file-nul'];

function nulEnded(names: readonly string[]): Buffer {
  return Buffer.from(names.map((name) => `${name}\0`).join(''), 'latin1');
}

function isStaged({ kind, xy }: Entry): boolean {
  return kind === 'u' || ((kind === '1' || kind === '2') && xy[0] !== '.');
}

function isUnstaged({ kind, xy }: Entry): boolean {
  return kind === '?' || kind === 'u' || (kind !== '!' && xy[1] !== '.');
}

/** A repository inside that git does not know. */
function isRepository({ kind, path }: Entry): boolean {
  return kind === '?' && path.endsWith('/');
}

function nameOf({ path }: Entry): string {
  return path.replace(/\/$/, '');
}

function isNamed(entry: Entry, paths: readonly string[]): boolean {
  return paths.some((path) => isBelow(nameOf(entry), path) || (entry.from !== undefined && isBelow(entry.from, path)));
}

/** A file in conflict whose marks nobody took out. */
export function isMarked(folder: GitFolder, { kind, path }: Entry): boolean {
  return kind === 'u' && /^(<{7,}|>{7,})( |$)/m.test(folder.content(path) ?? '');
}

/** As they stand in the folder. */
export function add(folder: GitFolder, entries: readonly Entry[]): Ran {
  // By name: what lies in a folder that came in the place of a file may be ignored.
  const isGone = (entry: Entry): boolean =>
    (entry.xy[1] === 'D' && entry.kind !== 'u') ||
    folder.isBeyondLink(nameOf(entry)) ||
    (entry.kind === 'u' && folder.stat(nameOf(entry))?.isDirectory() === true && !entry.submodule);
  // Of one whose rename is staged the index has the old name no more.
  const left = entries.flatMap(({ from, xy }) => (from === undefined || xy[1] !== 'R' ? [] : [from]));
  const gone = [...entries.filter(isGone).map(nameOf), ...left];
  if (gone.length > 0) folder.git(['update-index', '--force-remove', '-z', '--stdin'], { input: nulEnded(gone) });
  const there = entries.filter((entry) => !isGone(entry)).map(nameOf);
  return there.length === 0 ? done : folder.try(['add', '-A', '--force', ...namesGiven], { input: nulEnded(there) });
}

function somePaths(entries: readonly Entry[], random: Random): string[] {
  const names = entries.map(nameOf).filter((name) => shown(name) === Buffer.from(name, 'latin1').toString());
  const chosen = Array.from({ length: 1 + random.below(3) }, () => {
    const name = names.length > 0 && random.below(6) > 0 ? random.of(names) : random.of(['a.txt', 'dir', 'missing', 'x.log']);
    return random.below(5) === 0 ? (foldersOf(name)[0] ?? name) : name;
  });
  return [...new Set(chosen)];
}

const files = (paths: readonly string[]) => paths.map((path) => ({ path: shown(path) }));

export function stage(twin: GitFolder, random: Random): Step {
  const entries = twin.status();
  const paths = random.below(3) === 0 ? undefined : somePaths(entries, random);
  const chosen = entries.filter((entry) => isUnstaged(entry) && (paths === undefined ? !isRepository(entry) : isNamed(entry, paths)));
  return step('git.stage', { files: paths === undefined ? [] : files(paths) }, (folder) => add(folder, chosen), {
    refused: chosen.some((entry) => isMarked(twin, entry)) ? 'GIT_FAILED' : undefined,
    expects: () => ({ files: chosen.length }),
  });
}

export function unstage(twin: GitFolder, random: Random): Step {
  const entries = twin.status();
  const paths = random.below(3) === 0 ? undefined : somePaths(entries, random);
  const chosen = entries.filter((entry) => isStaged(entry) && (paths === undefined || isNamed(entry, paths)));
  const names = chosen.flatMap(({ path, from }) => (from === undefined ? [path] : [path, from]));
  return step(
    'git.unstage',
    { files: paths === undefined ? [] : files(paths) },
    (folder) => (names.length === 0 ? done : folder.try(['reset', '--quiet', ...namesGiven], { input: nulEnded(names) })),
    { refused: chosen.some(({ kind }) => kind === 'u') ? 'GIT_FAILED' : undefined, expects: () => ({ files: chosen.length }) },
  );
}

/** Whole files, from the index, a revision or a side. */
export function restore(twin: GitFolder, random: Random): Step | undefined {
  const entries = twin.status();
  const conflicts = entries.filter(({ kind }) => kind === 'u');
  if (conflicts.length > 0 && random.below(4) > 0) return restoreSide(conflicts, random);
  const paths = somePaths(
    entries.filter((entry) => !isRepository(entry)),
    random,
  );
  const from = random.of([undefined, undefined, 'HEAD', 'HEAD~1', 'other']);
  // Which commit a repository inside is at is not brought back.
  if (paths.includes('nested') || paths.includes('sub')) return undefined;
  const differs = differing(twin, from, paths);
  return step(
    'git.restore',
    { files: files(paths), ...(from === undefined ? {} : { from }) },
    (folder) =>
      folder.try(['restore', '--worktree', ...(from === undefined ? [] : [`--source=${from}`]), ...namesGiven], { input: nulEnded(paths) }),
    conflicts.length > 0 ? {} : { expects: () => ({ files: differs }) },
  );
}

/** Names of files that are not as the index, or the revision, has them. */
function differing(twin: GitFolder, from: string | undefined, paths: readonly string[]): number {
  const args = ['diff', '--name-only', '--no-renames', '-z', '--ignore-submodules=dirty'];
  const { stdout } = twin.try([...args, ...(from === undefined ? [] : [from]), '--']);
  const names = stdout.toString('latin1').split('\0').slice(0, -1);
  return names.filter((name) => paths.some((one) => isBelow(name, one))).length;
}

function restoreSide(conflicts: readonly Entry[], random: Random): Step {
  const chosen = random.of(conflicts);
  const side = random.of(['ours', 'theirs', 'both'] as const);
  const [ours, theirs] = [!['DD', 'UA', 'DU'].includes(chosen.xy), !['DD', 'AU', 'UD'].includes(chosen.xy)];
  const how = side === 'both' ? (ours && theirs ? '--merge' : ours ? '--ours' : '--theirs') : `--${side}`;
  return step(
    'git.restore',
    { files: [{ path: shown(chosen.path) }], side },
    (folder) =>
      side === 'both' && !ours && !theirs
        ? done
        : folder.try(['restore', '--worktree', how, ...namesGiven], { input: nulEnded([chosen.path]) }),
    { refused: chosen.submodule ? 'BAD_INPUT' : undefined, expects: () => ({ files: 1 }) },
  );
}

/** Some hunks of a file, which go or stay by counting lines here, without a patch. */
export function hunks(
  twin: GitFolder,
  random: Random,
  action: 'stage' | 'unstage' | 'restore',
  answer: Answer<Operations['git.hunks']>,
): Step | undefined {
  const patches = patchFiles(twin, action === 'unstage' ? ['--cached'] : []);
  const chosen = random.of(answer.files.filter((file) => file.raw !== true && file.untracked !== true && file.hunks.length > 0));
  const name = bytesOf(chosen?.path ?? '');
  const file = patches.find(({ path }) => path === name);
  if (chosen === undefined || file === undefined || file.hunks.length !== chosen.hunks.length || twin.unmerged.includes(name))
    return undefined;
  const isFile = /^100/.test(file.newMode) && /^100/.test(file.oldMode);
  if (
    !(isFile && (file.status === 'M' || (file.status === 'R' && action === 'unstage'))) &&
    !(file.status === 'D' && /^100/.test(file.oldMode))
  )
    return undefined;
  const taken = new Set(file.hunks.filter(() => random.below(2) === 0));
  if (taken.size === 0) for (const hunk of file.hunks) taken.add(hunk);
  const ids = chosen.hunks.filter((_, at) => taken.has(file.hunks[at] as (typeof file.hunks)[number])).map(({ id }) => id);
  const left = file.hunks.filter((hunk) => (action === 'stage' ? taken.has(hunk) : !taken.has(hunk)));
  const becomes = (folder: GitFolder): Ran => {
    const base = folder.git(['cat-file', 'blob', file.oldHash]).toString('latin1');
    const content = withHunks(base, left);
    const isGone = file.status === 'D' && left.length > 0;
    if (action === 'restore') {
      if (isGone) return done;
      const bytes = Buffer.from(name === 'text.eol' ? content.replaceAll('\n', '\r\n') : content, 'latin1');
      const mode = file.status === 'D' && file.oldMode === '100755' ? 0o755 : 0o644;
      return put(folder, name, bytes, mode);
    }
    if (isGone) return folder.try(['update-index', '--force-remove', '--', shown(name)]);
    const hash = folder.git(['hash-object', '-w', '--stdin'], { input: Buffer.from(content, 'latin1') });
    const mode = action === 'stage' || file.status === 'D' ? file.oldMode : file.newMode;
    return folder.try(['update-index', '--add', '--cacheinfo', `${mode},${hash.toString().trim()},${shown(name)}`]);
  };
  return step(`git.${action}`, { files: [{ path: chosen.path, hunks: ids }] }, becomes, { expects: () => ({ files: 1 }) });
}

/** Refused where something else is in its place, or above it. */
function put(folder: GitFolder, name: string, bytes: Buffer, mode: number): Ran {
  if (folder.isBeyondLink(name)) return { ...done, ok: false };
  try {
    fs.mkdirSync(folder.at(foldersOf(name).at(-1) ?? ''), { recursive: true });
    fs.writeFileSync(folder.at(name), bytes, { mode });
    return done;
  } catch (error) {
    return { ...done, ok: false, said: String(error) };
  }
}

/** Of `some` paths, or of this one kind. */
export function commit(
  twin: GitFolder,
  random: Random,
  asked: 'some' | { all: boolean; message: string } | undefined = undefined,
): Step | undefined {
  const entries = twin.status();
  const kind = asked === 'some' ? undefined : asked;
  const all = kind?.all ?? random.below(2) === 0;
  const paths = kind === undefined && (asked === 'some' || random.below(3) === 0) ? somePaths(entries, random) : undefined;
  const amend = kind === undefined && random.below(5) === 0;
  const some = ['one line', 'two\n\nand a body\n- with a list', '  spaced  \n\n\n\nx\n'];
  const message = kind?.message ?? (amend && random.below(2) === 0 ? undefined : random.of(some));
  const author = kind === undefined && random.below(6) === 0 ? { name: 'Ann Ôther', email: 'ann@example.org' } : undefined;
  const chosen = entries.filter((entry) => {
    if (paths !== undefined) return isNamed(entry, paths);
    return all ? !isRepository(entry) : isStaged(entry);
  });
  const takesFiles = all || paths !== undefined;
  const others = entries.filter((entry) => isStaged(entry) && !chosen.includes(entry));
  const rewords = amend && (message !== undefined || author !== undefined);
  const isMerge = twin.doing === 'merge';
  const isNothing = chosen.length === 0 && !isMerge && !rewords;
  const names = (some: readonly Entry[]): string[] =>
    some.flatMap((entry) => (entry.from === undefined ? [nameOf(entry)] : [nameOf(entry), entry.from]));
  // What stays staged beside it is put aside and back here, which says nothing where one is a folder of another, nor of what a hook adds.
  const overlaps = names(others).some((one) =>
    names(entries).some((other) => one !== other && (isBelow(one, other) || isBelow(other, one))),
  );
  const hook = twin.gitFile('hooks/pre-commit');
  if (others.length > 0 && (overlaps || hook?.includes('git add') === true || twin.doing !== undefined)) return undefined;
  if (others.some(({ kind: one }) => one === 'u')) return undefined;
  const marked = takesFiles && chosen.some((entry) => isMarked(twin, entry));
  const added = takesFiles ? chosen.filter(isUnstaged) : [];
  const said = [
    'commit',
    '--quiet',
    '--cleanup=whitespace',
    ...(amend ? ['--amend'] : []),
    ...(message === undefined ? ['-C', 'HEAD'] : ['-F', '-']),
  ];
  let count = 0;
  const twinCommit = (folder: GitFolder): Ran => {
    if (isNothing) return done;
    const begun = add(folder, added);
    if (!begun.ok) return begun;
    const aside = others.length === 0 ? undefined : putAside(folder, names(others));
    const staged = folder.list('diff', '--cached', '--name-only', '-M', '-z');
    count = staged.length;
    const nothing = staged.length === 0 && !isMerge && !rewords;
    const by = author === undefined ? [] : [`--author=${author.name} <${author.email}>`];
    const ran = nothing ? done : folder.try([...said, ...by], { input: message ?? '' });
    aside?.();
    return /^(nothing|no changes) (added )?to commit|^nothing added to commit/m.test(ran.said) ? done : ran;
  };
  return step(
    'git.commit',
    {
      all,
      ...(message === undefined ? {} : { message }),
      ...(paths === undefined ? {} : { paths: paths.map(shown) }),
      ...(amend ? { amend } : {}),
      ...(author === undefined ? {} : { author }),
    },
    twinCommit,
    {
      refused: marked && !isNothing ? 'GIT_FAILED' : undefined,
      leaves: true,
      expects: (folder, _, before) => {
        const committed = folder.head !== before.head;
        if (committed) return { committed, hash: folder.head, files: count };
        // One that replaces the last may come to the very same.
        return amend ? undefined : { committed, hash: null, files: 0 };
      },
    },
  );
}

/** Makes the index what HEAD has of these names; gives the way to bring back what it had. */
function putAside(folder: GitFolder, names: readonly string[]): () => void {
  const wanted = new Set(names);
  const format = (lines: readonly string[]): Buffer => nulEnded(lines);
  const nameIn = (record: string): string => record.slice(record.indexOf('\t') + 1);
  const had = folder.list('ls-files', '--stage', '-z').filter((record) => wanted.has(nameIn(record)));
  const head = folder.head === null ? [] : folder.list('ls-tree', '-r', '-z', 'HEAD').filter((record) => wanted.has(nameIn(record)));
  const gone = names.map((name) => `0 ${'0'.repeat(40)}\t${name}`);
  folder.git(['update-index', '-z', '--index-info'], { input: format([...gone, ...head]) });
  return () => folder.git(['update-index', '-z', '--index-info'], { input: format([...gone, ...had]) });
}

export function reset(_twin: GitFolder, random: Random): Step {
  const mode = random.of(['soft', 'mixed', 'mixed', 'hard'] as const);
  const to = random.of(['HEAD', 'HEAD', 'HEAD~1', 'other', 'missing']);
  return step('git.reset', { mode, to }, (folder) => folder.try(['reset', '--quiet', `--${mode}`, folder.commit(to) ?? to, '--']), {
    expects: (folder) => ({ head: folder.head ?? '' }),
  });
}

/** Of everything, whatever that is by then. */
export function commitAll(_twin: GitFolder, random: Random): Step {
  const message = `all of it ${random.below(1000)}`;
  const twinCommit = (folder: GitFolder): Ran => {
    const made = commit(folder, random, { all: true, message });
    return made === undefined || made.refused !== undefined ? { ...done, ok: false } : made.twin(folder);
  };
  return step('git.commit', { all: true, message }, twinCommit, { leaves: true });
}
