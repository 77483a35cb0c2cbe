/**
 * Where each line of a text begins; after a break at the end one more, empty line. A line ends with LF, or with the text: so count ripgrep, git and
 * POSIX, whose numbers callers hold against ours. The CR of CRLF is a character of its line, and a CR alone ends none, as it would in most editors, and
 * in an open document, whose text has LF in its place: of a file with some, lines count otherwise there than in the characters that it saves and is read as.
 */
export function lineStarts(text: string): number[] {
  const starts = [0];
  for (let at = text.indexOf('\n'); at >= 0; at = text.indexOf('\n', at + 1)) starts.push(at + 1);
  return starts;
}

/** Where each line begins, and the end of the text; an empty text has no line, a break at the end begins none. */
export function lineBounds(text: string): number[] {
  const starts = lineStarts(text);
  return starts.at(-1) === text.length ? starts : [...starts, text.length];
}
