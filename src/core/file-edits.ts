import { PartedText } from './parted-text.ts';
import type { TextEdit } from './text-diff.ts';
import { lineBounds } from './text-lines.ts';

/** Exact search and replace, or a range of lines; as files.edit takes them. */
export type Replacement = { find: string; replace: string; all: boolean } | { startLine: number; endLine: number; text: string };

export type EditProblem = { edit: number; problem: 'not-found' | 'ambiguous' | 'out-of-range' | 'overlap' | 'too-long'; text: string };

export type PlannedReplacements = { result: string } | { problem: EditProblem };

/**
 * Applies replacements to a text, all or none: the result, or the first problem. Ranges of lines
 * come first: they count in the text as it is and may not overlap. Searches follow in their order, each in what the one before left; none makes the text
 * longer than `maxChars`, UTF-16 code units. Stops after each bit of the work, so that others may have their turn.
 */
export function* planReplacements(
  text: string,
  replacements: readonly Replacement[],
  maxChars: number,
): Generator<undefined, PlannedReplacements> {
  const lines = replacements.flatMap((replacement, edit) => ('find' in replacement ? [] : [{ ...replacement, edit }]));
  const planned = planLines(text, lines);
  if ('problem' in planned) return planned;
  const lined = joinLines(text, planned.edits, planned.lineBreak);
  if (lines.length === replacements.length) return { result: lined };
  const parted = new PartedText(lined);
  for (const [edit, replacement] of replacements.entries()) {
    if (!('find' in replacement)) continue;
    const { find, replace, all } = replacement;
    const replaced = yield* all ? parted.replaceAll(find, replace, maxChars) : parted.replaceOnly(find, replace, maxChars);
    if (replaced !== 'done') return { problem: { edit, problem: replaced, text: whyNot(replaced, find, maxChars) } };
  }
  return { result: parted.toString() };
}

function planLines(
  text: string,
  ranges: readonly { startLine: number; endLine: number; text: string; edit: number }[],
): { edits: TextEdit[]; lineBreak: string } | { problem: EditProblem } {
  if (ranges.length === 0) return { edits: [], lineBreak: '\n' };
  const bounds = lineBounds(text);
  const lineCount = bounds.length - 1;
  const lineBreak = text.includes('\r\n') ? '\r\n' : '\n';
  const edits: TextEdit[] = [];
  let free = 1;
  for (const range of ranges.toSorted((a, b) => a.startLine - b.startLine || a.endLine - b.endLine)) {
    const { startLine, endLine, edit } = range;
    if (endLine < startLine - 1 || endLine > lineCount || startLine > lineCount + 1) {
      return {
        problem: { edit, problem: 'out-of-range', text: `Lines ${startLine} to ${endLine} are not in a text of ${lineCount} lines.` },
      };
    }
    if (startLine < free) return { problem: { edit, problem: 'overlap', text: `Line ${startLine} is changed by two edits.` } };
    free = Math.max(endLine + 1, startLine);
    const at = bounds[startLine - 1] as number;
    const end = bounds[endLine] as number;
    const isLast = end === text.length && !endsWithBreak(text) && endLine === lineCount;
    const insert = range.text === '' || isLast || endsWithBreak(range.text) ? range.text : withBreak(range.text, lineBreak);
    edits.push({ at, remove: end - at, insert });
  }
  return { edits, lineBreak };
}

function whyNot(problem: 'not-found' | 'ambiguous' | 'too-long', find: string, maxChars: number): string {
  if (problem === 'too-long') return `It would make the text longer than ${maxChars} characters.`;
  const what = JSON.stringify(shorten(find));
  return problem === 'not-found' ? `${what} does not stand in the file.` : `${what} stands in the file more than once.`;
}

function endsWithBreak(text: string): boolean {
  return text.endsWith('\n');
}

/** Who splits lines at their LF leaves the CR of CRLF. */
function withBreak(text: string, lineBreak: string): string {
  return text + (text.endsWith('\r') ? '\n' : lineBreak);
}

/** What is put in begins a line, also where the last one before it has no break. */
function joinLines(text: string, edits: readonly TextEdit[], lineBreak: string): string {
  let result = '';
  let at = 0;
  let isAtStart = true;
  const add = (part: string): void => {
    if (part === '') return;
    result += part;
    isAtStart = endsWithBreak(part);
  };
  for (const edit of edits) {
    add(text.slice(at, edit.at));
    if (edit.insert !== '' && !isAtStart) add(lineBreak);
    add(edit.insert);
    at = edit.at + edit.remove;
  }
  add(text.slice(at));
  return result;
}

function shorten(text: string): string {
  return text.length > 80 ? `${text.slice(0, 80)}…` : text;
}
