import * as decoding from 'lib0/decoding';
import * as encoding from 'lib0/encoding';

/** The messages that document channels carry (github.com/yjs/y-protocols, PROTOCOL.md), as far as JSON frames need them. */
export type DocumentMessage =
  | { kind: 'state vector'; stateVector: Uint8Array }
  /** The answer to a state vector: what its owner lacks. */
  | { kind: 'state'; update: Uint8Array }
  | { kind: 'update'; update: Uint8Array }
  | { kind: 'presence'; entries: PresenceEntry[] }
  | { kind: 'denied'; reason: string }
  | { kind: 'other' };

export interface PresenceEntry {
  client: number;
  clock: number;
  /** JSON text. */
  state: string;
}

const SYNC = 0;
const AWARENESS = 1;
const AUTH = 2;
const syncKinds = ['state vector', 'state', 'update'] as const;

export function readDocumentMessage(bytes: Uint8Array): DocumentMessage {
  const decoder = decoding.createDecoder(bytes);
  const type = decoding.readVarUint(decoder);
  if (type === SYNC) {
    const kind = syncKinds[decoding.readVarUint(decoder)];
    const content = decoding.readVarUint8Array(decoder);
    if (kind === undefined) return { kind: 'other' };
    return kind === 'state vector' ? { kind, stateVector: content } : { kind, update: content };
  }
  if (type === AUTH) {
    decoding.readVarUint(decoder);
    return { kind: 'denied', reason: decoding.readVarString(decoder) };
  }
  if (type !== AWARENESS) return { kind: 'other' };
  const inner = decoding.createDecoder(decoding.readVarUint8Array(decoder));
  const entries: PresenceEntry[] = [];
  for (let left = decoding.readVarUint(inner); left > 0; left--) {
    entries.push({ client: decoding.readVarUint(inner), clock: decoding.readVarUint(inner), state: decoding.readVarString(inner) });
  }
  return { kind: 'presence', entries };
}

export function syncMessage(kind: (typeof syncKinds)[number], content: Uint8Array): Uint8Array {
  const encoder = encoding.createEncoder();
  encoding.writeVarUint(encoder, SYNC);
  encoding.writeVarUint(encoder, syncKinds.indexOf(kind));
  encoding.writeVarUint8Array(encoder, content);
  return encoding.toUint8Array(encoder);
}

export function presenceMessage({ client, clock, state }: PresenceEntry): Uint8Array {
  const inner = encoding.createEncoder();
  encoding.writeVarUint(inner, 1);
  encoding.writeVarUint(inner, client);
  encoding.writeVarUint(inner, clock);
  encoding.writeVarString(inner, state);
  const encoder = encoding.createEncoder();
  encoding.writeVarUint(encoder, AWARENESS);
  encoding.writeVarUint8Array(encoder, encoding.toUint8Array(inner));
  return encoding.toUint8Array(encoder);
}
