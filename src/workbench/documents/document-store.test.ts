import assert from 'node:assert/strict';
import { test } from 'node:test';
import { eventually } from '../../../test/kit/eventually.ts';
import { DocumentStore } from './document-store.ts';

type Dependencies = ConstructorParameters<typeof DocumentStore>[0];
type LinkEvents = Parameters<Dependencies['openLink']>[3];

function setup(): { store: DocumentStore; link: () => LinkEvents } {
  const links: LinkEvents[] = [];
  const store = new DocumentStore({
    client: { call: () => Promise.resolve({ path: 'a.txt', state: 'saved', revision: 1, people: [], readOnly: false }) },
    openLink: (_path: string, _doc: unknown, _awareness: unknown, events: LinkEvents) => {
      links.push(events);
      return { tryNow: () => {}, close: () => {} };
    },
    user: { value: { name: 'Ada', color: '', colorLight: '', kind: 'person' } },
    now: () => 0,
    onSent: () => {},
  } as unknown as Dependencies);
  return { store, link: () => links.at(-1) as LinkEvents };
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
