import type { FastifyInstance } from 'fastify';
import type { Config } from '../config/options.ts';
import type { Dispatch } from '../contract/dispatch.ts';
import type { Authenticate } from '../net/credentials.ts';
import { createHttpApp } from '../net/http-app.ts';
import { Listener, notListening } from '../net/listener.ts';
import type { OriginPolicy } from '../net/origin.ts';
import { UnavailableError } from './unavailable.ts';

export interface RunnerDoorDependencies {
  dispatch: Dispatch;
  authenticate: Authenticate;
  cookieName: string;
  policy: () => OriginPolicy;
  onError: (error: unknown, requestId: string) => void;
  /** Bounds the requests of one address. */
  limitRate: (app: FastifyInstance) => Promise<void>;
}

/** The listener of the runner API. Throws UnavailableError when its port can't be had. */
export async function openRunner(
  { dispatch, authenticate, cookieName, policy, onError, limitRate }: RunnerDoorDependencies,
  config: Config,
): Promise<{ listener: Listener; url: string }> {
  const { registerRunner } = await import('../adapters/runner/runner.ts');
  const listener = new Listener({ host: config.host, port: config.runnerPort ?? 0 });
  const app = createHttpApp({ listener, policy, onError }, { maxInputBytes: config['limits.inputBytes'] });
  await limitRate(app);
  registerRunner(
    app,
    { dispatch, authenticate, onError },
    {
      cookieName,
      language: config.runnerLanguage,
      anonymous: config['anonymous.runner'],
      maxUploadBytes: config['limits.uploadBytes'],
    },
  );
  await app.ready();
  const listening = await listener.bind();
  if (!listening.ok) throw new UnavailableError(notListening(config.host, listening, '--runner-port'));
  return { listener, url: listening.url };
}
