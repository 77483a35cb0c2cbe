import {
  createMcpHandler,
  InMemoryServerEventBus,
  isInitializeRequest,
  isJsonContentType,
  isLegacyRequest,
  type ServerEventBus,
} from '@modelcontextprotocol/server';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Caller } from '../../contract/access.ts';
import { type Clock, nodeClock } from '../../net/timers.ts';
import { listenedUris } from './listened-uris.ts';
import { rpcError } from './mcp-call.ts';
import type { McpPeer } from './mcp-server.ts';
import { omitNullParams } from './omitted-params.ts';
import { defaultSessionLimits, McpSession, McpSessions, type SessionLimits } from './sessions.ts';
import { sendWebResponse, webRequest } from './web-exchange.ts';
import { readJson } from '../../core/json-text.ts';

export interface McpEndpointDependencies {
  /** A server of its own for each session, and for each request of clients without sessions. */
  open: (caller: Caller) => McpPeer;
  clock?: Clock;
}

export interface McpEndpointOptions {
  sessions?: Partial<SessionLimits>;
}

/**
 * MCP's Streamable HTTP. Clients of 2025-11-25 and older have sessions
 * (https://modelcontextprotocol.io/specification/2025-11-25/basic/transports#streamable-http); requests of 2026-07-28 stand each
 * for itself.
 */
export class McpEndpoint {
  readonly #deps: McpEndpointDependencies;
  readonly #sessions: McpSessions;
  /** Exchanges of clients without sessions that are under way. */
  readonly #exchanges = new Set<() => Promise<void>>();

  constructor(dependencies: McpEndpointDependencies, options: McpEndpointOptions = {}) {
    this.#deps = dependencies;
    this.#sessions = new McpSessions(dependencies.clock ?? nodeClock, { ...defaultSessionLimits, ...options.sessions });
  }

  /** How many sessions are open. */
  get sessions(): number {
    return this.#sessions.size;
  }

  /** Ends sessions, their streams and their calls. May be called twice. */
  async close(): Promise<void> {
    await Promise.all([this.#sessions.close(), ...[...this.#exchanges].map((end) => end())]);
  }

  /** Answers the body, or undefined where it has taken the response over. Throws TOO_MANY. */
  async handle(request: FastifyRequest, reply: FastifyReply, caller: Caller): Promise<string | undefined> {
    const web = webRequest(request, reply);
    if (request.method !== 'POST') return this.#inSession(reply, web, caller, undefined);
    if (!isJsonContentType(web.headers.get('content-type')))
      return refuse(reply, 415, { code: -32_000, message: 'Unsupported Media Type: Content-Type must be application/json' });
    const body = parsed(request.body);
    if (body === undefined) return refuse(reply, 400, { code: -32_700, message: 'Parse error: Invalid JSON' });
    if (!(await isLegacyRequest(web, body))) return this.#alone(reply, web, caller, body);
    if (isInitializeRequest(body) && !web.headers.has('mcp-session-id')) return this.#initialize(reply, web, caller, body);
    return this.#inSession(reply, web, caller, body);
  }

  async #initialize(reply: FastifyReply, web: Request, caller: Caller, body: unknown): Promise<string | undefined> {
    const session = new McpSession(caller, this.#deps.open(caller));
    this.#sessions.add(session);
    await session.connect();
    session.transport.onclose = chain(session.transport.onclose, () => {
      this.#sessions.remove(session);
      void session.close();
    });
    const response = await session.transport.handleRequest(web, { parsedBody: body });
    // A header was wrong; the client will begin anew.
    if (!response.ok) await session.close();
    return this.#send(reply, session, response);
  }

  async #inSession(reply: FastifyReply, web: Request, caller: Caller, body: unknown): Promise<string | undefined> {
    const id = web.headers.get('mcp-session-id');
    if (id === null) return refuse(reply, 400, { code: -32_000, message: 'Bad Request: Mcp-Session-Id header is required' });
    const session = this.#sessions.find(id, caller);
    if (session === undefined) return refuse(reply, 404, { code: -32_001, message: 'Session not found' });
    const response = await session.transport.handleRequest(web, body === undefined ? {} : { parsedBody: body });
    if (web.method !== 'GET' || !response.ok) return this.#send(reply, session, response);
    const leave = session.hear();
    try {
      return await this.#send(reply, session, response);
    } finally {
      leave();
    }
  }

  async #send(reply: FastifyReply, session: McpSession, response: Response): Promise<string | undefined> {
    const release = this.#sessions.use(session);
    try {
      return await sendWebResponse(reply, response, (by) => void (session.stalled += by));
    } finally {
      release();
    }
  }

  /** One request of revision 2026-07-28: a server for it alone, gone with its answer. */
  async #alone(reply: FastifyReply, web: Request, caller: Caller, body: unknown): Promise<string | undefined> {
    const peer = this.#deps.open(caller);
    const bus = new InMemoryServerEventBus();
    let stalled = 0;
    peer.reader = busReader(bus, () => stalled > 0);
    const handler = createMcpHandler(() => peer.server, { legacy: 'reject', bus });
    const end = (): Promise<void> => {
      peer.release();
      return handler.close();
    };
    const uris = listenedUris(body);
    // A call is ended by its token already, and says so in its answer.
    const ended = uris === undefined ? undefined : caller.ended;
    const endNow = (): void => void end();
    this.#exchanges.add(end);
    ended?.addEventListener('abort', endNow);
    try {
      if (uris !== undefined) {
        try {
          await peer.follow(uris, web.signal);
        } catch (error) {
          return refuse(reply, 200, rpcError(error), (body as { id?: unknown }).id);
        }
      }
      const response = await handler.fetch(web, { parsedBody: body });
      return await sendWebResponse(reply, response, (by) => void (stalled += by));
    } finally {
      ended?.removeEventListener('abort', endNow);
      this.#exchanges.delete(end);
      await end();
    }
  }
}

function busReader(bus: ServerEventBus, congested: () => boolean): McpPeer['reader'] {
  return {
    updated: (uri) => bus.publish({ kind: 'resource_updated', uri }),
    listChanged: () => bus.publish({ kind: 'resources_list_changed' }),
    congested,
  };
}

function parsed(text: unknown): unknown {
  try {
    return omitNullParams(readJson(String(text)));
  } catch {
    // Answered as JSON-RPC's parse error.
    return undefined;
  }
}

function chain(first: (() => void) | undefined, then: () => void): () => void {
  return () => {
    first?.();
    then();
  };
}

function refuse(reply: FastifyReply, status: number, error: { code: number; message: string; data?: unknown }, id: unknown = null): string {
  reply.code(status).header('content-type', 'application/json');
  return JSON.stringify({ jsonrpc: '2.0', error, id });
}
