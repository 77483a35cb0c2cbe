// Which file went where, told from what one look at the folder found.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Fact } from './fact.ts';
import { factsOvertaken, factsThatCanWait, leaversOf, openFacts, pairRenames, type Table, tableBefore, netFacts } from './rename-pairs.ts';
import type { EntryKind, StatKey } from './stat-key.ts';

type Found = readonly [what: Fact['what'], path: string, ino: number];

/** `path` or `from > path` of what appeared, in the order of the facts. `known`: paths that were told before. */
function told(found: readonly Found[], known: readonly string[]): string[] {
  const facts = factsOf(found);
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

function factsOf(found: readonly Found[]): Fact[] {
  return found.map(
    ([what, path, ino]): Fact => ({
      path: path.replace(/\/$/, ''),
      kind: path.endsWith('/') ? 'directory' : 'file',
      what,
      key: keyOf(ino),
      settled: true,
    }),
  );
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

test('before a folder is moved those wait whose other half may be in it; facts of one place stay together, and so do both halves of a rename', () => {
  const move = { from: 'e', to: 't' };
  const wait = (found: readonly Found[], there: Readonly<Record<string, number | 'directory'>>): string[] => {
    const facts = factsOf(found);
    const table: Table = {
      lookup: (path) => {
        const one = there[path];
        return one === undefined ? null : one === 'directory' ? { kind: one, key: keyOf(0) } : { kind: 'file', key: keyOf(one) };
      },
      lstat: () => undefined,
      isUntold: () => false,
    };
    const froms = pairRenames(facts, leaversOf(facts, []), tableBefore(table, move));
    return [...factsThatCanWait(facts, froms, table, move)].map(({ what, path }) => `${what} ${path}`);
  };
  const rename: readonly Found[] = [
    ['removed', 'a', 7],
    ['added', 'e/b', 7],
  ];
  assert.deepEqual(wait(rename, { t: 'directory', 't/b': 7 }), ['removed a', 'added e/b']);
  // It stood where the folder comes: told before, and all that goes with it.
  const outOfTheWay: readonly Found[] = [
    ['added', 'b', 5],
    ['removed', 't/a', 7],
    ['changed', 'b', 7],
    ['removed', 'c', 8],
  ];
  assert.deepEqual(wait(outOfTheWay, { t: 'directory', b: 7 }), ['removed c']);
  // What was in a folder is gone before that is, and before another stands there.
  const gone: readonly Found[] = [
    ['removed', 'd/a', 7],
    ['removed', 'd/', 1],
    ['removed', 'f', 8],
    ['added', 'g', 9],
  ];
  assert.deepEqual(wait(gone, { t: 'directory', f: 'directory', g: 9 }), ['added g']);
});

test('a file that comes back to its place, and goes on from there, was told once to be where it is', () => {
  const returned = (found: readonly Found[]): string[] => netFacts(factsOf(found)).map(({ what, path }) => `${what} ${path}`);
  assert.deepEqual(
    returned([
      ['removed', 'a', 7],
      ['added', 'a', 7],
      ['added', 'b', 7],
      ['removed', 'a', 7],
    ]),
    ['changed a', 'added b', 'removed a'],
  );
  assert.deepEqual(
    returned([
      ['removed', 'a', 7],
      ['added', 'b', 7],
      ['removed', 'b', 7],
      ['added', 'b', 7],
    ]),
    ['removed a', 'added b'],
  );
  assert.deepEqual(
    returned([
      ['removed', 'a', 7],
      ['added', 'a', 8],
    ]),
    ['removed a', 'added a'],
    'of another file it is news',
  );
  assert.deepEqual(
    returned([
      ['removed', 'a/', 7],
      ['added', 'a', 7],
    ]),
    ['removed a', 'added a'],
    'a file that got the number of the folder before it is none that came back',
  );
});

test('a file that goes to and fro is told once to have come from where it was first, and nothing of the places that it left', () => {
  const net = (found: readonly Found[], there: Readonly<Record<string, number>>): string[] => {
    const facts = netFacts(factsOf(found));
    const table: Table = {
      lookup: (path) => (there[path] === undefined ? null : { kind: 'file', key: keyOf(there[path]) }),
      lstat: () => undefined,
      isUntold: () => false,
    };
    const froms = pairRenames(facts, leaversOf(facts, []), table);
    const arrived = new Set(froms.values());
    const overtaken = factsOvertaken(facts, arrived);
    return facts
      .filter((fact) => !arrived.has(fact) && !overtaken.has(fact))
      .map((fact) => `${fact.what} ${fact.path}${froms.has(fact) ? ` from ${froms.get(fact)?.path}` : ''}`);
  };
  const toAndFro: readonly Found[] = [
    ['added', 'b', 7],
    ['removed', 'a', 7],
    ['added', 'a', 7],
    ['removed', 'a', 7],
  ];
  assert.deepEqual(net(toAndFro, { b: 7 }), ['added b from a']);
  const back: readonly Found[] = [
    ['added', 'x', 7],
    ['removed', 'a', 7],
    ['removed', 'x', 7],
    ['added', 'a', 7],
    ['added', 'b', 7],
    ['removed', 'a', 7],
  ];
  assert.deepEqual(net(back, { b: 7 }), ['added b from a']);
  const written: readonly Found[] = [
    ['removed', 'a', 7],
    ['added', 'b', 7],
    ['changed', 'b', 7],
  ];
  assert.deepEqual(net(written, { b: 7 }), ['added b from a', 'changed b']);
  const overAnother: readonly Found[] = [
    ['added', 'b', 7],
    ['changed', 'a', 7],
    ['suspect', 'a', 7],
    ['removed', 'a', 7],
  ];
  assert.deepEqual(net(overAnother, { b: 7 }), ['added b from a']);
});

test('a file that came to a place and went on was never there, and where it is now it came by rename', () => {
  const facts = factsOf([
    ['added', 'new.tmp', 7],
    ['removed', 'new.tmp', 7],
    ['changed', 'new', 7],
    ['added', 'other', 8],
  ]).map((fact) => ({ ...fact, settled: false }));
  assert.deepEqual(
    netFacts(facts).map(({ what, path, settled }) => [what, path, settled]),
    [
      ['changed', 'new', true],
      ['added', 'other', false],
    ],
  );
  const reused: Fact[] = [...facts.slice(0, 2), { ...facts[3], path: 'other', key: { ...keyOf(7), size: 3 } } as Fact];
  assert.deepEqual(
    netFacts(reused).map(({ path, settled }) => [path, settled]),
    [['other', false]],
    'of a new file that was given its number it says nothing',
  );
});

test('open is what was found last, and all that was found of the same files and places', () => {
  const facts = factsOf([
    ['removed', 'a/one', 1],
    ['added', 'b/one', 1],
    ['removed', 'a/two', 2],
    ['changed', 'other', 3],
    ['added', 'a/one', 4],
    ['removed', 'b/one', 1],
  ]);
  assert.deepEqual([...openFacts(facts, 5)].map(({ what, path }) => `${what} ${path}`).sort(), [
    'added a/one',
    'added b/one',
    'removed a/one',
    'removed b/one',
  ]);
  assert.equal(openFacts(facts, facts.length).size, 0);
});
