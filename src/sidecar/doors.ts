import type { FastifyInstance } from 'fastify';
import type { Dispatch } from '../contract/dispatch.ts';
import { OutriggerError } from '../contract/errors.ts';
import type { Table } from '../contract/operation.ts';
import { closeCodes } from '../contract/wire.ts';
import type { CodeApi } from '../adapters/code-api/code-api.ts';
import type { Config } from '../config/options.ts';
import type { Authenticate } from '../net/credentials.ts';
import { createHttpApp, refuseRequests } from '../net/http-app.ts';
import { Listener, notListening, urlHost } from '../net/listener.ts';
import type { OriginPolicy } from '../net/origin.ts';
import { UpgradeRouter } from '../net/upgrade.ts';
import { WebSockets } from '../net/websocket.ts';
import { registerOperations } from '../transports/http/http.ts';
import { registerMcp } from '../transports/mcp/http.ts';
import { createWebSocketRpc } from '../transports/ws/ws.ts';
import type { Callers } from './callers.ts';
import type { Health } from './health.ts';
import type { Log } from './log.ts';
import { registerPages } from './pages.ts';
import { RequestCounts } from './request-counts.ts';
import { UnavailableError } from './unavailable.ts';
import { version } from './version.ts';

export interface DoorsDependencies {
  /** Of the workspace, where programs run: an absolute path. */
  root: string;
  /** Why nothing can be written here. */
  readOnly: string | undefined;
  dispatch: Dispatch;
  table: Table;
  /** Whether an operation is to be had here. */
  offers: (name: string) => boolean;
  callers: Callers;
  health: Health;
  log: Log;
  /** Folder of the built workbench, where it is shown. */
  workbench: string | undefined;
  /** A port that is taken is no reason to fail. */
  anyPort: boolean;
  /** The text of /metrics. */
  metrics: (connections: number) => string;
  onRelease: (name: string, release: () => void | Promise<void>) => void;
}

export interface Doors {
  readonly url: string;
  /** Of the second port, when there is one. */
  readonly socketUrl: string | undefined;
  /** Of the runner API, when it has a port. */
  readonly runnerUrl: string | undefined;
  /** Of the wire of E2B, when it has a port. */
  readonly e2bUrl: string | undefined;
  connections(): number;
  /** Tells who is connected that the sidecar stops. */
  announceStop(graceMs: number): void;
  closeSockets(): void;
}

/** All that listens, and what speaks there: HTTP, RPC, documents, the Platxa shapes, the page. Throws UnavailableError when a port can't be had. */
export async function openDoors(dependencies: DoorsDependencies, config: Config): Promise<Doors> {
  const { dispatch, table, offers, callers, health, log, onRelease } = dependencies;
  const authenticate: Authenticate = (credentials) =>
    credentials.from === 'cookie' ? callers.byCookie(credentials.token) : callers.byToken(credentials.token);
  const onError = (error: unknown, requestId: string): void => log('error', 'http.failed', { requestId, error });
  const sockets = new WebSockets({
    pingMs: config['limits.heartbeatMs'],
    staleMs: config['limits.heartbeatMs'] * 2,
    maxConnections: config['limits.connections'],
  });
  onRelease('sockets', () => sockets.close(closeCodes.goingAway, 'The sidecar is stopping.', 1000));
  const policy = (): OriginPolicy => ({
    boundHost: config.host,
    allowedHosts: config.allowedHosts,
    allowedOrigins: config.allowedOrigins,
  });
  const access = { authenticate };
  const named = { cookieName: callers.cookieName };
  const listener = new Listener({ host: config.host, port: config.port, nextPorts: dependencies.anyPort ? 100 : 0 });
  const app = createHttpApp({ listener, policy, onError }, { maxInputBytes: config['limits.inputBytes'] });
  const { default: rateLimit } = await import('@fastify/rate-limit');
  const limitRate = async (limited: FastifyInstance): Promise<void> => {
    await limited.register(rateLimit, {
      global: false,
      max: config['limits.requestsPerMinute'],
      timeWindow: 60_000,
      store: RequestCounts,
      errorResponseBuilder: () => new OutriggerError('TOO_MANY', 'Too many requests from this address.'),
    });
    // Not route by route, where it would come after those hooks that ask who it is: who is refused there counts too.
    limited.addHook('onRequest', limited.rateLimit());
  };
  await limitRate(app);
  registerOperations(
    app,
    { dispatch, table, ...access },
    { prefix: '/api', ...named, maxUploadBytes: config['limits.uploadBytes'], title: 'Outrigger', version },
  );
  const mcp = registerMcp(
    app,
    { dispatch, table, offers, ...access },
    { path: '/mcp', ...named, version, readOnly: dependencies.readOnly },
  );
  const router = new UpgradeRouter({ policy, onError: (error, where) => log('error', 'upgrade.failed', { path: where, error }) });
  const rpc = createWebSocketRpc({ dispatch, sockets, ...access }, { ...named, limits: { maxFrameLength: config['limits.frameBytes'] } });
  router.exact('/rpc', rpc.upgrade);
  refuseRequests(app, '/rpc');
  const socketRouters = [router];
  if (config.wsPort !== undefined)
    socketRouters.push(new UpgradeRouter({ policy, onError: (error, where) => log('error', 'upgrade.failed', { path: where, error }) }));
  const { createPlatxa } = await import('../adapters/platxa/platxa.ts');
  const platxa = createPlatxa(
    { dispatch, sockets, onError, log: (event, facts) => log('info', event, facts), ...access },
    {
      ...named,
      anonymous: config['anonymous.platxa'],
      maxMessageBytes: config['limits.frameBytes'],
      maxMessagesPerS: config['limits.jsonMessagesPerS'],
    },
  );
  platxa.routes(app);
  for (const one of socketRouters) platxa.upgrades(one);
  let codeApi: CodeApi | undefined;
  if (config.components.includes('code')) {
    const { createCodeApi } = await import('../adapters/code-api/code-api.ts');
    codeApi = createCodeApi({ dispatch, onError, ...access }, { version, maxUploadBytes: config['limits.uploadBytes'] });
    codeApi.routes(app);
  }
  if (config.components.includes('documents')) {
    const { routeYWebsocket } = await import('../adapters/y-websocket/y-websocket.ts');
    const options = { ...named, maxMessageBytes: config['limits.documentFrameBytes'] };
    refuseRequests(app, '/collab');
    for (const one of socketRouters) {
      routeYWebsocket(one, { dispatch, sockets, ...access }, options);
      // Read when somebody comes: few do.
      one.exact('/collab', async (upgrade) => {
        const { acceptHocuspocus } = await import('../adapters/hocuspocus/hocuspocus.ts');
        await acceptHocuspocus(upgrade, { dispatch, sockets, ...access }, options);
      });
    }
  }
  const connections = (): number => listener.connections;
  registerPages(
    app,
    {
      health,
      callers,
      authenticate,
      metrics: () => dependencies.metrics(connections()),
    },
    { workbench: dependencies.workbench, secureCookie: config.tls === 'terminated' },
  );
  await app.ready();
  listener.onUpgrade(router.handle);

  // ── open the doors
  const listening = await listener.bind();
  if (!listening.ok) throw new UnavailableError(notListening(config.host, listening, '--port'));
  onRelease('listener', () => listener.close(200));
  onRelease('mcp', () => mcp.close());
  let socketUrl: string | undefined;
  if (config.wsPort !== undefined) {
    const second = await listenForSockets(config, socketRouters[1]);
    onRelease('second listener', () => second.listener.close(200));
    socketUrl = second.url;
  }
  let runnerUrl: string | undefined;
  if (config.runnerPort !== undefined && config.components.includes('code')) {
    const { openRunner } = await import('./runner-door.ts');
    const runner = await openRunner({ dispatch, authenticate, policy, onError, limitRate, ...named }, config);
    onRelease('runner listener', () => runner.listener.close(200));
    runnerUrl = runner.url;
  }
  let e2bUrl: string | undefined;
  if (config.e2bPort !== undefined) {
    const { openE2b } = await import('./e2b-door.ts');
    const e2b = await openE2b(
      { dispatch, authenticate, policy, onError, limitRate, signingToken: () => callers.mainToken, root: dependencies.root },
      config,
    );
    onRelease('E2B listener', () => e2b.close());
    e2bUrl = e2b.url;
  }
  return {
    url: listening.url,
    socketUrl,
    runnerUrl,
    e2bUrl,
    connections,
    announceStop: (graceMs) => {
      rpc.broadcast('closing', { graceMs });
      codeApi?.close();
    },
    closeSockets: () => {
      rpc.close();
      platxa.close();
    },
  };
}

async function listenForSockets(config: Config, router: UpgradeRouter | undefined): Promise<{ listener: Listener; url: string }> {
  const listener = new Listener({ host: config.host, port: config.wsPort ?? 0 });
  listener.onRequest((_request, response) => {
    response.writeHead(426, { 'content-type': 'application/json', upgrade: 'websocket', connection: 'close' });
    response.end(
      JSON.stringify({
        code: 'failed_precondition',
        reason: 'UPGRADE_REQUIRED',
        message: 'This port speaks WebSocket alone.',
        retryable: false,
      }),
    );
  });
  if (router !== undefined) listener.onUpgrade(router.handle);
  const listening = await listener.bind();
  if (!listening.ok) throw new UnavailableError(notListening(config.host, listening, '--ws-port'));
  return { listener, url: `ws://${urlHost(config.host)}:${listening.port}` };
}
