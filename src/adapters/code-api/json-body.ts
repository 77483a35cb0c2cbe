import type { FastifyRequest } from 'fastify';
import { BadRequest } from './answers.ts';

/** How the Code API says that a body can't be read. */
export function jsonProblem(message: string): BadRequest {
  return BadRequest.form({ field: 'body', message, code: 'json_invalid' });
}

export function isJson({ headers }: Pick<FastifyRequest, 'headers'>): boolean {
  return /^application\/json\s*(;|$)/i.test(headers['content-type'] ?? '');
}
