/** Values by id, so many and of so much length together; beyond, those that were set longest ago go first. */
export class RecentlyUsed<Value> {
  readonly #values = new Map<string, { value: Value; length: number }>();
  readonly #max: { count: number; length: number };
  #length = 0;

  constructor(max: { count: number; length: number }) {
    this.#max = max;
  }

  get(id: string): Value | undefined {
    return this.#values.get(id)?.value;
  }

  set(id: string, value: Value, length: number): void {
    // Put at the end of the map.
    this.delete(id);
    this.#values.set(id, { value, length });
    this.#length += length;
    while (this.#values.size > this.#max.count || this.#length > this.#max.length) this.delete(this.#values.keys().next().value as string);
  }

  delete(id: string): void {
    const known = this.#values.get(id);
    if (known === undefined) return;
    this.#length -= known.length;
    this.#values.delete(id);
  }

  clear(): void {
    this.#values.clear();
    this.#length = 0;
  }
}
