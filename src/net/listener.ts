import { createServer, type IncomingMessage, type RequestListener, type Server, type ServerResponse } from 'node:http';
import { isIPv6, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';

export interface ListenerOptions {
  host: string;
  /** 0: any free one. */
  port: number;
  /** How many of the following ports may be tried when `port` is taken. */
  nextPorts?: number;
  /** A request's head must have come whole by then. */
  headersTimeoutMs?: number;
  /** A connection that waits for the rest of a request, or for the next one, and hears nothing for so long is closed. */
  idleTimeoutMs?: number;
  maxConnections?: number;
  maxHeaderBytes?: number;
}

export type Listening =
  | { ok: true; host: string; port: number; url: string }
  | { ok: false; reason: string; port: number; message: string };

/** Connections that wait to be accepted, as many as the system allows: one that finds no room is tried again after seconds. */
const BACKLOG = 4096;

type UpgradeListener = (request: IncomingMessage, socket: Duplex, head: Buffer) => void;

/** One HTTP server on one port. Knows connections, not what they ask for. */
export class Listener {
  readonly server: Server;
  readonly #options: Required<ListenerOptions>;
  readonly #sockets = new Set<Socket>();
  readonly #requestOf = new WeakMap<Socket, IncomingMessage>();
  readonly #upgraded = new WeakSet<Duplex>();
  /** Those whose last answer went out. */
  readonly #ending = new WeakSet<Socket>();
  #requests: RequestListener = (_request, response) => response.writeHead(503).end();
  #upgrades: UpgradeListener | undefined;
  #closing: Promise<void> | undefined;

  constructor(options: ListenerOptions) {
    this.#options = {
      nextPorts: 0,
      headersTimeoutMs: 20_000,
      idleTimeoutMs: 120_000,
      maxConnections: 20_000,
      maxHeaderBytes: 64 * 1024,
      ...options,
    };
    const { headersTimeoutMs, idleTimeoutMs, maxConnections, maxHeaderBytes } = this.#options;
    this.server = createServer(
      {
        headersTimeout: headersTimeoutMs,
        // An upload may take hours as long as it moves; `idleTimeoutMs` ends those that do not.
        requestTimeout: 0,
        connectionsCheckingInterval: Math.max(100, Math.min(headersTimeoutMs / 2, 10_000)),
        // Longer than the usual 60 s of a proxy or the 75 s of a pool in front, which would else reuse a connection that is being closed here.
        keepAliveTimeout: Math.min(80_000, idleTimeoutMs),
        maxHeaderSize: maxHeaderBytes,
        // Node would answer with nothing in it.
        requireHostHeader: false,
        noDelay: true,
        // Other upgrades (h2c) are offers that HTTP/1.1 may pass over. Older Nodes ignore this and the router answers 426.
        shouldUpgradeCallback: (request: IncomingMessage) =>
          this.#upgrades !== undefined && request.headers.upgrade?.toLowerCase() === 'websocket',
      } as Parameters<typeof createServer>[0] & object,
      (request, response) => this.#take(request, response),
    );
    this.server.on('checkContinue', (request, response) => {
      continueOnceRead(request, response);
      this.#take(request, response);
    });
    // What else is expected is refused as all else is.
    this.server.on('checkExpectation', (request, response) => this.#take(request, response));
    this.server.maxConnections = maxConnections;
    this.server.on('connection', (socket) => {
      this.#sockets.add(socket);
      // A peer that resets its connection is no fault of ours; whoever uses the socket sees it close.
      socket.on('error', () => undefined);
      socket.once('close', () => this.#sockets.delete(socket));
    });
    this.server.setTimeout(idleTimeoutMs, (socket) => {
      if (!this.isAnswering(socket)) socket.destroy();
    });
    this.server.on('upgrade', (request, socket, head) => {
      this.#upgraded.add(socket);
      if (this.#upgrades === undefined) socket.destroy();
      else {
        toOneAddress(request);
        this.#upgrades(request, socket, head);
      }
    });
  }

  get connections(): number {
    return this.#sockets.size;
  }

  /** Whether a request has come whole and is not answered yet: then the silence is ours. */
  isAnswering(socket: Socket): boolean {
    return this.#requestOf.get(socket)?.complete === true;
  }

  onRequest(listener: RequestListener): void {
    this.#requests = listener;
  }

  onUpgrade(listener: UpgradeListener): void {
    this.#upgrades = listener;
  }

  /** Resolves also when it could not listen, saying why (`EADDRINUSE`, `EACCES`, …). */
  async bind(): Promise<Listening> {
    const { host, port, nextPorts } = this.#options;
    for (let next = port; ; next++) {
      const outcome = await this.#tryListen(host, next);
      if (outcome.ok || outcome.reason !== 'EADDRINUSE' || port === 0 || next >= Math.min(port + nextPorts, 65_535)) return outcome;
    }
  }

  /** Takes no new connections, lets answers under way end for `graceMs`, then cuts what is left. May be called twice. */
  close(graceMs = 0): Promise<void> {
    this.#closing ??= this.#close(graceMs);
    return this.#closing;
  }

  #take(request: IncomingMessage, response: ServerResponse & { req: IncomingMessage }): void {
    toOneAddress(request);
    const { socket } = request;
    this.#requestOf.set(socket, request);
    // Whoever sent it was told that nothing more is answered, and sends it again (RFC 9112 section 9.6).
    if (this.#ending.has(socket)) return;
    if (announcesBody(request)) closeIfEarly(request, response, () => this.#ending.add(socket));
    // Before Node's own listener, which closes the connection that is to be closed.
    response.prependOnceListener('finish', () => {
      if (!request.complete) closeAfterBody(request, socket);
    });
    response.once('close', () => {
      if (this.#requestOf.get(socket) === request) this.#requestOf.delete(socket);
      // Its client was told that the connection stays open.
      if (this.#closing !== undefined) socket.destroySoon();
    });
    this.#requests(request, response);
  }

  async #close(graceMs: number): Promise<void> {
    const ended = [...this.#sockets].map((socket) => new Promise((resolve) => socket.once('close', resolve)));
    const closed = new Promise<void>((resolve) => {
      this.server.close(() => resolve());
    });
    // Upgraded connections belong to whoever took them, until the end of the grace.
    for (const socket of this.#sockets) if (!this.#requestOf.has(socket) && !this.#upgraded.has(socket)) socket.destroy();
    const cut = setTimeout(() => {
      for (const socket of this.#sockets) socket.destroy();
    }, graceMs);
    await Promise.all([closed, ...ended]);
    clearTimeout(cut);
  }

  #tryListen(host: string, port: number): Promise<Listening> {
    return new Promise((resolve) => {
      const failed = (error: NodeJS.ErrnoException): void => {
        this.server.off('listening', listening);
        resolve({ ok: false, reason: error.code ?? 'UNKNOWN', port, message: error.message });
      };
      const listening = (): void => {
        this.server.off('error', failed);
        const address = this.server.address();
        const bound = typeof address === 'object' && address !== null ? address.port : port;
        resolve({ ok: true, host, port: bound, url: `http://${urlHost(host)}:${bound}` });
      };
      this.server.once('error', failed);
      this.server.once('listening', listening);
      // As it stands in URLs.
      this.server.listen({ port, host: host.replace(/^\[(.*)\]$/, '$1'), backlog: BACKLOG });
    });
  }
}

/** Why nothing can be listened on, and what to do. `option`: what names the port. */
export function notListening(host: string, { port, reason }: { port: number; reason: string }, option: string): string {
  const said = `${host}:${port} can't be listened on (${reason}).`;
  if (reason === 'EADDRINUSE') return `${said} Give another port with ${option}, or 0 for any.`;
  if (reason === 'EACCES') return `${said} This user may not have that port: give one from 1024 on with ${option}.`;
  return `${said} ${host} is no address of this machine: 127.0.0.1 is for this machine alone, 0.0.0.0 and :: are for all.`;
}

/** The host of a URL that reaches a server bound to `host`: a wildcard is reached by loopback. */
export function urlHost(host: string): string {
  if (host === '0.0.0.0' || host === '') return '127.0.0.1';
  if (host === '::') return '[::1]';
  return isIPv6(host) ? `[${host}]` : host;
}

/**
 * The body is asked for when somebody reads it: who is refused before need not send it (RFC 9110 section 10.1.1). Node closes the connection then, since nobody
 * knows whether the body comes.
 */
function continueOnceRead(request: IncomingMessage, response: ServerResponse): void {
  const read = request._read.bind(request);
  request._read = (size) => {
    request._read = read;
    if (!response.headersSent) response.writeContinue();
    read(size);
  };
}

function announcesBody({ headers }: IncomingMessage): boolean {
  return headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0;
}

/**
 * An answer that goes out before the body has come says that it is the last one of its connection. There are proxies (HAProxy 2.6) that give up such a body with its
 * client and keep the connection: of the request that they send next, of somebody else, as much would be taken for the rest of that body.
 */
function closeIfEarly(request: IncomingMessage, response: ServerResponse, onClosing: () => void): void {
  const writeHead = response.writeHead.bind(response) as (...head: unknown[]) => typeof response;
  response.writeHead = (...head: unknown[]) => {
    if (!request.complete) {
      response.shouldKeepAlive = false;
      onClosing();
    }
    return writeHead(...head);
  };
}

/** A connection that is closed while a body comes is reset, which takes the answer along: only this side is ended until all of the body was passed over. */
function closeAfterBody(request: IncomingMessage, socket: Socket): void {
  const destroySoon = socket.destroySoon.bind(socket);
  socket.destroySoon = () => {
    socket.end();
    request.once('end', destroySoon);
  };
  request.once('end', () => {
    socket.destroySoon = destroySoon;
  });
}

/** Where the request goes, in its path and its Host alone. */
function toOneAddress(request: IncomingMessage): void {
  toOriginForm(request);
  // Of several Node takes the first, where a proxy may have gone by another: together they are none that can be read (RFC 9112 section 3.2).
  const hosts = request.rawHeaders.filter((_, at, all) => at % 2 === 1 && all[at - 1]?.toLowerCase() === 'host');
  if (hosts.length > 1) request.headers.host = hosts.join(', ');
}

/** As through a proxy a request may name the whole address: its host counts in place of the header (RFC 9112 section 3.2.2). */
function toOriginForm(request: IncomingMessage): void {
  const [whole, host] = /^https?:\/\/([^/?#]*)/i.exec(request.url ?? '') ?? [];
  if (whole === undefined || host === undefined) return;
  const rest = request.url?.slice(whole.length) ?? '';
  request.url = rest.startsWith('/') ? rest : `/${rest}`;
  request.headers.host = host.slice(host.lastIndexOf('@') + 1);
}
