// Which segments are worth writing anew: many small ones cost reads with every query, and one that is mostly dead costs space.

/** Fewer files than that make a small segment. */
const smallFiles = 2048;
/** So many small segments are joined. */
const smallSegments = 4;
const maxFilesAtOnce = 32_768;

export interface SegmentShare<T> {
  segment: T;
  /** Files that it answers for. */
  live: number;
  /** Files that it was written with. */
  files: number;
}

export function chooseCompaction<T>(shares: readonly SegmentShare<T>[]): T[] {
  const small = shares.filter(({ live }) => live < smallFiles);
  const wanted = new Set(shares.filter(({ live, files }) => live * 2 < files));
  if (small.length >= smallSegments) for (const share of small) wanted.add(share);
  const chosen: T[] = [];
  let files = 0;
  for (const { segment, live } of [...wanted].sort((a, b) => a.live - b.live)) {
    if (files + live > maxFilesAtOnce && chosen.length > 0) break;
    files += live;
    chosen.push(segment);
  }
  return chosen;
}
