import type { FoundLine } from '../../contract/search.ts';
import { cutLine, type LineLimits } from './rg-events.ts';
import type { TextQuery } from './ripgrep.ts';

/** Lines that match, and those around them, in order; each as ripgrep would tell it. */
export function* findLines(
  text: string,
  expression: RegExp,
  { multiline, context }: Pick<TextQuery, 'multiline' | 'context'>,
  { maxLineLength }: LineLimits,
): Generator<FoundLine> {
  const lines = multiline ? wholeMatches(text, expression, maxLineLength) : lineMatches(text, expression, context, maxLineLength);
  for (const line of lines) yield line.text.length > maxLineLength ? cutLine(line, maxLineLength) : line;
}

function* lineMatches(text: string, expression: RegExp, context: number, maxLineLength: number): Generator<FoundLine> {
  /** Told when a match follows. */
  let before: FoundLine[] = [];
  let after = 0;
  let number = 0;
  for (let start = 0; start < text.length; ) {
    const feed = text.indexOf('\n', start);
    const line = text.slice(start, feed < 0 ? undefined : feed);
    start = feed < 0 ? text.length : feed + 1;
    number++;
    const ranges = rangesIn(line, expression, maxLineLength);
    const shown = plain(line);
    if (ranges.length > 0) {
      yield* before;
      before = [];
      after = context;
      yield { line: number, text: shown, ranges: ranges.map(([from, to]) => [Math.min(from, shown.length), Math.min(to, shown.length)]) };
    } else if (after > 0) {
      after--;
      yield { line: number, text: shown };
    } else if (context > 0) {
      before.push({ line: number, text: shown });
      if (before.length > context) before.shift();
    }
  }
}

/** What lies too far behind the first match is not shown, and not looked for. */
function rangesIn(line: string, expression: RegExp, maxLineLength: number): [number, number][] {
  const ranges: [number, number][] = [];
  for (const { index, 0: matched } of line.matchAll(expression)) {
    ranges.push([index, index + matched.length]);
    if (index > (ranges[0]?.[0] ?? 0) + maxLineLength) break;
  }
  return ranges;
}

/** Each match with the lines that it touches. */
function* wholeMatches(text: string, expression: RegExp, maxLineLength: number): Generator<FoundLine> {
  let number = 1;
  let counted = 0;
  let last: { line: FoundLine; ranges: [number, number][]; start: number; end: number } | undefined;
  for (const match of text.matchAll(expression)) {
    const start = match.index === 0 ? 0 : text.lastIndexOf('\n', match.index - 1) + 1;
    const stop = match.index + match[0].length;
    const feed = text.indexOf('\n', Math.max(stop - 1, match.index));
    const end = feed < 0 ? text.length : feed;
    const from = match.index - start;
    if (last?.start === start && last.end === end) {
      if (from <= (last.ranges[0]?.[0] ?? 0) + maxLineLength) last.ranges.push([from, Math.min(stop - start, last.line.text.length)]);
      continue;
    }
    if (last !== undefined) yield last.line;
    for (let at = text.indexOf('\n', counted); at >= 0 && at < start; at = text.indexOf('\n', counted)) {
      number++;
      counted = at + 1;
    }
    const shown = plain(text.slice(start, end));
    const ranges: [number, number][] = [[from, Math.min(stop - start, shown.length)]];
    last = { line: { line: number, text: shown, ranges }, ranges, start, end };
  }
  if (last !== undefined) yield last.line;
}

function plain(line: string): string {
  return line.endsWith('\r') ? line.slice(0, -1) : line;
}
