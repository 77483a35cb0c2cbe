/** Of what is looked for: so much of its start is left to the native search, which is linear for texts this short. */
const START_CHARS = 32;

/**
 * Finds a text in another that comes in parts, in time linear in both whatever they hold: the native search takes the product of their lengths where both
 * repeat themselves. Units are UTF-16 code units. Throws RangeError when there is nothing to look for.
 */
export class StreamSearch {
  readonly #find: string;
  readonly #start: string;
  /** For each number of units that are matched, how many still are where the next one is another. */
  readonly #fallback: Int32Array;
  #matched = 0;

  constructor(find: string) {
    if (find === '') throw new RangeError('Nothing is everywhere.');
    this.#find = find;
    this.#start = find.slice(0, START_CHARS);
    this.#fallback = fallbackOf(find);
  }

  /**
   * Offset in this part after the next occurrence, -1 when none ends in it. Parts are looked at in order, each from 0 and then from where the last occurrence
   * ended, until the answer is -1. Occurrences may overlap: see restart.
   */
  next(part: string, from: number): number {
    const find = this.#find;
    const start = this.#start;
    const fallback = this.#fallback;
    let matched = this.#matched;
    let at = from;
    for (;;) {
      if (matched === 0 && part.length - at >= start.length) {
        const found = part.indexOf(start, at);
        // What is left is shorter than the start, and may begin it.
        if (found < 0) at = part.length - start.length + 1;
        else {
          at = found + start.length;
          matched = start.length;
        }
      } else if (at < part.length) {
        const unit = part.charCodeAt(at);
        while (matched > 0 && unit !== find.charCodeAt(matched)) matched = fallback[matched] as number;
        if (unit === find.charCodeAt(matched)) matched++;
        at++;
      } else {
        this.#matched = matched;
        return -1;
      }
      if (matched === find.length) {
        this.#matched = fallback[matched] as number;
        return at;
      }
    }
  }

  /** What came so far is no part of an occurrence that is still to come. */
  restart(): void {
    this.#matched = 0;
  }
}

/** As Knuth, Morris and Pratt: the longest end of what is matched that is a start of the text, and shorter. */
function fallbackOf(find: string): Int32Array {
  const fallback = new Int32Array(find.length + 1);
  let matched = 0;
  for (let at = 1; at < find.length; at++) {
    const unit = find.charCodeAt(at);
    while (matched > 0 && unit !== find.charCodeAt(matched)) matched = fallback[matched] as number;
    if (unit === find.charCodeAt(matched)) matched++;
    fallback[at + 1] = matched;
  }
  return fallback;
}
