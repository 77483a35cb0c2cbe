import type { FastifyError, FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { OutriggerError } from '../../contract/errors.ts';

/** One thing that is wrong with a request, as this wire names it: the field, the words, a name for programs. */
export interface Problem {
  field: string;
  message: string;
  code: string;
}

/** 422: the request is not of the form that is asked for. 400: it is, and can't be done. */
export class BadRequest extends Error {
  readonly status: 400 | 422;
  readonly problems: readonly Problem[];

  constructor(status: 400 | 422, message: string, problems: readonly Problem[]) {
    super(message);
    this.status = status;
    this.problems = problems;
  }

  static form(...problems: Problem[]): BadRequest {
    return new BadRequest(422, 'Request validation failed', problems);
  }
}

const errorTypes: Readonly<Record<number, string>> = {
  400: 'validation',
  401: 'authentication',
  403: 'authorization',
  404: 'resource_not_found',
  405: 'validation',
  409: 'resource_conflict',
  413: 'resource_exhausted',
  415: 'validation',
  422: 'validation',
  429: 'rate_limited',
  501: 'service_unavailable',
  503: 'service_unavailable',
  504: 'timeout',
};
/** What a client that is told to come again should wait, seconds. */
const RETRY_AFTER_S = 1;

/** Errors of this scope as clients of this wire read them: `{error, error_type, details?}`, and `{error, timestamp}` without a token. */
export function answerErrors(scope: FastifyInstance, onError: (error: unknown, requestId: string) => void): void {
  scope.setErrorHandler((error: FastifyError | OutriggerError | BadRequest, request, reply) => {
    const { status, body, inside } = describe(error);
    if (inside) onError(error instanceof OutriggerError ? (error.cause ?? error) : error, request.id);
    send(reply, status, body);
  });
  scope.setNotFoundHandler((request, reply) => {
    send(reply, 404, { error: `There is nothing at ${request.method} ${pathOf(request)}`, error_type: errorTypes[404] });
  });
}

function describe(error: FastifyError | OutriggerError | BadRequest): { status: number; body: Record<string, unknown>; inside: boolean } {
  if (error instanceof BadRequest)
    return { status: error.status, body: { error: error.message, error_type: 'validation', details: error.problems }, inside: false };
  if (error instanceof OutriggerError) {
    const { status, reason, message } = error;
    // Seconds since 1970, as the original has them.
    if (status === 401) return { status, body: { error: message, timestamp: Date.now() / 1000 }, inside: false };
    if (reason === 'BAD_INPUT') return describe(BadRequest.form(...issuesOf(error)));
    if (status === 429) return { status, body: limited(message), inside: false };
    return { status, body: { error: message, error_type: errorTypes[status] ?? 'internal_server' }, inside: false };
  }
  const { statusCode = 500 } = error;
  if (error.code === 'FST_ERR_CTP_BODY_TOO_LARGE')
    return { status: 413, body: { error: 'The body is larger than the limit', error_type: errorTypes[413] }, inside: false };
  if (statusCode >= 400 && statusCode < 500)
    return { status: statusCode, body: { error: error.message, error_type: errorTypes[statusCode] ?? 'validation' }, inside: false };
  const body = { error: 'An unexpected error occurred; the log has it under this request id', error_type: 'internal_server' };
  return { status: 500, body, inside: true };
}

/** LibreChat's client looks for these two fields to say how long to wait. */
function limited(message: string): Record<string, unknown> {
  return { error: 'rate_limited', error_type: errorTypes[429], message, retry_after_seconds: RETRY_AFTER_S };
}

/** What the contract found wrong, field by field. */
export function issuesOf({ details, message }: OutriggerError): Problem[] {
  const { issues } = (details ?? {}) as { issues?: { at: string; problem: string }[] };
  const field = (at: string): string => ['body', ...at.split('.').filter((part) => part !== '')].join(' -> ');
  if (issues === undefined || issues.length === 0) return [{ field: 'body', message, code: 'value_error' }];
  return issues.map(({ at, problem }) => ({ field: field(at), message: problem, code: 'value_error' }));
}

function send(reply: FastifyReply, status: number, body: unknown): void {
  if (status === 401) reply.header('www-authenticate', 'Bearer');
  if (status === 429) reply.header('retry-after', String(RETRY_AFTER_S));
  reply.code(status).header('content-type', 'application/json; charset=utf-8').header('cache-control', 'no-store');
  reply.send(JSON.stringify(body));
}

function pathOf(request: FastifyRequest): string {
  return (request.url.split('?')[0] ?? '').slice(0, 200);
}
