import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { refuseOtherMethods } from './http-app.ts';

const allowed = ['GET', 'HEAD'];

/** A page that is looked at and no more: HEAD has what GET has but for the body (RFC 9110 section 9.3.2), all else is 405. */
export function answerGet(app: FastifyInstance, path: string, handler: (request: FastifyRequest, reply: FastifyReply) => unknown): void {
  app.route({ method: allowed, url: path, handler });
  refuseOtherMethods(app, path, allowed);
}
