import * as Y from 'yjs';

/**
 * Whether the document has all of the update already, insertions and deletions. Takes as long as the update is, not the document. Throws where the update is
 * malformed.
 */
export function isKnown(update: Uint8Array, ydoc: Y.Doc): boolean {
  const { structs, ds } = Y.decodeUpdate(update);
  const { store } = ydoc;
  const has = (client: number, end: number): boolean => Y.getState(store, client) >= end;
  const isDeleted = (client: number, clock: number, end: number): boolean => {
    const pieces = store.clients.get(client);
    if (pieces === undefined || !has(client, end)) return false;
    for (let index = Y.findIndexSS(pieces, clock); index < pieces.length; index++) {
      const piece = pieces[index];
      if (piece === undefined || piece.id.clock >= end) return true;
      if (!piece.deleted) return false;
    }
    return true;
  };
  return (
    structs.every(({ id, length }) => has(id.client, id.clock + length)) &&
    [...ds.clients].every(([client, ranges]) => ranges.every(({ clock, len }) => isDeleted(client, clock, clock + len)))
  );
}
