import type { FastifyRequest } from 'fastify';
import type { Caller } from '../../contract/access.ts';
import type { AuthenticateDependencies } from '../../net/authenticate.ts';

/** Clients that spread their settings into the body (@librechat/agents from 3.1.74 on) send the key there. */
const bodyFields = ['LIBRECHAT_CODE_API_KEY', 'api_key', 'apiKey'] as const;

/**
 * Who sends this request: our tokens as API keys, by `x-api-key`, `Authorization: Bearer` or `ApiKey`, or in a JSON body. The page's
 * cookie is none. Throws what `authenticate` throws.
 */
export async function apiKeyCaller(request: FastifyRequest, { authenticate }: AuthenticateDependencies): Promise<Caller> {
  const token = keyOfHeaders(request.headers) ?? keyOfBody(request.body);
  return await authenticate(token === undefined ? { token: undefined, from: 'none' } : { token, from: 'bearer' }, 'request');
}

export function keyOfHeaders(headers: Readonly<Record<string, string | string[] | undefined>>): string | undefined {
  const key = headers['x-api-key'];
  if (typeof key === 'string' && key.trim() !== '') return key.trim();
  const authorization = headers['authorization'];
  return typeof authorization === 'string' ? /^(?:bearer|apikey) +([^\s,]+) *$/i.exec(authorization)?.[1] : undefined;
}

function keyOfBody(body: unknown): string | undefined {
  if (typeof body !== 'object' || body === null) return undefined;
  for (const field of bodyFields) {
    const value: unknown = Object.hasOwn(body, field) ? (body as Record<string, unknown>)[field] : undefined;
    if (typeof value === 'string' && value.trim() !== '') return value.trim();
  }
  return undefined;
}
