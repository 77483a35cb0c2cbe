import { useSignal } from '@preact/signals';
import { useEffect } from 'preact/hooks';

const tickMs = 5_000;

/** The time in ms since 1970, for ages that are shown: it goes on by itself. */
export function useClock(now: () => number): number {
  const time = useSignal(now());
  useEffect(() => {
    const timer = setInterval(() => (time.value = now()), tickMs);
    return () => clearInterval(timer);
  }, []);
  // What came since the last tick is not older than it.
  return Math.max(time.value, now());
}
