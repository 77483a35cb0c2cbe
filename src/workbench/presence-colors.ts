export const presenceColors = 12;

/** A colour's number, 1 to 12, for each who: the same who gets the same one wherever the page runs, unless another here has it. */
export class PresenceColors {
  readonly #taken = new Map<string, number>();

  /** Kept for as long as the page lives, so that nobody changes colour when others come and go. */
  of(key: string): number {
    const known = this.#taken.get(key);
    if (known !== undefined) return known;
    const color = freeColor(stableHash(key) % presenceColors, new Set(this.#taken.values()));
    this.#taken.set(key, color);
    return color;
  }
}

/** The wished colour, or the next one that nobody has; with all twelve taken, the wished one. */
function freeColor(wished: number, taken: ReadonlySet<number>): number {
  for (let step = 0; step < presenceColors; step += 1) {
    const color = ((wished + step) % presenceColors) + 1;
    if (!taken.has(color)) return color;
  }
  return wished + 1;
}

/** FNV-1a over UTF-16 units. */
export function stableHash(text: string): number {
  let hash = 0x811c9dc5;
  for (let index = 0; index < text.length; index += 1) hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193);
  return hash >>> 0;
}
