import type { FastifyInstance } from 'fastify';
import type { Caller } from '../../contract/access.ts';
import type { Dispatch } from '../../contract/dispatch.ts';
import { closeCodes } from '../../contract/wire.ts';
import type { TextSocket } from '../../net/text-socket.ts';
import type { Upgrade, UpgradeRouter } from '../../net/upgrade.ts';
import type { WebSockets } from '../../net/websocket.ts';
import { FileNews } from './file-news.ts';
import { servePlatxaSocket } from './json-socket.ts';
import { serveOdooLog } from './odoo.ts';
import { type PlatxaCallerDependencies, type PlatxaCallerOptions, upgradingCaller } from './platxa-caller.ts';
import { registerPlatxaRoutes } from './rest.ts';

export interface PlatxaDependencies extends PlatxaCallerDependencies {
  dispatch: Dispatch;
  sockets: WebSockets;
  /** Told about failures that no OutriggerError explains. */
  onError: (error: unknown, requestId: string) => void;
  log: (event: string, facts: Record<string, unknown>) => void;
}

export interface PlatxaOptions extends PlatxaCallerOptions {
  /** Bytes of one message of a JSON socket; a longer one closes it with 1009. */
  maxMessageBytes: number;
  /** Of one JSON socket; more close it with 4003. */
  maxMessagesPerS: number;
}

export interface Platxa {
  /** REST at the root: /files, /git, /deploy, /install, /health, /ready. */
  routes(app: FastifyInstance): void;
  /** JSON frames on upgrades of `/`, lines of text on those of `/logs/odoo`. */
  upgrades(router: UpgradeRouter): void;
  /** Ends the JSON sockets: the sidecar stops. */
  close(): void;
}

/** The wire of the Platxa sidecar, mapped onto operations. docs/platxa.md describes it. */
export function createPlatxa(dependencies: PlatxaDependencies, options: PlatxaOptions): Platxa {
  const { dispatch, sockets, log } = dependencies;
  const news = new FileNews(dispatch);
  const open = new Set<TextSocket>();
  return {
    routes: (app) => registerPlatxaRoutes(app, dependencies, options),
    upgrades: (router) => {
      const accept = async (upgrade: Upgrade): Promise<{ caller: Caller; socket: TextSocket }> => {
        const { caller, protocol } = await upgradingCaller(upgrade, dependencies, options);
        const socket = sockets.acceptText(upgrade, { maxPayload: options.maxMessageBytes, protocol });
        open.add(socket);
        socket.onClose(() => open.delete(socket));
        return { caller, socket };
      };
      router.exact('/', async (upgrade) => {
        const { caller, socket } = await accept(upgrade);
        servePlatxaSocket(socket, { dispatch, news, caller, id: upgrade.requestId, log, now: () => performance.now() }, options);
      });
      router.exact('/logs/odoo', async (upgrade) => {
        const { caller, socket } = await accept(upgrade);
        serveOdooLog(socket, { dispatch, caller }, upgrade.requestId);
      });
    },
    close: () => {
      for (const socket of open) socket.close(closeCodes.goingAway, 'The sidecar is stopping.');
    },
  };
}
