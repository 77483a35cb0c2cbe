// Node's digests, loaded with the first of them: the thread of the watch is there four milliseconds sooner.

import type { Hash } from 'node:crypto';

/** One that is fed piece by piece. */
export function sha256(): Hash {
  return process.getBuiltinModule('node:crypto').createHash('sha256');
}

/** Of bytes that are there whole; hex. */
export function sha256Of(bytes: Uint8Array): string {
  return process.getBuiltinModule('node:crypto').hash('sha256', bytes);
}
