/** Who may do what. zod-free: used at run time in browsers. */
export const accessLevels = ['read', 'write', 'execute', 'admin'] as const;
export type AccessLevel = (typeof accessLevels)[number];

/** Levels are ordered: a holder of `held` may do all that `needed` and lower levels allow. */
export function allowsLevel(held: AccessLevel, needed: AccessLevel): boolean {
  return accessLevels.indexOf(held) >= accessLevels.indexOf(needed);
}

export function lowerLevel(a: AccessLevel, b: AccessLevel): AccessLevel {
  return allowsLevel(a, b) ? b : a;
}

export type ActorKind = 'person' | 'agent' | 'run' | 'task' | 'service';

/** One connected party, as a transport presents it to dispatch. */
export interface Caller {
  /** Stable for one token or login; shown in logs. */
  id: string;
  /** Shown to people. */
  name: string;
  kind: ActorKind;
  access: AccessLevel;
  /** Several people may hold the token (the main one does for all pages): they name themselves in documents. */
  shared?: boolean;
  /** Path prefixes, by whole names; undefined means the whole workspace. */
  paths?: readonly string[];
  /** Aborted when the token expires or is revoked; its reason is the OutriggerError to close with. */
  ended?: AbortSignal;
}

/** Whether `path` lies at or below one of `prefixes`, compared by whole names: `data` does not reach `data-secret`. */
export function withinPaths(prefixes: readonly string[] | undefined, path: string): boolean {
  if (prefixes === undefined) return true;
  return prefixes.some((prefix) => prefix === '' || path === prefix || path.startsWith(`${prefix}/`));
}
