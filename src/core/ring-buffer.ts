/** The newest `capacity` values; older ones are overwritten. */
export class RingBuffer<T> {
  readonly #values: (T | undefined)[];
  #next = 0;
  #length = 0;

  constructor(capacity: number) {
    if (!(capacity >= 1)) throw new RangeError('A ring buffer holds at least one value.');
    this.#values = new Array<T | undefined>(capacity);
  }

  get length(): number {
    return this.#length;
  }

  push(value: T): void {
    this.#values[this.#next] = value;
    this.#next = (this.#next + 1) % this.#values.length;
    if (this.#length < this.#values.length) this.#length++;
  }

  /** The value at `index`, 0 being the oldest kept. */
  at(index: number): T | undefined {
    if (index < 0 || index >= this.#length) return undefined;
    return this.#values[(this.#next - this.#length + index + this.#values.length) % this.#values.length];
  }

  clear(): void {
    this.#values.fill(undefined);
    this.#next = 0;
    this.#length = 0;
  }
}
