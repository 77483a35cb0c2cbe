import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { Random } from '../../../test/kit/random.ts';
import { requireTool } from '../../../test/kit/require-tools.ts';
import { testSeed } from '../../../test/kit/seed.ts';
import { changedTrees, foldersAbove, mktreeInput, parseTreeObject, type TreeEntry } from './small-tree.ts';

test('the folders above files are named once, with the top', () => {
  assert.deepEqual(foldersAbove(['a/b/c', 'a/b/d', 'e']), ['', 'a/b', 'a']);
  assert.deepEqual(foldersAbove([]), ['']);
});

test('random changes make the trees that git makes (long form)', { skip: requireTool('git') }, () => {
  const seed = testSeed();
  const random = new Random(seed);
  const root = fs.mkdtempSync(path.join(os.tmpdir(), 'outrigger-trees-'));
  const git = (args: string[], input?: Buffer | string): Buffer =>
    execFileSync('git', args, { cwd: root, ...(input === undefined ? {} : { input }), stdio: ['pipe', 'pipe', 'pipe'] });
  try {
    git(['init', '-q']);
    const names = ['a', 'a.b', 'a0', 'b/a', 'b/c/a', 'b/c/d', 'b-c', 'b.c', 'e/f/g/h', 'e/f', 'e', 'z/ü', 'a/x'];
    const blobs = ['one', 'two', 'three'].map((text) => git(['hash-object', '-w', '--stdin'], text).toString().trim());
    let tree = git(['write-tree']).toString().trim();
    const files = new Map<string, TreeEntry>();
    for (let round = 0; round < 60; round++) {
      const changes = new Map<string, TreeEntry | null>();
      for (let count = random.below(5); count >= 0; count--) {
        const name = Buffer.from(random.of(names)).toString('latin1');
        if (random.below(3) === 0) {
          if (files.has(name)) changes.set(name, null);
          continue;
        }
        // A file stands in no file, and has nothing below it.
        for (const other of [...files.keys(), ...changes.keys()])
          if (other.startsWith(`${name}/`) || name.startsWith(`${other}/`)) changes.set(other, null);
        changes.set(name, { mode: random.of(['100644', '100755', '120000']), hash: random.of(blobs) });
      }
      for (const [name, entry] of changes) if (entry === null) files.delete(name);
      for (const [name, entry] of changes) if (entry !== null) files.set(name, entry);
      const folders = new Map(foldersAbove(changes.keys()).map((folder) => [folder, readTree(git, tree, folder)] as const));
      const trees = changedTrees(folders, changes, 'sha1');
      const made = git(['mktree', '-z', '--batch'], mktreeInput(trees)).toString().trim().split('\n');
      const about = `SEED=${seed} round ${round}`;
      assert.deepEqual(
        made,
        trees.map(({ hash }) => hash),
        about,
      );
      fs.rmSync(path.join(root, '.git/index'), { force: true });
      const lines = [...files].map(([name, { mode, hash }]) => `${mode} ${hash}\t${name}\0`).join('');
      git(['update-index', '-z', '--index-info'], Buffer.from(lines, 'latin1'));
      tree = git(['write-tree']).toString().trim();
      assert.equal(trees.at(-1)?.hash, tree, about);
    }
  } finally {
    fs.rmSync(root, { recursive: true, force: true });
  }
});

function readTree(git: (args: string[], input: string) => Buffer, tree: string, folder: string): Map<string, TreeEntry> {
  const name = `${tree}:${Buffer.from(folder, 'latin1').toString()}`;
  const answer = git(['cat-file', '--batch'], `${name}\n`);
  const end = answer.indexOf(10);
  const [, type] = answer.subarray(0, end).toString().split(' ');
  return type === 'tree' ? parseTreeObject(answer.subarray(end + 1, answer.length - 1), 20) : new Map();
}
