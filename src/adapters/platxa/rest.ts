import type { FastifyError, FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { Caller } from '../../contract/access.ts';
import type { Dispatch, DispatchRequest } from '../../contract/dispatch.ts';
import { OutriggerError } from '../../contract/errors.ts';
import type { Entry } from '../../contract/files.ts';
import { joinPath } from '../../contract/paths.ts';
import type { Output } from '../../contract/operation.ts';
import type { Operations } from '../../contract/operations.ts';
import { isoTime } from '../../core/iso-time.ts';
import { answerGet } from '../../net/answer-get.ts';
import { askBeforeLongBodies } from '../../net/authenticate.ts';
import { refuseOtherMethods } from '../../net/http-app.ts';
import { asItIs, callerSignal } from '../../net/response-flow.ts';
import { registerOdooRoutes } from './odoo.ts';
import { type PlatxaCallerDependencies, type PlatxaCallerOptions, requestingCaller } from './platxa-caller.ts';

export interface RestDependencies extends PlatxaCallerDependencies {
  dispatch: Dispatch;
  onError: (error: unknown, requestId: string) => void;
}

const MAX_FILES = 100_000;
const MAX_UPLOAD_BYTES = 10 * 1024 * 1024;
const UPLOAD = '/upload';

type Name = keyof Operations & string;

/** Probes carry no token: what they are told is chosen in `health` and `ready`, below. */
const probe: Caller = { id: 'probe', name: 'probe', kind: 'service', access: 'read' };

/** Seed 000's paths at the root. */
export function registerPlatxaRoutes(app: FastifyInstance, dependencies: RestDependencies, options: PlatxaCallerOptions): void {
  const { dispatch, onError } = dependencies;

  const call = async <K extends Name>(
    request: FastifyRequest,
    reply: FastifyReply,
    name: K,
    input: unknown,
    more: Partial<DispatchRequest> = {},
  ): Promise<Output<Operations[K]>> => {
    const caller = more.caller ?? (await requestingCaller(request, dependencies, options));
    const { output } = await dispatch({
      name,
      input,
      caller,
      transport: 'platxa',
      requestId: request.id,
      signal: callerSignal(reply.raw),
      ...more,
    });
    return output as Output<Operations[K]>;
  };

  app.register(async (scope) => {
    const { default: multipart } = await import('@fastify/multipart');
    await scope.register(multipart, {
      limits: { fileSize: MAX_UPLOAD_BYTES, files: 1, fields: 20, fieldSize: 64 * 1024 },
      throwFileSizeLimit: false,
    });
    scope.setErrorHandler((error: FastifyError | OutriggerError, request, reply) => sendError(error, request, reply, onError));
    askBeforeLongBodies(scope, (request) => requestingCaller(request, dependencies, options));
    scope.addHook('onSend', (_request, reply, _payload, done) => {
      reply.header('cache-control', asItIs);
      done();
    });

    const list = async (request: FastifyRequest, reply: FastifyReply): Promise<unknown> => {
      const caller = await requestingCaller(request, dependencies, options);
      const files: string[] = [];
      let truncated = false;
      // A caller limited to some paths is shown what lies there.
      for (const path of caller.paths ?? ['']) {
        const emit = (item: unknown): void => {
          if (files.length < MAX_FILES) files.push((item as Entry).path);
          else truncated = true;
        };
        const input = { path, recursive: true, includeIgnored: false, limit: Math.max(1, MAX_FILES - files.length) };
        const answer = await call(request, reply, 'files.list', input, { caller, emit }).catch((error: unknown) => {
          if (path !== '' && error instanceof OutriggerError && (error.reason === 'FILE_NOT_FOUND' || error.reason === 'NOT_A_DIRECTORY'))
            return undefined;
          throw error;
        });
        truncated ||= answer?.truncated === true;
      }
      return truncated ? { files, truncated } : { files };
    };
    answerGet(scope, '/files', list);

    const read = async (request: FastifyRequest, reply: FastifyReply): Promise<unknown> => {
      const path = pathOf(request);
      if (path === '') return list(request, reply);
      const { text, bom, etag } = await call(request, reply, 'files.read', { path });
      reply.header('etag', etag);
      if (matches(request.headers['if-none-match'], etag)) return reply.code(304).send();
      // The seed answers the whole content, mark included, and writes back what it is given.
      return { path, content: bom === true ? `\ufeff${text}` : text };
    };
    scope.route({ method: ['GET', 'HEAD'], url: '/files/*', handler: read });

    scope.put('/files/*', async (request, reply) => {
      const { content } = (request.body ?? {}) as { content?: unknown };
      if (typeof content !== 'string') throw new OutriggerError('BAD_INPUT', 'The body must be {"content": "…"}.');
      const { etag } = await call(request, reply, 'files.write', { path: pathOf(request), text: content, ...conditions(request) });
      reply.header('etag', etag);
      return { success: true };
    });

    scope.delete('/files/*', async (request, reply) => {
      const { ifMatch, ifNoneMatch } = conditions(request);
      if (ifNoneMatch !== undefined) throw unchecked('if-none-match');
      await call(request, reply, 'files.remove', { path: pathOf(request), ...(ifMatch === undefined ? {} : { ifMatch }) });
      return { success: true };
    });

    scope.post('/files/*', async (request, reply) => {
      const whole = pathOf(request);
      if (!whole.endsWith(UPLOAD)) throw new OutriggerError('NOT_FOUND', 'Files are posted to /files/{path}/upload.');
      const caller = await requestingCaller(request, dependencies, options);
      const file = await request.file().catch(brokenForm);
      if (file === undefined) throw new OutriggerError('BAD_INPUT', 'The form holds no file.');
      try {
        const target = whole.slice(0, -UPLOAD.length);
        const { entry } = await call(request, reply, 'files.stat', { path: target }, { caller });
        // Into a folder a file goes under its own name; not every form gives one.
        const name: string | undefined = file.filename;
        if (entry?.kind === 'directory' && !name)
          throw new OutriggerError('BAD_INPUT', `${target} is a folder, and the file of the form has no name.`);
        const path = entry?.kind === 'directory' ? joinPath(target, name) : target;
        const { etag, size } = await call(
          request,
          reply,
          'files.upload',
          { path, ...conditions(request) },
          { caller, body: wholeFile(file.file) },
        );
        reply.header('etag', etag);
        return { success: true, path, size };
      } finally {
        // What is refused early is read to its end all the same, or the answer would not be.
        file.file.resume();
      }
    });

    answerGet(scope, '/git/status', async (request, reply) => {
      const { changes } = await call(request, reply, 'git.status', {});
      const paths = (wanted: (change: (typeof changes)[number]) => boolean): string[] => changes.filter(wanted).map(({ path }) => path);
      return {
        staged: paths(({ staged }) => staged !== null && staged !== 'unmerged'),
        modified: paths(({ unstaged }) => unstaged !== null && unstaged !== 'untracked'),
        untracked: paths(({ unstaged }) => unstaged === 'untracked'),
      };
    });
    answerGet(scope, '/git/diff', async (request, reply) => {
      const { path } = request.query as Record<string, unknown>;
      const { diff } = await call(request, reply, 'git.diff', path === undefined || path === '' ? {} : { path });
      return { diff };
    });
    answerGet(scope, '/git/log', async (request, reply) => {
      const { count = '10' } = request.query as Record<string, unknown>;
      const { commits } = await call(request, reply, 'git.log', { count: Number(count) });
      return {
        commits: commits.map(({ hash, at, subject, refs, body, author }) => ({
          ...{ hash, date: isoTime(at) ?? '', message: subject, refs: refs.join(', '), body },
          ...{ author_name: author.name, author_email: author.email },
        })),
      };
    });
    scope.post('/git/commit', async (request, reply) => {
      const { message } = (request.body ?? {}) as { message?: unknown };
      const { hash } = await call(request, reply, 'git.commit', { message });
      // As simple-git says that there was nothing.
      return { commit: hash ?? '' };
    });

    registerOdooRoutes(scope, { dispatch, callerOf: (request) => requestingCaller(request, dependencies, options) });

    const health = async (
      request: FastifyRequest,
      reply: FastifyReply,
    ): Promise<{ known: boolean; health: Output<Operations['system.health']> | undefined }> => {
      const caller = await requestingCaller(request, dependencies, options).catch(() => undefined);
      const found = await call(request, reply, 'system.health', {}, { caller: caller ?? probe }).catch((error: unknown) => {
        if (error instanceof OutriggerError && error.reason === 'STOPPING') return undefined;
        throw error;
      });
      return { known: caller !== undefined, health: found };
    };
    // Evidence is for those who hold a token; the keys stay, so that nobody's code breaks on a missing one.
    answerGet(scope, '/health', async (request, reply) => {
      const { known, health: found } = await health(request, reply);
      const status = found === undefined ? 'stopping' : 'ok';
      if (!known || found === undefined) return { status, uptime: null, memory: null, connections: null };
      return { status, uptime: found.uptimeMs / 1000, memory: { rss: found.memoryBytes }, connections: found.connections };
    });
    answerGet(scope, '/ready', async (request, reply) => {
      const { known, health: found } = await health(request, reply);
      const ready = found?.ready === true;
      reply.code(ready ? 200 : 503);
      const status = ready ? 'ready' : found === undefined ? 'stopping' : 'not ready';
      if (!known || found === undefined) return { status, checks: {} };
      const check = (name: string): boolean => found.checks.find((one) => one.name === name)?.ok ?? false;
      return { status, checks: { workspace: check('workspace'), git: check('git'), websocket: true } };
    });

    for (const [pattern, allowed] of Object.entries(methods)) refuseOtherMethods(scope, pattern, allowed);
  });
}

const methods: Readonly<Record<string, readonly string[]>> = {
  '/files/*': ['GET', 'HEAD', 'PUT', 'DELETE', 'POST'],
  '/git/commit': ['POST'],
};

/** What follows /files/, decoded once: `a/b.py` and `a%2Fb.py` are the same. */
function pathOf(request: FastifyRequest): string {
  const path = (request.url.split(/[?#]/, 1)[0] ?? '').slice('/files/'.length);
  try {
    return decodeURIComponent(path);
  } catch (error) {
    throw new OutriggerError('BAD_PATH', 'The URL is not percent-encoded UTF-8.', { cause: error });
  }
}

/** Of a change. Throws BAD_INPUT where a date alone says which: a file has none here. */
function conditions({ headers }: FastifyRequest): { ifMatch?: string; ifNoneMatch?: string } {
  const { 'if-match': ifMatch, 'if-none-match': ifNoneMatch } = headers;
  if (ifMatch === undefined && headers['if-unmodified-since'] !== undefined) throw unchecked('if-unmodified-since');
  return { ...(ifMatch === undefined ? {} : { ifMatch }), ...(ifNoneMatch === undefined ? {} : { ifNoneMatch }) };
}

function unchecked(header: string): OutriggerError {
  return new OutriggerError('BAD_INPUT', `The condition of the header ${header} can't be checked, so nothing was done.`);
}

function matches(header: string | undefined, etag: string): boolean {
  return header !== undefined && header.split(',').some((one) => one.trim() === etag || one.trim() === `W/${etag}` || one.trim() === '*');
}

async function* wholeFile(stream: AsyncIterable<Uint8Array> & { truncated: boolean }): AsyncGenerator<Uint8Array, void> {
  try {
    yield* stream;
  } catch (error) {
    brokenForm(error);
  }
  // The parser stops at the limit without a word.
  if (stream.truncated) throw new OutriggerError('INPUT_TOO_LARGE', `A file may hold ${MAX_UPLOAD_BYTES} bytes.`);
}

/** The parser's own errors say what the caller did wrong; those of a form that ends too early have no status. */
function brokenForm(error: unknown): never {
  if (error instanceof Error && (error as Partial<FastifyError>).statusCode === undefined)
    throw new OutriggerError('BAD_INPUT', `The form is broken: ${error.message}`, { cause: error });
  throw error;
}

/** `{error}`, as the seed's clients read it. */
function sendError(
  error: FastifyError | OutriggerError,
  request: FastifyRequest,
  reply: FastifyReply,
  onError: RestDependencies['onError'],
): void {
  const escapes = error instanceof OutriggerError && (error.reason === 'BAD_PATH' || error.reason === 'PATH_ESCAPES');
  const given = error instanceof OutriggerError ? error.status : (error.statusCode ?? 500);
  const status = escapes ? 403 : given >= 400 && given < 600 ? given : 500;
  const own = error instanceof OutriggerError || status < 500;
  if (!own) onError(error, request.id);
  if (status === 401) reply.header('www-authenticate', 'Bearer');
  if (error instanceof OutriggerError && error.retryable && (status === 429 || status === 503)) reply.header('retry-after', '1');
  reply
    .code(status)
    .send({ error: escapes ? 'Invalid path' : own ? error.message : 'Something failed inside; the log has it under this request id.' });
}
