import { type Base64, portableBase64 } from './base64.ts';
import { JsonTooDeep, readJson } from './json-text.ts';
import { FrameError, frameCredit, frameId, frameItems, isFrameId, type PeerCodec, type PeerFrame, requestFrame } from './peer-frame.ts';

/**
 * The wire of stdio and of WebSocket RPC: `{id,method,params}` → `{id,ok,result}` or `{id,ok,error}`, and the extensions for
 * streams, bytes, cancel, credit, keepalives and events. docs/protocol.md has it in prose.
 */
export function createJsonCodec<WireError>(base64: Base64 = portableBase64): PeerCodec<WireError> {
  return {
    encode: (frame) => JSON.stringify(toJson(frame, base64)),
    encodeItems: (id, items) => `{"id":${JSON.stringify(id)},"items":[${items.join(',')}]}`,
    decode: (text) => decodeFrame(text, (json) => fromJson<WireError>(json, base64)),
  };
}

/** What `read` makes of the object that `text` is. Throws FrameError, with the id of the frame where it has one. */
export function decodeFrame<Frame>(text: string, read: (json: Record<string, unknown>) => Frame): Frame {
  const json = parseObject(text);
  try {
    return read(json);
  } catch (error) {
    throw error instanceof FrameError && isFrameId(json['id']) ? new FrameError(error.message, json['id']) : error;
  }
}

/** Throws FrameError unless `text` is one JSON object. */
function parseObject(text: string): Record<string, unknown> {
  let value: unknown;
  try {
    value = readJson(text);
  } catch (error) {
    // What JSON.parse says about it quotes the peer's text; the place alone is no help to a program.
    throw new FrameError(error instanceof JsonTooDeep ? error.message : 'The message is not JSON.');
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw new FrameError('The message is not a JSON object.');
  return value as Record<string, unknown>;
}

/** Throws FrameError when `text` is no base64. */
export function decodeBytes(text: unknown, base64: Base64): Uint8Array {
  if (typeof text !== 'string') throw new FrameError('"bytes" must be base64 text.');
  try {
    return base64.decode(text);
  } catch {
    throw new FrameError('"bytes" is not base64.');
  }
}

function toJson<WireError>(frame: PeerFrame<WireError>, base64: Base64): object {
  switch (frame.kind) {
    case 'request': {
      const { kind: _, ...fields } = frame;
      return fields;
    }
    case 'result':
      return { id: frame.id, ok: true, result: frame.result };
    case 'error':
      return { id: frame.id, ok: false, error: frame.error };
    case 'items':
      return { id: frame.id, items: frame.items };
    case 'bytes':
      return { id: frame.id, bytes: base64.encode(frame.bytes) };
    case 'end':
      return { id: frame.id, end: true };
    case 'cancel':
      return { id: frame.id, cancel: true };
    case 'credit':
      return { id: frame.id, credit: frame.credit };
    case 'keepalive':
      return { id: frame.id, keepalive: true };
    case 'event':
      return { event: frame.event, data: frame.data };
  }
}

function fromJson<WireError>(json: Record<string, unknown>, base64: Base64): PeerFrame<WireError> | undefined {
  const { id } = json;
  if (json['method'] !== undefined) {
    const { method, params, stream, body, deadlineMs, keepaliveMs } = json;
    return requestFrame({ id, method, params, stream, body, deadlineMs, keepaliveMs });
  }
  if (json['ok'] === true) return { kind: 'result', id: frameId(id), result: json['result'] };
  if (json['ok'] === false) return { kind: 'error', id: id === null ? null : frameId(id), error: errorOf(json['error']) as WireError };
  if (json['items'] !== undefined) return { kind: 'items', id: frameId(id), items: frameItems(json['items']) };
  if (json['bytes'] !== undefined) return { kind: 'bytes', id: frameId(id), bytes: decodeBytes(json['bytes'], base64) };
  if (json['credit'] !== undefined) return { kind: 'credit', id: frameId(id), credit: frameCredit(json['credit']) };
  if (json['end'] === true) return { kind: 'end', id: frameId(id) };
  if (json['cancel'] === true) return { kind: 'cancel', id: frameId(id) };
  if (json['keepalive'] === true) return { kind: 'keepalive', id: frameId(id) };
  if (typeof json['event'] === 'string') return { kind: 'event', event: json['event'], data: json['data'] };
  return undefined;
}

/** An error must be an object; what it lacks, `fromWire` fills in. */
export function errorOf(error: unknown): object {
  if (typeof error !== 'object' || error === null) throw new FrameError('"error" must be an object.');
  return error;
}
