import { createHash } from 'node:crypto';
import type { Step, Trail } from './other-hands.ts';
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
 * did: each step is a change of the text with the run's hunks, and is made again on the text without them. What changed after the revision `told` may
 * have come after the end. Waits, where `giveWay` does, between steps.
 */
export async function tellApart(
  found: Content,
  left: Content,
  trail: Trail | undefined,
  told = Number.MAX_SAFE_INTEGER,
  giveWay: () => Promise<void> | undefined = () => undefined,
): Promise<Apart> {
  if (trail === undefined) return { kind: 'run alone' };
  if (!trail.broken && trail.first === hashOf(found) && trail.last === hashOf(left)) return { kind: 'others alone' };
  if (trail.lost) return { kind: 'lost' };
  const clashes: Clash[] = [];
  let keep = found;
  let remove = found;
  for (const { before, after } of upTo(left, told, since(found, trail.steps))) {
    await giveWay();
    const kept = takeBack(before, keep, after, 'keep');
    await giveWay();
    remove = takeBack(before, remove, after, 'remove').result;
    keep = kept.result;
    clashes.push(...kept.clashes);
  }
  if (sameContent(keep, left) && clashes.length === 0) return { kind: 'others alone' };
  if (sameContent(keep, found) && sameContent(remove, found)) return { kind: 'run alone' };
  return { kind: 'both', keep, remove, clashes: clashes.slice(0, MAX_CLASHES) };
}

/** What came before the run found the file is in it already. */
function since(found: Content, steps: readonly Step[]): Step[] {
  const hash = hashOf(found);
  for (const [index, step] of [...steps.entries()].reverse()) {
    const rest = steps.slice(index + 1);
    if (sameContent(step.after, found)) return rest;
    const at = step.passed.findLastIndex(({ after }) => after === hash);
    if (at >= 0) return [{ ...step, before: found, passed: step.passed.slice(at + 1) }, ...rest];
  }
  return [...steps];
}

/** What came after the run left the file is not in it yet. */
function upTo(left: Content, told: number, steps: readonly Step[]): Step[] {
  const hash = hashOf(left);
  for (const [index, step] of steps.entries()) {
    const late = step.passed.findIndex(({ revision }) => revision > told);
    if (late < 0) continue;
    const earlier = steps.slice(0, index);
    if (late === 0 && sameContent(step.before, left)) return earlier;
    const at = step.passed.findIndex(({ after }, place) => place >= late - 1 && after === hash);
    if (at >= 0) return [...earlier, { ...step, after: left, passed: step.passed.slice(0, at + 1) }];
  }
  return [...steps];
}

/** sha256, as the journal has it. */
export function hashOf(content: Content): string | null {
  return content === null ? null : createHash('sha256').update(content).digest('hex');
}
