import assert from 'node:assert/strict';
import { test } from 'node:test';
import { TreeModel, type TreeNode } from './tree-model.ts';
import { testSeed } from '../../../test/kit/seed.ts';
import { threadMs } from '../../../test/kit/loop-hold.ts';

const file = (path: string) => ({ path, kind: 'file' as const });
const folder = (path: string) => ({ path, kind: 'directory' as const });

/** What the rows must be, worked out the slow way. */
function expectedRows(from: TreeNode, rows: string[] = []): string[] {
  for (const child of from.children ?? []) {
    rows.push(child.path);
    if (child.expanded) expectedRows(child, rows);
  }
  return rows;
}

function check(tree: TreeModel): void {
  const expected = expectedRows(tree.root);
  assert.deepEqual(
    tree.rows(0, tree.length).map(({ path }) => path),
    expected,
  );
  assert.equal(tree.length, expected.length);
  expected.forEach((path, index) => {
    assert.equal(tree.indexOf(tree.get(path) as TreeNode), index);
    assert.equal(tree.at(index)?.path, path);
  });
}

test('folders come first, and a row below a collapsed folder has no position', () => {
  const tree = new TreeModel();
  tree.setChildren('', [file('b.txt'), folder('lib'), file('a.txt'), folder('app')]);
  tree.setChildren('lib', [file('lib/x.ts'), folder('lib/deep')]);
  assert.deepEqual(
    tree.rows(0, 9).map(({ path }) => path),
    ['app', 'lib', 'a.txt', 'b.txt'],
  );
  const x = tree.get('lib/x.ts') as TreeNode;
  assert.equal(tree.indexOf(x), -1);
  tree.expand(tree.get('lib') as TreeNode);
  assert.equal(tree.indexOf(x), 3);
  check(tree);
});

test('a folder that is collapsed and expanded again shows what was open below it', () => {
  const tree = new TreeModel();
  tree.setChildren('', [folder('a')]);
  tree.setChildren('a', [folder('a/b'), file('a/z')]);
  tree.setChildren('a/b', [file('a/b/c')]);
  const a = tree.get('a') as TreeNode;
  tree.expand(a);
  tree.expand(tree.get('a/b') as TreeNode);
  tree.collapse(a);
  assert.equal(tree.length, 1);
  tree.insert(file('a/b/d'));
  tree.remove('a/z');
  tree.expand(a);
  assert.deepEqual(expectedRows(tree.root), ['a', 'a/b', 'a/b/c', 'a/b/d']);
  check(tree);
});

test('a renamed folder takes its open folders along', () => {
  const tree = new TreeModel();
  tree.setChildren('', [folder('a'), folder('z')]);
  tree.setChildren('a', [folder('a/b')]);
  tree.setChildren('a/b', [file('a/b/c')]);
  tree.setChildren('z', []);
  for (const path of ['a', 'a/b', 'z']) tree.expand(tree.get(path) as TreeNode);
  tree.rename('a', 'z/n');
  assert.deepEqual(expectedRows(tree.root), ['z', 'z/n', 'z/n/b', 'z/n/b/c']);
  assert.equal(tree.get('z/n/b/c')?.depth, 3);
  assert.equal(tree.get('a'), undefined);
  check(tree);
});

test('a file that takes the place of the folder it was in leaves nothing of it', () => {
  const tree = new TreeModel();
  tree.setChildren('', [folder('a'), file('z')]);
  tree.setChildren('a', [file('a/b'), file('a/c')]);
  tree.expand(tree.get('a') as TreeNode);
  tree.rename('a/b', 'a');
  assert.deepEqual(expectedRows(tree.root), ['a', 'z']);
  assert.equal(tree.get('a/c'), undefined);
  check(tree);
});

test('listing a folder again keeps what stayed and its open folders', () => {
  const tree = new TreeModel();
  tree.setChildren('', [folder('a'), file('old')]);
  tree.setChildren('a', [file('a/1')]);
  tree.expand(tree.get('a') as TreeNode);
  const a = tree.get('a');
  tree.setChildren('', [folder('a'), file('new')]);
  assert.equal(tree.get('a'), a);
  assert.deepEqual(expectedRows(tree.root), ['a', 'a/1', 'new']);
  check(tree);
});

test('rows and positions hold through any mix of changes', () => {
  const seed = testSeed();
  let state = seed;
  const random = (below: number): number => {
    state = (state * 1_103_515_245 + 12_345) % 2_147_483_648;
    return Math.floor((state / 2_147_483_648) * below);
  };
  const tree = new TreeModel();
  tree.setChildren('', []);
  const all = (): TreeNode[] => {
    const found: TreeNode[] = [];
    const visit = (at: TreeNode): void => {
      for (const child of at.children ?? []) {
        found.push(child);
        visit(child);
      }
    };
    visit(tree.root);
    return found;
  };
  for (let step = 0; step < 1500; step += 1) {
    const nodes = all();
    const folders = [tree.root, ...nodes.filter(({ kind }) => kind === 'directory')];
    const where = folders[random(folders.length)] as TreeNode;
    const some = nodes[random(Math.max(nodes.length, 1))];
    const path = `${where.path === '' ? '' : `${where.path}/`}n${random(40)}`;
    const does = random(7);
    if (does <= 1) tree.insert(file(path));
    else if (does === 2 && tree.insert(folder(path))) tree.setChildren(path, [file(`${path}/in`)]);
    else if (does === 3 && random(3) === 0 && some !== undefined) tree.remove(some.path);
    else if (does === 4) tree.expand(where);
    else if (does === 5) tree.collapse(where);
    else if (does === 6 && some !== undefined && path !== some.path && !path.startsWith(`${some.path}/`)) tree.rename(some.path, path);
    if (step % 50 === 0) {
      try {
        check(tree);
      } catch (error) {
        throw new Error(`SEED=${seed}, step ${step}`, { cause: error });
      }
    }
  }
  check(tree);
});

test('with 100,000 entries opening, closing and changing one row stays far under a frame', () => {
  const tree = new TreeModel();
  tree.setChildren(
    '',
    Array.from({ length: 100 }, (_, index) => folder(`f${index}`)),
  );
  for (let index = 0; index < 100; index += 1) {
    tree.setChildren(
      `f${index}`,
      Array.from({ length: 1000 }, (_, at) => file(`f${index}/file-${at}.ts`)),
    );
  }
  const started = threadMs();
  for (let index = 0; index < 100; index += 1) tree.expand(tree.get(`f${index}`) as TreeNode);
  assert.equal(tree.length, 100_100);
  for (let index = 0; index < 100; index += 1) {
    const name = `f${index}/file-${index}.ts`;
    assert.equal(tree.at(tree.indexOf(tree.get(name) as TreeNode))?.path, name);
    tree.remove(name);
    tree.insert(file(`f${index}/a-new.ts`));
    tree.rename(`f${index}/a-new.ts`, `f${index}/b-new.ts`);
    tree.rows(index * 500, index * 500 + 50);
  }
  for (let index = 0; index < 100; index += 1) tree.collapse(tree.get(`f${index}`) as TreeNode);
  assert.equal(tree.length, 100);
  // 600 changes and 100 windows: generous, and still far below what a scan of all rows for each would take.
  const tookMs = threadMs() - started;
  assert.ok(tookMs < 500, `took ${Math.round(tookMs)} ms`);
});
