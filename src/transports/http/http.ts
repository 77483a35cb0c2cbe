import type { Readable } from 'node:stream';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { Dispatch, DispatchReply, DispatchRequest } from '../../contract/dispatch.ts';
import { OutriggerError } from '../../contract/errors.ts';
import { type JsonSchema, operationSchema } from '../../contract/json-schema.ts';
import type { HttpHint, Operation, Table } from '../../contract/operation.ts';
import { askBeforeLongBodies, type AuthenticateDependencies, type AuthenticateOptions, requestCaller } from '../../net/authenticate.ts';
import { answerGet } from '../../net/answer-get.ts';
import { methods, refuseOtherMethods, refusedMethod } from '../../net/http-app.ts';
import { acceptJson } from '../../net/json-body.ts';
import { asItIs, callerSignal, sendBody } from '../../net/response-flow.ts';
import { ItemStream, type StreamFormat, streamTypes } from './item-stream.ts';
import { openApiText } from './openapi.ts';
import { operationRoute } from './operation-route.ts';
import { type QueryReader, queryReader } from './query-input.ts';
import { JsonTooDeep, readJson } from '../../core/json-text.ts';

export interface HttpDependencies extends AuthenticateDependencies {
  dispatch: Dispatch;
  table: Table;
}

export interface HttpOptions extends AuthenticateOptions {
  /** Before every path, e.g. `/api`. */
  prefix: string;
  /** A body of bytes may have so many. */
  maxUploadBytes: number;
  title: string;
  version: string;
}

const defaultKeepaliveMs = 15_000;
/** Headers that say under which condition something may be changed (RFC 9110 section 13.1) → input field. */
const conditions: Readonly<Record<string, string>> = {
  'if-match': 'ifMatch',
  'if-none-match': 'ifNoneMatch',
  'if-unmodified-since': 'ifUnmodifiedSince',
};
/** An answer of so many known bytes is read whole and sent at once. */
const wholeBytes = 64 * 1024;
/** How long the rest of a body that nobody wants may come; nginx gives as long (lingering_time). */
const restMs = 30_000;

/** Answers the body, or undefined where it has taken the response over. (The reply itself is a promise: returning it costs listeners.) */
type Handler = (request: FastifyRequest, reply: FastifyReply) => Promise<string | Buffer | undefined>;

/** Every operation of the table over HTTP: `POST /api/{operation}`, GET for reads, the hinted routes, and /openapi.json. */
export function registerOperations(app: FastifyInstance, dependencies: HttpDependencies, options: HttpOptions): void {
  const { table } = dependencies;
  const { prefix } = options;
  const methodsOf = new Map<string, string[]>();
  const raw: { method: string; pattern: string; handler: Handler }[] = [];
  const plain: typeof raw = [];
  /** By name and method: one route for all of them, since each takes its time at the start. */
  const named = new Map<string, Map<string, Handler>>();
  const add = (list: typeof raw, method: string, pattern: string, handler: Handler): void => {
    list.push({ method, pattern, handler });
    methodsOf.set(pattern, [...(methodsOf.get(pattern) ?? []), method]);
  };

  const callerOf = (request: FastifyRequest) => requestCaller(request, dependencies, options);

  for (const [name, operation] of Object.entries(table)) {
    const calls = new OperationCalls(name, operation, dependencies, options);
    const list = operation.body === 'bytes' ? raw : plain;
    if (operation.body === 'bytes') add(raw, 'POST', `${prefix}/${name}`, calls.fromBytes);
    else {
      const ways = new Map([['POST', calls.fromBody]]);
      if (operation.access === 'read') ways.set('GET', calls.fromQuery);
      if (ways.has('GET') && operation.endless !== true) ways.set('HEAD', calls.fromQuery);
      named.set(name, ways);
    }
    if (operation.http !== undefined) {
      const route = operationRoute(prefix, operation.http);
      const handler = calls.fromRoute(operation.http, route.fields);
      add(list, route.method, route.pattern, handler);
      if (route.method === 'GET' && operation.endless !== true) add(list, 'HEAD', route.pattern, handler);
    }
  }

  app.register(async (scope) => {
    scope.removeAllContentTypeParsers();
    acceptJson(scope);
    askBeforeLongBodies(scope, callerOf);
    for (const { method, pattern, handler } of plain) scope.route({ method, url: pattern, handler });
    for (const [pattern, allowed] of methodsOf) refuseOtherMethods(scope, pattern, allowed);
    // Unknown names too are answered by dispatch, to callers with a token.
    const unknown = async (request: FastifyRequest, reply: FastifyReply, name: string): Promise<never> => {
      const caller = await callerOf(request);
      await dependencies.dispatch({ name, input: {}, caller, transport: 'http', requestId: request.id, signal: callerSignal(reply.raw) });
      throw new OutriggerError('NO_OPERATION', `There is no operation ${JSON.stringify(name.slice(0, 100))}.`);
    };
    const nameOf = (request: FastifyRequest): string => (request.params as { name: string }).name;
    scope.route({
      method: methods,
      url: `${prefix}/:name`,
      onRequest: (request, reply, done) => {
        const allowed = [...(named.get(nameOf(request))?.keys() ?? ['GET', 'HEAD', 'POST'])];
        if (allowed.includes(request.method)) done();
        else done(refusedMethod(request, reply, allowed));
      },
      handler: (request, reply) => {
        const name = nameOf(request);
        return named.get(name)?.get(request.method)?.(request, reply) ?? unknown(request, reply, name);
      },
    });
    answerGet(scope, '/openapi.json', async (request, reply) => {
      await callerOf(request);
      reply.header('content-type', 'application/json; charset=utf-8').header('cache-control', 'no-store');
      return openApiText(table, { title: options.title, version: options.version, prefix });
    });
  });

  app.register(async (scope) => {
    scope.removeAllContentTypeParsers();
    askBeforeLongBodies(scope, callerOf);
    // The stream itself is handed on; it is read at the operation's pace.
    scope.addContentTypeParser('*', (_request, payload, done) => done(null, payload));
    for (const { method, pattern, handler } of raw) scope.route({ method, url: pattern, handler });
  });
}

/** One operation's ways in. All that can be worked out once is worked out here. */
class OperationCalls {
  readonly #name: string;
  readonly #operation: Operation;
  readonly #deps: HttpDependencies;
  readonly #options: HttpOptions;
  /** Header → input field, of headers that any way in may have. */
  readonly #headers: [header: string, field: string][];
  #schema: JsonSchema | undefined;
  #query: QueryReader | undefined;

  constructor(name: string, operation: Operation, dependencies: HttpDependencies, options: HttpOptions) {
    this.#name = name;
    this.#operation = operation;
    this.#deps = dependencies;
    this.#options = options;
    this.#headers = Object.entries({ ...conditions, ...operation.http?.request });
  }

  readonly fromBody: Handler = (request, reply) => this.#call(request, reply, request.body, undefined);

  readonly fromQuery: Handler = (request, reply) => this.#call(request, reply, this.#queryInput(request), undefined);

  /** The body is bytes, and the query the input; where there is no query, a JSON body is the input, and there are no bytes. */
  readonly fromBytes: Handler = async (request, reply) => {
    const isInput = isJson(request.headers['content-type']) && Object.keys(request.query as object).length === 0;
    if (!isInput) return this.fromQuery(request, reply);
    return this.#call(request, reply, await this.#jsonInput(request), undefined, false);
  };

  fromRoute(hint: HttpHint, fields: (url: string) => Record<string, string>): Handler {
    return async (request, reply) => {
      const input = this.#queryInput(request);
      if (this.#operation.body === undefined && typeof request.body === 'object') Object.assign(input, request.body);
      return this.#call(request, reply, Object.assign(input, fields(request.url)), hint);
    };
  }

  // Worked out at first use: all schemas together would take a good part of the start.
  #inputSchema(): JsonSchema {
    this.#schema ??= operationSchema(this.#operation, 'input') ?? {};
    return this.#schema;
  }

  #hasField(field: string): boolean {
    return this.#inputSchema().properties?.[field] !== undefined;
  }

  #queryInput(request: FastifyRequest): Record<string, unknown> {
    this.#query ??= queryReader(this.#inputSchema());
    return this.#query(request.query as Record<string, string | string[]>);
  }

  /** The input with what its headers say. Throws BAD_INPUT where they say something else than it, or a condition that can't be checked. */
  #withHeaders(request: FastifyRequest, given: unknown): unknown {
    const { headers, method } = request;
    const input: Record<string, unknown> = {};
    for (const [header, field] of this.#headers) {
      const value = headers[header];
      // A range is for GET alone, If-Modified-Since for what is read, and with If-Match no date counts (RFC 9110 sections 14.2, 13.1.3 and 13.1.4).
      if (value === undefined || (header === 'range' && method !== 'GET')) continue;
      if (header === 'if-modified-since' && method !== 'GET' && method !== 'HEAD') continue;
      if (header === 'if-unmodified-since' && headers['if-match'] !== undefined) continue;
      if (this.#hasField(field)) input[field] = value;
      else if (this.#operation.access !== 'read')
        throw new OutriggerError('BAD_INPUT', `${this.#name} can't check the condition of the header ${header}, so nothing was done.`);
    }
    // What is no object is refused as such.
    if (Object.keys(input).length === 0 || typeof (given ?? {}) !== 'object' || Array.isArray(given)) return given;
    const whole = { ...input, ...(given as Record<string, unknown> | null | undefined) };
    for (const field in input)
      if (whole[field] !== input[field]) throw new OutriggerError('BAD_INPUT', `A header says something else for ${field} than the input.`);
    return whole;
  }

  /** No more is read than an input may have. */
  async #jsonInput(request: FastifyRequest): Promise<unknown> {
    const chunks: Uint8Array[] = [];
    for await (const chunk of limited(request, request.routeOptions.bodyLimit ?? 0)) chunks.push(chunk);
    try {
      return readJson(Buffer.concat(chunks).toString());
    } catch (error) {
      throw new OutriggerError('BAD_INPUT', error instanceof JsonTooDeep ? error.message : 'The body is not JSON.');
    }
  }

  async #call(
    request: FastifyRequest,
    reply: FastifyReply,
    given: unknown,
    route: HttpHint | undefined,
    hasBytes = this.#operation.body === 'bytes',
  ): Promise<string | Buffer | undefined> {
    const identified = requestCaller(request, this.#deps, this.#options);
    const caller = identified instanceof Promise ? await identified : identified;
    reply.header('cache-control', 'no-store');
    let input = this.#withHeaders(request, given);
    const lastId = request.headers['last-event-id'];
    if (typeof lastId === 'string' && lastId !== '' && this.#operation.item !== undefined && this.#hasField('cursor'))
      input = { ...(input as object), cursor: lastId };
    const asked: DispatchRequest = {
      name: this.#name,
      input,
      caller,
      transport: 'http',
      requestId: request.id,
      signal: callerSignal(reply.raw),
    };
    if (hasBytes && request.body !== undefined && request.body !== null) {
      asked.body = limited(request, this.#options.maxUploadBytes);
    }
    const format = this.#operation.bytes === true ? undefined : streamFormat(request.headers.accept);
    if (format !== undefined) return this.#stream(request, reply, asked, format);
    const answer = await this.#deps.dispatch(asked);
    return answer.bytes === undefined ? this.#whole(reply, answer) : this.#bytes(request, reply, answer, answer.bytes, route);
  }

  #whole(reply: FastifyReply, answer: DispatchReply): string {
    this.#hinted(reply, answer.output);
    const body = answer.items === undefined ? answer.output : { ...(answer.output as object), items: answer.items };
    reply.header('content-type', 'application/json; charset=utf-8');
    return JSON.stringify(body) ?? 'null';
  }

  async #stream(
    request: FastifyRequest,
    reply: FastifyReply,
    asked: DispatchRequest,
    format: StreamFormat,
  ): Promise<string | Buffer | undefined> {
    reply.header('cache-control', asItIs);
    if (request.method === 'HEAD') {
      // Nobody would read the items.
      asked.emit = () => undefined;
      await this.#deps.dispatch(asked);
      reply.header('content-type', streamTypes[format]);
      return '';
    }
    const stream = new ItemStream(reply, format, keepaliveMs(request.headers['keepalive-interval'], format));
    asked.emit = (item) => stream.item(item);
    try {
      const answer = await this.#deps.dispatch(asked);
      stream.end(answer.output);
    } catch (error) {
      if (!stream.begun || !(error instanceof OutriggerError)) {
        stream.abandon();
        if (stream.begun) reply.raw.destroy();
        throw error;
      }
      stream.fail(error, request.id);
    }
    return undefined;
  }

  async #bytes(
    request: FastifyRequest,
    reply: FastifyReply,
    answer: DispatchReply,
    bytes: AsyncIterable<Uint8Array>,
    route: HttpHint | undefined,
  ): Promise<string | Buffer | undefined> {
    const iterator = bytes[Symbol.asyncIterator]();
    try {
      reply.header('content-type', 'application/octet-stream').header('cache-control', asItIs);
      // What people keep in a workspace must not run as a page of ours.
      reply.header('content-security-policy', "default-src 'none'; sandbox");
      this.#hinted(reply, answer.output);
      if (route === undefined) reply.header('outrigger-output', encodeURIComponent(JSON.stringify(answer.output)));
      const length = Number(reply.getHeader('content-length') ?? Number.NaN);
      if (request.method === 'HEAD' || reply.statusCode === 304) {
        await iterator.return?.();
        if (reply.statusCode === 304) reply.removeHeader('content-length');
        reply.hijack();
        reply.raw.writeHead(reply.statusCode, reply.getHeaders() as Record<string, string>).end();
        return undefined;
      }
      if (length <= wholeBytes) return await gather(iterator, length);
      reply.hijack();
      reply.raw.writeHead(reply.statusCode, reply.getHeaders() as Record<string, string>);
      await sendBody(reply.raw, iterator, length);
    } catch (error) {
      await iterator.return?.();
      if (!reply.raw.headersSent) throw error;
      // A body that stops short must look like it.
      reply.raw.destroy();
    }
    return undefined;
  }

  #hinted(reply: FastifyReply, output: unknown): void {
    const hint = this.#operation.http;
    if (hint === undefined) return;
    const fields = output as Record<string, unknown>;
    for (const field in hint.response) {
      const header = hint.response[field];
      if (header !== undefined && fields[field] !== undefined && fields[field] !== null) reply.header(header, String(fields[field]));
    }
    for (const flag in hint.status) {
      if (fields[flag] === true) {
        reply.code(hint.status[flag] ?? 200);
        return;
      }
    }
  }
}

function isJson(type: string | undefined): boolean {
  return /^application\/json\s*(;|$)/i.test(type ?? '');
}

async function gather(iterator: AsyncIterator<Uint8Array>, length: number): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  for (let step = await iterator.next(); step.done !== true; step = await iterator.next()) chunks.push(step.value);
  const whole =
    chunks.length === 1 && chunks[0] !== undefined
      ? Buffer.from(chunks[0].buffer, chunks[0].byteOffset, chunks[0].length)
      : Buffer.concat(chunks);
  if (whole.length !== length) throw new OutriggerError('INTERNAL', 'The content changed its size while it was read.');
  return whole;
}

/** The body of a request, as long as it has no more bytes. Throws INPUT_TOO_LARGE, at once where it is said to have more. */
function limited(request: FastifyRequest, maxBytes: number): AsyncIterable<Uint8Array> {
  if (Number(request.headers['content-length'] ?? 0) > maxBytes) throw tooLarge(maxBytes);
  return upTo(request.body as Readable, maxBytes);
}

function tooLarge(maxBytes: number): OutriggerError {
  return new OutriggerError('INPUT_TOO_LARGE', `The body is larger than ${maxBytes} bytes.`);
}

async function* upTo(body: Readable, maxBytes: number): AsyncGenerator<Uint8Array, void> {
  let count = 0;
  try {
    // Who stops reading early still wants to answer: the connection must outlive the body.
    for await (const chunk of body.iterator({ destroyOnReturn: false }) as AsyncIterable<Uint8Array>) {
      count += chunk.length;
      if (count > maxBytes) throw tooLarge(maxBytes);
      yield chunk;
    }
  } finally {
    if (!body.readableEnded && !body.destroyed) passOver(body);
  }
}

/** The next request on the connection comes after what is left of the body, which is read and let go for a while. */
function passOver(body: Readable): void {
  const timer = setTimeout(() => body.destroy(), restMs).unref();
  body.once('close', () => clearTimeout(timer)).resume();
}

/** What has it is not accepted (RFC 9110 section 12.4.2). */
const zeroWeight = /;\s*q=0(?:\.0*)?\s*(?:;|$)/;

function streamFormat(accept: string | undefined): StreamFormat | undefined {
  if (accept === undefined || accept === '*/*' || accept === 'application/json') return undefined;
  const accepted = accept
    .toLowerCase()
    .split(',')
    .filter((range) => !zeroWeight.test(range))
    .map((range) => range.split(';', 1)[0]?.trim());
  if (accepted.includes('text/event-stream')) return 'sse';
  return accepted.includes('application/x-ndjson') ? 'ndjson' : undefined;
}

/** Seconds in the header, 1 to 600; comments in NDJSON are unknown, so that has blank lines only for those who ask. */
function keepaliveMs(header: string | string[] | undefined, format: StreamFormat): number {
  const seconds = typeof header === 'string' ? Number(header) : Number.NaN;
  if (seconds > 0) return Math.min(Math.max(seconds, 1), 600) * 1000;
  return format === 'sse' ? defaultKeepaliveMs : 0;
}
