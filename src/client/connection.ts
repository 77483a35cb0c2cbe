import { OutriggerError, peerErrors, type WireError } from '../contract/errors.ts';
import { Backoff } from '../core/backoff.ts';
import { Emitter } from '../core/emitter.ts';
import { createJsonCodec } from '../core/json-codec.ts';
import { Peer, type PeerTimers } from '../core/peer.ts';
import { reportError } from '../core/report-error.ts';
import type { ClientWebSocket } from './client-options.ts';

export type ConnectionState =
  /** Nothing asked for it yet. */
  | { name: 'idle' }
  | { name: 'connecting' }
  | { name: 'live' }
  /** Lost; `retryAt` (milliseconds since 1970) is undefined while an attempt is under way. */
  | { name: 'reconnecting' | 'offline'; since: number; retryAt: number | undefined }
  /** The token is not taken, or was ended: trying again is no use before something changes. */
  | { name: 'refused'; error: OutriggerError }
  | { name: 'closed' };

export interface ConnectionEvents {
  state: ConnectionState;
  event: { event: string; data: unknown };
}

export interface ConnectionDependencies {
  open: () => ClientWebSocket;
  /** As the caller calls itself. */
  name: () => string | undefined;
  /** What is in the way, over HTTP; undefined when that answers: nothing tells why a WebSocket failed. */
  obstacle: () => Promise<OutriggerError | undefined>;
  /** Both go the same way: where HTTP does not get through, no WebSocket does. */
  sameWay: boolean;
  timers: PeerTimers;
  now: () => number;
  random: () => number;
}

export interface ConnectionOptions {
  /** As failures call it. */
  server: string;
  offlineAfterMs: number;
  connectTimeoutMs: number;
  pingMs: number;
  pongMs: number;
  backoff: { baseMs: number; maxMs: number };
}

type ClientPeer = Peer<WireError>;
type Waiter = { resolve: (peer: ClientPeer) => void; reject: (error: OutriggerError) => void };

const finalCodes: Record<number, string> = { 4401: 'The token holds no more.', 4403: 'This is forbidden.' };
const drainPollMs = 20;
/** The server takes messages of 1 MiB; longer requests go over HTTP. */
const maxSendLength = 1024 * 1024;
/** The server is trusted with larger messages than it takes. */
const maxFrameLength = 256 * 1024 * 1024;

/** One WebSocket to a sidecar, opened when first needed, opened again when lost. */
export class Connection {
  readonly #deps: ConnectionDependencies;
  readonly #options: ConnectionOptions;
  readonly #backoff: Backoff;
  readonly #events = new Emitter<ConnectionEvents>(reportError);
  #state: ConnectionState = { name: 'idle' };
  #peer: ClientPeer | undefined;
  #socket: ClientWebSocket | undefined;
  #waiting: Waiter[] = [];
  #retry: unknown;
  #ping: unknown;
  #heard = true;
  /** When the connection opened, by `now`. */
  #liveSince = 0;
  #isPassedOver = false;

  constructor(dependencies: ConnectionDependencies, options: ConnectionOptions) {
    this.#deps = dependencies;
    this.#options = options;
    this.#backoff = new Backoff({ ...options.backoff, random: dependencies.random });
  }

  get state(): ConnectionState {
    return this.#state;
  }

  on<K extends keyof ConnectionEvents>(event: K, listener: (value: ConnectionEvents[K]) => void): () => void {
    return this.#events.on(event, listener);
  }

  /** The live peer, if there is one. */
  get peer(): ClientPeer | undefined {
    return this.#state.name === 'live' ? this.#peer : undefined;
  }

  /** HTTP answered where the last attempt failed: something between passes no WebSocket. */
  get isPassedOver(): boolean {
    return this.#isPassedOver;
  }

  /**
   * The peer once there is one. Rejects when the attempt under way, or the next one, fails; with `patient`, only when passed
   * over, refused, closed or aborted.
   */
  async whenLive(options: { patient: boolean; signal?: AbortSignal | undefined }): Promise<ClientPeer> {
    for (;;) {
      if (options.signal?.aborted === true) throw canceled(options.signal);
      const peer = this.peer;
      if (peer !== undefined) return peer;
      if (this.#state.name === 'refused') throw this.#state.error;
      if (this.#state.name === 'closed') throw new OutriggerError('CONNECTION_LOST', 'The client was closed.');
      if (this.#state.name === 'idle') {
        this.#connect({ name: 'connecting' });
        // An address that no WebSocket takes is refused at once.
        continue;
      }
      try {
        return await this.#wait(options.signal);
      } catch (error) {
        if (!options.patient || this.#isPassedOver || !(error instanceof OutriggerError) || error.reason !== 'CONNECTION_LOST') throw error;
      }
    }
  }

  /** Resolves when `peer` is not the live one any more, after so many milliseconds, or at the signal. */
  async left(peer: ClientPeer, ms: number, signal: AbortSignal | undefined): Promise<void> {
    if (this.peer !== peer || signal?.aborted === true) return;
    const { timers } = this.#deps;
    await new Promise<void>((resolve) => {
      const done = (): void => {
        timers.clear(timer);
        off();
        signal?.removeEventListener('abort', done);
        resolve();
      };
      const timer = timers.set(done, ms);
      const off = this.on('state', done);
      signal?.addEventListener('abort', done, { once: true });
    });
  }

  /** Connects now instead of at `retryAt`, also after a refusal. */
  tryNow(): void {
    if (this.#socket !== undefined || this.#state.name === 'closed') return;
    this.#deps.timers.clear(this.#retry);
    const state = this.#state;
    this.#connect(state.name === 'reconnecting' || state.name === 'offline' ? { ...state, retryAt: undefined } : { name: 'connecting' });
  }

  /** The caller has another name from the next call on. */
  sayName(): void {
    const name = this.#deps.name();
    // Who knows no names goes on by that of the token.
    this.#peer?.call('rpc.name', { name: name ?? '' }, {}).result.catch(() => undefined);
  }

  close(): void {
    if (this.#state.name === 'closed') return;
    this.#deps.timers.clear(this.#retry);
    this.#deps.timers.clear(this.#ping);
    const socket = this.#socket;
    this.#socket = undefined;
    this.#setState({ name: 'closed' });
    const error = new OutriggerError('CONNECTION_LOST', 'The client was closed.');
    this.#peer?.close(error);
    this.#failWaiting(error);
    if (socket !== undefined) abandon(socket);
  }

  #wait(signal: AbortSignal | undefined): Promise<ClientPeer> {
    return new Promise((resolve, reject) => {
      const done = (): void => signal?.removeEventListener('abort', onAbort);
      const waiter: Waiter = {
        resolve: (peer) => {
          done();
          resolve(peer);
        },
        reject: (error) => {
          done();
          reject(error);
        },
      };
      const onAbort = (): void => {
        this.#waiting = this.#waiting.filter((other) => other !== waiter);
        waiter.reject(canceled(signal));
      };
      signal?.addEventListener('abort', onAbort, { once: true });
      this.#waiting.push(waiter);
    });
  }

  #connect(state: ConnectionState): void {
    // That may be the attempt that asked first.
    if (this.#state !== state) this.#setState(state);
    let socket: ClientWebSocket;
    try {
      socket = this.#deps.open();
    } catch (error) {
      this.#setState({ name: 'refused', error: new OutriggerError('BAD_INPUT', 'That is no address of a WebSocket.', { cause: error }) });
      this.#failWaiting((this.#state as { error: OutriggerError }).error);
      return;
    }
    this.#socket = socket;
    let opened = false;
    const timeout = this.#deps.timers.set(() => abandon(socket), this.#options.connectTimeoutMs);
    socket.onopen = () => {
      opened = true;
      this.#deps.timers.clear(timeout);
      this.#live(socket);
    };
    socket.onerror = () => undefined;
    socket.onclose = ({ code, reason }: SocketEnd) => {
      this.#deps.timers.clear(timeout);
      if (this.#socket !== socket) return;
      this.#socket = undefined;
      this.#deps.timers.clear(this.#ping);
      const error = new OutriggerError('CONNECTION_LOST', 'The connection ended before the answer.');
      this.#peer?.close(error);
      this.#peer = undefined;
      const final = finalCodes[code];
      if (final !== undefined) this.#refused(new OutriggerError(code === 4401 ? tokenReason(reason) : 'ACCESS_DENIED', final));
      else if (opened) {
        this.#backoff.lasted(this.#deps.now() - this.#liveSince);
        this.#later();
      } else void this.#failed();
    };
  }

  #live(socket: ClientWebSocket): void {
    const { timers } = this.#deps;
    const drainListeners: (() => void)[] = [];
    let polling = false;
    const poll = (): void => {
      polling = false;
      if (socket.bufferedAmount > 0 && this.#socket === socket) watchDrain();
      else for (const listener of drainListeners) listener();
    };
    // A browser's WebSocket does not say when it has sent what was queued.
    const watchDrain = (): void => {
      if (polling) return;
      polling = true;
      timers.set(poll, drainPollMs);
    };
    const peer = new Peer<WireError>(
      {
        codec: createJsonCodec<WireError>(),
        errors: peerErrors(() => undefined),
        timers,
        send: (text) => {
          // Between a loss and its event the socket takes nothing.
          if (socket.readyState !== 1) return;
          socket.send(text);
          if (socket.bufferedAmount > 0) watchDrain();
        },
        buffered: () => socket.bufferedAmount,
        onDrain: (listener) => drainListeners.push(listener),
        onEvent: (event, data) => this.#events.emit('event', { event, data }),
        // Whoever asks next gets another connection, also before this one's close is heard.
        onClose: () => abandon(socket),
        idPrefix: 'c',
      },
      { maxSendLength, maxFrameLength },
    );
    socket.onmessage = ({ data }: { data: unknown }) => {
      this.#heard = true;
      if (typeof data === 'string') peer.receive(data);
    };
    this.#peer = peer;
    this.#isPassedOver = false;
    this.#liveSince = this.#deps.now();
    if (this.#deps.name() !== undefined) this.sayName();
    this.#setState({ name: 'live' });
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const waiter of waiting) waiter.resolve(peer);
    this.#watch(socket, peer);
  }

  /** A connection on which nothing came for a while is asked for a sign of life; none: it is given up. */
  #watch(socket: ClientWebSocket, peer: ClientPeer): void {
    this.#heard = false;
    this.#ping = this.#deps.timers.set(() => {
      if (this.#socket !== socket) return;
      if (this.#heard) {
        this.#watch(socket, peer);
        return;
      }
      peer.call('rpc.ping', {}, { timeoutMs: this.#options.pongMs }).result.then(
        () => this.#watch(socket, peer),
        (error: unknown) => {
          if (this.#socket !== socket) return;
          // A refusal is a sign of life as well.
          if (error instanceof OutriggerError && error.reason === 'DEADLINE') abandon(socket);
          else this.#watch(socket, peer);
        },
      );
    }, this.#options.pingMs);
  }

  /**
   * Where not even HTTP answered, it is asked again before a WebSocket is tried: browsers let each one that failed make the next wait longer, Firefox
   * up to a minute, which would pass after all is well.
   */
  async #ask(attempt: ConnectionState): Promise<void> {
    this.#setState(attempt);
    const obstacle = await this.#deps.obstacle();
    // Closed meanwhile, or told to try at once.
    if (this.#state !== attempt) return;
    if (isUnreachable(obstacle)) this.#later(obstacle);
    else this.#connect(attempt);
  }

  async #failed(): Promise<void> {
    const obstacle = await this.#deps.obstacle();
    if (this.#state.name === 'closed' || this.#socket !== undefined) return;
    this.#isPassedOver = obstacle === undefined;
    if (obstacle?.code === 'unauthenticated' || obstacle?.code === 'permission_denied') this.#refused(obstacle);
    else this.#later(obstacle);
  }

  #refused(error: OutriggerError): void {
    this.#setState({ name: 'refused', error });
    this.#failWaiting(error);
  }

  #later(cause?: OutriggerError): void {
    const { now, timers } = this.#deps;
    const delay = this.#backoff.next();
    const since = this.#state.name === 'reconnecting' || this.#state.name === 'offline' ? this.#state.since : now();
    const name = (): 'reconnecting' | 'offline' => (now() - since >= this.#options.offlineAfterMs ? 'offline' : 'reconnecting');
    this.#setState({ name: name(), since, retryAt: now() + delay });
    // Of two attempts that failed, the later one counts.
    timers.clear(this.#retry);
    this.#retry = timers.set(() => {
      const attempt: ConnectionState = { name: name(), since, retryAt: undefined };
      if (this.#deps.sameWay && isUnreachable(cause)) void this.#ask(attempt);
      else this.#connect(attempt);
    }, delay);
    this.#failWaiting(new OutriggerError('CONNECTION_LOST', `The ${this.#options.server} does not answer.`, { cause }));
  }

  #failWaiting(error: OutriggerError): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const waiter of waiting) waiter.reject(error);
  }

  #setState(state: ConnectionState): void {
    this.#state = state;
    this.#events.emit('state', state);
  }
}

function isUnreachable(error: OutriggerError | undefined): boolean {
  return error?.reason === 'CONNECTION_LOST' || error?.reason === 'DEADLINE';
}

interface SocketEnd {
  code: number;
  reason: string;
}

/** Ends a socket and its story at once: its own close may take minutes on a dead network. */
function abandon(socket: ClientWebSocket): void {
  const onclose = socket.onclose as ((event: SocketEnd) => void) | null;
  socket.onclose = null;
  socket.onopen = null;
  socket.onmessage = null;
  socket.close(1000, 'bye');
  onclose?.({ code: 1006, reason: '' });
}

function canceled(signal: AbortSignal | undefined): OutriggerError {
  return new OutriggerError('CANCELED', 'The call was canceled.', { cause: signal?.reason });
}

function tokenReason(reason: string): 'TOKEN_EXPIRED' | 'TOKEN_REVOKED' | 'BAD_TOKEN' {
  return reason === 'TOKEN_EXPIRED' || reason === 'TOKEN_REVOKED' ? reason : 'BAD_TOKEN';
}
