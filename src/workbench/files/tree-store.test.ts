import assert from 'node:assert/strict';
import { test } from 'node:test';
import { OutriggerError } from '../../contract/errors.ts';
import type { WorkbenchClient } from '../client-port.ts';
import { PathIndex } from '../finder/path-index.ts';
import { TreeStore } from './tree-store.ts';

const files = ['README.md', 'docs/guide/one.md', 'docs/guide/deep/two.md', 'docs/other.md', 'src/a.ts'];
const folders = ['docs', 'docs/guide', 'docs/guide/deep', 'src'];

/** A sidecar for a caller who is limited to these paths. */
function clientFor(paths: readonly string[]): WorkbenchClient {
  const check = (path: string): void => {
    if (!paths.some((one) => path === one || path.startsWith(`${one}/`))) throw new OutriggerError('OUT_OF_SCOPE', `"${path}" is outside.`);
  };
  const kindOf = (path: string): 'file' | 'directory' | undefined =>
    files.includes(path) ? 'file' : folders.includes(path) ? 'directory' : undefined;
  return {
    call: async (_name: string, { path }: { path: string }) => {
      check(path);
      const kind = kindOf(path);
      return { entry: kind === undefined ? undefined : { path, kind } };
    },
    stream: (_name: string, { path, recursive }: { path: string; recursive?: boolean }) => {
      const items = (async function* () {
        check(path);
        if (kindOf(path) === 'file') throw new OutriggerError('NOT_A_DIRECTORY', `${path} is a file.`);
        if (kindOf(path) === undefined) throw new OutriggerError('FILE_NOT_FOUND', `${path} is not there.`);
        for (const one of [...folders, ...files]) {
          const rest = one.startsWith(`${path}/`) ? one.slice(path.length + 1) : '';
          if (rest !== '' && (recursive === true || !rest.includes('/'))) yield { path: one, kind: kindOf(one) };
        }
      })();
      return Object.assign(items, { end: Promise.resolve({ truncated: false }) });
    },
  } as unknown as WorkbenchClient;
}

const paths = ['docs/guide', 'README.md', 'gone'];

test('who is limited to some paths has them in the tree, below the folders on the way', async () => {
  const tree = new TreeStore(clientFor(paths), () => {});
  await tree.start([], paths);
  const rows = (): string[] => tree.model.rows(0, 20).map(({ path }) => path);
  assert.deepEqual(rows(), ['docs', 'README.md']);
  assert.equal(tree.problem.value, undefined);
  await tree.expand('docs');
  assert.deepEqual(rows(), ['docs', 'docs/guide', 'docs/guide/deep', 'docs/guide/one.md', 'README.md']);
  assert.equal(await tree.reveal('docs/guide/deep/two.md'), true);
  assert.equal(await tree.reveal('src/a.ts'), false);
});

test('and finds their files, and no others', async () => {
  const index = new PathIndex(clientFor(paths), () => paths);
  await index.load();
  assert.deepEqual([...index.files.keys()].sort(), ['README.md', 'docs/guide/deep/two.md', 'docs/guide/one.md']);
});
