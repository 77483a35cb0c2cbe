import { setImmediate as nextTurn } from 'node:timers/promises';
import fuzzysort from 'fuzzysort';
import { Letters, QueryLetters } from './letters.ts';
import { countOf } from './sorted-paths.ts';

/** Others have their turn after so long. */
const TURN_MS = 25;
/** fuzzysort takes some 10 µs to look at a text. */
const TEXTS_A_TURN = 1000;
/** So many are compared more closely than are asked for, times two. */
const MORE_COMPARED = 800;

export interface Found<Item> {
  item: Item;
  /** At most 1. */
  score: number;
  /** Of the letters that matched, in UTF-16 units. */
  indexes: readonly number[];
}

/**
 * Finds items by letters of their text, in order. fuzzysort compares them, and of more than it can look at in a moment those that look best.
 * What is kept for a block, a byte a letter, is kept as long as the block itself.
 */
export class Fuzzy<Item> {
  readonly #textOf: (item: Item) => string;
  readonly #leastScore: number;
  readonly #letters = new WeakMap<readonly Item[], Letters>();

  /** `leastScore`, of 1: below it a text has little to do with what was asked. */
  constructor(textOf: (item: Item) => string, leastScore: number) {
    this.#textOf = textOf;
    this.#leastScore = leastScore;
  }

  /**
   * The best first. `total` counts all that match; with more than `limit`, also such as have the letters and were not compared. `query` is
   * not blank. Rejects with the signal's reason.
   */
  async find(
    query: string,
    blocks: readonly (readonly Item[])[],
    limit: number,
    signal: AbortSignal,
  ): Promise<{ found: Found<Item>[]; total: number }> {
    const words = query.replaceAll(/\s+/g, ' ').trim();
    const letters = new QueryLetters(words);
    const turns = new Turns(signal);
    const candidates = await this.#candidates(letters, blocks, turns);
    const count = countOf(candidates.map(({ indexes }) => indexes));
    const best = await bestOf(candidates, letters, 2 * limit + MORE_COMPARED, turns);
    const some = await this.#compare(words, best, limit, turns);
    if (some.total > limit || best.length === count) return { found: some.found, total: some.total + count - best.length };
    // Those that look best were few that match.
    const compared = new Set(best);
    const rest = itemsOf(candidates).filter((item) => !compared.has(item));
    const more = await this.#compare(words, rest, limit, turns);
    return { found: sorted([...some.found, ...more.found]).slice(0, limit), total: some.total + more.total };
  }

  async #candidates(query: QueryLetters, blocks: readonly (readonly Item[])[], turns: Turns): Promise<Candidates<Item>[]> {
    const candidates: Candidates<Item>[] = [];
    for (const block of blocks) {
      const letters = this.#lettersOf(block);
      const indexes = letters.find(query);
      if (indexes.length > 0) candidates.push({ block, letters, indexes });
      await turns.next();
    }
    return candidates;
  }

  async #compare(words: string, items: readonly Item[], limit: number, turns: Turns): Promise<{ found: Found<Item>[]; total: number }> {
    const found: Found<Item>[] = [];
    let total = 0;
    for (let at = 0; at < items.length; at += TEXTS_A_TURN) {
      const some = items.slice(at, at + TEXTS_A_TURN).map((item) => ({ item, text: fuzzysort.prepare(this.#textOf(item)) }));
      const results = fuzzysort.go(words, some, { key: 'text', limit, threshold: this.#leastScore });
      for (const { obj, score, indexes } of results) found.push({ item: obj.item, score, indexes });
      total += results.total;
      await turns.next();
    }
    return { found: sorted(found).slice(0, limit), total };
  }

  #lettersOf(block: readonly Item[]): Letters {
    let letters = this.#letters.get(block);
    if (letters === undefined) {
      letters = new Letters(block.map(this.#textOf));
      this.#letters.set(block, letters);
    }
    return letters;
  }
}

/** Those of a block that have the letters. */
interface Candidates<Item> {
  block: readonly Item[];
  letters: Letters;
  indexes: readonly number[];
}

function itemsOf<Item>(candidates: readonly Candidates<Item>[]): Item[] {
  return candidates.flatMap(({ block, indexes }) => indexes.map((index) => block[index] as Item));
}

/** The `most` of them that look best; all, in their order, where they are no more. */
async function bestOf<Item>(candidates: readonly Candidates<Item>[], query: QueryLetters, most: number, turns: Turns): Promise<Item[]> {
  if (countOf(candidates.map(({ indexes }) => indexes)) <= most) return itemsOf(candidates);
  let best: { item: Item; looks: number }[] = [];
  const cut = (): void => {
    best = best.sort((one, other) => other.looks - one.looks).slice(0, most);
  };
  let least = Number.NEGATIVE_INFINITY;
  for (const { block, letters, indexes } of candidates) {
    for (const index of indexes) {
      const looks = letters.looks(query, index);
      if (looks <= least) continue;
      best.push({ item: block[index] as Item, looks });
      if (best.length < 2 * most) continue;
      cut();
      least = best.at(-1)?.looks ?? least;
    }
    await turns.next();
  }
  cut();
  return best.map(({ item }) => item);
}

function sorted<Item>(found: Found<Item>[]): Found<Item>[] {
  return found.sort((one, other) => other.score - one.score);
}

/** Lets others have their turn every now and then. */
class Turns {
  readonly #signal: AbortSignal;
  #began = performance.now();

  constructor(signal: AbortSignal) {
    this.#signal = signal;
  }

  /** Rejects with the signal's reason. */
  async next(): Promise<void> {
    if (performance.now() < this.#began + TURN_MS) return;
    await nextTurn();
    this.#signal.throwIfAborted();
    this.#began = performance.now();
  }
}
