// Raw messages of the two wires, as much of them as the load needs. Integers are lib0 varuints.

import * as decoding from 'lib0/decoding';
import * as encoding from 'lib0/encoding';
import { benchToken } from './contenders.ts';

export type WireName = 'y-websocket' | 'hocuspocus';

const SYNC = 0;
const AUTH = 2;

/** Workspace-relative for a server that keeps files. */
export function documentName(prefix: string, document: number): string {
  return `${prefix}-${document}.txt`;
}

/** How a client of one document speaks. */
export interface Wire {
  /** What a client sends when its socket is open. */
  hello(document: string): Uint8Array[];
  update(document: string, update: Uint8Array): Uint8Array;
  /** The state when it is an answer to step 1, `step1` when it asks for ours. */
  read(message: Uint8Array): { kind: 'step1' } | { kind: 'step2'; update: Uint8Array } | { kind: 'other' };
  /** The answer of somebody who has nothing. */
  nothing(document: string): Uint8Array;
}

export const wires: Record<WireName, Wire> = {
  'y-websocket': {
    hello: () => [sync(undefined, 0, Uint8Array.of(0))],
    update: (_document, update) => sync(undefined, 2, update),
    read: (message) => readSync(decoding.createDecoder(message)),
    nothing: () => sync(undefined, 1, Uint8Array.of(0, 0)),
  },
  hocuspocus: {
    hello: (document) => [token(document), sync(document, 0, Uint8Array.of(0))],
    update: (document, update) => sync(document, 2, update),
    read: (message) => {
      const decoder = decoding.createDecoder(message);
      decoding.readVarString(decoder);
      return readSync(decoder);
    },
    nothing: (document) => sync(document, 1, Uint8Array.of(0, 0)),
  },
};

function sync(document: string | undefined, step: number, content: Uint8Array): Uint8Array {
  return encoding.encode((encoder) => {
    if (document !== undefined) encoding.writeVarString(encoder, document);
    encoding.writeVarUint(encoder, SYNC);
    encoding.writeVarUint(encoder, step);
    encoding.writeVarUint8Array(encoder, content);
  });
}

function token(document: string): Uint8Array {
  return encoding.encode((encoder) => {
    encoding.writeVarString(encoder, document);
    encoding.writeVarUint(encoder, AUTH);
    encoding.writeVarUint(encoder, 0);
    // Any will do for the peer.
    encoding.writeVarString(encoder, benchToken);
    encoding.writeVarString(encoder, '4.8.0');
  });
}

function readSync(decoder: decoding.Decoder): ReturnType<Wire['read']> {
  if (decoding.readVarUint(decoder) !== SYNC) return { kind: 'other' };
  const step = decoding.readVarUint(decoder);
  if (step === 0) return { kind: 'step1' };
  return step === 1 ? { kind: 'step2', update: decoding.readVarUint8Array(decoder) } : { kind: 'other' };
}
