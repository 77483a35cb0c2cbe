import type { FastifyInstance } from 'fastify';
import { OutriggerError } from '../../contract/errors.ts';
import { askBeforeLongBodies, type AuthenticateDependencies, type AuthenticateOptions, requestCaller } from '../../net/authenticate.ts';
import { refuseOtherMethods } from '../../net/http-app.ts';
import { utf8Text } from '../../net/json-body.ts';
import type { McpEndpoint } from './endpoint.ts';

export interface McpPathOptions extends AuthenticateOptions {
  /** e.g. `/mcp` */
  path: string;
}

export interface McpHttp {
  /** How many sessions are open. */
  readonly sessions: number;
  /** Ends sessions, their streams and their calls, and refuses what comes after. May be called twice. */
  close(): Promise<void>;
}

const methods = ['GET', 'POST', 'DELETE'];

/**
 * Routes a path to an endpoint, which is loaded with the first request that has a token: the SDK takes a good part of a start.
 * Host, Origin and the token are checked before, as for every other path of the application.
 */
export function registerMcpPath(
  app: FastifyInstance,
  dependencies: AuthenticateDependencies,
  options: McpPathOptions,
  load: () => Promise<McpEndpoint>,
): McpHttp {
  let loading: Promise<McpEndpoint> | undefined;
  let endpoint: McpEndpoint | undefined;
  let closed = false;
  app.register(async (scope) => {
    scope.removeAllContentTypeParsers();
    askBeforeLongBodies(scope, (request) => requestCaller(request, dependencies, options));
    // What is wrong with a body is said as JSON-RPC has it.
    scope.addContentTypeParser('*', { parseAs: 'buffer' }, (_request, bytes, done) => {
      const text = utf8Text(bytes as Buffer);
      if (text === undefined) done(new OutriggerError('BAD_INPUT', 'The body is not UTF-8.'));
      else done(null, text);
    });
    scope.route({
      method: methods,
      url: options.path,
      handler: async (request, reply) => {
        const caller = await requestCaller(request, dependencies, options);
        endpoint ??= await (loading ??= load());
        if (closed) throw new OutriggerError('STOPPING', 'The sidecar is stopping.');
        reply.header('cache-control', 'no-store');
        return endpoint.handle(request, reply, caller);
      },
    });
    refuseOtherMethods(scope, options.path, methods);
  });
  return {
    get sessions() {
      return endpoint?.sessions ?? 0;
    },
    async close() {
      closed = true;
      // What could not be loaded was told to whoever asked for it, and has nothing to end.
      await (await loading?.catch(() => undefined))?.close();
    },
  };
}
