export interface SeenRows {
  /** Of all rows, in their order. */
  keys: readonly string[];
  top: number;
  height: number;
  rowPx: number;
  /** Rows move by what happens to them, not only as others come and go. */
  isSorted: boolean;
  /** Of the row that has the focus. */
  focused: string | undefined;
}

/**
 * Where to scroll so that what is read stays in place, now that the rows are those with `keys`: the first in sight, or where rows are put in order by what
 * they hold, most of them. At the top the newest are seen as they come, but the row that has the focus is not left behind.
 */
export function keptTop(seen: SeenRows, keys: readonly string[]): number {
  const { top, height, rowPx, isSorted, focused } = seen;
  if (top <= 0 && focused === undefined) return top;
  const places = new Map(keys.map((key, index) => [key, index]));
  const first = Math.floor(Math.max(0, top) / rowPx);
  const moves: number[] = [];
  for (const [index, key] of seen.keys.slice(first, Math.ceil((top + height) / rowPx)).entries()) {
    const place = places.get(key);
    if (place !== undefined) moves.push(place - first - index);
  }
  const move = isSorted ? moves.toSorted((a, b) => a - b)[Math.floor(moves.length / 2)] : moves[0];
  const kept = Math.max(0, top + (move ?? 0) * rowPx);
  if (top > 0) return kept;
  const place = focused === undefined ? undefined : places.get(focused);
  const isInSight = place === undefined || (place + 2) * rowPx <= top + height;
  return isInSight ? top : kept;
}
