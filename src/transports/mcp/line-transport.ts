import type { Readable, Writable } from 'node:stream';
import { isSpecType, type JSONRPCMessage, ProtocolErrorCode, type RequestId, type Transport } from '@modelcontextprotocol/server';
import { readJson } from '../../core/json-text.ts';
import { LineSplitter } from '../../core/ndjson.ts';
import { canceledRequest } from './canceled-request.ts';
import { listenedUris } from './listened-uris.ts';
import { omitNullParams } from './omitted-params.ts';

/**
 * Messages over a pair of streams, one a line. The SDK has such a transport too; that one leaves a request which it can't read without an answer,
 * and puts something else in the place of bytes that are no UTF-8.
 */
export class LineTransport implements Transport {
  readonly #input: Readable;
  readonly #output: Writable;
  readonly #lines: LineSplitter;
  readonly #drainMs: number;
  /** Requests that are not answered yet, but for those that are only when they are over. */
  readonly #asked = new Set<RequestId>();
  /** From the end of the input on. */
  #draining: NodeJS.Timeout | undefined;
  #closed = false;
  onclose?: () => void;
  onerror?: (error: Error) => void;
  onmessage?: (message: JSONRPCMessage) => void;

  /** `drainMs`: how long what was asked may take after the end of the input. */
  constructor(input: Readable, output: Writable, { maxMessageBytes, drainMs }: { maxMessageBytes: number; drainMs: number }) {
    this.#input = input;
    this.#output = output;
    this.#drainMs = drainMs;
    this.#lines = new LineSplitter(maxMessageBytes, {
      line: (text) => this.#read(text),
      bad: (problem, bytes) => {
        if (problem === 'too-long') this.#end(new Error(`A message exceeded maximum size of ${maxMessageBytes} bytes.`));
        else this.#refuse(ProtocolErrorCode.ParseError, 'Parse error: not UTF-8', parsed(new TextDecoder().decode(bytes)));
      },
    });
  }

  start(): Promise<void> {
    const [input, output] = [this.#input, this.#output];
    input.on('data', this.#push).on('error', this.#report).on('end', this.#drain).on('close', this.#closedInput);
    // It may fail after the end as well, with nobody left to tell.
    output.on('error', (error) => this.#end(error));
    if (input.readableEnded || input.destroyed) setImmediate(() => this.#end());
    return Promise.resolve();
  }

  /** Resolves when the reader has taken it. */
  send(message: object): Promise<void> {
    if (this.#closed) return Promise.reject(new Error('The connection is closed.'));
    return new Promise((resolve, reject) => {
      this.#output.write(`${JSON.stringify(message)}\n`, (error) => {
        if (error) reject(error);
        else resolve();
        this.#answered(message);
      });
    });
  }

  close(): Promise<void> {
    this.#end();
    return Promise.resolve();
  }

  readonly #push = (chunk: Uint8Array): void => this.#lines.push(chunk);

  readonly #report = (error: Error): void => this.onerror?.(error);

  /** What was asked is answered first, a last line without a line break as well. */
  readonly #drain = (): void => {
    this.#lines.end();
    if (this.#closed) return;
    this.#draining = setTimeout(() => this.#end(), this.#drainMs);
    this.#endIfAnswered();
  };

  readonly #closedInput = (): void => {
    if (this.#draining === undefined) this.#end();
  };

  #answered(message: object): void {
    const { id, method } = message as { id?: RequestId; method?: string };
    if (id === undefined || method !== undefined) return;
    this.#asked.delete(id);
    this.#endIfAnswered();
  }

  #endIfAnswered(): void {
    if (this.#draining !== undefined && this.#asked.size === 0) this.#end();
  }

  #end(error?: Error): void {
    if (this.#closed) return;
    if (error !== undefined) this.onerror?.(error);
    this.#closed = true;
    clearTimeout(this.#draining);
    this.#input.off('data', this.#push).off('error', this.#report).off('end', this.#drain).off('close', this.#closedInput);
    // A process ends when nothing is read any more.
    if (this.#input.listenerCount('data') === 0) this.#input.pause();
    this.onclose?.();
  }

  #read(text: string): void {
    const message = parsed(text);
    if (message === undefined) this.#refuse(ProtocolErrorCode.ParseError, 'Parse error: Invalid JSON', undefined);
    else if (Array.isArray(message) && message.length > 0) for (const each of message) this.#take(each);
    else this.#take(message);
  }

  #take(given: unknown): void {
    if (this.#closed) return;
    const message = omitNullParams(given);
    if (isSpecType.JSONRPCMessage(message)) {
      if ('method' in message && 'id' in message && listenedUris(message) === undefined) this.#asked.add(message.id);
      const canceled = canceledRequest(message);
      if (canceled !== undefined) this.#asked.delete(canceled);
      this.onmessage?.(message);
    } else this.#refuse(ProtocolErrorCode.InvalidRequest, 'Invalid Request', message);
  }

  /** Answers what is no message, with the id where it has one; to an answer nothing is answered. */
  #refuse(code: number, text: string, message: unknown): void {
    if (this.#closed) return;
    this.onerror?.(new Error(`${text}.`));
    const { id, result, error } = (message ?? {}) as Record<string, unknown>;
    if (result !== undefined || error !== undefined) return;
    const known = typeof id === 'string' || typeof id === 'number' ? id : null;
    this.send({ jsonrpc: '2.0', id: known, error: { code, message: text } }).catch(() => undefined);
  }
}

/** Undefined for what is no JSON. */
function parsed(text: string): unknown {
  try {
    return readJson(text);
  } catch {
    return undefined;
  }
}
