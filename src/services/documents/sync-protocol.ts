import * as decoding from 'lib0/decoding';
import * as encoding from 'lib0/encoding';

/**
 * The messages of the y-websocket wire, one a WebSocket message (github.com/yjs/y-protocols PROTOCOL.md). Integers are lib0
 * varuints, byte strings a varuint length and the bytes.
 */
export type SyncMessage =
  | { type: 'step1'; stateVector: Uint8Array }
  | { type: 'step2'; update: Uint8Array }
  | { type: 'update'; update: Uint8Array }
  | { type: 'awareness'; entries: AwarenessEntry[] }
  | { type: 'too many entries' }
  | { type: 'query-awareness' }
  | { type: 'unknown' };

/** One client's presence; `state` is JSON text, kept as it came. */
export interface AwarenessEntry {
  client: number;
  clock: number;
  state: string;
}

const SYNC = 0;
const AWARENESS = 1;
const AUTH = 2;
const QUERY_AWARENESS = 3;
const STEP1 = 0;
const STEP2 = 1;
const UPDATE = 2;
const PERMISSION_DENIED = 0;

/** The state of a client that has left. */
export const GONE = 'null';

/** Throws on what is cut short. The update is a view into `bytes`. Of an awareness message of more than `maxEntries` nothing is read. */
export function readMessage(bytes: Uint8Array, maxEntries = Number.POSITIVE_INFINITY): SyncMessage {
  const decoder = decoding.createDecoder(bytes);
  const type = decoding.readVarUint(decoder);
  if (type === SYNC) {
    const step = decoding.readVarUint(decoder);
    const content = decoding.readVarUint8Array(decoder);
    if (step === STEP1) return { type: 'step1', stateVector: content };
    if (step === STEP2) return { type: 'step2', update: content };
    return step === UPDATE ? { type: 'update', update: content } : { type: 'unknown' };
  }
  if (type === AWARENESS) {
    const content = decoding.readVarUint8Array(decoder);
    return leadingCount(content) > maxEntries ? { type: 'too many entries' } : { type: 'awareness', entries: readAwareness(content) };
  }
  return { type: type === QUERY_AWARENESS ? 'query-awareness' : 'unknown' };
}

export function step1Message(stateVector: Uint8Array): Uint8Array {
  return syncMessage(STEP1, stateVector);
}

export function step2Message(update: Uint8Array): Uint8Array {
  return syncMessage(STEP2, update);
}

export function updateMessage(update: Uint8Array): Uint8Array {
  return syncMessage(UPDATE, update);
}

export function awarenessMessage(entries: Iterable<AwarenessEntry>): Uint8Array {
  const list = [...entries];
  const inner = encoding.createEncoder();
  encoding.writeVarUint(inner, list.length);
  for (const entry of list) {
    encoding.writeVarUint(inner, entry.client);
    encoding.writeVarUint(inner, entry.clock);
    encoding.writeVarString(inner, entry.state);
  }
  const encoder = encoding.createEncoder();
  encoding.writeVarUint(encoder, AWARENESS);
  encoding.writeVarUint8Array(encoder, encoding.toUint8Array(inner));
  return encoding.toUint8Array(encoder);
}

export function permissionDeniedMessage(reason: string): Uint8Array {
  const encoder = encoding.createEncoder();
  encoding.writeVarUint(encoder, AUTH);
  encoding.writeVarUint(encoder, PERMISSION_DENIED);
  encoding.writeVarString(encoder, reason);
  return encoding.toUint8Array(encoder);
}

/** True for the update that holds nothing: what a client without news answers to step 1. */
export function isEmptyUpdate(update: Uint8Array): boolean {
  return update.length === 2 && update[0] === 0 && update[1] === 0;
}

/** Of how many clients a state vector, an awareness update or an update says that it is. Throws where it is cut short. */
export function leadingCount(bytes: Uint8Array): number {
  return decoding.readVarUint(decoding.createDecoder(bytes));
}

function syncMessage(step: number, content: Uint8Array): Uint8Array {
  const encoder = encoding.createEncoder();
  encoding.writeVarUint(encoder, SYNC);
  encoding.writeVarUint(encoder, step);
  encoding.writeVarUint8Array(encoder, content);
  return encoding.toUint8Array(encoder);
}

function readAwareness(bytes: Uint8Array): AwarenessEntry[] {
  const decoder = decoding.createDecoder(bytes);
  const entries: AwarenessEntry[] = [];
  for (let left = decoding.readVarUint(decoder); left > 0; left--) {
    entries.push({ client: decoding.readVarUint(decoder), clock: decoding.readVarUint(decoder), state: decoding.readVarString(decoder) });
  }
  return entries;
}
