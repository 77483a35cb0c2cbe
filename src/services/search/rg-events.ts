import type { FoundLine } from '../../contract/search.ts';

export interface LineLimits {
  /** UTF-16 units of a line that are shown. */
  maxLineLength: number;
}

/** What of ripgrep's messages matters here (docs.rs/grep-printer, `JSON`): `end` closes what `begin` opened. */
export type RgEvent = { type: 'begin'; path: string } | { type: 'line'; line: FoundLine } | { type: 'end' };

type RgText = { text: string } | { bytes: string };

interface RgMessage {
  type: 'begin' | 'match' | 'context' | 'end' | 'summary';
  data: {
    path: RgText | null;
    lines: RgText;
    line_number: number | null;
    submatches: { start: number; end: number }[];
  };
}

/** Units shown before the first match of a line that is cut. */
const LEAD_UNITS = 60;

/** Undefined for a message that says nothing about lines. */
export function readEvent(json: string, limits: LineLimits): RgEvent | undefined {
  const { type, data } = JSON.parse(json) as RgMessage;
  if (type === 'begin') return { type, path: data.path === null ? '' : textOf(data.path).text };
  if (type === 'end') return { type };
  if (type !== 'match' && type !== 'context') return undefined;
  return { type: 'line', line: lineOf(data, type === 'match', limits) };
}

function lineOf({ lines, line_number, submatches }: RgMessage['data'], isMatch: boolean, { maxLineLength }: LineLimits): FoundLine {
  const { text: whole, bytes, raw } = textOf(lines);
  const text = whole.replace(/\r?\n$/, '');
  const line: FoundLine = { line: line_number ?? 1, text };
  if (raw) line.raw = true;
  let ranges: [number, number][] | undefined;
  if (isMatch) {
    const toUnits = unitsOf(whole, bytes);
    ranges = submatches.map(({ start, end }) => [Math.min(toUnits(start), text.length), Math.min(toUnits(end), text.length)]);
    line.ranges = ranges;
  }
  return text.length > maxLineLength ? cutLine(line, maxLineLength) : line;
}

/** A long line, cut around its first match. */
export function cutLine(line: FoundLine, maxLineLength: number): FoundLine {
  const first = line.ranges?.[0]?.[0] ?? 0;
  const from = onCharacter(line.text, Math.max(0, Math.min(first - LEAD_UNITS, line.text.length - maxLineLength)));
  const to = onCharacter(line.text, from + maxLineLength);
  const cut: FoundLine = { ...line, text: line.text.slice(from, to), cut: true };
  if (from > 0) cut.cutAt = from;
  if (line.ranges !== undefined)
    cut.ranges = line.ranges
      .filter(([start]) => start >= from && start < to)
      .map(([start, end]) => [start - from, Math.min(end, to) - from]);
  return cut;
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

/** From an offset in bytes to one in UTF-16 units. */
function unitsOf(text: string, bytes: Buffer | undefined): (offset: number) => number {
  if (bytes === undefined && Buffer.byteLength(text) === text.length) return (offset) => offset;
  const all = bytes ?? Buffer.from(text);
  return (offset) => all.toString('utf8', 0, offset).length;
}
