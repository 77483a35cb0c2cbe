import type { Keep } from '../client-port.ts';

/** The browser's storage, or the page's memory where the browser refuses or is full. */
export function memoryKeep(storage: () => Keep): Keep {
  const memory = new Map<string, string>();
  const attempt = <T>(run: (keep: Keep) => T, otherwise: T): T => {
    try {
      return run(storage());
    } catch {
      // Blocked by the person's settings, or full: choices last as long as the page.
      return otherwise;
    }
  };
  return {
    getItem: (key) => memory.get(key) ?? attempt((keep) => keep.getItem(key), null),
    setItem: (key, value) => {
      memory.set(key, value);
      attempt((keep) => keep.setItem(key, value), undefined);
    },
    removeItem: (key) => {
      memory.delete(key);
      attempt((keep) => keep.removeItem(key), undefined);
    },
  };
}
