import type { LineMatch, SearchQuery } from './workspace-backend.ts';

const maxLineLength = 1000;

/** A pattern as an expression that finds it, all of it literal. */
export function literalExpression({ pattern, caseSensitive = true, word = false }: SearchQuery): RegExp {
  const literal = pattern.replace(/[\\^$.*+?()[\]{}|/]/g, '\\$&');
  const source = word ? `(?<![\\p{L}\\p{N}_])${literal}(?![\\p{L}\\p{N}_])` : literal;
  return new RegExp(source, caseSensitive ? 'gu' : 'giu');
}

/** Lines of `text` that hold what `expression` finds, `limit` at most. */
export function matchingLines(text: string, expression: RegExp, limit: number): LineMatch[] {
  const matches: LineMatch[] = [];
  let number = 0;
  for (let start = 0; start <= text.length && matches.length < limit; ) {
    number++;
    const cut = text.indexOf('\n', start);
    const end = cut < 0 ? text.length : cut;
    const line = text.slice(start, text[end - 1] === '\r' ? end - 1 : end);
    start = end + 1;
    const ranges: [number, number][] = [];
    for (const found of line.matchAll(expression)) if (found[0] !== '') ranges.push([found.index, found.index + found[0].length]);
    const first = ranges[0];
    if (first !== undefined) matches.push(shown(line, number, first[0], ranges));
  }
  return matches;
}

/** A long line is cut around its first match. */
function shown(line: string, number: number, first: number, ranges: [number, number][]): LineMatch {
  const match: LineMatch = { line: number, column: first + 1, text: line, ranges };
  if (line.length <= maxLineLength) return match;
  const cutAt = Math.max(0, first - maxLineLength / 4);
  match.text = line.slice(cutAt, cutAt + maxLineLength);
  match.cutAt = cutAt;
  match.ranges = ranges
    .filter(([start]) => start < cutAt + maxLineLength)
    .map(([start, end]) => [start - cutAt, Math.min(end - cutAt, maxLineLength)]);
  return match;
}
