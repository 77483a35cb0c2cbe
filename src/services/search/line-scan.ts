import type { FoundLine } from '../../contract/search.ts';
import { foundLine, shownBytes } from './found-line.ts';
import { countByte } from './count-byte.ts';
import type { LinePattern, Places } from './line-pattern.ts';
import type { LineLimits } from './rg-events.ts';

const lineFeed = 10;
const carriageReturn = 13;

/** Whole lines of a file, without a byte order mark and without NUL; `line` is the number of the first. */
export interface Piece {
  bytes: Buffer;
  line: number;
}

/** Looks at one line; a slow one may be given up. */
export type Look = (bytes: Buffer, start: number, end: number, find: () => Places) => Places;

/** Lines of the piece that match, as ripgrep tells them; undefined stands for one that does not. */
export function* foundLines(
  { bytes, line }: Piece,
  matching: Iterable<MatchingLine | undefined>,
  limits: LineLimits,
): Generator<FoundLine | undefined> {
  let number = line;
  let counted = 0;
  for (const one of matching) {
    if (one === undefined) {
      yield one;
      continue;
    }
    number += countByte(bytes, lineFeed, counted, one.start);
    counted = one.start;
    yield foundLine(number, bytes.subarray(one.start, one.end), one.places, limits);
  }
}

/** Where a line begins and, without its break, ends. */
export interface MatchingLine {
  start: number;
  end: number;
  places: readonly number[];
}

/** All lines that were looked at: 'unsure' for one of which ripgrep has to say whether it matches, and where; undefined for one that does not match. */
export function* matchingLines(
  { bytes }: Piece,
  pattern: LinePattern,
  limits: LineLimits,
  look: Look,
): Generator<MatchingLine | 'unsure' | undefined> {
  const shown = shownBytes(limits);
  const next = pattern.hints.find(bytes);
  for (let at = next(0); at >= 0; ) {
    const start = bytes.lastIndexOf(lineFeed, at) + 1;
    const feed = bytes.indexOf(lineFeed, at);
    const stop = feed < 0 ? bytes.length : feed;
    const places = look(bytes, start, stop, () => pattern.placesIn(bytes, { start, end: stop, hint: at }, shown));
    const end = feed > start && bytes[stop - 1] === carriageReturn ? stop - 1 : stop;
    if (places === 'unsure') yield places;
    else yield places.length > 0 ? { start, end, places } : undefined;
    if (stop === bytes.length) return;
    at = next(stop);
  }
}
