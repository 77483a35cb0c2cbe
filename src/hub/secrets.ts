import { hash, randomBytes, timingSafeEqual } from 'node:crypto';

/** So that it is known for what it is wherever it turns up. */
const PREFIX = 'ogr';
const SECRET_BYTES = 32;

/** Of an agent, or to enrol one; high entropy, so that a plain hash of it can be kept. */
export function newSecret(owner: string): string {
  return `${PREFIX}_${owner}_${randomBytes(SECRET_BYTES).toString('base64url')}`;
}

export function hashSecret(secret: string): string {
  return hash('sha256', secret);
}

/** In constant time, whatever the lengths. */
export function sameSecret(a: string, b: string): boolean {
  return timingSafeEqual(hash('sha256', a, 'buffer'), hash('sha256', b, 'buffer'));
}
