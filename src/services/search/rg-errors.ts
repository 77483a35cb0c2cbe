import { OutriggerError } from '../../contract/errors.ts';

const LINE = /^(\s*)\^/m;
/** ripgrep shows the pattern four columns in, wrapped in `(?:` and `)`. */
const SHOWN_BEFORE = 7;

/** ripgrep says in several lines what is wrong with a pattern or a glob, with a caret below the place. Throws BAD_PATTERN, or nothing where it is something else. */
export function throwIfBadPattern(stderr: string, pattern?: string): void {
  const text = stderr.trim();
  if (text === '') return;
  const isGlob = text.includes('error parsing glob');
  if (!isGlob && !/regex|pattern|literal|multiline/i.test(text)) return;
  const column = isGlob || pattern === undefined ? undefined : columnOf(text, pattern);
  throw new OutriggerError('BAD_PATTERN', problemIn(text), {
    details: { said: text.slice(0, 4000), ...(column === undefined ? {} : { column }) },
  });
}

/** From 1. What points at the wrapping means a bracket of the pattern: one that is never closed takes the wrapping's, one too many closes it. */
function columnOf(text: string, pattern: string): number | undefined {
  const indent = LINE.exec(text)?.[1]?.length;
  if (indent === undefined) return undefined;
  if (indent < SHOWN_BEFORE) return unclosedGroup(pattern);
  return Math.min(indent - SHOWN_BEFORE + 1, pattern.length);
}

/** Where the last group begins that has no end. */
function unclosedGroup(pattern: string): number | undefined {
  const open: number[] = [];
  let classes = 0;
  for (let at = 0; at < pattern.length; at++) {
    const letter = pattern[at];
    if (letter === '\\') at++;
    else if (letter === '[') {
      classes++;
      // First in a class, a bracket is itself.
      if (pattern[at + 1] === '^') at++;
      if (pattern[at + 1] === ']') at++;
    } else if (classes > 0) classes -= letter === ']' ? 1 : 0;
    else if (letter === '(') open.push(at + 1);
    else if (letter === ')') open.pop();
  }
  return open.at(-1);
}

/** What is wrong, without what ripgrep's own options could do about it. */
function problemIn(text: string): string {
  const lines = text.split('\n').filter((line) => line.trim() !== '');
  const line = lines.find((one) => one.startsWith('error: ')) ?? lines.at(-1) ?? text;
  return line.trim().replace(/^error: /, '');
}
