import { effect } from '@preact/signals';

/** Resolves when it holds, by signals that `holds` reads: at once where it does. */
export function until(holds: () => boolean): Promise<void> {
  return new Promise((resolve) => {
    const stop = effect(() => {
      if (!holds()) return;
      resolve();
      // It is not given yet when it holds at once.
      queueMicrotask(() => stop());
    });
  });
}
