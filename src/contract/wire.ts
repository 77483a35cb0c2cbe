import type { WireError } from './errors.ts';

/**
 * Some messages for one or many sockets. The framed form is made once, by the first socket that sends the batch, and kept
 * here for the others: a frame from server to client is the same bytes for all of them.
 */
export interface Batch {
  readonly messages: readonly Uint8Array[];
  framed?: Uint8Array;
}

/** A socket that carries binary messages. Made in net/, used by documents. */
export interface ByteChannel {
  /** Queues all messages of the batch in one write. Nothing is sent after `close`. */
  send(batch: Batch): void;
  /** Bytes queued in this process and not yet taken by the kernel. */
  readonly buffered: number;
  /** Called when `buffered` has come down to nothing after it was more than the socket likes to hold (tens of kB). */
  onDrain(listener: () => void): void;
  /** One call a message, in order. */
  onMessage(listener: (message: Uint8Array) => void): void;
  onClose(listener: (code: number) => void): void;
  /** Stops and starts reading from the peer. */
  pause(): void;
  resume(): void;
  /** Ends the socket with a WebSocket close code. */
  close(code: number, reason: string): void;
  /**
   * On wires that tell their client so: one call for each update of a document that came, when it is in the log, or with false where its sender may only read.
   * Such a client is also asked for its news each time that it asks for ours.
   */
  stored?(isStored: boolean): void;
}

/** WebSocket close codes. y-websocket never reconnects after 4400–4499, from 3.1 on, so those are for final refusals only. */
export const closeCodes = {
  goingAway: 1001,
  protocolError: 1002,
  tooBig: 1009,
  tokenEnded: 4401,
  forbidden: 4403,
  notFound: 4404,
  outdated: 4410,
  unsupported: 4415,
  badMessage: 4422,
  replaced: 4500,
  tryLater: 4503,
  tooSlow: 4508,
  tooMany: 4529,
} as const;

/** One message of the RPC wire, before a codec gives it its bytes. docs/protocol.md describes the wire. */
export type Frame =
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
  /** No more bytes of this request's body. */
  | { kind: 'end'; id: string }
  | { kind: 'cancel'; id: string }
  /** The receiver of items or bytes has room for `credit` more frames. */
  | { kind: 'credit'; id: string; credit: number }
  | { kind: 'keepalive'; id: string }
  | { kind: 'event'; event: string; data: unknown };

/** Turns frames to text and back, one codec a wire. */
export interface Codec {
  encode(frame: Frame): string;
  /** An `items` frame of items that are JSON already. */
  encodeItems(id: string, items: readonly string[]): string;
  /** Undefined for a message that is well formed but of no kind known here. Throws core's FrameError, answered as BAD_FRAME. */
  decode(text: string): Frame | undefined;
}
