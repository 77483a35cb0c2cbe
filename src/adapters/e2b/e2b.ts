import type { FastifyError, FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { AccessLevel, Caller } from '../../contract/access.ts';
import type { Dispatch } from '../../contract/dispatch.ts';
import { OutriggerError } from '../../contract/errors.ts';
import { askBeforeLongBodies, type AuthenticateDependencies } from '../../net/authenticate.ts';
import { refuseOtherMethods } from '../../net/http-app.ts';
import { acceptJson } from '../../net/json-body.ts';
import { callerSignal } from '../../net/response-flow.ts';
import { BadRequest } from '../code-api/answers.ts';
import type { Asking } from '../code-api/ask.ts';
import { connectErrorOf, ConnectStream, readEnvelope, statusOf, STREAM_TYPE } from './connect-wire.ts';
import { type Fields, fieldsOf } from './fields.ts';
import { sendFile, takeFiles } from './file-bytes.ts';
import { E2bFilesystem } from './filesystem.ts';
import { E2bProcesses } from './processes.ts';
import { checkSignature } from './signature.ts';
import { E2bWatches } from './watching.ts';

export interface E2bDependencies extends AuthenticateDependencies {
  dispatch: Dispatch;
  /** Told about failures that no OutriggerError explains. */
  onError: (error: unknown, requestId: string) => void;
  /** The token whose signatures of URLs hold. */
  signingToken: () => string;
}

export interface E2bOptions {
  /** The workspace as the programs in it see it, an absolute path. */
  root: string;
  /** What callers without a token may do; `none`: nothing. A token that does not hold is refused all the same. */
  anonymous: AccessLevel | 'none';
  /** Of one file that is written. */
  maxUploadBytes: number;
}

/** Timers can wait for so long. */
const MAX_TIMER_MS = 2 ** 31 - 1;

/** What plain HTTP says of conditions and ranges that don't hold. */
const ownStatuses: readonly number[] = [412, 416];

type Unary = (asking: Asking, input: Fields) => Fields | Promise<Fields>;
type Streaming = (asking: Asking, input: Fields, stream: ConnectStream, timeoutMs: number | undefined) => Promise<void>;

/** The daemon of E2B's sandboxes, at the root of a listener of its own, mapped onto operations. docs/e2b.md describes it. `close` ends its watchers. */
export function registerE2b(app: FastifyInstance, dependencies: E2bDependencies, options: E2bOptions): { close(): void } {
  const { dispatch, onError } = dependencies;
  const { root } = options;
  const [files, processes, watches] = [new E2bFilesystem(root), new E2bProcesses(root), new E2bWatches(root)];
  const unary: Readonly<Record<string, Unary>> = {
    '/filesystem.Filesystem/Stat': (asking, input) => files.stat(asking, input),
    '/filesystem.Filesystem/MakeDir': (asking, input) => files.makeDir(asking, input),
    '/filesystem.Filesystem/Move': (asking, input) => files.move(asking, input),
    '/filesystem.Filesystem/ListDir': (asking, input) => files.list(asking, input),
    '/filesystem.Filesystem/Remove': (asking, input) => files.remove(asking, input),
    '/filesystem.Filesystem/CreateWatcher': (asking, input) => watches.create(asking, input),
    '/filesystem.Filesystem/GetWatcherEvents': (asking, input) => watches.events(asking, input),
    '/filesystem.Filesystem/RemoveWatcher': (asking, input) => watches.remove(asking, input),
    '/process.Process/List': (asking) => processes.list(asking),
    '/process.Process/SendInput': (asking, input) => processes.input(asking, input),
    '/process.Process/CloseStdin': (asking, input) => processes.closeInput(asking, input),
    '/process.Process/SendSignal': (asking, input) => processes.signal(asking, input),
    '/process.Process/Update': (asking, input) => processes.update(asking, input),
  };
  const streaming: Readonly<Record<string, { keepalive: unknown; run: Streaming }>> = {
    '/filesystem.Filesystem/WatchDir': {
      keepalive: { keepalive: {} },
      run: (asking, input, stream) => watches.stream(asking, input, stream),
    },
    '/process.Process/Start': {
      keepalive: { event: { keepalive: {} } },
      run: (asking, input, stream, timeoutMs) => processes.start(asking, input, stream, timeoutMs),
    },
    '/process.Process/Connect': {
      keepalive: { event: { keepalive: {} } },
      run: (asking, input, stream) => processes.connect(asking, input, stream),
    },
  };

  const askingAs = (caller: Caller, request: FastifyRequest, reply: FastifyReply): Asking => ({
    dispatch,
    caller,
    transport: 'e2b',
    requestId: request.id,
    signal: callerSignal(reply.raw),
  });

  app.register(async (scope) => {
    acceptJson(scope);
    scope.addContentTypeParser(STREAM_TYPE, { parseAs: 'buffer' }, (_request, body, done) => done(null, body));
    askBeforeLongBodies(scope, (request) => callerOf(request, dependencies, options));
    scope.setErrorHandler((error: FastifyError | OutriggerError, request, reply) => {
      const { code, message } = connectErrorOf(known(error, request, onError));
      if (code === 'unauthenticated') reply.header('www-authenticate', 'Bearer');
      return reply.code(statusOf[code]).send({ code, message });
    });
    for (const [route, answer] of Object.entries(unary)) {
      scope.post(route, async (request, reply) => {
        const asking = askingAs(await callerOf(request, dependencies, options), request, reply);
        return await answer(asking, fieldsOf(request.body ?? {}, 'The message'));
      });
      refuseOtherMethods(scope, route, ['POST']);
    }
    for (const [route, { keepalive, run }] of Object.entries(streaming)) {
      scope.post(route, async (request, reply) => {
        const { headers } = request;
        const timeoutMs = wholeNumber(headers['connect-timeout-ms']);
        const stream = new ConnectStream(reply, wholeNumber(headers['keepalive-ping-interval']), keepalive);
        try {
          const asking = askingAs(await callerOf(request, dependencies, options), request, reply);
          const late = deadline(timeoutMs, reply);
          const signal = late === undefined ? asking.signal : AbortSignal.any([asking.signal, late]);
          await run({ ...asking, signal }, fieldsOf(readEnvelope(bodyOf(request)), 'The message'), stream, timeoutMs);
          stream.end();
        } catch (error) {
          stream.fail(known(error as Error, request, onError));
        }
        return reply;
      });
      refuseOtherMethods(scope, route, ['POST']);
    }
  });

  app.register(async (scope) => {
    scope.removeAllContentTypeParsers();
    const { default: multipart } = await import('@fastify/multipart');
    await scope.register(multipart, { preservePath: true, limits: { fileSize: options.maxUploadBytes }, throwFileSizeLimit: false });
    // What is written is streamed; only a form is read by its parser.
    scope.addContentTypeParser('*', (_request, payload, done) => done(null, payload));
    const caller = (request: FastifyRequest): Promise<Caller> => fileCallerOf(request, dependencies, options);
    askBeforeLongBodies(scope, caller);
    scope.setErrorHandler((error: FastifyError | OutriggerError, request, reply) => {
      const one = known(error, request, onError);
      const { code, message } = connectErrorOf(one);
      const status =
        one.reason === 'DISK_FULL'
          ? 507
          : one.reason === 'INPUT_TOO_LARGE' || ownStatuses.includes(one.status)
            ? one.status
            : statusOf[code];
      const { size } = (one.details ?? {}) as { size?: unknown };
      if (status === 416 && typeof size === 'number') reply.header('content-range', `bytes */${size}`);
      if (status === 401) reply.header('www-authenticate', 'Bearer');
      return reply.code(status).send({ code: status, message });
    });
    scope.get('/files', async (request, reply) => {
      await sendFile(askingAs(await caller(request), request, reply), request, reply, root);
      return reply;
    });
    scope.post('/files', async (request, reply) => {
      return await takeFiles(askingAs(await caller(request), request, reply), request, root);
    });
    scope.get('/health', (_request, reply) => reply.code(204).send());
    refuseOtherMethods(scope, '/files', ['GET', 'POST']);
    refuseOtherMethods(scope, '/health', ['GET']);
  });
  return { close: () => watches.close() };
}

/** By `X-Access-Token` or a bearer token. The name of a user that comes along says nothing. */
async function callerOf({ headers }: FastifyRequest, { authenticate }: E2bDependencies, { anonymous }: E2bOptions): Promise<Caller> {
  const given = headers['x-access-token'];
  const token = typeof given === 'string' ? given : /^bearer +([^\s,]+) *$/i.exec(headers.authorization ?? '')?.[1];
  if (token !== undefined) return await authenticate({ token, from: 'bearer' }, 'request');
  if (anonymous === 'none') return await authenticate({ token: undefined, from: 'none' }, 'request');
  return { id: 'anonymous', name: 'anonymous', kind: 'service', access: anonymous };
}

/** Of the bytes of a file also by the signature of the URL, which holds for that file, that way, and for nothing else. */
async function fileCallerOf(request: FastifyRequest, dependencies: E2bDependencies, options: E2bOptions): Promise<Caller> {
  const { signature, signature_expiration: expiration, path, username } = request.query as Readonly<Record<string, unknown>>;
  if (typeof signature !== 'string' || request.headers['x-access-token'] !== undefined)
    return await callerOf(request, dependencies, options);
  const text = (value: unknown): string => (typeof value === 'string' ? value : '');
  const token = dependencies.signingToken();
  const operation = request.method === 'GET' ? 'read' : 'write';
  const signed = { path: text(path), operation, username: text(username), signature } as const;
  checkSignature({ ...signed, expiration: expiration === undefined ? undefined : text(expiration) }, token, Date.now());
  return await dependencies.authenticate({ token, from: 'bearer' }, 'request');
}

/** An error of ours; what is none is told, and kept from the caller. */
function known(error: FastifyError | OutriggerError | Error, request: FastifyRequest, onError: E2bDependencies['onError']): OutriggerError {
  if (error instanceof OutriggerError) return error;
  if (error instanceof BadRequest) return new OutriggerError('BAD_INPUT', error.problems[0]?.message ?? error.message, { cause: error });
  const { statusCode: status = 500 } = error as Partial<FastifyError>;
  if (status >= 400 && status < 500) return new OutriggerError(status === 413 ? 'INPUT_TOO_LARGE' : 'BAD_INPUT', error.message);
  onError(error, request.id);
  return new OutriggerError('INTERNAL', 'Something failed inside; the log has it under this request id.', { cause: error });
}

function bodyOf({ body }: FastifyRequest): Uint8Array {
  if (body instanceof Uint8Array) return body;
  throw new OutriggerError('BAD_FRAME', `Begin the stream with one message, as ${STREAM_TYPE}.`);
}

function wholeNumber(header: string | string[] | undefined): number | undefined {
  const value = typeof header === 'string' && /^\d{1,10}$/.test(header) ? Number(header) : 0;
  return value > 0 ? value : undefined;
}

/** Aborted when the time of a call is over. */
function deadline(timeoutMs: number | undefined, { raw }: FastifyReply): AbortSignal | undefined {
  if (timeoutMs === undefined) return undefined;
  const late = new AbortController();
  const timer = setTimeout(
    () => late.abort(new OutriggerError('DEADLINE', 'The time of the call is over.')),
    Math.min(timeoutMs, MAX_TIMER_MS),
  );
  raw.once('close', () => clearTimeout(timer));
  return late.signal;
}
