// What changed while nobody watched: the last snapshot beside what is there now.

import type { Fact } from './dir-watch.ts';
import type { Ignore } from './ignore.ts';
import type { Snapshot, SnapshotDirectory } from './snapshot.ts';
import { unpackStats } from './stat-key.ts';

/** The folder as it is known now. */
export interface FolderNow {
  directories(): Iterable<SnapshotDirectory>;
  /** Null: there is no such directory. */
  entriesOf(path: string): ReadonlyMap<string, unknown> | null;
  /** Null for a directory, undefined for nothing. */
  packedAt(path: string): string | null | undefined;
}

/**
 * One after the other, each of this very moment; `undefined` after each directory, where something else may be done. Removals come last, deepest first, as
 * a removal is told at any other time. Takes what it has told of out of `snapshot.untold`.
 */
export function* offlineChanges(snapshot: Snapshot, now: FolderNow, ignore: Ignore): Generator<Fact | undefined> {
  const { untold } = snapshot;
  const known = new Set<string>();
  const removed: Fact[] = [];
  for (const { path, entries } of snapshot.directories()) {
    known.add(path);
    const names = new Set<string>();
    for (const [name, packed] of entries) {
      const below = path === '' ? name : `${path}/${name}`;
      names.add(name);
      const current = now.packedAt(below);
      if (current === undefined) {
        if (!ignore(below, packed === null)) removed.push(factOf(below, packed, 'removed'));
      } else if (current !== packed || untold.has(below)) {
        yield factOf(below, current, 'changed');
      }
      untold.delete(below);
    }
    for (const name of now.entriesOf(path)?.keys() ?? []) {
      if (names.has(name)) continue;
      const below = path === '' ? name : `${path}/${name}`;
      const current = now.packedAt(below);
      if (current !== undefined) yield factOf(below, current, untold.has(below) ? 'changed' : 'added');
      untold.delete(below);
    }
    yield undefined;
  }
  for (const { path, entries } of now.directories()) {
    if (known.has(path)) continue;
    for (const [name, current] of entries) {
      const below = `${path}/${name}`;
      yield factOf(below, current, untold.has(below) ? 'changed' : 'added');
    }
    yield undefined;
  }
  for (const fact of removed.reverse()) if (now.packedAt(fact.path) === undefined) yield fact;
  for (const path of untold) if (!known.has(path) && now.packedAt(path) === undefined) yield factOf(path, 'f0:0:0', 'removed');
}

function factOf(path: string, packed: string | null, what: Fact['what']): Fact {
  const entry = packed === null ? ({ kind: 'directory', key: { size: 0, mtimeMs: 0, ino: 0 } } as const) : unpackStats(packed);
  return { path, what, settled: true, ...entry };
}
