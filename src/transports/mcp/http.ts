import type { FastifyInstance } from 'fastify';
import type { Caller } from '../../contract/access.ts';
import type { Dispatch } from '../../contract/dispatch.ts';
import type { Table } from '../../contract/operation.ts';
import type { AuthenticateDependencies } from '../../net/authenticate.ts';
import type { Clock } from '../../net/timers.ts';
import type { McpEndpointOptions } from './endpoint.ts';
import { type McpHttp, type McpPathOptions, registerMcpPath } from './mcp-path.ts';
import type { McpPeer, McpServerOptions } from './mcp-server.ts';

export interface McpHttpDependencies extends AuthenticateDependencies {
  dispatch: Dispatch;
  table: Table;
  /** Whether an operation is to be had here; all are when left out. */
  offers?: (name: string) => boolean;
  clock?: Clock;
}

export type McpHttpOptions = McpPathOptions & McpEndpointOptions & McpServerOptions;

/** The operations of the table as MCP tools, and the files of the workspace as its resources, at `options.path`. */
export function registerMcp(app: FastifyInstance, dependencies: McpHttpDependencies, options: McpHttpOptions): McpHttp {
  const { authenticate, clock, ...behind } = dependencies;
  return registerMcpPath(app, { authenticate }, options, async () => {
    const { McpEndpoint } = await import('./endpoint.ts');
    const { createMcpServer } = await import('./mcp-server.ts');
    const open = (caller: Caller): McpPeer => createMcpServer({ ...behind, caller, transport: 'mcp' }, options);
    return new McpEndpoint({ open, ...(clock === undefined ? {} : { clock }) }, options);
  });
}
