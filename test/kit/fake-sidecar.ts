import type { FastifyInstance } from 'fastify';
import type { Caller } from '../../src/contract/access.ts';
import { OutriggerError, type WireError } from '../../src/contract/errors.ts';
import type { Table } from '../../src/contract/operation.ts';
import type { Dispatch } from '../../src/contract/dispatch.ts';
import type { Credentials } from '../../src/net/credentials.ts';
import { Listener, type ListenerOptions } from '../../src/net/listener.ts';
import type { OriginPolicy } from '../../src/net/origin.ts';
import type { Clock } from '../../src/net/timers.ts';
import { UpgradeRouter } from '../../src/net/upgrade.ts';
import { WebSockets, type WebSocketsOptions } from '../../src/net/websocket.ts';
import { registerOperations } from '../../src/transports/http/http.ts';
import { createHttpApp } from '../../src/net/http-app.ts';
import { createWebSocketRpc, type WebSocketRpc } from '../../src/transports/ws/ws.ts';
import type { PeerLimits } from '../../src/core/peer.ts';
import { createFakes, fakeCaller, fakeTable, type Fakes } from './fake-operations.ts';

export const fakeToken = 'token-of-the-tests-0123456789';
export const readToken = 'reader-of-the-tests-0123456789';

export interface FakeSidecar extends Fakes {
  url: string;
  port: number;
  app: FastifyInstance;
  router: UpgradeRouter;
  sockets: WebSockets;
  rpc: WebSocketRpc;
  listener: Listener;
  errors: unknown[];
}

export interface FakeSidecarOptions {
  listener?: Partial<ListenerOptions>;
  policy?: Partial<OriginPolicy>;
  sockets?: Partial<WebSocketsOptions>;
  clock?: Clock;
  limits?: Partial<PeerLimits>;
  maxUploadBytes?: number;
  maxInputBytes?: number;
  callers?: Record<string, Caller>;
  /** The port to listen on; any free one when left out. */
  port?: number;
  /** What HTTP knows, for operations that only `dispatch` answers; the fakes when left out. */
  table?: Table;
  /** Answers in place of the fakes, or hands on to them. */
  dispatch?: (fakes: Dispatch) => Dispatch;
  prepare?: (sidecar: Omit<FakeSidecar, 'url' | 'port'>) => void;
}

/** A real listener on a free port with the fake operations behind HTTP and WebSocket RPC; all is closed when `run` ends. */
export async function withFakeSidecar(run: (sidecar: FakeSidecar) => Promise<void>, options: FakeSidecarOptions = {}): Promise<void> {
  const made = createFakes();
  const fakes = { ...made, dispatch: options.dispatch?.(made.dispatch) ?? made.dispatch };
  const errors: unknown[] = [];
  const callers: Record<string, Caller> = {
    [fakeToken]: fakeCaller,
    [readToken]: { ...fakeCaller, id: 'reader', name: 'Reader', access: 'read' },
    ...options.callers,
  };
  const authenticate = (credentials: Credentials): Caller => {
    if (credentials.token === undefined) throw new OutriggerError('NO_TOKEN', 'No token came with the request.');
    const caller = callers[credentials.token];
    if (caller === undefined) throw new OutriggerError('BAD_TOKEN', 'That token is none of ours.');
    return caller;
  };
  const listener = new Listener({ host: '127.0.0.1', port: options.port ?? 0, ...options.listener });
  const policy = (): OriginPolicy => ({ boundHost: '127.0.0.1', allowedHosts: [], allowedOrigins: [], ...options.policy });
  const app = createHttpApp(
    { listener, policy, onError: (error) => errors.push(error) },
    { maxInputBytes: options.maxInputBytes ?? 16 * 1024 * 1024 },
  );
  const sockets = new WebSockets(options.sockets, options.clock);
  const router = new UpgradeRouter({ policy, onError: (error) => errors.push(error) });
  registerOperations(
    app,
    { dispatch: fakes.dispatch, table: options.table ?? fakeTable, authenticate },
    { prefix: '/api', cookieName: 'outrigger_test', maxUploadBytes: options.maxUploadBytes ?? 1e9, title: 'Fake', version: '1.0.0' },
  );
  const rpc = createWebSocketRpc(
    { dispatch: fakes.dispatch, sockets, authenticate },
    { cookieName: 'outrigger_test', ...(options.limits === undefined ? {} : { limits: options.limits }) },
  );
  router.exact('/rpc', rpc.upgrade);
  options.prepare?.({ ...fakes, app, router, sockets, rpc, listener, errors });
  listener.onUpgrade(router.handle);
  await app.ready();
  const listening = await listener.bind();
  if (!listening.ok) throw new Error(listening.message);
  try {
    await run({ ...fakes, url: listening.url, port: listening.port, app, router, sockets, rpc, listener, errors });
  } finally {
    rpc.close();
    await sockets.close(1001, 'over', 500);
    await listener.close(100);
    await app.close();
  }
}

export const bearer = { authorization: `Bearer ${fakeToken}` };

/** Status and reason of an answer that is an error. */
export async function reason(response: Response | Promise<Response>): Promise<[status: number, reason: string]> {
  const answer = await response;
  return [answer.status, ((await answer.json()) as WireError).reason];
}
