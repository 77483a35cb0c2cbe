import type { FoundLine } from '../../contract/search.ts';
import { unitsOf } from './units.ts';

export interface LineLimits {
  /** UTF-16 units of a line that are shown. */
  maxLineLength: number;
}

/**
 * What of ripgrep's messages matters here (docs.rs/grep-printer, `JSON`): `end` closes what `begin` opened; of a line that is `long`, only
 * the beginning came.
 */
export type RgEvent =
  | { type: 'begin'; path: string }
  | { type: 'line'; line: FoundLine }
  | { type: 'long'; line: LongLine }
  | { type: 'end' };

/** A line of which ripgrep's message was shortened, and whose first match lies beyond what is left of it. */
export interface LongLine {
  number: number;
  /** Bytes of the file before the line, a byte order mark not counted. */
  offset: number;
  raw: boolean;
  /** In bytes of the line, ascending; `begins`: of what matched, as bytes. */
  matches: { start: number; end: number; begins: Buffer }[];
  /** Shown when the line can't be read where it should stand. */
  beginning: FoundLine;
}

type RgText = { text: string } | { bytes: string };

interface RgMessage {
  type: 'begin' | 'match' | 'context' | 'end' | 'summary';
  data: {
    path: RgText | null;
    lines: RgText;
    line_number: number | null;
    absolute_offset: number;
    submatches: { match: RgText; replacement?: RgText; start: number; end: number }[];
  };
}

const MOST_LEAD_UNITS = 60;
const MAX_BYTES_PER_UNIT = 3;

/** Units shown before the first match of a line that is cut: most of what is shown is the match, and what follows it. */
export function leadUnits({ maxLineLength }: LineLimits): number {
  return Math.min(MOST_LEAD_UNITS, Math.floor(maxLineLength / 3));
}

/** Undefined for a message that says nothing about lines. `shortened`: strings and lists of it may lack their ends. */
export function readEvent(json: string, limits: LineLimits, shortened = false): RgEvent | undefined {
  const { type, data } = JSON.parse(json) as RgMessage;
  if (type === 'begin') return { type, path: data.path === null ? '' : textOf(data.path).text };
  if (type === 'end') return { type };
  if (type !== 'match' && type !== 'context') return undefined;
  return lineEvent(data, type === 'match', limits, shortened);
}

function lineEvent(data: RgMessage['data'], isMatch: boolean, limits: LineLimits, shortened: boolean): RgEvent {
  const { text: whole, bytes, raw } = textOf(data.lines);
  const length = bytes?.length ?? Buffer.byteLength(whole);
  const line: FoundLine = { line: data.line_number ?? 1, text: whole.replace(/\r?\n$/, '') };
  if (raw) line.raw = true;
  const first = data.submatches[0]?.start ?? 0;
  const isThere = first + (leadUnits(limits) + limits.maxLineLength) * MAX_BYTES_PER_UNIT <= length || whole.endsWith('\n');
  const isHere = ({ start }: { start: number }): boolean => start < length || length === 0;
  if (isMatch) {
    const told = shortened ? data.submatches.filter(isHere) : data.submatches;
    line.ranges = rangesOf(told, whole, bytes, line.text.length);
    if (told[0]?.replacement !== undefined)
      line.replacements = told.map(({ replacement }) => (replacement === undefined ? '' : textOf(replacement).text));
  }
  const shown = line.text.length > limits.maxLineLength ? cutLine(line, limits.maxLineLength) : line;
  if (!shortened || isThere || !isMatch) return { type: 'line', line: shown };
  const matches = data.submatches.map(({ match, start, end }) => {
    const { text, bytes: matched } = textOf(match);
    return { start, end, begins: matched ?? Buffer.from(text) };
  });
  return { type: 'long', line: { number: line.line, offset: data.absolute_offset, raw, matches, beginning: { ...shown, cut: true } } };
}

function rangesOf(
  submatches: readonly { start: number; end: number }[],
  whole: string,
  bytes: Buffer | undefined,
  end: number,
): [number, number][] {
  const isAscii = bytes === undefined && Buffer.byteLength(whole) === whole.length;
  const toUnits = isAscii ? (offset: number): number => offset : unitsOf(bytes ?? Buffer.from(whole));
  return submatches.map((match) => [Math.min(toUnits(match.start), end), Math.min(toUnits(match.end), end)]);
}

/** A long line, cut around its first match. */
export function cutLine(line: FoundLine, maxLineLength: number): FoundLine {
  const first = line.ranges?.[0]?.[0] ?? 0;
  const from = onCharacter(line.text, Math.max(0, Math.min(first - leadUnits({ maxLineLength }), line.text.length - maxLineLength)));
  const to = onCharacter(line.text, from + maxLineLength);
  const cut: FoundLine = { ...line, text: detached(line.text.slice(from, to)), cut: true };
  if (from > 0) cut.cutAt = from;
  if (line.ranges === undefined) return cut;
  const isShown = ([start]: readonly [number, number]): boolean => start >= from && start < to;
  cut.ranges = line.ranges.filter(isShown).map(([start, end]) => [start - from, Math.min(end, to) - from]);
  const { ranges, replacements } = line;
  if (replacements !== undefined) cut.replacements = replacements.filter((_, index) => isShown(ranges[index] as [number, number]));
  return cut;
}

/** A slice keeps all that it was cut from; this does not. */
function detached(slice: string): string {
  return Buffer.from(slice, 'utf16le').toString('utf16le');
}

/** Not between the halves of a surrogate pair. */
function onCharacter(text: string, at: number): number {
  return (text.charCodeAt(at) & 0xfc00) === 0xdc00 ? at - 1 : at;
}

function textOf(value: RgText): { text: string; bytes: Buffer | undefined; raw: boolean } {
  if ('text' in value) return { text: value.text, bytes: undefined, raw: false };
  const bytes = Buffer.from(value.bytes, 'base64');
  return { text: bytes.toString(), bytes, raw: true };
}
