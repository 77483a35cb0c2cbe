// What changed while nobody watched: the last snapshot beside what is there now.

import type { Fact } from './fact.ts';
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
 * a removal is told at any other time, and with them what took the place of a directory. Takes what it has told of out of `snapshot.untold`.
 */
export function* offlineChanges(snapshot: Snapshot, now: FolderNow, ignore: Ignore): Generator<Fact | undefined> {
  const { untold } = snapshot;
  const known = new Set<string>();
  const last: Fact[] = [];
  for (const { path, entries } of snapshot.directories()) {
    known.add(path);
    const names = new Set<string>();
    for (const [name, packed] of entries) {
      const below = path === '' ? name : `${path}/${name}`;
      names.add(name);
      const current = now.packedAt(below);
      if (current === undefined) {
        if (!ignore(below, packed === null)) last.push(factOf(below, packed, 'removed'));
      } else if (packed === null && current !== null) {
        last.push(factOf(below, current, 'changed'));
      } else if (current !== packed || untold.has(below)) {
        yield changeOf(below, current, packed);
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
  for (const fact of last.reverse()) {
    const current = now.packedAt(fact.path);
    if (fact.what === 'removed' && current === undefined) yield fact;
    else if (fact.what === 'changed' && current !== undefined) yield changeOf(fact.path, current, null);
  }
  for (const path of untold) if (!known.has(path) && now.packedAt(path) === undefined) yield factOf(path, 'f0:0:0', 'removed');
}

function changeOf(path: string, packed: string | null, old: string | null): Fact {
  const fact = factOf(path, packed, 'changed');
  return (packed === null) === (old === null) ? fact : { ...fact, replaced: factOf(path, old, 'removed').kind };
}

function factOf(path: string, packed: string | null, what: Fact['what']): Fact {
  const entry = packed === null ? ({ kind: 'directory', key: { size: 0, mtimeMs: 0, ino: 0 } } as const) : unpackStats(packed);
  return { path, what, settled: true, ...entry };
}
