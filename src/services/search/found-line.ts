import { isAscii, isUtf8 } from 'node:buffer';
import type { FoundLine } from '../../contract/search.ts';
import { cutLine, leadUnits, type LineLimits } from './rg-events.ts';
import { characterStart, countUnits, unitsOf } from './units.ts';

const maxBytesPerUnit = 3;

/** How far behind its first match a line is shown, in bytes at most. */
export function shownBytes({ maxLineLength }: LineLimits): number {
  return maxLineLength * maxBytesPerUnit;
}

/**
 * A line as ripgrep's would be told. `bytes`: without its break. `places`: start and end of each match in it, in bytes, ascending; those that
 * are not shown may be left out, and an end may lie behind the line, on the carriage return that belongs to its break.
 */
export function foundLine(number: number, bytes: Buffer, places: readonly number[], limits: LineLimits): FoundLine {
  const first = places[0] ?? 0;
  const room = leadUnits(limits) + limits.maxLineLength;
  if (bytes.length > limits.maxLineLength && isAscii(bytes)) return asciiWindow(number, bytes, places, limits);
  // All of a line is decoded only where its end may be shown.
  if (bytes.length - first > (room + 1) * maxBytesPerUnit) return window(number, bytes, places, limits);
  const line = wholeLine(number, bytes, places);
  return line.text.length > limits.maxLineLength ? cutLine(line, limits.maxLineLength) : line;
}

function wholeLine(number: number, bytes: Buffer, places: readonly number[]): FoundLine {
  const ranges: [number, number][] = [];
  if (isAscii(bytes)) {
    const { length } = bytes;
    for (let at = 0; at < places.length; at += 2) ranges.push([places[at] as number, Math.min(places[at + 1] as number, length)]);
    return { line: number, text: bytes.toString('latin1'), ranges };
  }
  const line: FoundLine = { line: number, text: bytes.toString() };
  if (!isUtf8(bytes)) line.raw = true;
  const toUnits = unitsOf(bytes);
  for (let at = 0; at < places.length; at += 2) {
    const start = toUnits(places[at] as number);
    ranges.push([start, Math.min(toUnits(places[at + 1] as number), line.text.length)]);
  }
  line.ranges = ranges;
  return line;
}

/** As cutLine would cut it. */
function asciiWindow(number: number, bytes: Buffer, places: readonly number[], limits: LineLimits): FoundLine {
  const { maxLineLength } = limits;
  const from = Math.max(0, Math.min((places[0] ?? 0) - leadUnits(limits), bytes.length - maxLineLength));
  const line: FoundLine = { line: number, text: bytes.toString('latin1', from, from + maxLineLength), cut: true };
  if (from > 0) line.cutAt = from;
  const ranges: [number, number][] = [];
  for (let at = 0; at < places.length; at += 2) {
    const start = (places[at] as number) - from;
    if (start < maxLineLength) ranges.push([start, Math.min((places[at + 1] as number) - from, maxLineLength)]);
  }
  line.ranges = ranges;
  return line;
}

/** The same, of a line whose end is not shown: what lies before the first match is only counted, what lies far behind is not looked at. */
function window(number: number, bytes: Buffer, places: readonly number[], limits: LineLimits): FoundLine {
  const first = places[0] ?? 0;
  const units = leadUnits(limits);
  const leadStart = characterStart(bytes, Math.max(0, first - (units + 1) * maxBytesPerUnit));
  const lead = bytes.toString('utf8', leadStart, first).slice(-units - 1);
  const skipped = countUnits(bytes, 0, first) - lead.length;
  const shown = bytes.subarray(first, first + (units + limits.maxLineLength + 1) * maxBytesPerUnit);
  const toUnits = unitsOf(shown);
  const ranges: [number, number][] = [];
  for (let at = 0; at < places.length; at += 2) {
    const start = (places[at] as number) - first;
    if (start > shown.length) break;
    const end = Math.min((places[at + 1] as number) - first, shown.length);
    ranges.push([lead.length + toUnits(start), lead.length + toUnits(end)]);
  }
  const near: FoundLine = { line: number, text: lead + shown.toString(), ranges };
  const cut = cutLine(near, limits.maxLineLength);
  const cutAt = skipped + (cut.cutAt ?? 0);
  return { ...cut, ...(cutAt > 0 ? { cutAt } : {}), ...(isUtf8(bytes) ? {} : { raw: true }) };
}
