import { setImmediate as nextTurn } from 'node:timers/promises';
import fuzzysort from 'fuzzysort';
import type { Result, Snapshot } from 'fuzzysort';

/** Below this score (of 1) a path has little to do with what was asked. */
const LEAST_SCORE = 0.2;
/** Where nothing has all letters, a letter too many is looked for; for so long at most. */
const TYPO_PATIENCE_MS = 60;
const TYPO_FROM_LETTERS = 4;
/** Others have their turn after so long. */
const TURN_MS = 25;

export interface FoundPath {
  path: string;
  ranges?: [number, number][];
}

interface Found {
  /** The best first. */
  results: Result[];
  total: number;
}

/** Finds paths by the letters in them. The same array is prepared once. */
export class FuzzyPaths {
  readonly #snapshots = new WeakMap<readonly string[], Snapshot>();

  /** The best first; without a query, as the blocks have them. `total` counts all that match. Rejects with the signal's reason. */
  async find(
    query: string,
    blocks: readonly (readonly string[])[],
    limit: number,
    signal: AbortSignal,
  ): Promise<{ files: FoundPath[]; total: number }> {
    const letters = query.replaceAll(/\s+/g, ' ').trim();
    if (letters === '') {
      const total = blocks.reduce((sum, { length }) => sum + length, 0);
      return { files: firstOf(blocks, limit).map((path) => ({ path })), total };
    }
    const { results, total } = await this.#best(letters, blocks, limit, signal);
    return { files: results.map((result) => ({ path: result.target, ranges: rangesOf(result.indexes) })), total };
  }

  async #best(letters: string, blocks: readonly (readonly string[])[], limit: number, signal: AbortSignal): Promise<Found> {
    let best = await this.#search(letters, blocks, limit, signal);
    if (best.results.length > 0 || letters.length < TYPO_FROM_LETTERS) return best;
    const until = performance.now() + TYPO_PATIENCE_MS;
    for (let at = 0; at < letters.length && performance.now() < until; at++) {
      const found = await this.#search(letters.slice(0, at) + letters.slice(at + 1), blocks, limit, signal);
      if ((found.results[0]?.score ?? 0) > (best.results[0]?.score ?? 0)) best = found;
    }
    return best;
  }

  async #search(letters: string, blocks: readonly (readonly string[])[], limit: number, signal: AbortSignal): Promise<Found> {
    const all: Result[] = [];
    let total = 0;
    let began = performance.now();
    for (const block of blocks) {
      const results = fuzzysort.go(letters, this.#snapshotOf(block), { limit, threshold: LEAST_SCORE });
      for (const result of results) all.push(result);
      total += results.total;
      if (performance.now() < began + TURN_MS) continue;
      await nextTurn();
      signal.throwIfAborted();
      began = performance.now();
    }
    if (blocks.length > 1) all.sort((one, other) => other.score - one.score);
    return { results: all.slice(0, limit), total };
  }

  #snapshotOf(block: readonly string[]): Snapshot {
    let snapshot = this.#snapshots.get(block);
    if (snapshot === undefined) {
      snapshot = fuzzysort.snapshot(block);
      this.#snapshots.set(block, snapshot);
    }
    return snapshot;
  }
}

function firstOf(blocks: readonly (readonly string[])[], limit: number): string[] {
  const first: string[] = [];
  for (const block of blocks) {
    if (first.length === limit) break;
    first.push(...block.slice(0, limit - first.length));
  }
  return first;
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
