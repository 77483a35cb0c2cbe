// Which file went where, told from what one look at the folder found.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Fact } from './dir-watch.ts';
import { leaversOf, pairRenames, type Table } from './rename-pairs.ts';
import type { EntryKind, StatKey } from './stat-key.ts';

type Found = readonly [what: Fact['what'], path: string, ino: number];

/** `path` or `from > path` of what appeared, in the order of the facts. `known`: paths that were told before. */
function told(found: readonly Found[], known: readonly string[]): string[] {
  const facts = found.map(([what, path, ino]): Fact => ({ path, kind: 'file', what, key: keyOf(ino), settled: true }));
  const now = new Map<string, { kind: EntryKind; key: StatKey }>();
  for (const { path, kind, key, what } of facts) what === 'removed' ? now.delete(path) : now.set(path, { kind, key });
  const table: Table = {
    lookup: (path) => now.get(path) ?? null,
    lstat: () => undefined,
    isUntold: (path) => !known.includes(path),
  };
  const froms = pairRenames(facts, leaversOf(facts, []), table);
  return facts.filter(({ path }) => now.has(path)).map((fact) => `${froms.has(fact) ? `${froms.get(fact)?.path} > ` : ''}${fact.path}`);
}

function keyOf(ino: number): StatKey {
  return { ino, size: 5, mtimeMs: 1 };
}

test('a file that was seen at a place between comes from where it was first, however the looks were ordered', () => {
  const orders: readonly (readonly Found[])[] = [
    [
      ['removed', 'a', 7],
      ['added', 'x', 7],
      ['removed', 'x', 7],
      ['added', 'b', 7],
    ],
    [
      ['added', 'x', 7],
      ['removed', 'a', 7],
      ['added', 'b', 7],
      ['removed', 'x', 7],
    ],
    [
      ['added', 'd/x', 7],
      ['removed', 'd/x', 7],
      ['added', 'b', 7],
      ['removed', 'a', 7],
    ],
  ];
  for (const order of orders) assert.deepEqual(told(order, ['a']), ['a > b']);
  // It took the place of another there.
  const overX: readonly Found[] = [
    ['removed', 'a', 7],
    ['changed', 'x', 7],
    ['removed', 'x', 7],
    ['added', 'b', 7],
  ];
  assert.deepEqual(told(overX, ['a', 'x']), ['a > b']);
});

test('of two files with one inode number that left, none is said to be the one that appeared', () => {
  const found: readonly Found[] = [
    ['removed', 'a', 7],
    ['removed', 'a2', 7],
    ['added', 'b', 7],
  ];
  assert.deepEqual(told(found, ['a', 'a2']), ['b']);
});
