/** A listener's own mistake is the program's business, as with any event: it surfaces where uncaught errors do. */
export function reportError(error: unknown): void {
  queueMicrotask(() => {
    throw error;
  });
}
