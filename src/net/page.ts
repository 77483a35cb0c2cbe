import fs from 'node:fs';
import path from 'node:path';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { Caller } from '../contract/access.ts';
import { OutriggerError } from '../contract/errors.ts';
import { answerGet } from './answer-get.ts';
import type { AuthenticateDependencies, AuthenticateOptions } from './authenticate.ts';
import { readCredentials } from './credentials.ts';

export interface PageDependencies extends AuthenticateDependencies {
  /** What the page's cookie holds for who logged in with this token. Throws OutriggerError where that one may have no page. */
  cookieFor: (caller: Caller, token: string) => string;
}

export interface PageOptions extends AuthenticateOptions {
  /** Folder of the built pages, with `csp.json` and `assets`; undefined where there is none. */
  folder: string | undefined;
  /** Of the page, in that folder. */
  file: string;
  secureCookie: boolean;
  /** Said in place of the page where there is none. */
  missing: string;
}

/** What the build puts beside its files, packed by gzip, by how their names end (scripts/build.mjs). */
const packedTypes = new Map([
  ['.js', 'text/javascript; charset=utf-8'],
  ['.css', 'text/css; charset=utf-8'],
  ['.svg', 'image/svg+xml'],
]);
const COOKIE_SECONDS = 365 * 86_400;

/** `/` is the page, and swaps a token in its address for a cookie; `/assets/` is what the page loads. */
export function registerPage(app: FastifyInstance, dependencies: PageDependencies, options: PageOptions): void {
  const { authenticate, cookieFor } = dependencies;
  const { folder, file, cookieName } = options;
  answerGet(app, '/', async (request, reply) => {
    reply.header('cache-control', 'no-store');
    const given = readCredentials({ ...sourceOf(request), kind: 'login', cookieName });
    if (given.from === 'query') {
      // Out of the address at once: it would stay in the history, and go along as Referer.
      const login = async (): Promise<string> => cookieFor(await authenticate(given, 'request'), given.token);
      const value = await login().catch((error: unknown) => (error instanceof Error ? error : new Error(String(error))));
      if (value instanceof Error) {
        const reason = value instanceof OutriggerError ? value.reason : 'BAD_TOKEN';
        return reply.code(303).header('location', `./?login=${reason}`).send();
      }
      // Without a path, a browser keeps it to where the page is, also where a proxy adds a path that we don't know.
      const cookie = [`${cookieName}=${value}`, 'HttpOnly', 'SameSite=Strict', `Max-Age=${COOKIE_SECONDS}`];
      if (options.secureCookie) cookie.push('Secure');
      return reply.code(303).header('set-cookie', cookie.join('; ')).header('location', './').send();
    }
    // Read each time: after a build the old page would ask for assets that are gone.
    const page = folder === undefined ? undefined : readPage(folder, file);
    if (page === undefined) throw new OutriggerError('NOT_FOUND', options.missing);
    return reply.header('content-type', 'text/html; charset=utf-8').header('content-security-policy', page.policy).send(page.html);
  });
  if (folder === undefined) return;
  answerGet(app, '/assets/:name', async (request, reply) => {
    const { name } = request.params as { name: string };
    // Loaded with the first of them: its table of media types is as much to read as the rest of a start together.
    const { default: send } = await import('@fastify/send');
    const asset = (stored: string) =>
      send(request.raw, encodeURI(stored), {
        root: path.join(folder, 'assets'),
        immutable: true,
        maxAge: '365d',
        index: false,
        dotfiles: 'ignore',
      });
    const type = packedTypes.get(path.extname(name));
    if (type !== undefined) reply.header('vary', 'accept-encoding');
    const packed = type !== undefined && acceptsGzip(request.headers['accept-encoding']) ? await asset(`${name}.gz`) : undefined;
    if (packed?.type === 'file') {
      const { 'Content-Type': packedType, ...headers } = packed.headers;
      const body = packedType === undefined ? {} : { 'content-type': type, 'content-encoding': 'gzip' };
      return reply
        .code(packed.statusCode)
        .headers({ ...headers, ...body })
        .send(packed.stream);
    }
    const sent = await asset(name);
    if (sent.type === 'directory' || [400, 403, 404].includes(sent.statusCode))
      throw new OutriggerError('NOT_FOUND', `There is no asset ${JSON.stringify(name)}.`);
    return reply.code(sent.statusCode).headers(sent.headers).send(sent.stream);
  });
}

/** RFC 9110, 12.5.3. Who says nothing gets what is understood by all. */
function acceptsGzip(header = ''): boolean {
  const weights = new Map<string, number>();
  for (const item of header.toLowerCase().split(',')) {
    const [coding = '', ...parameters] = item.split(';').map((part) => part.trim());
    const weight = parameters.find((parameter) => parameter.startsWith('q='))?.slice(2) ?? '1';
    weights.set(coding, Number(weight));
  }
  return (weights.get('gzip') ?? weights.get('x-gzip') ?? weights.get('*') ?? 0) > 0;
}

function sourceOf({ headers, url, cookieCounts }: FastifyRequest) {
  return { headers, url, cookieCounts };
}

function readPage(folder: string, name: string): { html: string; policy: string } | undefined {
  const file = path.join(folder, name);
  if (!fs.existsSync(file)) return undefined;
  const { scriptHashes } = JSON.parse(fs.readFileSync(path.join(folder, 'csp.json'), 'utf8')) as { scriptHashes: string[] };
  const scripts = ["'self'", ...scriptHashes.map((hash) => `'${hash}'`)].join(' ');
  const policy = `default-src 'self'; script-src ${scripts}; style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; frame-ancestors 'none'; base-uri 'none'; form-action 'self'`;
  return { html: fs.readFileSync(file, 'utf8'), policy };
}
