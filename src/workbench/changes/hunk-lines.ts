import type { Hunk } from './diff-texts.ts';

/** Where a hunk stands in the newer text: its lines with those around them, and the first that changed. From 1; `to` is the last. */
export interface HunkLines {
  id: string;
  from: number;
  to: number;
  first: number;
}

export function hunkLines(hunks: readonly Pick<Hunk, 'id' | 'newStart' | 'newLines' | 'lines'>[]): HunkLines[] {
  return hunks.map(({ id, newStart, newLines, lines }) => {
    // One without lines stands after the line it names.
    const from = newLines === 0 ? newStart + 1 : newStart;
    let first = from;
    for (const { kind } of lines) {
      if (kind !== 'context') break;
      first += 1;
    }
    return { id, from, to: Math.max(from, from + newLines - 1), first };
  });
}

/** The hunk that a line of the newer text lies in, or just behind. */
export function hunkAt(hunks: readonly HunkLines[], line: number): HunkLines | undefined {
  return hunks.find(({ from, to }) => line >= from && line <= to) ?? hunks.find(({ to }) => line === to + 1);
}
