import { isAscii, isUtf8 } from 'node:buffer';
import type { FoundLine } from '../../contract/search.ts';
import { cutLine, type LineLimits } from './rg-events.ts';
import { unitsOf } from './units.ts';

const LINE_FEED = 10;
const CARRIAGE_RETURN = 13;
const MAX_BYTES_PER_UNIT = 3;

/**
 * Lines that hold the text, as ripgrep tells them: each once, with all places that do not overlap. `bytes`: without a byte order mark and
 * without NUL. `needle`: ASCII without a line break, so that its bytes stand for nothing else in UTF-8 or any code page.
 * `firstLine`: the number of the line with which `bytes` begin.
 */
export function* scanLiteral(bytes: Buffer, needle: Buffer, limits: LineLimits, firstLine = 1): Generator<FoundLine> {
  let number = firstLine;
  let counted = 0;
  for (let at = bytes.indexOf(needle); at >= 0; ) {
    const start = bytes.lastIndexOf(LINE_FEED, at) + 1;
    const feed = bytes.indexOf(LINE_FEED, at);
    const stop = feed < 0 ? bytes.length : feed;
    for (let next = bytes.indexOf(LINE_FEED, counted); next >= 0 && next < start; next = bytes.indexOf(LINE_FEED, counted)) {
      number++;
      counted = next + 1;
    }
    // What lies further on is not shown.
    const shownTo = Math.min(stop, at + limits.maxLineLength * MAX_BYTES_PER_UNIT);
    const offsets: number[] = [];
    while (at >= 0 && at < shownTo) {
      offsets.push(at - start);
      at = bytes.indexOf(needle, at + needle.length);
    }
    if (at >= 0 && at < stop) at = bytes.indexOf(needle, stop);
    const end = feed > start && bytes[stop - 1] === CARRIAGE_RETURN ? stop - 1 : stop;
    const line = lineOf(number, bytes.subarray(start, end), offsets, needle.length);
    yield line.text.length > limits.maxLineLength ? cutLine(line, limits.maxLineLength) : line;
  }
}

function lineOf(number: number, bytes: Buffer, offsets: readonly number[], length: number): FoundLine {
  if (isAscii(bytes)) {
    const end = bytes.length;
    return { line: number, text: bytes.toString('latin1'), ranges: offsets.map((offset) => [offset, Math.min(offset + length, end)]) };
  }
  const line: FoundLine = { line: number, text: bytes.toString() };
  if (!isUtf8(bytes)) line.raw = true;
  const toUnits = unitsOf(bytes);
  line.ranges = offsets.map((offset) => {
    const start = toUnits(offset);
    return [start, Math.min(start + length, line.text.length)];
  });
  return line;
}
