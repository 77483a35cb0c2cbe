/** Something that was left out of an answer. */
export interface Cut {
  /** Where, as names with dots between them, e.g. `items.3.text`; '' is the answer itself. */
  at: string;
  omitted: number;
  unit: 'bytes' | 'items';
}

export interface Fitted {
  value: unknown;
  cuts: Cut[];
}

/** Room for the line that stands where text was taken out. */
const markerBytes = 64;
/** A value inside is never given less, so that what is kept can still be read. */
const minBytes = 160;
/** Of a place, the last characters are said: names can be as long as an answer, and as deep. */
const maxPlaceLength = 200;

/**
 * A JSON value cut down to about `maxBytes` of JSON, its shape kept: of long texts and long lists the beginning and the end
 * stay. Text says in its middle how much is missing; what is missing of lists stands in `cuts` alone. Pure.
 */
export function fitted(value: unknown, maxBytes: number): Fitted {
  const cuts: Cut[] = [];
  if (jsonSize(value) <= maxBytes) return { value, cuts };
  return { value: fit(value, maxBytes, '', cuts, new Map()), cuts };
}

/** Bytes of `value` as JSON. */
export function jsonSize(value: unknown): number {
  return Buffer.byteLength(JSON.stringify(value) ?? 'null');
}

/** Of lists and objects, as they were measured: each level of a deep one would be measured with all below it again. */
type Sizes = Map<object, number>;

function sizeOf(value: unknown, sizes: Sizes): number {
  if (typeof value !== 'object' || value === null) return jsonSize(value);
  const known = sizes.get(value);
  if (known !== undefined) return known;
  // A comma or a bracket for each, and one more.
  let size = 1;
  if (!Object.values(value).some((inner) => typeof inner === 'object' && inner !== null)) size = jsonSize(value);
  else if (Array.isArray(value)) for (const item of value) size += sizeOf(item, sizes) + 1;
  else for (const [key, inner] of Object.entries(value)) if (inner !== undefined) size += jsonSize(key) + 1 + sizeOf(inner, sizes) + 1;
  sizes.set(value, size);
  return size;
}

/** What was left out, for whoever reads the answer. */
export function cutsText(cuts: readonly Cut[]): string {
  const parts = cuts.map(
    ({ at, omitted, unit }) => `${omitted} ${unit} from the middle of ${at === '' ? 'the answer' : `"${shownPlace(at)}"`}`,
  );
  return `Left out because the answer is too long: ${parts.join('; ')}. Ask for a smaller part to see it.`;
}

function shownPlace(at: string): string {
  return at.length <= maxPlaceLength ? at : `…${at.slice(-maxPlaceLength)}`.toWellFormed();
}

function fit(value: unknown, budget: number, at: string, cuts: Cut[], sizes: Sizes): unknown {
  if (sizeOf(value, sizes) <= budget) return value;
  if (typeof value === 'string') return fitText(value, budget, at, cuts);
  if (Array.isArray(value)) return fitList(value, budget, at, cuts, sizes);
  return typeof value === 'object' && value !== null ? fitObject(value as Record<string, unknown>, budget, at, cuts, sizes) : value;
}

function fitText(text: string, budget: number, at: string, cuts: Cut[]): string {
  // Escapes are not spread evenly: the first guess may be too long.
  for (let keep = (text.length * (budget - markerBytes)) / jsonSize(text) / 2; ; keep *= 0.8) {
    const head = text.slice(0, Math.max(0, Math.floor(keep))).replace(/[\uD800-\uDBFF]$/, '');
    const tail = keep < 1 ? '' : text.slice(text.length - Math.floor(keep)).replace(/^[\uDC00-\uDFFF]/, '');
    const omitted = Buffer.byteLength(text) - Buffer.byteLength(head) - Buffer.byteLength(tail);
    const kept = `${head}\n… ${omitted} bytes omitted …\n${tail}`;
    if (keep >= 1 && jsonSize(kept) > budget) continue;
    cuts.push({ at, omitted, unit: 'bytes' });
    return kept;
  }
}

function fitList(list: readonly unknown[], budget: number, at: string, cuts: Cut[], sizes: Sizes): unknown[] {
  const share = Math.max(minBytes, Math.floor(budget / 4));
  const inside: Cut[] = [];
  const take = (from: number, step: 1 | -1, end: number, room: number): unknown[] => {
    const taken: unknown[] = [];
    let left = room;
    for (let index = from; index !== end; index += step) {
      const own: Cut[] = [];
      const item = fit(list[index], share, at === '' ? String(index) : `${at}.${index}`, own, sizes);
      left -= jsonSize(item) + 1;
      if (left < 0 && (taken.length > 0 || step < 0)) break;
      taken.push(item);
      inside.push(...own);
    }
    return taken;
  };
  const head = take(0, 1, list.length, budget / 2);
  const tail = take(list.length - 1, -1, head.length - 1, budget / 2).toReversed();
  const omitted = list.length - head.length - tail.length;
  if (omitted > 0) cuts.push({ at, omitted, unit: 'items' });
  cuts.push(...inside);
  return [...head, ...tail];
}

function fitObject(object: Record<string, unknown>, budget: number, at: string, cuts: Cut[], sizes: Sizes): Record<string, unknown> {
  const sized = Object.entries(object)
    .map(([key, value]) => ({ key, value, size: sizeOf(value, sizes), own: jsonSize(key) + 2 }))
    .filter(({ value }) => value !== undefined);
  // Small fields are kept whole; what they leave is shared by the large ones.
  const bySize = sized.toSorted((one, other) => one.size - other.size);
  const kept = new Map<string, unknown>();
  let left = budget;
  for (const [index, { key, value, size, own }] of bySize.entries()) {
    // A name is not cut: it would be another one.
    if (own > left) continue;
    const share = Math.floor(left / (bySize.length - index)) - own;
    if (share < minBytes && size > share && kept.size > 0 && left < minBytes) break;
    const part = size <= share ? value : fit(value, Math.max(minBytes, share), at === '' ? key : `${at}.${key}`, cuts, sizes);
    kept.set(key, part);
    left -= jsonSize(part) + own;
  }
  if (kept.size < sized.length) cuts.push({ at, omitted: sized.length - kept.size, unit: 'items' });
  return Object.fromEntries(sized.flatMap(({ key }) => (kept.has(key) ? [[key, kept.get(key)]] : [])));
}
