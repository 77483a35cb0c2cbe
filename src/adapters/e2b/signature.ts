import { hash, timingSafeEqual } from 'node:crypto';
import { OutriggerError } from '../../contract/errors.ts';

/** What a URL that was signed holds beside its signature. */
export interface Signed {
  /** As it stands in the URL. */
  path: string;
  operation: 'read' | 'write';
  username: string;
  signature: string;
  /** Seconds since 1970, UTC. */
  expiration: string | undefined;
}

/**
 * Throws BAD_TOKEN where the URL was not signed with `token`, TOKEN_EXPIRED where its time is over. The signature is `v1_` and the SHA-256 of
 * `path:operation:user:token`, and `:expiration` where it has one, base64 without padding (e2b-dev/E2B, `signature.ts`).
 */
export function checkSignature({ path, operation, username, signature, expiration }: Signed, token: string, nowMs: number): void {
  const signed = [path, operation, username, token, ...(expiration === undefined ? [] : [expiration])].join(':');
  const expected = Buffer.from(`v1_${hash('sha256', signed, 'base64').replace(/=+$/, '')}`);
  const given = Buffer.from(signature);
  // With one in the user, the end of a path could be taken for the operation and the user, and the signature would hold for another file.
  const isOne = !username.includes(':');
  if (!isOne || given.length !== expected.length || !timingSafeEqual(given, expected))
    throw new OutriggerError('BAD_TOKEN', 'The signature of the URL does not hold here.');
  if (expiration === undefined) return;
  if (!/^\d{1,15}$/.test(expiration) || Number(expiration) * 1000 < nowMs)
    throw new OutriggerError('TOKEN_EXPIRED', 'The time of the signed URL is over.');
}
