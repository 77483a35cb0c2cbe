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

/**
 * The changes as comparisons draw them in whole lines. Behind the last line end stands no line, so what comes or goes there without a line end
 * of its own begins at the end of the line before: else that place would be shown as an empty line that became another one.
 */
export function drawnChanges(changes: readonly Change[], before: Text, after: Text): Change[] {
  const last = changes.at(-1);
  if (last === undefined || last.fromA === 0 || last.fromB === 0) return [...changes];
  const { fromA, toA, fromB, toB } = last;
  const isLast = fromA === before.length ? after.lineAt(toB).from !== toB : fromB === after.length && before.lineAt(toA).from !== toA;
  if (!isLast || before.lineAt(fromA).from !== fromA || after.lineAt(fromB).from !== fromB) return [...changes];
  return [...changes.slice(0, -1), new Change(fromA - 1, Math.max(fromA - 1, toA - 1), fromB - 1, Math.max(fromB - 1, toB - 1))];
}

/** Where two texts differ, in whole lines. */
export function changedChunks(before: Text, after: Text): readonly Chunk[] {
  return Chunk.build(before, after, { override: (a, b) => drawnChanges(textChanges(a, b), before, after) });
}

/** As git counts them: not the empty line that stands between two changed ones, and is shown with them. */
export function countLines(changes: readonly Change[], before: Text, after: Text): LineCount {
  const count = { added: 0, removed: 0 };
  const [linesA, linesB] = [linesIn(before), linesIn(after)];
  let [lastA, lastB] = [0, 0];
  for (const { fromA, toA, fromB, toB } of changes) {
    const [startA, startB, endA, endB] = [before.lineAt(fromA), after.lineAt(fromB), before.lineAt(toA), after.lineAt(toB)];
    // Whole lines end where the next ones begin.
    const isWhole = endA.from === toA && endB.from === toB && startA.from === fromA && startB.from === fromB;
    const untilA = Math.min(isWhole ? endA.number - 1 : endA.number, linesA);
    const untilB = Math.min(isWhole ? endB.number - 1 : endB.number, linesB);
    count.removed += Math.max(0, untilA - Math.max(lastA, startA.number - 1));
    count.added += Math.max(0, untilB - Math.max(lastB, startB.number - 1));
    [lastA, lastB] = [Math.max(lastA, untilA), Math.max(lastB, untilB)];
  }
  return count;
}

/** Behind the last line end is none. */
function linesIn(text: Text): number {
  return text.line(text.lines).length === 0 ? text.lines - 1 : text.lines;
}
