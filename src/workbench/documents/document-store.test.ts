import assert from 'node:assert/strict';
import { test } from 'node:test';
import { eventually } from '../../../test/kit/eventually.ts';
import type { Change } from '../../contract/events.ts';
import { DocumentStore } from './document-store.ts';

type Dependencies = ConstructorParameters<typeof DocumentStore>[0];
type LinkEvents = Parameters<Dependencies['openLink']>[3];

function setup() {
  const links: LinkEvents[] = [];
  const closed: string[] = [];
  const sent: number[] = [];
  const kept: string[] = [];
  const replaced: string[][] = [];
  const tried: string[] = [];
  const elsewhere: string[][] = [];
  const movedTo = new Map<string, string>();
  let refused: string | undefined;
  let isStill = false;
  let goOn = (): void => undefined;
  let readOnly = false;
  let revision = 1;
  let now = 0;
  let calls = 0;
  const store = new DocumentStore({
    client: {
      call: async (_name: string, { path }: { path: string }) => {
        calls++;
        if (isStill) await new Promise<void>((resolve) => (goOn = resolve));
        if (refused !== undefined) throw Object.assign(new Error('no'), { reason: refused });
        return { path: movedTo.get(path) ?? path, state: 'saved', revision, people: [], readOnly };
      },
    },
    openLink: (path: string, _doc: unknown, _awareness: unknown, events: LinkEvents) => {
      links.push(events);
      return { tryNow: () => tried.push(path), close: () => closed.push(path) };
    },
    user: { value: { name: 'Ada', color: '', colorLight: '', kind: 'person' } },
    now: () => now,
    isAway: () => false,
    onSent: (edits: number) => sent.push(edits),
    onKept: (path: string) => kept.push(path),
    onReplaced: (path: string, text: string) => replaced.push([path, text]),
    onElsewhere: (from: string, to: string) => elsewhere.push([from, to]),
  } as unknown as Dependencies);
  return {
    store,
    link: () => links.at(-1) as LinkEvents,
    closed: () => closed,
    calls: () => calls,
    sent,
    kept,
    replaced,
    tried,
    elsewhere,
    isMoved: (from: string, to: string) => void movedTo.set(from, to),
    mayOnlyRead: (only: boolean) => void (readOnly = only),
    saved: (at: number) => void (revision = at),
    wait: (ms: number) => void (now += ms),
    /** Nothing is answered any more, until it goes on. */
    standStill: () => void (isStill = true),
    goOn: () => {
      isStill = false;
      goOn();
    },
    refuse: (reason: string | undefined) => void (refused = reason),
  };
}

async function withUnsentEdit(run: (store: DocumentStore, link: LinkEvents) => Promise<void>): Promise<void> {
  const { store, link } = setup();
  const session = store.open('a.txt');
  await eventually(() => link() !== undefined);
  link().onSynced();
  link().onLost();
  session.text.insert(0, 'typed offline');
  await eventually(() => session.waiting.value > 0);
  store.close('a.txt');
  assert.equal(store.get('a.txt'), session, 'it stays until what was typed is sent');
  await run(store, link());
}

test('a document that was closed with edits not sent goes when they are', () =>
  withUnsentEdit(async (store, link) => {
    link.onSynced();
    await eventually(() => store.get('a.txt') === undefined);
  }));

test('one that is opened again before that stays, with what can be undone in it', () =>
  withUnsentEdit(async (store, link) => {
    const session = store.open('a.txt');
    link.onSynced();
    await new Promise((resolve) => setTimeout(resolve, 20));
    assert.equal(store.get('a.txt'), session);
    assert.equal(session.doc.isDestroyed, false);
    assert.equal(session.undo.undoStack.length, 1);
    // Closed once more, it goes.
    store.close('a.txt');
    await eventually(() => store.get('a.txt') === undefined);
  }));

const change = (more: Partial<Change>): Change => ({ type: 'change', what: 'changed', path: 'a.txt', kind: 'file', ...more }) as Change;

test('a document over which another is moved is closed: its place is the other’s', async () => {
  const { store, closed } = setup();
  const [replaced, moved] = [store.open('a.txt'), store.open('b.txt')];
  await eventually(() => moved.path.value === 'b.txt' && replaced.readOnly.value === false);
  await new Promise((resolve) => setTimeout(resolve, 20));
  store.apply(change({ what: 'moved', from: 'b.txt', path: 'a.txt' }));
  assert.deepEqual([[...store.sessions.value.keys()], store.get('a.txt') === moved], [['a.txt'], true]);
  assert.equal(replaced.doc.isDestroyed, true);
  assert.ok(closed().includes('a.txt'));
  store.close('a.txt');
});

test('edits that were not sent are given out when another document takes the place of theirs', async () => {
  const { store, link, replaced } = setup();
  const session = store.open('a.txt');
  await eventually(() => session.readOnly.value === false);
  link().onSynced();
  link().onLost();
  session.text.insert(0, 'typed');
  const moved = store.open('b.txt');
  await new Promise((resolve) => setTimeout(resolve, 20));
  store.apply(change({ what: 'moved', from: 'b.txt', path: 'a.txt' }));
  assert.deepEqual([replaced, store.get('a.txt') === moved], [[['a.txt', 'typed']], true]);
  store.close('a.txt');
});

test('what could not be opened is tried again when the file is another, and shows why not until then', async (t) => {
  const { store, refuse, calls } = setup();
  refuse('DOCUMENT_TOO_LARGE');
  const session = store.open('a.txt');
  await eventually(() => session.state.value.name === 'closed');
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const states: string[] = [];
  session.state.subscribe(({ name }) => states.push(name));
  for (let time = 0; time < 5; time++) store.apply(change({}));
  t.mock.timers.tick(1000);
  await new Promise(setImmediate);
  assert.deepEqual([calls(), [...new Set(states)]], [2, ['closed']]);
  refuse(undefined);
  store.apply(change({ what: 'moved', from: 'other.txt', path: 'a.txt' }));
  t.mock.timers.tick(1000);
  await new Promise(setImmediate);
  assert.equal(session.state.value.name, 'opening');
  // One that was refused for another reason is not.
  t.mock.timers.reset();
  refuse('FORBIDDEN');
  const other = store.open('c.txt');
  await eventually(() => other.state.value.name === 'closed');
  const before = calls();
  store.apply(change({ path: 'c.txt' }));
  await new Promise((resolve) => setTimeout(resolve, 700));
  assert.equal(calls(), before);
  for (const path of ['a.txt', 'c.txt']) store.close(path);
});

test('what is opened while the sidecar stops is asked for again until it is there', async () => {
  const { store, link, refuse, calls } = setup();
  refuse('STOPPING');
  const session = store.open('a.txt');
  await eventually(() => calls() === 2);
  assert.equal(session.state.value.name, 'opening');
  refuse(undefined);
  await eventually(() => link() !== undefined);
  store.close('a.txt');
});

/** With a document that is open and linked. */
async function opened() {
  const dependencies = setup();
  const session = dependencies.store.open('a.txt');
  await eventually(() => dependencies.link() !== undefined);
  dependencies.link().onSynced();
  return { ...dependencies, session };
}

test('a file that was removed and made again while the link was away is the same document as long as edits wait in it', async (t) => {
  const { store, session, link, tried, sent } = await opened();
  t.after(() => session.close());
  link().onLost();
  session.text.insert(0, 'typed offline');
  store.apply(change({ what: 'removed' }));
  store.apply(change({ what: 'created' }));
  assert.deepEqual([store.get('a.txt') === session, session.doc.isDestroyed, tried], [true, false, ['a.txt']]);
  link().onSynced();
  await eventually(() => sent.length === 1);
  assert.deepEqual([session.state.value.name, session.text.toString()], ['open', 'typed offline']);
  // With nothing that waits, what is made anew is another document.
  store.apply(change({ what: 'removed' }));
  store.apply(change({ what: 'created' }));
  assert.notEqual(store.get('a.txt'), session);
  store.close('a.txt');
});

const word = (state: string, revision = 1): Parameters<DocumentStore['heard']>[0] =>
  ({ path: 'a.txt', state, revision }) as Parameters<DocumentStore['heard']>[0];

/** With `path` open, which was deleted then. */
async function deleted(path: string) {
  const dependencies = setup();
  const { store, link } = dependencies;
  const session = store.open(path);
  await eventually(() => link() !== undefined);
  link().onSynced();
  await eventually(() => session.state.value.name === 'open');
  store.apply(change({ what: 'removed', path }));
  assert.equal(session.state.value.name, 'deleted');
  return { ...dependencies, session };
}

for (const [what, from, to] of [
  ['a file is moved to its place', 'other.txt', 'lib/a.txt'],
  ['a folder that has such a file is moved to the place of its own', 'src', 'lib'],
] as const)
  test(`a deleted document is there again where ${what}`, async () => {
    const { store, session } = await deleted('lib/a.txt');
    store.apply(change({ what: 'moved', from, path: to }));
    await eventually(() => store.get('lib/a.txt') !== session);
    assert.deepEqual([store.get('lib/a.txt')?.state.value.name, session.doc.isDestroyed], ['opening', true]);
    store.close('lib/a.txt');
  });

test('one over which its own folder is moved is what it was, at its new place', async () => {
  const { store, session } = await deleted('src/a.txt');
  store.apply(change({ what: 'moved', from: 'src', path: 'lib' }));
  assert.deepEqual([[...store.sessions.value.keys()], session.state.value.name], [['lib/a.txt'], 'deleted']);
  store.close('lib/a.txt');
});

test('a file that was moved before it was heard of is open by its new name, once', async () => {
  const { store, isMoved, elsewhere, link } = setup();
  isMoved('a.txt', 'b.txt');
  const session = store.open('a.txt');
  await eventually(() => assert.deepEqual([...store.sessions.value.keys()], ['b.txt']));
  assert.deepEqual([session.path.value, elsewhere], ['b.txt', [['a.txt', 'b.txt']]]);
  await eventually(() => link() !== undefined);
  link().onSynced();
  // Asked for once more, it is the one that is open.
  const again = store.open('a.txt');
  await eventually(() => assert.deepEqual([...store.sessions.value], [['b.txt', session]]));
  assert.equal(again.doc.isDestroyed, true);
  // As its link comes back, the page may have missed where it is by now.
  isMoved('b.txt', 'c.txt');
  link().onLost();
  link().onSynced();
  await eventually(() => assert.deepEqual([...store.sessions.value], [['c.txt', session]]));
  link().onSynced();
  await eventually(() => session.online.value);
  store.close('c.txt');
});

test('after changes that were missed, a deleted document is looked for, and stays deleted where there is no file', async () => {
  const { store, session, refuse, calls } = await deleted('a.txt');
  refuse('FILE_NOT_FOUND');
  const before = calls();
  store.missed();
  await eventually(() => calls() > before);
  await new Promise((resolve) => setTimeout(resolve, 20));
  assert.deepEqual([store.get('a.txt'), session.state.value.name], [session, 'deleted']);
  refuse(undefined);
  store.missed();
  await eventually(() => store.get('a.txt') !== session);
  store.close('a.txt');
});

test('a file that is removed while somebody types in it stays open, for what was typed makes it anew', async (t) => {
  const { store, session } = await opened();
  t.after(() => session.close());
  const states: string[] = [];
  session.state.subscribe(({ name }) => states.push(name));
  session.text.insert(0, 'typed');
  store.apply(change({ what: 'removed' }));
  // Said before what was typed had reached the sidecar.
  store.heard(word('deleted'));
  session.text.insert(5, ' on');
  store.heard(word('unsaved'));
  store.apply(change({ what: 'created' }));
  store.heard(word('saved', 2));
  assert.deepEqual([[...new Set(states)], store.get('a.txt') === session, session.undo.undoStack.length], [['open'], true, 1]);
});

test('one whose removal takes nothing unsaved with it is shown as deleted, also where that was saved just before', async (t) => {
  const { store, session, wait } = await opened();
  t.after(() => session.close());
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const pass = (ms: number): void => {
    wait(ms);
    t.mock.timers.tick(ms);
  };
  session.text.insert(0, 'typed');
  store.apply(change({ what: 'removed' }));
  store.heard(word('deleted'));
  pass(400);
  assert.equal(session.state.value.name, 'open');
  pass(100);
  assert.equal(session.state.value.name, 'deleted');
});

test('who has a deleted document open lets go of its link, and takes it up again where another types in it', async (t) => {
  const { store, session, calls, closed, link } = await opened();
  t.after(() => session.close());
  const [before, asked] = [link(), calls()];
  store.heard(word('deleted'));
  assert.deepEqual([session.state.value.name, closed()], ['deleted', ['a.txt']]);
  store.tryNow();
  assert.deepEqual([session.state.value.name, calls()], ['deleted', asked]);
  store.heard(word('unsaved'));
  assert.notEqual(link(), before);
  link().onSynced();
  await eventually(() => session.online.value);
  assert.equal(session.state.value.name, 'open');
});

test('what is typed while the link stands still is not called saved, and the browser asks before it is thrown away', async (t) => {
  const { store, session, wait, standStill, goOn, refuse } = await opened();
  t.after(() => session.close());
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const pass = async (ms: number): Promise<void> => {
    for (let left = ms; left > 0; left -= 500) {
      wait(500);
      t.mock.timers.tick(500);
      await new Promise((resolve) => setImmediate(resolve));
    }
  };
  standStill();
  session.text.insert(0, 'typed');
  await pass(10_000);
  assert.deepEqual([session.edits.value, session.saved, store.hasUnkept], [1, false, true]);
  // A tab that is closed meanwhile keeps them.
  store.close('a.txt');
  assert.equal(store.open('a.txt'), session);
  // It is lost, and another is there.
  refuse('CONNECTION_LOST');
  goOn();
  await pass(5_000);
  assert.equal(session.edits.value, 1);
  refuse(undefined);
  await pass(5_000);
  assert.deepEqual([session.edits.value, session.saved, store.hasUnkept], [0, true, false]);
  // While all is well nothing is asked about, whatever is typed.
  session.text.insert(0, 'typed');
  await pass(2_000);
  assert.equal(store.hasUnkept, false);
});

test('edits that the file does not take are kept as such, though they were sent', async (t) => {
  const { store, session, link, refuse, wait } = await opened();
  t.after(() => session.close());
  session.text.insert(0, 'typed');
  store.heard(word('conflict'));
  wait(10_000);
  assert.deepEqual([store.hasUnkept, store.waiting.value.edits], [true, 0]);
  // The sidecar starts anew, and finds a file that can't be opened.
  refuse('DOCUMENT_BINARY');
  link().onLost();
  link().onRefused(4415);
  await eventually(() => session.state.value.name === 'closed');
  assert.deepEqual([session.edits.value, store.hasUnkept, store.unsent()], [1, true, [{ path: 'a.txt', text: 'typed' }]]);
  refuse(undefined);
  store.heard(word('saved', 2));
});

for (const reads of [false, true])
  test(`one in which another types stays open, too${reads ? ', for who only reads' : ''}`, async (t) => {
    const { store, session, link } = await opened();
    t.after(() => session.close());
    if (reads) link().onDenied();
    store.heard(word('unsaved'));
    store.apply(change({ what: 'removed' }));
    assert.equal(session.state.value.name, 'open');
    store.heard(word('deleted'));
    assert.equal(session.state.value.name, 'deleted');
  });

test('edits of a caller who may only read since the link came back are kept as not sent', async (t) => {
  const { store, session, link, mayOnlyRead, saved, wait, sent, kept } = await opened();
  t.after(() => session.close());
  link().onLost();
  session.text.insert(0, 'typed offline');
  mayOnlyRead(true);
  wait(1000);
  // Others may go on writing.
  saved(2);
  link().onSynced();
  await eventually(() => session.readOnly.value);
  await eventually(() => session.online.value);
  store.heard({ path: 'a.txt', state: 'saved', revision: 3 } as Parameters<typeof store.heard>[0]);
  assert.deepEqual([session.settled, store.waiting.value.edits, sent, kept], [false, 1, [], ['a.txt']]);
  assert.deepEqual(store.unsent(), [{ path: 'a.txt', text: 'typed offline' }]);
  // Once the caller may write again they are sent.
  link().onLost();
  mayOnlyRead(false);
  link().onSynced();
  await eventually(() => session.settled);
  assert.deepEqual([session.readOnly.value, sent, kept], [false, [1], ['a.txt']]);
  store.close('a.txt');
});

test('an edit that the link itself denies is kept as not sent, whatever the table says', async (t) => {
  const { store, session, link, sent, kept } = await opened();
  t.after(() => session.close());
  link().onLost();
  link().onSynced();
  session.text.insert(0, 'typed');
  link().onDenied();
  link().onDenied();
  await eventually(() => session.online.value);
  assert.deepEqual([session.readOnly.value, store.waiting.value.edits, sent, kept], [true, 1, [], ['a.txt']]);
});

test('what others save while the link is away says nothing of the edits that wait here', async (t) => {
  const { store, session, link, wait } = await opened();
  t.after(() => session.close());
  link().onLost();
  session.text.insert(0, 'typed offline');
  wait(1000);
  store.heard({ path: 'a.txt', state: 'saved', revision: 2 } as Parameters<typeof store.heard>[0]);
  assert.equal(session.waiting.value, 1);
});
