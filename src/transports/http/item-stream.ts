import type { FastifyReply } from 'fastify';
import { type OutriggerError, toWireError } from '../../contract/errors.ts';
import { writable } from '../../net/response-flow.ts';

export type StreamFormat = 'sse' | 'ndjson';

export const streamTypes = { sse: 'text/event-stream; charset=utf-8', ndjson: 'application/x-ndjson; charset=utf-8' };
/** Text gathered before it is written, within one turn of the event loop. */
const maxHeldLength = 64 * 1024;
/** A call that fails at once is answered with a status; one that takes longer has begun. */
const beginAfterMs = 25;

/**
 * Items, then exactly one end or error, as SSE or NDJSON. The head is sent with the first item or a moment after the call began;
 * until then a failure can still have a status of its own.
 */
export class ItemStream {
  readonly #reply: FastifyReply;
  readonly #format: StreamFormat;
  readonly #begin: NodeJS.Timeout;
  readonly #keepalive: NodeJS.Timeout | undefined;
  #begun = false;
  #held = '';
  #scheduled = false;

  /** `keepaliveMs` 0: none. */
  constructor(reply: FastifyReply, format: StreamFormat, keepaliveMs: number) {
    this.#reply = reply;
    this.#format = format;
    this.#begin = setTimeout(() => {
      this.#sendHead();
      reply.raw.flushHeaders();
    }, beginAfterMs);
    if (keepaliveMs > 0) {
      this.#keepalive = setInterval(() => {
        if (!reply.raw.writableNeedDrain) this.#write(format === 'sse' ? ': keepalive\n\n' : '\n');
      }, keepaliveMs);
    }
    reply.raw.once('close', () => this.#stop());
  }

  get begun(): boolean {
    return this.#begun;
  }

  /** A promise when the reader has no room. */
  item(item: unknown): Promise<void> | undefined {
    this.#sendHead();
    this.#write(this.#format === 'sse' ? event('item', item, cursorOf(item)) : `{"item":${json(item)}}\n`);
    const { raw } = this.#reply;
    return raw.writableNeedDrain ? writable(raw) : undefined;
  }

  end(output: unknown): void {
    this.#sendHead();
    this.#finish(this.#format === 'sse' ? event('end', output) : `{"end":${json(output)}}\n`);
  }

  /** Only where `begun`; before that the failure is answered with its status. */
  fail(error: OutriggerError, requestId: string): void {
    const wire = toWireError(error, requestId);
    this.#finish(this.#format === 'sse' ? event('error', wire) : `{"error":${json(wire)}}\n`);
  }

  /** No head was sent and none will be. */
  abandon(): void {
    this.#stop();
  }

  /** With what is written in the same turn, at once. */
  #sendHead(): void {
    if (this.#begun) return;
    this.#begun = true;
    clearTimeout(this.#begin);
    const reply = this.#reply.header('content-type', streamTypes[this.#format]).header('x-accel-buffering', 'no');
    reply.hijack();
    reply.raw.writeHead(200, reply.getHeaders() as Record<string, string>);
  }

  #finish(text: string): void {
    this.#stop();
    this.#held += text;
    this.#flush();
    this.#reply.raw.end();
  }

  #write(text: string): void {
    this.#sendHead();
    this.#held += text;
    if (this.#held.length >= maxHeldLength) this.#flush();
    else if (!this.#scheduled) {
      this.#scheduled = true;
      setImmediate(() => {
        this.#scheduled = false;
        this.#flush();
      });
    }
  }

  #flush(): void {
    if (this.#held === '' || this.#reply.raw.writableEnded) return;
    const text = this.#held;
    this.#held = '';
    this.#reply.raw.write(text);
  }

  #stop(): void {
    clearTimeout(this.#begin);
    clearInterval(this.#keepalive);
  }
}

function json(value: unknown): string {
  return JSON.stringify(value) ?? 'null';
}

function event(name: string, data: unknown, id?: string): string {
  return `${id === undefined ? '' : `id: ${id}\n`}event: ${name}\ndata: ${json(data)}\n\n`;
}

/** What a reader gives back as Last-Event-ID. */
function cursorOf(item: unknown): string | undefined {
  const cursor = typeof item === 'object' && item !== null ? (item as { cursor?: unknown }).cursor : undefined;
  return typeof cursor === 'string' && !/[\r\n\0]/.test(cursor) ? cursor : undefined;
}
