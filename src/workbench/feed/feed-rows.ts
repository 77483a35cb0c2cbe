import type { Change } from '../../contract/events.ts';
import { type Actor, actorsOf } from '../actor.ts';
import { clockTime, daysBetween } from '../words.ts';

/** Neighbouring revisions that belong together, newest last in time. */
export interface FeedRow {
  /** Of its first revision: stays while the row grows. */
  key: string;
  actor: Actor;
  /** Others who typed in the same document at that time. */
  others: readonly Actor[];
  causeKind: Change['cause']['kind'];
  what: Change['what'];
  path: string;
  kind: Change['kind'];
  from: string | undefined;
  /** Every path it touched, in order, each once. */
  paths: readonly string[];
  first: number;
  last: number;
  /** Of the newest revision, ms since 1970. */
  at: number;
  /** Bytes now, when known. */
  size: number | undefined;
  note: string | undefined;
}

/** Revisions of one actor in one file fold when they lie no further apart. */
const sameFileMs = 120_000;
/** Different files fold when they were changed as if in one step: a branch switch, a rename over files, an agent's batch. */
const sameStepMs = 1_000;

/** What was told before a change, also of changes that have no row. */
export interface ToldBefore {
  /** The newest change of its path that has no row, which none reaches over; 0 where there is none. */
  hidden: number;
  /** What files held, by its hash. */
  held: ReadonlySet<string>;
}

/** Takes one more change into rows that are in order of revision; answers whether it went into the last row. */
export function foldChange(rows: FeedRow[], change: Change, { hidden, held }: ToldBefore = { hidden: 0, held: new Set() }): boolean {
  const [actor, ...others] = actorsOf(change.cause) as [Actor, ...Actor[]];
  const last = rows.at(-1);
  if (last !== undefined && last.last < change.revision && hidden < last.first && joins(last, change, actor, held)) {
    const more = others.filter(({ key }) => key !== last.actor.key && !last.others.some((other) => other.key === key));
    rows[rows.length - 1] = {
      ...last,
      // A file that was made and then filled was made.
      what:
        last.paths.length === 1 && last.path === change.path && last.what === 'created' && change.what === 'changed'
          ? 'created'
          : joinedWhat(last, change),
      paths: last.paths.includes(change.path) ? last.paths : [...last.paths, change.path],
      others: more.length > 0 ? [...last.others, ...more] : last.others,
      last: change.revision,
      at: change.at,
      size: change.path === last.path ? change.size : last.size,
    };
    return true;
  }
  rows.push({
    key: `r${change.revision}`,
    actor,
    others,
    causeKind: change.cause.kind,
    what: change.what,
    path: change.path,
    kind: change.kind,
    from: change.from,
    paths: [change.path],
    first: change.revision,
    last: change.revision,
    at: change.at,
    size: change.size,
    note: change.note,
  });
  return false;
}

/** All rows of these changes, oldest first. */
export function foldChanges(changes: readonly Change[]): FeedRow[] {
  const rows: FeedRow[] = [];
  const held = new Set<string>();
  for (const change of changes) {
    foldChange(rows, change, { hidden: 0, held });
    noteHeld(held, change);
  }
  return rows;
}

/** Adds what a file held before and after a change. */
export function noteHeld(held: Set<string>, { before, after }: Change): void {
  if (before !== null) held.add(before);
  if (after !== null) held.add(after);
}

function joins(row: FeedRow, change: Change, actor: Actor, held: ReadonlySet<string>): boolean {
  if (row.actor.key !== actor.key || row.causeKind !== change.cause.kind || row.actor.name !== actor.name) return false;
  if (change.what === 'moved' || row.what === 'moved') return false;
  if (bringsBack(row, change, held)) return false;
  const apart = change.at - row.at;
  if (change.path === row.path && row.paths.length === 1)
    return apart <= sameFileMs && (row.what === change.what || (row.what === 'created' && change.what === 'changed'));
  return apart <= sameStepMs;
}

/** Whether a call brings back what was there: in one row with the one before it, such as another restore, neither could be seen or undone by itself. */
function bringsBack(row: FeedRow, { path, after, cause }: Change, held: ReadonlySet<string>): boolean {
  return cause.kind === 'connection' && path === row.path && after !== null && held.has(after);
}

function joinedWhat(row: FeedRow, change: Change): Change['what'] {
  return row.what === change.what ? row.what : 'changed';
}

const hourMs = 3_600_000;

/** The heading a row stands under. */
export function groupOf(at: number, now: number): string {
  const age = now - at;
  if (age < 120_000) return 'Now';
  if (age < hourMs) return 'Last hour';
  const days = daysBetween(at, now);
  if (days === 0) return 'Earlier today';
  if (days === 1) return 'Yesterday';
  if (days < 7) return new Date(at).toLocaleDateString('en', { weekday: 'long' });
  const day = { day: 'numeric', month: 'long' } as const;
  const sameYear = new Date(at).getFullYear() === new Date(now).getFullYear();
  return new Date(at).toLocaleDateString('en', sameYear ? { weekday: 'long', ...day } : { ...day, year: 'numeric' });
}

/** When, as the feed says it: an age within the hour, then the clock. */
export function feedTime(at: number, now: number): string {
  const age = now - at;
  if (age < 60_000) return `${Math.max(0, Math.floor(age / 1000))} s`;
  return age < 3_600_000 ? `${Math.floor(age / 60_000)} min` : clockTime(at);
}

export function revisionRange({ first, last }: Pick<FeedRow, 'first' | 'last'>): string {
  return first === last ? `r${first}` : `r${first}–r${last}`;
}

/** What the stream tells: changes of files, and what was done with the workspace as a whole. */
export type ActivityKind = 'files' | 'commits' | 'checkpoints' | 'runs' | 'deploys';

export interface FeedFilter {
  withoutKinds: ReadonlySet<ActivityKind>;
  /** Actor keys that are left out. */
  without: ReadonlySet<string>;
  /** Part of a path; '' is any. */
  where: string;
  /** ms since 1970; 0 is any. */
  since: number;
}

export function matchesFilter(change: Change, filter: FeedFilter): boolean {
  if (change.at < filter.since) return false;
  if (filter.where !== '' && !change.path.includes(filter.where) && change.from?.includes(filter.where) !== true) return false;
  return filter.without.size === 0 || actorsOf(change.cause).some(({ key }) => !filter.without.has(key));
}

/** Everybody and everything. */
export const noFilter: FeedFilter = { without: new Set(), withoutKinds: new Set(), where: '', since: 0 };

export type FeedLine<Row> = { type: 'heading'; key: string; text: string; top: number } | { type: 'row'; row: Row; top: number };

export const headingHeight = 34;
export const rowHeight = 52;

/** Rows newest first under their headings, each with where it stands, in px. */
export function feedLines<Row extends { at: number }>(rows: readonly Row[], now: number): { lines: FeedLine<Row>[]; height: number } {
  const lines: FeedLine<Row>[] = [];
  let top = 0;
  let group: string | undefined;
  const headingOf = headings(now);
  for (let index = rows.length - 1; index >= 0; index -= 1) {
    const row = rows[index] as Row;
    const text = headingOf(row.at);
    if (text !== group) {
      lines.push({ type: 'heading', key: `h-${text}`, text, top });
      top += headingHeight;
      group = text;
    }
    lines.push({ type: 'row', row, top });
    top += rowHeight;
  }
  return { lines, height: top };
}

/** `groupOf` for many: naming a day costs more than all else, and rows of one day stand together. */
function headings(now: number): (at: number) => string {
  let day = { from: 0, to: 0, text: '' };
  return (at) => {
    if (now - at < hourMs) return groupOf(at, now);
    if (at < day.from || at >= day.to)
      day = { from: new Date(at).setHours(0, 0, 0, 0), to: new Date(at).setHours(24, 0, 0, 0), text: groupOf(at, now) };
    return day.text;
  };
}
