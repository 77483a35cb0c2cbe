/**
 * The resources that a `subscriptions/listen` request of revision 2026-07-28 follows; undefined for any other message, [] for one
 * that asks for other news alone. The SDK checks the message itself.
 */
export function listenedUris(message: unknown): string[] | undefined {
  if (typeof message !== 'object' || message === null) return undefined;
  const { method, params } = message as { method?: unknown; params?: { notifications?: { resourceSubscriptions?: unknown } } };
  if (method !== 'subscriptions/listen') return undefined;
  const uris = params?.notifications?.resourceSubscriptions;
  return Array.isArray(uris) ? uris.filter((uri) => typeof uri === 'string') : [];
}
