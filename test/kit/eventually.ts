/** A look may cost a browser or a database more than what is waited for: it is looked less often the longer that takes. */
const shareOfWait = 1 / 8;
const leastPauseMs = 5;
const mostPauseMs = 100;

/** Waits until `check` neither throws nor answers false, looking often; fails with its last failure after `timeoutMs`. */
export async function eventually(check: () => unknown, timeoutMs = 20_000): Promise<void> {
  const begun = performance.now();
  for (;;) {
    let failure: unknown = new Error('the condition did not come true');
    try {
      const answer = await check();
      if (answer !== false) return;
    } catch (error) {
      failure = error;
    }
    const waitedMs = performance.now() - begun;
    if (waitedMs > timeoutMs) throw failure;
    const pauseMs = Math.min(mostPauseMs, Math.max(leastPauseMs, waitedMs * shareOfWait));
    await new Promise((resolve) => setTimeout(resolve, pauseMs));
  }
}
