import * as decoding from 'lib0/decoding';
import * as encoding from 'lib0/encoding';

/**
 * The wire of the npm packages @hocuspocus/provider and @hocuspocus/server (github.com/ueberdosis/hocuspocus, docs/guides): each message begins with the address of
 * a document, a lib0 string, and the rest is a y-protocols message or one of Hocuspocus' own.
 */
export const types = {
  sync: 0,
  awareness: 1,
  auth: 2,
  queryAwareness: 3,
  syncReply: 4,
  close: 7,
  syncStatus: 8,
  ping: 9,
  pong: 10,
} as const;

const TOKEN = 0;
const PERMISSION_DENIED = 1;
const AUTHENTICATED = 2;

export interface Addressed {
  /** The name of a document; after a NUL, which of several sessions in it on one socket. */
  address: string;
  type: number;
  /** From the type on; a view into the message. */
  rest: Uint8Array;
}

/** Throws on what is cut short. */
export function readAddressed(message: Uint8Array): Addressed {
  const decoder = decoding.createDecoder(message);
  const address = decoding.readVarString(decoder);
  const rest = message.subarray(decoder.pos);
  return { address, type: decoding.readVarUint(decoder), rest };
}

export function addressed(address: string, rest: Uint8Array): Uint8Array {
  return written(address, (encoder) => encoding.writeUint8Array(encoder, rest));
}

/** Of an auth message; undefined where it is none that a client sends. Throws on what is cut short. */
export function readToken(rest: Uint8Array): string | undefined {
  const decoder = decoding.createDecoder(rest);
  decoding.readVarUint(decoder);
  return decoding.readVarUint(decoder) === TOKEN ? decoding.readVarString(decoder) : undefined;
}

export function authenticatedMessage(address: string, scope: 'readonly' | 'read-write'): Uint8Array {
  return authMessage(address, AUTHENTICATED, scope);
}

export function permissionDeniedMessage(address: string, reason: string): Uint8Array {
  return authMessage(address, PERMISSION_DENIED, reason);
}

/** The document is closed for this client, which does not come back by itself. */
export function closeMessage(address: string, reason: string): Uint8Array {
  return written(address, (encoder) => {
    encoding.writeVarUint(encoder, types.close);
    encoding.writeVarString(encoder, reason);
  });
}

/** One for each step 2 or update of a client: its count of what is not synced goes down by those that were taken. */
export function syncStatusMessage(address: string, isTaken: boolean): Uint8Array {
  return written(address, (encoder) => {
    encoding.writeVarUint(encoder, types.syncStatus);
    encoding.writeVarInt(encoder, isTaken ? 1 : 0);
  });
}

function authMessage(address: string, kind: number, text: string): Uint8Array {
  return written(address, (encoder) => {
    encoding.writeVarUint(encoder, types.auth);
    encoding.writeVarUint(encoder, kind);
    encoding.writeVarString(encoder, text);
  });
}

function written(address: string, write: (encoder: encoding.Encoder) => void): Uint8Array {
  return encoding.encode((encoder) => {
    encoding.writeVarString(encoder, address);
    write(encoder);
  });
}
