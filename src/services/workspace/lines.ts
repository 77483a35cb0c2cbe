import { read } from './content.ts';

const CHUNK_BYTES = 256 * 1024;
const LF = 10;

/** Which lines: from the start or the end of the file. Lines count from 1; `end` is included. */
export type LineRange = { start: number; end: number } | { tail: number };

export interface FoundLines {
  bytes: Uint8Array;
  /** Number of the first line given. */
  startLine: number;
  /** Lines of the whole file. */
  lines: number;
  /** True when the lines asked for hold more than `maxBytes`; `bytes` is empty then. */
  tooLarge: boolean;
}

/** Reads some lines of an open file in pieces: the whole file is looked at, only the lines are kept. */
export async function readLines(
  descriptor: number,
  size: number,
  range: LineRange,
  maxBytes: number,
  signal: AbortSignal,
): Promise<FoundLines> {
  const starts = 'tail' in range ? await tailStart(descriptor, size, range.tail, signal) : undefined;
  const buffer = Buffer.allocUnsafe(CHUNK_BYTES);
  const kept: Uint8Array[] = [];
  let keptBytes = 0;
  let line = 1;
  let position = 0;
  let endsWithBreak = true;
  let firstLine = 'tail' in range ? 0 : range.start;
  const keep = (from: number, to: number): void => {
    keptBytes += to - from;
    if (keptBytes <= maxBytes) kept.push(Uint8Array.prototype.slice.call(buffer, from, to));
    else kept.length = 0;
  };
  for (;;) {
    signal.throwIfAborted();
    const count = await read(descriptor, buffer, position, buffer.length);
    if (count === 0) break;
    let from = 0;
    let wantedFrom = -1;
    while (from < count) {
      const found = buffer.subarray(0, count).indexOf(LF, from);
      const to = found < 0 ? count : found + 1;
      const wanted = starts !== undefined ? position + from >= starts : 'start' in range && line >= range.start && line <= range.end;
      if (wanted && wantedFrom < 0) {
        if (firstLine === 0) firstLine = line;
        wantedFrom = from;
      } else if (!wanted && wantedFrom >= 0) {
        keep(wantedFrom, from);
        wantedFrom = -1;
      }
      if (found >= 0) line++;
      endsWithBreak = found >= 0;
      from = to;
    }
    if (wantedFrom >= 0) keep(wantedFrom, count);
    position += count;
  }
  const lines = endsWithBreak ? line - 1 : line;
  const tooLarge = keptBytes > maxBytes;
  return { bytes: tooLarge ? new Uint8Array() : Buffer.concat(kept), startLine: firstLine === 0 ? lines + 1 : firstLine, lines, tooLarge };
}

/** Offset at which the last `count` lines begin, found from the end. */
async function tailStart(descriptor: number, size: number, count: number, signal: AbortSignal): Promise<number> {
  const buffer = Buffer.allocUnsafe(CHUNK_BYTES);
  let end = size;
  let breaks = 0;
  while (end > 0) {
    signal.throwIfAborted();
    const start = Math.max(0, end - CHUNK_BYTES);
    const length = await read(descriptor, buffer, start, end - start);
    for (let i = length - 1; i >= 0; i--) {
      if (buffer[i] !== LF || start + i === size - 1) continue;
      breaks++;
      if (breaks === count) return start + i + 1;
    }
    end = start;
  }
  return 0;
}
