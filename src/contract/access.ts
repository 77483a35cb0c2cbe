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
  /** Several people may hold the token, as the main one does for all pages: they name themselves. */
  shared?: boolean;
  /** As the one who calls is named by itself, where the token is shared. */
  person?: string;
  /** Path prefixes, by whole names; undefined means the whole workspace. */
  paths?: readonly string[];
  /** Aborted when the token expires or is revoked; its reason is the OutriggerError to close with. */
  ended?: AbortSignal;
}

/** Longer names of people are cut. */
const MAX_PERSON_CHARS = 80;

/** What the caller does from now on is done under this name, where the token is shared; a token of one's own keeps its name. */
export function asPerson(caller: Caller, name: string): Caller {
  if (caller.shared !== true) return caller;
  const { person: _before, ...unnamed } = caller;
  const person = [...name.replace(/[\p{C}\s]+/gu, ' ').trim()].slice(0, MAX_PERSON_CHARS).join('');
  return person === '' ? unnamed : { ...unnamed, person };
}

/** Who is told to have done what the caller does. The log and errors name the token. */
export function actorOf({ name, kind, person = name }: Caller): { name: string; kind: ActorKind } {
  return { name: person, kind };
}

/** Whether `path` lies at or below one of `prefixes`, compared by whole names: `data` does not reach `data-secret`. */
export function withinPaths(prefixes: readonly string[] | undefined, path: string): boolean {
  if (prefixes === undefined) return true;
  return prefixes.some((prefix) => prefix === '' || path === prefix || path.startsWith(`${prefix}/`));
}
