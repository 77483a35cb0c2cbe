import fs from 'node:fs';

/** Between two looks, ms. */
const LOOK_MS = 10;
/** What stands still without work of its own counts for a part: on a busy machine others have the disk meanwhile. */
const STILL_SHARE = 10;

/**
 * How long the event loop of this thread was held at once, at most, until `stop` is called, ms: by the thread's own processor time, or by a tenth of the time
 * that passed where that is more, without what it waited for a processor that others had.
 */
export function watchLoop(): { stop: () => number } {
  let most = 0;
  const read = (): { cpuMs: number; at: number } => ({ cpuMs: threadMs(), at: performance.now() - waitedMs() });
  let last = read();
  const look = (): void => {
    const now = read();
    most = Math.max(most, now.cpuMs - last.cpuMs, (now.at - last.at) / STILL_SHARE);
    last = now;
  };
  const timer = setInterval(look, LOOK_MS);
  return {
    stop: () => {
      clearInterval(timer);
      look();
      return most;
    },
  };
}

/** The same, until `work` is done and what follows it at once. */
export async function longestTurn(work: () => Promise<unknown>): Promise<number> {
  const loop = watchLoop();
  try {
    await work();
    await new Promise((resolve) => setTimeout(resolve, 2 * LOOK_MS));
  } catch (error) {
    loop.stop();
    throw error;
  }
  const longest = loop.stop();
  console.log(`longest turn: ${Math.round(longest)} ms`);
  return longest;
}

/** Processor time of this thread so far, ms. */
export function threadMs(): number {
  const { user, system } = process.threadCpuUsage();
  return (user + system) / 1000;
}

/** How long this thread could have run so far while others did, ms (proc(5), schedstat: the second number, ns); 0 where nobody says. */
function waitedMs(): number {
  try {
    return Number(fs.readFileSync('/proc/thread-self/schedstat', 'utf8').split(' ')[1]) / 1e6;
  } catch {
    return 0;
  }
}
