import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import { type RawData, WebSocket, WebSocketServer } from 'ws';
import { OutriggerError } from '../contract/errors.ts';
import { type Batch, type ByteChannel, closeCodes } from '../contract/wire.ts';
import { offeredProtocols } from './credentials.ts';
import type { DialedSocket, TextSocket } from './text-socket.ts';
import { type Clock, nodeClock } from './timers.ts';
import type { Upgrade } from './upgrade.ts';

/** How long the other side may take to answer a goodbye. */
const CLOSE_WITHIN_MS = 5000;

/** The most that one read brings. Who fills it has more to say. */
const FULL_READ_BYTES = 64 * 1024;

/** Of sockets whose other side says only in its messages who it is: so many at a time that did not yet, each so long and with so many bytes. */
const MAX_STRANGERS = 100;
const STRANGER_MS = 10_000;
const STRANGER_BYTES = 256 * 1024;

/** Of a message that comes in pieces each piece keeps all that came with it, such as pings: so much may come in all beyond what a message may hold. */
const BESIDE_MESSAGE_BYTES = 1024 * 1024;

export interface WebSocketsOptions {
  pingMs: number;
  /** A socket from which nothing came for so long is cut. */
  staleMs: number;
  maxConnections: number;
}

export interface AcceptOptions {
  /** Bytes of one message; a larger one closes the socket with 1009. */
  maxPayload: number;
  /** The offered protocol to answer with, e.g. the one that carried the token; the first offered one when left out. */
  protocol?: string | undefined;
}

/** A socket whose other side says in its messages who it is. It is closed with 4401 where that takes too long, and cut where too much comes before. */
export interface StrangerChannel extends ByteChannel {
  /** It said so. */
  known(): void;
}

export interface DialOptions {
  /** Bytes of one message of the other side. */
  maxPayload: number;
  headers?: Readonly<Record<string, string>>;
  protocols?: readonly string[];
  handshakeTimeoutMs?: number;
  /** Certificates in PEM that are trusted instead of the system's. */
  ca?: string | undefined;
  /** Gives up while the other side has not answered. */
  signal?: AbortSignal;
}

/** In `details` of the error with which a refusal of the handshake comes. */
export interface DialRefusal {
  status: number;
  /** Of Retry-After. */
  retryAfterMs?: number;
}

/** What `ws` keeps for itself and shared frames need. Where it is not as expected, messages go through `ws` one by one. */
interface Insides {
  _socket?: Socket | null;
  /** Not 0: a message has begun that comes in pieces. */
  _receiver?: { _fragmented?: unknown } | null;
  _sender?: { _state?: unknown; _queue?: unknown[] } | null;
}

/** All WebSockets of a process: accepts them, keeps them alive, counts and closes them. */
export class WebSockets {
  readonly #options: WebSocketsOptions;
  readonly #clock: Clock;
  readonly #servers = new Map<number, WebSocketServer>();
  readonly #protocols = new WeakMap<IncomingMessage, string>();
  readonly #open = new Set<Connection>();
  readonly #stopHeartbeat: () => void;
  #strangers = 0;
  #closing = false;

  constructor(options: Partial<WebSocketsOptions> = {}, clock: Clock = nodeClock) {
    this.#options = { pingMs: 30_000, staleMs: 60_000, maxConnections: 10_000, ...options };
    this.#clock = clock;
    this.#stopHeartbeat = clock.every(() => this.#beat(), this.#options.pingMs);
  }

  get connections(): number {
    return this.#open.size;
  }

  /** For text messages. Throws OutriggerError before the handshake when there is no room. */
  acceptText(upgrade: Upgrade, options: AcceptOptions): TextSocket {
    return textSocket(this.#accept(upgrade, options));
  }

  /** For binary messages. Throws OutriggerError before the handshake when there is no room. */
  acceptBytes(upgrade: Upgrade, options: AcceptOptions): ByteChannel {
    return byteChannel(this.#accept(upgrade, options));
  }

  /** As `acceptBytes`, for who came without a token. */
  acceptStranger(upgrade: Upgrade, options: AcceptOptions): StrangerChannel {
    if (this.#strangers >= MAX_STRANGERS)
      throw new OutriggerError('TOO_MANY', `There are ${MAX_STRANGERS} WebSockets open already that did not say yet who they are.`);
    const connection = this.#accept(upgrade, options);
    this.#strangers++;
    const late = setTimeout(() => connection.close(closeCodes.tokenEnded, 'No token came.'), STRANGER_MS).unref();
    const stopCounting = connection.cutAfter(STRANGER_BYTES);
    let isStranger = true;
    const known = (): void => {
      if (!isStranger) return;
      isStranger = false;
      this.#strangers--;
      clearTimeout(late);
      stopCounting();
    };
    void connection.closed.then(known);
    // Not a spread: `buffered` is read each time.
    return Object.assign(Object.create(byteChannel(connection)) as ByteChannel, { known });
  }

  /**
   * Connects to another program's WebSocket, for text messages. Throws OutriggerError: BAD_TOKEN or ACCESS_DENIED when it refuses
   * us, CONNECTION_LOST for all else; `details` is a DialRefusal where it answered.
   */
  dialText(url: string, options: DialOptions): Promise<DialedSocket> {
    const { maxPayload, headers = {}, protocols = [], handshakeTimeoutMs = 10_000, ca, signal } = options;
    if (signal?.aborted === true) return Promise.reject(new OutriggerError('CONNECTION_LOST', `${url} was not dialled.`));
    const ws = new WebSocket(url, [...protocols], {
      headers,
      maxPayload,
      handshakeTimeout: handshakeTimeoutMs,
      perMessageDeflate: false,
      ...(ca === undefined ? {} : { ca }),
    });
    const onAbort = (): void => ws.terminate();
    signal?.addEventListener('abort', onAbort, { once: true });
    const dialed = new Promise<DialedSocket>((resolve, reject) => {
      ws.once('open', () => {
        // Nothing may come before there is someone to hear it: `onText` resumes.
        ws.pause();
        resolve(dialedSocket(this.#add(ws, maxPayload)));
      });
      ws.once('error', (error) =>
        reject(new OutriggerError('CONNECTION_LOST', `${url} does not answer: ${error.message}`, { cause: error })),
      );
      ws.once('unexpected-response', (request, response) => {
        const { statusCode = 0 } = response;
        const reason = statusCode === 401 ? 'BAD_TOKEN' : statusCode === 403 ? 'ACCESS_DENIED' : 'CONNECTION_LOST';
        const details: DialRefusal = { status: statusCode, ...retryAfter(response.headers['retry-after']) };
        reject(new OutriggerError(reason, `${url} answered ${statusCode}.`, { details }));
        request.destroy();
      });
    });
    return dialed.finally(() => signal?.removeEventListener('abort', onAbort));
  }

  /** Closes all with `code`, cuts those that have not answered after `graceMs`, and accepts none any more. */
  async close(code: number, reason: string, graceMs = 1000): Promise<void> {
    this.#closing = true;
    this.#stopHeartbeat();
    const closed = [...this.#open].map((connection) => connection.closed);
    for (const { ws } of this.#open) ws.close(code, reason);
    const cut = setTimeout(() => {
      for (const { ws } of this.#open) ws.terminate();
    }, graceMs);
    await Promise.all(closed);
    clearTimeout(cut);
    for (const server of this.#servers.values()) server.close();
  }

  #accept(upgrade: Upgrade, options: AcceptOptions): Connection {
    if (this.#closing) throw new OutriggerError('STOPPING', 'The sidecar is stopping.');
    if (this.#open.size >= this.#options.maxConnections) {
      throw new OutriggerError('TOO_MANY', `There are ${this.#options.maxConnections} WebSockets open already.`);
    }
    const { request, socket, head } = upgrade;
    const protocol = options.protocol ?? offeredProtocols(request.headers)[0];
    if (protocol !== undefined) this.#protocols.set(request, protocol);
    let accepted: WebSocket | undefined;
    // Without a `verifyClient` the handshake is answered before this returns.
    this.#server(options.maxPayload).handleUpgrade(request, socket, head, (ws) => {
      accepted = ws;
    });
    // `ws` has answered a broken handshake itself.
    if (accepted === undefined) throw new OutriggerError('BAD_INPUT', 'The WebSocket handshake is broken.');
    return this.#add(accepted, options.maxPayload);
  }

  #add(ws: WebSocket, maxPayload: number): Connection {
    const connection = new Connection(ws, this.#clock, maxPayload + BESIDE_MESSAGE_BYTES);
    this.#open.add(connection);
    void connection.closed.then(() => this.#open.delete(connection));
    return connection;
  }

  #server(maxPayload: number): WebSocketServer {
    let server = this.#servers.get(maxPayload);
    if (server === undefined) {
      server = new WebSocketServer({
        noServer: true,
        clientTracking: false,
        perMessageDeflate: false,
        maxPayload,
        handleProtocols: (_offered, request) => this.#protocols.get(request) ?? false,
      });
      this.#servers.set(maxPayload, server);
    }
    return server;
  }

  #beat(): void {
    const { pingMs, staleMs } = this.#options;
    const nextAt = this.#clock.now() + pingMs;
    for (const connection of this.#open) connection.beat(staleMs, nextAt);
  }
}

/** One socket of ours: errors swallowed (the close says it all), the last sign of life remembered. */
class Connection {
  readonly ws: WebSocket;
  readonly closed: Promise<number>;
  readonly #clock: Clock;
  #seenAt: number;
  #closeCode: number | undefined;
  #closeReason = '';
  #drainListeners: (() => void)[] = [];
  #corked = false;
  /** By who uses it. */
  #isHeld = false;
  #rests = false;

  constructor(ws: WebSocket, clock: Clock, maxMessageBytes: number) {
    this.ws = ws;
    this.#clock = clock;
    this.#seenAt = clock.now();
    this.socket?.prependListener('data', (chunk: Buffer) => {
      this.#seenAt = clock.now();
      if (chunk.length < FULL_READ_BYTES) return;
      // There may be thousands of answers.
      this.cork();
      this.#rest();
    });
    let unfinishedBytes = 0;
    ws.on('message', () => {
      unfinishedBytes = 0;
    });
    // After `ws` has read it.
    this.socket?.on('data', ({ length }: Buffer) => {
      unfinishedBytes = this.#isAmidPieces ? unfinishedBytes + length : 0;
      if (unfinishedBytes > maxMessageBytes) ws.terminate();
    });
    ws.on('error', () => undefined);
    this.closed = new Promise((resolve) => {
      ws.once('close', (code, reason) => {
        this.#closeCode = code;
        this.#closeReason = reason.toString();
        resolve(code);
      });
    });
  }

  get socket(): Socket | undefined {
    return (this.ws as unknown as Insides)._socket ?? undefined;
  }

  get #isAmidPieces(): boolean {
    return Boolean((this.ws as unknown as Insides)._receiver?._fragmented);
  }

  /** Once it is closed. */
  get closeReason(): string {
    return this.#closeReason;
  }

  get buffered(): number {
    return this.ws.bufferedAmount;
  }

  onDrain(listener: () => void): void {
    this.#drainListeners.push(listener);
  }

  onClose(listener: (code: number) => void): void {
    if (this.#closeCode !== undefined) queueMicrotask(() => listener(this.#closeCode ?? 1006));
    else this.ws.once('close', listener);
  }

  /** Cuts the socket when more came than `bytes`, until what is returned is called. */
  cutAfter(bytes: number): () => void {
    let left = bytes;
    const count = (chunk: Buffer): void => {
      left -= chunk.length;
      if (left < 0) this.ws.terminate();
    };
    const { socket } = this;
    socket?.on('data', count);
    return () => socket?.off('data', count);
  }

  /** One write to the system for all that is sent in this turn of the event loop. */
  cork(): void {
    const { socket } = this;
    if (this.#corked || socket === undefined) return;
    this.#corked = true;
    socket.cork();
    setImmediate(() => {
      this.#corked = false;
      socket.uncork();
    });
  }

  readonly flushed = (): void => {
    if (this.#drainListeners.length === 0 || this.buffered > 0) return;
    for (const listener of this.#drainListeners) listener();
  };

  pause(): void {
    if (this.ws.readyState !== this.ws.OPEN) return;
    this.#isHeld = true;
    this.ws.pause();
  }

  resume(): void {
    this.#isHeld = false;
    if (this.ws.readyState === this.ws.OPEN && !this.#rests) this.ws.resume();
  }

  /** Until the next turn of the event loop: else 32 reads follow each other before others are served, and of small messages each brings thousands. */
  #rest(): void {
    if (this.#rests || this.ws.readyState !== this.ws.OPEN) return;
    this.#rests = true;
    this.ws.pause();
    setImmediate(() => {
      this.#rests = false;
      if (!this.#isHeld) this.ws.resume();
    });
  }

  close(code: number, reason: string): void {
    // A paused socket would never read the other side's answer to the close frame. What comes before that is passed over: it has no say any more.
    this.resume();
    this.ws.close(code, Buffer.byteLength(reason) > 120 ? reason.slice(0, 40) : reason);
    // Who does not read will not answer, and what is queued for him would stay.
    const late = setTimeout(() => this.ws.terminate(), CLOSE_WITHIN_MS).unref();
    void this.closed.then(() => clearTimeout(late));
  }

  beat(staleMs: number, nextBeatAt: number): void {
    this.#cutWhenStale(staleMs, nextBeatAt);
    if (this.ws.readyState === this.ws.OPEN) this.ws.ping();
  }

  /** Looks again before the next beat where it may be that silent by then. */
  #cutWhenStale(staleMs: number, nextBeatAt: number): void {
    const now = this.#clock.now();
    // What we do not read can't show life; a peer that neither reads is found by its unread bytes.
    if (this.ws.isPaused && this.buffered === 0) this.#seenAt = now;
    const seenAt = this.#seenAt;
    const staleAt = seenAt + staleMs;
    if (now >= staleAt) {
      // What came while this process was busy is read first.
      setImmediate(() => {
        if (this.#seenAt === seenAt) this.ws.terminate();
      });
    } else if (staleAt < nextBeatAt) {
      const stop = this.#clock.every(
        () => {
          stop();
          this.#cutWhenStale(staleMs, nextBeatAt);
        },
        Math.ceil(staleAt - now),
      );
    }
  }
}

function textSocket(connection: Connection): TextSocket {
  const { ws } = connection;
  let onBad: (problem: string) => void = () => undefined;
  return {
    send(text) {
      if (ws.readyState !== ws.OPEN) return;
      connection.cork();
      ws.send(text, connection.flushed);
    },
    get buffered() {
      return connection.buffered;
    },
    onDrain: (listener) => connection.onDrain(listener),
    onText(listener) {
      ws.on('message', (data, isBinary) => {
        if (ws.readyState !== ws.OPEN) return;
        if (isBinary) onBad('Messages here are text, not binary.');
        else listener(toBuffer(data).toString());
      });
      connection.resume();
    },
    onBad(listener) {
      onBad = listener;
    },
    onClose: (listener) => connection.onClose(listener),
    pause: () => connection.pause(),
    resume: () => connection.resume(),
    close: (code, reason) => connection.close(code, reason),
  };
}

function dialedSocket(connection: Connection): DialedSocket {
  const socket = textSocket(connection);
  // Not a spread: `buffered` is read each time.
  return Object.assign(Object.create(socket) as TextSocket, {
    onEnd: (listener: (code: number, reason: string) => void) => connection.onClose((code) => listener(code, connection.closeReason)),
    cut: () => connection.ws.terminate(),
  });
}

/** Seconds or a date, as RFC 9110 has it. */
function retryAfter(header: string | undefined): { retryAfterMs?: number } {
  if (header === undefined) return {};
  const ms = /^\d+$/.test(header.trim()) ? Number(header) * 1000 : Date.parse(header) - Date.now();
  return Number.isFinite(ms) && ms >= 0 ? { retryAfterMs: ms } : {};
}

function byteChannel(connection: Connection): ByteChannel {
  const { ws } = connection;
  // Opening what the channel is for takes time; what comes meanwhile waits in the kernel. `onMessage` resumes.
  connection.pause();
  return {
    send(batch) {
      if (ws.readyState !== ws.OPEN || batch.messages.length === 0) return;
      const { socket } = connection;
      if (socket !== undefined && canWriteFrames(ws)) {
        batch.framed ??= frameMessages(batch.messages);
        // No callback: the kernel takes nearly all at once, and to be told so costs as much as a tenth of the write.
        socket.write(batch.framed);
      } else {
        sendOneByOne(ws, batch);
      }
    },
    get buffered() {
      return connection.buffered;
    },
    onDrain: (listener) => connection.socket?.on('drain', listener),
    onMessage(listener) {
      // Text has no meaning on a channel of bytes; what to do about it is for nobody here to say, so it is passed over.
      ws.on('message', (data, isBinary) => {
        if (isBinary && ws.readyState === ws.OPEN) listener(toBuffer(data));
      });
      connection.resume();
    },
    onClose: (listener) => connection.onClose(listener),
    pause: () => connection.pause(),
    resume: () => connection.resume(),
    close: (code, reason) => connection.close(code, reason),
  };
}

/** Whether frames may go straight to the socket: only while `ws` itself has nothing that must go first. */
function canWriteFrames(ws: WebSocket): boolean {
  const sender = (ws as unknown as Insides)._sender;
  return sender?._state === 0 && sender._queue?.length === 0;
}

function sendOneByOne(ws: WebSocket, batch: Batch): void {
  for (const message of batch.messages) ws.send(message, { binary: true, compress: false });
}

/** The messages as unmasked binary frames (RFC 6455, 5.2), one after the other. The same bytes for every receiver. */
export function frameMessages(messages: readonly Uint8Array[]): Uint8Array {
  let total = 0;
  for (const { length } of messages) total += length + (length < 126 ? 2 : length < 65_536 ? 4 : 10);
  const framed = Buffer.allocUnsafe(total);
  let at = 0;
  for (const message of messages) {
    const { length } = message;
    framed[at] = 0x82;
    if (length < 126) {
      framed[at + 1] = length;
      at += 2;
    } else if (length < 65_536) {
      framed[at + 1] = 126;
      framed.writeUInt16BE(length, at + 2);
      at += 4;
    } else {
      framed[at + 1] = 127;
      framed.writeBigUInt64BE(BigInt(length), at + 2);
      at += 10;
    }
    framed.set(message, at);
    at += length;
  }
  return framed;
}

function toBuffer(data: RawData): Buffer {
  if (Buffer.isBuffer(data)) return data;
  return Array.isArray(data) ? Buffer.concat(data) : Buffer.from(data);
}
