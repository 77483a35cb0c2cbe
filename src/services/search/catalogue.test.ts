import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { longestTurn } from '../../../test/kit/loop-hold.ts';
import type { Change } from '../../contract/events.ts';
import { Catalogue } from './catalogue.ts';
import type { Ripgrep } from './ripgrep.ts';

/** A catalogue of files that need not be there: a stand-in tells of them. */
async function withFiles(files: string[], run: (catalogue: Catalogue) => Promise<void>): Promise<void> {
  const root = fs.mkdtempSync(path.join(os.tmpdir(), 'outrigger-catalogue-'));
  const ripgrep = { files: () => Promise.resolve([...files]), leavesOut: () => false } as unknown as Ripgrep;
  try {
    const catalogue = new Catalogue({ ripgrep }, { root });
    await catalogue.walk();
    await run(catalogue);
  } finally {
    fs.rmSync(root, { recursive: true, force: true });
  }
}

function gone(...folders: string[]): Change[] {
  return folders.map((folder, at) => ({
    ...{ type: 'change', revision: at + 1, cursor: `e-${at + 1}`, at: 0 },
    ...{ path: folder, kind: 'directory', what: 'removed', before: null, after: null, cause: { kind: 'outside', who: [] } },
  }));
}

test('with a folder all goes that was in it, and nothing beside it', () =>
  withFiles(['a/b/c', 'a/b/d/e', 'a/bc', 'a/b.txt', 'b/c'], async (catalogue) => {
    const { changed, removed } = await catalogue.apply(gone('a/b/d', 'a/b', 'x'));
    assert.deepEqual(changed, []);
    assert.deepEqual(removed.toSorted(), ['a/b/c', 'a/b/d/e']);
    assert.deepEqual(catalogue.list, ['a/b.txt', 'a/bc', 'b/c']);
  }));

test('thousands of folders that go together keep nobody waiting', async () => {
  const folders = Array.from({ length: 2000 }, (_, at) => `lib/package${at}`);
  const others = Array.from({ length: 40_000 }, (_, at) => `src/part${at % 500}/file${at}.ts`);
  await withFiles([...others, ...folders.map((folder) => `${folder}/index.js`)], async (catalogue) => {
    const longest = await longestTurn(() => catalogue.apply(gone(...folders)));
    assert.equal(catalogue.files.size, others.length);
    assert.ok(longest < 500, `${longest} ms`);
  });
});
