import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { signal } from '@preact/signals';
import { eventually } from '../../../test/kit/eventually.ts';
import type { WorkbenchClient } from '../client-port.ts';
import { Toasts } from '../shell/toasts.ts';
import type { ChangeEntry } from './change-sections.ts';
import { GitActions } from './git-actions.ts';
import type { GitDialog } from './git-dialog.ts';
import type { GitStore } from './git-store.ts';

type Asked = Extract<GitDialog, { kind: 'question' }>;

/** A folder of files with their ETags: a discard gives each `discarded`, or takes it away. What is `live` stands before the file. */
function fakeFolder(t: TestContext, paths: string[]) {
  const live = new Map<string, string>();
  const etags = new Map<string, string>(paths.map((path) => [path, 'changed']));
  const restored: string[][] = [];
  const operations: Record<string, (input: never) => unknown> = {
    'checkpoints.create': () => ({ id: 7, omitted: 0, lacking: [] }),
    'git.restore': ({ files }: { files: { path: string }[] }) => void files.forEach(({ path }) => etags.set(path, 'discarded')),
    'files.remove': ({ path }: { path: string }) => etags.delete(path),
    'files.stat': ({ path, hash }: { path: string; hash: boolean }) => {
      assert.equal(hash, true);
      return etags.has(path) ? { exists: true, entry: { kind: 'file' }, etag: live.get(path) ?? etags.get(path) } : { exists: false };
    },
    'files.read': ({ path, source }: { path: string; source: string }) => {
      assert.equal(source, 'disk');
      if (!etags.has(path)) throw Object.assign(new Error('Gone'), { reason: 'FILE_NOT_FOUND' });
      return { etag: etags.get(path) };
    },
    'checkpoints.restore': ({ paths: back }: { paths: string[] }) => {
      restored.push(back);
      return { files: back.map((path) => ({ path, did: 'written' })), fileCount: back.length };
    },
  };
  const call = async (name: string, input: unknown): Promise<unknown> => operations[name]?.(input as never);
  const toasts = new Toasts();
  t.after(() => toasts.hold());
  const questions: Asked[] = [];
  const actions = new GitActions({
    client: { call } as unknown as WorkbenchClient,
    git: { refresh: () => Promise.resolve() } as unknown as GitStore,
    toasts,
    ask: (dialog) => void questions.push(dialog as Asked),
  });
  const undo = (): void =>
    toasts.shown.value
      .flatMap((toast) => toast.actions)
      .find(({ label }) => label === 'Undo')
      ?.run();
  const entry = (path: string, letter: ChangeEntry['letter']): ChangeEntry => ({
    path,
    from: undefined,
    letter,
    raw: false,
    conflict: undefined,
  });
  return { actions, etags, live, restored, operations, questions, toasts, undo, entry };
}

const settled = (actions: GitActions): Promise<void> => eventually(() => assert.equal(actions.busy.value, false));

test('a discard is undone at once where nothing was written since', async (t) => {
  const { actions, restored, questions, undo, entry } = fakeFolder(t, ['a.txt', 'new.txt']);
  await actions.discard([entry('a.txt', 'M'), entry('new.txt', 'U')]);
  undo();
  await settled(actions);
  assert.deepEqual([restored, questions], [[['a.txt', 'new.txt']], []]);
});

test('before the undo of a discard takes away what was written since, it asks and names the files', async (t) => {
  const { actions, etags, restored, questions, undo, entry } = fakeFolder(t, ['a.txt', 'b.txt', 'new.txt']);
  await actions.discard([entry('a.txt', 'M'), entry('b.txt', 'M'), entry('new.txt', 'U')]);
  etags.set('a.txt', 'typed since');
  etags.set('new.txt', 'made since');
  undo();
  await settled(actions);
  const [question] = questions;
  assert.deepEqual([restored, question?.files], [[], ['a.txt', 'new.txt']]);
  question?.choices[0]?.run();
  await settled(actions);
  assert.deepEqual(restored, [['a.txt', 'b.txt', 'new.txt']]);
});

test('an open document that hears of a discard a moment later is no reason to ask; one that was typed in is', async (t) => {
  for (const [text, asks] of [
    ['changed', false],
    ['discarded', false],
    ['typed since', true],
  ] as const) {
    const { actions, live, restored, questions, undo, entry } = fakeFolder(t, ['a.txt']);
    live.set('a.txt', 'changed');
    await actions.discard([entry('a.txt', 'M')]);
    live.set('a.txt', text);
    undo();
    await settled(actions);
    assert.deepEqual([restored.length, questions.length], asks ? [0, 1] : [1, 0], text);
  }
});

test('where it can’t be told whether something was written since a discard, its undo asks', async (t) => {
  const { actions, operations, restored, questions, undo, entry } = fakeFolder(t, ['a.txt']);
  const known = { ...operations };
  operations['files.stat'] = operations['files.read'] = () => {
    throw Object.assign(new Error('Away'), { reason: 'CONNECTION_LOST' });
  };
  await actions.discard([entry('a.txt', 'M')]);
  Object.assign(operations, known);
  undo();
  await settled(actions);
  assert.deepEqual([restored, questions[0]?.files], [[], ['a.txt']]);
});

test('what no checkpoint holds is named and asked about before it is discarded, for good', async (t) => {
  const { actions, etags, operations, questions, toasts, undo, entry, restored } = fakeFolder(t, ['a.txt', 'lib']);
  let asked: unknown;
  operations['checkpoints.create'] = ({ paths }: { paths: string[] }) => {
    asked = paths;
    return { id: 7, omitted: 3, lacking: paths.filter((path) => path === 'lib') };
  };
  await actions.discard([entry('a.txt', 'M'), entry('lib', 'U')]);
  await settled(actions);
  const [question] = questions;
  assert.deepEqual([asked, question?.files, [...etags.keys()]], [['a.txt', 'lib'], ['lib'], ['a.txt', 'lib']]);
  assert.match(`${question?.title} ${question?.text}`, /for good\? lib is in no checkpoint/);
  question?.choices[0]?.run();
  await settled(actions);
  assert.deepEqual([...etags], [['a.txt', 'discarded']]);
  undo();
  assert.deepEqual(restored, []);
  // Files of the folder that are too large are no reason to ask where none of them is discarded.
  await actions.discard([entry('a.txt', 'M')]);
  undo();
  await settled(actions);
  assert.deepEqual([questions.length, restored, toasts.shown.value.at(-1)?.title], [1, [['a.txt']], 'Brought back a.txt']);
});

test('a discard of more files than one restore takes is asked about', async (t) => {
  const names = Array.from({ length: 10_001 }, (_, index) => `${index}.txt`);
  const { actions, questions, entry } = fakeFolder(t, names);
  await actions.discard(names.map((name) => entry(name, 'M')));
  assert.match(questions[0]?.text ?? '', /10,000/);
});

test('what is being discarded, staged or unstaged is left to that by the key that is pressed again', async (t) => {
  const { actions, etags, operations, restored, toasts, undo, entry } = fakeFolder(t, ['a.txt', 'b.txt', 'new.txt']);
  operations['files.remove'] = ({ path }: { path: string }) => {
    if (!etags.delete(path)) throw Object.assign(new Error('Gone'), { reason: 'FILE_NOT_FOUND' });
  };
  const [known, other, unknown] = [entry('a.txt', 'M'), entry('b.txt', 'M'), entry('new.txt', 'U')];
  const asked = [[known, unknown], [known], [unknown], [known, other, unknown]];
  await Promise.all(asked.map((entries) => actions.discard(entries)));
  const titles = (): string[] => toasts.shown.value.map(({ title }) => title);
  assert.deepEqual(titles(), ['Discarded 2 files', 'Discarded b.txt']);
  undo();
  await settled(actions);
  assert.deepEqual(restored, [['a.txt', 'new.txt']]);
  // Changed anew, it is discarded anew.
  await actions.discard([other]);
  assert.deepEqual(titles().slice(-1), ['Discarded b.txt']);

  const done: string[] = [];
  operations['git.stage'] = () => void done.push('stage');
  operations['git.unstage'] = () => void done.push('unstage');
  operations['git.restore'] = () => void done.push('discard');
  const thrice = (work: () => Promise<void>): Promise<unknown> => Promise.all([work(), work(), work()]);
  await thrice(() => actions.stageHunk('a.txt', '1'));
  await thrice(() => actions.unstageHunk('a.txt', '1'));
  await thrice(() => actions.discardHunk('a.txt', '1'));
  await actions.stageHunk('a.txt', '1');
  assert.deepEqual(done, ['stage', 'unstage', 'discard', 'stage']);
});

test('the undo of a discard says what was not brought back, and why', async (t) => {
  const { actions, operations, toasts, undo, entry } = fakeFolder(t, ['a.txt', 'b.txt']);
  const skipped = { path: 'a.txt', did: 'skipped', why: 'it is a link' };
  for (const [files, title, text] of [
    [[skipped, { path: 'b.txt', did: 'written' }], 'Brought back 2 files, but not all of it', 'a.txt: it is a link'],
    [[skipped], 'Not brought back: 2 files', 'a.txt: it is a link'],
  ] as const) {
    operations['checkpoints.restore'] = () => ({ files, fileCount: files.length });
    await actions.discard([entry('a.txt', 'M'), entry('b.txt', 'M')]);
    undo();
    await settled(actions);
    const said = toasts.shown.value.at(-1);
    assert.deepEqual([said?.title, said?.text], [title, text]);
    toasts.hold();
    for (const toast of toasts.shown.value) toasts.dismiss(toast.id);
  }
});

test('a commit takes what it was asked to take, whatever is staged when it has its turn', async (t) => {
  const asked: unknown[] = [];
  const sections = signal<{ staged: unknown[]; changes: unknown[] }>({ staged: [], changes: ['a.txt', 'b.txt'] });
  const toasts = new Toasts();
  t.after(() => toasts.hold());
  const actions = new GitActions({
    client: {
      call: async (name: string, input: { all?: boolean }) => {
        if (name === 'git.stage') sections.value = { staged: ['a.txt'], changes: ['b.txt'] };
        else asked.push(input.all);
        return { committed: true, files: 2, hash: null, summary: '' };
      },
    } as unknown as WorkbenchClient,
    git: { sections, refresh: () => Promise.resolve() } as unknown as GitStore,
    toasts,
    ask: () => undefined,
  });
  const staged = actions.stage([{ path: 'a.txt', letter: 'M' } as ChangeEntry]);
  const both = actions.commit({ message: 'Both', amend: false, all: true, coAuthors: [] });
  const one = actions.commit({ message: 'One', amend: false, all: false, coAuthors: [] });
  await Promise.all([staged, both, one]);
  assert.deepEqual(asked, [true, false]);
});
