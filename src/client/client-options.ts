import { maxTimerMs, type PeerTimers } from '../core/peer.ts';

/** The part of a WebSocket that is used; the browser's, Node's and that of `ws` have it. */
export interface ClientWebSocket {
  readonly readyState: number;
  readonly bufferedAmount: number;
  binaryType: string;
  onopen: ((event: never) => void) | null;
  onmessage: ((event: never) => void) | null;
  onclose: ((event: never) => void) | null;
  onerror: ((event: never) => void) | null;
  send(text: string): void;
  close(code?: number, reason?: string): void;
}

export interface ClientOptions {
  /** `http://host:port`, with a path before `/api` where a proxy adds one. */
  url: string;
  /** Left out in the page, whose cookie speaks for it. */
  token?: string | undefined;
  /** As whom the caller is told of in changes and programs, where several hold the token. */
  name?: string | undefined;
  /** What answers there, as failures call it; a sidecar when left out. */
  server?: 'sidecar' | 'hub' | undefined;
  fetch?: typeof globalThis.fetch | undefined;
  /** `undefined` on purpose: none, so that all goes over HTTP. */
  webSocket?: (new (url: string, protocols?: string[]) => ClientWebSocket) | undefined;
  /** Without a connection for so long, the state says offline. */
  offlineAfterMs?: number | undefined;
  /** A socket that is not open by then is an attempt that failed. */
  connectTimeoutMs?: number | undefined;
  /** How often a silent connection is tried, and how long an answer may take. A stream over HTTP says that it is quiet as often, in whole seconds. */
  pingMs?: number | undefined;
  pongMs?: number | undefined;
  /**
   * Between attempts to connect: full jitter below a bound that doubles from base to max. It begins anew after a connection, or a stream over HTTP, that
   * was of use for as long as max: what takes connections and cuts them at once is asked later and later.
   */
  backoff?: { baseMs: number; maxMs: number } | undefined;
  timers?: PeerTimers | undefined;
  /** Milliseconds since 1970. */
  now?: (() => number) | undefined;
  random?: (() => number) | undefined;
}

/** The timers that browsers and Node have in common. */
export const commonTimers: PeerTimers = {
  set: (run, ms) => setTimeout(run, Math.min(ms, maxTimerMs)),
  clear: (timer) => clearTimeout(timer as ReturnType<typeof setTimeout> | undefined),
  soon: (run) => {
    setTimeout(run, 0);
  },
};
