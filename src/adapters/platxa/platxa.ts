import type { FastifyInstance } from 'fastify';
import type { Dispatch } from '../../contract/dispatch.ts';
import { closeCodes } from '../../contract/wire.ts';
import type { TextSocket } from '../../net/text-socket.ts';
import type { UpgradeRouter } from '../../net/upgrade.ts';
import type { WebSockets } from '../../net/websocket.ts';
import { FileNews } from './file-news.ts';
import { servePlatxaSocket } from './json-socket.ts';
import { type PlatxaCallerDependencies, type PlatxaCallerOptions, upgradingCaller } from './platxa-caller.ts';
import { registerPlatxaRoutes } from './rest.ts';

export interface PlatxaDependencies extends PlatxaCallerDependencies {
  dispatch: Dispatch;
  sockets: WebSockets;
  /** Told about failures that no OutriggerError explains. */
  onError: (error: unknown, requestId: string) => void;
}

export interface PlatxaOptions extends PlatxaCallerOptions {
  /** Bytes of one message of a JSON socket; a longer one closes it with 1009. */
  maxMessageBytes: number;
  /** Of one JSON socket; more close it with 4003. */
  maxMessagesPerS: number;
}

export interface Platxa {
  /** REST at the root: /files, /git, /health, /ready. */
  routes(app: FastifyInstance): void;
  /** JSON frames on upgrades of `/`. */
  upgrades(router: UpgradeRouter): void;
  /** Ends the JSON sockets: the sidecar stops. */
  close(): void;
}

/** The wire of the Platxa sidecar, mapped onto operations. docs/platxa.md describes it. */
export function createPlatxa(dependencies: PlatxaDependencies, options: PlatxaOptions): Platxa {
  const { dispatch, sockets } = dependencies;
  const news = new FileNews(dispatch);
  const open = new Set<TextSocket>();
  return {
    routes: (app) => registerPlatxaRoutes(app, dependencies, options),
    upgrades: (router) =>
      router.exact('/', async (upgrade) => {
        const { caller, protocol } = await upgradingCaller(upgrade, dependencies, options);
        const socket = sockets.acceptText(upgrade, { maxPayload: options.maxMessageBytes, protocol });
        open.add(socket);
        socket.onClose(() => open.delete(socket));
        servePlatxaSocket(socket, { dispatch, news, caller, now: () => performance.now() }, options);
      }),
    close: () => {
      for (const socket of open) socket.close(closeCodes.goingAway, 'The sidecar is stopping.');
    },
  };
}
