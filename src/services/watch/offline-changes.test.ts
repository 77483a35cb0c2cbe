import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { type FolderNow, offlineChanges } from './offline-changes.ts';
import type { Snapshot } from './snapshot.ts';

type Tree = Record<string, Record<string, string | null>>;

const directoriesOf = (tree: Tree) =>
  Object.entries(tree).map(([path, entries]) => ({ path, entries: Object.entries(entries) as [string, string | null][] }));

function snapshotOf(tree: Tree, untold: readonly string[] = []): Snapshot {
  return {
    mark: 0,
    *directories() {
      yield* directoriesOf(tree);
    },
    untold: new Set(untold),
  };
}

function folderOf(tree: Tree): FolderNow {
  return {
    directories: () => directoriesOf(tree),
    entriesOf: (path) => (tree[path] === undefined ? null : new Map(Object.entries(tree[path]))),
    packedAt: (path) => {
      const slash = path.lastIndexOf('/');
      return tree[slash < 0 ? '' : path.slice(0, slash)]?.[path.slice(slash + 1)];
    },
  };
}

function told(before: Snapshot, now: Tree, ignored: readonly string[] = []): string[] {
  const facts = offlineChanges(
    before,
    folderOf(now),
    Object.assign((path: string) => ignored.includes(path), { in: () => false }),
  );
  return [...facts]
    .filter((fact) => fact !== undefined)
    .map(({ path, kind, what, replaced }) => `${what} ${kind} ${path}${replaced === undefined ? '' : ` in the place of a ${replaced}`}`);
}

const old: Tree = { '': { a: 'f1:2:3', folder: null }, folder: { b: 'f4:5:6', below: null }, 'folder/below': { c: 'l7:8:9' } };

describe('what changed while nobody watched', () => {
  test('nothing, where all is as it was', () => {
    assert.deepEqual(told(snapshotOf(old), old), []);
  });

  test('what has another key, what is new with all that is in it, and what is gone, deepest first', () => {
    const now: Tree = { '': { a: 'f1:2:4', new: null, x: 'f2:2:2' }, new: { d: 'f3:3:3', deeper: null }, 'new/deeper': { e: 'f4:4:4' } };
    assert.deepEqual(told(snapshotOf(old), now), [
      'changed file a',
      'added directory new',
      'added file x',
      'added file new/d',
      'added directory new/deeper',
      'added file new/deeper/e',
      'removed symlink folder/below/c',
      'removed directory folder/below',
      'removed file folder/b',
      'removed directory folder',
    ]);
  });

  test('also what is as it was, where its last change was not told', () => {
    assert.deepEqual(told(snapshotOf(old, ['folder/b', 'gone/file']), old), ['changed file folder/b', 'removed file gone/file']);
  });

  test('not what is ignored by now', () => {
    const now: Tree = { '': { a: 'f1:2:3' } };
    assert.deepEqual(told(snapshotOf(old), now, ['folder', 'folder/below', 'folder/b', 'folder/below/c']), []);
  });

  test('a file in the place of a directory has changed, after what was in that is gone; a directory in the place of a file comes before what is in it', () => {
    const now: Tree = { '': { a: null, folder: 'f9:9:9' }, a: { inside: 'f9:9:9' } };
    assert.deepEqual(told(snapshotOf(old), now), [
      'changed directory a in the place of a file',
      'added file a/inside',
      'removed symlink folder/below/c',
      'removed directory folder/below',
      'removed file folder/b',
      'changed file folder in the place of a directory',
    ]);
  });
});
