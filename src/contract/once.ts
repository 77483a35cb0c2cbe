/**
 * Makes something at its first use and keeps it. The schemas of all operations take longer to make than the rest of the sidecar takes to start, and most are
 * never asked for.
 */
export function once<T>(make: () => T): () => T {
  let made: { value: T } | undefined;
  return () => (made ??= { value: make() }).value;
}
