import assert from 'node:assert/strict';
import { test } from 'node:test';
import { eventually } from '../../../test/kit/eventually.ts';
import type { WorkbenchClient } from '../client-port.ts';
import { OutriggerError } from '../../contract/errors.ts';
import type { Toasts } from '../shell/toasts.ts';
import { FileActions } from './file-actions.ts';
import type { TreeStore } from './tree-store.ts';

interface Said {
  title: string;
  actions: readonly { label: string; run: () => void }[];
  dismissed?: boolean;
}

interface Input {
  path: string;
  text?: string;
  recursive?: boolean;
  ifMatch?: string;
}

/**
 * Actions on a folder in memory, where a path with content null is a folder, and a file's content its ETag; a path of `refused` is not taken when it is put
 * back. Before each removal one of `meanwhile` is done.
 */
function setup(files: Record<string, string | null>, refused: ReadonlySet<string> = new Set()) {
  const there = new Map(Object.entries(files));
  const below = (path: string): string[] => [...there.keys()].filter((each) => each === path || each.startsWith(`${path}/`));
  const entry = (path: string): object => ({
    path,
    kind: there.get(path) === null ? 'directory' : 'file',
    mode: 0o644,
    size: there.get(path)?.length ?? 0,
  });
  const meanwhile: (() => void)[] = [];
  const calls = (name: string, { path, text = '', recursive, ifMatch }: Input): unknown => {
    if (name === 'files.stat') return { entry: there.has(path) ? entry(path) : undefined };
    if (name === 'files.mkdir') return void there.set(path, null);
    if (name === 'files.write') return void there.set(path, text);
    meanwhile.shift()?.();
    const gone = below(path);
    if (gone.length === 0) throw new OutriggerError('NOT_FOUND', `${path} does not exist.`);
    if (ifMatch !== undefined && ifMatch !== there.get(path)) throw new OutriggerError('ETAG_MISMATCH', `${path} is another.`);
    if (recursive !== true && gone.length > 1) throw new OutriggerError('NOT_EMPTY', `${path} is not empty.`);
    for (const each of gone) there.delete(each);
    return { removed: gone.length };
  };
  const client = {
    call: async (name: string, input: Input) => {
      await Promise.resolve();
      return calls(name, input);
    },
    stream: async function* (_name: string, { path }: { path: string }) {
      for (const each of below(path).filter((one) => one !== path)) yield await Promise.resolve(entry(each));
    },
    download: (_name: string, { path }: { path: string }) =>
      Promise.resolve({ output: { etag: there.get(path) }, bytes: [new TextEncoder().encode(there.get(path) ?? '')] }),
    upload: async (_name: string, { path, ifNoneMatch }: { path: string; ifNoneMatch?: string }, content: Blob) => {
      if (refused.has(path)) throw new Error('The disk is full.');
      if (ifNoneMatch === '*' && there.has(path)) throw new OutriggerError('FILE_EXISTS', `${path} exists.`);
      there.set(path, await content.text());
    },
  };
  const said: Said[] = [];
  const toasts = {
    say: (title: string, { actions = [] }: Partial<Said> = {}) => said.push({ title, actions }),
    has: (id: number) => said[id - 1]?.dismissed !== true,
    dismiss: (id: number) => said[id - 1] !== undefined && ((said[id - 1] as Said).dismissed = true),
    fail: (title: string, _error: unknown, actions: Said['actions'] = []) => said.push({ title, actions }),
  };
  const tree = { removed: () => {}, reveal: () => Promise.resolve(true) };
  const actions = new FileActions(client as unknown as WorkbenchClient, tree as unknown as TreeStore, toasts as unknown as Toasts);
  const press = async (label: string): Promise<void> => {
    const before = said.length;
    const last = said.at(-1);
    last?.actions.find((action) => action.label === label)?.run();
    if (last !== undefined) last.dismissed = true;
    await eventually(() => said.length > before);
  };
  return { there, said, actions, press, meanwhile };
}

test('what was deleted comes back, and what could not is offered again: it is nowhere else', async () => {
  const files = { lib: null, 'lib/a': 'one', 'lib/b': 'two', 'lib/c': 'three' };
  const refused = new Set(['lib/b']);
  const { there, said, actions, press } = setup(files, refused);
  await actions.remove(['lib']);
  assert.equal(there.size, 0);
  await press('Undo');
  assert.deepEqual([said.at(-1)?.title, [...there.keys()]], ['Not brought back: 1 entry of lib', ['lib', 'lib/a', 'lib/c']]);
  refused.clear();
  await press('Try again');
  assert.equal(said.at(-1)?.title, 'Brought back lib');
  assert.deepEqual(Object.fromEntries(there), files);
});

test('what is being deleted is not deleted once more by the key that is pressed again', async () => {
  const { there, said, actions, press } = setup({ lib: null, 'lib/a': 'one', b: 'two' });
  await Promise.all([actions.remove(['lib']), actions.remove(['lib/a']), actions.remove(['lib', 'b'])]);
  assert.deepEqual([said.map(({ title }) => title), there.size], [['Deleted b', 'Deleted 3 entries'], 0]);
  await press('Undo');
  await actions.remove(['b']);
  assert.equal(said.at(-1)?.title, 'Deleted b');
});

test('a folder with a repository in it is asked about before it is deleted: not everybody may put that back', async () => {
  const { there, said, actions, press } = setup({ lib: null, 'lib/.git': null, 'lib/.git/config': 'x', 'lib/a': 'one' });
  await actions.remove(['lib']);
  assert.deepEqual([said.at(-1)?.title, there.size], ['Delete lib for good?', 4]);
  await press('Delete for good');
  assert.equal(there.size, 0);
});

test('while it can be undone, what is deleted next is undone with it, in the order that brings all of it back', async () => {
  const files = { 'x/index.ts': 'one', 'y/index.ts': 'two', lib: null, 'lib/a': 'three' };
  const { there, said, actions, press } = setup(files);
  for (const path of ['x/index.ts', 'y/index.ts', 'lib/a', 'lib']) await actions.remove([path]);
  assert.deepEqual(
    said.filter(({ dismissed }) => dismissed !== true).map(({ title }) => title),
    ['Deleted 4 entries'],
  );
  await press('Undo');
  assert.deepEqual([said.at(-1)?.title, Object.fromEntries(there)], ['Brought back 4 entries', files]);
  await actions.remove(['lib']);
  assert.equal(said.at(-1)?.title, 'Deleted 2 entries', 'what was undone is no part of the next');
});

test('files that exist already are named in one word, and replaced by one', async () => {
  const { there, said, actions, press } = setup({ a: 'old', b: 'old' });
  const dropped = ['a', 'b', 'c'].map((path) => ({ path, file: new Blob(['new']) }));
  await actions.upload('', dropped);
  assert.deepEqual(
    said.map(({ title }) => title),
    ['2 files exist already', 'Uploaded 1 file'],
  );
  said.pop();
  await press('Replace them');
  await eventually(() => assert.deepEqual(Object.fromEntries(there), { a: 'new', b: 'new', c: 'new' }));
  assert.equal(said.at(-1)?.title, 'Replaced 2 files');
});

test('of what is dropped all that can be read comes, and the rest is named', async () => {
  const file = (name: string): object => ({ name, isFile: true, file: (done: (file: Blob) => void) => done(new Blob(['x'])) });
  const locked = { name: 'locked', isFile: true, file: (_done: unknown, failed: (error: Error) => void) => failed(new Error('no right')) };
  const folder = (name: string, entries: object[]): object => ({
    name,
    isFile: false,
    createReader: () => ({ readEntries: (done: (some: object[]) => void) => done(entries.splice(0, 1)) }),
  });
  const items = [folder('lib', [file('a'), locked, file('b')]), file('c')].map((entry) => ({
    kind: 'file',
    webkitGetAsEntry: () => entry,
  }));
  const { there, said, actions } = setup({});
  await actions.drop('to', { items } as unknown as DataTransfer);
  assert.deepEqual([...there.keys()].sort(), ['to/c', 'to/lib/a', 'to/lib/b']);
  assert.deepEqual(
    said.map(({ title }) => title),
    ['Not read: lib/locked', 'Uploaded 3 files'],
  );
});

test('of many files that did not come none goes unsaid, and all of them can be sent again', async () => {
  const names = Array.from({ length: 60 }, (_, index) => `f${index}`);
  const refused = new Set(names.slice(8));
  const { there, said, actions, press } = setup({}, refused);
  await actions.upload(
    '',
    names.map((path) => ({ path, file: new Blob(['new']) })),
  );
  assert.deepEqual([said.map(({ title }) => title), there.size], [['Not uploaded: f8, f9 and 50 more', 'Uploaded 8 files'], 8]);
  said.pop();
  refused.clear();
  await press('Try again');
  await eventually(() => assert.equal(said.at(-1)?.title, 'Uploaded 52 files'));
  assert.deepEqual([...there.keys()], names);
});

test('while files are uploaded, or put back, it is known how many of them have come', async () => {
  const { said, actions, press } = setup({ lib: null, 'lib/a': 'one' }, new Set(['b']));
  const seen: string[] = [];
  const stop = actions.uploading.subscribe((now) => seen.push(now === undefined ? '-' : `${now.over}/${now.of}`));
  const file = new Blob(['new']);
  await Promise.all([
    actions.upload(
      '',
      ['a', 'b'].map((path) => ({ path, file })),
    ),
    actions.upload('', [{ path: 'c', file }]),
    actions.upload('', []),
  ]);
  assert.deepEqual(seen.splice(0), ['-', '0/2', '0/3', '1/3', '2/3', '-']);
  await actions.remove(['lib']);
  await press('Undo');
  await eventually(() => assert.equal(said.at(-1)?.title, 'Brought back lib'));
  assert.deepEqual(seen, ['0/2', '1/2', '-']);
  stop();
});

test('of many that were not moved, deleted or read none goes unsaid', async () => {
  const { said, actions } = setup({});
  const gone = ['a/1', 'a/2', 'a/3', 'a/4'];
  await actions.moveInto(gone, 'b');
  const items = gone.map((name) => ({
    kind: 'file',
    webkitGetAsEntry: () => ({
      name,
      isFile: true,
      file: (_done: unknown, failed: (error: Error) => void) => failed(new Error('no right')),
    }),
  }));
  await actions.drop('to', { items } as unknown as DataTransfer);
  await actions.remove(gone);
  assert.deepEqual(
    said.map(({ title }) => title),
    ['Not moved: 1, 2 and 2 more', 'Not read: a/1, a/2 and 2 more', 'Not deleted: 1, 2 and 2 more'],
  );
});

test('no text is saved over what is not what was seen there, or was changed while it was kept', async () => {
  for (const [what, files, change] of [
    ['another file', { 'a.txt': '\0' }, { 'a.txt': '\0\0' }],
    ['more in a folder', { 'a.txt': null, 'a.txt/one': '1' }, { 'a.txt/two': '2' }],
    ['another file in a folder', { 'a.txt': null, 'a.txt/one': '1' }, { 'a.txt/one': '2' }],
    ['another file beside one that was removed', { 'a.txt': null, 'a.txt/one': '1', 'a.txt/two': '2' }, { 'a.txt/one': '3' }],
  ] as const) {
    const { there, said, actions, meanwhile } = setup(files);
    const seen = { kind: files['a.txt'] === null ? 'directory' : 'file', size: files['a.txt']?.length ?? 0 } as never;
    meanwhile.push(() => Object.entries(change).forEach(([path, content]) => there.set(path, content)));
    await actions.writeOver('a.txt', () => 'mine', seen);
    assert.equal(said.at(-1)?.title, 'Not saved: a.txt', what);
    assert.deepEqual(Object.fromEntries(there), { ...files, ...change }, what);
    await actions.writeOver('a.txt', () => 'mine', { kind: 'symlink', size: 1 } as never);
    assert.equal(said.at(-1)?.title, 'Not saved: a.txt', what);
  }
  const { there, said, actions, press } = setup({ 'a.txt': null, 'a.txt/one': '1' });
  await actions.writeOver('a.txt', () => 'mine', { kind: 'directory', size: 0 } as never);
  assert.deepEqual([said.at(-1)?.title, Object.fromEntries(there)], ['Saved your text over a.txt', { 'a.txt': 'mine' }]);
  await press('Undo');
  assert.deepEqual(Object.fromEntries(there), { 'a.txt': null, 'a.txt/one': '1' });
});

test('what could not be kept is asked about before a text is saved over it, and is what was asked about when it is', async () => {
  const files = { 'a.txt': null, 'a.txt/.git': null, 'a.txt/.git/config': 'x' };
  const { there, said, actions, press } = setup(files);
  await actions.writeOver('a.txt', () => 'mine', { kind: 'directory', size: 0 } as never);
  const [asked] = said;
  assert.deepEqual([asked?.title, Object.fromEntries(there)], ['Save over a.txt for good?', files]);
  for (const path of Object.keys(files)) there.delete(path);
  there.set('a.txt', '\0');
  await press('Save over it');
  assert.deepEqual([said.at(-1)?.title, Object.fromEntries(there)], ['Not saved: a.txt', { 'a.txt': '\0' }]);
});
