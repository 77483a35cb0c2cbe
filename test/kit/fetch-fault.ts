// For tests that give Node's fetch bad networks: it may end the process by itself.
import { AssertionError } from 'node:assert';

/**
 * Of a response whose connection is to close after it, that is cut while what came of it is held back for a slow reader, the parser of Node's fetch
 * says by an assertion of its own (`!this.paused`), out of an event of the socket, where nobody can catch it. The request hangs then until it is aborted.
 * It is told apart by that text and its stack, which ends in that function and has nothing in it but Node.
 */
export function isFaultOfFetch(error: unknown): boolean {
  if (!(error instanceof AssertionError) || !error.message.includes('assert(!this.paused)')) return false;
  const frames = (error.stack ?? '').split('\n').filter((line) => /^ {4}at /.test(line));
  return (
    /^ {4}at Parser\.finish \(node:internal\/deps\/undici\//.test(frames[0] ?? '') &&
    frames.every((frame) => /[( ]node:[^()]*\)?$/.test(frame))
  );
}

/** Runs it; such faults of fetch are counted meanwhile, and all else that nobody caught fails the test, as it does without this. */
export async function countingFaultsOfFetch(run: () => Promise<void>): Promise<number> {
  let count = 0;
  process.setUncaughtExceptionCaptureCallback((error) => {
    if (isFaultOfFetch(error)) count++;
    else for (const listener of process.listeners('uncaughtException')) listener(error, 'uncaughtException');
  });
  try {
    await run();
  } finally {
    process.setUncaughtExceptionCaptureCallback(null);
  }
  return count;
}
