import type { FastifyInstance } from 'fastify';
import { OutriggerError } from '../contract/errors.ts';
import { JsonTooDeep, MAX_JSON_DEPTH, readJson } from '../core/json-text.ts';

/** Bodies of JSON in this scope. Bytes that are no UTF-8 are refused, not guessed at; an empty body is undefined. `refuse` makes the error of a problem. */
export function acceptJson(
  scope: FastifyInstance,
  refuse: (problem: string) => Error = (problem) => new OutriggerError('BAD_INPUT', `${problem}.`),
): void {
  scope.removeContentTypeParser('application/json');
  scope.addContentTypeParser('application/json', { parseAs: 'buffer' }, (_request, bytes, done) => {
    const text = utf8Text(bytes as Buffer);
    if (text === undefined) return done(refuse('The body is not UTF-8'));
    try {
      done(null, text === '' ? undefined : readJson(text));
    } catch (error) {
      // The parser's message quotes the body.
      done(refuse(error instanceof JsonTooDeep ? `The body is nested deeper than ${MAX_JSON_DEPTH} levels` : 'The body is not JSON'));
    }
  });
}

const utf8 = new TextDecoder('utf-8', { fatal: true });

/** Undefined where the bytes are no UTF-8. */
export function utf8Text(bytes: Uint8Array): string | undefined {
  try {
    return utf8.decode(bytes);
  } catch {
    return undefined;
  }
}
