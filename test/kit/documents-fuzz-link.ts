// How somebody in the random test of documents is connected: by the stock provider of one npm package or of another.
import { HocuspocusProvider, HocuspocusProviderWebsocket } from '@hocuspocus/provider';
import { WebSocket } from 'ws';
import { WebsocketProvider } from 'y-websocket';
import type * as Y from 'yjs';
import { processToken } from './sidecar-process.ts';

/** A document on its way to and from the sidecar. Who loses the connection comes back by themselves. */
export interface Link {
  /** The sidecar knows all that they have, and they all of it. */
  readonly isSynced: boolean;
  /** By their own doing. */
  readonly isAway: boolean;
  /** The document is at `path` now. */
  movedTo(path: string): void;
  /** Cuts the socket as a bad network would. */
  cut(): void;
  goAway(): void;
  comeBack(): void;
  destroy(): void;
}

export type Wire = 'y-websocket' | 'hocuspocus';

export function openLink(wire: Wire, port: number, path: string, ydoc: Y.Doc): Link {
  return wire === 'hocuspocus' ? new HocuspocusLink(port, path, ydoc) : new YWebsocketLink(port, path, ydoc);
}

class YWebsocketLink implements Link {
  readonly #provider: WebsocketProvider;

  constructor(port: number, path: string, ydoc: Y.Doc) {
    this.#provider = new WebsocketProvider(`ws://127.0.0.1:${port}/ws/doc`, path, ydoc, {
      WebSocketPolyfill: WebSocket as never,
      params: { token: processToken },
      disableBc: true,
      maxBackoffTime: 200,
    });
  }

  get isSynced(): boolean {
    return this.#provider.wsconnected && this.#provider.synced;
  }

  get isAway(): boolean {
    return !this.#provider.shouldConnect;
  }

  movedTo(path: string): void {
    // Those who come back after a restart ask for the name they know; a page would follow the rename.
    this.#provider.roomname = path;
    if (!this.#provider.wsconnected) this.cut();
  }

  cut(): void {
    (this.#provider.ws as unknown as WebSocket | null)?.terminate();
  }

  goAway(): void {
    this.#provider.disconnect();
  }

  comeBack(): void {
    if (!this.#provider.wsconnected) this.#provider.connect();
  }

  destroy(): void {
    this.#provider.destroy();
  }
}

class HocuspocusLink implements Link {
  readonly #port: number;
  readonly #ydoc: Y.Doc;
  #path: string;
  #socket!: HocuspocusProviderWebsocket;
  #provider!: HocuspocusProvider;
  /** The document was refused or closed: its provider does not ask again by itself. */
  #isShut = false;
  #isAway = false;

  constructor(port: number, path: string, ydoc: Y.Doc) {
    this.#port = port;
    this.#path = path;
    this.#ydoc = ydoc;
    this.#open();
  }

  get isSynced(): boolean {
    return this.#provider.isAuthenticated && this.#provider.synced && !this.#provider.hasUnsyncedChanges;
  }

  get isAway(): boolean {
    return this.#isAway;
  }

  /** It has the path in each of its messages: for another it is made anew, as an app does. */
  movedTo(path: string): void {
    this.#path = path;
    this.destroy();
    this.#open();
  }

  cut(): void {
    (this.#socket.webSocket as unknown as WebSocket | null)?.terminate();
  }

  goAway(): void {
    this.#isAway = true;
    this.#socket.disconnect();
  }

  comeBack(): void {
    if (!this.#isAway && !this.#isShut) return;
    this.#isAway = false;
    this.destroy();
    this.#open();
  }

  destroy(): void {
    this.#provider.destroy();
    this.#socket.destroy();
  }

  #open(): void {
    this.#isShut = false;
    this.#socket = new HocuspocusProviderWebsocket({
      url: `ws://127.0.0.1:${this.#port}/collab`,
      WebSocketPolyfill: QuietSocket,
      autoConnect: !this.#isAway,
      ...{ delay: 50, minDelay: 50, maxDelay: 200 },
    });
    const provider = new HocuspocusProvider({
      websocketProvider: this.#socket,
      name: this.#path,
      document: this.#ydoc,
      token: processToken,
      onAuthenticationFailed: () => {
        this.#isShut ||= provider === this.#provider;
      },
      onClose: ({ event }) => {
        // Of the document alone; a socket's has a code of its own.
        if (provider === this.#provider && this.#socket.webSocket?.readyState === WebSocket.OPEN && event.code === 1000)
          this.#isShut = true;
      },
    });
    this.#provider = provider;
    provider.attach();
  }
}

/** While no sidecar runs, nobody answers. */
class QuietSocket extends WebSocket {
  constructor(address: string | URL, protocols?: string | string[]) {
    super(address, protocols);
    this.on('error', () => undefined);
  }
}
