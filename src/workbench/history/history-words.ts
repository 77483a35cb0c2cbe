import type { Actor } from '../actor.ts';
import { errorFacts, isAbsent } from '../client-port.ts';
import { nameOf } from '../file-paths.ts';

/** Which text is missing, as the sidecar names it: `held before r1262`. */
const missing = /\bheld (before|after) (r\d+) is not kept/;

/** Of a text that the sidecar does not have: `what loan.py held before r1262 is not kept`. */
export function notKept(path: string, error: unknown): string {
  const [, side, revision] = missing.exec(errorFacts(error).message) ?? [];
  return `what ${nameOf(path)} held ${side === undefined ? 'then' : `${side} ${revision}`} is not kept`;
}

/** What a comparison says that has not both texts. */
export function notKeptHere(path: string, error: unknown): string {
  const still = 'Its checkpoints and commits can still be compared, from its History.';
  if (isAbsent(error)) return `This sidecar keeps no texts of changes. ${still}`;
  const said = notKept(path, error);
  return `${said.charAt(0).toUpperCase()}${said.slice(1)}, so there is nothing to compare. ${still}`;
}

/** What became of a file that somebody was about to restore. */
export interface Meanwhile {
  path: string;
  /** The revision that was to come back. */
  chosen: number;
  /** Who changed it last; undefined where that is not known. */
  who: string | undefined;
  how: 'typed' | 'wrote' | 'removed';
  /** The first that is another one; undefined where none is. */
  line: number | undefined;
}

/** `You chose r1275; guest typed in line 27 after that. Nothing was written.` */
export function sayMeanwhile({ path, chosen, who, how, line }: Meanwhile): string {
  const place = line === undefined ? nameOf(path) : `line ${line.toLocaleString('en')}`;
  const did = {
    typed: who === undefined ? `${place} was edited` : `${who} typed in ${place}`,
    wrote: who === undefined ? `${place} was changed` : `${who} changed ${place}`,
    removed: who === undefined ? 'it was deleted' : `${who} deleted it`,
  }[how];
  return `You chose r${chosen}; ${did} after that. Nothing was written.`;
}

/** The first line that differs, from 1. */
export function firstOtherLine(before: string, after: string): number | undefined {
  if (before === after) return undefined;
  const lines = after.split('\n');
  const index = before.split('\n').findIndex((line, at) => line !== lines[at]);
  return index < 0 ? before.split('\n').length : index + 1;
}

/** Whose change it was, as it is said in `what … did`. */
export function sayWhoDid(actor: Actor, isMe: (actor: Actor) => boolean): string {
  if (isMe(actor)) return 'you';
  return actor.kind === 'outside' ? 'another program' : actor.name;
}
