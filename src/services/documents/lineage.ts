import { hash, randomBytes } from 'node:crypto';
import * as Y from 'yjs';
import type { TextEdit } from '../../core/text-diff.ts';
import { toDelta } from '../../core/text-diff.ts';

/**
 * Beside the text, each document carries one mark: the hash of the text that was last saved. It travels with the document
 * to every client, so that one that comes back after our state was lost can still say from which text it went on.
 */
const MARKS = 'outrigger';
const SAVED = 'saved';
const LIFE = 'life';

/**
 * Ids of this program's own are above all that Yjs gives to clients (32 bits): first those derived from a text, then random
 * ones. A client that knows more of such an id than we do learned it from us before our state was lost.
 */
const OWN_IDS = 2 ** 33;
const RANDOM_IDS = 2 ** 42;

/** Whether what stands under this id was put there by this program. */
export function isOwnId(client: number): boolean {
  return client >= OWN_IDS;
}

/** For one life of one document. */
export function newOwnId(): number {
  return RANDOM_IDS + randomBytes(5).readUIntBE(0, 5);
}

/**
 * Whether who has this state vector was in step with an earlier life of the document, whose state was lost: it knows things
 * that we made, but not the beginning of this life, or more of them than we do.
 */
export function knowsLostState(theirs: ReadonlyMap<number, number>, ydoc: Y.Doc, life: number): boolean {
  let knowsOurs = false;
  for (const [client, clock] of theirs) {
    if (!isOwnId(client)) continue;
    if (Y.getState(ydoc.store, client) < clock) return true;
    knowsOurs = true;
  }
  return knowsOurs && !theirs.has(life);
}

export function hashText(text: string): string {
  return hash('sha256', text);
}

/**
 * The state of a document that begins with `text`. Its ids are derived from the text and its name: whoever loads the same text again gets
 * the same history, and another text, or one under another name, never gets the same ids.
 */
export function firstState(text: string, textName: string): Uint8Array {
  const ydoc = new Y.Doc();
  const textHash = hashText(text);
  ydoc.clientID = OWN_IDS + Number.parseInt(hashText(`${textName} ${textHash}`).slice(0, 10), 16);
  ydoc.transact(() => {
    if (text !== '') ydoc.getText(textName).insert(0, text);
    ydoc.getMap(MARKS).set(SAVED, textHash);
  });
  const state = Y.encodeStateAsUpdate(ydoc);
  ydoc.destroy();
  return state;
}

/** Marks where this life of the document begins: everybody who is in step with it knows the item that `life` made. */
export function beginLife(ydoc: Y.Doc, life: number): void {
  ydoc.clientID = life;
  ydoc.getMap(MARKS).set(LIFE, life);
}

export function savedMark(ydoc: Y.Doc): string | undefined {
  const mark = ydoc.getMap(MARKS).get(SAVED);
  return typeof mark === 'string' ? mark : undefined;
}

export function setSavedMark(ydoc: Y.Doc, text: string, origin: unknown): void {
  const textHash = hashText(text);
  if (savedMark(ydoc) !== textHash) ydoc.transact(() => ydoc.getMap(MARKS).set(SAVED, textHash), origin);
}

/** Under which names anything stands or stood in the document beside the marks, as a rule what we put there first. */
export function rootNames(ydoc: Y.Doc): string[] {
  return [...ydoc.share.keys()].filter((name) => name !== MARKS);
}

/** Applies edits to the text in one step. */
export function applyTextEdits(ydoc: Y.Doc, text: Y.Text, edits: readonly TextEdit[], origin: unknown): void {
  if (edits.length === 0) return;
  ydoc.transact(() => text.applyDelta(toDelta(edits)), origin);
}

/** A document in which what we write stands under an id of our own. */
export function ownDoc(state: Uint8Array): Y.Doc {
  const ydoc = new Y.Doc();
  ydoc.clientID = newOwnId();
  // A transaction tells of six things that nobody here listens to; to find that out, lib0 makes a map and an array each time.
  const emit = ydoc.emit.bind(ydoc);
  ydoc.emit = (name, args) => {
    if (ydoc._observers.has(name)) emit(name, args);
  };
  Y.applyUpdate(ydoc, state);
  return ydoc;
}

/** Whether the text in a stored state is the one that was saved. */
export function isSaved(stored: { state: Uint8Array; savedText: string }, textName: string): boolean {
  const ydoc = new Y.Doc();
  Y.applyUpdate(ydoc, stored.state);
  const saved = ydoc.getText(textName).toString() === stored.savedText;
  ydoc.destroy();
  return saved;
}
