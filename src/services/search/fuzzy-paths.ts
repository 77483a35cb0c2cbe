import { type Found, Fuzzy } from './fuzzy.ts';
import { countOf, firstOf } from './sorted-paths.ts';

const LEAST_SCORE = 0.2;
/** Where nothing has all letters, a letter too many is looked for; for so long at most. */
const TYPO_PATIENCE_MS = 60;
const TYPO_FROM_LETTERS = 4;

export interface FoundPath {
  path: string;
  ranges?: [number, number][];
}

/** Finds paths by the letters in them. */
export class FuzzyPaths {
  readonly #fuzzy = new Fuzzy<string>((path) => path, LEAST_SCORE);

  /** The best first; without a query, as the blocks have them. `total` counts all that match. Rejects with the signal's reason. */
  async find(
    query: string,
    blocks: readonly (readonly string[])[],
    limit: number,
    signal: AbortSignal,
  ): Promise<{ files: FoundPath[]; total: number }> {
    const letters = query.replaceAll(/\s+/g, ' ').trim();
    if (letters === '') return { files: firstOf(blocks, limit).map((path) => ({ path })), total: countOf(blocks) };
    const { found, total } = await this.#best(letters, blocks, limit, signal);
    return { files: found.map(({ item, indexes }) => ({ path: item, ranges: rangesOf(indexes) })), total };
  }

  async #best(
    letters: string,
    blocks: readonly (readonly string[])[],
    limit: number,
    signal: AbortSignal,
  ): Promise<{ found: Found<string>[]; total: number }> {
    let best = await this.#fuzzy.find(letters, blocks, limit, signal);
    if (best.found.length > 0 || letters.length < TYPO_FROM_LETTERS) return best;
    const until = performance.now() + TYPO_PATIENCE_MS;
    for (let at = 0; at < letters.length && performance.now() < until; at++) {
      const other = await this.#fuzzy.find(letters.slice(0, at) + letters.slice(at + 1), blocks, limit, signal);
      if ((other.found[0]?.score ?? 0) > (best.found[0]?.score ?? 0)) best = other;
    }
    return best;
  }
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
