import { type IncomingMessage, STATUS_CODES } from 'node:http';
import type { Duplex } from 'node:stream';
import { OutriggerError, toWireError } from '../contract/errors.ts';
import { hostProblem, judgeOrigin, type OriginPolicy } from './origin.ts';
import { requestIdOf } from './request-id.ts';

/** A request to become a WebSocket, Host and Origin found good. Exactly one of the handler's answers must come of it. */
export interface Upgrade {
  readonly request: IncomingMessage;
  readonly socket: Duplex;
  readonly head: Buffer;
  /** What the request calls itself, else a new id. */
  readonly requestId: string;
  /** As in the request line, up to `?`, not decoded. */
  readonly path: string;
  readonly query: URLSearchParams;
  /** The page's cookie counts: our own page, or no browser. */
  readonly cookieCounts: boolean;
}

/** Accepts the socket, or throws OutriggerError, which is answered as HTTP before the socket is closed. */
export type UpgradeHandler = (upgrade: Upgrade) => void | Promise<void>;

export interface UpgradeRouterDependencies {
  policy: () => OriginPolicy;
  /** Told about what no OutriggerError explains. */
  onError: (error: unknown, path: string) => void;
}

/** Which handler gets an upgrade: an exact path first, then the longest prefix, then the fallback. */
export class UpgradeRouter {
  readonly #deps: UpgradeRouterDependencies;
  readonly #exact = new Map<string, UpgradeHandler>();
  #prefixes: { prefix: string; handler: UpgradeHandler }[] = [];
  #fallback: UpgradeHandler | undefined;

  constructor(dependencies: UpgradeRouterDependencies) {
    this.#deps = dependencies;
  }

  exact(path: string, handler: UpgradeHandler): void {
    if (this.#exact.has(path)) throw new Error(`Two parts claim upgrades of ${path}.`);
    this.#exact.set(path, handler);
  }

  /** `prefix` ends with a slash; the handler reads the rest from `path`. */
  prefix(prefix: string, handler: UpgradeHandler): void {
    if (this.#prefixes.some((one) => one.prefix === prefix)) throw new Error(`Two parts claim upgrades below ${prefix}.`);
    this.#prefixes = [...this.#prefixes, { prefix, handler }].toSorted((a, b) => b.prefix.length - a.prefix.length);
  }

  fallback(handler: UpgradeHandler): void {
    if (this.#fallback !== undefined) throw new Error('Two parts claim the upgrades that no path was given for.');
    this.#fallback = handler;
  }

  /** For `Listener.onUpgrade`. Never throws; the socket is always answered or closed. */
  readonly handle = (request: IncomingMessage, socket: Duplex, head: Buffer): void => {
    socket.on('error', () => socket.destroy());
    const url = request.url ?? '/';
    const cut = url.indexOf('?');
    const path = cut < 0 ? url : url.slice(0, cut);
    const requestId = requestIdOf(request.headers['x-request-id']);
    void this.#handle({ request, socket, head, requestId, path, query: new URLSearchParams(cut < 0 ? '' : url.slice(cut + 1)) }).catch(
      (error: unknown) => {
        if (!(error instanceof OutriggerError)) this.#deps.onError(error, path);
        const known = error instanceof OutriggerError ? error : new OutriggerError('INTERNAL', 'Something failed inside.');
        refuseUpgrade(socket, known, requestId);
      },
    );
  };

  async #handle(upgrade: Omit<Upgrade, 'cookieCounts'>): Promise<void> {
    const { request, path } = upgrade;
    const policy = this.#deps.policy();
    const host = hostProblem(request.headers, policy);
    if (host !== undefined) throw new OutriggerError('BAD_HOST', host);
    const origin = judgeOrigin('GET', request.headers, policy);
    if (origin.kind === 'refused') throw new OutriggerError('BAD_ORIGIN', origin.problem);
    if (request.headers.upgrade?.toLowerCase() !== 'websocket')
      throw new OutriggerError('UPGRADE_REQUIRED', 'Only upgrades to a WebSocket are known here.');
    const handler = this.#exact.get(path) ?? this.#prefixes.find(({ prefix }) => path.startsWith(prefix))?.handler ?? this.#fallback;
    if (handler === undefined) throw new OutriggerError('NOT_FOUND', `There is no WebSocket at ${path.slice(0, 200)}.`);
    await handler({ ...upgrade, cookieCounts: origin.kind === 'own' });
  }
}

/** Answers an upgrade with an HTTP error and closes the connection. */
function refuseUpgrade(socket: Duplex, error: OutriggerError, requestId: string): void {
  // Answered already: whoever did that closes it.
  if (socket.destroyed || socket.writableEnded) return;
  const body = JSON.stringify(toWireError(error, requestId));
  const lines = [
    `HTTP/1.1 ${error.status} ${STATUS_CODES[error.status] ?? 'Refused'}`,
    'Connection: close',
    'Content-Type: application/json; charset=utf-8',
    `Content-Length: ${Buffer.byteLength(body)}`,
    'Cache-Control: no-store',
    `X-Request-ID: ${requestId}`,
  ];
  if (error.status === 401) lines.push('WWW-Authenticate: Bearer');
  if (error.status === 426) lines.push('Upgrade: websocket');
  if (error.retryable) lines.push('Retry-After: 1');
  socket.once('finish', () => socket.destroy());
  socket.end(`${lines.join('\r\n')}\r\n\r\n${body}`);
}
