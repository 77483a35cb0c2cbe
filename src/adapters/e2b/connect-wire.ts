import type { FastifyReply } from 'fastify';
import { type ErrorCode, OutriggerError, toWireError } from '../../contract/errors.ts';
import { readJson } from '../../core/json-text.ts';
import { utf8Text } from '../../net/json-body.ts';
import { asItIs, writable } from '../../net/response-flow.ts';

/** Content type of a stream whose messages are JSON (connectrpc.com/docs/protocol, "Streaming RPCs"). */
export const STREAM_TYPE = 'application/connect+json';

/** E2B's packages ask for 50 s, and some proxies cut what is silent for 30 s (OpenShift's router) or 50 s (HAProxy as Debian has it). */
const MAX_KEEPALIVE_S = 15;
const HEAD_BYTES = 5;
const COMPRESSED = 1;
const END_OF_STREAM = 2;

export interface ConnectError {
  code: ErrorCode;
  message: string;
}

/** HTTP status of a unary call that failed (connectrpc.com/docs/protocol, "Error Codes"). */
export const statusOf: Readonly<Record<ErrorCode, number>> = {
  canceled: 499,
  unknown: 500,
  invalid_argument: 400,
  deadline_exceeded: 504,
  not_found: 404,
  already_exists: 409,
  permission_denied: 403,
  resource_exhausted: 429,
  failed_precondition: 400,
  aborted: 409,
  out_of_range: 400,
  unimplemented: 501,
  internal: 500,
  unavailable: 503,
  data_loss: 500,
  unauthenticated: 401,
};

/** Reasons whose code is another one on this wire: what a path is not is an argument that is none. */
const ownCodes: Readonly<Record<string, ErrorCode>> = {
  NOT_A_FILE: 'invalid_argument',
  NOT_A_DIRECTORY: 'invalid_argument',
  TOOL_MISSING: 'invalid_argument',
  PROCESS_ENDED: 'not_found',
};

export function connectErrorOf(error: unknown): ConnectError {
  const known = error instanceof OutriggerError ? error : new OutriggerError('INTERNAL', 'Something failed inside; the log has it.');
  const { code, message } = toWireError(known);
  return { code: ownCodes[known.reason] ?? code, message };
}

/** The one message with which a client begins a stream. Throws BAD_FRAME. */
export function readEnvelope(body: Uint8Array): unknown {
  const bytes = Buffer.from(body.buffer, body.byteOffset, body.byteLength);
  if (bytes.length < HEAD_BYTES) throw new OutriggerError('BAD_FRAME', 'A message has a head of five bytes.');
  if (bytes.readUInt8(0) & COMPRESSED) throw new OutriggerError('BAD_FRAME', 'Send messages uncompressed.');
  if (bytes.readUInt32BE(1) !== bytes.length - HEAD_BYTES)
    throw new OutriggerError('BAD_FRAME', 'The stream must begin with one message, as long as its head says.');
  const text = utf8Text(bytes.subarray(HEAD_BYTES));
  if (text === undefined) throw new OutriggerError('BAD_FRAME', 'The message is not UTF-8.');
  try {
    return readJson(text);
  } catch (error) {
    throw new OutriggerError('BAD_FRAME', 'The message is no JSON.', { cause: error });
  }
}

function envelope(flags: number, message: unknown): Buffer {
  const text = Buffer.from(JSON.stringify(message));
  const head = Buffer.alloc(HEAD_BYTES);
  head.writeUInt8(flags, 0);
  head.writeUInt32BE(text.length, 1);
  return Buffer.concat([head, text]);
}

/** The answer to a streaming call: messages, then one last frame that says how it ended. Failures go there too: the status is always 200. */
export class ConnectStream {
  readonly #reply: FastifyReply;
  readonly #keepalive: NodeJS.Timeout | undefined;
  #isOver = false;

  /** `keepaliveS`: how often at least something is said where there is nothing to say; never where it is left out. */
  constructor(reply: FastifyReply, keepaliveS: number | undefined, keepalive: unknown) {
    this.#reply = reply;
    reply.header('content-type', STREAM_TYPE).header('cache-control', asItIs).header('x-accel-buffering', 'no');
    reply.hijack();
    reply.raw.writeHead(200, reply.getHeaders() as Record<string, string>);
    if (keepaliveS !== undefined) {
      this.#keepalive = setInterval(() => {
        if (!reply.raw.writableNeedDrain) this.tell(keepalive);
      }, Math.min(keepaliveS, MAX_KEEPALIVE_S) * 1000);
    }
    reply.raw.once('close', () => this.#stop());
  }

  /** A promise when the reader has no room, which rejects where they go; nothing is sent any more after the end. */
  send(message: unknown): Promise<void> | undefined {
    this.tell(message);
    const { raw } = this.#reply;
    return raw.writableNeedDrain ? writable(raw) : undefined;
  }

  /** The same, of what is short and comes seldom: whether there is room is nobody's concern. */
  tell(message: unknown): void {
    const { raw } = this.#reply;
    if (!this.#isOver && !raw.writableEnded && !raw.destroyed) raw.write(envelope(0, message));
  }

  /** `metadata`: of the end, as trailers. */
  end(metadata?: Readonly<Record<string, readonly string[]>>): void {
    this.#finish(metadata === undefined ? {} : { metadata });
  }

  fail(error: unknown): void {
    this.#finish({ error: connectErrorOf(error) });
  }

  #finish(last: unknown): void {
    if (this.#isOver) return;
    this.#stop();
    const { raw } = this.#reply;
    if (!raw.writableEnded && !raw.destroyed) raw.end(envelope(END_OF_STREAM, last));
  }

  #stop(): void {
    this.#isOver = true;
    clearInterval(this.#keepalive);
  }
}
