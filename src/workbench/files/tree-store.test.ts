import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Change } from '../../contract/events.ts';
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

test('the folders that were open are listed level by level, and are known as the open ones all the while', async () => {
  const slow = slowClient();
  const told: string[][] = [];
  const tree = new TreeStore(slow.client, () => told.push(tree.openFolders));
  const started = tree.start(['', 'b', 'a/deep', 'a', 'gone', 'a/deep/est', 'b/one']);
  await slow.answer('', ['a/', 'b/', 'c/']);
  // Both are asked for: neither waits for the other.
  await slow.answer('b', ['one/', 'two']);
  await slow.answer('a', ['deep/', 'file']);
  await slow.answer('b/one', []);
  await slow.answer('a/deep', ['est/', 'file']);
  await slow.answer('a/deep/est', ['file']);
  await started;
  assert.deepEqual(
    told,
    [['a', 'a/deep', 'a/deep/est', 'b', 'b/one']],
    'a part of them is never told: the page may be loaded again before the rest is listed',
  );
  const expanded = tree.expand('c');
  await slow.answer('c', []);
  await expanded;
  assert.deepEqual(told.at(-1), ['a', 'a/deep', 'a/deep/est', 'b', 'b/one', 'c']);
});

test('who goes into a folder that is being listed comes there, and of two names that are begun meanwhile one is asked for', async () => {
  const { tree, rows, answer, asked } = await treeWithFolder();
  const expanded = tree.expand('many');
  const revealed = tree.reveal('many/loan.py');
  const begun = [tree.beginNew('many', 'file'), tree.beginNew('many', 'directory')];
  await answer('many', ['loan.py']);
  await Promise.all([expanded, revealed, ...begun]);
  assert.deepEqual([await revealed, tree.focused.value, asked], [true, 'many/loan.py', ['', 'many']]);
  assert.equal(tree.editing.value?.row.kind, 'directory');
  tree.endEditing();
  assert.deepEqual(rows(), ['many', 'many/loan.py']);
  tree.model.insert({ path: 'more', kind: 'directory' });
  const waiting = tree.beginNew('more', 'file');
  tree.beginRename('many/loan.py');
  await answer('more', []);
  await waiting;
  assert.equal(tree.editing.value?.what, 'rename');
});

test('who goes on elsewhere while a folder is listed is asked for no name of a new file in it', async () => {
  const { tree, rows, answer } = await treeWithFolder();
  let isWaiting = true;
  const begun = tree.beginNew('many', 'file', () => isWaiting);
  isWaiting = false;
  await answer('many', ['loan.py']);
  await begun;
  assert.deepEqual([tree.editing.value, rows()], [undefined, ['many', 'many/loan.py']]);
});

/** A sidecar whose answers come when the test says so. */
function slowClient(): {
  client: WorkbenchClient;
  answer: (path: string, names: readonly string[] | Error) => Promise<void>;
  asked: string[];
} {
  const waiting = new Map<string, (entries: { path: string; kind: string }[] | Error) => void>();
  const asked: string[] = [];
  const stream = (_name: string, { path }: { path: string }): AsyncIterable<{ path: string; kind: string }> =>
    (async function* () {
      asked.push(path);
      const answered = await new Promise<{ path: string; kind: string }[] | Error>((resolve) => waiting.set(path, resolve));
      if (answered instanceof Error) throw answered;
      yield* answered;
    })();
  return {
    client: { stream } as unknown as WorkbenchClient,
    asked,
    answer: async (path, names) => {
      const kindOf = (name: string): string => (name.endsWith('/') ? 'directory' : 'file');
      const placeOf = (name: string): string => (path === '' ? '' : `${path}/`) + name.replace('/', '');
      const found = names instanceof Error ? names : names.map((name) => ({ path: placeOf(name), kind: kindOf(name) }));
      while (!waiting.has(path)) await new Promise(setImmediate);
      waiting.get(path)?.(found);
      waiting.delete(path);
      await new Promise(setImmediate);
    },
  };
}

const change = (what: Change['what'], path: string, more: Partial<Change> = {}): Change =>
  ({ path, what, kind: 'file', ...more }) as Change;

async function treeWithFolder(): Promise<{ tree: TreeStore; rows: () => string[]; notListed: string[] } & ReturnType<typeof slowClient>> {
  const slow = slowClient();
  const notListed: string[] = [];
  const tree = new TreeStore(
    slow.client,
    () => {},
    (folder, error) => notListed.push(`${folder}: ${(error as Error).message}`),
  );
  const started = tree.start([]);
  await slow.answer('', ['many/']);
  await started;
  return { tree, rows: () => tree.model.rows(0, 100).map(({ path }) => path), notListed, ...slow };
}

test('what changes in a folder while it is being listed is in the tree, whatever the list still says', async () => {
  const { tree, rows, answer } = await treeWithFolder();
  const expanded = tree.expand('many');
  tree.apply(change('created', 'many/new'));
  tree.apply(change('removed', 'many/gone'));
  tree.apply(change('created', 'many/short'));
  tree.apply(change('removed', 'many/short'));
  tree.apply(change('moved', 'many/after', { from: 'many/before' }));
  tree.apply(change('moved', 'many/came', { from: 'elsewhere' }));
  tree.apply(change('moved', 'left', { from: 'many/left' }));
  await answer('many', ['gone', 'short', 'before', 'left', 'stays']);
  await expanded;
  assert.deepEqual(rows(), ['many', 'many/after', 'many/came', 'many/new', 'many/stays', 'left']);
});

test('a folder that is moved while it is being listed is listed where it is', async () => {
  const { tree, rows, answer } = await treeWithFolder();
  const expanded = tree.expand('many');
  tree.apply(change('moved', 'moved', { from: 'many', kind: 'directory' }));
  await answer('many', []);
  await answer('moved', ['a', 'b']);
  await expanded;
  assert.deepEqual(rows(), ['moved', 'moved/a', 'moved/b']);
});

test('what is being listed when changes were not told is listed once more', async () => {
  const { tree, rows, answer, asked } = await treeWithFolder();
  const expanded = tree.expand('many');
  const again = tree.listAgain();
  await answer('many', ['old']);
  await answer('many', ['new']);
  await answer('', ['many/']);
  await Promise.all([expanded, again]);
  assert.deepEqual(rows(), ['many', 'many/new']);
  assert.deepEqual(asked.toSorted(), ['', '', 'many', 'many']);
});

test('what becomes of a file after it left a folder that is being listed is not undone by the list', async () => {
  const { tree, rows, answer } = await treeWithFolder();
  const expanded = tree.expand('many');
  tree.apply(change('moved', 'left', { from: 'many/left' }));
  tree.apply(change('removed', 'left'));
  tree.apply(change('moved', 'many/b', { from: 'many/a' }));
  tree.apply(change('created', 'many/a', { kind: 'directory' }));
  await answer('many', ['a/', 'b']);
  await expanded;
  assert.deepEqual(rows(), ['many', 'many/a', 'many/b']);
  assert.equal(tree.model.get('many/b')?.kind, 'file');
});

test('where a folder was moved while it was listed, and another made in its place, both are listed', async () => {
  const { tree, rows, answer } = await treeWithFolder();
  const expanded = tree.expand('many');
  tree.apply(change('moved', 'many.old', { from: 'many', kind: 'directory' }));
  tree.apply(change('created', 'many', { kind: 'directory' }));
  await answer('many', ['new']);
  await answer('many', ['new']);
  await answer('many.old', ['a']);
  await expanded;
  await Promise.all(['many', 'many.old'].map((folder) => tree.expand(folder)));
  assert.deepEqual(rows(), ['many', 'many/new', 'many.old', 'many.old/a']);
});

test('a folder that could not be listed is listed when the link is back, or at once where all is listed again', async () => {
  const { tree, rows, answer } = await treeWithFolder();
  const away = new OutriggerError('CONNECTION_LOST', 'away');
  const expanded = tree.expand('many');
  await answer('many', away);
  await expanded;
  assert.deepEqual(rows(), ['many']);
  const back = tree.listFailed();
  const again = tree.listAgain();
  await answer('many', away);
  await answer('many', ['new']);
  await answer('', ['many/']);
  await Promise.all([back, again]);
  assert.deepEqual(rows(), ['many', 'many/new']);
});

test('why a folder that is opened stands there as empty is said each time; that the link is away is told elsewhere', async () => {
  const { tree, answer, notListed } = await treeWithFolder();
  for (const error of [new OutriggerError('FILE_PERMISSION', 'refused'), new OutriggerError('CONNECTION_LOST', 'away')])
    for (let times = 0; times < 2; times++) {
      const expanded = tree.expand('many');
      await answer('many', error);
      await expanded;
      tree.collapse('many');
    }
  assert.deepEqual(notListed, Array(2).fill('many: refused'));
  const expanded = tree.expand('many');
  await answer('many', ['new']);
  await expanded;
  assert.equal(notListed.length, 2);
});

test('a range of selected rows begins where one was selected last, and can be made smaller', async () => {
  const tree = new TreeStore(clientFor(paths), () => {});
  await tree.start([], paths);
  await tree.expand('docs');
  const rows = tree.model.rows(0, 20).map(({ path }) => path);
  const selected = (): string[] => [...tree.selected.value].sort();
  tree.select(rows[1] as string);
  for (const to of [2, 3, 2, 1, 0]) tree.selectRange(rows[to] as string);
  assert.deepEqual([selected(), tree.focused.value], [['docs', 'docs/guide'], 'docs']);
  // Those that were chosen one by one stay.
  tree.select(rows[4] as string);
  tree.select(rows[2] as string, true);
  tree.selectRange(rows[0] as string);
  tree.selectRange(rows[1] as string);
  assert.deepEqual(selected(), ['docs/guide', 'docs/guide/deep', 'README.md'].sort());
  // It moves along.
  tree.apply({ type: 'change', what: 'moved', from: rows[2], path: 'z.md', kind: 'directory' } as Change);
  tree.selectRange('z.md');
  assert.deepEqual(selected(), ['README.md', 'z.md']);
});
