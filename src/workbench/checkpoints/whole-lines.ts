import type { ClashHunk } from './clash.ts';

/** A clash names what differs, which may be some words: the same with the lines that it stands in, as the file has them now. */
export function wholeLines(hunk: ClashHunk, text: string): ClashHunk {
  const { line, now, kind } = hunk;
  if (kind !== 'hunk' || line === undefined || now === null) return hunk;
  const start = startOfLine(text, line);
  const nextLine = text.indexOf('\n', start);
  const at = start < 0 ? -1 : text.indexOf(now, start);
  // Not on that line: the file has changed, and fragments are better than lines that are wrong.
  if (at < 0 || (nextLine >= 0 && at > nextLine)) return hunk;
  // A part that ends its line ends there.
  const end = now.endsWith('\n') ? at + now.length : endOfLine(text, at + now.length);
  const head = text.slice(start, at);
  const tail = text.slice(at + now.length, end);
  const whole = (part: string | null): string | null => (part === null ? null : `${head}${part}${tail}`);
  return { ...hunk, run: whole(hunk.run), without: whole(hunk.without), now: whole(now) };
}

function startOfLine(text: string, line: number): number {
  let at = 0;
  for (let number = 1; number < line; number += 1) {
    const found = text.indexOf('\n', at);
    if (found < 0) return -1;
    at = found + 1;
  }
  return at;
}

function endOfLine(text: string, from: number): number {
  const found = text.indexOf('\n', from);
  return found < 0 ? text.length : found;
}
