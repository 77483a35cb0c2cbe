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

export type Wire = 'y-websocket' | 'hocuspocus' | 'hocuspocus shared';

/** All who are connected to one sidecar, some of them by a socket that carries many documents. */
export class Links {
  #shared: HocuspocusProviderWebsocket | undefined;

  open(wire: Wire, port: number, path: string, ydoc: Y.Doc): Link {
    if (wire === 'y-websocket') return new YWebsocketLink(port, path, ydoc);
    if (wire === 'hocuspocus') return new HocuspocusLink({ open: () => openSocket(port), isShared: false }, path, ydoc);
    this.#shared ??= openSocket(port);
    const shared = this.#shared;
    return new HocuspocusLink({ open: () => shared, isShared: true }, path, ydoc);
  }

  end(): void {
    this.#shared?.destroy();
  }
}

function openSocket(port: number): HocuspocusProviderWebsocket {
  return new HocuspocusProviderWebsocket({
    url: `ws://127.0.0.1:${port}/collab`,
    WebSocketPolyfill: QuietSocket,
    ...{ delay: 50, minDelay: 50, maxDelay: 200 },
  });
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

/** `isShared`: others are on the socket, perhaps in the same document. */
interface SocketOf {
  open: () => HocuspocusProviderWebsocket;
  isShared: boolean;
}

class HocuspocusLink implements Link {
  readonly #socketOf: SocketOf;
  readonly #ydoc: Y.Doc;
  #path: string;
  #open: { socket: HocuspocusProviderWebsocket; provider: HocuspocusProvider } | undefined;

  constructor(socketOf: SocketOf, path: string, ydoc: Y.Doc) {
    this.#socketOf = socketOf;
    this.#path = path;
    this.#ydoc = ydoc;
    this.comeBack();
  }

  get isSynced(): boolean {
    const provider = this.#open?.provider;
    return provider?.isAuthenticated === true && provider.synced && !provider.hasUnsyncedChanges;
  }

  get isAway(): boolean {
    return this.#open === undefined;
  }

  /** It has the path in each of its messages: for another it is opened anew, as an app does. */
  movedTo(path: string): void {
    this.#path = path;
    if (this.isAway) return;
    this.goAway();
    this.comeBack();
  }

  cut(): void {
    (this.#open?.socket.webSocket as unknown as WebSocket | null | undefined)?.terminate();
  }

  goAway(): void {
    this.#open?.provider.destroy();
    // It would tell the sidecar when it is back that the document was left, also where that was opened again meanwhile.
    if (!this.#socketOf.isShared) this.#open?.socket.destroy();
    this.#open = undefined;
  }

  comeBack(): void {
    if (this.#open !== undefined) return;
    const socket = this.#socketOf.open();
    const provider = new HocuspocusProvider({
      websocketProvider: socket,
      name: this.#path,
      document: this.#ydoc,
      token: processToken,
      sessionAwareness: this.#socketOf.isShared,
      // What is refused, or closed by itself, its provider does not ask for again.
      onAuthenticationFailed: () => this.#isShut(provider),
      onClose: ({ event }) => {
        if (event.code === 1000 && socket.webSocket?.readyState === WebSocket.OPEN) this.#isShut(provider);
      },
    });
    this.#open = { socket, provider };
    provider.attach();
  }

  destroy(): void {
    this.goAway();
  }

  #isShut(provider: HocuspocusProvider): void {
    setTimeout(() => {
      if (provider === this.#open?.provider) this.goAway();
    });
  }
}

/** While no sidecar runs, nobody answers. */
class QuietSocket extends WebSocket {
  constructor(address: string | URL, protocols?: string | string[]) {
    super(address, protocols);
    this.on('error', () => undefined);
  }
}
