import { Change, Chunk } from '@codemirror/merge';
import type { Text } from '@codemirror/state';
import { diffText } from '../../core/text-diff.ts';

export interface LineCount {
  added: number;
  removed: number;
}

/** Lines first, then words: thousands of changes stay that many, where a comparison of letters gives up and calls all of it one. */
export function textChanges(before: string, after: string): Change[] {
  let shift = 0;
  return diffText(before, after).map(({ at, remove, insert }) => {
    const from = at + shift;
    shift += insert.length - remove;
    return new Change(at, at + remove, from, from + insert.length);
  });
}

/** Where two texts differ, in whole lines. */
export function changedChunks(before: Text, after: Text): readonly Chunk[] {
  return Chunk.build(before, after, { override: textChanges });
}

/** As git counts them: not the empty line that stands between two changed ones, and is shown with them. */
export function countLines(changes: readonly Change[], before: Text, after: Text): LineCount {
  const count = { added: 0, removed: 0 };
  let [lastA, lastB] = [0, 0];
  for (const { fromA, toA, fromB, toB } of changes) {
    const [startA, startB, endA, endB] = [before.lineAt(fromA), after.lineAt(fromB), before.lineAt(toA), after.lineAt(toB)];
    // Whole lines end where the next ones begin.
    const isWhole = endA.from === toA && endB.from === toB && startA.from === fromA && startB.from === fromB;
    const untilA = isWhole ? endA.number - 1 : endA.number;
    const untilB = isWhole ? endB.number - 1 : endB.number;
    count.removed += Math.max(0, untilA - Math.max(lastA, startA.number - 1));
    count.added += Math.max(0, untilB - Math.max(lastB, startB.number - 1));
    [lastA, lastB] = [Math.max(lastA, untilA), Math.max(lastB, untilB)];
  }
  return count;
}
