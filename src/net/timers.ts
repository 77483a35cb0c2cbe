import { maxTimerMs, type PeerTimers } from '../core/peer.ts';

/** Node's own. */
export const nodeTimers: PeerTimers = {
  set: (run, ms) => setTimeout(run, Math.min(ms, maxTimerMs)),
  clear: (timer) => clearTimeout(timer as NodeJS.Timeout | undefined),
  soon: (run) => {
    setImmediate(run);
  },
};

/** What watches connections for signs of life. */
export interface Clock {
  /** Milliseconds, monotonic. */
  now(): number;
  /** Runs it again and again; returns how to stop. Does not keep the process alive. */
  every(run: () => void, ms: number): () => void;
}

export const nodeClock: Clock = {
  now: () => performance.now(),
  every: (run, ms) => {
    const timer = setInterval(run, ms).unref();
    return () => clearInterval(timer);
  },
};
