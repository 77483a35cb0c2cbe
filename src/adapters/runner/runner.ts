import type { FastifyError, FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { AccessLevel, Caller } from '../../contract/access.ts';
import type { Dispatch } from '../../contract/dispatch.ts';
import type { CodeFile } from '../../contract/code.ts';
import { OutriggerError } from '../../contract/errors.ts';
import { askBeforeLongBodies, type AuthenticateDependencies, type AuthenticateOptions, requestCaller } from '../../net/authenticate.ts';
import { refuseOtherMethods } from '../../net/http-app.ts';
import { acceptJson } from '../../net/json-body.ts';
import { callerSignal } from '../../net/response-flow.ts';
import { ask, type Asking } from '../code-api/ask.ts';
import { BadRequest, issuesOf } from '../code-api/answers.ts';
import { jsonProblem } from '../code-api/json-body.ts';
import { sendFile } from '../code-api/files.ts';
import { KnownLanguages } from '../code-api/languages.ts';
import { execute, readExecute } from './execute.ts';
import { WORKING_DIR, WorkingFolder } from './working-folder.ts';

export interface RunnerDependencies extends AuthenticateDependencies {
  dispatch: Dispatch;
  /** Told about failures that no OutriggerError explains. */
  onError: (error: unknown, requestId: string) => void;
}

export interface RunnerOptions extends AuthenticateOptions {
  /** The one language that is run here; without it requests name theirs. */
  language: string | undefined;
  /** What callers without a token may do; `none`: nothing. A token that does not hold is refused all the same. */
  anonymous: AccessLevel | 'none';
  /** Of one uploaded file; the service may allow less. */
  maxUploadBytes: number;
}

const FILES = '/files/';
/** Probes carry no token, and are told no more than whether it works. */
const probe: Caller = { id: 'probe', name: 'probe', kind: 'service', access: 'read' };

/** The runner of KubeCodeRun's pods, at the root of a listener of its own: one working folder, mapped onto operations. docs/code-api.md describes it. */
export function registerRunner(app: FastifyInstance, dependencies: RunnerDependencies, options: RunnerOptions): void {
  const { dispatch, onError } = dependencies;
  const languages = new KnownLanguages();
  const folder = new WorkingFolder();

  const askingAs = (caller: Caller, request: FastifyRequest, reply: FastifyReply): Asking => ({
    dispatch,
    caller,
    transport: 'runner',
    requestId: request.id,
    signal: callerSignal(reply.raw),
  });
  const asking = async (request: FastifyRequest, reply: FastifyReply): Promise<Asking> =>
    askingAs(await callerOf(request, dependencies, options), request, reply);

  app.register(async (scope) => {
    const { default: multipart } = await import('@fastify/multipart');
    await scope.register(multipart, { preservePath: true, limits: { fileSize: options.maxUploadBytes }, throwFileSizeLimit: false });
    acceptJson(scope, jsonProblem);
    askBeforeLongBodies(scope, (request) => callerOf(request, dependencies, options));
    scope.setErrorHandler((error: FastifyError | OutriggerError | BadRequest, request, reply) => sendError(error, request, reply, onError));
    scope.all('/*', (_request, reply) => reply.code(404).send({ detail: 'Not Found' }));

    scope.post('/execute', async (request, reply) => {
      const caller = await asking(request, reply);
      return await execute({ asking: caller, languages, folder }, readExecute(request.body, options.language));
    });

    scope.post('/files', async (request, reply) => {
      const caller = await asking(request, reply);
      if (!request.isMultipart()) throw missingFiles();
      const uploaded = await folder.takeForm(caller, request);
      if (uploaded.length === 0) throw missingFiles();
      return {
        uploaded: uploaded.map((file) => ({ ...listed(file), path: `${WORKING_DIR}/${file.name}` })),
      };
    });
    scope.get('/files', async (request, reply) => {
      const files = await folder.list(await asking(request, reply));
      return { files: files.map(listed) };
    });
    scope.get('/files/*', async (request, reply) => {
      const caller = await asking(request, reply);
      const { session, file, inside } = await folder.find(caller, pathOf(request));
      if (file === undefined) return { files: inside.map(listed) };
      const { head, bytes } = await folder.read(caller, session, file);
      await sendFile(request, reply, head, bytes);
      return reply;
    });
    scope.delete('/files/*', async (request, reply) => {
      const path = pathOf(request);
      await folder.remove(await asking(request, reply), path);
      return { deleted: path };
    });

    scope.get('/health', () => ({
      status: 'healthy',
      language: options.language ?? 'any',
      working_dir: WORKING_DIR,
      timestamp: new Date().toISOString(),
    }));
    scope.get('/ready', async (request, reply) => {
      const problem = await notReady(askingAs(probe, request, reply), languages, options.language);
      return problem === undefined ? { status: 'ready' } : reply.code(503).send({ detail: problem });
    });

    for (const [route, methods] of Object.entries(methodsOf)) refuseOtherMethods(scope, route, methods);
  });
}

const methodsOf: Readonly<Record<string, readonly string[]>> = {
  '/execute': ['POST'],
  '/files': ['GET', 'POST'],
  '/files/*': ['GET', 'DELETE'],
  '/health': ['GET'],
  '/ready': ['GET'],
};

function listed({ name, size, contentType }: CodeFile): Record<string, unknown> {
  return { name: name.slice(name.lastIndexOf('/') + 1), path: name, size, mime_type: contentType };
}

/** Frozen and one for all: they see the same, and count as one. */
function anonymousCaller(access: AccessLevel): Caller {
  return Object.freeze({ id: 'anonymous', name: 'anonymous', kind: 'service', access });
}

async function callerOf(request: FastifyRequest, dependencies: RunnerDependencies, options: RunnerOptions): Promise<Caller> {
  try {
    return await requestCaller(request, dependencies, options);
  } catch (error) {
    if (!(error instanceof OutriggerError) || error.reason !== 'NO_TOKEN' || options.anonymous === 'none') throw error;
    return anonymousCaller(options.anonymous);
  }
}

/** What is missing for the language, or undefined. */
async function notReady(asking: Asking, languages: KnownLanguages, name: string | undefined): Promise<string | undefined> {
  try {
    const { ready } = await ask(asking, 'system.health', {});
    if (!ready) return 'The sidecar is not ready';
    if (name === undefined) return undefined;
    const { code } = await languages.named(asking, name);
    // Asked anew: what is missing may be installed meanwhile.
    const language = (await ask(asking, 'code.languages', {})).languages.find((one) => one.code === code);
    return language === undefined || language.missing.length === 0 ? undefined : `Missing: ${language.missing.join(', ')}`;
  } catch (error) {
    if (error instanceof OutriggerError || error instanceof BadRequest) return error.message;
    throw error;
  }
}

function missingFiles(): BadRequest {
  return BadRequest.form({ field: 'body -> files', message: 'Field required', code: 'missing' });
}

/** The path behind /files/, as it was asked: with what `..` in it would lead to. */
function pathOf(request: FastifyRequest): string {
  const [raw = ''] = request.url.split('?');
  try {
    return decodeURIComponent(raw.slice(FILES.length));
  } catch {
    throw new OutriggerError('BAD_PATH', 'Invalid path');
  }
}

/** `{detail}`, as the original answers. */
function sendError(
  error: FastifyError | OutriggerError | BadRequest,
  request: FastifyRequest,
  reply: FastifyReply,
  onError: RunnerDependencies['onError'],
): void {
  if (error instanceof BadRequest) {
    const detail = error.problems.map(({ field, message, code }) => ({ loc: field.split(' -> '), msg: message, type: code }));
    return void reply.code(error.status).send({ detail });
  }
  if (error instanceof OutriggerError && error.reason === 'BAD_INPUT' && error.details !== undefined)
    return sendError(BadRequest.form(...issuesOf(error)), request, reply, onError);
  const given = error instanceof OutriggerError ? error.status : (error.statusCode ?? 500);
  const status = given >= 400 && given < 600 ? given : 500;
  const own = error instanceof OutriggerError || status < 500;
  if (!own) onError(error, request.id);
  if (status === 401) reply.header('www-authenticate', 'Bearer');
  reply.code(status).send({ detail: own ? error.message : 'Something failed inside; the log has it under this request id.' });
}
