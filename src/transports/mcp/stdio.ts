import type { Readable, Writable } from 'node:stream';
import type { JSONRPCMessage, JSONRPCRequest, RequestId, Transport } from '@modelcontextprotocol/server';
import { serveStdio } from '@modelcontextprotocol/server/stdio';
import type { Caller } from '../../contract/access.ts';
import type { Dispatch } from '../../contract/dispatch.ts';
import { OutriggerError } from '../../contract/errors.ts';
import type { Table } from '../../contract/operation.ts';
import { canceledRequest } from './canceled-request.ts';
import { LineTransport } from './line-transport.ts';
import { listenedUris } from './listened-uris.ts';
import { rpcError } from './mcp-call.ts';
import { createMcpServer, type McpPeer, type McpServerOptions } from './mcp-server.ts';

export interface McpStdioDependencies {
  dispatch: Dispatch;
  table: Table;
  /** Whether an operation is to be had here; all are when left out. */
  offers?: (name: string) => boolean;
  /** Whoever started this process; its access is the ceiling. */
  caller: Caller;
  input: Readable;
  /** Nothing else may write to it. */
  output: Writable;
}

export interface McpStdioOptions extends McpServerOptions {
  /** Longest message, bytes; a longer one ends the connection. */
  maxMessageBytes?: number;
  /** How long calls under way may go on after the input has ended. */
  drainMs?: number;
  /** Hears what was wrong with a message or with the streams, before the connection ends where that ends it. */
  onError?: (error: Error) => void;
}

export interface McpStdioConnection {
  /** Resolves when the input has ended and what was asked is answered, or took too long for it, or when the output is gone. Calls under way are aborted then. */
  readonly closed: Promise<void>;
  /** Ends the connection and the calls on it. May be called twice. */
  close(): Promise<void>;
}

const defaultMaxMessageBytes = 16 * 1024 * 1024;
const defaultDrainMs = 3000;
/** So much may wait in the output before news are held back. */
const congestedBytes = 1024 * 1024;

/** MCP over a pair of streams, one JSON message a line (https://modelcontextprotocol.io/specification/2025-11-25/basic/transports#stdio). */
export function serveMcpStdio(dependencies: McpStdioDependencies, options: McpStdioOptions): McpStdioConnection {
  const { input, output } = dependencies;
  const open = (): McpPeer => {
    const peer = createMcpServer({ ...dependencies, transport: 'mcp-stdio' }, options);
    peer.reader = { ...peer.reader, congested: () => output.writableLength > congestedBytes };
    peer.server.onclose = () => peer.release();
    return peer;
  };
  // There before the SDK asks for it, since the first message may be one that follows resources.
  let peer = open();
  let taken = false;
  const transport = new ListeningTransport(
    new LineTransport(input, output, {
      maxMessageBytes: options.maxMessageBytes ?? defaultMaxMessageBytes,
      drainMs: options.drainMs ?? defaultDrainMs,
    }),
    (uris, signal) => peer.follow(uris, signal),
  );
  const handle = serveStdio(
    () => {
      // Asked for again after a probe of another revision, whose server is closed by then.
      if (taken) peer = open();
      taken = true;
      return peer.server;
    },
    { transport, ...(options.onError === undefined ? {} : { onerror: options.onError }) },
  );
  const closed = transport.closed.then(() => peer.release());
  const close = (): Promise<void> => {
    transport.stopWaiting();
    return handle.close();
  };
  // The caller of a connection is one token for as long as it lasts.
  dependencies.caller.ended?.addEventListener('abort', () => void close(), { once: true });
  output.once('close', () => void close());
  return { closed, close };
}

interface Listen {
  stop: AbortController;
  /** The SDK has it. */
  passed: boolean;
}

/**
 * The SDK's transport, with an ear for requests of revision 2026-07-28 that follow resources: the SDK answers them without asking
 * the server, and passes on what the server tells.
 */
class ListeningTransport implements Transport {
  readonly #inner: LineTransport;
  readonly #follow: (uris: readonly string[], signal: AbortSignal) => Promise<void>;
  /** From their coming until they are canceled, refused or ended. */
  readonly #listens = new Map<RequestId, Listen>();
  #waits = true;
  readonly closed: Promise<void>;
  onclose?: () => void;
  onerror?: (error: Error) => void;
  onmessage?: (message: JSONRPCMessage) => void;

  constructor(inner: LineTransport, follow: (uris: readonly string[], signal: AbortSignal) => Promise<void>) {
    this.#inner = inner;
    this.#follow = follow;
    this.closed = new Promise((resolve) => {
      inner.onclose = () => {
        this.onclose?.();
        for (const id of this.#listens.keys()) this.#end(id);
        resolve();
      };
    });
    inner.onerror = (error) => this.onerror?.(error);
    inner.onmessage = (message) => {
      const uris = listenedUris(message);
      if (uris !== undefined && 'id' in message) void this.#answerListen(message as JSONRPCRequest, uris);
      else if (!this.#cancelsUnseen(message)) this.onmessage?.(message);
    };
  }

  /** What the SDK acknowledges must be followed already; what can't be followed, or is canceled until then, it never sees. */
  async #answerListen(message: JSONRPCRequest, uris: readonly string[]): Promise<void> {
    const { id } = message;
    const listen: Listen = { stop: new AbortController(), passed: false };
    const { signal } = listen.stop;
    this.#end(id);
    this.#listens.set(id, listen);
    try {
      await this.#follow(uris, signal);
      if (signal.aborted) return;
      listen.passed = true;
      this.onmessage?.(message);
    } catch (error) {
      // Nothing is answered to a canceled request.
      if (signal.aborted) return;
      this.#end(id);
      await this.#inner.send({ jsonrpc: '2.0', id, error: rpcError(error) }).catch(() => undefined);
    }
  }

  /** Ends what the message cancels; true when the SDK knows nothing of it. */
  #cancelsUnseen(message: JSONRPCMessage): boolean {
    const id = canceledRequest(message);
    const listen = id === undefined ? undefined : this.#listens.get(id);
    if (id === undefined || listen === undefined) return false;
    this.#end(id);
    return !listen.passed;
  }

  #end(id: RequestId): void {
    this.#listens.get(id)?.stop.abort(new OutriggerError('CANCELED', 'The request to listen is over.'));
    this.#listens.delete(id);
  }

  start(): Promise<void> {
    return this.#inner.start();
  }

  /** From now on what is sent counts as taken: the SDK says farewell, and would wait for a reader that may never come. */
  stopWaiting(): void {
    this.#waits = false;
  }

  send(message: JSONRPCMessage): Promise<void> {
    // A request to listen is only answered when it is over.
    if (!('method' in message) && message.id !== undefined) this.#end(message.id);
    const sent = this.#inner.send(message);
    if (this.#waits) return sent;
    sent.catch(() => undefined);
    return Promise.resolve();
  }

  close(): Promise<void> {
    return this.#inner.close();
  }
}
