import type { FastifyInstance } from 'fastify';
import type { Config } from '../config/options.ts';
import type { Dispatch } from '../contract/dispatch.ts';
import type { Authenticate } from '../net/credentials.ts';
import { createHttpApp } from '../net/http-app.ts';
import { Listener, notListening } from '../net/listener.ts';
import type { OriginPolicy } from '../net/origin.ts';
import { UnavailableError } from './unavailable.ts';

export interface E2bDoorDependencies {
  dispatch: Dispatch;
  authenticate: Authenticate;
  policy: () => OriginPolicy;
  onError: (error: unknown, requestId: string) => void;
  /** Bounds the requests of one address. */
  limitRate: (app: FastifyInstance) => Promise<void>;
  signingToken: () => string;
  root: string;
}

/** The listener of the wire of E2B. Throws UnavailableError when its port can't be had. */
export async function openE2b(
  { dispatch, authenticate, policy, onError, limitRate, signingToken, root }: E2bDoorDependencies,
  config: Config,
): Promise<{ url: string; close(): Promise<void> }> {
  const { registerE2b } = await import('../adapters/e2b/e2b.ts');
  const listener = new Listener({ host: config.host, port: config.e2bPort ?? 0 });
  const app = createHttpApp({ listener, policy, onError }, { maxInputBytes: config['limits.inputBytes'], takesGzip: true });
  await limitRate(app);
  const e2b = registerE2b(
    app,
    { dispatch, authenticate, onError, signingToken },
    { root, anonymous: config['anonymous.e2b'], maxUploadBytes: config['limits.uploadBytes'] },
  );
  await app.ready();
  const listening = await listener.bind();
  if (!listening.ok) throw new UnavailableError(notListening(config.host, listening, '--e2b-port'));
  return {
    url: listening.url,
    close: async () => {
      e2b.close();
      await listener.close(200);
    },
  };
}
