import type { GitChange, GitConflict } from '../../contract/git.ts';
import { nulReader } from '../../core/split-nul.ts';
import { TimeSlice } from '../../core/time-slice.ts';
import { type GitPath, gitPath } from './git-path.ts';

type State = NonNullable<GitChange['staged']>;
type Conflict = GitConflict['kind'];

export interface StatusEntry {
  path: GitPath;
  from?: GitPath;
  staged: State | null;
  unstaged: State | null;
  submodule: boolean;
  /** Who did what to a file in conflict. */
  conflict?: Conflict;
}

export interface ParsedStatus {
  branch: string | null;
  head: string | null;
  upstream?: string;
  ahead?: number;
  behind?: number;
  stashes: number;
  entries: StatusEntry[];
}

const states: Readonly<Record<string, State>> = {
  M: 'modified',
  T: 'type-changed',
  A: 'added',
  D: 'deleted',
  R: 'renamed',
  C: 'copied',
  U: 'unmerged',
};
const conflicts: Readonly<Record<string, Conflict>> = {
  DD: 'both-deleted',
  AU: 'added-by-us',
  UD: 'deleted-by-them',
  UA: 'added-by-them',
  DU: 'deleted-by-us',
  AA: 'both-added',
  UU: 'both-modified',
};
/** Fields before the path, by the letter that a record begins with. */
const fieldsBefore: Readonly<Record<string, number>> = { '1': 8, '2': 9, u: 10, '?': 1, '!': 1 };

/**
 * `git status --porcelain=v2 --branch -z`, as git-status(1) describes it. Paths outside of `prefix` are left out; a record that
 * was cut off at the end is, too. Others are served meanwhile; rejects with the signal's reason.
 */
export async function parseStatus(output: Uint8Array, prefix: Uint8Array, signal?: AbortSignal): Promise<ParsedStatus> {
  const parsed: ParsedStatus = { branch: null, head: null, stashes: 0, entries: [] };
  const next = nulReader(output);
  const slice = new TimeSlice();
  for (let record = next(); record !== undefined; record = next()) {
    const kind = String.fromCharCode(record[0] ?? 0);
    if (kind === '#') parseHeader(Buffer.from(record).toString(), parsed);
    const before = fieldsBefore[kind];
    if (before === undefined) continue;
    const { fields, rest } = splitFields(record, before);
    const original = kind === '2' ? next() : undefined;
    if (kind === '2' && original === undefined) break;
    const entry = parseEntry(kind, fields, gitPath(rest, prefix), original === undefined ? undefined : gitPath(original, prefix));
    if (entry !== undefined) parsed.entries.push(entry);
    if (slice.isOver) await slice.giveWay(signal);
  }
  return parsed;
}

function parseHeader(line: string, parsed: ParsedStatus): void {
  const [, name, value = ''] = /^# (branch\.\w+|stash) (.*)$/s.exec(line) ?? [];
  if (name === 'branch.oid') parsed.head = value === '(initial)' ? null : value;
  else if (name === 'branch.head') parsed.branch = value === '(detached)' ? null : value;
  else if (name === 'branch.upstream') parsed.upstream = value;
  else if (name === 'stash') parsed.stashes = Number(value);
  else if (name === 'branch.ab') {
    const [, ahead, behind] = /^\+(\d+) -(\d+)$/.exec(value) ?? [];
    if (ahead !== undefined && behind !== undefined) Object.assign(parsed, { ahead: Number(ahead), behind: Number(behind) });
  }
}

function parseEntry(
  kind: string,
  fields: readonly string[],
  path: GitPath | undefined,
  from: GitPath | undefined,
): StatusEntry | undefined {
  if (path === undefined) return undefined;
  if (kind === '?') return { path, staged: null, unstaged: 'untracked', submodule: false };
  if (kind === '!') return { path, staged: null, unstaged: 'ignored', submodule: false };
  const [, xy = '..', sub = 'N'] = fields;
  const submodule = sub.startsWith('S');
  if (kind === 'u') return { path, staged: 'unmerged', unstaged: 'unmerged', submodule, conflict: conflicts[xy] ?? 'both-modified' };
  const entry: StatusEntry = { path, staged: states[xy[0] ?? '.'] ?? null, unstaged: states[xy[1] ?? '.'] ?? null, submodule };
  if (from !== undefined) entry.from = from;
  return entry;
}

const noFields: string[] = [];

/** The first `count` fields, each ended by one space; the rest is a path and may hold anything. */
function splitFields(record: Uint8Array, count: number): { fields: string[]; rest: Uint8Array } {
  // Nothing but the letter.
  if (count === 1) return { fields: noFields, rest: record.subarray(2) };
  const fields: string[] = [];
  let start = 0;
  while (fields.length < count) {
    const end = record.indexOf(0x20, start);
    if (end < 0) break;
    fields.push(Buffer.from(record.subarray(start, end)).toString('latin1'));
    start = end + 1;
  }
  return { fields, rest: record.subarray(start) };
}
