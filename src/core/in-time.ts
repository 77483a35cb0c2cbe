/** Waits for `work` for `timeoutMs` milliseconds at most. False where it is not done by then, and goes on. Throws what it throws, and the reason of an abort. */
export async function inTime(work: Promise<void>, timeoutMs: number, signal: AbortSignal | undefined): Promise<boolean> {
  const { promise, resolve, reject } = Promise.withResolvers<boolean>();
  const timer = setTimeout(() => resolve(false), timeoutMs);
  const aborted = (): void => reject(signal?.reason);
  signal?.addEventListener('abort', aborted, { once: true });
  work.then(() => resolve(true), reject);
  try {
    signal?.throwIfAborted();
    return await promise;
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener('abort', aborted);
  }
}
