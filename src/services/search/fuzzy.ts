import fuzzysort from 'fuzzysort';
import type { Results, Snapshot } from 'fuzzysort';

/** Below this score (of 1) a path has little to do with what was asked. */
const LEAST_SCORE = 0.2;
/** Where nothing has all letters, a letter too many is looked for; for so long at most. */
const TYPO_PATIENCE_MS = 60;
const TYPO_FROM_LETTERS = 4;

export interface FoundPath {
  path: string;
  ranges?: [number, number][];
}

/** Finds paths by the letters in them. The same array is prepared once. */
export class FuzzyPaths {
  readonly #snapshots = new WeakMap<readonly string[], Snapshot>();

  /** The best first; without a query, as the array has them. `total` counts all that match. */
  find(query: string, paths: readonly string[], limit: number): { files: FoundPath[]; total: number } {
    const letters = query.replaceAll(/\s+/g, ' ').trim();
    if (letters === '') return { files: paths.slice(0, limit).map((path) => ({ path })), total: paths.length };
    let snapshot = this.#snapshots.get(paths);
    if (snapshot === undefined) {
      snapshot = fuzzysort.snapshot(paths);
      this.#snapshots.set(paths, snapshot);
    }
    const results = search(letters, snapshot, limit);
    return {
      files: results.map((result) => ({ path: result.target, ranges: rangesOf(result.indexes) })),
      total: results.total,
    };
  }
}

function search(letters: string, snapshot: Snapshot, limit: number): Results {
  let best = fuzzysort.go(letters, snapshot, { limit, threshold: LEAST_SCORE });
  if (best.length > 0 || letters.length < TYPO_FROM_LETTERS) return best;
  const until = performance.now() + TYPO_PATIENCE_MS;
  for (let at = 0; at < letters.length && performance.now() < until; at++) {
    const results = fuzzysort.go(letters.slice(0, at) + letters.slice(at + 1), snapshot, { limit, threshold: LEAST_SCORE });
    if ((results[0]?.score ?? 0) > (best[0]?.score ?? 0)) best = results;
  }
  return best;
}

/** Letters next to each other are one range. */
function rangesOf(indexes: readonly number[]): [number, number][] {
  const ranges: [number, number][] = [];
  for (const index of [...indexes].sort((a, b) => a - b)) {
    const last = ranges.at(-1);
    if (last?.[1] === index) last[1] = index + 1;
    else ranges.push([index, index + 1]);
  }
  return ranges;
}
