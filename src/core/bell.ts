export interface Bell {
  /** Heard by the next `rung`, also when nobody waits yet. */
  ring: () => void;
  /** Resolves when it rang since it was last heard; rejects with the signal's reason when that is aborted. */
  rung: () => Promise<void>;
}

/** For one loop that works on whatever there is, and waits when there is nothing. */
export function createBell(signal: AbortSignal): Bell {
  let rang = false;
  let wake: (() => void) | undefined;
  const ring = (): void => {
    rang = true;
    wake?.();
  };
  signal.addEventListener('abort', ring, { once: true });
  return {
    ring,
    rung: async () => {
      if (!rang) await new Promise<void>((resolve) => (wake = resolve));
      rang = false;
      signal.throwIfAborted();
    },
  };
}
