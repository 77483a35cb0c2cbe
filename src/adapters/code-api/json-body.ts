import type { FastifyInstance, FastifyRequest } from 'fastify';
import { BadRequest } from './answers.ts';

/** JSON whose text is UTF-8: other bytes are refused, not guessed at. */
export function acceptJson(scope: FastifyInstance): void {
  const utf8 = new TextDecoder('utf-8', { fatal: true });
  scope.removeContentTypeParser('application/json');
  scope.addContentTypeParser('application/json', { parseAs: 'buffer' }, (_request, bytes, done) => {
    const refuse = (message: string): void => done(BadRequest.form({ field: 'body', message, code: 'json_invalid' }));
    let text: string;
    try {
      text = utf8.decode(bytes as Buffer);
    } catch {
      return refuse('The body is not UTF-8');
    }
    try {
      done(null, text === '' ? undefined : JSON.parse(text));
    } catch {
      // The parser's message quotes the body.
      refuse('The body is not JSON');
    }
  });
}

export function isJson({ headers }: Pick<FastifyRequest, 'headers'>): boolean {
  return /^application\/json\s*(;|$)/i.test(headers['content-type'] ?? '');
}
