// Which of the files that appeared are those that left other places. Their inode numbers tell it, as far as file systems do not give them to the next file at once.

import type { Stats } from 'node:fs';
import { parentPath } from '../../contract/paths.ts';
import { movedPath } from '../../core/moved-path.ts';
import type { Fact } from './fact.ts';
import { type EntryKind, type StatKey, sameKey } from './stat-key.ts';
import type { OwnWrite } from './watch-protocol.ts';

/** What is known and what is there. */
export interface Table {
  lookup(path: string): { kind: EntryKind; key: StatKey } | null;
  lstat(path: string): Stats | undefined;
  /** Nobody was told of it yet. */
  isUntold(path: string): boolean;
}

export interface FolderMove {
  from: string;
  to: string;
}

/** As it was before a folder's move which it knows already. */
export function tableBefore(table: Table, { from, to }: FolderMove): Table {
  const now = (path: string): string => movedPath(path, from, to) ?? path;
  return {
    lookup: (path) => (movedPath(path, to, '') === undefined ? table.lookup(now(path)) : null),
    lstat: (path) => table.lstat(now(path)),
    isUntold: (path) => table.isUntold(path),
  };
}

/**
 * What they come to for those who follow. A file that left its place and came back to it is told as it is now: for them it never left, or has just come. One
 * that came to a place and went on was never there; where it is now it came by rename.
 */
export function netFacts(facts: readonly Fact[]): Fact[] {
  const last = new Map<string, Fact>();
  const came = new Map<string, Fact>();
  const passed = new Set<Fact>();
  const wentOn = new Map<number, StatKey>();
  const all = facts.map((fact) => {
    const { path, what, kind, key } = fact;
    const old = last.get(path);
    const isSame = kind === 'file' && old?.kind === kind && old.key.ino === key.ino;
    if (isSame && old.what === 'added' && what === 'removed') {
      passed.add(old).add(fact);
      wentOn.set(key.ino, key);
      last.set(path, fact);
      return fact;
    }
    const isBack = isSame && old.what === 'removed' && what === 'added';
    const before = came.get(path);
    if (isBack) for (const one of [old, before]) if (one !== undefined) passed.add(one);
    const now: Fact = isBack && before === undefined ? { ...fact, what: 'changed' } : fact;
    if (now.what === 'added') came.set(path, now);
    last.set(path, now);
    return now;
  });
  if (passed.size === 0) return all;
  const isHere = ({ what, kind, key }: Fact): boolean => {
    const before = what !== 'removed' && kind === 'file' ? wentOn.get(key.ino) : undefined;
    return before !== undefined && sameKey(before, key);
  };
  return all.filter((fact) => !passed.has(fact)).map((fact) => (isHere(fact) ? { ...fact, settled: true } : fact));
}

/** Those that tell of places which were left again, by a file of which is told where it went. `arrived`: that it left. */
export function factsOvertaken(facts: readonly Fact[], arrived: ReadonlySet<Fact>): Set<Fact> {
  const left = new Set<string>();
  const overtaken = new Set<Fact>();
  for (const fact of arrived.size === 0 ? [] : facts.toReversed()) {
    if (arrived.has(fact)) left.add(fact.path);
    else if (fact.what !== 'removed' && left.has(fact.path)) overtaken.add(fact);
  }
  return overtaken;
}

/**
 * By inode number, the files that left their places; null where two had one: which of them went elsewhere can't be said. What is in `left` is the newest that
 * is known of these places: their facts get its key, or are added.
 */
export function leaversOf(facts: Fact[], left: readonly OwnWrite[]): Map<number, Fact | null> {
  const gone = new Map<number, Fact | null>();
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
    else gone.set(ino, gone.has(ino) ? null : fact);
  }
  for (const fact of passedThrough) if (!gone.has(fact.key.ino)) gone.set(fact.key.ino, fact);
  const unseen: Fact[] = [];
  for (const { path, kind, key } of left) {
    const fact = removed.get(path) ?? { path, kind, what: 'removed', key, settled: true };
    if (!removed.has(path)) unseen.push(fact);
    if (kind !== 'file' || fact.kind !== 'file') continue;
    if (gone.get(fact.key.ino) === fact) gone.delete(fact.key.ino);
    fact.key = key;
    // Where the same file was known at another place, we have moved it since.
    gone.set(key.ino, fact);
  }
  // Before the folders that the table did know.
  facts.unshift(...unseen);
  return gone;
}

/** Those from `first` on, whose other halves may be found yet, and what else was found of the same places and files. */
export function openFacts(facts: readonly Fact[], first: number): Set<Fact> {
  const open = new Set<Fact>();
  const places = new Set<string>();
  const files = new Set<number>();
  let more = facts.slice(first);
  while (more.length > 0) {
    for (const fact of more) {
      open.add(fact);
      places.add(fact.path);
      files.add(fact.key.ino);
    }
    more = facts.filter((fact) => !open.has(fact) && (places.has(fact.path) || files.has(fact.key.ino)));
  }
  return open;
}

/** Whether what was to be put at a place is not there, and appeared elsewhere. */
export function hasMovedOn({ path, key }: OwnWrite, facts: readonly Fact[], table: Table): boolean {
  const isIt = (fact: Fact): boolean =>
    fact.what !== 'removed' && fact.path !== path && fact.key.ino === key.ino && isSameFile(key, fact, table);
  return table.lookup(path) === null && facts.some(isIt);
}

/** By the fact that a file appeared, the one that it left its place. */
export function pairRenames(facts: readonly Fact[], gone: ReadonlyMap<number, Fact | null>, table: Table): Map<Fact, Fact> {
  const froms = new Map<Fact, Fact>();
  const taken = new Map<Fact, Fact | null>();
  for (const fact of gone.size === 0 ? [] : facts) {
    if ((fact.what !== 'added' && fact.what !== 'changed') || fact.kind !== 'file') continue;
    const old = gone.get(fact.key.ino);
    const now = table.lookup(fact.path);
    if (!old || table.lookup(old.path) || now?.kind !== 'file' || now.key.ino !== fact.key.ino) continue;
    // What was never told may have grown since it was seen.
    if (!isSameFile(old.key, fact, table) && !table.isUntold(old.path)) continue;
    const other = taken.get(old);
    // It was changed since it came there.
    if (other?.path === fact.path) continue;
    taken.set(old, other === undefined ? fact : null);
  }
  for (const [old, fact] of taken) if (fact) froms.set(fact, old);
  return froms;
}

/**
 * Those that can be told as well when a folder was moved, for those who follow takes along what they know in it: of files where no folder came or went, nor comes
 * with the move. All facts of one place, and both halves of a rename, stay together. `table` knows the move already.
 */
export function factsThatCanWait(
  facts: readonly Fact[],
  froms: ReadonlyMap<Fact, Fact>,
  table: Table,
  { from, to }: FolderMove,
): Set<Fact> {
  const goneFolders = new Set(facts.filter(({ what, kind }) => what === 'removed' && kind === 'directory').map(({ path }) => path));
  const isInGone = (path: string): boolean => path !== '' && (goneFolders.has(path) || isInGone(parentPath(path)));
  const cannot = new Set<string>();
  for (const { path } of facts) {
    const isFolder = table.lookup(movedPath(path, from, to) ?? path)?.kind === 'directory';
    if (isFolder || movedPath(path, to, '') !== undefined || (goneFolders.size > 0 && isInGone(path))) cannot.add(path);
  }
  for (let before = -1; before !== cannot.size; ) {
    before = cannot.size;
    for (const [fact, old] of froms)
      if (cannot.has(fact.path) || cannot.has(old.path)) for (const { path } of [fact, old]) cannot.add(path);
  }
  return new Set(facts.filter(({ kind, path }) => kind !== 'directory' && !cannot.has(path)));
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
