import { applyEdits, type TextEdit } from '../core/text-diff.ts';
import { type Eol, splitFormat } from '../core/text-format.ts';
import type { TextRangeEdit } from './file-edit.ts';

const byteOrderMark = '\uFEFF';
const breaks: Readonly<Record<Eol, string>> = { lf: '\n', crlf: '\r\n', cr: '\r' };

/**
 * The bytes of a text file after `edits`, or why they can't be applied. The byte order mark stays, and line breaks of new text become
 * those that the file uses most; in a file without any they stay as given.
 */
export function planText(original: Uint8Array, edits: readonly TextRangeEdit[]): { content: Uint8Array } | { problem: string } {
  let raw: string;
  try {
    raw = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(original);
  } catch {
    // Not UTF-8: offsets in characters mean nothing in it.
    return { problem: 'The file is not UTF-8 text.' };
  }
  if (raw.includes('\0')) return { problem: 'The file holds NUL bytes and is no text.' };
  const mark = raw.startsWith(byteOrderMark) ? byteOrderMark : '';
  const text = raw.slice(mark.length);
  const lineBreak = /[\r\n]/.test(text) ? breaks[splitFormat(text).format.eol] : undefined;

  const planned: TextEdit[] = [];
  // The sort is stable: insertions at one place stay in their order.
  const sorted = edits.toSorted((a, b) => a.range.start - b.range.start || a.range.end - b.range.end);
  let free = 0;
  for (const { range, newText } of sorted) {
    const problem = rangeProblem(text, range, newText);
    if (problem !== undefined) return { problem };
    if (range.start < free) return { problem: `Two edits overlap at offset ${range.start}.` };
    free = range.end;
    const insert = lineBreak === undefined ? newText : newText.replace(/\r\n?|\n/g, lineBreak);
    planned.push({ at: range.start, remove: range.end - range.start, insert });
  }
  return { content: Buffer.from(mark + applyEdits(text, planned), 'utf8') };
}

function rangeProblem(text: string, { start, end }: { start: number; end: number }, newText: unknown): string | undefined {
  const range = `The range ${start} to ${end}`;
  if (!Number.isSafeInteger(start) || !Number.isSafeInteger(end)) return `${range} is not of whole numbers.`;
  if (start < 0 || end > text.length) return `${range} is not in a text of ${text.length} UTF-16 units.`;
  if (end < start) return `${range} ends before it begins.`;
  if (splitsPair(text, start) || splitsPair(text, end)) return `${range} cuts a character in two.`;
  if (typeof newText !== 'string' || !newText.isWellFormed()) return 'The new text holds half a character (a lone surrogate).';
  return undefined;
}

function splitsPair(text: string, at: number): boolean {
  return isBetween(text.charCodeAt(at - 1), 0xd800, 0xdbff) && isBetween(text.charCodeAt(at), 0xdc00, 0xdfff);
}

function isBetween(unit: number, low: number, high: number): boolean {
  return unit >= low && unit <= high;
}
