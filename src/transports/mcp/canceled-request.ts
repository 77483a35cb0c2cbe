import type { RequestId } from '@modelcontextprotocol/server';

/** The request that a message takes back; undefined for any other message. The SDK checks the message itself. */
export function canceledRequest(message: unknown): RequestId | undefined {
  if (typeof message !== 'object' || message === null) return undefined;
  const { method, params } = message as { method?: unknown; params?: { requestId?: unknown } };
  const id = method === 'notifications/cancelled' ? params?.requestId : undefined;
  return typeof id === 'string' || typeof id === 'number' ? id : undefined;
}
