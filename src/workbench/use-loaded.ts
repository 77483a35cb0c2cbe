import { effect, type ReadonlySignal, useSignal } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import type { Change } from '../contract/events.ts';
import { useWorkbench } from './use-workbench.ts';

interface Hears {
  /** Changes after which it is not what it was. */
  change?: (change: Change) => boolean;
  /** It may be another one after what git does. */
  git?: boolean;
  /** What comes within so long after a change is one. */
  afterMs?: number;
  /** At most once in so long, also while there are changes all the time. */
  everyMs?: number;
}

/**
 * Runs `load` now and with other `keys`, and again after what it hears of, after changes that nobody was told of, and when the link is back. What it
 * threw last; undefined where that went well.
 */
export function useLoaded(load: (signal: AbortSignal) => Promise<void>, hears: Hears, keys: readonly unknown[]): ReadonlySignal<unknown> {
  const workbench = useWorkbench();
  const problem = useSignal<unknown>(undefined);
  useEffect(() => {
    const canceled = new AbortController();
    const { signal } = canceled;
    let loading = false;
    let again = false;
    // One after the other: an older answer must not come last.
    const now = async (): Promise<void> => {
      again = loading;
      if (loading) return;
      loading = true;
      let failed: unknown;
      try {
        await load(signal);
      } catch (error) {
        failed = error;
      }
      loading = false;
      if (signal.aborted) return;
      problem.value = failed;
      if (again) await now();
    };
    let timer: ReturnType<typeof setTimeout> | undefined;
    const soon = (): void => {
      if (timer !== undefined && hears.everyMs !== undefined) return;
      clearTimeout(timer);
      timer = setTimeout(
        () => {
          timer = undefined;
          void now();
        },
        hears.everyMs ?? hears.afterMs ?? 0,
      );
    };
    const stop = workbench.changes.subscribe({
      change: (change) => {
        if (hears.change?.(change) === true) soon();
      },
      git: () => {
        if (hears.git === true) soon();
      },
      resync: soon,
    });
    let wasLive = workbench.link.live.peek();
    const stopLink = effect(() => {
      const { value: isLive } = workbench.link.live;
      if (isLive && !wasLive) soon();
      wasLive = isLive;
    });
    void now();
    return () => {
      canceled.abort();
      clearTimeout(timer);
      stop();
      stopLink();
    };
  }, keys);
  return problem;
}
