import { PassThrough } from 'node:stream';
import { Client, type ClientOptions, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';
import { StdioServerTransport } from '@modelcontextprotocol/server/stdio';
import type { FastifyInstance } from 'fastify';
import type { Caller } from '../../src/contract/access.ts';
import type { Dispatch } from '../../src/contract/dispatch.ts';
import { OutriggerError } from '../../src/contract/errors.ts';
import type { Table } from '../../src/contract/operation.ts';
import type { Authenticate } from '../../src/net/credentials.ts';
import { createHttpApp } from '../../src/net/http-app.ts';
import { Listener } from '../../src/net/listener.ts';
import type { OriginPolicy } from '../../src/net/origin.ts';
import type { Clock } from '../../src/net/timers.ts';
import type { SessionLimits } from '../../src/transports/mcp/sessions.ts';
import type { McpHttp } from '../../src/transports/mcp/mcp-path.ts';
import { registerMcp } from '../../src/transports/mcp/http.ts';
import type { McpServerOptions } from '../../src/transports/mcp/mcp-server.ts';
import { serveMcpStdio } from '../../src/transports/mcp/stdio.ts';

export const mcpToken = 'mcp-token-of-the-tests-0123456789';

const owner: Caller = { id: 'mcp-owner', name: 'Owner', kind: 'agent', access: 'admin' };

export interface McpFixture {
  url: string;
  port: number;
  mcp: McpHttp;
  errors: unknown[];
  /** An official client with this token, connected; closed at the end. */
  connect(token?: string, options?: ClientOptions): Promise<Client>;
}

export interface McpFixtureOptions {
  callers?: Record<string, Caller>;
  policy?: Partial<OriginPolicy>;
  sessions?: Partial<SessionLimits>;
  server?: Partial<McpServerOptions>;
  clock?: Clock;
  /** Registers another endpoint in place of the product's. */
  register?: (app: FastifyInstance, authenticate: Authenticate) => McpHttp;
}

/** A real listener on a free port with MCP behind it; all is closed when `run` ends. */
export async function withMcp(
  { dispatch, table }: { dispatch: Dispatch; table: Table },
  run: (fixture: McpFixture) => Promise<void>,
  options: McpFixtureOptions = {},
): Promise<void> {
  const errors: unknown[] = [];
  const clients: Client[] = [];
  const callers: Record<string, Caller> = { [mcpToken]: owner, ...options.callers };
  const authenticate: Authenticate = ({ token }) => {
    if (token === undefined) throw new OutriggerError('NO_TOKEN', 'No token came with the request.');
    const caller = callers[token];
    if (caller === undefined) throw new OutriggerError('BAD_TOKEN', 'That token is none of ours.');
    if (caller.ended?.aborted === true) throw caller.ended.reason as OutriggerError;
    return caller;
  };
  const listener = new Listener({ host: '127.0.0.1', port: 0 });
  const policy = (): OriginPolicy => ({ boundHost: '127.0.0.1', allowedHosts: [], allowedOrigins: [], ...options.policy });
  const app = createHttpApp({ listener, policy, onError: (error) => errors.push(error) }, { maxInputBytes: 16 * 1024 * 1024 });
  const mcp =
    options.register?.(app, authenticate) ??
    registerMcp(
      app,
      { dispatch, table, authenticate, ...(options.clock === undefined ? {} : { clock: options.clock }) },
      { path: '/mcp', cookieName: 'outrigger_test', version: '1.2.3', sessions: options.sessions ?? {}, ...options.server },
    );
  await app.ready();
  const listening = await listener.bind();
  if (!listening.ok) throw new Error(listening.message);
  const url = `${listening.url}/mcp`;
  const connect = async (token = mcpToken, clientOptions: ClientOptions = {}): Promise<Client> => {
    const client = new Client({ name: 'tests', version: '1.0.0' }, clientOptions);
    clients.push(client);
    const headers = { authorization: `Bearer ${token}` };
    await client.connect(new StreamableHTTPClientTransport(new URL(url), { requestInit: { headers } }));
    return client;
  };
  try {
    await run({ url, port: listening.port, mcp, errors, connect });
  } finally {
    for (const client of clients) await client.close();
    await mcp.close();
    await listener.close(100);
    await app.close();
  }
}

export interface McpStdioFixture {
  client: Client;
  /** What the client sends, and what it hears. */
  input: PassThrough;
  output: PassThrough;
  closed: Promise<void>;
}

/** An official client at the other end of a pair of streams; lines of JSON are the same in both directions. */
export async function withMcpStdio(
  { dispatch, table }: { dispatch: Dispatch; table: Table },
  run: (fixture: McpStdioFixture) => Promise<void>,
  { caller = owner, client: clientOptions = {} }: { caller?: Caller; client?: ClientOptions } = {},
): Promise<void> {
  const [input, output] = [new PassThrough(), new PassThrough()];
  const connection = serveMcpStdio({ dispatch, table, caller, input, output }, { version: '1.2.3' });
  const client = new Client({ name: 'tests', version: '1.0.0' }, clientOptions);
  try {
    await client.connect(new StdioServerTransport(output, input));
    await run({ client, input, output, closed: connection.closed });
  } finally {
    await client.close();
    await connection.close();
    await connection.closed;
  }
}
