import type { TextQuery } from './ripgrep.ts';

/** Of a longer pattern no place is looked for: that compiles it again and again. */
const MAX_PLACED_LENGTH = 1000;

export type CompiledPattern = { expression: RegExp } | { problem: { text: string; column?: number } };

/** A pattern as an expression of JavaScript; `column` is from 1, in UTF-16 units. */
export function compilePattern({ pattern, regex, caseSensitive, word, multiline }: TextQuery): CompiledPattern {
  const source = regex ? pattern : pattern.replaceAll(/[\\^$.*+?()[\]{}|/-]/g, '\\$&');
  const problem = problemOf(source);
  if (problem !== undefined) return { problem: { text: problem, ...columnOf(source, problem) } };
  const flags = `gu${caseSensitive ? '' : 'i'}${multiline ? 'm' : ''}`;
  return { expression: new RegExp(word ? `(?<![\\p{L}\\p{N}_])(?:${source})(?![\\p{L}\\p{N}_])` : source, flags) };
}

/** In V8's words. */
function problemOf(source: string): string | undefined {
  try {
    new RegExp(source, 'u');
    return undefined;
  } catch (error) {
    const { message } = error as Error;
    const before = `Invalid regular expression: /${source}/u: `;
    return message.startsWith(before) ? message.slice(before.length) : message;
  }
}

/** V8 does not say where: it is where the pattern, written from its beginning, gets the problem that it keeps to its end. */
function columnOf(source: string, problem: string): { column?: number } {
  if (source.length > MAX_PLACED_LENGTH) return {};
  let column = source.length;
  while (column > 1 && problemOf(source.slice(0, column - 1)) === problem) column--;
  return { column };
}
