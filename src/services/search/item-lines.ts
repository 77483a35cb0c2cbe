import type { FoundFile, FoundLine } from '../../contract/search.ts';

/** Lines of one file in one item: a file with a million of them comes in many, */
const LINES_PER_ITEM = 200;
/** and so do long ones, of which an item has so many UTF-16 units, or one line. */
const UNITS_PER_ITEM = 64 * 1024;

/** Gathers lines of a file until they are enough for an item. */
export class ItemLines {
  #lines: FoundLine[] = [];
  #units = 0;
  #matches = 0;

  add(line: FoundLine): void {
    this.#lines.push(line);
    this.#units += line.text.length;
    if (line.ranges !== undefined) this.#matches++;
  }

  get isEmpty(): boolean {
    return this.#lines.length === 0;
  }

  get isFull(): boolean {
    return this.#lines.length >= LINES_PER_ITEM || this.#units >= UNITS_PER_ITEM;
  }

  /** Begins anew. `matches` counts lines with ranges. */
  take(path: string): { file: FoundFile; matches: number } {
    const taken = { file: { path, lines: this.#lines }, matches: this.#matches };
    this.#lines = [];
    this.#units = 0;
    this.#matches = 0;
    return taken;
  }
}

/** All of the lines, in as many items as they need. */
export function* inItems(path: string, lines: Iterable<FoundLine>): Generator<{ file: FoundFile; matches: number }> {
  const gathered = new ItemLines();
  for (const line of lines) {
    gathered.add(line);
    if (gathered.isFull) yield gathered.take(path);
  }
  if (!gathered.isEmpty) yield gathered.take(path);
}
