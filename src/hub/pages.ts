import type { FastifyInstance } from 'fastify';
import { allowsLevel } from '../contract/access.ts';
import { OutriggerError } from '../contract/errors.ts';
import { answerGet } from '../net/answer-get.ts';
import { requestCaller } from '../net/authenticate.ts';
import { registerPage } from '../net/page.ts';
import type { HubParts } from './hub.ts';

export interface HubPagesOptions {
  /** Folder of the built pages; undefined where they were not built. */
  folder: string | undefined;
}

/** What plain HTTP shows of a hub besides operations: its metrics, the login and the page. */
export function registerHubPages(app: FastifyInstance, parts: HubParts, { folder }: HubPagesOptions): void {
  const { cookieName } = parts;
  answerGet(app, '/metrics', async (request, reply) => {
    await requestCaller(request, parts, { cookieName });
    return reply.header('content-type', 'text/plain; version=0.0.4; charset=utf-8').send(parts.metrics());
  });
  registerPage(
    app,
    {
      authenticate: parts.authenticate,
      cookieFor: ({ access }, token) => {
        // An agent's secret opens no page: what it shows is the owner's.
        if (!allowsLevel(access, 'admin')) throw new OutriggerError('BAD_TOKEN', 'The page is for the token of the hub.');
        return parts.cookieFor(token);
      },
    },
    {
      cookieName,
      folder,
      file: 'fleet.html',
      secureCookie: false,
      missing: 'There is no page here: it was not built.',
    },
  );
}
