import { createHash } from 'node:crypto';
import type { Trail } from './other-hands.ts';
import { type Clash, type Content, sameContent, takeBack } from '../../core/take-back.ts';

/** Clashes that are remembered of one file. */
const MAX_CLASHES = 50;

/** A file without the run's hunks, as far as others and the run can be told apart. */
export type Apart =
  | { kind: 'run alone' }
  | { kind: 'others alone' }
  | { kind: 'lost' }
  | { kind: 'both'; keep: Content; remove: Content; clashes: Clash[] };

/**
 * What would be in a file at the end of a run if the run had not touched it. Between two steps of others lies what the run
 * did: each step is a change of the text with the run's hunks, and is made again on the text without them.
 */
export function tellApart(found: Content, left: Content, trail: Trail | undefined): Apart {
  if (trail === undefined) return { kind: 'run alone' };
  if (!trail.broken && trail.first === hashOf(found) && trail.last === hashOf(left)) return { kind: 'others alone' };
  if (trail.lost) return { kind: 'lost' };
  // What came before the run found the file is in it already.
  const seen = trail.steps.findLastIndex((step) => sameContent(step.after, found));
  const clashes: Clash[] = [];
  let keep = found;
  let remove = found;
  for (const { before, after } of trail.steps.slice(seen + 1)) {
    const kept = takeBack(before, keep, after, 'keep');
    remove = takeBack(before, remove, after, 'remove').result;
    keep = kept.result;
    clashes.push(...kept.clashes);
  }
  if (sameContent(keep, left) && clashes.length === 0) return { kind: 'others alone' };
  if (sameContent(keep, found) && sameContent(remove, found)) return { kind: 'run alone' };
  return { kind: 'both', keep, remove, clashes: clashes.slice(0, MAX_CLASHES) };
}

/** sha256, as the journal has it. */
export function hashOf(content: Content): string | null {
  return content === null ? null : createHash('sha256').update(content).digest('hex');
}
