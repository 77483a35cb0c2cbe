/** Waits until `check` neither throws nor answers false, looking often; fails with its last failure after `timeoutMs`. */
export async function eventually(check: () => unknown, timeoutMs = 20_000): Promise<void> {
  const deadline = performance.now() + timeoutMs;
  for (;;) {
    let failure: unknown = new Error('the condition did not come true');
    try {
      const answer = await check();
      if (answer !== false) return;
    } catch (error) {
      failure = error;
    }
    if (performance.now() > deadline) throw failure;
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
