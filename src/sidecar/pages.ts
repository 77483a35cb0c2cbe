import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { Caller } from '../contract/access.ts';
import { OutriggerError } from '../contract/errors.ts';
import { readCredentials } from '../net/credentials.ts';
import type { Authenticate } from '../net/credentials.ts';
import { answerGet } from '../net/answer-get.ts';
import { registerPage } from '../net/page.ts';
import type { Callers } from './callers.ts';
import type { Health } from './health.ts';
import { version } from './version.ts';

export interface PagesDependencies {
  health: Health;
  callers: Callers;
  authenticate: Authenticate;
  /** Lines of the Prometheus text format. */
  metrics: () => string;
}

export interface PagesOptions {
  /** Folder of the built workbench; undefined when it is off. */
  workbench: string | undefined;
  secureCookie: boolean;
}

/** What plain HTTP shows besides operations: health, version, metrics, the login and the page. */
export function registerPages(app: FastifyInstance, dependencies: PagesDependencies, options: PagesOptions): void {
  const { health, callers } = dependencies;
  const callerOf = async (request: FastifyRequest): Promise<Caller> => {
    const { headers, url, cookieCounts } = request;
    return dependencies.authenticate(
      readCredentials({ headers, url, kind: 'request', cookieName: callers.cookieName, cookieCounts }),
      'request',
    );
  };
  /** Status for everybody; evidence for those who have a token. */
  const answer = async (request: FastifyRequest, reply: FastifyReply, ok: boolean): Promise<unknown> => {
    reply.code(ok ? 200 : 503).header('cache-control', 'no-store');
    const caller = await callerOf(request).catch(() => undefined);
    const body = { status: ok ? 'ok' : health.phase };
    return caller === undefined ? body : { ...body, checks: health.checks(caller) };
  };
  answerGet(app, '/healthz', (request, reply) => answer(request, reply, true));
  answerGet(app, '/readyz', (request, reply) => answer(request, reply, health.ready));
  answerGet(app, '/version', (_request, reply) => reply.header('cache-control', 'no-store').send({ name: 'outrigger', version }));
  answerGet(app, '/metrics', async (request, reply) => {
    const { name, paths } = await callerOf(request);
    if (paths !== undefined)
      throw new OutriggerError('OUT_OF_SCOPE', `These are counts of the whole workspace; ${name} is limited to ${paths.join(', ')}.`);
    return reply.header('content-type', 'text/plain; version=0.0.4; charset=utf-8').send(dependencies.metrics());
  });
  registerPage(
    app,
    { authenticate: dependencies.authenticate, cookieFor: (caller) => callers.cookieFor(caller as never) },
    {
      cookieName: callers.cookieName,
      folder: options.workbench,
      file: 'index.html',
      secureCookie: options.secureCookie,
      missing: 'There is no page here: the workbench is switched off or was not built.',
    },
  );
}
