import { boundedSize } from '../../contract/bound.ts';

/** Streamed items as one bounded list: the first and the last of them stay, those between are counted. */
export class GatheredItems {
  readonly #maxBytes: number;
  readonly #head: unknown[] = [];
  #headBytes = 0;
  #tail: { item: unknown; size: number }[] = [];
  /** Items at the front of `#tail` that are given up already; they are taken off many at a time. */
  #given = 0;
  #tailBytes = 0;
  #count = 0;

  /** `maxBytes`: of JSON, roughly, of what is kept. */
  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** How many came, kept or not. */
  get count(): number {
    return this.#count;
  }

  get omitted(): number {
    return this.#count - this.#head.length - (this.#tail.length - this.#given);
  }

  get items(): unknown[] {
    return [...this.#head, ...this.#tail.slice(this.#given).map(({ item }) => item)];
  }

  add(item: unknown): void {
    this.#count++;
    const half = this.#maxBytes / 2;
    const size = boundedSize(item, half) + 1;
    if (this.#tail.length === 0 && (this.#headBytes + size <= half || this.#count === 1)) {
      this.#head.push(item);
      this.#headBytes += size;
      return;
    }
    this.#tail.push({ item, size });
    this.#tailBytes += size;
    while (this.#tailBytes > half) this.#tailBytes -= this.#tail[this.#given++]?.size ?? 0;
    if (this.#given > 1000) {
      this.#tail = this.#tail.slice(this.#given);
      this.#given = 0;
    }
  }
}
