import type { Output } from '../../contract/operation.ts';
import type { Operations } from '../../contract/operations.ts';
import { type Actor, actorsOf } from '../actor.ts';
import { errorFacts, isAbsent, type WorkbenchClient } from '../client-port.ts';
import { revisionRange } from '../feed/feed-rows.ts';
import { notKeptHere } from '../history/history-words.ts';
import { type DiffAgainst, changeIn } from '../shell/tabs.ts';
import { list } from '../words.ts';
import { unapplyPatch } from './unapply-patch.ts';

export type Hunk = Output<Operations['git.hunks']>['files'][number]['hunks'][number];

/** Both texts of a comparison, with line feeds only, and what they are called. */
export interface DiffTexts {
  before: string;
  after: string;
  binary: boolean;
  names: { before: string; after: string };
  /** Short hashes, where a side is a commit. */
  hashes: { before: string | undefined; after: string | undefined };
  /** Parts that git can stage, unstage or discard by themselves. */
  hunks: readonly Hunk[];
  /** What can be done with a part: of the working copy it is staged or discarded, of the index unstaged. */
  can: 'stage' | 'unstage' | 'nothing';
  /** The right side is the working copy. */
  live: boolean;
  /** Of changes in a row: by whom, and what they did with the file as a whole. */
  change?: { first: number; last: number; who: string; made: 'created' | 'deleted' | undefined };
  /** On which sides there is a file, of the working copy beside HEAD. */
  there?: { before: boolean; after: boolean };
  /** Why there is nothing to compare, as a sentence. */
  missing?: string;
}

export interface DiffWish {
  path: string;
  from: string | undefined;
  against: DiffAgainst | undefined;
  /** The commit of HEAD; null before the first. */
  head: string | null;
  /** Some of the file is staged, so that its hunks are not those against HEAD. */
  isStaged: boolean;
  /** How somebody is named. */
  sayWho: (actor: Actor) => string;
}

type Side = Pick<Output<Operations['git.show']>, 'exists' | 'text' | 'binary'>;

const gone: Side = { exists: false, text: '', binary: false };
/** As many as are given at once: of one file, all that can be. */
const mostHunkLines = 100_000;
/** Around each change, as much as there is of most files. */
const allContext = 1_000;

/** Throws what the sidecar answers, e.g. NOT_TEXT. */
export async function loadTexts(client: WorkbenchClient, wish: DiffWish, signal: AbortSignal): Promise<DiffTexts> {
  const { path, from, against } = wish;
  if (against?.startsWith('commit:') === true) return ofCommit(client, path, from, against.slice('commit:'.length), signal);
  if (against?.startsWith('checkpoint:') === true) return ofCheckpoint(client, path, Number(against.slice('checkpoint:'.length)), signal);
  const change = changeIn(against);
  if (change !== undefined) return ofChange(client, wish, change, signal);
  const { head } = wish;
  const hash = head?.slice(0, 7) ?? 'none';
  const atHead = async (): Promise<Side> =>
    head === null ? gone : client.call('git.show', { path: from ?? path, revision: 'HEAD' }, { signal });
  const inIndex = async (name: string): Promise<Side> => client.call('git.show', { path: name, revision: ':' }, { signal });
  const hunks = (): Promise<readonly Hunk[]> => hunksOf(client, wish, signal);
  if (against === 'staged') {
    const [before, after, parts] = await Promise.all([atHead(), inIndex(path), hunks()]);
    return {
      ...texts(before, after),
      names: { before: 'HEAD', after: 'Staged' },
      hashes: { before: hash, after: undefined },
      hunks: parts,
      can: 'unstage',
      live: false,
    };
  }
  const isIndex = against === 'index';
  const [before, after, parts] = await Promise.all([
    isIndex ? inIndex(from ?? path) : atHead(),
    workingCopy(client, path, signal),
    hunks(),
  ]);
  const sameAsIndex = isIndex || !wish.isStaged;
  return {
    ...texts(before, after),
    names: { before: isIndex && wish.isStaged ? 'Staged' : 'HEAD', after: 'Working copy' },
    hashes: { before: isIndex && wish.isStaged ? undefined : hash, after: undefined },
    hunks: sameAsIndex ? parts : [],
    can: sameAsIndex ? 'stage' : 'nothing',
    live: true,
    ...(isIndex ? {} : { there: { before: before.exists, after: after.exists } }),
  };
}

async function ofCommit(
  client: WorkbenchClient,
  path: string,
  from: string | undefined,
  hash: string,
  signal: AbortSignal,
): Promise<DiffTexts> {
  const { commit } = await client.call('git.commitInfo', { revision: hash, limit: 1 }, { signal });
  const [parent] = commit.parents;
  const [before, after] = await Promise.all([
    parent === undefined ? gone : client.call('git.show', { path: from ?? path, revision: parent }, { signal }),
    client.call('git.show', { path, revision: hash }, { signal }),
  ]);
  return {
    ...texts(before, after),
    names: { before: 'Before', after: commit.subject },
    hashes: { before: parent?.slice(0, 7) ?? 'none', after: hash.slice(0, 7) },
    hunks: [],
    can: 'nothing',
    live: false,
  };
}

async function ofChange(
  client: WorkbenchClient,
  { path, sayWho }: DiffWish,
  change: { first: number; last: number },
  signal: AbortSignal,
): Promise<DiffTexts> {
  const { first, last } = change;
  const range = revisionRange(change);
  const known = {
    ...{ before: '', after: '', binary: false, hashes: { before: undefined, after: undefined } },
    ...{ hunks: [], can: 'nothing' as const, live: false },
  };
  try {
    const [from, to] = await Promise.all(
      [first, last].map(async (revision) => {
        const { versions } = await client.call('history.list', { path, before: revision + 1, limit: 1 }, { signal });
        return versions[0]?.revision === revision ? versions[0] : undefined;
      }),
    );
    const read = async (revision: number, side: 'before' | 'after'): Promise<Side> => ({
      exists: true,
      binary: false,
      text: (await client.call('history.read', { path, revision, side }, { signal })).text,
    });
    const [before, after] = await Promise.all([
      from?.what === 'created' ? gone : read(first, 'before'),
      to?.what === 'removed' ? gone : read(last, 'after'),
    ]);
    const who = to === undefined ? '' : list(actorsOf(to.cause).map(sayWho));
    return {
      ...known,
      ...texts(before, after),
      names: { before: before.exists ? 'Before' : 'Not there', after: `${range}, ${who}${after.exists ? '' : ' (deleted)'}` },
      change: { ...change, who, made: before.exists ? (after.exists ? undefined : 'deleted') : 'created' },
    };
  } catch (error) {
    if (errorFacts(error).reason !== 'VERSION_NOT_KEPT' && !isAbsent(error)) throw error;
    return { ...known, names: { before: 'Before', after: range }, missing: notKeptHere(path, error) };
  }
}

async function ofCheckpoint(client: WorkbenchClient, path: string, id: number, signal: AbortSignal): Promise<DiffTexts> {
  for (let attempt = 1; ; attempt += 1) {
    const { patch } = await client.call('checkpoints.diff', { id, against: 'now', path, context: allContext }, { signal });
    const after = await workingCopy(client, path, signal);
    const now = lineFeeds(after.text);
    const before = unapplyPatch(patch, now);
    // Somebody typed in between.
    if (before === undefined && attempt < 3) continue;
    const binary = /^(Binary files|GIT binary patch)/m.test(patch);
    return {
      before: before ?? now,
      after: now,
      binary,
      names: { before: 'Checkpoint', after: 'Working copy' },
      hashes: { before: undefined, after: undefined },
      hunks: [],
      can: 'nothing',
      live: true,
    };
  }
}

/** As git has it: of a link, where it leads. */
async function workingCopy(client: WorkbenchClient, path: string, signal: AbortSignal): Promise<Side> {
  const { entry } = await client.call('files.stat', { path }, { signal });
  if (entry?.target !== undefined) return { exists: true, text: entry.target, binary: false };
  try {
    const { text } = await client.call('files.read', { path }, { signal });
    return { exists: true, text, binary: false };
  } catch (error) {
    const { reason } = errorFacts(error);
    if (reason === 'FILE_NOT_FOUND') return gone;
    if (reason === 'NOT_TEXT') return { exists: true, text: '', binary: true };
    throw error;
  }
}

async function hunksOf(client: WorkbenchClient, { path, from, against }: DiffWish, signal: AbortSignal): Promise<readonly Hunk[]> {
  const staged = against === 'staged';
  // Of one that moved in the work tree, git's parts are those of a new file.
  if (from !== undefined && !staged) return [];
  const which = staged ? { staged, ...(from === undefined ? {} : { was: from }) } : { untracked: true };
  const { files } = await client.call('git.hunks', { path, ...which, maxLines: mostHunkLines }, { signal });
  return files.find((file) => file.path === path)?.hunks ?? [];
}

function texts(before: Side, after: Side): Pick<DiffTexts, 'before' | 'after' | 'binary'> {
  return { before: lineFeeds(before.text), after: lineFeeds(after.text), binary: before.binary || after.binary };
}

function lineFeeds(text: string): string {
  return text.replace(/\r\n?/g, '\n');
}
