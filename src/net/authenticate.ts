import type { FastifyRequest } from 'fastify';
import type { Caller } from '../contract/access.ts';
import { type Credentials, readCredentials } from './credentials.ts';
import type { Upgrade } from './upgrade.ts';

/** Who holds these credentials. Throws OutriggerError NO_TOKEN, BAD_TOKEN, … */
export type Authenticate = (credentials: Credentials, kind: 'request' | 'upgrade') => Caller | Promise<Caller>;

export interface AuthenticateDependencies {
  authenticate: Authenticate;
}

export interface AuthenticateOptions {
  cookieName: string;
}

/** Who sends this request, by header or cookie. Throws what `authenticate` throws. */
export function requestCaller(
  request: FastifyRequest,
  { authenticate }: AuthenticateDependencies,
  { cookieName }: AuthenticateOptions,
): Caller | Promise<Caller> {
  const { headers, url, cookieCounts } = request;
  return authenticate(readCredentials({ headers, url, kind: 'request', cookieName, cookieCounts }), 'request');
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
