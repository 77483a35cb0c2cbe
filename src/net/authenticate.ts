import type { IncomingHttpHeaders } from 'node:http';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { asPerson, type Caller } from '../contract/access.ts';
import { OutriggerError } from '../contract/errors.ts';
import { type Authenticate, readCredentials } from './credentials.ts';
import type { Upgrade } from './upgrade.ts';

export interface AuthenticateDependencies {
  authenticate: Authenticate;
}

export interface AuthenticateOptions {
  cookieName: string;
}

/** Percent-encoded UTF-8: headers hold no other letters. */
const nameHeader = 'outrigger-name';

/** Who sends this request, by header or cookie, under the name that it gives. Throws what `authenticate` throws, and BAD_INPUT. */
export function requestCaller(
  request: FastifyRequest,
  { authenticate }: AuthenticateDependencies,
  { cookieName }: AuthenticateOptions,
): Caller | Promise<Caller> {
  const { headers, url, cookieCounts } = request;
  const caller = authenticate(readCredentials({ headers, url, kind: 'request', cookieName, cookieCounts }), 'request');
  const { [nameHeader]: name } = headers;
  if (typeof name !== 'string') return caller;
  return caller instanceof Promise ? caller.then((one) => asPerson(one, decoded(name))) : asPerson(caller, decoded(name));
}

function decoded(name: string): string {
  try {
    return decodeURIComponent(name);
  } catch {
    throw new OutriggerError('BAD_INPUT', 'Outrigger-Name is no percent-encoded UTF-8.');
  }
}

/** About what a connection holds in its buffers anyhow. */
const strangersBodyBytes = 16 * 1024;

/** More than anybody may send who has not said yet who it is. Without a length it may be anything. */
export function hasLongBody(headers: IncomingHttpHeaders): boolean {
  return headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > strangersBodyBytes;
}

/** Whether the request may be refused before its body is read: that is long, or its sender waits for that. */
export function isJudgedFirst(headers: IncomingHttpHeaders): boolean {
  return hasLongBody(headers) || headers.expect !== undefined;
}

/**
 * Bodies of a scope are gathered before its handlers ask who sends them. Those that are long are asked first: a stranger makes us hold no more than a few
 * kilobytes. So are those that wait for 100 Continue. For the routes that are registered after it.
 */
export function askBeforeLongBodies(scope: FastifyInstance, callerOf: (request: FastifyRequest) => Caller | Promise<Caller>): void {
  scope.addHook('onRequest', (request, _reply, done) => {
    if (!isJudgedFirst(request.headers)) return done();
    (async () => callerOf(request))().then(() => done(), done);
  });
}

/** Who asks for this upgrade, and the protocol to answer with when the token came as one. Throws what `authenticate` throws. */
export async function upgradeCaller(
  upgrade: Upgrade,
  { authenticate }: AuthenticateDependencies,
  { cookieName }: AuthenticateOptions,
): Promise<{ caller: Caller; protocol: string | undefined }> {
  const { headers, url = '/' } = upgrade.request;
  const credentials = readCredentials({ headers, url, kind: 'upgrade', cookieName, cookieCounts: upgrade.cookieCounts });
  const caller = await authenticate(credentials, 'upgrade');
  return { caller, protocol: credentials.from === 'protocol' ? credentials.protocol : undefined };
}
