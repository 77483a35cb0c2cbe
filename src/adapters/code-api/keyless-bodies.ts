import type { FastifyReply, FastifyRequest } from 'fastify';
import { OutriggerError } from '../../contract/errors.ts';
import { hasLongBody } from '../../net/authenticate.ts';

/** Of all such bodies together, bytes. */
const MAX_BYTES = 64 * 1024 * 1024;

/**
 * A key may stand in the body itself, which is gathered before anybody can be asked for it. All strangers together make us hold so many bytes and no more;
 * who sends the key in a header never waits for them.
 */
export class KeylessBodies {
  #bytes = 0;

  /** Counts the body of the request until it was answered or its sender is gone. Throws TOO_MANY. */
  take(request: FastifyRequest, reply: FastifyReply): void {
    if (!hasLongBody(request.headers)) return;
    const most = request.routeOptions.bodyLimit ?? 0;
    const bytes = Math.min(Number(request.headers['content-length'] ?? most), most);
    if (this.#bytes + bytes > MAX_BYTES)
      throw new OutriggerError(
        'TOO_MANY',
        'Too many requests at once carry their key in the body; a key in the header x-api-key is served.',
      );
    this.#bytes += bytes;
    reply.raw.once('close', () => (this.#bytes -= bytes));
  }
}
