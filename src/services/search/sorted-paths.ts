import { setImmediate as nextTurn } from 'node:timers/promises';

/** Paths of a block: what is made of a block is made anew when one of its paths comes or goes. */
export const BLOCK_PATHS = 8192;

/** Many paths in order, as blocks one after the other: a change of one path makes one block anew, and all others stay the arrays that they are. */
export class SortedPaths {
  #blocks: readonly (readonly string[])[];
  readonly #added = new Set<string>();
  readonly #removed = new Set<string>();

  /** `paths`: in order. */
  constructor(paths: readonly string[] = []) {
    this.#blocks = blocksOf(paths);
  }

  /** Not to be called for one that is there. */
  add(path: string): void {
    if (!this.#removed.delete(path)) this.#added.add(path);
  }

  /** Not to be called for one that is not there. */
  remove(path: string): void {
    if (!this.#added.delete(path)) this.#removed.add(path);
  }

  /** None is empty. */
  get blocks(): readonly (readonly string[])[] {
    if (this.#added.size > 0 || this.#removed.size > 0) this.#takeIn();
    return this.#blocks;
  }

  #takeIn(): void {
    const news = new Map<number, string[]>();
    for (const path of [...this.#added, ...this.#removed]) {
      const at = this.#blockOf(path);
      const those = news.get(at);
      if (those === undefined) news.set(at, [path]);
      else those.push(path);
    }
    const before = this.#blocks.length === 0 ? [[]] : this.#blocks;
    this.#blocks = before.flatMap((block, at) => {
      const changed = news.get(at);
      if (changed === undefined) return [block];
      const left = block.filter((path) => !this.#removed.has(path));
      return blocksOf([...left, ...changed.filter((path) => this.#added.has(path))].sort());
    });
    this.#added.clear();
    this.#removed.clear();
  }

  /** The last block that begins at or before it. */
  #blockOf(path: string): number {
    let low = 0;
    let high = this.#blocks.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#blocks[middle]?.[0] as string) <= path) low = middle + 1;
      else high = middle;
    }
    return Math.max(0, low - 1);
  }
}

/** As `sort` orders them, others having their turn between. Rejects with the signal's reason. */
export async function sortInTurns(paths: readonly string[], signal?: AbortSignal): Promise<readonly string[]> {
  let runs: (readonly string[])[] = [];
  for (let at = 0; at < paths.length; at += BLOCK_PATHS) {
    runs.push(paths.slice(at, at + BLOCK_PATHS).sort());
    await giveWay(signal);
  }
  while (runs.length > 1) {
    const merged: (readonly string[])[] = [];
    for (let at = 0; at < runs.length; at += 2) merged.push(await merge(runs[at] ?? [], runs[at + 1] ?? [], signal));
    runs = merged;
  }
  return runs[0] ?? [];
}

async function merge(one: readonly string[], other: readonly string[], signal: AbortSignal | undefined): Promise<string[]> {
  const merged: string[] = [];
  for (let first = 0, second = 0; first < one.length || second < other.length; ) {
    const [a, b] = [one[first], other[second]];
    const takesFirst = b === undefined || (a !== undefined && a <= b);
    merged.push((takesFirst ? a : b) as string);
    if (takesFirst) first++;
    else second++;
    if (merged.length % (4 * BLOCK_PATHS) === 0) await giveWay(signal);
  }
  return merged;
}

async function giveWay(signal: AbortSignal | undefined): Promise<void> {
  await nextTurn();
  signal?.throwIfAborted();
}

/** In their order. A block may be up to twice as long, so that one that is full is not cut at each path that comes. */
export function blocksOf<Item>(items: readonly Item[]): (readonly Item[])[] {
  const count = items.length <= 2 * BLOCK_PATHS ? Math.min(1, items.length) : Math.ceil(items.length / BLOCK_PATHS);
  const length = Math.ceil(items.length / count);
  return Array.from({ length: count }, (_, at) => items.slice(at * length, (at + 1) * length));
}

export function firstOf<Item>(blocks: readonly (readonly Item[])[], limit: number): Item[] {
  const first: Item[] = [];
  for (const block of blocks) {
    if (first.length === limit) break;
    for (const item of block.slice(0, limit - first.length)) first.push(item);
  }
  return first;
}

export function countOf(blocks: readonly (readonly unknown[])[]): number {
  return blocks.reduce((sum, { length }) => sum + length, 0);
}
