import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import * as Y from 'yjs';
import { withSmallDisk } from '../../../test/kit/small-disk.ts';
import { withWorkspace } from '../../../test/kit/workspace-harness.ts';
import { lfAlone } from '../../core/text-format.ts';
import { State } from '../state/state.ts';
import { DocumentStore } from './document-store.ts';
import { firstState, hashText } from './lineage.ts';
import { threadMs } from '../../../test/kit/loop-hold.ts';

test('of 5,000 documents the history is kept; of more, the one used longest ago is forgotten, and its file stays', () =>
  withWorkspace(async ({ state, stateFolder, put, read }) => {
    let time = 0;
    const options = { folder: path.join(stateFolder, 'documents'), textName: 'content' };
    const store = new DocumentStore({ state, now: () => time++ }, options);
    const content = firstState('text', 'content');
    const create = (name: string): number => store.create(name, 1, content, '', 'text', lfAlone);
    const isKept = (...names: string[]): boolean[] => names.map((name) => store.load(name) !== undefined);
    put('0');
    state.transaction(() => {
      for (let n = 0; n < 5000; n++) create(`${n}`);
    });
    store.compact(() => undefined);
    assert.deepEqual(isKept('0', '1', '4999'), [true, true, true]);
    create('5000');
    store.compact(() => undefined);
    assert.deepEqual(isKept('0', '1', '4999', '5000'), [false, true, true, true]);
    assert.equal(read('0'), '0');
    await store.close({ forgets: false });
  }));

/** With documents that hold `text`, of which their file holds none where that is not saved. */
async function withStored(
  run: (kit: { store: DocumentStore; restart: () => DocumentStore; make: (from: number, to: number, saved?: boolean) => number[] }) => void,
): Promise<void> {
  await withWorkspace(async ({ state, stateFolder }) => {
    let time = 0;
    const content = firstState('text', 'content');
    const open = (): DocumentStore =>
      new DocumentStore({ state, now: () => time++ }, { folder: path.join(stateFolder, 'documents'), textName: 'content' });
    const store = open();
    run({
      store,
      restart: open,
      make: (from, to, saved = true) =>
        state.transaction(() =>
          Array.from({ length: to - from }, (_, index) =>
            store.create(`${from + index}`, 1, content, hashText('text'), saved ? undefined : '', lfAlone),
          ),
        ),
    });
    await store.close({ forgets: false });
  });
}

test('documents that are only looked at, one after the other, are forgotten while the sidecar runs', () =>
  withStored(({ store, restart, make }) => {
    make(0, 1000);
    assert.equal(store.full, false);
    make(1000, 1001);
    assert.equal(store.full, true);
    store.compact(() => undefined);
    assert.equal(store.full, false);
    make(1001, 2001);
    store.compact(() => undefined);
    make(2001, 5500);
    assert.equal(restart().full, false);
    make(5500, 6001);
    assert.equal(restart().full, true);
  }));

test('none is forgotten that is open, or whose text is not in its file', () =>
  withStored(({ store, make }) => {
    const unsaved = make(0, 1, false);
    make(1, 2);
    const ids = make(2, 5003);
    store.compact(() => {
      for (const id of ids) store.checkpoint(id, firstState('text', 'content'), hashText('text'), undefined, undefined);
    });
    assert.deepEqual(
      ids.filter((_, index) => store.load(`${index + 2}`) === undefined),
      [],
    );
    assert.equal(store.load('1'), undefined);
    assert.equal(store.load('0')?.id, unsaved[0]);
  }));

test('a document that was typed in tens of thousands of times since it was written whole is read back quickly (long form)', () =>
  withWorkspace(async ({ state, stateFolder }) => {
    const store = new DocumentStore({ state, now: Date.now }, { folder: path.join(stateFolder, 'documents'), textName: 'content' });
    const ydoc = new Y.Doc();
    const id = store.create('a.txt', 1, Y.encodeStateAsUpdate(ydoc), '', undefined, lfAlone);
    ydoc.on('update', (update: Uint8Array) => store.add(id, { type: 'update', update }));
    const text = ydoc.getText('content');
    for (let times = 0; times < 30_000; times++) text.insert(times % 7 === 0 ? 0 : text.length, `${times % 10}`);
    const begunMs = threadMs();
    const stored = store.reload(id);
    const tookMs = threadMs() - begunMs;
    assert.ok(tookMs < 3000, `${tookMs} ms`);
    const read = new Y.Doc();
    Y.applyUpdate(read, stored);
    assert.equal(read.getText('content').toString(), text.toString());
    await store.close({ forgets: false });
  }));

test('a log that can not be begun anew on a full disk keeps what only it has', (context) =>
  withSmallDisk(context, 2048, async (disk) => {
    const root = path.join(disk, 'root');
    fs.mkdirSync(root);
    const open = (): { state: State; store: DocumentStore } => {
      const state = new State({ root, folder: path.join(disk, 'state'), stateHome: undefined, temporary: disk });
      return {
        state,
        store: new DocumentStore({ state, now: Date.now }, { folder: path.join(disk, 'state', 'documents'), textName: 'content' }),
      };
    };
    const textIn = ({ store }: { store: DocumentStore }): string => {
      const ydoc = new Y.Doc();
      Y.applyUpdate(ydoc, store.load('a.txt')?.state ?? assert.fail('the document is known'));
      return ydoc.getText('content').toString();
    };
    const close = async ({ state, store }: { state: State; store: DocumentStore }): Promise<void> => {
      await store.close({ forgets: false });
      state.close();
    };
    let now = open();
    const ydoc = new Y.Doc();
    ydoc.getText('content').insert(0, 'saved');
    const id = now.store.create('a.txt', 1, Y.encodeStateAsUpdate(ydoc), '', undefined, lfAlone);
    const before = Y.encodeStateVector(ydoc);
    ydoc.getText('content').insert(5, ', and typed');
    now.store.append(id, { type: 'update', update: Y.encodeStateAsUpdate(ydoc, before) });
    await close(now);

    now = open();
    const filler = path.join(disk, 'filler');
    assert.throws(() => {
      for (;;) fs.appendFileSync(filler, Buffer.alloc(4096));
    }, /ENOSPC/);
    assert.throws(() => now.store.compact(() => undefined));
    assert.equal(textIn(now), 'saved, and typed');
    fs.rmSync(filler);
    now.store.compact(() => undefined);
    assert.equal(textIn(now), 'saved, and typed');
    await close(now);

    now = open();
    assert.equal(textIn(now), 'saved, and typed');
    await close(now);
  }));

test('a document begins anew after a start at which the log is not whole, once, and keeps what is unsaved', () =>
  withWorkspace(async ({ state, stateFolder }) => {
    const open = (): DocumentStore =>
      new DocumentStore({ state, now: Date.now }, { folder: path.join(stateFolder, 'documents'), textName: 'content' });
    const facts = (store: DocumentStore): unknown[] => {
      const { life, savedText, state: stored, isBehind } = store.open('unsaved.txt') ?? assert.fail('it is known');
      const ydoc = new Y.Doc();
      Y.applyUpdate(ydoc, stored);
      return [life === 1, savedText, ydoc.getText('content').toString(), isBehind === true];
    };
    let store = open();
    store.create('unsaved.txt', 1, firstState('one two', 'content'), 'hash of one', 'one', lfAlone);
    store.create('saved.txt', 1, firstState('one', 'content'), 'hash of one', undefined, lfAlone);
    const other = store.create('other.txt', 1, firstState('one', 'content'), 'hash of one', undefined, lfAlone);
    store.commit();
    store = open();
    assert.deepEqual(facts(store), [true, 'one', 'one two', false]);
    const query = (only: 'ON' | 'OFF'): void => state.database.exec(`PRAGMA query_only = ${only}`);
    query('ON');
    store.rename(other, 'moved.txt');
    assert.match(store.problem ?? '', /can't be stored/);
    query('OFF');

    store = open();
    assert.deepEqual(facts(store), [false, 'one', 'one two', true]);
    store.commit();
    // Whether it was opened before that or not.
    for (let starts = 0; starts < 2; starts++) {
      store = open();
      assert.deepEqual(facts(store), [false, 'one', 'one two', false]);
      assert.equal(store.open('saved.txt'), undefined);
      store.create('saved.txt', 2, firstState('one', 'content'), 'hash of one', undefined, lfAlone);
      store = open();
      assert.equal(store.open('saved.txt')?.life, 2);
      store.forget(store.open('saved.txt')?.id ?? 0);
    }
    await store.close({ forgets: false });
  }));

test('a save that a kill cut short is known, and what it was to put into the file, also where the log is begun anew before the document is opened', () =>
  withWorkspace(async ({ state, stateFolder }) => {
    const open = (): DocumentStore =>
      new DocumentStore({ state, now: Date.now }, { folder: path.join(stateFolder, 'documents'), textName: 'content' });
    const ydoc = new Y.Doc();
    Y.applyUpdate(ydoc, firstState('one', 'content'));
    let store = open();
    const id = store.create('a.txt', 1, Y.encodeStateAsUpdate(ydoc), 'hash of one', undefined, lfAlone);
    ydoc.on('update', (update: Uint8Array) => store.append(id, { type: 'update', update }));
    ydoc.getText('content').insert(0, 'typed ');
    store.append(id, { type: 'snapshot', save: 7, hash: 'hash of typed one' });
    ydoc.getText('content').insert(0, 'more ');
    const saving = { save: 7, hash: 'hash of typed one', text: 'typed one' };
    for (const next of ['as it is', 'begun anew', 'as it is', 'begun anew']) {
      await store.close({ forgets: false });
      store = open();
      if (next === 'begun anew') store.compact(() => undefined);
      const { savedHash, savedText, saving: known } = store.load('a.txt') ?? assert.fail('the document is known');
      assert.deepEqual([savedHash, savedText, known], ['hash of one', 'one', saving], next);
    }
    await store.close({ forgets: false });
    store = open();
    store.append(id, { type: 'saved', save: 7, hash: 'hash of typed one' });
    await store.close({ forgets: false });
    store = open();
    const { savedHash, savedText, saving: known } = store.load('a.txt') ?? assert.fail('the document is known');
    assert.deepEqual([savedHash, savedText, known], ['hash of typed one', 'typed one', undefined]);
    await store.close({ forgets: false });
  }));

test('what a full disk does not let be stored of moves holds all the same, is stored later, and no record after them is before', () =>
  withWorkspace(async ({ state, stateFolder }) => {
    const open = (): DocumentStore =>
      new DocumentStore({ state, now: Date.now }, { folder: path.join(stateFolder, 'documents'), textName: 'content' });
    const query = (only: 'ON' | 'OFF'): void => state.database.exec(`PRAGMA query_only = ${only}`);
    const ids = (store: DocumentStore): (number | undefined)[] => ['a', 'b', 'c', 'e/d'].map((name) => store.load(name)?.id);
    const store = open();
    const create = (name: string): number => store.create(name, 1, firstState(name, 'content'), 'hash', undefined, lfAlone);
    const [a, b, c, d] = [create('a'), create('b'), create('c'), create('f/d')];
    query('ON');
    store.rename(a, 'kept');
    store.rename(b, 'a');
    store.renameBelow('kept', 'b');
    store.renameBelow('f', 'e');
    store.forget(c);
    store.append(a, { type: 'update', update: firstState('typed', 'content') });
    assert.deepEqual(ids(store), [b, a, undefined, d]);
    assert.match(store.problem ?? '', /can't be stored/);
    assert.deepEqual(open().unfinished(), [], 'what a crash leaves is not typed where the file was');
    query('OFF');
    store.commit();
    assert.equal(store.problem, undefined);
    const next = open();
    assert.deepEqual(ids(next), [b, a, undefined, d]);
    assert.deepEqual(next.unfinished(), ['b']);
    for (const one of [store, next]) await one.close({ forgets: false });
  }));

test('how a document stands in its file is kept, also where it begins anew; of one that a version before stored, as LF alone', () =>
  withWorkspace(async ({ state, stateFolder }) => {
    const open = (textName: string): DocumentStore =>
      new DocumentStore({ state, now: Date.now }, { folder: path.join(stateFolder, 'documents'), textName });
    const store = open('content');
    const ids = ['a', 'b', 'c'].map((name) => store.create(name, 1, firstState('one two', 'content'), 'hash', 'one', lfAlone));
    const crlf = { eol: 'crlf', bom: true } as const;
    store.setFormat(ids[0] as number, crlf);
    state.statement('UPDATE texts SET format = NULL WHERE id = ?').run(ids[1] as number);
    const formats = (one: DocumentStore): unknown => ['a', 'b', 'c'].map((name) => one.load(name)?.format);
    assert.deepEqual(formats(store), [crlf, lfAlone, lfAlone]);
    await store.close({ forgets: false });
    const next = open('monaco');
    assert.deepEqual(formats(next), [crlf, lfAlone, lfAlone]);
    await next.close({ forgets: false });
  }));

for (const noted of [true, false])
  test(`what was stored under another name of the text is kept under this one${noted ? '' : ', also where it is not noted which that was'}`, () =>
    withWorkspace(async ({ state, stateFolder }) => {
      const open = (textName: string): DocumentStore =>
        new DocumentStore({ state, now: Date.now }, { folder: path.join(stateFolder, 'documents'), textName });
      const shown = (store: DocumentStore, textName: string): unknown => {
        const { life, state: update, savedHash, savedText } = store.load('typed.txt') ?? assert.fail('the document is known');
        const ydoc = new Y.Doc();
        Y.applyUpdate(ydoc, update);
        const mark = ydoc.getMap('outrigger').toJSON();
        return [ydoc.getText(textName).toString(), savedHash, savedText, mark['saved'] === hashText(savedText), mark['life'] === life];
      };
      const kept = ['one, and typed', 'hash', 'one', true, true];
      let store = open('content');
      const ydoc = new Y.Doc();
      Y.applyUpdate(ydoc, firstState('one', 'content'));
      const id = store.create('typed.txt', 1, Y.encodeStateAsUpdate(ydoc), 'hash', undefined, lfAlone);
      store.create('saved.txt', 2, firstState('saved', 'content'), 'hash', undefined, lfAlone);
      const before = Y.encodeStateVector(ydoc);
      ydoc.getText('content').insert(3, ', and typed');
      // Of a client that was set up for another name.
      ydoc.getText('monaco').insert(0, 'of another');
      store.append(id, { type: 'update', update: Y.encodeStateAsUpdate(ydoc, before) });
      for (const textName of noted ? ['monaco', 'prosemirror', 'content'] : ['prosemirror', 'content']) {
        await store.close({ forgets: false });
        if (!noted) state.statement("DELETE FROM facts WHERE name = 'documents.textName'").run();
        store = open(textName);
        assert.deepEqual(shown(store, textName), kept);
        assert.deepEqual(store.unfinished(), ['typed.txt']);
        assert.equal(store.load('saved.txt'), undefined);
      }
      await store.close({ forgets: false });
    }));
