import type { Terminal } from './terminal.ts';

const FIRST_MS = 500;
const EVERY_MS = 200;

/**
 * Passes bytes on. On a terminal it says meanwhile how far it is, in one line that goes at the end; not for what is done in half a second.
 * `total` in bytes, where it is known.
 */
export async function* withProgress(
  bytes: AsyncIterable<Uint8Array>,
  what: string,
  total: number | undefined,
  terminal: Terminal,
  now: () => number = () => performance.now(),
): AsyncGenerator<Uint8Array, void, undefined> {
  if (!terminal.interactive) {
    yield* bytes;
    return;
  }
  let done = 0;
  let toldMs = now() + FIRST_MS - EVERY_MS;
  let isShown = false;
  try {
    for await (const chunk of bytes) {
      done += chunk.length;
      yield chunk;
      if (now() - toldMs < EVERY_MS) continue;
      toldMs = now();
      isShown = true;
      terminal.err(`\r\u001b[K${what}  ${far(done, total)}`);
    }
  } finally {
    if (isShown) terminal.err('\r\u001b[K');
  }
}

function far(done: number, total: number | undefined): string {
  if (total === undefined || total === 0) return megabytes(done);
  return `${Math.min(100, Math.floor((done / total) * 100))} % of ${megabytes(total)}`;
}

function megabytes(bytes: number): string {
  return `${(bytes / 1e6).toFixed(1)} MB`;
}
