import type { Candidate } from './file-scan.ts';

/** Files of one search, which several take part by part. */
export class CandidateParts {
  readonly #candidates: readonly Candidate[];
  readonly #size: number;
  #at = 0;

  constructor(candidates: readonly Candidate[], size: number) {
    this.#candidates = candidates;
    this.#size = size;
  }

  /** How many parts nobody has taken. */
  get remaining(): number {
    return Math.ceil((this.#candidates.length - this.#at) / this.#size);
  }

  /** Undefined when there are no others. */
  next(): readonly Candidate[] | undefined {
    if (this.#at >= this.#candidates.length) return undefined;
    const part = this.#candidates.slice(this.#at, this.#at + this.#size);
    this.#at += this.#size;
    return part;
  }
}
