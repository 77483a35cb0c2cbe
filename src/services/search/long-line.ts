import type fs from 'node:fs';
import type { FoundLine } from '../../contract/search.ts';
import { openHandle } from './open-file.ts';
import { type LineLimits, type LongLine, leadUnits } from './rg-events.ts';
import { unitsOf } from './units.ts';

const CHUNK_BYTES = 256 * 1024;
const LINE_FEED = 10;
const CARRIAGE_RETURN = 13;
/** A mark in UTF-8, which ripgrep leaves out when it counts. */
const MARK = Buffer.from([0xef, 0xbb, 0xbf]);

/**
 * The part of a long line that is shown, read from the file: around its first match. Where the match does not stand there (the file
 * changed, or is not UTF-8), the line's beginning, without places. Rejects with the signal's reason.
 */
export async function readLongLine(file: string, line: LongLine, limits: LineLimits, signal: AbortSignal): Promise<FoundLine> {
  let handle: fs.promises.FileHandle;
  try {
    handle = await openHandle(file);
  } catch {
    return line.beginning;
  }
  try {
    return (await readAround(handle, line, limits, signal)) ?? line.beginning;
  } catch {
    signal.throwIfAborted();
    return line.beginning;
  } finally {
    await handle.close();
  }
}

async function readAround(
  handle: fs.promises.FileHandle,
  { number, offset, raw, matches }: LongLine,
  limits: LineLimits,
  signal: AbortSignal,
): Promise<FoundLine | undefined> {
  const { maxLineLength } = limits;
  const first = matches[0];
  if (first === undefined) return undefined;
  const lineStart = offset + ((await read(handle, 0, MARK.length)).equals(MARK) ? MARK.length : 0);
  // Four bytes are two units, three bytes one.
  const there = await read(handle, lineStart + first.start, maxLineLength * 3 + 4);
  const compared = Math.min(there.length, first.begins.length);
  if (compared < Math.min(first.begins.length, maxLineLength) || !there.subarray(0, compared).equals(first.begins.subarray(0, compared)))
    return undefined;
  const before = await unitsBefore(handle, lineStart, first.start, 2 * leadUnits(limits), signal);
  const lead = lastUnits(before.end, leadUnits(limits));
  const shown = there.subarray(0, endOfLine(there, matches, first.start));
  const isWhole = shown.length < there.length;
  const after = shown.toString();
  const room = maxLineLength - lead.length;
  const text = lead + after.slice(0, isHighSurrogate(after, room - 1) ? room - 1 : room);
  const toUnits = unitsOf(shown);
  const ranges = matches
    .filter(({ start }) => start - first.start < shown.length)
    .map(({ start, end }): [number, number] => [
      lead.length + toUnits(start - first.start),
      lead.length + toUnits(Math.min(end - first.start, shown.length)),
    ])
    .filter(([start]) => start < text.length)
    .map(([start, end]): [number, number] => [start, Math.min(end, text.length)]);
  const cutAt = before.units - lead.length;
  return {
    line: number,
    text,
    ranges,
    ...(isWhole && cutAt === 0 && text.length === lead.length + after.length ? {} : { cut: true }),
    ...(cutAt > 0 ? { cutAt } : {}),
    ...(raw ? { raw } : {}),
  };
}

/** How many UTF-16 units the bytes are, and the last `kept` of them. */
async function unitsBefore(
  handle: fs.promises.FileHandle,
  from: number,
  length: number,
  kept: number,
  signal: AbortSignal,
): Promise<{ units: number; end: string }> {
  const decoder = new TextDecoder('utf-8', { ignoreBOM: true });
  let units = 0;
  let end = '';
  for (let done = 0; done < length; ) {
    signal.throwIfAborted();
    const bytes = await read(handle, from + done, Math.min(CHUNK_BYTES, length - done));
    if (bytes.length === 0) throw new Error('The file is shorter by now.');
    done += bytes.length;
    const text = decoder.decode(bytes, { stream: done < length });
    units += text.length;
    end = (end + text).slice(-kept);
  }
  return { units, end };
}

async function read(handle: fs.promises.FileHandle, position: number, length: number): Promise<Buffer> {
  const bytes = Buffer.allocUnsafe(length);
  let done = 0;
  while (done < length) {
    const { bytesRead } = await handle.read(bytes, done, length - done, position + done);
    if (bytesRead === 0) break;
    done += bytesRead;
  }
  return bytes.subarray(0, done);
}

/** Where the last line that a match touches ends; all of it when the end lies further on. */
function endOfLine(bytes: Buffer, matches: LongLine['matches'], origin: number): number {
  const reached = matches.reduce((furthest, { end }) => Math.max(furthest, end - origin), 0);
  const feed = bytes.indexOf(LINE_FEED, Math.min(Math.max(0, reached - 1), bytes.length));
  if (feed < 0) return bytes.length;
  return bytes[feed - 1] === CARRIAGE_RETURN ? feed - 1 : feed;
}

/** Not more than so many, and no half of a pair. */
function lastUnits(text: string, count: number): string {
  const end = text.slice(-count);
  return (end.charCodeAt(0) & 0xfc00) === 0xdc00 ? end.slice(1) : end;
}

function isHighSurrogate(text: string, at: number): boolean {
  return (text.charCodeAt(at) & 0xfc00) === 0xd800;
}
