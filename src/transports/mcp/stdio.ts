import type { Readable, Writable } from 'node:stream';
import type { JSONRPCMessage, JSONRPCRequest, Transport } from '@modelcontextprotocol/server';
import { serveStdio, StdioServerTransport } from '@modelcontextprotocol/server/stdio';
import type { Caller } from '../../contract/access.ts';
import type { Dispatch } from '../../contract/dispatch.ts';
import type { Table } from '../../contract/operation.ts';
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
}

export interface McpStdioConnection {
  /** Resolves when the input has ended or the output is gone. Calls under way are aborted then and not answered, as MCP has it. */
  readonly closed: Promise<void>;
  /** Ends the connection and the calls on it. May be called twice. */
  close(): Promise<void>;
}

const defaultMaxMessageBytes = 16 * 1024 * 1024;
/** So much may wait in the output before news are held back. */
const congestedBytes = 1024 * 1024;

/** MCP over a pair of streams, one JSON message a line (https://modelcontextprotocol.io/specification/2025-11-25/basic/transports#stdio). */
export function serveMcpStdio(dependencies: McpStdioDependencies, options: McpStdioOptions): McpStdioConnection {
  const { input, output } = dependencies;
  const peers = new Set<McpPeer>();
  const transport = new ListeningTransport(
    new StdioServerTransport(input, output, { maxBufferSize: options.maxMessageBytes ?? defaultMaxMessageBytes }),
    async (uris) => {
      for (const peer of peers) await peer.follow(uris);
    },
  );
  const handle = serveStdio(
    () => {
      const peer = createMcpServer({ ...dependencies, transport: 'mcp-stdio' }, options);
      peer.reader = { ...peer.reader, congested: () => output.writableLength > congestedBytes };
      peer.server.onclose = () => {
        peer.release();
        peers.delete(peer);
      };
      peers.add(peer);
      return peer.server;
    },
    { transport },
  );
  const closed = transport.closed.then(() => {
    for (const peer of peers) peer.release();
  });
  // The caller of a connection is one token for as long as it lasts.
  const close = (): Promise<void> => handle.close();
  dependencies.caller.ended?.addEventListener('abort', () => void close(), { once: true });
  output.once('close', () => void close());
  return { closed, close };
}

/**
 * The SDK's transport, with an ear for requests of revision 2026-07-28 that follow resources: the SDK answers them without asking
 * the server, and passes on what the server tells.
 */
class ListeningTransport implements Transport {
  readonly #inner: StdioServerTransport;
  readonly #follow: (uris: readonly string[]) => Promise<void>;
  readonly closed: Promise<void>;
  onclose?: () => void;
  onerror?: (error: Error) => void;
  onmessage?: (message: JSONRPCMessage) => void;

  constructor(inner: StdioServerTransport, follow: (uris: readonly string[]) => Promise<void>) {
    this.#inner = inner;
    this.#follow = follow;
    this.closed = new Promise((resolve) => {
      inner.onclose = () => {
        this.onclose?.();
        resolve();
      };
    });
    inner.onerror = (error) => this.onerror?.(error);
    inner.onmessage = (message) => {
      const uris = listenedUris(message);
      if (uris === undefined) this.onmessage?.(message);
      else void this.#answerListen(message as JSONRPCRequest, uris);
    };
  }

  /** What the SDK acknowledges must be followed already; what can't be followed it never sees. */
  async #answerListen(message: JSONRPCRequest, uris: readonly string[]): Promise<void> {
    try {
      await this.#follow(uris);
      this.onmessage?.(message);
    } catch (error) {
      await this.#inner.send({ jsonrpc: '2.0', id: message.id, error: rpcError(error) }).catch(() => undefined);
    }
  }

  start(): Promise<void> {
    return this.#inner.start();
  }

  send(message: JSONRPCMessage): Promise<void> {
    return this.#inner.send(message);
  }

  close(): Promise<void> {
    return this.#inner.close();
  }
}
