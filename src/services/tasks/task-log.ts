import { cutCharacter } from '../../core/utf8.ts';

/** Of each stream, the newest bytes that can be sent again. */
const KEPT_BYTES = 256 * 1024;
/** Of one frame. */
const CHUNK_BYTES = 32 * 1024;

export type LogStream = 'stdout' | 'stderr';
const streams = ['stdout', 'stderr'] as const;

export interface LogChunk {
  stream: LogStream;
  /** Of its first byte, in the stream. */
  offset: number;
  text: string;
  /** Of the stream; text that was no UTF-8 has others. */
  bytes: number;
}

/** What the wake program of a task writes: the newest of it, by offset, so that a hub that was away gets it after all. */
export class TaskLog {
  readonly #kept: Record<LogStream, { end: number; bytes: Buffer; sent: number }> = {
    stdout: { end: 0, bytes: Buffer.alloc(0), sent: 0 },
    stderr: { end: 0, bytes: Buffer.alloc(0), sent: 0 },
  };

  add(stream: LogStream, bytes: Uint8Array): void {
    const kept = this.#kept[stream];
    const all = Buffer.concat([kept.bytes, bytes]);
    kept.end += bytes.length;
    kept.bytes = all.length > KEPT_BYTES ? Buffer.from(all.subarray(all.length - KEPT_BYTES)) : all;
  }

  /** Nobody knows what has arrived: what is kept is sent again. A hub tells by the offset what it has. */
  rewind(): void {
    for (const stream of streams) this.#kept[stream].sent = 0;
  }

  /** What was not sent; half a character waits for the rest, but for `last`. */
  next(last = false): LogChunk | undefined {
    for (const stream of streams) {
      const chunk = this.chunk(stream, this.#kept[stream].sent, last);
      if (chunk !== undefined) return chunk;
    }
    return undefined;
  }

  /** What is kept of a stream from a byte on, or from the first that is kept; cut as for `next`. Undefined where there is no more. */
  chunk(stream: LogStream, from: number, last = false): LogChunk | undefined {
    const { end, bytes } = this.#kept[stream];
    const offset = Math.max(from, end - bytes.length);
    let chunk = bytes.subarray(bytes.length - (end - offset)).subarray(0, CHUNK_BYTES);
    const cut = cutCharacter(chunk);
    if (cut !== undefined && !(last && chunk.length < CHUNK_BYTES)) chunk = chunk.subarray(0, chunk.length - cut.there);
    return chunk.length > 0 ? { stream, offset, text: chunk.toString('utf8'), bytes: chunk.length } : undefined;
  }

  /** That chunk is on its way. */
  sent({ stream, offset, bytes }: LogChunk): void {
    this.#kept[stream].sent = offset + bytes;
  }

  /** The newest of a stream, characters; for people. */
  tail(stream: LogStream, characters: number): string {
    return this.#kept[stream].bytes.toString('utf8').slice(-characters);
  }
}
