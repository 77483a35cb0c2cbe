import { type ErrorReason, OutriggerError, toWireError } from '../../contract/errors.ts';
import { readJson } from '../../core/json-text.ts';

/** What a client of the JSON sockets may say, checked. */
export type JsonMessage = { messageId: string | number | undefined } & (
  | { type: 'sync'; docName: string; stateVector: Uint8Array }
  | { type: 'update'; docName: string; update: Uint8Array; seed: boolean }
  | { type: 'presence'; docName: string; client: number | undefined; state: string }
);

const MAX_CLIENT = 2 ** 53 - 1;
const empty = new Uint8Array();

/** Undefined for answers to what we said: nothing is to be done. Throws BAD_FRAME for what is no message, with its id if it has one. */
export function parseJsonMessage(text: string): JsonMessage | undefined {
  const message = parseObject(text);
  const { type, docName, payload = {} } = message;
  const messageId = idOf(message);
  if (type === 'ack' || type === 'error') return undefined;
  if (type !== 'sync' && type !== 'update' && type !== 'presence' && type !== 'yjs-update') {
    throw bad(
      `The type ${JSON.stringify(type)?.slice(0, 50) ?? 'is missing and'} is none of sync, update, presence, yjs-update.`,
      messageId,
    );
  }
  if (typeof docName !== 'string' || docName === '') throw bad('docName must be the path of a file.', messageId);
  if (!isObject(payload)) throw bad('payload must be an object.', messageId);
  if (type === 'sync') return { type, docName, messageId, stateVector: bytesOf(payload['stateVector'], 'payload.stateVector', messageId) };
  if (type === 'update') return { type, docName, messageId, seed: false, update: bytesOf(payload['update'], 'payload.update', messageId) };
  if (type === 'yjs-update')
    return { type: 'update', docName, messageId, seed: true, update: bytesOf(message['update'], 'update', messageId) };
  // A client may also say its state as the payload itself, beside its number.
  const { client, ...rest } = payload;
  const { state = Object.keys(rest).length === 0 ? null : rest } = rest;
  if (client !== undefined && !(Number.isInteger(client) && (client as number) >= 0 && (client as number) <= MAX_CLIENT))
    throw bad('payload.client must be a Yjs client id.', messageId);
  if (state !== null && !isObject(state)) throw bad('payload.state must be an object, or null to leave.', messageId);
  return { type, docName, messageId, client: client as number | undefined, state: JSON.stringify(state) };
}

function idOf({ messageId }: Readonly<Record<string, unknown>>): string | number | undefined {
  return (typeof messageId === 'string' && messageId.length <= 200) || Number.isFinite(messageId)
    ? (messageId as string | number)
    : undefined;
}

export class JsonMessageError extends OutriggerError {
  readonly messageId: string | number | undefined;

  constructor(message: string, messageId: string | number | undefined) {
    super('BAD_FRAME', message);
    this.messageId = messageId;
  }
}

/** An error frame. `code` is the canonical code, `reason` the exact cause. */
export function errorFrame(
  error: OutriggerError | { reason: ErrorReason; message: string },
  docName?: string,
  messageId?: string | number,
): string {
  const { code, reason, message } = toWireError(error instanceof OutriggerError ? error : new OutriggerError(error.reason, error.message));
  return JSON.stringify({ type: 'error', docName, payload: { code, reason, message }, messageId });
}

function parseObject(text: string): Record<string, unknown> {
  let message: unknown;
  try {
    message = readJson(text);
  } catch {
    throw bad('The message is not JSON.', undefined);
  }
  if (!isObject(message)) throw bad('A message is one JSON object.', undefined);
  return message;
}

function bytesOf(value: unknown, field: string, messageId: string | number | undefined): Uint8Array {
  if (value === undefined) return empty;
  if (!Array.isArray(value)) throw bad(`${field} must be an array of bytes.`, messageId);
  const bytes = new Uint8Array(value.length);
  for (let at = 0; at < bytes.length; at++) {
    const byte: unknown = value[at];
    if (typeof byte !== 'number' || !(byte >= 0 && byte <= 255) || !Number.isInteger(byte))
      throw bad(`${field} must hold whole numbers from 0 to 255.`, messageId);
    bytes[at] = byte;
  }
  return bytes;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function bad(message: string, messageId: string | number | undefined): JsonMessageError {
  return new JsonMessageError(message, messageId);
}
