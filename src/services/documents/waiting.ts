import * as Y from 'yjs';
import { OutriggerError } from '../../contract/errors.ts';
import { refuseDeepValues } from './unfit.ts';
import { leadingCount } from './sync-protocol.ts';

/** What may wait in one document for something that nobody sent yet: Yjs goes through all of it again with each update that has to wait, too. */
const MAX_WAITING_PIECES = 100_000;
const MAX_WAITING_BYTES = 16 * 1024 * 1024;
/** Yjs takes time by the square of their number. */
const MAX_WAITING_CLIENTS = 1000;
/** Rounds in which it is found out what waits for what waits; a client waits for few others. */
const MAX_ROUNDS = 10;
/** To merge many updates, Yjs takes time by the square of their number; in batches of batches it is about their number. */
const MERGE_BATCH = 32;
/** A count of up to so many is one byte: an update that begins with less is of few clients. */
const FEW = 0x80;

/** Whether something can't be put into the document yet, because what came before it is not known. */
export function somethingWaits({ store }: Y.Doc): boolean {
  return store.pendingStructs !== null || store.pendingDs !== null;
}

/**
 * As Y.applyUpdate. Throws what that throws, and INPUT_TOO_LARGE where a value is nested too deep or too much would wait for what is not known; part of the
 * update may be in the document then, and what waited is not.
 */
export function takeUpdate(ydoc: Y.Doc, update: Uint8Array): void {
  const { store } = ydoc;
  if ((update[0] ?? 0) >= FEW && leadingCount(update) > MAX_WAITING_CLIENTS && clientsWaitingIn(update, ydoc) > MAX_WAITING_CLIENTS)
    throw tooMuch();
  refuseDeepValues(update);
  const structs = store.pendingStructs?.update;
  const deletes = store.pendingDs;
  Y.applyUpdate(ydoc, update);
  if (!somethingWaits(ydoc)) return;
  if (store.pendingStructs?.update === structs && (store.pendingDs?.length ?? 0) <= (deletes?.length ?? 0)) return;
  const now = measure(store.pendingStructs?.update, store.pendingDs);
  if (now.every(({ size, most }) => size <= most)) return;
  const before = measure(structs, deletes);
  if (now.every(({ size, most }, index) => size <= most || size <= (before[index]?.size ?? 0))) return;
  store.pendingStructs = null;
  store.pendingDs = null;
  throw tooMuch();
}

/** As Y.mergeUpdates, also of very many. */
export function mergeMany(updates: readonly Uint8Array[]): Uint8Array {
  let merged = updates;
  while (merged.length > 1) {
    const batches: Uint8Array[] = [];
    for (let at = 0; at < merged.length; at += MERGE_BATCH) batches.push(Y.mergeUpdates(merged.slice(at, at + MERGE_BATCH)));
    merged = batches;
  }
  return merged[0] ?? Uint8Array.of(0, 0);
}

/** Not by the bytes alone: Yjs stores half a million pieces in a few of them. */
function measure(structs: Uint8Array | undefined, deletes: Uint8Array | null): { size: number; most: number }[] {
  const pieces = structs === undefined ? [] : Y.decodeUpdateV2(structs).structs;
  // A range that was deleted takes two bytes at least.
  const deleted = deletes?.length ?? 0;
  return [
    { size: pieces.length + deleted / 2, most: MAX_WAITING_PIECES },
    { size: (structs?.length ?? 0) + deleted, most: MAX_WAITING_BYTES },
    { size: new Set(pieces.map(({ id }) => id.client)).size, most: MAX_WAITING_CLIENTS },
  ];
}

/** How many clients have something in the update that the document can't take yet; where they are too many, a number above the most. */
function clientsWaitingIn(update: Uint8Array, ydoc: Y.Doc): number {
  const byClient = piecesByClient(update);
  /** Where what can be taken of a client ends. */
  const ends = new Map<number, number>();
  const endOf = (client: number): number => ends.get(client) ?? Y.getState(ydoc.store, client);
  const waiting = new Set<number>();
  const cut = (client: number, end: number): void => {
    ends.set(client, end);
    waiting.add(client);
  };
  for (const [client, pieces] of byClient) {
    let end = endOf(client);
    for (const { id, length } of pieces) if (id.clock <= end) end = Math.max(end, id.clock + length);
    ends.set(client, end);
    if (pieces.some(({ id }) => id.clock > end)) waiting.add(client);
  }
  for (let round = 0; round < MAX_ROUNDS; round++) {
    let isSettled = true;
    for (const [client, pieces] of byClient) {
      const end = endOf(client);
      const known = Y.getState(ydoc.store, client);
      const stuck = pieces.find(
        (piece) => piece.id.clock >= known && piece.id.clock < end && needsOf(piece).some((need) => need.clock >= endOf(need.client)),
      );
      if (stuck === undefined) continue;
      cut(client, stuck.id.clock);
      isSettled = false;
      if (waiting.size > MAX_WAITING_CLIENTS) return waiting.size;
    }
    if (isSettled) return waiting.size;
  }
  return Number.POSITIVE_INFINITY;
}

type Piece = Y.Item | Y.GC;

/** Throws INPUT_TOO_LARGE where one client stands there twice: Yjs would take the last alone. */
function piecesByClient(update: Uint8Array): Map<number, Piece[]> {
  const byClient = new Map<number, Piece[]>();
  for (const piece of Y.decodeUpdate(update).structs) {
    const { client } = piece.id;
    const pieces = byClient.get(client);
    if (piece instanceof Y.Skip) byClient.set(client, pieces ?? []);
    else if (pieces === undefined) byClient.set(client, [piece]);
    else pieces.push(piece);
  }
  if (byClient.size !== leadingCount(update)) throw tooMuch();
  return byClient;
}

/** What must be there before a piece. */
function needsOf(piece: Piece): Y.ID[] {
  if (!(piece instanceof Y.Item)) return [];
  const { origin, rightOrigin, parent } = piece;
  return [origin, rightOrigin, parent].filter((need) => need instanceof Y.ID);
}

function tooMuch(): OutriggerError {
  return new OutriggerError('INPUT_TOO_LARGE', 'Too much waits for updates that are not there.');
}
