/**
 * One message between two peers, before a codec gives it its bytes; structurally the contract's `Frame`, with the error's
 * shape left open. Ids are the caller's, and unique on a connection in both directions while in flight.
 */
export type PeerFrame<WireError> =
  | {
      kind: 'request';
      id: string;
      method: string;
      params: unknown;
      stream?: boolean;
      body?: boolean;
      deadlineMs?: number;
      keepaliveMs?: number;
    }
  | { kind: 'result'; id: string; result: unknown }
  | { kind: 'error'; id: string | null; error: WireError }
  | { kind: 'items'; id: string; items: readonly unknown[] }
  | { kind: 'bytes'; id: string; bytes: Uint8Array }
  | { kind: 'end'; id: string }
  | { kind: 'cancel'; id: string }
  | { kind: 'credit'; id: string; credit: number }
  | { kind: 'keepalive'; id: string }
  | { kind: 'event'; event: string; data: unknown };

export interface PeerCodec<WireError> {
  encode(frame: PeerFrame<WireError>): string;
  /** An `items` frame of items that are JSON already, so that each is made once and its size is known. */
  encodeItems(id: string, items: readonly string[]): string;
  /** Undefined for a message that is well formed but of no kind known here. Throws FrameError. */
  decode(text: string): PeerFrame<WireError> | undefined;
}

/** A message that can't be understood. */
export class FrameError extends Error {
  /** Of the call that it belongs to, so that this ends: its caller is not left waiting, and no body is taken for whole that lacks a piece. */
  readonly id: string | null;

  constructor(message: string, id: string | null = null) {
    super(message);
    this.name = 'FrameError';
    this.id = id;
  }
}

const maxIdLength = 200;

/** Checks the fields of a request that codecs have in common; `null` stands for absent. Throws FrameError. */
export function requestFrame<WireError>(fields: {
  id: unknown;
  method: unknown;
  params: unknown;
  stream: unknown;
  body: unknown;
  deadlineMs: unknown;
  keepaliveMs: unknown;
}): PeerFrame<WireError> {
  const id = frameId(fields.id);
  if (typeof fields.method !== 'string') throw new FrameError('"method" must be a string.');
  const frame: PeerFrame<WireError> & { kind: 'request' } = { kind: 'request', id, method: fields.method, params: fields.params };
  if (optional(fields.stream, 'boolean', 'stream')) frame.stream = fields.stream as boolean;
  if (optional(fields.body, 'boolean', 'body')) frame.body = fields.body as boolean;
  if (optional(fields.deadlineMs, 'number', 'deadlineMs')) frame.deadlineMs = positive(fields.deadlineMs as number, 'deadlineMs');
  if (optional(fields.keepaliveMs, 'number', 'keepaliveMs')) frame.keepaliveMs = positive(fields.keepaliveMs as number, 'keepaliveMs');
  return frame;
}

export function frameId(id: unknown): string {
  if (!isFrameId(id)) throw new FrameError(`"id" must be a string of 1 to ${maxIdLength} characters.`);
  return id;
}

export function isFrameId(id: unknown): id is string {
  return typeof id === 'string' && id !== '' && id.length <= maxIdLength;
}

export function frameCredit(credit: unknown): number {
  if (!Number.isSafeInteger(credit) || (credit as number) < 1) throw new FrameError('"credit" must be a positive integer.');
  return credit as number;
}

export function frameItems(items: unknown): readonly unknown[] {
  if (!Array.isArray(items)) throw new FrameError('"items" must be an array.');
  return items;
}

function optional(value: unknown, type: 'boolean' | 'number', name: string): boolean {
  if (value === undefined || value === null) return false;
  if (typeof value !== type) throw new FrameError(`"${name}" must be a ${type}.`);
  return true;
}

function positive(value: number, name: string): number {
  if (!(value > 0)) throw new FrameError(`"${name}" must be more than 0.`);
  return value;
}
