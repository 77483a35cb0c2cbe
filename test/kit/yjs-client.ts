import { WebSocket } from 'ws';
import { WebsocketProvider } from 'y-websocket';
import * as Y from 'yjs';
import { eventually } from './eventually.ts';

/** A person with the stock provider of the npm package y-websocket. */
export interface YjsClient {
  ydoc: Y.Doc;
  text: Y.Text;
  provider: WebsocketProvider;
  /** Close codes seen so far. */
  closes: number[];
  /** Resolves when the provider has synced. */
  synced(): Promise<void>;
  /** Ends the socket without a word, as a bad network does; the provider comes back by itself. */
  cut(): void;
  destroy(): void;
}

export interface YjsClientOptions {
  token: string;
  room: string;
  /** What comes before the room, e.g. `/ws/doc`. */
  base?: string;
  ydoc?: Y.Doc;
  connect?: boolean;
  name?: string;
}

export function openYjsClient(
  url: string,
  { token, room, base = '/ws/doc', ydoc = new Y.Doc(), connect = true, name }: YjsClientOptions,
): YjsClient {
  const closes: number[] = [];
  class NotedSocket extends WebSocket {
    constructor(address: string | URL, protocols?: string | string[]) {
      super(address, protocols);
      this.on('close', (code) => closes.push(code));
      this.on('error', () => undefined);
    }
  }
  const provider = new WebsocketProvider(url.replace(/^http/, 'ws') + base, room, ydoc, {
    WebSocketPolyfill: NotedSocket as never,
    params: { token },
    disableBc: true,
    maxBackoffTime: 200,
    connect,
  });
  if (name !== undefined) provider.awareness.setLocalStateField('user', { name, color: '#005b8a' });
  return {
    ydoc,
    text: ydoc.getText('content'),
    provider,
    closes,
    synced: () => eventually(() => provider.synced, 10_000),
    cut: () => (provider.ws as unknown as WebSocket | null)?.terminate(),
    destroy: () => {
      provider.destroy();
      ydoc.destroy();
    },
  };
}
