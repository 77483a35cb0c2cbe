// What edits make of a text, and which lines a read gives, worked out in the plainest way.
import type { ErrorReason } from '../../src/contract/errors.ts';

export type ModelEdit = { find: string; replace: string; all?: boolean | undefined } | { startLine: number; endLine: number; text: string };

export interface LineAsk {
  startLine?: number | undefined;
  endLine?: number | undefined;
  head?: number | undefined;
  tail?: number | undefined;
}

/** With their breaks; an empty text has none. */
function linesOf(text: string): string[] {
  return text === '' ? [] : text.split(/(?<=\n)/);
}

/** Undefined where all of it is asked for. */
export function someLines(
  raw: string,
  { startLine, endLine, head, tail }: LineAsk,
): { text: string; startLine: number; lines: number } | undefined {
  const lines = linesOf(raw);
  const answer = (from: number, to: number): { text: string; startLine: number; lines: number } => ({
    text: lines.slice(from, to).join(''),
    startLine: from + 1,
    lines: lines.length,
  });
  if (tail !== undefined) return answer(Math.max(0, lines.length - tail), lines.length);
  if (head !== undefined) return answer(0, head);
  if (startLine !== undefined || endLine !== undefined) return answer((startLine ?? 1) - 1, endLine ?? lines.length);
  return undefined;
}

/** The text after all edits, in the file's own line ends; or why none is made. */
export function applyEdits(raw: string, edits: readonly ModelEdit[]): string | { reason: ErrorReason } {
  const mark = raw.startsWith('\ufeff') ? '\ufeff' : '';
  const body = raw.slice(mark.length);
  const count = (part: string): number => body.split(part).length - 1;
  const [crlf, newlines, returns] = [count('\r\n'), count('\n'), count('\r')];
  const isAlike = returns === 0 || newlines === 0 || (crlf === newlines && crlf === returns);
  // CR alone ends no line, but searches find it for a break.
  const isCr = returns > 0 && newlines === 0;
  const ending = isAlike && returns > 0 && !isCr ? '\r\n' : '\n';
  const lf = (part: string): string => (isAlike ? part.replaceAll('\r\n', '\n') : part);
  const sought = (part: string): string => (isCr ? lf(part).replaceAll('\n', '\r') : lf(part));
  const lined = withLines(
    body.replaceAll(ending, '\n'),
    edits.flatMap((edit) => ('find' in edit ? [] : [{ ...edit, text: isCr ? edit.text : lf(edit.text) }])),
  );
  if (typeof lined !== 'string') return lined;
  let text = lined;
  for (const edit of edits) {
    if (!('find' in edit)) continue;
    const [find, replace] = [sought(edit.find), sought(edit.replace)];
    const first = text.indexOf(find);
    if (first < 0) return { reason: 'EDIT_NOT_FOUND' };
    if (edit.all !== true && text.indexOf(find, first + 1) >= 0) return { reason: 'EDIT_AMBIGUOUS' };
    text = edit.all === true ? text.split(find).join(replace) : text.slice(0, first) + replace + text.slice(first + find.length);
  }
  return mark + text.replaceAll('\n', ending);
}

function withLines(
  text: string,
  ranges: readonly { startLine: number; endLine: number; text: string }[],
): string | { reason: ErrorReason } {
  const lines = linesOf(text);
  const sorted = ranges.toSorted((a, b) => a.startLine - b.startLine || a.endLine - b.endLine);
  let free = 1;
  for (const { startLine, endLine } of sorted) {
    if (endLine < startLine - 1 || endLine > lines.length || startLine > lines.length + 1) return { reason: 'OUT_OF_RANGE' };
    if (startLine < free) return { reason: 'BAD_INPUT' };
    free = Math.max(free, endLine + 1);
  }
  const lineBreak = text.includes('\r\n') ? '\r\n' : '\n';
  let result = '';
  // To ask the result for its end would join it again for each of a hundred thousand lines.
  let isAtStart = true;
  const add = (part: string): void => {
    if (part === '') return;
    // What is put behind a last line without a break begins a line.
    if (!isAtStart) result += lineBreak;
    result += part;
    isAtStart = part.endsWith('\n');
  };
  let at = 0;
  for (const { startLine, endLine, text: given } of sorted) {
    for (; at < startLine - 1; at++) add(lines[at] as string);
    at = Math.max(at, endLine);
    // The last line of a file without a break at its end stays so.
    const isEnd = endLine === lines.length && !text.endsWith('\n');
    const isWhole = given === '' || isEnd || given.endsWith('\n');
    add(isWhole ? given : given + (given.endsWith('\r') ? '\n' : lineBreak));
  }
  for (; at < lines.length; at++) add(lines[at] as string);
  return result;
}
