import { type IncomingHttpHeaders, type IncomingMessage, STATUS_CODES } from 'node:http';
import type { Socket } from 'node:net';
import { fastify, type FastifyError, type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify';
import { OutriggerError, toWireError } from '../contract/errors.ts';
import { isJudgedFirst } from './authenticate.ts';
import { acceptJson } from './json-body.ts';
import type { Listener } from './listener.ts';
import { hostProblem, judgeOrigin, type OriginPolicy } from './origin.ts';
import { requestIdOf } from './request-id.ts';

declare module 'fastify' {
  interface FastifyRequest {
    /** The page's cookie counts: no page of another origin is behind the request. */
    cookieCounts: boolean;
  }
}

export interface HttpAppDependencies {
  listener: Listener;
  /** Asked at each request: the port is known only after listening. */
  policy: () => OriginPolicy;
  /** Told about failures that no OutriggerError explains; `requestId` is in the answer. */
  onError: (error: unknown, requestId: string) => void;
}

export interface HttpAppOptions {
  /** A JSON body may have so many bytes. */
  maxInputBytes: number;
  /** Routes here undo gzip where a body has it; else a body is refused that is not sent as it is. */
  takesGzip?: boolean;
}

/** How long the rest of a refused body may take, and be silent; nginx gives as long (lingering_time, lingering_timeout). */
const lingerMs = 30_000;
const silentMs = 5000;
export const methods = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'];
const exposedHeaders = 'etag, x-request-id, retry-after, content-range, outrigger-output, last-modified';

/**
 * The HTTP application of one listener, without routes: request ids, Host and Origin, security headers, and errors as the wire
 * has them. Routes are registered on it by whoever has some; then `await app.ready()`, then listen.
 */
export function createHttpApp(dependencies: HttpAppDependencies, options: HttpAppOptions): FastifyInstance {
  const { listener, policy } = dependencies;
  const app = fastify({
    serverFactory: (handler) => {
      listener.onRequest(handler);
      return listener.server;
    },
    logger: false,
    bodyLimit: options.maxInputBytes,
    exposeHeadRoutes: false,
    forceCloseConnections: false,
    return503OnClosing: false,
    genReqId: (request) => requestIdOf(request.headers['x-request-id']),
    routerOptions: { maxParamLength: 16_384 },
    // Routes have no JSON schemas, the contract checks: the compilers that fastify would load for them take a fifth of the start.
    schemaController: { compilersFactory: { buildValidator: noSchemas, buildSerializer: noSchemas } },
    clientErrorHandler: (error, socket) => {
      // In the middle of an answer it would be taken for a part of that.
      if (listener.isAnswering(socket)) socket.destroy();
      else refuseHead(error, socket);
    },
    frameworkErrors: (error, request, reply) => {
      sendError(reply as unknown as FastifyReply, fromFastify(error), request.id);
    },
  });
  app.decorateRequest('cookieCounts', true);
  acceptJson(app);

  app.addHook('onRequest', (request, reply, done) => {
    const { headers } = request;
    // Of a connection that was reset by now nobody can say whose it was.
    if (request.raw.socket.remoteAddress === undefined) return done(new OutriggerError('CANCELED', 'The caller went away.'));
    reply.header('x-request-id', request.id);
    reply.header('x-content-type-options', 'nosniff');
    reply.header('referrer-policy', 'no-referrer');
    reply.header('content-security-policy', "frame-ancestors 'self'");
    if (headers.host === undefined && request.raw.httpVersion === '1.1')
      return done(new OutriggerError('BAD_INPUT', 'A request of HTTP/1.1 names its Host.'));
    const host = hostProblem(headers, policy());
    if (host !== undefined) return done(new OutriggerError('BAD_HOST', host));
    const origin = judgeOrigin(request.method, headers, policy());
    if (origin.kind === 'refused') return done(new OutriggerError('BAD_ORIGIN', origin.problem));
    if (origin.kind === 'allowed') {
      request.cookieCounts = false;
      reply
        .header('access-control-allow-origin', origin.origin)
        .header('vary', 'Origin')
        .header('access-control-expose-headers', exposedHeaders);
      if (request.method === 'OPTIONS' && headers['access-control-request-method'] !== undefined) {
        reply.header('access-control-allow-methods', methods.join(', ')).header('access-control-max-age', '600');
        reply.header('access-control-allow-headers', headers['access-control-request-headers'] ?? '');
        reply.code(204).send();
        return;
      }
    }
    const problem = queryProblem(request.url) ?? bodyProblem(headers, options.takesGzip === true);
    if (problem !== undefined) return done(new OutriggerError('BAD_INPUT', problem));
    if (!methods.includes(request.method)) return done(unknownMethod(request.method));
    const { expect } = headers;
    if (expect !== undefined && request.raw.httpVersion !== '1.0' && !/^\s*100-continue\s*$/i.test(expect))
      return done(new OutriggerError('BAD_EXPECTATION', `Nobody here can do what is expected: ${expect.slice(0, 100)}.`));
    // The body of what goes nowhere is gathered too, and for anybody.
    if (request.is404 && isJudgedFirst(headers)) return done(nothingAt(request));
    done();
  });

  app.addHook('onResponse', (request, _reply, done) => {
    // Node passes over the rest of a body that nobody wanted, so that its sender comes to read the answer; not for ever.
    const { raw } = request;
    if (!raw.complete && !raw.destroyed) linger(raw);
    done();
  });

  app.setErrorHandler((error: FastifyError | OutriggerError, request, reply) => {
    const known = error instanceof OutriggerError ? error : fromFastify(error);
    if (known.reason === 'INTERNAL' && known !== error) dependencies.onError(error, request.id);
    sendError(reply, known, request.id);
  });
  app.setNotFoundHandler((request, reply) => {
    sendError(reply, nothingAt(request), request.id);
  });
  return app;
}

/** Ends the connection when what is left of the body takes too long. */
function linger(request: IncomingMessage): void {
  const { socket } = request;
  let [passedMs, bytes] = [0, socket.bytesRead];
  const timer = setInterval(() => {
    passedMs += silentMs;
    const isLate = passedMs >= lingerMs || socket.bytesRead === bytes;
    bytes = socket.bytesRead;
    if (!request.complete && isLate) socket.destroy();
    if (request.complete || socket.destroyed) clearInterval(timer);
  }, silentMs).unref();
}

/** Why a query would be taken for what it does not say: what can't be decoded would be left as it is, percent signs and all. */
function queryProblem(url: string): string | undefined {
  const cut = url.indexOf('?');
  try {
    if (cut >= 0) decodeURIComponent(url.slice(cut + 1));
    return undefined;
  } catch {
    return 'The query is not percent-encoded UTF-8.';
  }
}

/** Why a body would not be what it is for: a part of it would be stored as the whole (RFC 9110 section 14.5), compressed bytes as those that were meant. */
function bodyProblem(headers: IncomingHttpHeaders, takesGzip: boolean): string | undefined {
  if (headers['content-range'] !== undefined) return 'The body is a part of the whole (Content-Range): send all of it.';
  const coding = headers['content-encoding'];
  const isUndone = takesGzip && coding === 'gzip';
  if (coding !== undefined && !isUndone && !/^(identity)?$/i.test(coding.trim())) return encoded(coding);
  const transfer = headers['transfer-encoding'];
  return transfer === undefined || /^\s*chunked\s*$/i.test(transfer) ? undefined : encoded(transfer);
}

function encoded(coding: string): string {
  return `The body is encoded as ${coding.slice(0, 100)}: send it as it is.`;
}

function noSchemas(): never {
  throw new Error('Routes have no JSON schemas: the contract checks inputs.');
}

/** Answers with 405 all methods of `pattern` but those in `allowed`. */
export function refuseOtherMethods(app: FastifyInstance, pattern: string, allowed: readonly string[]): void {
  app.route({
    method: methods.filter((method) => !allowed.includes(method)),
    url: pattern,
    // Nothing of the body is wanted, whatever it is.
    onRequest: (request, reply, done) => done(refusedMethod(request, reply, allowed)),
    handler: () => undefined,
  });
}

/** Says of an address that takes WebSockets alone that it does. */
export function refuseRequests(app: FastifyInstance, pattern: string): void {
  app.route({
    method: methods,
    url: pattern,
    onRequest: (request, reply, done) => {
      reply.header('upgrade', 'websocket');
      done(new OutriggerError('UPGRADE_REQUIRED', `${pathOf(request)} takes WebSocket connections only.`));
    },
    handler: () => undefined,
  });
}

/** The error for a method that is not among the allowed ones; the answer says which are. */
export function refusedMethod(request: FastifyRequest, reply: FastifyReply, allowed: readonly string[]): OutriggerError {
  const allow = allowed.join(', ');
  reply.header('allow', allow);
  return new OutriggerError('METHOD_NOT_ALLOWED', `${pathOf(request)} takes ${allow}, not ${request.method}.`);
}

function unknownMethod(method: string): OutriggerError {
  return new OutriggerError('UNKNOWN_METHOD', `Nothing here takes ${method}.`);
}

function nothingAt(request: FastifyRequest): OutriggerError {
  return new OutriggerError('NOT_FOUND', `There is nothing at ${request.method} ${pathOf(request)}.`);
}

/** Answers with the error as the wire has it. */
function sendError(reply: FastifyReply, error: OutriggerError, requestId: string): void {
  const { size } = (error.details ?? {}) as { size?: unknown };
  if (error.status === 416 && typeof size === 'number') reply.header('content-range', `bytes */${size}`);
  if (error.status === 401) reply.header('www-authenticate', 'Bearer');
  if (error.retryable && (error.status === 429 || error.status === 503)) reply.header('retry-after', '1');
  reply.code(error.status).header('content-type', 'application/json; charset=utf-8').header('cache-control', 'no-store');
  reply.send(JSON.stringify(toWireError(error, requestId)));
}

/** Answers on the socket itself what never became a request, and closes it. */
function refuseHead(error: HeadError, socket: Socket): void {
  if (socket.writable && error.code !== 'ECONNRESET') {
    const [status, problem] = headProblem(error);
    const body = JSON.stringify(toWireError(problem));
    const head = ['content-type: application/json; charset=utf-8', `content-length: ${Buffer.byteLength(body)}`, 'connection: close'];
    socket.write(`HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\n${head.join('\r\n')}\r\n\r\n${body}`);
  }
  socket.destroy();
}

/** As Node's parser tells it, with the bytes in which it found it. */
interface HeadError {
  code: string;
  rawPacket?: unknown;
}

/** What has one is a request, though its method is one that the parser does not know. */
const requestLine = /^(?<method>[!#$%&'*+.^`|~\w-]+) \S+ HTTP\/1\.\d\r?\n/;

function headProblem({ code, rawPacket }: HeadError): [status: number, error: OutriggerError] {
  const sent = code === 'HPE_INVALID_METHOD' && Buffer.isBuffer(rawPacket) ? rawPacket.toString('latin1') : '';
  const method = requestLine.exec(sent)?.groups?.['method'];
  if (method !== undefined) return [501, unknownMethod(method.slice(0, 100))];
  if (code === 'HPE_HEADER_OVERFLOW') {
    const hint = 'Send what is long as the body: each operation takes its input by POST.';
    return [431, new OutriggerError('INPUT_TOO_LARGE', 'The head of the request is longer than the limit.', { hint })];
  }
  if (code === 'ERR_HTTP_REQUEST_TIMEOUT') return [408, new OutriggerError('DEADLINE', 'The head of the request did not come in time.')];
  return [400, new OutriggerError('BAD_INPUT', 'That is no request of HTTP.')];
}

function pathOf(request: FastifyRequest): string {
  return (request.url.split('?')[0] ?? '').slice(0, 200);
}

/** Fastify's own complaints about a request, in our words. */
function fromFastify(error: FastifyError): OutriggerError {
  switch (error.code) {
    case 'FST_ERR_CTP_BODY_TOO_LARGE':
      return new OutriggerError('INPUT_TOO_LARGE', 'The body is larger than the limit.');
    case 'FST_ERR_CTP_INVALID_MEDIA_TYPE':
      return new OutriggerError('BAD_INPUT', 'Send the input as application/json.');
    case 'FST_ERR_BAD_URL':
      return new OutriggerError('BAD_PATH', 'The URL is not percent-encoded UTF-8.');
    default:
      if (error.statusCode !== undefined && error.statusCode >= 400 && error.statusCode < 500)
        return new OutriggerError('BAD_INPUT', error.message);
      return new OutriggerError('INTERNAL', 'Something failed inside; the log has it under this request id.', { cause: error });
  }
}
