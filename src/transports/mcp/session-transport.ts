import {
  isJSONRPCRequest,
  type JSONRPCMessage,
  type RequestId,
  WebStandardStreamableHTTPServerTransport,
} from '@modelcontextprotocol/server';
import { canceledRequest } from './canceled-request.ts';

/** What is known of one POST, which may hold many requests. */
interface Post {
  readonly unanswered: Set<RequestId>;
  readonly canceled: Set<RequestId>;
}

/**
 * The SDK's transport for a session. The SDK ends the stream of a POST with the answer to the last request in it; to a request that was
 * canceled nothing is answered, so this one ends the streams that hold such.
 */
export class SessionTransport extends WebStandardStreamableHTTPServerTransport {
  readonly #posts = new WeakMap<Request, Post>();
  readonly #postOf = new Map<RequestId, Post>();
  #whenAnswered: (() => void) | undefined;

  constructor(sessionIdGenerator: () => string) {
    super({ sessionIdGenerator });
    // The server that is connected hears each message after this.
    this.onmessage = (message, extra) => this.#hear(message, extra?.request);
  }

  override async send(message: JSONRPCMessage, options?: { relatedRequestId?: RequestId }): Promise<void> {
    try {
      await super.send(message, options);
    } finally {
      if (!('method' in message) && message.id !== undefined) this.#settle(message.id);
    }
  }

  /** Resolves when no request waits for its answer any more, or after so many milliseconds. */
  async answered(withinMs: number): Promise<void> {
    if (this.#postOf.size === 0) return;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, withinMs);
      this.#whenAnswered = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  #hear(message: JSONRPCMessage, request: Request | undefined): void {
    if (isJSONRPCRequest(message) && request !== undefined) {
      const post = this.#posts.get(request) ?? { unanswered: new Set(), canceled: new Set() };
      this.#posts.set(request, post);
      this.#postOf.set(message.id, post);
      post.unanswered.add(message.id);
    }
    const canceled = canceledRequest(message);
    // Further requests of the same POST may follow in this turn.
    if (canceled !== undefined) queueMicrotask(() => this.#cancel(canceled));
  }

  #cancel(id: RequestId): void {
    this.#postOf.get(id)?.canceled.add(id);
    this.#settle(id);
  }

  #settle(id: RequestId): void {
    const post = this.#postOf.get(id);
    this.#postOf.delete(id);
    if (this.#postOf.size === 0) this.#whenAnswered?.();
    post?.unanswered.delete(id);
    if (post === undefined || post.unanswered.size > 0) return;
    for (const canceled of post.canceled) {
      this.closeSSEStream(canceled);
      // It reaches nobody: the SDK keeps all answers of a POST until it has the last of them.
      super.send({ jsonrpc: '2.0', id: canceled, error: { code: -32_800, message: 'Canceled.' } }).catch(() => undefined);
    }
  }
}
