import { HocuspocusProvider, HocuspocusProviderWebsocket } from '@hocuspocus/provider';
import { WebSocket } from 'ws';
import * as Y from 'yjs';
import { eventually } from './eventually.ts';

/** A person with the stock provider of the npm package @hocuspocus/provider. */
export interface HocuspocusClient {
  text: Y.Text;
  provider: HocuspocusProvider;
  /** Why its documents were refused or closed, in order. */
  refusals: string[];
  closes: string[];
  /** Resolves when the provider has synced and all of its own is stored. */
  synced(): Promise<void>;
  destroy(): void;
}

export interface CollabSocket {
  /** Close codes seen so far. */
  closes: number[];
  socket: HocuspocusProviderWebsocket;
  open(name: string, options?: { token?: string | (() => string); sessionAwareness?: boolean; ydoc?: Y.Doc }): HocuspocusClient;
  /** Ends the socket without a word, as a bad network does; the provider comes back by itself. */
  cut(): void;
  destroy(): void;
}

/** A socket for documents. `query`: what comes with its upgrade, e.g. `?token=…`. */
export function openCollab(url: string, { token = '', query = '' }: { token?: string; query?: string } = {}): CollabSocket {
  const closes: number[] = [];
  class NotedSocket extends WebSocket {
    constructor(address: string | URL, protocols?: string | string[]) {
      super(address, protocols);
      this.on('close', (code) => closes.push(code));
      this.on('error', () => undefined);
    }
  }
  const socket = new HocuspocusProviderWebsocket({
    url: `${url.replace(/^http/, 'ws')}/collab${query}`,
    WebSocketPolyfill: NotedSocket,
    delay: 50,
    minDelay: 50,
    maxDelay: 200,
  });
  const clients: HocuspocusClient[] = [];
  return {
    closes,
    socket,
    open(name, { token: own = token, sessionAwareness = false, ydoc = new Y.Doc() } = {}) {
      const [refusals, closed]: string[][] = [[], []];
      const provider = new HocuspocusProvider({
        websocketProvider: socket,
        name,
        document: ydoc,
        token: own,
        sessionAwareness,
        onAuthenticationFailed: ({ reason }) => refusals?.push(reason),
        onClose: ({ event }) => closed?.push(event.reason),
      });
      provider.attach();
      const client: HocuspocusClient = {
        text: ydoc.getText('content'),
        provider,
        refusals: refusals ?? [],
        closes: closed ?? [],
        synced: () => eventually(() => provider.synced && !provider.hasUnsyncedChanges, 10_000),
        destroy: () => {
          provider.destroy();
          ydoc.destroy();
        },
      };
      clients.push(client);
      return client;
    },
    cut: () => (socket.webSocket as unknown as WebSocket | null)?.terminate(),
    destroy: () => {
      for (const client of clients) client.destroy();
      socket.destroy();
    },
  };
}
