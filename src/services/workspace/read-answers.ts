import fs from 'node:fs';
import { OutriggerError } from '../../contract/errors.ts';
import type { files } from '../../contract/files.ts';
import type { Input, Output } from '../../contract/operation.ts';
import { readHttpDate } from '../../core/http-date.ts';
import { lineBounds } from '../../core/text-lines.ts';
import { parseByteRange } from './byte-range.ts';
import { checkConditions, decodeText, etagOf, FileBytes, HASH_MAX_BYTES, hashBytes, hashDescriptor } from './content.ts';
import { fileError } from './file-errors.ts';
import { type LineRange, readLines } from './lines.ts';
import { mimeTypeOf } from './mime-types.ts';
import type { Reader } from './reader.ts';
import { withBom } from './stored-text.ts';

type Files = typeof files;

export function rangeOf(input: Input<Files['files.read']>): LineRange | undefined {
  const { startLine, endLine, head, tail } = input;
  const ways = [startLine ?? endLine, head, tail].filter((way) => way !== undefined);
  if (ways.length > 1) throw new OutriggerError('BAD_INPUT', 'Only one of startLine and endLine, head, tail may be given.');
  if (tail !== undefined) return { tail };
  if (head !== undefined) return { start: 1, end: head };
  if (startLine === undefined && endLine === undefined) return undefined;
  const range = { start: startLine ?? 1, end: endLine ?? Number.POSITIVE_INFINITY };
  if (range.end < range.start) throw new OutriggerError('BAD_INPUT', `endLine ${range.end} comes before startLine ${range.start}.`);
  return range;
}

export function readLive(input: Input<Files['files.read']>, live: { raw: string; unsaved: boolean }): Output<Files['files.read']> {
  const range = rangeOf(input);
  const facts = { path: input.path, etag: etagOf(hashBytes(live.raw)), size: Buffer.byteLength(live.raw), unsaved: live.unsaved };
  if (range === undefined) return withBom(facts, live.raw);
  const bounds = lineBounds(live.raw);
  const lines = bounds.length - 1;
  const start = 'tail' in range ? Math.max(0, lines - range.tail) : range.start - 1;
  const end = 'tail' in range ? lines : Math.min(range.end, lines);
  const text = start < end ? live.raw.slice(bounds[start], bounds[end]) : '';
  return withLines({ ...facts, lines, startLine: start + 1 }, text);
}

/** Elsewhere than at the start of the file a byte order mark is a character like others. */
function withLines<Facts extends { startLine: number }>(facts: Facts, raw: string): Facts & { text: string; bom?: boolean } {
  return facts.startLine === 1 ? withBom(facts, raw) : { ...facts, text: raw };
}

export async function readSomeLines(
  workspace: Reader,
  path: string,
  range: LineRange,
  maxBytes: number,
  signal: AbortSignal,
): Promise<Output<Files['files.read']>> {
  const opened = await workspace.open(path, signal);
  try {
    const found = await readLines(opened.descriptor, opened.stat.size, range, maxBytes, signal);
    if (found.tooLarge) throw new OutriggerError('OUTPUT_TOO_LARGE', `Those lines of ${path} hold more than ${maxBytes} bytes.`);
    const raw = decodeText(found.bytes);
    if (raw === undefined) throw new OutriggerError('NOT_TEXT', `${path} is not UTF-8 text.`);
    return withLines({ path, etag: etagOf(opened.content), size: opened.stat.size, lines: found.lines, startLine: found.startLine }, raw);
  } finally {
    fs.closeSync(opened.descriptor);
    opened.release();
  }
}

export async function download(
  workspace: Reader,
  input: Input<Files['files.download']>,
  signal: AbortSignal,
): Promise<{ head: Output<Files['files.download']>; bytes: AsyncIterable<Uint8Array> }> {
  const { path } = input;
  const { descriptor, stat, content, release } = await workspace.open(path, signal);
  try {
    const etag = etagOf(content);
    const modified = httpTime(stat.mtimeMs);
    const facts = {
      path,
      etag,
      size: stat.size,
      acceptRanges: 'bytes' as const,
      mimeType: mimeTypeOf(path),
      modified: new Date(modified).toUTCString(),
    };
    // In the order of RFC 9110 section 13.2.2.
    if (input.ifMatch !== undefined) checkConditions(path, content, { ifMatch: input.ifMatch });
    else if (wasModifiedSince(modified, input.ifUnmodifiedSince) === true)
      throw new OutriggerError('ETAG_MISMATCH', `${path} changed after ${input.ifUnmodifiedSince}.`, { details: { etag } });
    const notModified =
      input.ifNoneMatch === undefined
        ? wasModifiedSince(modified, input.ifModifiedSince) === false
        : isSameContent(path, content, input.ifNoneMatch);
    if (notModified) {
      return { head: { ...facts, length: 0, partial: false, notModified: true }, bytes: new FileBytes(descriptor, 0, 0, release) };
    }
    // Two contents may be of one second, so that a date says of none that it is the same.
    const wanted =
      input.range !== undefined && (input.ifRange === undefined || input.ifRange === etag)
        ? parseByteRange(input.range, stat.size)
        : undefined;
    if (wanted === 'unsatisfiable') {
      throw new OutriggerError('OUT_OF_RANGE', `${path} holds ${stat.size} bytes; the range is outside.`, { details: { size: stat.size } });
    }
    const { start, end } = wanted ?? { start: 0, end: stat.size };
    const head: Output<Files['files.download']> = { ...facts, length: end - start, partial: wanted !== undefined, notModified: false };
    if (wanted !== undefined) head.contentRange = `bytes ${start}-${end - 1}/${stat.size}`;
    return { head, bytes: new FileBytes(descriptor, start, end, release, () => isStill(descriptor, stat, content, signal)) };
  } catch (error) {
    fs.closeSync(descriptor);
    release();
    throw fileError(error, path);
  }
}

/** Whether an open file begins with what it was: it may have been added to. Above HASH_MAX_BYTES its facts tell. */
function isStill(descriptor: number, was: fs.Stats, content: string, signal: AbortSignal): boolean | Promise<boolean> {
  const now = fs.fstatSync(descriptor);
  if (now.size === was.size && now.mtimeMs === was.mtimeMs) return true;
  if (was.size > HASH_MAX_BYTES) return now.size > was.size;
  return hashDescriptor(descriptor, was.size, signal).then((hash) => hash === content);
}

/** When a file was written, milliseconds since 1970, as HTTP tells it: in whole seconds, and not later than now, whatever the file says. */
function httpTime(mtimeMs: number): number {
  return Math.floor(Math.max(0, Math.min(mtimeMs, Date.now())) / 1000) * 1000;
}

/** Undefined where `since` is no date of HTTP. */
function wasModifiedSince(modified: number, since = ''): boolean | undefined {
  const date = readHttpDate(since, Date.now());
  return date === undefined ? undefined : modified > date;
}

function isSameContent(path: string, content: string, ifNoneMatch: string): boolean {
  try {
    checkConditions(path, content, { ifNoneMatch });
    return false;
  } catch {
    return true;
  }
}
