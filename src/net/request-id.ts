import { randomUUID } from 'node:crypto';

const pattern = /^[A-Za-z0-9._-]{1,128}$/;

/** What a request calls itself (X-Request-ID), where it can stand in a header and a log line; else a new id. */
export function requestIdOf(given: string | string[] | undefined): string {
  return typeof given === 'string' && pattern.test(given) ? given : randomUUID();
}
