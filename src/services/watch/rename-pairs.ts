// Which of the files that appeared are those that left other places. Their inode numbers tell it, as far as file systems do not give them to the next file at once.

import type { Stats } from 'node:fs';
import type { Fact } from './dir-watch.ts';
import type { EntryKind, StatKey } from './stat-key.ts';
import type { OwnWrite } from './watch-protocol.ts';

/** What is known and what is there. */
export interface Table {
  lookup(path: string): { kind: EntryKind; key: StatKey } | null;
  lstat(path: string): Stats | undefined;
  /** Nobody was told of it yet. */
  isUntold(path: string): boolean;
}

/** A file that left its place, and the newest that is known of it there. */
interface Leaver {
  fact: Fact;
  key: StatKey;
}

/**
 * By inode number, the files that left their places; null where two had one: which of them went elsewhere can't be said. What is in `left` and was not known
 * here is added to the facts.
 */
export function leaversOf(facts: Fact[], left: readonly OwnWrite[]): Map<number, Leaver | null> {
  const gone = new Map<number, Leaver | null>();
  const removed = new Map<string, Fact>();
  const came = new Map<string, number>();
  const passedThrough: Fact[] = [];
  for (const fact of facts) {
    const { ino } = fact.key;
    if (fact.what !== 'removed') {
      came.set(fact.path, ino);
      continue;
    }
    removed.set(fact.path, fact);
    if (fact.kind !== 'file') continue;
    // Where it came from it left before.
    if (came.get(fact.path) === ino) passedThrough.push(fact);
    else gone.set(ino, gone.has(ino) ? null : { fact, key: fact.key });
  }
  for (const fact of passedThrough) if (!gone.has(fact.key.ino)) gone.set(fact.key.ino, { fact, key: fact.key });
  const unseen: Fact[] = [];
  for (const { path, kind, key } of left) {
    const fact = removed.get(path) ?? { path, kind, what: 'removed', key, settled: true };
    if (!removed.has(path)) unseen.push(fact);
    // Where the same file was known at another place, we have moved it since.
    if (kind === 'file' && fact.kind === 'file') gone.set(key.ino, { fact, key });
  }
  // Before the folders that the table did know.
  facts.unshift(...unseen);
  return gone;
}

/** Whether what was to be put at a place is not there, and appeared elsewhere. */
export function hasMovedOn({ path, key }: OwnWrite, facts: readonly Fact[], table: Table): boolean {
  const isIt = (fact: Fact): boolean =>
    fact.what !== 'removed' && fact.path !== path && fact.key.ino === key.ino && isSameFile(key, fact, table);
  return table.lookup(path) === null && facts.some(isIt);
}

/** By the fact that a file appeared, the one that it left its place. */
export function pairRenames(facts: readonly Fact[], gone: ReadonlyMap<number, Leaver | null>, table: Table): Map<Fact, Fact> {
  const froms = new Map<Fact, Fact>();
  const taken = new Map<Leaver, Fact | null>();
  for (const fact of gone.size === 0 ? [] : facts) {
    if ((fact.what !== 'added' && fact.what !== 'changed') || fact.kind !== 'file') continue;
    const old = gone.get(fact.key.ino);
    const now = table.lookup(fact.path);
    if (!old || table.lookup(old.fact.path) || now?.kind !== 'file' || now.key.ino !== fact.key.ino) continue;
    // What was never told may have grown since it was seen.
    if (isSameFile(old.key, fact, table) || table.isUntold(old.fact.path)) taken.set(old, taken.has(old) ? null : fact);
  }
  for (const [old, fact] of taken) if (fact) froms.set(fact, old.fact);
  return froms;
}

/**
 * Of two with one inode number. A rename keeps the time of the last write; where that is another, it was written besides, if it is a file that stood there at the
 * last write that is known of the old one.
 */
function isSameFile(old: StatKey, { path, key }: Fact, table: Table): boolean {
  const isOfOneSize = old.size === key.size;
  if (isOfOneSize && old.mtimeMs === key.mtimeMs) return true;
  // The old one's time was set to one that is still to come.
  if (!isOfOneSize && old.mtimeMs > key.mtimeMs) return false;
  const stat = table.lstat(path);
  // Gone again, or it can't be looked at any more.
  return stat !== undefined && stat.ino === key.ino && stat.birthtimeMs > 0 && stat.birthtimeMs <= old.mtimeMs;
}
