import { type ErrorReason, errorTable, OutriggerError, peerErrors, type WireError } from '../contract/errors.ts';
import { createJsonCodec } from '../core/json-codec.ts';
import { type PeerCodec, FrameError } from '../core/peer-frame.ts';
import type { PeerErrors } from '../core/peer.ts';

/** The seed's error codes, and what they are in our table: a sidecar of another make sends a code and a message alone. */
const seedCodes: Readonly<Record<string, ErrorReason>> = {
  invalid_path: 'BAD_PATH',
  not_found: 'FILE_NOT_FOUND',
  timeout: 'DEADLINE',
  internal: 'INTERNAL',
  cancelled: 'CANCELED',
  too_large: 'OUTPUT_TOO_LARGE',
  binary: 'NOT_TEXT',
  invalid_params: 'BAD_INPUT',
  unknown_method: 'NO_OPERATION',
  unavailable: 'PART_OFF',
  permission_denied: 'FILE_PERMISSION',
};

/** Errors of a connection to a child sidecar, ours or one that knows the seed's codes alone. */
export function hostErrors(): PeerErrors<WireError> {
  return { ...peerErrors(() => undefined), fromWire: errorOfChild };
}

function errorOfChild(wire: Partial<WireError>): OutriggerError {
  const code: unknown = wire.code;
  const reason: ErrorReason =
    typeof wire.reason === 'string' && Object.hasOwn(errorTable, wire.reason)
      ? (wire.reason as ErrorReason)
      : typeof code === 'string' && Object.hasOwn(seedCodes, code)
        ? (seedCodes[code] as ErrorReason)
        : 'INTERNAL';
  const message = typeof wire.message === 'string' ? wire.message : 'The sidecar answered with an error that it did not describe.';
  return new OutriggerError(reason, message, { details: wire.details });
}

/**
 * The stdio wire as a host reads it: a line that is no message is handed to `onJunk` and never answered. Answering would make a
 * child that prints by mistake print about our answers, too.
 */
export function hostCodec(onJunk: (line: string) => void): PeerCodec<WireError> {
  const json = createJsonCodec<WireError>();
  return {
    ...json,
    decode: (text) => {
      try {
        return json.decode(text);
      } catch (error) {
        if (!(error instanceof FrameError)) throw error;
        onJunk(text);
        return undefined;
      }
    },
  };
}
