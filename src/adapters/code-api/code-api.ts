import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { Caller } from '../../contract/access.ts';
import type { Dispatch } from '../../contract/dispatch.ts';
import type { AuthenticateDependencies } from '../../net/authenticate.ts';
import { refuseOtherMethods } from '../../net/http-app.ts';
import { acceptJson } from '../../net/json-body.ts';
import { callerSignal } from '../../net/response-flow.ts';
import { answerErrors } from './answers.ts';
import { apiKeyCaller, keyOfHeaders } from './api-key.ts';
import { ask, type Asking } from './ask.ts';
import { exec } from './exec.ts';
import { routeFiles } from './files.ts';
import { isJson, jsonProblem } from './json-body.ts';
import { KeylessBodies } from './keyless-bodies.ts';
import { KnownLanguages } from './languages.ts';
import { Programmatic } from './programmatic.ts';
import { readExec } from './request-form.ts';
import { routeState } from './state.ts';
import { routeUpload } from './upload.ts';

export interface CodeApiDependencies extends AuthenticateDependencies {
  dispatch: Dispatch;
  /** Told about failures that no OutriggerError explains. */
  onError: (error: unknown, requestId: string) => void;
}

export interface CodeApiOptions {
  /** What /health answers. */
  version: string;
  /** Of one uploaded file; the service may allow less. */
  maxUploadBytes: number;
}

export interface CodeApi {
  routes(app: FastifyInstance): void;
  /** Ends the programs that wait for results of tools: the sidecar stops. */
  close(): void;
}

const PREFIX = '/v1';
const HEALTH = '/health';
/** Probes carry no key, and are told no more than whether it works. */
const probe: Caller = { id: 'probe', name: 'probe', kind: 'service', access: 'read' };

/** The Code API of KubeCodeRun and LibreChat at /v1, mapped onto operations. docs/code-api.md describes it. */
export function createCodeApi(dependencies: CodeApiDependencies, options: CodeApiOptions): CodeApi {
  const { dispatch } = dependencies;
  const languages = new KnownLanguages();
  const programmatic = new Programmatic(languages);
  const keylessBodies = new KeylessBodies();

  const asking = async (request: FastifyRequest, reply: FastifyReply): Promise<Asking> => {
    const caller = await apiKeyCaller(request, dependencies);
    return { dispatch, caller, transport: 'code-api', requestId: request.id, signal: callerSignal(reply.raw) };
  };

  const register = async (scope: FastifyInstance): Promise<void> => {
    const { default: multipart } = await import('@fastify/multipart');
    await scope.register(multipart, { preservePath: true, limits: { fileSize: options.maxUploadBytes }, throwFileSizeLimit: false });
    acceptJson(scope, jsonProblem);
    answerErrors(scope, dependencies.onError);
    // Who has no key is told so before a body is read, where the key can't be in the body.
    scope.addHook('onRequest', async (request, reply) => {
      if (request.routeOptions.url === `${PREFIX}${HEALTH}`) return;
      if (keyOfHeaders(request.headers) === undefined && isJson(request)) keylessBodies.take(request, reply);
      else await apiKeyCaller(request, dependencies);
    });
    scope.addHook('onSend', (_request, reply, _payload, done) => {
      if (reply.getHeader('cache-control') === undefined) reply.header('cache-control', 'no-store');
      done();
    });
    scope.post('/exec', async (request, reply) => exec(await asking(request, reply), languages, readExec(request.body)));
    scope.post('/exec/programmatic', async (request, reply) => programmatic.answer(await asking(request, reply), request.body));
    routeUpload(scope, asking);
    routeFiles(scope, asking);
    routeState(scope, asking);
    scope.get(HEALTH, async (request, reply) => {
      const { ready } = await ask(
        { dispatch, caller: probe, transport: 'code-api', requestId: request.id, signal: callerSignal(reply.raw) },
        'system.health',
        {},
      );
      reply.code(ready ? 200 : 503);
      const status = ready ? 'healthy' : 'unhealthy';
      return { status, version: options.version, timestamp: new Date().toISOString(), service: 'code-interpreter-api' };
    });
    for (const [route, methods] of Object.entries(methodsOf)) refuseOtherMethods(scope, route, methods);
  };

  return {
    routes: (app) => void app.register(register, { prefix: PREFIX }),
    close: () => programmatic.close(),
  };
}

const methodsOf: Readonly<Record<string, readonly string[]>> = {
  '/exec': ['POST'],
  '/exec/programmatic': ['POST'],
  '/upload': ['POST'],
  '/upload/batch': ['POST'],
  '/files/:session': ['GET'],
  '/files/:session/:file': ['DELETE'],
  '/sessions/:session/objects/:file': ['GET'],
  '/download/:session/:file': ['GET'],
  '/state/:session': ['GET', 'POST', 'DELETE'],
  '/state/:session/info': ['GET'],
  [HEALTH]: ['GET'],
};
