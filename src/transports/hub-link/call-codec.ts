import type { WireError } from '../../contract/errors.ts';
import type { Codec, Frame } from '../../contract/wire.ts';
import type { Base64 } from '../../core/base64.ts';
import { decodeBytes, decodeFrame, errorOf } from '../../core/json-codec.ts';
import { FrameError, frameCredit, frameId, frameItems, requestFrame } from '../../core/peer-frame.ts';

const protocolVersion = 1;
const head = { protocol_version: protocolVersion };

/**
 * Calls beside the hub's other frames on one socket: `{type:"call"|"result"|"chunk"|"cancel"|"credit"|"keepalive"|"event",
 * protocol_version:1, id, …}`. Frames of other types are none of these and decode to undefined.
 */
export function createCallCodec(base64: Base64): Codec {
  return {
    encode: (frame) => JSON.stringify(toJson(frame, base64)),
    encodeItems: (id, items) =>
      `{"type":"chunk","protocol_version":${protocolVersion},"id":${JSON.stringify(id)},"items":[${items.join(',')}]}`,
    decode: (text) => decodeFrame(text, (json) => fromJson(json, base64)),
  };
}

function toJson(frame: Frame, base64: Base64): object {
  switch (frame.kind) {
    case 'request': {
      const { id, method, params, stream, body, deadlineMs, keepaliveMs } = frame;
      return { type: 'call', ...head, id, method, params, stream, body, deadline_ms: deadlineMs, keepalive_ms: keepaliveMs };
    }
    case 'result':
      return { type: 'result', ...head, id: frame.id, ok: true, result: frame.result };
    case 'error':
      return { type: 'result', ...head, id: frame.id, ok: false, error: frame.error };
    case 'items':
      return { type: 'chunk', ...head, id: frame.id, items: frame.items };
    case 'bytes':
      return { type: 'chunk', ...head, id: frame.id, bytes: base64.encode(frame.bytes) };
    case 'end':
      return { type: 'chunk', ...head, id: frame.id, end: true };
    case 'cancel':
    case 'keepalive':
      return { type: frame.kind, ...head, id: frame.id };
    case 'credit':
      return { type: 'credit', ...head, id: frame.id, credit: frame.credit };
    case 'event':
      return { type: 'event', ...head, event: frame.event, data: frame.data };
  }
}

function fromJson(json: Record<string, unknown>, base64: Base64): Frame | undefined {
  const { id } = json;
  switch (json['type']) {
    case 'call': {
      const { method, params, stream, body, deadline_ms: deadlineMs, keepalive_ms: keepaliveMs } = json;
      return requestFrame({ id, method, params, stream, body, deadlineMs, keepaliveMs });
    }
    case 'result':
      if (json['ok'] === true) return { kind: 'result', id: frameId(id), result: json['result'] };
      return { kind: 'error', id: id === null ? null : frameId(id), error: errorOf(json['error']) as WireError };
    case 'chunk':
      if (json['items'] !== undefined) return { kind: 'items', id: frameId(id), items: frameItems(json['items']) };
      if (json['bytes'] !== undefined) return { kind: 'bytes', id: frameId(id), bytes: decodeBytes(json['bytes'], base64) };
      if (json['end'] === true) return { kind: 'end', id: frameId(id) };
      throw new FrameError('A chunk has "items", "bytes" or "end".');
    case 'cancel':
      return { kind: 'cancel', id: frameId(id) };
    case 'keepalive':
      return { kind: 'keepalive', id: frameId(id) };
    case 'credit':
      return { kind: 'credit', id: frameId(id), credit: frameCredit(json['credit']) };
    case 'event':
      return typeof json['event'] === 'string' ? { kind: 'event', event: json['event'], data: json['data'] } : undefined;
    default:
      return undefined;
  }
}
