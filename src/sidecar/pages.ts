import fs from 'node:fs';
import path from 'node:path';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { OutriggerError } from '../contract/errors.ts';
import { readCredentials } from '../net/credentials.ts';
import type { Authenticate } from '../net/authenticate.ts';
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

const COOKIE_SECONDS = 365 * 86_400;

/** What plain HTTP shows besides operations: health, version, metrics, the login and the page. */
export function registerPages(app: FastifyInstance, dependencies: PagesDependencies, options: PagesOptions): void {
  const { health, callers } = dependencies;
  const withToken = async (request: FastifyRequest): Promise<void> => {
    const { headers, url, cookieCounts } = request;
    await dependencies.authenticate(
      readCredentials({ headers, url, kind: 'request', cookieName: callers.cookieName, cookieCounts }),
      'request',
    );
  };
  /** Status for everybody; evidence for those who have a token. */
  const answer = async (request: FastifyRequest, reply: FastifyReply, ok: boolean): Promise<unknown> => {
    reply.code(ok ? 200 : 503).header('cache-control', 'no-store');
    const known = await withToken(request).then(
      () => true,
      () => false,
    );
    const body = { status: ok ? 'ok' : health.phase };
    return known ? { ...body, checks: health.checks() } : body;
  };
  app.get('/healthz', (request, reply) => answer(request, reply, true));
  app.get('/readyz', (request, reply) => answer(request, reply, health.ready));
  app.get('/version', (_request, reply) => reply.header('cache-control', 'no-store').send({ name: 'outrigger', version }));
  app.get('/metrics', async (request, reply) => {
    await withToken(request);
    return reply.header('content-type', 'text/plain; version=0.0.4; charset=utf-8').send(dependencies.metrics());
  });
  registerPage(app, dependencies, options);
}

function registerPage(app: FastifyInstance, { callers, authenticate }: PagesDependencies, options: PagesOptions): void {
  app.get('/', async (request, reply) => {
    reply.header('cache-control', 'no-store');
    const { headers, url, cookieCounts } = request;
    const given = readCredentials({ headers, url, kind: 'login', cookieName: callers.cookieName, cookieCounts });
    if (given.from === 'query') {
      // Out of the address at once: it would stay in the history, and go along as Referer.
      const caller = await (async () => authenticate(given, 'request'))().catch((error: unknown) => error);
      if (caller instanceof Error) {
        const reason = caller instanceof OutriggerError ? caller.reason : 'BAD_TOKEN';
        return reply.code(303).header('location', `/?login=${reason}`).send();
      }
      const cookie = [
        `${callers.cookieName}=${callers.cookieFor(caller as never)}`,
        'HttpOnly',
        'SameSite=Strict',
        'Path=/',
        `Max-Age=${COOKIE_SECONDS}`,
      ];
      if (options.secureCookie) cookie.push('Secure');
      return reply.code(303).header('set-cookie', cookie.join('; ')).header('location', '/').send();
    }
    // Read each time: after a build the old page would ask for assets that are gone.
    const page = options.workbench === undefined ? undefined : readPage(options.workbench);
    if (page === undefined) {
      throw new OutriggerError('NOT_FOUND', 'There is no page here: the workbench is switched off or was not built.');
    }
    return reply.header('content-type', 'text/html; charset=utf-8').header('content-security-policy', page.policy).send(page.html);
  });
  if (options.workbench === undefined) return;
  const assets = path.join(options.workbench, 'assets');
  app.register(async (scope) => {
    const { default: fastifyStatic } = await import('@fastify/static');
    await scope.register(fastifyStatic, {
      root: assets,
      prefix: '/assets/',
      immutable: true,
      maxAge: '365d',
      index: false,
      decorateReply: false,
      cacheControl: true,
    });
  });
}

function readPage(folder: string): { html: string; policy: string } | undefined {
  const file = path.join(folder, 'index.html');
  if (!fs.existsSync(file)) return undefined;
  const { scriptHashes } = JSON.parse(fs.readFileSync(path.join(folder, 'csp.json'), 'utf8')) as { scriptHashes: string[] };
  const scripts = ["'self'", ...scriptHashes.map((hash) => `'${hash}'`)].join(' ');
  const policy = `default-src 'self'; script-src ${scripts}; style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; frame-ancestors 'none'; base-uri 'none'; form-action 'self'`;
  return { html: fs.readFileSync(file, 'utf8'), policy };
}
