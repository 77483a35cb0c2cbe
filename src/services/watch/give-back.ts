import { performance } from 'node:perf_hooks';
import { getHeapStatistics, setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { residentBytes } from '../processes/resident-bytes.ts';

const LOOK_MS = 1000;
/** After the start one idle look is enough; later on, compiled code goes with the memory, and whoever comes back would wait for it. */
const QUIET_LOOKS = 60;
const IDLE_SHARE = 0.01;
/** After less work than this there is little to give back, ms. */
const WORTH_MS = 100;
/** Collecting stops everything: about 3 ms a megabyte. */
const MAX_HEAP_BYTES = 64 * 1024 * 1024;
/** Others take the flag back once each time. */
const TRIES = 10;

type Collect = (options: { type: 'major'; execution: 'sync'; flavor: 'regular' | 'last-resort' }) => void;

export interface GiveBackOptions {
  lookMs?: number;
  quietLooks?: number;
  /** Busy for a smaller share of the time than this is idle. */
  idleShare?: number;
  /** A larger heap is left alone. */
  maxHeapBytes?: number;
  /** So much more must be resident than after the last time. */
  worthBytes?: number;
  /** Compiled code stays: some MB more, and who comes back does not wait for it. */
  keepsCode?: boolean;
  collect?: () => void;
}

/**
 * Returns memory to the system when nothing happens any more: V8 keeps what a start or a burst of work once needed, a third of all
 * that an idle sidecar holds. Stops everything for some 40 ms, in a moment without work: once after the start, then a minute after the last work.
 * For a thread that is ours alone, the main one only where the process is: a host would stop with it. Gives back what ends it.
 */
export function giveBackWhenIdle({
  lookMs = LOOK_MS,
  quietLooks = QUIET_LOOKS,
  idleShare = IDLE_SHARE,
  maxHeapBytes = MAX_HEAP_BYTES,
  worthBytes = 0,
  keepsCode = false,
  collect = collector(keepsCode ? 'regular' : 'last-resort'),
}: GiveBackOptions = {}): () => void {
  let last = performance.eventLoopUtilization();
  let workedMs = WORTH_MS;
  let quiet = 0;
  let wanted = 1;
  let leftBytes = 0;
  const timer = setInterval(() => {
    const now = performance.eventLoopUtilization();
    const { utilization, active } = performance.eventLoopUtilization(now, last);
    last = now;
    workedMs += active;
    quiet = utilization > idleShare ? 0 : quiet + 1;
    if (quiet < wanted || workedMs < WORTH_MS || getHeapStatistics().used_heap_size > maxHeapBytes) return;
    const heldBytes = residentBytes();
    if (heldBytes === undefined || (worthBytes > 0 && heldBytes < leftBytes + worthBytes)) return;
    collect();
    leftBytes = residentBytes() ?? heldBytes;
    workedMs = 0;
    wanted = quietLooks;
    last = performance.eventLoopUtilization();
  }, lookMs);
  timer.unref();
  return () => clearInterval(timer);
}

/**
 * The one way to V8's thorough collection is a flag that shows it, as `gc`, to contexts made from then on. It is one of the whole process: another
 * thread that does the same may take it back before the context is made, and the next try comes after that.
 */
function collector(flavor: 'regular' | 'last-resort'): () => void {
  return () => {
    let collect: Collect | undefined;
    for (let tries = 0; collect === undefined && tries < TRIES; tries++) {
      setFlagsFromString('--expose-gc');
      collect = runInNewContext('globalThis.gc') as Collect | undefined;
      setFlagsFromString('--no-expose-gc');
    }
    collect?.({ type: 'major', execution: 'sync', flavor });
  };
}
