/** A look that takes long, such as one into a browser, leaves four times as long for others, what is waited for among them. */
const pausesPerLook = 4;
const leastPauseMs = 5;
const mostPauseMs = 100;

/** Waits until `check` neither throws nor answers false, looking often; fails with its last failure after `timeoutMs`. */
export async function eventually(check: () => unknown, timeoutMs = 20_000): Promise<void> {
  const deadline = performance.now() + timeoutMs;
  for (;;) {
    const begun = performance.now();
    let failure: unknown = new Error('the condition did not come true');
    try {
      const answer = await check();
      if (answer !== false) return;
    } catch (error) {
      failure = error;
    }
    const now = performance.now();
    if (now > deadline) throw failure;
    const pauseMs = Math.min(mostPauseMs, Math.max(leastPauseMs, (now - begun) * pausesPerLook));
    await new Promise((resolve) => setTimeout(resolve, pauseMs));
  }
}
